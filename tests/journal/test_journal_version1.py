"""A real journal of version 1, with jobs cut off at many points, goes on in the newest version."""

import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest

from atota.clock import SimulatedClock
from atota.errors import AtotaError
from atota.journal import version1
from atota.journal.facts import JobState, PriorRun, TaskFact, VersionsFact
from atota.journal.schema import MIGRATIONS, TABLES
from atota.journal.store import Journal
from atota.update.job_journal import prior_run

OLD = Path(__file__).with_name("version1.sqlite3")

IN_THE_WRITE = "728bfa02c578-1"  # NB86-G
AFTER_THE_START = "028ce68df0fe-1"  # BC28
BEFORE_THE_REPORT = "21e3ba522686-1"  # M5310-A
FIRST_OF_TWO = "bc7b682cfd37-1"  # SIM7000C, cut off after the start
TAKEOVER = "bc7b682cfd37-2"  # the run after it, cut off before its end
HANDED_OVER = "120659bd71ad-1"  # BC26, which fetches the package itself, in prepare
FINISHED = "1643ec30920c-1"  # EC616
IN_ACTIVATE = "cfac0bcdb473-1"  # ME3616

RECORD = "number, job, imei, outcome, ended_at, document"

Rows = dict[str, list[tuple[object, ...]]]


@pytest.fixture
def path(folder: Path) -> Path:
    return Path(shutil.copy(OLD, folder / "journal.sqlite3"))


def contents(path: Path) -> tuple[int, Rows]:
    db = sqlite3.connect(path)
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        tables = [table for table in TABLES if table != "history"]
        rows = {table: db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables}
        rows["record"] = db.execute(f"SELECT {RECORD} FROM record ORDER BY number").fetchall()
        return version, rows
    finally:
        db.close()


def left(journal: Journal, job: str) -> PriorRun:
    past = journal.past(id=job)
    prior = prior_run(past)
    assert past is not None
    assert prior is not None
    assert (prior.id, prior.run, prior.attempt) == (past.id, past.run, past.attempt)
    return prior


def versions(before: str, target: str) -> VersionsFact:
    return VersionsFact(before=before, before_revision=before, target=target, expected=target)


EXPECTED = {
    IN_THE_WRITE: (JobState.WRITING, False, ("AT+CFUN=1",), 18688),
    AFTER_THE_START: (JobState.STARTED, True, ("AT+CFUN=1",), 40960),
    BEFORE_THE_REPORT: (JobState.STARTED, True, ("AT+CFUN=1",), 40960),
    FIRST_OF_TWO: (JobState.STARTED, True, (), 40960),
    TAKEOVER: (JobState.MAY_HAVE_STARTED, False, (), 0),
    HANDED_OVER: (JobState.CHANGED, False, (), 0),
    IN_ACTIVATE: (JobState.MAY_HAVE_STARTED, False, (), 40960),
}
VERSIONS = {
    IN_THE_WRITE: versions("V150R100C20B500SP1", "V150R100C20B500SP2"),
    AFTER_THE_START: versions("BC28JAR01A03", "BC28JAR01A05"),
    BEFORE_THE_REPORT: versions("M5310-A-MONH0S00", "M5310-A-MONH0S01"),
    FIRST_OF_TWO: versions("1529B04SIM7000C", "1529B05SIM7000C"),
    TAKEOVER: versions("1529B04SIM7000C", "1529B05SIM7000C"),
    HANDED_OVER: versions("BC26NBR01A01", "BC26NBR01A02"),
    IN_ACTIVATE: versions("ME3616E1AV0.0B01", "ME3616E1AV0.0B02"),
}


@pytest.mark.parametrize("job", EXPECTED)
def test_a_job_that_was_cut_off_is_continued_where_version_1_would_have(
    path: Path, clock: SimulatedClock, job: str
) -> None:
    with Journal(path, clock=clock) as journal:
        prior = left(journal, job)
    assert (prior.state, prior.is_certain, prior.undo, prior.written) == EXPECTED[job]
    assert prior.versions == VERSIONS[job]
    assert prior.command == "update"
    assert prior.task is not None
    assert (prior.task.target, prior.task.server, prior.task.dev_id) == (
        VERSIONS[job].target,
        "http://ota.test",
        "6523",
    )
    assert prior.package.size == 40960
    assert len(prior.package.sha256) == 64
    assert prior.method.window_s == {IN_ACTIVATE: 25.0, FIRST_OF_TWO: 10.0, TAKEOVER: 10.0}.get(job, 0.0)


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([("dialect", '{"method": "watched"}')], JobState.MAY_HAVE_STARTED),
        ([("start-lost", "{}")], JobState.CHANGED),
        ([("started", '{"certain": true}')], JobState.STARTED),
        ([("started", '{"certain": false}')], JobState.CHANGED),
    ],
)
def test_facts_of_version_1_tell_the_state(
    path: Path, clock: SimulatedClock, rows: list[tuple[str, str]], state: JobState
) -> None:
    """A target that its platform starts may have begun once it was made ready."""
    db = sqlite3.connect(path)
    for seq, (kind, data) in enumerate(rows, 90):
        db.execute("INSERT INTO fact VALUES (?, ?, 0, ?, NULL, ?)", (HANDED_OVER, seq, kind, data))
    db.commit()
    db.close()
    with Journal(path, clock=clock) as journal:
        assert left(journal, HANDED_OVER).state is state


