"""The processes that write into a journal: each holds a lock that ends with its process."""

import contextlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO

from atota.locks import lock


class Owners:
    """The owners of one journal: a folder with a locked file for each of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None

    def enter(self) -> str:
        """Become an owner: hold a lock until `leave`, or until this process ends."""
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            owner = uuid.uuid4().hex
            path = self._path(owner)
            file = path.open("xb")
            # Another process may have tidied the file away as a dead owner's before it was locked.
            if lock(file) and _still(file, path):
                self._file = file
                return owner
            file.close()

    def leave(self) -> None:
        """Release the lock; jobs that are still open belong to a dead owner from now on."""
        if self._file is not None:
            self._file.close()
            with contextlib.suppress(OSError):
                Path(self._file.name).unlink()
            self._file = None

    def alive(self, owner: str) -> bool:
        """True if the owning process is alive, or if that cannot be determined."""
        try:
            with self._path(owner).open("rb") as file:
                return not lock(file)
        except FileNotFoundError:
            return False
        except OSError:
            return True

    def tidy(self) -> None:
        """Remove the files of dead owners; an owner without a file counts as dead, too."""
        for path in self._folder.glob("*.lock"):
            with contextlib.suppress(OSError), path.open("rb") as file:
                if lock(file):
                    path.unlink()

    def _path(self, owner: str) -> Path:
        return self._folder / f"{owner}.lock"


class GivenOwners:
    """Owners whose life the caller decides, for simulations.

    Args:
        alive: True if an owner still runs.
        name: the name of this one; random if not given.
    """

    def __init__(self, alive: Callable[[str], bool], name: str | None) -> None:
        self.alive = alive
        self._name = name or uuid.uuid4().hex

    def enter(self) -> str:
        """Become an owner."""
        return self._name

    def leave(self) -> None:
        """Do nothing: the caller knows."""

    def tidy(self) -> None:
        """Do nothing: there are no files."""


def _still(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False
