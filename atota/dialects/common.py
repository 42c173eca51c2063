"""The parts that profiles are made of, whatever the method, and the roles that their texts play.

A text is a command with placeholders, a regular expression, or a word that is compared letter for letter. A
field says which by its annotation, ``Annotated[str, Command("offset length")]``; `atota.dialects.checks`,
the reviews and the tests read the roles with `atota.dialects.texts` and never name a type.
"""

import itertools
import re
from collections.abc import Iterator
from typing import Annotated, ClassVar

import msgspec

from atota.at.params import whole_number
from atota.dialects import error_tables
from atota.dialects.ranges import bounds, is_within


class Command(msgspec.Struct, frozen=True):
    """The role of a command.

    ``filled`` names the placeholders that are filled in; ``?`` before one: it may be missing. A form that
    only asks must end in ``ends``. ``bare``: the command's name, of which `MethodSpec.sends` makes commands.
    """

    filled: str = ""
    ends: str = ""
    bare: bool = False

    @property
    def required(self) -> tuple[str, ...]:
        """The placeholders that must occur."""
        return tuple(name for name in self.filled.split() if not name.startswith("?"))

    @property
    def possible(self) -> tuple[str, ...]:
        """The placeholders that may occur."""
        return tuple(name.removeprefix("?") for name in self.filled.split())


class Pattern(msgspec.Struct, frozen=True):
    """The role of a regular expression that needs at least ``groups`` groups."""

    groups: int = 0


class Word(msgspec.Struct, frozen=True):
    """The role of a text that the module prints letter for letter."""


class Range(msgspec.Struct, frozen=True):
    """The role of a range of numbers (`atota.dialects.ranges`)."""


Role = Command | Pattern | Word | Range

TestForm = Annotated[str, Command(ends="=?")]
"""A command that asks whether the module has another one; harmless by V.250."""
ReadForm = Annotated[str, Command(ends="?")]
"""A command that only reads."""


def pattern_problem(text: str | bytes) -> str | None:
    """Return the reason why ``text`` is not a regular expression, or None if it is one."""
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        return f"{text[:200]!r} is not a regular expression: {error}"
    return None


def first_group(pattern: str, lines: tuple[str, ...]) -> str | None:
    """Return the text of the first group of ``pattern`` in a response, or None."""
    match = re.search(pattern, "\n".join(lines), re.MULTILINE)
    return match[1].strip() if match and match[1] is not None else None


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


