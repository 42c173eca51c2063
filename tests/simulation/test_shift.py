"""A shift of a station, judged against the modules' true state; and the judge itself."""

import pytest

from atota.station.lane import Verdict
from scripts.simulate_parts.shift import run_shift


def test_a_shift_with_pulled_cloned_and_faulty_units_and_deaths_breaks_no_promise() -> None:
    shift = run_shift(11, units=24, lanes=4)
    assert shift.broken == []
    assert shift.deaths > 0
    assert sum(shift.verdicts.values()) > 5


def test_the_judge_finds_a_pass_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.simulate_parts.shift.FAULTS", ("rollback",))
    monkeypatch.setattr("atota.station.desk.verdict_of", lambda _outcome: Verdict.PASS)
    shift = run_shift(11, units=4, lanes=2)
    assert any("pass old-version: the module unit-" in text for text in shift.broken)
