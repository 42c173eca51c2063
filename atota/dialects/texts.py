"""The texts of a profile, by the roles that they play, and the commands that it sends."""

import functools
import re
import string
from collections.abc import Iterator
from typing import Annotated, Any, Generic, NamedTuple, TypeVar, get_args, get_origin

import msgspec

from atota.at.syntax import BootRule, UrcRule
from atota.dialects.common import Pattern, Role, Word

R = TypeVar("R", bound=Role)

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
