"""What is written is read back; what must not happen twice does not; who is alive is known."""

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from atota.clock import SimulatedClock
from atota.errors import AtotaError, LimitReached, Outcome, UsageError, WriteFailed
from atota.journal.facts import (
    ErrorFact,
    Told,
    WarningFact,
    WrittenFact,
)
from atota.journal.model import FactRow, StageRow, Verdict
from atota.journal.schema import TABLES
from atota.journal.store import Journal, default_path
from atota.link.ports import PortInfo
from atota.values import Identity
from tests.journal.making import IMEI, OTHER, filled, finish, opened, write_job


def test_a_job_is_read_back_as_it_was_written(journal: Journal, clock: SimulatedClock) -> None:
    begun = opened("r", 2, adapter=PortInfo(device="p", serial_number="A1"), board="b.toml", resumes="r-1")
    entry = journal.open_job(begun)
    start = clock.time()
    clock.sleep(1)
    entry.stage("write", "started")
    entry.fact(WrittenFact(done=1, total=2))
    entry.fact(WrittenFact(done=2, total=2))
    clock.sleep(1)
    entry.stage("write", "done", "quick", 1000)
    past = journal.past(id="r-2")
    assert past is not None
    assert (past.id, past.run, past.attempt, past.opened, past.opened_at) == ("r-2", "r", 2, begun, start)
    assert past.is_alive
    assert past.stages == (
        StageRow(1, start + 1, "write", "started", "", None),
        StageRow(4, start + 2, "write", "done", "quick", 1000),
    )
    assert past.facts[0] == FactRow(2, start + 1, WrittenFact(done=1, total=2))
    assert past.latest(WrittenFact) == WrittenFact(done=2, total=2)
    assert past.all_of(WrittenFact) == [WrittenFact(done=1, total=2), WrittenFact(done=2, total=2)]
    assert (past.latest(Told), past.all_of(Told), past.states) == (None, [], [])
    assert past.last_seen == start + 2


def test_what_passed_before_the_job_was_opened_keeps_its_time(
    journal: Journal, clock: SimulatedClock
) -> None:
    start = clock.time()
    clock.sleep(5)
    adapter = PortInfo(device="/dev/ttyUSB0", serial_number="A1")
    entry = journal.open_job(opened(adapter=adapter), at=start)
    entry.stage("open", "started", at=start + 1)
    entry.fact(Identity(imei=IMEI), at=start + 2)
    record = entry.verdict(Outcome.NO_TASK)
    assert (record.started_at, record.ended_at) == ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:05.000Z")
    assert record.stages[0].at == "2026-01-01T00:00:01.000Z"
    past = journal.past(adapter="A1")
    assert past is not None
    assert past.facts[0].at == start + 2


def test_a_second_verdict_is_a_bug_and_changes_nothing(journal: Journal) -> None:
    entry = journal.open_job(opened())
    record = entry.verdict(Outcome.UPDATED)
    with pytest.raises(AssertionError, match="has its verdict already: updated"):
        entry.verdict(Outcome.WRITE_FAILED)
    assert journal.records() == [record]


def test_a_job_with_a_verdict_takes_nothing_more(journal: Journal) -> None:
    entry = journal.open_job(opened())
    entry.verdict(Outcome.UPDATED)
    with pytest.raises(AtotaError, match="the job has its verdict"):
        entry.stage("write", "done")
    with pytest.raises(AtotaError, match="the job has its verdict"):
        entry.fact(WarningFact(text="late"))
    past = journal.past(id="run1-1")
    assert past is not None
    assert (past.is_alive, past.stages, past.facts) == (False, (), ())


def test_the_same_attempt_is_begun_once(journal: Journal) -> None:
    journal.open_job(opened("r", 1))
    with pytest.raises(LimitReached, match="r-1 was begun already"):
        journal.open_job(opened("r", 1))
    assert journal.open_job(opened("r", 2)).id == "r-2"


def everything(path: Path) -> dict[str, list[tuple[object, ...]]]:
    db = sqlite3.connect(path)
    try:
        return {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}
    finally:
        db.close()


def full_of_everything(path: Path, clock: SimulatedClock) -> None:
    filled(path)
    with Journal(path, clock=clock) as journal:
        journal.settle(journal.queue(journal.records()[0].id, {"code": 201}), "delivered")


