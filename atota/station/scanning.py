"""The codes of a scanner: their kinds by the patterns of the station file, and each code once.

Pure: a code and the time go in, and its meaning comes out. Scanners repeat a code while the trigger is held,
and keyboard wedges double one, so the same code within `ONCE_S` counts once.
"""

import re
from typing import Literal

import msgspec

from atota.station.config import ScanTable

ONCE_S = 1.5
LANE_S = 30.0
"""Seconds for which a lane's code chooses the lane of the label that follows."""
MOST_CHARACTERS = 200

CodeKind = Literal["operator", "lane", "label", "unknown", "repeated"]


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """A code that was read. ``value`` is the part that the pattern's group names."""

    kind: CodeKind
    text: str
    value: str = ""


class Scanner:
    """The reader of a station's codes.

    Args:
        table: the patterns.
    """

    def __init__(self, table: ScanTable) -> None:
        self._patterns: tuple[tuple[CodeKind, str | None], ...] = (
            ("operator", table.operator),
            ("lane", table.lane),
            ("label", table.pattern),
        )
        self._last: tuple[str, int | None, float] = ("", None, -ONCE_S)

    def read(self, text: str, now: float, lane: int | None = None) -> Code:
        """Return the meaning of a code; control characters round and in it do not belong to it.

        ``lane``: the lane that it was read for, if that is known.
        """
        cleaned = "".join(char for char in text if char.isprintable()).strip()[:MOST_CHARACTERS]
        last, last_lane, at = self._last
        self._last = cleaned, lane, now
        if (cleaned, lane) == (last, last_lane) and now - at < ONCE_S:
            return Code(kind="repeated", text=cleaned)
        for kind, pattern in self._patterns:
            match = re.fullmatch(pattern, cleaned) if pattern is not None else None
            if match is not None:
                value = match[1] if match.re.groups and match[1] is not None else cleaned
                return Code(kind=kind, text=cleaned, value=value)
        return Code(kind="unknown", text=cleaned)
