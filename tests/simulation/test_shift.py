"""A shift of a station, judged against the modules' true state; and the judge itself."""

import pytest

from atota.errors import Outcome
from atota.station.admission import Admissions
from atota.station.lane import Verdict
from scripts.simulate_parts.shift import run_shift

PLAN = "scripts.simulate_parts.shift_plan"


@pytest.mark.parametrize("seed", [1, 4])
def test_a_shift_with_deaths_breaks_no_promise_and_is_repeated_by_its_seed(seed: int) -> None:
    shift = run_shift(seed, units=30, lanes=4)
    assert shift.broken == []
    assert shift.begun > 10
    assert shift == run_shift(seed, units=30, lanes=4)


def test_the_judge_finds_a_pass_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{PLAN}.FAULTS", ("rollback",))
    monkeypatch.setattr("atota.station.desk.verdict_of", lambda _outcome: Verdict.PASS)
    shift = run_shift(11, units=4, lanes=2)
    assert any("pass old-version: it is not a good end" in text for text in shift.broken)


def test_the_judge_finds_a_unit_that_is_run_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{PLAN}.FAULTS", ("",))
    monkeypatch.setattr(Admissions, "earlier", lambda _self, _unit: None)
    broken = [text for seed in range(4) for text in run_shift(seed, units=40, lanes=4).broken]
    assert any("was run 2 times, and 0 were asked for" in text for text in broken)


def test_the_judge_finds_a_job_that_has_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atota.journal.store.Journal.recover", lambda _self: [])
    monkeypatch.setattr("scripts.simulate_parts.shift.LIFE", (300, 3000))
    broken = [text for seed in range(2) for text in run_shift(seed, units=10, lanes=4).broken]
    assert any("was begun, and has no verdict" in text for text in broken)


def test_the_judge_finds_an_ending_of_the_station_that_is_told_of_the_unit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(f"{PLAN}.FAULTS", ("unplug-at:c9",))
    monkeypatch.setattr(
        "atota.station.desk.verdict_of",
        lambda outcome: Verdict.FAIL if outcome is Outcome.PORT else Verdict.PASS,
    )
    broken = [text for seed in range(3) for text in run_shift(seed, units=4, lanes=2).broken]
    assert any("fail port: its exit code is 4" in text for text in broken)
