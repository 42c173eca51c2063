"""The lane's life: a table of ways through it, and a machine that tries every order of events."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from atota.station.lane import (
    AT_WORK,
    SETTLE_S,
    SHOWN_S,
    Action,
    Admitted,
    Again,
    Block,
    Ended,
    Ending,
    Event,
    Lane,
    LaneState,
    Looked,
    Release,
    Switch,
    Verdict,
    Wanted,
    step,
)

S = LaneState
PASSED = Ended(Ending(verdict=Verdict.PASS, record_id="r-1"))


def way(*events: tuple[float, Event]) -> tuple[list[LaneState], list[Action]]:
    """Return the states and the actions of a lane that events come to, each after a pause in seconds."""
    lane, now = Lane(), 0.0
    states: list[LaneState] = [lane.state]
    actions: list[Action] = []
    for pause, event in events:
        now += pause
        lane, due = step(lane, event, now)
        actions.extend(due)
        if states[-1] is not lane.state:
            states.append(lane.state)
    return states, actions


PLUGGED = (
    (0.0, Looked(None)),
    (0.25, Looked("a")),
    (0.25, Looked("a")),
    (SETTLE_S, Looked("a")),
)


def test_a_unit_that_passes_goes_through_every_state_of_the_contract() -> None:
    states, actions = way(
        *PLUGGED,
        (1.0, Wanted()),
        (1.0, Admitted()),
        (60.0, PASSED),
        (SHOWN_S, Looked("a")),
        (5.0, Looked("a")),
        (0.25, Looked(None)),
    )
    assert states == [
        S.OFF, S.EMPTY, S.APPEARED, S.SETTLING, S.IDENTIFYING, S.WANTING_SCAN, S.RUNNING, S.PASSED,
        S.REMOVE_UNIT, S.EMPTY,
    ]  # fmt: skip
    assert actions == [Action.START]


def test_a_replug_between_two_looks_is_a_removal() -> None:
    states, actions = way(
        *PLUGGED, (1.0, Admitted()), (9.0, PASSED), (SHOWN_S, Looked("a")), (0.25, Looked("b")),
        (0.25, Looked("b")), (0.25, Looked("b")), (SETTLE_S, Looked("b")),
    )  # fmt: skip
    assert states[-5:] == [S.REMOVE_UNIT, S.EMPTY, S.APPEARED, S.SETTLING, S.IDENTIFYING]
    assert actions == [Action.START, Action.START]


def test_a_verdict_without_a_record_is_a_station_error_and_blocks_the_lane() -> None:
    states, _ = way(
        *PLUGGED, (1.0, Admitted()), (9.0, Ended(Ending(verdict=Verdict.PASS))), (SHOWN_S, Looked("a")),
        (0.25, Looked(None)),
    )  # fmt: skip
    assert states[-3:] == [S.STATION_ERROR, S.REMOVE_UNIT, S.BLOCKED]


def test_a_module_that_goes_away_at_its_reboot_is_lost_and_found() -> None:
    states, _ = way(
        *PLUGGED, (1.0, Admitted()), (9.0, Looked(None)), (9.0, Looked("a2")), (1.0, PASSED),
        (SHOWN_S, Looked("a2")), (9.0, Looked("a2")),
    )  # fmt: skip
    assert states[-5:] == [S.RUNNING, S.LOST, S.RUNNING, S.PASSED, S.REMOVE_UNIT]


def test_a_lane_that_is_found_again_goes_on_waiting_for_its_scan() -> None:
    states, _ = way(*PLUGGED, (1.0, Wanted()), (1.0, Looked(None)), (1.0, Looked("a")))
    assert states[-3:] == [S.WANTING_SCAN, S.LOST, S.WANTING_SCAN]


def test_the_unit_of_a_lost_port_must_leave_before_the_next_one_starts() -> None:
    lost = Ended(Ending(verdict=Verdict.STATION_ERROR, record_id="r", is_lost=True))
    states, actions = way(
        *PLUGGED, (1.0, Admitted()), (1.0, Looked(None)), (9.0, Looked("b")), (1.0, lost),
        (SHOWN_S, Looked("b")), (0.25, Looked("b")), (0.25, Looked("b")),
    )  # fmt: skip
    assert states[-4:] == [S.STATION_ERROR, S.REMOVE_UNIT, S.EMPTY, S.APPEARED]
    assert actions == [Action.START]


def test_a_unit_that_was_done_before_runs_only_on_purpose() -> None:
    done = Ended(Ending(verdict=None))
    states, actions = way(*PLUGGED, (1.0, done), (60.0, Looked("a")), (1.0, Again()))
    assert states[-3:] == [S.IDENTIFYING, S.REMOVE_UNIT, S.IDENTIFYING]
    assert actions == [Action.START, Action.START_AGAIN]


def test_a_unit_that_was_just_judged_has_to_be_put_in_again_for_a_retest() -> None:
    failed = Ended(Ending(verdict=Verdict.FAIL, record_id="r"))
    states, actions = way(*PLUGGED, (1.0, Admitted()), (9.0, failed), (1.0, Again()), (9.0, Again()))
    assert states[-1] is S.FAILED
    assert actions == [Action.START, Action.PERMIT, Action.PERMIT]


def test_a_unit_that_sits_badly_has_to_stay_for_longer() -> None:
    flapping = [(0.25, Looked(token)) for token in ("a", "a", None, "b", "b", None, "c", "c")]
    states, actions = way((0.0, Looked(None)), *flapping, (SETTLE_S, Looked("c")))
    assert (states[-1], actions) == (S.SETTLING, [])
    assert way((0.0, Looked(None)), *flapping, (5.0, Looked("c")))[1] == [Action.START]


@pytest.mark.parametrize("event", [Block("quota used up"), Switch(on=False)])
def test_a_stop_lets_a_lane_finish_and_the_unit_be_removed(event: Event) -> None:
    states, _ = way(
        *PLUGGED, (1.0, Admitted()), (1.0, event), (9.0, PASSED), (SHOWN_S, Looked("a")), (1.0, Looked(None))
    )
    stopped = S.BLOCKED if isinstance(event, Block) else S.OFF
    assert states[-4:] == [S.RUNNING, S.PASSED, S.REMOVE_UNIT, stopped]


def test_a_unit_that_was_put_in_while_the_lane_was_blocked_runs_after_the_release() -> None:
    states, actions = way(
        (0.0, Looked(None)), (1.0, Block("disk")), (1.0, Looked("a")), (1.0, Release()), (1.0, Looked("a")),
        (1.0, Looked("a")), (SETTLE_S, Looked("a")),
    )  # fmt: skip
    assert states == [S.OFF, S.EMPTY, S.BLOCKED, S.EMPTY, S.APPEARED, S.SETTLING, S.IDENTIFYING]
    assert actions == [Action.START]


class LaneMachine(RuleBasedStateMachine):
    """Any order of events; the promises of the lane are judged by a model of what is really in it."""

    def __init__(self) -> None:
        super().__init__()
        self.lane = Lane()
        self.now = 0.0
        self.inside: str | None = None
        self.count = 0
        self.worked_on: str | None = None
        self.has_been_empty = True

    def take(self, event: Event, *, pause: float = 0.25) -> tuple[Action, ...]:
        self.now += pause
        before = self.lane
        self.lane, actions = step(before, event, self.now)
        if Action.START in actions:
            assert self.inside is not None
            assert self.inside != self.worked_on, "the same thing was never taken out"
            assert before.block is None
            assert before.is_on
            self.worked_on = self.inside
        if Action.START_AGAIN in actions:
            assert isinstance(event, Again)
            assert before.verdict is None, "a verdict stands on this unit"
        return actions

    @rule()
    def plug(self) -> None:
        if self.inside is None:
            self.count += 1
            self.inside = f"unit-{self.count}"

    @rule()
    def pull(self) -> None:
        self.inside = None

    @rule(pause=st.sampled_from([0.25, 1.0, 3.0]))
    def look(self, pause: float) -> None:
        self.take(Looked(self.inside), pause=pause)

    @rule(pause=st.sampled_from([1.0, 3.0]), times=st.integers(2, 6))
    def look_for_a_while(self, pause: float, times: int) -> None:
        for _ in range(times):
            self.take(Looked(self.inside), pause=pause)

    @rule(event=st.sampled_from([Block("x"), Release(), Switch(on=False), Switch(on=True), Again()]))
    def interfere(self, event: Event) -> None:
        self.take(event)

    @precondition(lambda self: self.lane.is_at_work)
    @rule(event=st.sampled_from([Wanted(), Admitted()]))
    def go_on(self, event: Event) -> None:
        self.take(event)
        assert self.lane.is_at_work

    @precondition(lambda self: self.lane.is_at_work)
    @rule(
        verdict=st.sampled_from([*Verdict, None]),
        record=st.sampled_from(["r", None]),
        is_lost=st.booleans(),
    )
    def end(self, verdict: Verdict | None, record: str | None, is_lost: bool) -> None:
        self.take(Ended(Ending(verdict=verdict, record_id=record, is_lost=is_lost)))
        if not is_lost and self.lane.seen is not None:
            self.worked_on = self.lane.seen
        if self.lane.state in (S.PASSED, S.FAILED):
            assert record is not None
        assert not self.lane.is_at_work

    @invariant()
    def a_verdict_is_shown_only_where_it_stands(self) -> None:
        if self.lane.state in AT_WORK or self.lane.state in (S.EMPTY, S.APPEARED, S.SETTLING):
            assert self.lane.verdict is None

    @invariant()
    def an_idle_lane_obeys_its_stops(self) -> None:
        if self.lane.state in (S.EMPTY, S.APPEARED, S.SETTLING):
            assert self.lane.is_on
            assert self.lane.block is None


LaneMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLaneMachine = LaneMachine.TestCase