class Profiled(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all parts of a profile: unknown keys are errors."""


class Ask(Profiled, frozen=True, kw_only=True):
    """A harmless command, and the regular expression whose first group is the value in its response."""

    send: Annotated[str, Command()]
    pattern: Annotated[str, Pattern(1)]

    def find(self, lines: tuple[str, ...]) -> str | None:
        """Return the value in the response, or None."""
        return first_group(self.pattern, lines)


class Slot(Profiled, frozen=True, kw_only=True):
    """The room for a package in a module, as a document has it."""

    bytes: int
    source: str


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
    A code that ``words`` does not have is looked up in the ``error_tables``.
    ``installing``: lines of a module that has left its firmware for the update; a failure after one is not a
    refusal any more. By default ``started``. ``reboots_first``: so has every module that took the start
    command, since it reboots at once.
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
                words = codes.meaning(number) or self.code_words(str(number))
                return f"{line}: {words}" if words else line
        for pattern in self.failed:
            match = re.search(pattern, line)
            if match:
                words = self.code_words(match[1] if match.re.groups and match[1] else "")
                return f"{line}: {words}" if words else line
        return None

    def code_words(self, code: str) -> str:
        """Return the words for a code; empty if there are none."""
        words = self.words.get(code, "")
        if words or not _is_number(code):
            return words
        known = (codes.meaning(int(code)) for codes in self.codes)
        return next(filter(None, known), "") or error_tables.meaning(self.error_tables, int(code))

    def is_permanent(self, line: str) -> bool:
        """True if a line states a failure that another try would meet again."""
        stated = [match[1] for pattern in self.failed if (match := _with_code(pattern, line))]
        stated += [str(number) for codes, number in self._numbers(line) if is_within(number, codes.failure)]
        return any(map(self.is_permanent_code, stated))

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


class WirePlan(msgspec.Struct, frozen=True, kw_only=True):
    """The pieces into which a method cuts a package, and the bytes on the wire for each.

    For each ``piece`` bytes of the package ``line`` bytes of a command are sent, which an echo doubles, then
    ``data`` raw bytes; ``down`` bytes come back, in ``turns`` responses. ``pause_s`` is the least time of a
    piece. ``is_hex``: the package is sent as hex digits.
    """

    piece: int
    line: int = 0
    data: int = 0
    down: int = 0
    turns: int = 1
    pause_s: float = 0.0
    is_hex: bool = False


OK_BYTES = len(b"\r\nOK\r\n")
LINE_END = len(b"\r\n")


class MethodSpec(Profiled, frozen=True, kw_only=True, tag_field="kind"):
    """Base of the method specs: the ``[method]`` table of a profile, and the facts that hold for the method.

    A spec is a tagged struct. Its tag is the method's name everywhere: in profiles, in the catalogue, and,
    with underscores, as the module in `atota.fota` with the code. The flags below are asked wherever the
    program has to tell methods apart.

    Attributes:
        code: ``package.module:Class`` with the code of a method from another package; empty for those of
            `atota.fota`.
        streams: this machine sends the package over the wire.
        needs_address: the module fetches the package from an address that it is given.
        can_start_before_activate: the module starts the update by itself once it has, or believes that it
            has, the whole package.
        starts_itself: the start is out of our hands from `prepare` on: the platform starts the update.
        networked: the update needs the module's own network connection.
        refused_magic: first bytes of files for other tools, with the reason for which they are refused.
        slot: the room for a package, where it is documented.
    """

    code: ClassVar[str] = ""
    streams: ClassVar[bool] = True
    needs_address: ClassVar[bool] = False
    can_start_before_activate: ClassVar[bool] = False
    starts_itself: ClassVar[bool] = False
    networked: ClassVar[bool] = False

    source: str
    refused_magic: dict[str, str] = msgspec.field(default_factory=dict)
    slot: Slot | None = None

    @classmethod
    def method_name(cls) -> str:
        """Return the method's name, as profiles and the catalogue have it."""
        return str(cls.__struct_config__.tag)

    @classmethod
    def code_path(cls) -> str:
        """Return ``package.module:Class`` of the code; the module is named as the method."""
        module = cls.method_name().replace("-", "_")
        return cls.code or f"atota.fota.{module}:{cls.__name__.removesuffix('Spec')}"

    @property
    def kind(self) -> str:
        """The method's name."""
        return self.method_name()

    @property
    def watches(self) -> "tuple[Watch, ...]":
        """The lines by which the module reports on its update, if the method has any."""
        return ()

    @property
    def validates(self) -> bool:
        """True if the slot is validated before the start, not in the boot after it."""
        return False

    def sends(self) -> Iterator[tuple[str, str]]:
        """Yield ``(path below the spec, text)`` of commands that no field holds as they are sent."""
        yield from ()

    def mistakes(self, line_limit: int) -> Iterator[tuple[str, str]]:
        """Yield ``(path below the spec, what is wrong)`` for values that do not fit each other.

        Args:
            line_limit: characters that a command line of this module may have.
        """
        del line_limit
        yield from ()

    def wire_plan(self, baud: int, size: int) -> WirePlan | None:
        """Return how ``size`` bytes are cut at ``baud``; None if this machine does not send the package."""
        del baud, size
        return None


class ReportingSpec(MethodSpec, frozen=True, kw_only=True):
    """Base of the specs of methods whose module reports on its update by unsolicited lines."""

    watch: Watch

    @property
    def watches(self) -> tuple[Watch, ...]:
        """The lines by which the module reports on its update."""
        return (self.watch,)
