"""The folder of transcripts that jobs leave: its place, and what is removed from it."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import platformdirs

_DAY_S = 86_400.0
_MEGABYTE = 1_000_000


def kept_folder() -> Path:
    """Return the folder in which jobs that failed leave their transcripts."""
    return platformdirs.user_data_path("atota", appauthor=False) / "transcripts"


class _Kept(NamedTuple):
    at: float
    size: int
    path: Path


def prune(
    folder: Path, *, now: float, days: float, megabytes: float, present: Path | None = None
) -> list[Path]:
    """Remove transcripts that are too old, and the oldest of those that take too much room.

    A file that cannot be removed stays: a transcript is only told.

    Args:
        folder: the folder; nothing but its ``*.transcript`` files is looked at.
        now: seconds since the epoch.
        days: the age from which on a transcript is removed.
        megabytes: the room that all may take together.
        present: a transcript that stays in any case.

    Returns:
        The removed ones, the oldest first.
    """
    files = sorted(kept for kept in _files(folder) if kept.path != present)
    room = sum(kept.size for kept in files)
    removed = []
    for kept in files:
        if now - kept.at < days * _DAY_S and room <= megabytes * _MEGABYTE:
            break
        try:
            kept.path.unlink()
        except OSError:
            continue
        room -= kept.size
        removed.append(kept.path)
    return removed


def _files(folder: Path) -> Iterator[_Kept]:
    for path in folder.glob("*.transcript"):
        try:
            stat = path.stat()
        except OSError:  # another job has just removed it
            continue
        yield _Kept(stat.st_mtime, stat.st_size, path)
