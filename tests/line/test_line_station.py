"""A station and its line: units that were done elsewhere, tickets, and the records of a real run."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atota.clock import SystemClock
from atota.errors import Outcome
from atota.journal.facts import JobState, StateFact
from atota.journal.model import Opened
from atota.journal.store import Journal
from atota.line.station import DoneElsewhere, NoTicket, StationLine
from atota.line.tables import figures, quota
from atota.sim.package import build_package
from tests.line.servers import Line, sent
from tests.line.stations import imei_of, journal_in, write

ROOT = Path(__file__).resolve().parents[2]
Connect = Callable[..., StationLine]


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    with journal_in(folder, "station") as opened:
        yield opened


@pytest.fixture
def connect(line: Line, journal: Journal, tmp_path: Path) -> Iterator[Connect]:
    """Connect the station st-7 to the line, or to an address where none is; its outbox is stepped by hand."""
    key_file = tmp_path / "line.key"
    key_file.write_text(line.key("st-7") + "\n", encoding="utf-8")
    made: list[StationLine] = []

    def one(url: str = "", of: Journal = journal) -> StationLine:
        connection = StationLine(url or line.url, key_file, of, batch="B-1", lanes=1, clock=SystemClock())
        made.append(connection)
        return connection

    yield one
    for connection in made:
        connection._client.close()
        connection._quick.close()
        connection._escrow.close()


def job(journal: Journal, run: str, *states: JobState, outcome: Outcome | None = Outcome.UPDATED) -> str:
    """Write a job down that came to its last state."""
    entry = journal.open_job(Opened(run=run, attempt=1, command="update", port="sim://BC28"))
    for state in states:
        entry.fact(StateFact(state))
    if outcome is not None:
        entry.verdict(outcome)
    return entry.id


def test_a_unit_done_on_another_station_is_refused_before_anything_is_touched_online_and_offline(
    line: Line, connect: Connect, folder: Path
) -> None:
    with journal_in(folder, "other") as other:
        write(other, 1, station="st-1")
        sent(line.outbox(other, line.key("st-1")))
    station = connect()
    sent(station._outbox)
    with pytest.raises(DoneElsewhere, match="was done by the station st-1"):
        station.admit(imei_of(1), None, lane=1, job="j", is_again=False)
    station.admit(imei_of(1), None, lane=1, job="j", is_again=True)
    offline = connect("http://127.0.0.1:9")
    with pytest.raises(DoneElsewhere, match="was done by the station st-1"):
        offline.admit(imei_of(1), None, lane=1, job="j", is_again=False)
    offline.admit(imei_of(2), None, lane=1, job="j2", is_again=False)


def test_a_ticket_is_spent_once_the_update_may_have_started_and_put_back_before(
    line: Line, connect: Connect, journal: Journal
) -> None:
    with line.store.transaction() as session:
        quota.new_batch(session, "B-1", 2)
    station = connect()
    with pytest.raises(NoTicket):
        station.admit(imei_of(1), None, lane=1, job="early", is_again=False)
    sent(station._outbox)
    refused = job(journal, "a", JobState.CHANGED, JobState.FAILED, outcome=Outcome.WRITE_FAILED)
    started = job(journal, "b", JobState.CHANGED, JobState.MAY_HAVE_STARTED)
    for name in (refused, started):
        station.admit(None, None, lane=1, job=name, is_again=False)
    with pytest.raises(NoTicket):
        station.admit(None, None, lane=1, job="c", is_again=False)
    station.ended(refused, journal.record(refused))
    station.ended(started, journal.record(started))
    assert station._escrow.held("B-1") == 1
    station._outbox._presence_at = 0.0
    station._outbox.step()
    with line.store.transaction() as session:
        (state,) = figures.batches(session, "B-1")
    assert (state.spent, state.granted, state.quota) == (1, 2, 2)


def test_a_ticket_that_was_taken_when_the_power_failed_is_settled_at_the_next_start(
    line: Line, connect: Connect, journal: Journal, folder: Path
) -> None:
    with line.store.transaction() as session:
        quota.new_batch(session, "B-1", 9)
    station = connect()
    sent(station._outbox)
    held = station._escrow.held("B-1")
    names = [
        job(journal, "a", JobState.CHANGED, outcome=None),
        job(journal, "b", JobState.CHANGED, JobState.STARTED, outcome=None),
        "never-opened",
    ]
    for name in names:
        station.admit(None, None, lane=1, job=name, is_again=False)
    journal.close()
    with journal_in(folder, "station") as reopened:
        reopened.recover()
        again = connect(of=reopened)
        assert again._escrow.taken() == []
        assert again._escrow.held("B-1") == held - 1, "only the job that had started has spent its own"


def test_a_batch_that_the_line_does_not_know_needs_no_tickets(line: Line, connect: Connect) -> None:
    station = connect()
    sent(station._outbox)
    for number in range(5):
        station.admit(imei_of(number), None, lane=1, job=f"j-{number}", is_again=False)
    assert station.status.is_online


def test_a_station_run_brings_its_records_to_the_line(line: Line, tmp_path: Path) -> None:
    """`atota station run` with a simulated module; the line's yield counts it when the run is over."""
    package = build_package(model="BC28", base="BC28JAR01A03", target="BC28JAR01A05", size=4096)
    (tmp_path / "package.bin").write_bytes(package)
    (tmp_path / "line.key").write_text(line.key("bench-7"), encoding="utf-8")
    file = tmp_path / "station.toml"
    file.write_text(
        f"""
name = "bench-7"
[work]
command = "flash"
package = "package.bin"
md5 = "{hashlib.md5(package, usedforsecurity=False).hexdigest()}"
target = "BC28JAR01A05"
batch = "B-9"
[line]
url = "{line.url}"
key_file = "line.key"
[[lane]]
number = 1
port = "sim://BC28?speed=60"
""",
        encoding="utf-8",
    )
    ran = subprocess.run(
        [sys.executable, "-m", "atota", "station", "run", str(file), "--units", "1", "--no-page", "--json"],
        capture_output=True,
        text=True,
        timeout=55,
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert ran.returncode == 0, ran.stderr
    verdict = next(one for one in map(json.loads, ran.stdout.splitlines()) if one["event"] == "verdict")
    rows = line.rows
    assert [document["id"] for *_, document in rows] == [verdict["record_id"]]
    with line.store.transaction() as session:
        result = figures.batch_figures(session, "B-9")
        name = session.value("SELECT station FROM line.record")
    assert (result.units, result.passed, result.first_pass_yield, name) == (1, 1, 1.0, "bench-7")
