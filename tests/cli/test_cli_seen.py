"""A terminal of 80 columns, ASCII terminals, plurals, replaced files, and the journal's word on open jobs."""

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from atota.cli.streams import make_lasting
from atota.cli.view.output import plural
from atota.cli.view.progress import _Pace, bars, live_listener
from atota.cli.view.record import list_table
from atota.cli.view.tables import Fitting, modules_table
from atota.clock import SimulatedClock, SystemClock, utc_iso
from atota.dialects import catalogue
from atota.journal.facts import MethodFact, StateFact, WrittenFact
from atota.journal.model import Opened, Record
from atota.journal.store import Journal
from atota.update.events import Progress, StageEvent
from atota.update.state import JobState
from atota.values import Identity
from tests.cli.running import BASE, Cli

IMEI = "490154203237518"


def drawn(table: object, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(table)
    return out.getvalue()


def record(attempt: int) -> Record:
    moment = utc_iso(SystemClock().time())
    return Record(
        id=f"3f9c2a71d0e4-{attempt}",
        run="3f9c2a71d0e4",
        attempt=attempt,
        outcome="updated-unreported",
        exit_code=14,
        nature="simulated",
        started_at=moment,
        ended_at=moment,
        imei=IMEI,
        model="M5310-A",
        version_after="V100R100C10B657SP6",
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_records_are_whole_at_every_width(width: int) -> None:
    lines = drawn(list_table([record(1), record(12)]), width).splitlines()
    assert all(len(line.rstrip()) <= width for line in lines)
    for whole in ("3f9c2a71-12", "49*********7518", "V100R100C10B657SP6", "updated-unreported"):
        assert any(whole in line for line in lines)


def test_the_catalogue_is_cut_nowhere_at_80_columns() -> None:
    text = drawn(modules_table(catalogue.rows()), 80)
    assert "…" not in text
    assert all(row.dialect in text and row.model in text for row in catalogue.rows())


def test_a_table_that_fits_stays_a_table() -> None:
    table = Table(box=None)
    for heading in ("one", "two"):
        table.add_column(heading)
    table.add_row("1", "2")
    assert [line.split() for line in drawn(Fitting(table, "one"), 20).splitlines()] == [
        ["one", "two"],
        ["1", "2"],
    ]
    assert drawn(Fitting(table, "one"), 8).split() == ["1", "two", "2"]


def test_numbers_of_things_are_right_for_one() -> None:
    assert (plural(1, "task"), plural(0, "task"), plural(2, "task")) == ("1 task", "0 tasks", "2 tasks")


def test_a_terminal_that_lacks_a_character_gets_one_that_it_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "out"
    with file.open("w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO()))
        make_lasting()
        sys.stdout.write("1 → 2 … 中\n")
        sys.stdout.flush()
    assert file.read_text() == "1 -> 2 ... \\u4e2d\n"


def test_a_file_that_is_written_over_is_named(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "new.bin"
    words = ("sim", "package", file, "--model", "BC28", "--from", "A1", "--to", "A2")
    assert "is replaced" not in cli(*words).err
    assert f"{file} was there already, and is replaced" in cli(*words).err
    exported = tmp_path / "records.csv"
    assert "is replaced" not in cli("records", "export", "-o", exported).err
    assert f"{exported} was there already, and is replaced" in cli("records", "export", "-o", exported).err
    transcript = tmp_path / "t"
    identify = ("identify", "-p", "sim://BC28?speed=max", "--transcript", transcript)
    assert "is replaced" not in cli(*identify).err
    assert f"{transcript} was there already, and is replaced" in cli(*identify).err


def test_a_bar_shows_bytes_rate_and_time_left() -> None:
    clock = SimulatedClock()
    pace = _Pace(clock)
    pace.take(StageEvent("write", "started"))
    assert pace.short(Progress("write", 0, 40_000)) == ""
    clock.sleep(10.0)
    assert pace.short(Progress("write", 10_000, 40_000)) == "10.0/40.0 kB 1.0 kB/s 0:30 left"


def test_the_clock_of_a_lane_that_failed_stands_still() -> None:
    with bars() as display:
        listen = live_listener(display, "lane 5")
        listen(StageEvent("validate", "started"))
        assert display.tasks[0].stop_time is None
        listen(StageEvent("validate", "failed", "no"))
        assert display.tasks[0].stop_time is not None


# -- the journal's word --------------------------------------------------------------------------------


class Past:
    """A journal in which a job was begun and left open."""

    def __init__(
        self, path: Path, *states: JobState, imei: str = IMEI, port: str = "sim://BC28?speed=max"
    ) -> None:
        self.path = path
        self.journal = Journal(path, clock=SystemClock())
        self.entry = self.journal.open_job(Opened(run="a" * 12, attempt=1, command="flash", port=port))
        self.entry.fact(Identity(imei=IMEI, model="BC28", version=BASE))
        self.entry.fact(MethodFact(name="quectel-hi2115", method="nfwupd"))
        for state in states:
            self.entry.fact(StateFact(state))
        self.entry.stage("write", "started")
        self.entry.fact(WrittenFact(done=512, total=4096))


def test_records_list_shows_jobs_that_run_and_jobs_that_died(cli: Cli, tmp_path: Path) -> None:
    past = Past(tmp_path / "j.sqlite3", JobState.CHANGED, JobState.WRITING)
    running = cli("records", "list", "--journal", past.path)
    assert f"{'a' * 12}-1" in running.err
    assert "runs in stage write: BC28, IMEI 49*********7518, on sim://BC28" in running.err
    past.journal.close()
    died = cli("records", "list", "--journal", past.path)
    assert "in stage write: BC28" in died.err
    assert "the next job closes it as interrupted" in died.err
    (job,) = cli("records", "list", "--journal", past.path, "--json").result["unended"]
    assert (job["id"], job["state"], job["imei"]) == (f"{'a' * 12}-1", "died", IMEI)


_WRITTEN = (JobState.CHANGED, JobState.WRITING, JobState.WRITTEN)


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ((JobState.CHANGED, JobState.WRITING), "was cut off"),
        (
            (JobState.CHANGED, JobState.WRITING, JobState.WRITTEN, JobState.MAY_HAVE_STARTED),
            "may have started",
        ),
        (
            (
                JobState.CHANGED,
                JobState.WRITING,
                JobState.WRITTEN,
                JobState.MAY_HAVE_STARTED,
                JobState.STARTED,
            ),
            "started an update here",
        ),
    ],
)
def test_identify_says_what_the_journal_knows_of_an_interrupted_update(
    cli: Cli, tmp_path: Path, states: tuple[JobState, ...], words: str
) -> None:
    past = Past(tmp_path / "j.sqlite3", *states)
    past.journal.close()
    ran = cli("identify", "-p", "sim://BC28?speed=max", "--json", ATOTA_JOURNAL=str(past.path))
    assert ran.code == 0, ran.err
    assert f"job {'a' * 12}-1 {words}" in ran.result["journal"]
    assert f"job {'a' * 12}-1" in ran.err


def test_identify_knows_the_module_at_another_port_by_its_imei(cli: Cli, tmp_path: Path) -> None:
    past = Past(tmp_path / "j.sqlite3", JobState.CHANGED, JobState.WRITING, port="/dev/ttyUSB7")
    past.journal.close()
    port = f"sim://BC28?speed=max&imei={IMEI}"
    ran = cli("identify", "-p", port, "--json", ATOTA_JOURNAL=str(past.path))
    assert "was cut off" in ran.result["journal"]


def test_identify_says_nothing_of_jobs_that_have_ended(cli: Cli, tmp_path: Path) -> None:
    ran = cli("identify", "-p", "sim://BC28?speed=max", "--json", ATOTA_JOURNAL=str(tmp_path / "none"))
    assert (ran.code, ran.result["journal"], ran.err) == (0, None, "")
