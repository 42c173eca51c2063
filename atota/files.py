"""Typed documents: TOML files that people edit, and decoding that is safe for many lanes at once.

Every mistake in a file becomes a `ConfigError` that names its place.

The text of a mistake is always ``FILE: what is wrong``, for instance
``bench.toml: Object contains unknown field `timout_s` - at `$.serial```: a syntax error names line and
column, a wrong key or value its path (`msgspec` words both).
"""

import errno
import re
import threading
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec

from atota.errors import ConfigError

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
        raise ConfigError(f"{name}: {error}", hint=_near_key(str(error), into)) from error


_UNKNOWN = re.compile(r"unknown field `([^`]*)`")


def _near_key(problem: str, into: Any) -> str | None:
    """Return a hint that names the keys near to the unknown one; None without one."""
    match = _UNKNOWN.search(problem)
    near = get_close_matches(match[1], sorted(_keys(into)), 2) if match is not None else []
    return f"Did you mean {' or '.join(f'`{key}`' for key in near)}?" if near else None


def _keys(kind: Any, seen: frozenset[Any] = frozenset()) -> set[str]:
    """Return the keys of a document's tables, in any depth."""
    keys: set[str] = set()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind not in seen:
        for field in msgspec.structs.fields(kind):
            keys |= {field.encode_name} | _keys(field.type, seen | {kind})
    for inner in get_args(kind):
        keys |= _keys(inner, seen)
    return keys


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
