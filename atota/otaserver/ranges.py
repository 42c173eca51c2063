"""The platform's own reading of ``Range``, which clamps where HTTP would answer 416.

Source: the platform's download page (suben/doc/ota, "resource download"). Both ``Range: 0-99`` and
``Range: bytes=0-99`` are documented.
"""

import re
from dataclasses import dataclass

_RANGE = re.compile(r"(?:bytes=)?([0-9]{0,4000})-([0-9]{0,4000})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes ``start`` to ``end``, both included, of ``total``.

    ``asked_past_end`` says that the request was bent to fit; a careful client never sees that.
    """

    start: int
    end: int
    total: int
    asked_past_end: bool = False

    @property
    def content_range(self) -> str:
        """The value of the ``Content-Range`` header."""
        return f"bytes {self.start}-{self.end}/{self.total}"

    def __len__(self) -> int:
        return self.end - self.start + 1


def clamp(header: str | None, total: int) -> Slice | None:
    """Return the slice that a ``Range`` header asks for, or None for the whole file; never a refusal.

    A start at or past the end becomes 0, an end past the end the last byte, a start behind the end 0; a
    suffix longer than the file and anything else in the header mean the whole file. So a request past the
    end silently starts again at byte 0.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or total == 0:
        return None
    first, last = match[1], match[2]
    if not first:
        count = int(last) if last else 0
        return Slice(total - count, total - 1, total) if 0 < count <= total else None
    start = int(first)
    end = int(last) if last else total - 1
    bent = start >= total or end >= total or start > end
    if start >= total:
        start = 0
    end = min(end, total - 1)
    if start > end:
        start = 0
    return Slice(start, end, total, bent)
