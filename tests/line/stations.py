"""Stations for the tests of the line: real journals, filled through the journal, and a real outbox."""

import uuid
from pathlib import Path
from typing import Any

import msgspec

from atota.clock import Clock, SystemClock, utc_iso
from atota.errors import Outcome
from atota.journal import rows
from atota.journal.facts import ErrorFact, StationFact
from atota.journal.model import Opened, Record, RecordStage, Verdict
from atota.journal.store import Journal


def imei_of(number: int) -> str:
    """A fifteen-digit IMEI; the check digit does not matter to a line."""
    return f"{490154200000000 + number:015d}"


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
    station: str = "",
    label: str | None = None,
) -> None:
    """Append one job with its record to a journal, as a lane does."""
    clock: Clock = journal._clock
    run = run or uuid.uuid4().hex
    opened = Opened(run=run, attempt=1, command="update", port="/dev/ttyUSB0")
    journal.open_job(opened)
    ended = clock.time()
    record = Record(
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
        station=StationFact(name=station, batch=batch, lane=lane, serial=label),
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


def journal_in(folder: Path, name: str = "journal", clock: Clock | None = None) -> Journal:
    return Journal(folder / f"{name}.sqlite3", clock=clock or SystemClock())
