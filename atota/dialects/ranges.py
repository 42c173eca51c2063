"""Ranges of a module's numbers, as profiles write them (``0-100``, ``128``, ``129-``), and lengths."""

import re
from collections.abc import Iterable
from math import inf

_RANGE = re.compile(r"(\d{1,9})(-(\d{1,9})?)?")


def bounds(text: str) -> tuple[float, float] | None:
    """Return the first and the last number of a range, or None if the text is not one."""
    match = _RANGE.fullmatch(text)
    if match is None:
        return None
    first = int(match[1])
    last = float(match[3]) if match[3] else inf if match[2] else first
    return (first, last) if first <= last else None


def is_within(number: int, ranges: Iterable[str]) -> bool:
    """True if the number is in one of the ranges."""
    spans = (bounds(text) for text in ranges)
    return any(span is not None and span[0] <= number <= span[1] for span in spans)


def halved(length: int, least: int, multiple: int = 1) -> int | None:
    """Return half of a length, as a multiple of ``multiple``; None if that is less than ``least``."""
    half = length // 2 // multiple * multiple
    return half if half >= least else None
