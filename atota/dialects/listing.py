"""All dialects that can be named: the built-in ones and the user's own."""

import msgspec

from atota.dialects import loader
from atota.errors import ConfigError


class Entry(msgspec.Struct, frozen=True):
    """One dialect. ``where`` is its file, or ``built-in``; ``wrong`` says why it does not load."""

    name: str
    where: str
    title: str = ""
    extends: str | None = None
    method: str = "none"
    hardware: str = "not seen"
    wrong: str | None = None


def listed() -> list[Entry]:
    """Every dialect, the built-in ones first."""
    places = {
        **dict.fromkeys(loader.names(), "built-in"),
        **{n: str(p) for n, p in loader.own_files().items()},
    }
    return [_entry(name, where) for name, where in places.items()]


def _entry(name: str, where: str) -> Entry:
    try:
        dialect = loader.load(name)
    except ConfigError as error:
        return Entry(name, where, wrong=error.message)
    method = dialect.method.kind if dialect.method is not None else "none"
    return Entry(name, where, dialect.title, dialect.extends, method, dialect.hardware)
