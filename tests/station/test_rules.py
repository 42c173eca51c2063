"""The pure rules of a station: codes, interlocks, sums."""

import datetime as dt
from pathlib import Path

import msgspec
import pytest

from atota.clock import SimulatedClock, utc_iso
from atota.errors import LimitReached, Outcome
from atota.journal.facts import ErrorFact, StationFact
from atota.journal.model import Record, RecordStage
from atota.journal.store import Journal
from atota.line.reading import columns
from atota.outcomes import JOB_OUTCOMES
from atota.station.admission import Admissions, Unit
from atota.station.config import DevicesTable, ScanTable, StopTable
from atota.station.devices import Devices
from atota.station.interlocks import Standing, Streaks, stops
from atota.station.lane import Verdict
from atota.station.scanning import ONCE_S, Scanner
from atota.station.tally import Attempt, Tally, attempt_of, tally_of, verdict_of

PATTERNS = ScanTable(pattern=r"SN(\d{4})", operator=r"OP:(\w+)", lane=r"LANE:(\d{2})")
P, F, E = Verdict.PASS, Verdict.FAIL, Verdict.STATION_ERROR


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("SN1234\r\n", "label", "1234"),
        ("\x02OP:anna\x03", "operator", "anna"),
        ("LANE:07", "lane", "07"),
        ("SN12345", "unknown", ""),
        ("<script>", "unknown", ""),
    ],
)
def test_a_code_is_known_by_the_pattern_that_fits_all_of_it(text: str, kind: str, value: str) -> None:
    code = Scanner(PATTERNS).read(text, 0.0)
    assert (code.kind, code.value) == (kind, value)


def test_the_same_code_counts_once_in_a_second_and_a_half() -> None:
    scanner = Scanner(PATTERNS)
    kinds = [
        scanner.read(text, now).kind for text, now in (("SN1234", 0.0), ("SN1234", 1.0), ("SN1235", 1.1))
    ]
    assert kinds == ["label", "repeated", "label"]
    assert scanner.read("SN1235", 1.1 + ONCE_S).kind == "label"


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (Outcome.UPDATED, P),
        (Outcome.ALREADY_CURRENT, P),
        (Outcome.UPDATED_UNREPORTED, P),
        (Outcome.NO_ANSWER, F),
        (Outcome.REFUSED, F),
        (Outcome.WRITE_FAILED, F),
        (Outcome.UNKNOWN_AFTER_REBOOT, F),
        (Outcome.OLD_VERSION, F),
        (Outcome.TIMEOUT, F),
        (Outcome.USAGE, F),
        (Outcome.ERROR, E),
        (Outcome.BAD_CONFIG, E),
        (Outcome.PORT, E),
        (Outcome.SERVER, E),
        (Outcome.LIMIT, E),
        (Outcome.INTERRUPTED, E),
    ],
)
def test_endings_of_the_station_say_nothing_about_the_unit(outcome: Outcome, verdict: Verdict) -> None:
    assert verdict_of(outcome) is verdict


def record(outcome: Outcome, stages: tuple[str, ...]) -> Record:
    return Record(
        id="r-1",
        run="r",
        attempt=1,
        outcome=outcome,
        exit_code=outcome.exit_code,
        started_at=utc_iso(0.0),
        ended_at=utc_iso(60.0),
        command="flash",
        port="sim://BC28",
        imei="490154203237518",
        stages=[RecordStage(stage=stage, state="done", at=utc_iso(0.0)) for stage in stages],
        station=StationFact(name="bench", lane=1),
    )


@pytest.mark.parametrize("outcome", JOB_OUTCOMES)
@pytest.mark.parametrize("stages", [(), ("open",), ("open", "identify")])
def test_a_station_and_its_line_count_the_same(outcome: Outcome, stages: tuple[str, ...]) -> None:
    attempt = attempt_of(record(outcome, stages))
    row = columns(
        msgspec.Raw(msgspec.json.encode(record(outcome, stages))),
        journal="j",
        seq=1,
        digest="",
        station="bench",
        now=dt.datetime.now(dt.UTC),
        offset=dt.timedelta(),
    )
    assert (bool(attempt.unit), attempt.verdict is P) == (row.is_countable, row.is_passed)
    assert row.is_countable == (attempt.verdict is not E and stages != ("open",))


