"""Numbers in information lines, read so that no input of a module can raise or take long."""

import re

_WHOLE = re.compile(r"[0-9]{1,18}")


def whole_number(text: str | None) -> int | None:
    """Return the number that up to eighteen digits are; None for anything else: no module counts further."""
    return int(text) if text is not None and _WHOLE.fullmatch(text) else None


def allowed_numbers(text: str) -> frozenset[int]:
    """Return the numbers that the response to a test command allows: ``(0-5)``, ``(0,1,2,5)``, ``0-5``."""
    allowed: set[int] = set()
    for low, high in re.findall(r"(\d{1,5})(?:\s*-\s*(\d{1,5}))?", text):
        allowed.update(range(int(low), min(int(high or low), int(low) + 1024) + 1))
    return frozenset(allowed)
