"""The reports of a running update: unsolicited lines, the numbers in them, and their ranges."""

import itertools
import re
from collections.abc import Iterator
from typing import Annotated

import msgspec

from atota.at.params import whole_number
from atota.dialects import error_tables
from atota.dialects.common import (
    MethodSpec,
    Pattern,
    Profiled,
    Range,
)
from atota.dialects.ranges import bounds, is_within

UNEXPLAINED = "not explained by its documents"
"""The words for a number that no source explains."""


def _percentage(text: str | None) -> int | None:
    """Return 0-100; a number beyond that is not a percentage."""
    number = whole_number(text)
    return number if number is not None and number <= 100 else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _with_code(pattern: str, line: str) -> re.Match[str] | None:
    """Return the match of a pattern whose group has a text."""
    match = re.search(pattern, line)
    return match if match is not None and match.re.groups and match[1] else None


class Codes(Profiled, frozen=True, kw_only=True):
    """A number in the module's lines, and its meaning by ranges: ``0-100``, ``128``, ``129-`` (no end).

    ``pattern`` has one group, the number. One that is in no range says nothing: it is neither a failure nor a
    success. ``words`` explains numbers and ranges; ``mismatch`` lists failures that name the package as one
    for another module or version, whatever happened to its bytes on the way.
    """

    pattern: Annotated[str, Pattern(1)]
    percent: tuple[Annotated[str, Range()], ...] = ()
    success: tuple[Annotated[str, Range()], ...] = ()
    failure: tuple[Annotated[str, Range()], ...] = ()
    mismatch: tuple[Annotated[str, Range()], ...] = ()
    words: dict[str, str] = msgspec.field(default_factory=dict)
    source: str

    def number(self, line: str) -> int | None:
        """Return the number in a line, or None."""
        match = re.search(self.pattern, line)
        return whole_number(match[1]) if match else None

    def meaning(self, number: int) -> str:
        """Return the words for a number; empty if there are none."""
        return next((words for text, words in self.words.items() if is_within(number, (text,))), "")

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """Yield ``(path below the part, what is wrong)`` for ranges that overlap, or are missing."""
        fields = {"percent": self.percent, "success": self.success, "failure": self.failure}
        spans = [(span, name) for name, texts in fields.items() for text in texts if (span := bounds(text))]
        for (before, _), (after, name) in itertools.pairwise(sorted(spans)):
            if after[0] <= before[1]:
                yield f".{name}", f"{after[0]:g} has two meanings"
        if not any(fields.values()):
            yield "", "It has no range: no number would mean anything"
        for key in self.words:
            if bounds(key) is None:
                yield f".words.{key}", "A number or a range is expected"


class Watch(Profiled, frozen=True, kw_only=True):
    """The unsolicited lines by which a running update reports on itself, each as a regular expression.

    ``codes`` are the numbers that such lines state, judged by their ranges; the patterns are for lines that
    are words. ``progress`` has one group, percent; so has ``fetching``, of the download that the module does
    by itself, or it has none where a line only says that there is a download. ``failed`` may have one: the
    module's own word, which ``words`` explains. Success is only the module's word: the version that is read
    afterwards decides.
    ``installing``: lines of a module that has left its firmware for the update; a failure after one is not a
    refusal any more. By default ``started``. ``reboots_first``: so has every module that took the start
    command, since it reboots at once.
    A code that ``words`` does not have is looked up in the ``error_tables``.
    ``silence_s``: seconds without a line after which the module counts as stuck.
    """

    codes: tuple[Codes, ...] = ()
    started: tuple[Annotated[str, Pattern()], ...] = ()
    installing: tuple[Annotated[str, Pattern()], ...] | None = None
    reboots_first: bool = False
    progress: tuple[Annotated[str, Pattern(1)], ...] = ()
    fetching: tuple[Annotated[str, Pattern()], ...] = ()
    succeeded: tuple[Annotated[str, Pattern()], ...] = ()
    failed: tuple[Annotated[str, Pattern()], ...] = ()
    words: dict[str, str] = msgspec.field(default_factory=dict)
    error_tables: tuple[str, ...] = ()
    silence_s: float | None = None
    source: str

    def __post_init__(self) -> None:
        error_tables.require_known(self.error_tables)

    def percent(self, line: str) -> int | None:
        """Return the percentage that a line states, 0-100, or None."""
        for codes, number in self._numbers(line):
            if number <= 100 and is_within(number, codes.percent):
                return number
        matches = (re.search(pattern, line) for pattern in self.progress)
        return next((_percentage(match[1]) for match in matches if match), None)

    def fetched(self, line: str) -> int | None:
        """Return the downloaded share that a line states, in percent; 0 if it only says that it downloads."""
        for pattern in self.fetching:
            match = re.search(pattern, line)
            if match:
                return _percentage(match[1]) if match.re.groups else 0
        return None

    def failure(self, line: str) -> str | None:
        """Return the failure that a line states, in words, or None."""
        for codes, number in self._numbers(line):
            if is_within(number, codes.failure):
                words = codes.meaning(number) or self.code_words(str(number)) or UNEXPLAINED
                return f"{line}: {words}"
        for pattern in self.failed:
            match = re.search(pattern, line)
            if match:
                words = self.code_words(match[1] if match.re.groups and match[1] else "")
                return f"{line}: {words}" if words else line
        return None

    def code_words(self, code: str) -> str:
        """Return the words for a code; empty if there are none."""
        words = self.words.get(code, "")
        return words or (error_tables.meaning(self.error_tables, int(code)) if _is_number(code) else "")

    def is_permanent(self, line: str) -> bool:
        """True if a line states a failure that another try would meet again."""
        codes = (match[1] for pattern in self.failed if (match := _with_code(pattern, line)))
        return any(map(self.is_permanent_code, codes))

    def is_permanent_code(self, code: str) -> bool:
        """True if another try would meet the failure with this code again."""
        return _is_number(code) and error_tables.is_permanent(self.error_tables, int(code))

    def begun(self, line: str) -> bool:
        """True if the line says that the update itself has begun."""
        return any(re.search(pattern, line) for pattern in self.started)

    def success(self, line: str) -> bool:
        """True if the line says that the update succeeded."""
        if any(is_within(number, codes.success) for codes, number in self._numbers(line)):
            return True
        return any(re.search(pattern, line) for pattern in self.succeeded)

    def mismatch(self, line: str) -> bool:
        """True if the line says that the package is for another module or version."""
        return any(is_within(number, codes.mismatch) for codes, number in self._numbers(line))

    def shows_install(self, line: str) -> bool:
        """True if only a module that has left its firmware for the update prints the line."""
        patterns = self.started if self.installing is None else self.installing
        return any(re.search(pattern, line) for pattern in patterns)

    def _numbers(self, line: str) -> Iterator[tuple[Codes, int]]:
        for codes in self.codes:
            if (number := codes.number(line)) is not None:
                yield codes, number


class ReportingSpec(MethodSpec, frozen=True, kw_only=True):
    """Base of the specs of methods whose module reports on its update by unsolicited lines."""

    watch: Watch