@pytest.mark.parametrize("table", TABLES)
def test_the_database_itself_refuses_to_change_delete_or_replace(
    path: Path, clock: SimulatedClock, table: str
) -> None:
    full_of_everything(path, clock)
    before = everything(path)
    row = before[table][0]
    db = sqlite3.connect(path)  # another program's connection, with nothing switched on
    column = db.execute(f"SELECT name FROM pragma_table_info('{table}')").fetchone()[0]
    places = ", ".join("?" * len(row))
    for query, values in (
        (f"UPDATE {table} SET {column} = {column}", ()),
        (f"DELETE FROM {table}", ()),
        (f"INSERT OR REPLACE INTO {table} VALUES ({places})", row),
        (f"INSERT INTO {table} VALUES ({places})", row),
    ):
        with pytest.raises(sqlite3.IntegrityError):
            db.execute(query, values)
        db.rollback()
    db.close()
    assert everything(path) == before


def test_the_database_itself_refuses_a_second_verdict(path: Path, clock: SimulatedClock) -> None:
    full_of_everything(path, clock)
    db = sqlite3.connect(path)
    (job,) = db.execute("SELECT job FROM verdict WHERE outcome = 'updated'").fetchone()
    for how in ("INSERT", "INSERT OR REPLACE"):
        with pytest.raises(sqlite3.IntegrityError):
            db.execute(f"{how} INTO verdict VALUES (?, 'write-failed', 9, 0)", (job,))
    db.close()


def test_an_open_job_of_a_closed_journal_is_interrupted_and_of_an_open_one_is_not(
    path: Path, clock: SimulatedClock
) -> None:
    with Journal(path, clock=clock) as living:
        write_job(living, "living", clock)
        with Journal(path, clock=clock) as dying:
            write_job(dying, "dead", clock)
            assert (living.recover(), dying.recover()) == ([], [])
        clock.sleep(3600)
        (closed,) = living.recover()
        assert (closed.id, closed.is_alive) == ("dead-1", False)
        assert closed.verdict == Verdict(Outcome.INTERRUPTED, clock.time())
        assert closed.latest(WrittenFact) == WrittenFact(done=20480, total=40960)
        assert living.recover() == []
        past = living.past(id="living-1")
        assert past is not None
        assert past.is_alive
        (record,) = living.records()
        assert (record.id, record.outcome, record.exit_code) == ("dead-1", "interrupted", 130)
        assert len(list(path.with_name(path.name + ".owners").iterdir())) == 1
    assert list(path.with_name(path.name + ".owners").iterdir()) == []


def test_where_an_owners_file_is_gone_its_jobs_are_dead(path: Path, clock: SimulatedClock) -> None:
    with Journal(path, clock=clock) as journal:
        write_job(journal, "copied", clock)
        copy = path.with_name("copy.sqlite3")
        source = sqlite3.connect(path)
        source.execute("VACUUM INTO ?", (str(copy),))
        source.close()
        with Journal(copy, clock=clock) as copied:
            assert [past.id for past in copied.recover()] == ["copied-1"]
        past = journal.past(id="copied-1")
        assert past is not None
        assert past.is_alive


def test_past_finds_the_newest_job_that_fits_all_that_is_given(
    journal: Journal, clock: SimulatedClock
) -> None:
    write_job(journal, "a", clock).verdict(Outcome.INTERRUPTED)
    write_job(journal, "b", clock, imei=OTHER).verdict(Outcome.UPDATED)
    clock.sleep(-5)
    write_job(journal, "a", clock, attempt=2)
    journal.open_job(opened("c", adapter=PortInfo(device="p", serial_number="B7")))
    journal.open_job(opened("d", adapter=PortInfo(device="p", serial_number="B8")))

    def found(**wanted: Any) -> str | None:
        past = journal.past(**wanted)
        return past.id if past is not None else None

    assert found(run="a") == "a-2"
    assert found(imei=IMEI) == "a-2"
    assert found(imei=OTHER) == "b-1"
    assert found(id="a-1") == "a-1"
    assert found(adapter="A50285BI") == "a-2"
    assert found(adapter="B7") == "c-1"
    assert found(adapter="B8") == "d-1"
    assert found(port="/dev/ttyUSB0") == "d-1"
    assert found(port="/dev/ttyUSB0", has_touched=True) == "a-2"
    assert found(run="a", imei=OTHER) is None
    assert found(imei=OTHER, adapter="A50285BI", port="/dev/ttyUSB0", run="b") == "b-1"
    assert found() == "d-1"
    journal.open_job(opened("e")).verdict(Outcome.NO_TASK)
    assert found(has_touched=True) == "e-1"
    assert found(port="/dev/nothing") is None


