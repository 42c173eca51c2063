"""The parts that profiles are made of, whatever the method, and the roles that their texts play.

A text is a command with placeholders, a regular expression, or a word that is compared letter for letter. A
field says which by its annotation, ``Annotated[str, Command("offset length")]``; `atota.dialects.checks`,
the reviews and the tests read the roles with `texts` and never name a type.
"""

import functools
import re
import string
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Generic, NamedTuple, Self, TypeVar, get_args, get_origin

import msgspec

from atota.at.syntax import BootRule, UrcRule


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
R = TypeVar("R", bound=Role)

TestForm = Annotated[str, Command(ends="=?")]
"""A command that asks whether the module has another one; harmless by V.250."""
ReadForm = Annotated[str, Command(ends="?")]
"""A command that only reads."""

_GRAMMAR: dict[type, dict[str, Role]] = {
    UrcRule: {
        "solicited": Pattern(),
        "prefix": Word(),
        "suffix": Word(),
        "exact": Word(),
        "pattern": Pattern(),
    },
    BootRule: {"lines": Pattern(), "cause": Pattern(1)},
}
"""The roles in the structs of `atota.at`, which knows no profiles."""


class Text(NamedTuple, Generic[R]):
    """One text of a profile: its path, itself, its role, the part that it belongs to, and its source's id."""

    path: str
    value: str
    role: R
    part: msgspec.Struct
    source: str | None


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

    def with_block(self, block: int) -> Self:  # noqa: ARG002 - not every method cuts the package
        """Return the method with ``block`` as the length of its blocks, where it has such a length."""
        return self

    @property
    def store_s(self) -> float:
        """The usual time in seconds that the module takes to store a piece, beyond that of any response."""
        return 0.0

    @property
    def validates(self) -> bool:
        """True if the slot is validated before the start, not in the boot after it."""
        return False

    @property
    def longest_block(self) -> int | None:
        """The longest block that the user may choose, in bytes; None if the package is not cut."""
        return None

    @property
    def reads_back(self) -> bool:
        """True if the module can be asked for the bytes that were written."""
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


class Send(msgspec.Struct, frozen=True):
    """A command that a profile sends: its path, its text with placeholders, and the id of its source."""

    path: str
    text: str
    source: str | None

    def matches(self, line: str) -> bool:
        """True if a command line can be this command with its placeholders filled in."""
        pieces = string.Formatter().parse(self.text)
        pattern = "".join(re.escape(text) + (".+" if field is not None else "") for text, field, *_ in pieces)
        return re.fullmatch(pattern, line, re.DOTALL) is not None


def parts(value: Any, path: str = "$", source: str | None = None) -> Iterator[tuple[str, Any, str | None]]:
    """Yield every struct in a profile, outermost first: its path, itself, and the id of its source."""
    if isinstance(value, msgspec.Struct):
        source = getattr(value, "source", source)
        yield path, value, source
        # `msgspec.structs.fields` works the annotations out each time: most of the time of a check.
        for name, key in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
            yield from parts(getattr(value, name), f"{path}.{key}", source)
    elif isinstance(value, tuple):
        for index, entry in enumerate(value):
            yield from parts(entry, f"{path}[{index}]", source)


@functools.cache
def roles(kind: type[msgspec.Struct]) -> dict[str, Role]:
    """Return the roles of a part's texts, by field."""
    annotated = {field.name: _role(field.type) for field in msgspec.structs.fields(kind)}
    return _GRAMMAR.get(kind, {}) | {name: role for name, role in annotated.items() if role is not None}


def _role(annotation: Any) -> Role | None:
    if get_origin(annotation) is Annotated:
        return next((one for one in annotation.__metadata__ if isinstance(one, Role)), None)
    return next((role for inner in get_args(annotation) if (role := _role(inner)) is not None), None)


def texts(value: Any, kind: type[R], path: str = "$") -> Iterator[Text[R]]:
    """Yield every text of a profile, or of a part of one, that plays the role ``kind``."""
    for where, part, source in parts(value, path):
        kind_of_part: type[msgspec.Struct] = type(part)
        for field, role in roles(kind_of_part).items():
            if isinstance(role, kind):
                for inner, text in _texts_of(getattr(part, field), f"{where}.{field}"):
                    yield Text(inner, text, role, part, source)


def _texts_of(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, tuple):
        for index, entry in enumerate(value):
            yield from _texts_of(entry, f"{path}[{index}]")