def test_a_job_that_was_finished_left_nothing(path: Path, clock: SimulatedClock) -> None:
    with Journal(path, clock=clock) as journal:
        assert prior_run(journal.past(id=FINISHED)) is None


def test_records_and_waiting_reports_are_still_read(path: Path, clock: SimulatedClock) -> None:
    _, before = contents(path)
    documents = [msgspec.json.decode(str(row[-1])) for row in before["record"]]
    with Journal(path, clock=clock) as journal:
        records = journal.records()
        (report,) = journal.pending()
        past = journal.past(imei="860000000000019")
    assert [record.id for record in records] == [FINISHED, FIRST_OF_TWO]
    read = {record.id: msgspec.to_builtins(record) for record in records}
    for document in documents:
        record = read[document["id"]]
        same = {name: value for name, value in document.items() if name not in ("package", "task", "error")}
        assert {name: record[name] for name in same} == same
        for name in ("package", "task", "error"):
            assert (document[name] or {}).items() <= (record[name] or {}).items() or name == "error"
    assert (report.job, report.document["place"]) == (TAKEOVER, "http://ota.test")
    assert past is not None
    assert past.id == IN_THE_WRITE


def test_nothing_but_what_newer_versions_need_is_added_and_nothing_is_changed(
    path: Path, clock: SimulatedClock
) -> None:
    version, before = contents(path)
    assert version == 1
    Journal(path, clock=clock).close()
    version, after = contents(path)
    assert version == len(MIGRATIONS)
    added = [row for row in after["fact"] if row not in before["fact"]]
    assert {row[3] for row in added} == {"state", "prior-run"}
    assert sorted(str(row[0]) for row in added) == sorted((*EXPECTED, FINISHED))
    assert [row for row in after["fact"] if row not in added] == before["fact"]
    for table in set(TABLES) - {"fact", "history"}:
        assert after[table] == before[table], table
    db = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="the job has its verdict"):
        db.execute("INSERT INTO fact VALUES (?, 999, 0, 'told', NULL, '{}')", (FINISHED,))
    db.close()
    Journal(path, clock=clock).close()
    assert contents(path) == (version, after), "it was migrated twice"


def test_reading_only_works_on_it_too(path: Path, clock: SimulatedClock) -> None:
    reader = Journal.reading(path, clock=clock)
    assert reader is not None
    with reader:
        assert {job: left(reader, job).state for job in EXPECTED} == {
            job: expected[0] for job, expected in EXPECTED.items()
        }
        assert len(reader.records()) == 2


def test_the_jobs_that_were_cut_off_are_closed_with_a_record_each(path: Path, clock: SimulatedClock) -> None:
    with Journal(path, clock=clock) as journal:
        closed = {past.id for past in journal.recover()}
        records = {record.id: record for record in journal.records()}
        assert closed == set(EXPECTED) - {FIRST_OF_TWO}
        assert records[IN_THE_WRITE].state is JobState.WRITING
        assert records[BEFORE_THE_REPORT].version_after == "M5310-A-MONH0S01"
        assert left(journal, IN_THE_WRITE).written == 18688, "a closed job is continued as well"


def test_a_migration_that_fails_in_its_middle_has_done_nothing(
    path: Path, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(path)
    append, count = version1._append, 0

    def fail_at_the_fourth(*what: object) -> None:
        nonlocal count
        count += 1
        if count == 4:
            raise sqlite3.OperationalError("the power failed")
        append(*what)  # type: ignore[arg-type]

    monkeypatch.setattr(version1, "_append", fail_at_the_fourth)
    with pytest.raises(AtotaError):
        Journal(path, clock=clock)
    assert contents(path) == before
    monkeypatch.undo()
    with Journal(path, clock=clock) as journal:
        task = left(journal, AFTER_THE_START).task
        assert isinstance(task, TaskFact)