@pytest.mark.parametrize(
    ("stages", "code", "key"),
    [
        ((("open", "done"), ("write", "failed"), ("report", "done")), "write", "write:write-failed:write"),
        ((("open", "done"), ("write", "started")), None, "write:write-failed:-"),
        ((("open", "done"), ("identify", "done")), "", "identify:write-failed:-"),
        ((), "x.y", "-:write-failed:x.y"),
    ],
)
def test_a_failure_has_one_key_on_a_station_and_its_line(
    stages: tuple[tuple[str, str], ...], code: str | None, key: str
) -> None:
    one = msgspec.structs.replace(
        record(Outcome.WRITE_FAILED, ()),
        stages=[RecordStage(stage=stage, state=state, at=utc_iso(0.0)) for stage, state in stages],
        error=None if code is None else ErrorFact(code=code),
    )
    row = columns(
        msgspec.Raw(msgspec.json.encode(one)),
        journal="j",
        seq=1,
        digest="",
        station="bench",
        now=dt.datetime.now(dt.UTC),
        offset=dt.timedelta(),
    )
    assert (attempt_of(one).key, row.failure) == (key, key)


def streaks(*verdicts: tuple[int, Verdict]) -> Streaks:
    result = Streaks()
    for lane, verdict in verdicts:
        result = result.after(lane, verdict)
    return result


def test_failures_in_a_row_are_broken_by_a_pass_and_not_by_the_station() -> None:
    assert streaks((1, F), (1, E), (1, F)).lanes[1] == 2
    assert streaks((1, F), (1, P), (1, F)).lanes[1] == 1
    assert streaks((1, F), (2, F), (3, F)).station == 3
    assert streaks((1, F), (2, P)) == Streaks({1: 1, 2: 0}, 0)
    assert streaks((1, F), (2, F)).released(1) == Streaks({1: 0, 2: 1}, 2)


@pytest.mark.parametrize(
    ("standing", "key", "lane", "may_release"),
    [
        (Standing(streaks=Streaks({4: 3}, 3)), "failures-lane-4", 4, True),
        (Standing(streaks=Streaks({}, 6)), "failures-station", None, True),
        (Standing(quota=10, passed=10), "quota", None, False),
        (Standing(free_mb=499.0), "disk", None, False),
        (Standing(journal_problem="the disk is full"), "journal", None, True),
        (Standing(now=1000.0, newest_record_at=1061.0), "clock", None, False),
    ],
)
def test_each_interlock_stops_its_lane_or_all(
    standing: Standing, key: str, lane: int | None, may_release: bool
) -> None:
    (stop,) = stops(StopTable(), standing)
    assert (stop.key, stop.lane, stop.may_release) == (key, lane, may_release)
    assert stop.hint.endswith(".")


def test_a_limit_of_0_switches_an_interlock_off() -> None:
    standing = Standing(streaks=Streaks({1: 99}, 99), free_mb=0.0)
    assert stops(StopTable(failures_lane=0, failures_station=0, min_free_mb=0), standing) == ()
    assert stops(StopTable(), Standing()) == ()


def test_yields_are_counted_by_units_and_by_their_first_and_last_attempt() -> None:
    tally = Tally()
    for at, (name, verdict) in enumerate(
        [("a", P), ("b", F), ("b", P), ("c", E), ("c", P), ("d", F), ("d", E), ("", F)]
    ):
        key = {F: "validate:write-failed", E: "open:port"}.get(verdict, "")
        tally.add(Attempt(unit=name, verdict=verdict, key=key, ended_at=60.0 * at, duration_ms=1000))
    summary = tally.summary("B")
    assert (summary.units, summary.passed, summary.failed, summary.retested) == (4, 3, 1, 1)
    assert (summary.first_pass_yield, summary.final_yield) == (0.5, 0.75)
    assert (summary.attempts, summary.station_errors) == (8, 2)
    assert [(cause.key, cause.count) for cause in summary.pareto] == [("validate:write-failed", 3)]
    assert summary.units_an_hour == pytest.approx(2 * 3600 / 240)


def test_a_label_that_was_read_for_two_lanes_is_let_in_once(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite3", clock=SimulatedClock()) as journal:
        admissions = Admissions(
            journal, Devices(DevicesTable()), tally_of(()), station="s", batch="B", clock=SimulatedClock()
        )
        first, second = Unit(imei="490154203237518"), Unit(imei="490154203237526")
        admissions.check_label(1, first, "SN1")
        with pytest.raises(LimitReached, match="lane 1 works on a unit with the same label, SN1"):
            admissions.check_label(2, second, "SN1")
        admissions.leave(1, had_slot=False)
        admissions.check_label(2, second, "SN1")