def test_records_are_filtered_and_the_newest_is_first(path: Path, clock: SimulatedClock) -> None:
    done, failed, cut_off = filled(path)
    with Journal(path, clock=clock) as journal:
        assert journal.records() == [cut_off, failed, done]
        assert journal.records(imei=OTHER) == [cut_off, failed]
        assert journal.records(imei=OTHER, outcome="write-failed") == [failed]
        assert journal.records(limit=1) == [cut_off]
        assert journal.records(limit=0) == []
        end = 1_767_225_600.0 + 162.62  # of the first, as its record tells
        assert journal.records(until=end) == []
        assert journal.records(until=end + 0.001) == [done]
        assert journal.records(since=end) == [cut_off, failed, done]
        assert journal.records(since=end + 0.001) == [cut_off, failed]


def test_a_record_is_found_by_how_its_id_begins(path: Path, clock: SimulatedClock) -> None:
    done, failed, cut_off = filled(path)
    with Journal(path, clock=clock) as journal:
        for name, wanted in (
            (done.id, done),
            ("3", done),
            ("3f9c2a71-1", done),
            (" 8b11aaaa-1 ", failed),
            ("8b11aaaa-2", cut_off),
            (failed.id, failed),
        ):
            assert journal.record(name) == wanted
        with pytest.raises(UsageError, match="2 records begin with '8b11'") as several:
            journal.record("8b11")
        assert failed.id in several.value.hint
        assert cut_off.id in several.value.hint
        for name in ("", "-", "-1", "8b11aaaa-3", "%", "3f9c2a70", "x" * 99):
            with pytest.raises(UsageError) as none:
                journal.record(name)
            assert done.id in none.value.hint
        write_job(journal, "77", clock)
        with pytest.raises(UsageError, match="the job 77-1 has no record yet"):
            journal.record("77")


def test_an_id_that_is_the_beginning_of_another_is_still_found(journal: Journal) -> None:
    for attempt in (1, 12):
        journal.open_job(opened("r", attempt)).verdict(Outcome.UPDATED)
    assert journal.record("r-1").attempt == 1
    assert journal.record("r-12").attempt == 12


def test_the_outbox_keeps_its_order_and_each_report_ends_once(
    journal: Journal, clock: SimulatedClock
) -> None:
    job = journal.open_job(opened()).id
    first, second, third = (journal.queue(job, {"code": code}) for code in (201, 205, 101))
    assert [report.document for report in journal.pending()] == [{"code": 201}, {"code": 205}, {"code": 101}]
    assert journal.pending()[0].job == job
    journal.settle(second, "obsolete", "the task is gone")
    assert [report.id for report in journal.pending()] == [first, third]
    with pytest.raises(AtotaError, match="refused a statement"):
        journal.settle(second, "delivered")
    journal.settle(first, "delivered")
    with pytest.raises(AtotaError, match="refused a statement"):
        journal.settle(999, "delivered")
    with pytest.raises(AtotaError, match="refused a statement"):
        journal.queue("no-such-job", {})
    assert [report.id for report in journal.pending()] == [third]


