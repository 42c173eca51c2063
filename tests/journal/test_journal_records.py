"""The record: made from the rows alone, and told the same way whoever closes the job."""

import sqlite3
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from atota.clock import SimulatedClock
from atota.errors import Outcome
from atota.journal.facts import (
    ConfirmedFact,
    CountersFact,
    ErrorFact,
    Fact,
    MethodFact,
    PackageFact,
    TaskFact,
    Told,
    TranscriptFact,
    VersionsFact,
    WarningFact,
    WrittenFact,
)
from atota.journal.model import FactRow, PastJob, Record, RecordStage, StageRow, Verdict
from atota.journal.records import compose
from atota.journal.store import Journal
from atota.values import Identity
from tests.journal.making import IMEI, OTHER, filled, finish, opened, write_job

START = 1_767_225_600.0


def past(*rows: StageRow | FactRow, opened_at: float = START) -> PastJob:
    return PastJob(
        id="r-1",
        run="r",
        attempt=1,
        opened=opened("r"),
        opened_at=opened_at,
        is_alive=False,
        stages=tuple(row for row in rows if isinstance(row, StageRow)),
        facts=tuple(row for row in rows if isinstance(row, FactRow)),
    )


def step(seq: int, stage: str, state: str, elapsed_ms: int | None = None, detail: str = "") -> StageRow:
    return StageRow(seq, START + seq, stage, state, detail, elapsed_ms)


def lines(*steps: StageRow) -> list[tuple[str, str, int | None]]:
    record = compose(past(*steps), Verdict(Outcome.UPDATED, START + 99))
    return [(one.stage, one.state, one.elapsed_ms) for one in record.stages]


def test_a_record_holds_all_that_proves_what_happened(path: Path) -> None:
    record, failed, cut_off = filled(path)
    assert (record.outcome, record.exit_code, record.error) == ("updated", 0, None)
    assert (record.imei, record.serial, record.manufacturer) == (IMEI, "MPA19C1234567", "Quectel")
    assert (record.model, record.revision, record.board) == ("BC28", "BC28JAR01A03", "boards/bench.toml")
    assert (record.dialect, record.dialect_digest) == ("quectel-hi2115", "d" * 64)
    assert (record.method, record.evidence, record.block) == ("nfwupd", "documented", 512)
    assert record.line is not None
    assert (record.line.rate, record.line.adapter, record.line.board) == (
        460800, "A50285BI", "boards/bench.toml"
    )  # fmt: skip
    versions = (record.version_before, record.version_target, record.version_after)
    assert versions == ("BC28JAR01A03", "BC28JAR01A05", "BC28JAR01A05")
    assert record.package is not None
    assert (record.package.size, record.package.md5, record.package.sha256) == (40960, "0" * 32, "1" * 64)
    assert record.task is not None
    assert (record.blocks, record.retries, record.longest_silence_ms, record.boots) == (80, 1, 1250, 1)
    assert record.written == WrittenFact(done=40960, total=40960)
    assert record.told == ["101: package downloaded", "201: upgraded", "version BC28JAR01A05"]
    assert record.warnings == ["the module cannot tell its supply voltage"]
    assert (record.started_at, record.ended_at) == ("2026-01-01T00:00:00.000Z", "2026-01-01T00:02:42.620Z")
    assert record.duration_ms == 162_620
    assert record.tool_version
    assert record.host
    assert record.stages[2] == RecordStage(
        stage="write", state="done", at="2026-01-01T00:00:02.020Z", elapsed_ms=15000
    )
    assert (failed.imei, failed.version_after) == (OTHER, None)
    assert failed.error is not None
    assert failed.error.tried == ("block 41 three times", "a fresh write, twice")
    assert failed.transcript == TranscriptFact(path="/home/me/.local/share/atota/t.txt", sha256="a" * 64)
    assert cut_off.stages[-1].state == "started"
    assert cut_off.error is not None
    assert "in the stage write" in cut_off.error.message


def test_a_job_that_was_cut_off_ended_when_it_was_last_seen() -> None:
    """Whoever finds it does so a day later."""
    found = Verdict(Outcome.INTERRUPTED, START + 86_400)
    record = compose(past(step(1, "open", "started")), found, is_cut_off=True)
    assert (record.ended_at, record.duration_ms) == ("2026-01-01T00:00:01.000Z", 1000)
    nothing = compose(past(), found, is_cut_off=True)
    assert (nothing.ended_at, nothing.duration_ms) == ("2026-01-01T00:00:00.000Z", 0)
    assert nothing.error is not None
    assert "before its first stage" in nothing.error.message


