"""A folder for journals that forgets everything quickly, and a journal in it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from atota.clock import SimulatedClock
from atota.journal.store import Journal

_RAM = Path("/dev/shm")


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder, in memory where there is such a thing: these tests write a lot."""
    with tempfile.TemporaryDirectory(dir=_RAM if _RAM.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
def path(folder: Path) -> Path:
    """Where a journal may be made."""
    return folder / "new" / "journal.sqlite3"


@pytest.fixture
def clock() -> SimulatedClock:
    """Time that passes when it is told to."""
    return SimulatedClock()


@pytest.fixture
def journal(path: Path, clock: SimulatedClock) -> Iterator[Journal]:
    """An empty journal."""
    with Journal(path, clock=clock) as opened:
        yield opened
