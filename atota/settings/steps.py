"""Steps of control lines, as boards and chips name them: ``rts:1``, ``dtr:0``, ``wait:0.1``."""

import re
from typing import Any, Final, Literal

_LINE = re.compile(r"(dtr|rts):([01])", re.ASCII)
_WAIT = re.compile(r"wait:(\d{1,4}(?:\.\d{1,6})?)", re.ASCII)
_STEP_FORMS: Final = "expected 'rts:0', 'rts:1', 'dtr:0', 'dtr:1' or 'wait:SECONDS'"


class Step:
    """One step of a reset or power sequence: set a control line, or wait.

    Attributes:
        line: ``"dtr"`` or ``"rts"``; None for a wait.
        asserted: the level for ``line``. Asserted is 1; at the pin of a TTL adapter that is the low level.
        wait_s: seconds to wait; 0.0 for a line.
    """

    __slots__ = ("asserted", "line", "wait_s")

    def __init__(self, text: str) -> None:
        self.line: Literal["dtr", "rts"] | None = None
        self.asserted = False
        self.wait_s = 0.0
        if match := _LINE.fullmatch(text):
            self.line = "dtr" if match[1] == "dtr" else "rts"
            self.asserted = match[2] == "1"
        elif match := _WAIT.fullmatch(text):
            self.wait_s = float(match[1])
        else:
            raise ValueError(f"Bad step {text!r}: {_STEP_FORMS}")

    def __str__(self) -> str:
        return f"{self.line}:{self.asserted:d}" if self.line else f"wait:{self.wait_s:g}"

    def __repr__(self) -> str:
        return f"Step({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


Sequence = tuple[Step, ...]


def decode_step(kind: type, value: Any) -> Any:
    """Decode a step; the hook of `atota.files.decode_toml`.

    Raises:
        ValueError: it is not a step.
    """
    if kind is not Step or not isinstance(value, str):
        raise ValueError(f"Bad step {value!r}: {_STEP_FORMS}")
    return Step(value)