def test_a_record_made_by_recovery_is_the_same_as_one_made_by_the_job(clock: SimulatedClock) -> None:
    """But for what only the job could know: how it would have ended."""
    db, other = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    ended = write_job(Journal.on(db, clock=SimulatedClock()), "r", SimulatedClock()).verdict(
        Outcome.INTERRUPTED
    )
    write_job(Journal.on(other, clock=SimulatedClock()), "r", SimulatedClock())
    found = Journal.on(other, clock=SimulatedClock())
    found.recover()
    record = msgspec.structs.replace(found.records()[0], error=None)
    assert record == ended
    db.close()
    other.close()


def test_each_passage_through_a_stage_is_one_line() -> None:
    assert lines(
        step(1, "prepare", "started"),
        step(2, "prepare", "done", 900),
        step(3, "write", "started"),
        step(4, "write", "failed", 1000),
        step(5, "write", "started"),
        step(6, "write", "done"),
        step(7, "report", "skipped"),
        step(8, "reboot", "started"),
    ) == [
        ("prepare", "done", 900),
        ("write", "failed", 1000),
        ("write", "done", 1000),
        ("report", "skipped", None),
        ("reboot", "started", None),
    ]


def test_a_stage_inside_another_keeps_both_in_the_order_of_their_beginnings() -> None:
    assert lines(
        step(1, "plan", "started"),
        step(2, "report", "started"),
        step(3, "report", "done", 1),
        step(4, "plan", "failed", 2),
    ) == [("plan", "failed", 2), ("report", "done", 1)]


def test_a_clock_that_was_set_back_gives_no_duration_and_no_negative_one() -> None:
    rows = (
        StageRow(1, START, "open", "started", "", None),
        StageRow(2, START - 60, "open", "done", "", None),
    )
    record = compose(past(*rows), Verdict(Outcome.UPDATED, START - 60))
    assert record.duration_ms is None
    assert record.stages[0].elapsed_ms is None


def test_a_job_began_with_the_first_thing_that_it_did() -> None:
    record = compose(
        past(step(1, "open", "started"), opened_at=START + 9), Verdict(Outcome.UPDATED, START + 10)
    )
    assert (record.started_at, record.duration_ms) == ("2026-01-01T00:00:01.000Z", 9000)


def test_a_module_that_was_current_already_has_its_version_after(clock: SimulatedClock) -> None:
    db = sqlite3.connect(":memory:")
    entry = Journal.on(db, clock=clock).open_job(opened())
    entry.fact(Identity(version="V2"))
    record = entry.verdict(Outcome.ALREADY_CURRENT)
    assert (record.version_before, record.version_after) == ("V2", "V2")
    db.close()


def test_a_record_of_a_newer_atota_can_be_read() -> None:
    record = compose(past(), Verdict(Outcome.UPDATED, START))
    newer = {**msgspec.to_builtins(record), "moon_phase": "full"}
    assert msgspec.json.decode(msgspec.json.encode(newer), type=Record) == record


texts = st.text(max_size=5)
numbers = st.none() | st.integers(0, 2**53)
facts: st.SearchStrategy[Fact] = st.one_of(
    st.builds(Identity, imei=st.none() | texts, model=st.none() | texts, version=st.none() | texts),
    st.builds(MethodFact, name=st.none() | texts, digest=st.none() | texts, block=numbers),
    st.builds(VersionsFact, before=st.none() | texts, target=texts, expected=texts),
    st.builds(PackageFact, name=texts, size=st.integers(0, 2**53)),
    st.builds(TaskFact, target=texts, size=st.integers(0, 2**53)),
    st.builds(CountersFact, blocks=numbers, boots=numbers),
    st.builds(ConfirmedFact, version=st.none() | texts),
    st.builds(WarningFact, text=texts),
    st.builds(ErrorFact, message=texts, tried=st.lists(texts, max_size=2).map(tuple)),
    st.builds(Told, what=texts),
)


@settings(max_examples=40)
@given(st.lists(facts, max_size=8))
def test_whatever_the_facts_hold_the_job_gets_a_record_that_can_be_read(told: list[Fact]) -> None:
    rows = [FactRow(seq, START, fact) for seq, fact in enumerate(told, 1)]
    record = compose(past(*rows), Verdict(Outcome.UPDATED, START))
    assert msgspec.json.decode(msgspec.json.encode(record), type=Record) == record


def test_finish_is_what_the_other_tests_take_it_for(journal: Journal, clock: SimulatedClock) -> None:
    assert finish(write_job(journal, "r", clock), clock) == journal.record("r")
