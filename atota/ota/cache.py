"""The package cache: by content, fetched once, resumable, whole or not at all.

A package ``MD5-SIZE`` has four files: ``.pkg`` (whole and verified), ``.part`` (growing),
``.json`` (the length of the good part, and its digest), ``.lock``. The lock is the operating
system's: it goes with its owner, so a killed owner never leaves a stale one. An owner that
is alive but does not make progress is waited for no longer than `STALE_S`.
"""

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec
import platformdirs

from atota.clock import Clock, Deadline, StopToken
from atota.errors import AtotaError, ConfigError, LimitReached, PackageError
from atota.files import DISK_FULL, prepared
from atota.locks import lock, unlock
from atota.ota.base import OnWait
from atota.ota.package import CHUNK, Hasher, digests_of
from atota.ota.waiting import wait
from atota.values import Digests

STALE_S = 600.0  # ours: a live download is cut by its own time limits long before
SAVE_EVERY = 256 * 1024  # ours: what a power cut may cost
_POLL_S = 0.1


class ThreadLocks:
    """The lock files that threads of this process hold, because NFS locks whole processes.

    All caches of one process that may share a folder have one of these.
    """

    def __init__(self) -> None:
        self._paths: set[Path] = set()
        self._guard = threading.Lock()

    def take(self, path: Path, lock_file: Callable[[], bool]) -> bool:
        """Take a lock file if no thread holds it and ``lock_file`` gets the operating system's lock."""
        with self._guard:
            if path in self._paths or not lock_file():
                return False
            self._paths.add(path)
            return True

    def release(self, path: Path) -> None:
        """Release a lock file for the other threads."""
        with self._guard:
            self._paths.discard(path)


PROCESS_LOCKS = ThreadLocks()
"""The locks of caches that are not given their own."""


def disk_error(error: OSError, folder: Path) -> AtotaError:
    """The error for a cache folder that cannot be used."""
    if error.errno in DISK_FULL:
        return LimitReached(
            f"the disk is full: the package does not fit into {folder}",
            hint="Free some space, or choose another cache folder.",
        )
    return ConfigError(
        f"the cache folder {folder} cannot be used: {error.strerror or type(error).__name__}",
        hint="Check its permissions, or choose another cache folder.",
    )


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """Translate errors of the file system. Wrap file operations only, never a callback."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, folder) from None


class Cache:
    """A folder of packages.

    Args:
        folder: the folder; None is the user's cache folder of this operating system.
        locks: shared with other caches of the same folder.
    """

    def __init__(self, folder: Path | None = None, locks: ThreadLocks = PROCESS_LOCKS) -> None:
        self.folder = folder or platformdirs.user_cache_path("atota") / "packages"
        self._locks = locks

    def entry(self, md5: str, size: int) -> "Entry":
        """Return the entry of one package; makes the folder.

        Raises:
            ConfigError: the folder cannot be made.
        """
        with _disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        return Entry(self.folder, md5, size, self._locks)

    def packages(self) -> list["Cached"]:
        """Return what lies in the folder, the newest first.

        Raises:
            ConfigError: the folder cannot be read.
        """
        with _disk(self.folder):
            packages = [one for one in map(_cached, self.folder.glob("*-*.*")) if one is not None]
        return sorted(packages, key=lambda one: one.at, reverse=True)

    def remove(self, package: "Cached") -> bool:
        """Remove a package, and what belongs to it; False if another lane or program holds it.

        Its lock stays: removed, it could be held twice.

        Raises:
            ConfigError: its files cannot be removed.
        """
        entry = Entry(self.folder, package.md5, package.size, self._locks)
        with _disk(self.folder), entry.lock_path.open("ab") as file:
            if not self._locks.take(entry.lock_path, lambda: lock(file)):
                return False
            try:
                for path in (entry.path, entry.part_path, entry.state_path):
                    path.unlink(missing_ok=True)
            finally:
                unlock(file)
                self._locks.release(entry.lock_path)
        return True


class Cached(msgspec.Struct, frozen=True, kw_only=True):
    """A package in the cache. ``done``: bytes so far; ``at``: its last change, seconds since the epoch."""

    md5: str
    size: int
    done: int
    at: float
    path: str

    @property
    def is_whole(self) -> bool:
        """True if all of it is there."""
        return self.path.endswith(".pkg")


def _cached(path: Path) -> Cached | None:
    match = re.fullmatch(r"([0-9a-f]{32})-(\d+)\.(?:pkg|part)", path.name)
    try:
        stat = path.stat()
    except OSError:  # it has just become whole, or was removed
        return None
    if match is None:
        return None
    return Cached(md5=match[1], size=int(match[2]), done=stat.st_size, at=stat.st_mtime, path=str(path))


class _State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of the ``.json`` file: the first ``done`` bytes of the part have this digest."""

    done: int
    sha256: str


