"""Typed documents: TOML files that people edit, and decoding that is safe for many lanes at once.

Every mistake in a file becomes a `ConfigError` that names its place.

The text of a mistake is always ``FILE: what is wrong``, for instance
``bench.toml: Object contains unknown field `timout_s` - at `$.serial```: a syntax error names line and
column, a wrong key or value its path (`msgspec` words both). The hint names the keys or words that are
known there.
"""

import errno
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from atota.errors import ConfigError
from atota.names import advice, near

T = TypeVar("T")
Hook = Callable[[type, Any], Any]

DISK_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""The errors of a file system whose disk, file or user's share is full."""

_LOCK = threading.RLock()
_PREPARED: set[Any] = set()

_NOT_UTF8_HINT = "Save the file as UTF-8 (Windows editors and `>` in PowerShell often write UTF-16)."


def load_toml(path: str | Path, into: type[T], *, hook: Hook | None = None) -> T:
    """Read the TOML file at ``path`` into ``into``.

    Errors name the file exactly as ``path`` is spelled. ``hook`` is as for `decode_toml`.

    Raises:
        ConfigError: it is missing, not a file, unreadable, not UTF-8, not TOML, or not of this shape.
    """
    name = str(path)
    return decode_toml(_read(Path(path), name), into, name=name, hook=hook)


def decode_toml(text: str | bytes, into: type[T], *, name: str, hook: Hook | None = None) -> T:
    """Read TOML ``text`` into ``into``; ``name`` is what errors call the file.

    ``hook`` is `msgspec`'s ``dec_hook`` for the types that it does not know: it gets the type and the value
    as TOML has it, and raises ``ValueError`` for a bad value; the error then carries the path.
    A byte-order mark at the start is passed over: TOML forbids it, Windows editors write it.

    Raises:
        ConfigError: it is not UTF-8, not TOML, or not of this shape.
    """
    if isinstance(text, bytes):
        text = _utf8(text, name)
    try:
        return msgspec.toml.decode(text.removeprefix("\ufeff"), type=prepared(into), dec_hook=hook)
    except RecursionError:
        raise ConfigError(f"{name}: Values are nested too deeply") from None
    except (msgspec.DecodeError, ValueError, OverflowError) as error:
        # ValueError: `tomllib` lets Python's own limit on the digits of an integer through.
        raise ConfigError(f"{name}: {error}", hint=shape_hint(str(error), into)) from error


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"{name}: No such file", hint="Check the spelling of the path.") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{name}: This is a directory", hint="Name the TOML file in it.") from error
    except PermissionError as error:
        # Windows answers "permission denied" for a directory too.
        if path.is_dir():
            raise ConfigError(f"{name}: This is a directory", hint="Name the TOML file in it.") from error
        raise ConfigError(f"{name}: Not readable for you", hint="Change the file's permissions.") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{name}: {error}", hint="Check the path.") from error


def _utf8(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{name}: Not UTF-8 (at line {line})", hint=_NOT_UTF8_HINT) from error


_PLACED = re.compile(r"(?P<what>.*?)(?: - at `(?:key in )?\$?(?P<path>[^`]*)`)?", re.DOTALL)
_UNKNOWN_KEY = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_UNKNOWN_WORD = re.compile(r"Invalid (?:enum )?value '(.*)'", re.DOTALL)


def shape_hint(mistake: str, kind: Any) -> str | None:
    """Return the hint for a key or a word that ``kind`` does not know: near ones, then all known ones.

    Args:
        mistake: the text of `msgspec`'s error, with its place.
        kind: the type of the whole document.

    Returns:
        None for any other mistake.
    """
    placed = _PLACED.fullmatch(mistake)
    what, path = (placed["what"], placed["path"] or "") if placed is not None else (mistake, "")
    key, word = _UNKNOWN_KEY.fullmatch(what), _UNKNOWN_WORD.fullmatch(what)
    if key is None and word is None:
        return None
    root = _members(inspect.type_info(kind))
    if key is None:
        assert word is not None
        words = list(dict.fromkeys(_words(root, _steps(path))))
        return advice(word[1], words, known="Allowed") if words else None
    names = list(dict.fromkeys(name for name, _ in _fields(_inside(root, _steps(path)))))
    elsewhere = [] if near(key[1], names) else _paths(root, key[1])
    if elsewhere:
        return f"Did you mean `{elsewhere[0]}`? Known keys here: {', '.join(names)}."
    return advice(key[1], names, known="Known keys")


def _steps(path: str) -> list[str]:
    """Return the parts of a place such as ``$.task[0].package``; an index, and a table's key, is ``[]``."""
    return [name or "[]" for name in re.findall(r"\.([^.\[\]]+)|\[[^\]]*\]", path)]


def _members(info: inspect.Type) -> list[inspect.Type]:
    return list(info.types) if isinstance(info, inspect.UnionType) else [info]


def _fields(types: Sequence[inspect.Type]) -> Iterator[tuple[str, inspect.Type]]:
    for info in types:
        if isinstance(info, inspect.StructType):
            yield from ((field.encode_name, field.type) for field in info.fields)


def _inside(types: Sequence[inspect.Type], steps: Sequence[str]) -> list[inspect.Type]:
    """Return the types that may stand at a place."""
    for step in steps:
        members = [member for name, info in _fields(types) if name == step for member in _members(info)]
        for info in types:
            if isinstance(info, inspect.DictType):
                members += _members(info.value_type)
            elif isinstance(info, inspect.VarTupleType | inspect.ListType):
                members += _members(info.item_type)
        types = members
    return list(types)


def _words(root: Sequence[inspect.Type], steps: Sequence[str]) -> Iterator[str]:
    """Yield the words that are allowed at a place: of a list of words, or the tags of a table's kinds."""
    for info in _inside(root, steps):
        if isinstance(info, inspect.LiteralType):
            yield from map(str, info.values)
    for info in _inside(root, steps[:-1]):
        if isinstance(info, inspect.StructType) and steps and info.tag_field == steps[-1]:
            yield str(info.tag)


def _paths(types: Sequence[inspect.Type], key: str, depth: int = 4) -> list[str]:
    """Return the paths below that lead to a key of this name, the shortest first."""
    fields = dict(_fields(types))
    paths = [key] if key in fields else []
    for name, info in fields.items() if depth else ():
        paths += [f"{name}.{path}" for path in _paths(_members(info), key, depth - 1)]
    return sorted(paths, key=lambda path: path.count("."))


def prepared(kind: type[T]) -> type[T]:
    """Return ``kind`` once `msgspec` has analysed it; from then on any thread may decode into it.

    `msgspec` analyses a type at its first use, and crashes the process if two threads do that to the same
    type at the same time (seen with 0.22.0 when five lanes read the catalogue together). So the first use
    of each type happens under a lock.
    """
    if kind not in _PREPARED:
        with _LOCK:
            msgspec.json.Decoder(kind)
            _PREPARED.add(kind)
    return kind
