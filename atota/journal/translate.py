"""Translate the errors of the database and the file system into atota's own."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from atota.errors import AtotaError, ConfigError, LimitReached
from atota.files import DISK_FULL

_ELSEWHERE = "or name another file with --journal FILE or ATOTA_JOURNAL"
_UNUSABLE = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_IOERR,
}
_NO_ROOM = 64 * 1024  # ours: what a write and its log may need at once


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Translate the errors of everything inside, about the journal at ``path``."""
    try:
        yield
    except sqlite3.Error as error:
        raise _of_database(error, path) from error
    except OSError as error:
        raise _of_system(error, path) from error
    except msgspec.MsgspecError as error:
        raise _damaged(path, str(error)) from error


def _of_database(error: sqlite3.Error, path: Path) -> AtotaError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE)
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE:
        return _full(path)
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LimitReached(
            f"another program holds the journal {path} and does not release it",
            hint="Look for an atota that hangs, or a program that has the journal open; then try again.",
        )
    if primary in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return _damaged(path, str(error))
    if primary == sqlite3.SQLITE_IOERR and _no_room(path):
        return _full(path)
    if primary in _UNUSABLE:
        return _unusable(path, str(error))
    return AtotaError(f"the journal {path} refused a statement: {error}")


def _of_system(error: OSError, path: Path) -> AtotaError:
    if error.errno in DISK_FULL:
        return _full(path)
    return _unusable(path, error.strerror or type(error).__name__)


def _full(path: Path) -> LimitReached:
    return LimitReached(
        f"the disk is full: nothing more can be written into the journal {path}",
        hint=f"Free some space, {_ELSEWHERE}. Everything in it is still there.",
    )


def _damaged(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{path} is not a journal, or it is damaged: {why}",
        hint=f"Move the file away and keep it, {_ELSEWHERE}; atota creates a new one.",
    )


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"the journal {path} cannot be used: {why}",
        hint=f"Check the folder and the permissions of the file, {_ELSEWHERE}.",
    )


def _no_room(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _NO_ROOM
    except OSError:
        return False
