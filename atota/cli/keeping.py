"""What a job leaves behind on this machine: its record in the journal, and its transcript if it failed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from atota.cli.call import Call
from atota.clock import SystemClock

if TYPE_CHECKING:
    from atota.journal.store import Journal
    from atota.update.events import JobResult


@contextmanager
def opened_journal(call: Call) -> Iterator["Journal"]:
    """The journal that the settings name, ready to be written.

    Raises:
        ConfigError: it cannot be used.
        LimitReached: the disk is full, or another process does not let go of it.
    """
    from atota.journal.store import Journal

    path = call.settings.journal
    with Journal(Path(path) if path is not None else None, clock=SystemClock()) as journal:
        yield journal


def transcript_path(call: Call) -> Path | None:
    """Where the job's transcript is written: where the user wants it, else among those that failures leave.

    None if there is no place for it: that is no reason not to do the job.
    """
    import datetime as dt

    import platformdirs

    if call.settings.transcript is not None:
        return Path(call.settings.transcript)
    folder = platformdirs.user_data_path("atota", appauthor=False) / "transcripts"
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S%f")[:-3]
    port = re.sub(r"[^0-9A-Za-z]+", "-", call.port.split("?")[0]).strip("-")[-40:]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        call.out.warn(f"no transcript is kept: {folder} cannot be made ({error.strerror})")
        return None
    return folder / f"{stamp}-{call.out.command}-{port}.transcript"


def tidy_transcript(call: Call, path: Path | None, result: "JobResult") -> None:
    """Remove the transcript of a job that went well, unless the user asked for it."""
    if path is not None and call.settings.transcript is None and result.error is None:
        with suppress(OSError):
            path.unlink()
