"""Whole stations: units go in and out, and every verdict has its record on the disk before it is shown."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from atota.clock import SystemClock
from atota.errors import LimitReached, UsageError
from atota.journal.store import Journal
from atota.station.desk import VerdictEvent
from atota.station.lane import LaneState, Verdict
from atota.station.view import AgainCommand, ReleaseCommand, RemovedCommand, ScanCommand, SwitchCommand
from tests.station.conftest import IMEIS, RunningStation

Start = Callable[..., RunningStation]
S = LaneState


def unit(index: int = 0, more: str = "") -> str:
    return f"sim://BC28?imei={IMEIS[index]}{more}"


def test_a_unit_passes_and_its_record_names_its_place(start: Start) -> None:
    station = start()
    view = station.run_unit(unit())
    assert (view.verdict, view.outcome, view.imei) == (Verdict.PASS, "updated", IMEIS[0])
    record = station.journal.record(view.record_id or "")
    assert record.station is not None
    assert (record.station.name, record.station.lane, record.station.batch) == ("bench", 1, "B-1")
    assert record.imei == IMEIS[0]
    counters = station.hub.snapshot().counters
    assert (counters.passed, counters.failed, counters.first_pass_yield) == (1, 0, 1.0)
    assert station.places[1].states == [
        "empty", "appeared", "settling", "identifying", "running", "passed", "remove-unit", "empty",
    ]  # fmt: skip


def test_a_unit_that_rolls_back_fails_and_is_counted(start: Start) -> None:
    station = start()
    view = station.run_unit(unit(more="&fault=rollback"))
    assert (view.verdict, view.exit_code) == (Verdict.FAIL, 12)
    assert view.hint
    assert station.hub.snapshot().counters.failed == 1


def test_the_same_unit_again_is_shown_as_done_and_runs_only_on_purpose(start: Start) -> None:
    station = start()
    station.run_unit(unit())
    station.places[1].put_in(unit())
    view = station.wait_for(S.REMOVE_UNIT)
    assert view.done_before is not None
    assert "updated on lane 1" in view.done_before
    assert view.verdict is None
    assert len(station.reporter.verdicts) == 1
    assert station.hub.send(AgainCommand(lane=1, reason="the antenna was changed")).ok
    station.wait(lambda: len(station.reporter.verdicts) == 2)
    assert station.hub.snapshot().counters.retested == 1
    released = [record for record in station.journal.records() if record.release is not None]
    assert [record.release.reason for record in released if record.release] == ["the antenna was changed"]


def test_a_unit_that_was_done_is_known_after_a_restart(start: Start, tmp_path: Path) -> None:
    first = start()
    first.run_unit(unit())
    first.stop.set()
    first.thread.join()
    second = start(journal=first.journal)
    assert second.hub.snapshot().counters.passed == 1
    second.places[1].put_in(unit())
    assert second.wait_for(S.REMOVE_UNIT).done_before


def test_a_failed_unit_may_run_again_once_it_was_asked_for(start: Start) -> None:
    station = start()
    station.places[1].put_in(unit(more="&fault=rollback"))
    station.wait(lambda: bool(station.reporter.verdicts))
    reply = station.hub.send(AgainCommand(lane=1, reason="seated badly"))
    assert reply.sentence == "take the unit out of lane 1 and put it in again"
    station.remove()
    view = station.run_unit(unit())
    assert (view.verdict, view.is_retest) == (Verdict.PASS, True)
    counters = station.hub.snapshot().counters
    assert (counters.passed, counters.retested, counters.first_pass_yield) == (1, 1, 0.0)


def test_of_two_modules_with_one_imei_the_second_is_not_touched(start: Start) -> None:
    station = start(lanes=2, more='[scan]\nserial = "required"\npattern = "SN\\\\d+"')
    station.places[1].put_in(unit())
    station.wait_for(S.WANTING_SCAN, 1)
    view = station.run_unit(unit(), 2)
    assert (view.verdict, view.outcome, view.exit_code) == (Verdict.STATION_ERROR, "limit", 13)
    assert "lane 1 works on a unit with the same number" in view.sentence
    station.stop.set()


def test_a_label_is_waited_for_and_bound_to_its_module(start: Start) -> None:
    station = start(more='[scan]\nserial = "required"\npattern = "SN\\\\d+"\noperator = "OP:(\\\\w+)"')
    assert station.hub.send(ScanCommand(text="OP:anna\r\n")).ok
    station.places[1].put_in(unit())
    assert station.wait_for(S.WANTING_SCAN).wanted_scan == "label"
    assert station.hub.send(ScanCommand(text="hello")).ok is False
    assert station.hub.snapshot().scanned == "hello"
    assert station.hub.send(ScanCommand(text="SN1234")).sentence == "lane 1: SN1234"
    station.wait(lambda: bool(station.reporter.verdicts))
    event = station.reporter.verdicts[0]
    assert (event.verdict, event.serial) == (Verdict.PASS, "SN1234")
    (record,) = station.journal.records(serial="SN1234")
    assert record.station is not None
    assert (record.station.operator, record.station.scan) == ("anna", "SN1234")
    assert station.hub.snapshot().operator == "anna"


def test_a_label_of_another_unit_fails_with_nothing_written(start: Start) -> None:
    station = start(more='[scan]\nserial = "required"\npattern = "SN\\\\d+"', lanes=2)
    station.places[1].put_in(unit(0))
    station.wait_for(S.WANTING_SCAN)
    station.hub.send(ScanCommand(text="SN1", lane=1))
    station.wait(lambda: bool(station.reporter.verdicts))
    station.places[2].put_in(unit(1))
    station.wait_for(S.WANTING_SCAN, 2)
    station.hub.send(ScanCommand(text="SN1", lane=2))
    station.wait(lambda: len(station.reporter.verdicts) == 2)
    event = station.reporter.verdicts[1]
    assert (event.verdict, event.exit_code) == (Verdict.FAIL, 6)
    assert "belongs to another unit" in station.lane(2).sentence
    record = station.journal.record(event.record_id or "")
    assert (record.written, record.imei) == (None, IMEIS[1])
    assert "write" not in {stage.stage for stage in record.stages if stage.state != "skipped"}


def test_a_unit_that_is_taken_out_while_its_label_is_awaited_is_not_counted_against_it(start: Start) -> None:
    station = start(more='[scan]\nserial = "required"\npattern = "SN\\\\d+"')
    station.places[1].put_in(unit())
    station.wait_for(S.WANTING_SCAN)
    station.places[1].take_out()
    station.wait(lambda: bool(station.reporter.verdicts))
    event = station.reporter.verdicts[0]
    assert (event.verdict, event.exit_code) == (Verdict.STATION_ERROR, 4)
    assert station.hub.snapshot().counters.failed == 0
    station.wait_for(S.EMPTY)


def test_failures_in_a_row_stop_the_lane_until_a_person_says_why(start: Start) -> None:
    station = start(more="[stop]\nfailures_lane = 2\nmin_free_mb = 0")
    for index in range(2):
        station.run_unit(unit(index, "&fault=rollback"))
    view = station.wait_for(S.BLOCKED)
    assert view.blocked == "lane 1: 2 units in a row failed"
    assert [notice.may_release for notice in station.hub.snapshot().notices] == [True]
    assert not station.hub.send(ReleaseCommand(reason=" ", lane=1)).ok
    assert station.hub.send(ReleaseCommand(reason="needle bed cleaned", lane=1, by="eva")).ok
    station.wait_for(S.EMPTY)
    assert station.hub.snapshot().notices == ()
    record = next(record for record in station.journal.records() if record.release is not None)
    assert record.release is not None
    assert (record.release.by, record.release.reason) == ("eva", "needle bed cleaned")
    assert station.run_unit(unit(2)).verdict is Verdict.PASS


def test_the_quota_of_a_batch_stops_all_lanes(start: Start) -> None:
    station = start(work='batch = "B-1"\nquota = 1', lanes=2)
    station.run_unit(unit())
    assert station.wait_for(S.BLOCKED, 2).blocked == (
        "the quota of the batch is used up: 1 of 1 units passed"
    )
    assert station.hub.snapshot().counters.quota == 1


def test_a_lane_that_is_switched_off_starts_nothing(start: Start) -> None:
    station = start()
    station.wait_for(S.EMPTY)
    assert station.hub.send(SwitchCommand(lane=1, on=False)).ok
    station.wait_for(S.OFF)
    station.places[1].put_in(unit())
    assert station.hub.send(SwitchCommand(lane=1, on=True)).ok
    station.wait(lambda: bool(station.reporter.verdicts))
    assert station.reporter.verdicts[0].verdict is Verdict.PASS


def test_no_pass_is_shown_whose_record_is_not_on_the_disk(start: Start, tmp_path: Path) -> None:
    def refuse(table: str) -> None:
        if table == "verdict":
            raise LimitReached("the disk is full")

    with Journal(tmp_path / "full.sqlite3", clock=SystemClock(), before_write=refuse) as journal:
        station = start(journal=journal)
        station.places[1].put_in(unit())
        station.wait(lambda: bool(station.reporter.verdicts))
        event = station.reporter.verdicts[0]
        assert (event.verdict, event.record_id) == (Verdict.STATION_ERROR, None)
        assert S.PASSED not in {state for _, state in station.reporter.states}
        assert [notice.key for notice in station.hub.snapshot().notices] == ["journal"]
        station.places[1].take_out()
        station.wait_for(S.BLOCKED)
        station.stop.set()
        station.thread.join()


def test_a_bug_in_a_job_ends_it_with_a_record_and_the_lane_goes_on(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = start()
    with monkeypatch.context() as patch:
        patch.setattr("atota.update.run.Run.execute", lambda _run: 1 // 0)
        view = station.run_unit(unit())
    assert (view.verdict, view.exit_code) == (Verdict.STATION_ERROR, 1)
    assert "ZeroDivisionError" in view.sentence
    assert station.journal.record(view.record_id or "").outcome == "error"
    assert station.run_unit(unit(1)).verdict is Verdict.PASS


def test_only_so_many_lanes_work_at_once_as_the_file_says(start: Start) -> None:
    station = start(work='batch = "B-1"\nmax_active = 1', lanes=3)
    for number in (1, 2, 3):
        station.places[number].put_in(unit(number))
    station.wait(lambda: len(station.reporter.verdicts) == 3)
    running = most = 0
    working: set[int] = set()
    for number, state in station.reporter.states:
        if state is S.RUNNING:
            working.add(number)
        elif state in (S.PASSED, S.FAILED, S.STATION_ERROR):
            working.discard(number)
        running = len(working)
        most = max(most, running)
    assert most == 1
    assert {event.verdict for event in station.reporter.verdicts} == {Verdict.PASS}


def test_a_station_that_is_stopped_ends_its_jobs_with_records(start: Start) -> None:
    station = start(more='[scan]\nserial = "required"\npattern = "SN\\\\d+"')
    station.places[1].put_in(unit())
    station.wait_for(S.WANTING_SCAN)
    station.stop.set()
    station.thread.join()
    event = station.reporter.verdicts[0]
    assert (event.verdict, event.outcome) == (Verdict.STATION_ERROR, "interrupted")
    assert station.journal.record(event.record_id or "").exit_code == 130


def test_a_unit_that_is_not_in_the_list_of_devices_is_not_flashed(start: Start, tmp_path: Path) -> None:
    (tmp_path / "devices.csv").write_text(f"imei,dev_id\n{IMEIS[1]},6523\n")
    station = start('[devices]\nfile = "devices.csv"')
    view = station.run_unit(f"sim://BC28?imei={IMEIS[0]}")
    assert (view.verdict, view.outcome) == (Verdict.STATION_ERROR, "limit")
    assert "is not in devices.csv" in view.sentence
    assert station.run_unit(f"sim://BC28?imei={IMEIS[1]}").verdict is Verdict.PASS


def test_a_unit_of_a_place_that_cannot_see_it_is_out_by_the_operators_word(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = start()
    assert station.hub.send(RemovedCommand(lane=1)).sentence == "lane 1 has no unit that is done"
    station.places[1].put_in(unit(more="&fault=rollback"))
    station.wait(lambda: bool(station.reporter.verdicts))
    assert station.hub.send(RemovedCommand(lane=1)).sentence == "lane 1 sees its unit: take it out"
    assert station.lane().verdict is Verdict.FAIL

    def clear() -> bool:
        station.places[1].take_out()
        return True

    monkeypatch.setattr(station.places[1], "clear", clear)
    assert station.hub.send(RemovedCommand(lane=1)).ok
    station.wait_for(S.EMPTY)


GOLDEN = f'[stop]\nmin_free_mb = 0\ngolden_every_h = 8\ngolden = ["{IMEIS[3]}"]'


def test_nothing_runs_before_a_golden_unit_has_passed_and_then_all_lanes_do(start: Start) -> None:
    station = start(more=GOLDEN)
    view = station.run_unit(unit())
    assert (view.verdict, view.exit_code) == (Verdict.STATION_ERROR, 13)
    assert "no golden unit has passed" in view.sentence
    (notice,) = station.hub.snapshot().notices
    assert (notice.key, notice.text) == ("golden", "no golden unit has passed on this station yet")
    golden = station.run_unit(unit(3))
    assert golden.verdict is Verdict.PASS
    record = station.journal.record(golden.record_id or "")
    assert record.station is not None
    assert record.station.is_golden
    assert station.hub.snapshot().notices == ()
    assert station.run_unit(unit()).verdict is Verdict.PASS
    counters = station.hub.snapshot().counters
    assert (counters.passed, counters.failed, counters.retested) == (1, 0, 0)


def test_a_golden_unit_that_is_due_again_stops_the_work_and_may_always_run(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = start(more=GOLDEN)
    assert station.run_unit(unit(3)).verdict is Verdict.PASS
    assert station.run_unit(unit(0)).verdict is Verdict.PASS
    now = SystemClock().time()
    monkeypatch.setattr(SystemClock, "time", lambda _clock: now + 9 * 3600)
    view = station.run_unit(unit(1))
    assert (view.verdict, view.exit_code) == (Verdict.STATION_ERROR, 13)
    assert "overdue: the last passed 9.0 h ago" in view.sentence
    assert station.run_unit(unit(3)).verdict is Verdict.PASS
    assert station.run_unit(unit(1)).verdict is Verdict.PASS


def test_a_golden_unit_that_fails_stops_the_work_until_one_passes(start: Start) -> None:
    station = start(more=GOLDEN)
    assert station.run_unit(unit(3)).verdict is Verdict.PASS
    assert station.run_unit(unit(3, "&fault=rollback")).verdict is Verdict.FAIL
    view = station.run_unit(unit(0))
    assert (view.verdict, view.exit_code) == (Verdict.STATION_ERROR, 13)
    assert "the last golden unit failed" in view.sentence
    assert station.hub.snapshot().counters.failed == 0
    station.stop.set()
    station.thread.join()
    again = start(more=GOLDEN, journal=station.journal)
    assert "the last golden unit failed" in again.run_unit(unit(0)).sentence
    assert again.run_unit(unit(3)).verdict is Verdict.PASS
    assert again.run_unit(unit(0)).verdict is Verdict.PASS


def slot_taken(start: Start) -> RunningStation:
    """Return a station whose only slot is taken by lane 1, while lane 2 waits for it."""
    station = start(work='batch = "B-1"\nmax_active = 1', lanes=2)
    station.places[1].put_in(unit(0, "&speed=2"))
    station.wait_for(S.RUNNING, 1)
    station.places[2].put_in(unit(1))
    station.wait(lambda: station.lane(2).imei == IMEIS[1])
    return station


def test_a_unit_that_is_taken_out_while_it_waits_for_a_slot_is_not_counted_against_it(start: Start) -> None:
    station = slot_taken(start)
    station.places[2].take_out()
    station.wait(lambda: bool(station.reporter.verdicts))
    event = station.reporter.verdicts[0]
    assert (event.lane, event.verdict, event.exit_code) == (2, Verdict.STATION_ERROR, 4)
    assert station.journal.record(event.record_id or "").written is None


def test_a_station_that_ends_leaves_no_lane_waiting_for_a_slot(start: Start) -> None:
    station = slot_taken(start)
    station.stop.set()
    station.thread.join()
    ends = {event.lane: event.exit_code for event in station.reporter.verdicts}
    assert ends == {1: 130, 2: 130}
    assert {record.outcome for record in station.journal.records()} == {"interrupted"}


def test_a_wrong_setting_of_a_lane_is_the_stations_fault(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong call (exit 2) cannot be: nobody calls a lane's job, so what is wrong is a file (exit 3)."""

    def refuse(_run: object) -> None:
        raise UsageError("the device's name is missing", hint="Give --device-name.")

    station = start()
    with monkeypatch.context() as patch:
        patch.setattr("atota.update.run.Run.execute", refuse)
        view = station.run_unit(unit())
    assert (view.verdict, view.outcome, view.exit_code) == (Verdict.STATION_ERROR, "bad-config", 3)
    with monkeypatch.context() as patch:
        patch.setattr(station.parts, "spec", lambda _lane, _port: refuse(None))
        view = station.run_unit(unit(1))
    assert (view.verdict, view.outcome, view.exit_code) == (Verdict.STATION_ERROR, "bad-config", 3)
    assert {record.outcome for record in station.journal.records()} == {"bad-config"}


def test_a_station_that_runs_for_weeks_keeps_its_latest_verdicts_only(start: Start) -> None:
    station = start()
    event = VerdictEvent(
        lane=1, job="", verdict=Verdict.PASS, outcome="updated", exit_code=0, record_id=None,
        imei=None, serial=None,
    )  # fmt: skip
    for number in range(1200):
        station.station.judged(msgspec.structs.replace(event, job=f"{number}"), None, None)
    assert [one.job for one in station.station.verdicts] == [f"{number}" for number in range(200, 1200)]