class Entry:
    """One package in the cache."""

    def __init__(self, folder: Path, md5: str, size: int, locks: ThreadLocks) -> None:
        self._locks = locks
        self.folder = folder
        self.md5 = md5
        self.size = size
        stem = f"{md5}-{size}"
        self.path = folder / f"{stem}.pkg"
        self.part_path = folder / f"{stem}.part"
        self.state_path = folder / f"{stem}.json"
        self.lock_path = folder / f"{stem}.lock"

    def verified(self) -> Digests | None:
        """Return the digests of the whole package, or None; a wrong package is removed."""
        if not self.path.exists():
            return None
        digests = digests_of(self.path)
        if digests.size == self.size and digests.md5 == self.md5:
            return digests
        with _disk(self.folder):
            self.path.unlink(missing_ok=True)
        return None

    @contextmanager
    def held(
        self, clock: Clock, stop: StopToken | None = None, on_wait: OnWait | None = None
    ) -> Iterator[None]:
        """Hold the package; wait while another lane or process fetches it.

        Raises:
            LimitReached: the other one has made no progress for `STALE_S`.
        """
        with _disk(self.folder):
            file = self.lock_path.open("ab")
        with file:
            self._acquire(file, clock, stop, on_wait)
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # closing the file releases it in any case
                    unlock(file)
                self._locks.release(self.lock_path)

    def _acquire(self, file: IO[bytes], clock: Clock, stop: StopToken | None, on_wait: OnWait | None) -> None:
        is_announced = False
        size = self._part_size()
        deadline = Deadline(clock, STALE_S)
        while not self._try(file):
            if not is_announced and on_wait is not None:
                on_wait("another lane or program is fetching the same package", STALE_S)
            is_announced = True
            wait(clock, _POLL_S, stop)
            if self._part_size() != size:
                size = self._part_size()
                deadline = Deadline(clock, STALE_S)
            if deadline.expired:
                raise LimitReached(
                    f"another program holds the package {self.path.name} and makes no progress",
                    hint=f"Look for another atota that hangs; it holds {self.lock_path}.",
                )

    def _try(self, file: IO[bytes]) -> bool:
        """Take the lock if it is free."""

        def lock_file() -> bool:
            with _disk(self.folder):
                return lock(file)

        return self._locks.take(self.lock_path, lock_file)

    def _part_size(self) -> int:
        try:
            return self.part_path.stat().st_size
        except OSError:
            return -1


class PartFile:
    """The growing part of an entry, hashed as it grows; the bytes of an earlier run are hashed again first.

    Use as a context manager, with the entry held. Leaving it, for any reason, saves the length
    of the good part.
    """

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._hasher = Hasher()
        self._saved = 0
        self._file: IO[bytes] | None = None

    @property
    def done(self) -> int:
        """The number of good bytes."""
        return self._hasher.size

    def __enter__(self) -> Self:
        with _disk(self._entry.folder):
            self._file = self._entry.part_path.open("r+b" if self._entry.part_path.exists() else "w+b")
            try:
                self._resume()
            except BaseException:
                self._file.close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        try:
            with _disk(self._entry.folder):
                self._save()
        except AtotaError:
            if error is None:
                raise
        finally:
            file, self._file = self._file, None
            with contextlib.suppress(OSError):  # the disk is full, which is reported already
                file.close()

    def take(self, data: bytes) -> None:
        """Append ``data``."""
        with _disk(self._entry.folder):
            self._open.write(data)
            self._hasher.update(data)
            if self.done - self._saved >= SAVE_EVERY:
                self._save()

    def rewind(self, to: int) -> None:
        """Drop everything from byte ``to`` on."""
        if to == self.done:
            return
        with _disk(self._entry.folder):
            self._rehash(to)
            self._save()

    def finish(self) -> bool:
        """Make the part the package, if it is the right one; if not, drop it. Returns True if it is."""
        digests = self._hasher.digests()
        if digests.md5 != self._entry.md5 or digests.size != self._entry.size:
            self.rewind(0)
            return False
        with _disk(self._entry.folder):
            self._open.flush()
            os.fsync(self._open.fileno())
            self._open.close()
            self._file = None
            self._entry.part_path.replace(self._entry.path)
            self._entry.state_path.unlink(missing_ok=True)
        return True

    @property
    def md5(self) -> str:
        """The MD5 of the good bytes."""
        return self._hasher.digests().md5

    @property
    def _open(self) -> IO[bytes]:
        if self._file is None:
            raise PackageError("the package file is closed already", hint=AtotaError.default_hint)
        return self._file

    def _resume(self) -> None:
        state = self._state()
        size = self._open.seek(0, os.SEEK_END)
        good = state is not None and 0 < state.done <= min(size, self._entry.size)
        if state is None or not good:
            self._rehash(0)
            return
        self._rehash(state.done)
        if self._hasher.digests().sha256 != state.sha256:
            self._rehash(0)

    def _rehash(self, to: int) -> None:
        """Cut the part at ``to`` and hash the rest."""
        self._hasher = Hasher()
        self._open.flush()
        self._open.truncate(to)
        self._open.seek(0)
        while chunk := self._open.read(CHUNK):
            self._hasher.update(chunk)
        self._open.seek(0, os.SEEK_END)

    def _state(self) -> _State | None:
        try:
            return msgspec.json.decode(self._entry.state_path.read_bytes(), type=prepared(_State))
        except (FileNotFoundError, msgspec.MsgspecError, RecursionError):
            return None

    def _save(self) -> None:
        """Save the length of the good part. A later run trusts its digest only, so no fsync is needed."""
        self._open.flush()
        state = _State(done=self.done, sha256=self._hasher.digests().sha256)
        fresh = self._entry.state_path.with_suffix(".tmp")
        fresh.write_bytes(msgspec.json.encode(state))
        fresh.replace(self._entry.state_path)
        self._saved = self.done