def test_threads_share_a_journal(journal: Journal, clock: SimulatedClock) -> None:
    def lane(number: int) -> None:
        entry = journal.open_job(opened(f"lane{number}"))
        for count in range(50):
            entry.fact(WrittenFact(done=count, total=50))
        entry.verdict(Outcome.UPDATED)

    threads = [threading.Thread(target=lane, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {record.id for record in journal.records()} == {f"lane{number}-1" for number in range(4)}
    for number in range(4):
        past = journal.past(id=f"lane{number}-1")
        assert past is not None
        assert [fact.done for fact in past.all_of(WrittenFact)] == list(range(50))


def test_text_that_is_no_text_is_kept_as_its_numbers(journal: Journal) -> None:
    broken = "/dev/tty\udc80"
    entry = journal.open_job(opened(adapter=PortInfo(device=broken), board=broken))
    entry.stage("open", "failed", broken)
    entry.fact(ErrorFact.of(WriteFailed(broken, tried=(broken, "/x"))))
    entry.fact(Identity(imei=broken))
    record = entry.verdict(Outcome.PORT)
    past = journal.past(id="run1-1")
    assert past is not None
    shown = r"/dev/tty\udc80"
    assert (past.opened.board, past.stages[0].detail) == (shown, shown)
    assert past.opened.adapter == PortInfo(device=shown)
    error = past.latest(ErrorFact)
    assert error is not None
    assert (error.message, error.tried) == (shown, (shown, "/x"))
    assert record.imei == shown
    assert journal.records(imei=shown) == [record]


def test_hooks_see_every_durable_write(path: Path, clock: SimulatedClock) -> None:
    seen: list[str] = []
    with Journal(
        path,
        clock=clock,
        before_write=lambda t: seen.append(f"<{t}"),
        after_write=lambda t: seen.append(f"{t}>"),
    ) as journal:
        entry = journal.open_job(opened())
        entry.stage("open", "started")
        entry.fact(Told())
        entry.verdict(Outcome.UPDATED)
        journal.settle(journal.queue(entry.id, {}), "delivered")
    tables = ("job", "stage", "fact", "verdict", "report", "report_end")
    assert seen == [text for table in tables for text in (f"<{table}", f"{table}>")]


class DiedError(Exception):
    """The process ends here."""


@pytest.mark.parametrize("table", ["job", "stage", "fact", "verdict"])
@pytest.mark.parametrize("before", [True, False])
def test_a_write_is_there_after_its_hook_and_not_before_it(
    clock: SimulatedClock, table: str, before: bool
) -> None:
    def die(name: str) -> None:
        if name == table:
            raise DiedError

    db = sqlite3.connect(":memory:")
    hooks = {"before_write" if before else "after_write": die}
    dying = Journal.on(db, clock=clock, owner="1", **hooks)  # type: ignore[arg-type]
    with pytest.raises(DiedError):
        finish(write_job(dying, "r", clock), clock)
    next_one = Journal.on(db, clock=clock, owner="2")
    count = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    assert count == (0 if before else 1)
    there = (table, before) != ("job", True)
    ended = (table, before) == ("verdict", False)
    assert [past.id for past in next_one.recover()] == (["r-1"] if there and not ended else [])
    assert [one.outcome for one in next_one.records()] == (["updated" if ended else "interrupted"] * there)
    db.close()


def test_on_a_connection_of_the_callers_own_he_says_who_is_alive(clock: SimulatedClock) -> None:
    db, alive = sqlite3.connect(":memory:"), {"a", "b"}
    first = Journal.on(db, clock=clock, owner="a", owner_alive=alive.__contains__)
    second = Journal.on(db, clock=clock, owner="b", owner_alive=alive.__contains__)
    write_job(first, "one", clock)
    write_job(second, "two", clock)
    assert second.recover() == []
    alive.remove("a")
    first.close()
    assert [past.id for past in second.recover()] == ["one-1"]
    assert second.records()[0].outcome == "interrupted"
    db.close()


def test_reading_makes_nothing_and_takes_no_lock(path: Path, clock: SimulatedClock) -> None:
    assert Journal.reading(path, clock=clock) is None
    assert not path.parent.exists()
    with Journal(path, clock=clock) as journal:
        write_job(journal, "open", clock)
        writer = sqlite3.connect(path, isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")  # somebody is in the middle of a write
        reader = Journal.reading(path, clock=clock)
        assert reader is not None
        with reader:
            past = reader.past(run="open")
            assert past is not None
            assert past.is_alive
            with pytest.raises(AtotaError):
                reader.open_job(opened("new"))
        writer.close()
        assert len(list(path.with_name(path.name + ".owners").iterdir())) == 1


def test_the_default_place_is_in_the_users_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    place = default_path()
    assert place.name == "journal.sqlite3"
    assert place.parent.name == "atota"
    assert tmp_path in place.parents
