"""What the texts of a profile are: commands with placeholders, regular expressions, plain words.

The tables here say it once for every part of `atota.dialects.model`; `atota.dialects.checks` judges by them,
and `sends` lists every command that a profile can send.
"""

import re
import string
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from atota.at.syntax import BootRule, UrcRule
from atota.dialects import model, streams
from atota.dialects.parts import Ask, Watch

COMMANDS: Final[dict[type, dict[str, str]]] = {
    model.Query: {"send": ""},
    model.Step: {"send": "", "undo": "", "ask": ""},
    model.RaiseBaud: {"command": "baud ?fallback_s"},
    model.Nfwupd: {"command": ""},
    Ask: {"send": ""},
    streams.FileAppend: {
        "test": "",
        "begin": "",
        "end": "",
        "write": "mode length ?window_ms",
        "read": "length offset",
        "delete": "",
        "start": "",
        "clear": "",
    },
    streams.FlashWrite: {"erase": "blocks", "write": "length offset ?window_s", "start": "?size ?md5"},
    streams.RawStream: {"test": "", "open": "size", "start": ""},
    streams.AckUpload: {"test": "", "delete": "", "open": "size", "start": ""},
    streams.PushedStream: {"test": "", "open": "size"},
    streams.UrlPull: {"test": "", "start": "url"},
    streams.Watched: {"log_out": ""},
    streams.Watched.Step: {"send": ""},
    streams.XmodemUpload: {"open": "", "start": ""},
}
"""Fields that are commands, and the placeholders that are filled in; ``?``: it may be missing."""

PATTERNS: Final[dict[type, dict[str, int]]] = {
    model.Recognise: {"manufacturer": 0, "model": 0, "version": 0},
    model.Query: {"pattern": 1},
    model.Step: {"when": 0},
    UrcRule: {"solicited": 0},
    BootRule: {"lines": 0, "cause": 1},
    Ask: {"pattern": 1},
    Watch: {"started": 0, "progress": 1, "fetching": 0, "succeeded": 0, "failed": 0},
    streams.FileAppend: {"read_header": 1},
    streams.AckUpload: {"done": 2},
    streams.PushedStream: {"ready": 0, "ended": 0},
    streams.Watched: {"event": 1},
    streams.Watched.Step: {"until": 0},
}
"""Fields that are regular expressions, and how many groups each needs."""

WORDS: Final[dict[type, tuple[str, ...]]] = {
    model.Nfwupd: ("answer", "valid", "not_yet"),
    streams.FileAppend: ("ready",),
    streams.FlashWrite: ("prompt",),
    streams.RawStream: ("prompt", "ready"),
    streams.AckUpload: ("ready", "ack"),
    streams.XmodemUpload: ("ready",),
    UrcRule: ("prefix", "suffix", "exact"),
}
"""Fields that are what the module says, letter for letter."""

_NFWUPD_CODES: Final = {0: "erase", 1: "download", 2: "validate", 5: "start"}
"""What the method sends of AT+NFWUPD (M5310-A AT command manual, +NFWUPD)."""


class Send(msgspec.Struct, frozen=True):
    """A command that a profile sends: where it stands, its text with placeholders, and its source's id."""

    path: str
    text: str
    source: str | None

    def matches(self, line: str) -> bool:
        """Whether a command line could be this command with its placeholders filled."""
        pieces = string.Formatter().parse(self.text)
        wanted = "".join(re.escape(text) + (".+" if field is not None else "") for text, field, *_ in pieces)
        return re.fullmatch(wanted, line, re.DOTALL) is not None


def parts(value: Any, path: str = "$", source: str | None = None) -> Iterator[tuple[str, Any, str | None]]:
    """Every struct in a profile, outermost first: its path, itself, and the source id that holds for it."""
    if isinstance(value, msgspec.Struct):
        source = getattr(value, "source", source)
        yield path, value, source
        # `msgspec.structs.fields` works the annotations out each time: most of the time of a check.
        for name, key in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
            yield from parts(getattr(value, name), f"{path}.{key}", source)
    elif isinstance(value, tuple):
        for index, entry in enumerate(value):
            yield from parts(entry, f"{path}[{index}]", source)


def texts(part: Any, field: str, path: str) -> Iterator[tuple[str, str]]:
    """The text or texts of a part's field, with their paths."""
    value = getattr(part, field)
    if isinstance(value, str):
        yield f"{path}.{field}", value
    elif isinstance(value, tuple):
        yield from ((f"{path}.{field}[{index}]", text) for index, text in enumerate(value))


def sends(dialect: model.Dialect) -> list[Send]:
    """Every command that the profile sends, in the order of its parts."""
    found = [Send(f"$.setup[{index}]", text, None) for index, text in enumerate(dialect.setup)]
    for path, part, source in parts(dialect):
        if isinstance(part, model.Nfwupd):
            found += _hex_blocks(part, path)
            continue
        for field in COMMANDS.get(type(part), {}):
            found += [Send(where, text, source) for where, text in texts(part, field, path)]
    return found


def _hex_blocks(method: model.Nfwupd, path: str) -> Iterator[Send]:
    yield Send(f"{path}.command (test)", f"{method.command}=?", method.source)
    for code, name in _NFWUPD_CODES.items():
        fields = ",{number},{length},{data},{checksum}" if name == "download" else ""
        yield Send(f"{path}.command ({name})", f"{method.command}={code}{fields}", method.source)
