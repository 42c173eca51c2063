"""Stations for the tests of the line: real journals, filled through the journal, and a real outbox."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from atota.clock import Clock, SimulatedClock, SystemClock
from atota.errors import Outcome
from atota.journal.facts import ErrorFact
from atota.journal.model import Record
from atota.journal.store import Journal

RAM = Path("/dev/shm")


def imei_of(number: int) -> str:
    """A fifteen-digit IMEI; the check digit does not matter to a line."""
    return f"{490154200000000 + number:015d}"


class BenchRecord(Record, frozen=True, kw_only=True):
    """A record as a station writes it."""

    batch: str | None = None
    lane: int | None = None


def write(
    journal: Journal,
    number: int,
    *,
    outcome: Outcome = Outcome.UPDATED,
    imei: str | None = None,
    batch: str | None = "B-1",
    lane: int = 1,
    run: str | None = None,
    code: str = "",
    stage: str = "write",
    **more: Any,
) -> None:
    """Append one job with its record to a journal, as a lane does."""
    from atota.journal import rows
    from atota.journal.model import Opened, RecordStage, Verdict

    clock: Clock = journal._clock
    run = run or f"{abs(hash(str(journal.path))) % 10**8:08d}{number:08d}"
    opened = Opened(run=run, attempt=1, command="update", port="/dev/ttyUSB0")
    journal.open_job(opened)
    ended = clock.time()
    from atota.clock import utc_iso

    record = BenchRecord(
        id=opened.id,
        run=run,
        attempt=1,
        outcome=outcome.value,
        exit_code=outcome.exit_code,
        started_at=utc_iso(ended - 180),
        ended_at=utc_iso(ended),
        duration_ms=180_000,
        imei=imei_of(number) if imei is None else imei,
        version_before="BC28JAR01A03",
        version_after="BC28JAR01A05" if outcome.exit_code == 0 else None,
        stages=[
            RecordStage(stage="identify", state="done", at=utc_iso(ended - 179)),
            RecordStage(stage=stage, state="done" if outcome.exit_code == 0 else "failed", at=utc_iso(ended)),
        ],
        error=ErrorFact(code=code, message="it failed") if code else None,
        tool_version="1.0",
        batch=batch,
        lane=lane,
        **more,
    )
    with journal._writing("verdict") as db:
        rows.insert_verdict(db, Verdict(outcome, ended), record, ended)


def documents(journal: Journal) -> list[tuple[str, int, Any]]:
    """All records of a journal as the line should have them: history, number, document."""
    return [
        (history.id, link.number - history.after, msgspec.json.decode(link.document))
        for history in journal.histories()
        for link in journal.links(history.after, 10**9)
        if history.last is None or link.number <= history.last
    ]


@dataclass
class Folder:
    """A folder in memory, where there is such a thing."""

    path: Path

    @classmethod
    def made(cls) -> "Folder":
        return cls(Path(tempfile.mkdtemp(dir=RAM if RAM.is_dir() else None)))


def journal_in(folder: Path, name: str = "journal", clock: Clock | None = None) -> Journal:
    return Journal(folder / f"{name}.sqlite3", clock=clock or SystemClock())


__all__ = ["SimulatedClock"]
