"""The people of a shift: hands that plug, pull, flap and mix up units, a scanner, and a lead who releases."""

import random

from atota.station.hub import Hub
from atota.station.lane import AT_WORK, LaneState, Verdict
from atota.station.view import AgainCommand, LaneView, ReleaseCommand, ScanCommand, StationView, SwitchCommand
from scripts.simulate_parts.shift_judge import Judge
from scripts.simulate_parts.shift_plan import Plan, Unit
from scripts.simulate_parts.shift_world import ShiftWorld

LOOK_S = 0.5
"""Seconds between two looks at the page."""
_PULL = dict.fromkeys(AT_WORK, 0.001) | {LaneState.APPEARED: 0.01, LaneState.SETTLING: 0.01}
"""How likely a unit is pulled at one look, in each state."""
_REMOVABLE = (LaneState.PASSED, LaneState.FAILED, LaneState.STATION_ERROR, LaneState.REMOVE_UNIT)
_VACANT = (LaneState.EMPTY, LaneState.BLOCKED)


class Operator:
    """The people of one shift.

    Args:
        rng: draws what they do.
        world: the lanes.
        judge: told what they do.
        plan: the units that lie ready, and the habits.
    """

    def __init__(self, rng: random.Random, world: ShiftWorld, judge: Judge, plan: Plan) -> None:
        self._random, self._world, self._judge, self._plan = rng, world, judge, plan
        self._ready = list(reversed(plan.supply))
        self._left = plan.units
        self._seen: list[Unit] = []
        self._off: set[int] = set()

    @property
    def is_done(self) -> bool:
        """True if all units were put in, and no lane has one."""
        return self._left <= 0 and not self._world.inside

    def look(self, hub: Hub) -> None:
        """Look at the page once, and do what is due."""
        view = hub.snapshot()
        for lane in view.lanes:
            self._serve(hub, view, lane)
        self._lead(hub, view)

    def _serve(self, hub: Hub, view: StationView, lane: LaneView) -> None:
        draw, state = self._random.random(), lane.state
        if lane.number not in self._world.inside:
            if state in _VACANT and self._left > 0 and draw < 0.3 and lane.number not in self._off:
                self._put_in(lane.number, view)
            return
        if state in _REMOVABLE:
            if draw < 0.01:
                self._again(hub, lane)
            elif draw < 0.3:
                self._take_out(lane.number)
        elif state in _VACANT:  # the lane is blocked, or the unit in the fixture says nothing
            if draw < 0.05:
                self._take_out(lane.number)
        elif self._plan.scan != "none" and (
            state is LaneState.WANTING_SCAN or (state is LaneState.SETTLING and draw > 0.9)
        ):
            if draw < 0.3 or state is LaneState.SETTLING:
                self._scan(hub, lane.number)
        elif not self._plan.is_careful and draw < _PULL.get(state, 0.0):
            unit = self._take_out(lane.number)
            if self._random.random() < 0.4:  # its contact bounces
                self._insert(lane.number, unit)

    # -- the hands ------------------------------------------------------------------------------------

    def _put_in(self, lane: int, view: StationView) -> None:
        unit = self._next(view)
        if unit is not None:
            self._left -= 1
            self._insert(lane, unit)

    def _insert(self, lane: int, unit: Unit) -> None:
        self._judge.put_in(lane)
        self._world.put_in(lane, unit)

    def _take_out(self, lane: int) -> Unit:
        return self._world.take_out(lane)

    def _next(self, view: StationView) -> Unit | None:
        inside = {unit.name for unit in self._world.inside.values()}
        if any(notice.key == "golden" for notice in view.notices) or self._random.random() < 0.01:
            golden = [unit for unit in self._plan.golden if unit.name not in inside]
            if golden:
                return self._random.choice(golden)
        returning = [unit for unit in self._seen[-40:] if unit.name not in inside]
        if returning and (self._random.random() < 0.12 or not self._ready):
            return self._random.choice(returning)
        if not self._ready:
            return None
        unit = self._ready.pop()
        self._seen.append(unit)
        return unit

    # -- the page and the scanner ---------------------------------------------------------------------

    def _scan(self, hub: Hub, lane: int) -> None:
        unit = self._world.inside[lane]
        if not self._plan.is_careful and self._seen and self._random.random() < 0.1:
            unit = self._random.choice(self._seen[-40:])  # another unit's label
        hub.send(ScanCommand(text=unit.label, lane=lane))

    def _again(self, hub: Hub, lane: LaneView) -> None:
        unit = self._world.inside[lane.number]
        if lane.verdict is Verdict.STATION_ERROR:
            return
        self._judge.wishes(lane.number, unit, is_inside=lane.verdict is None)
        if not hub.send(AgainCommand(lane=lane.number, reason="asked for")).ok:
            self._judge.wishes_not(lane.number, unit)

    def _lead(self, hub: Hub, view: StationView) -> None:
        """Release what a lead releases, after a while; switch a lane off and on now and then."""
        draw = self._random.random()
        for notice in view.notices:
            if notice.may_release and draw < 0.1:
                lane = notice.key.removeprefix("failures-lane-")
                number = int(lane) if lane.isdecimal() else None
                hub.send(ReleaseCommand(reason="looked after", lane=number, by="lead"))
        if draw > 0.998 and not self._off:
            number = self._random.randint(1, self._plan.lanes)
            self._off.add(number)
            hub.send(SwitchCommand(lane=number, on=False))
        elif self._off and draw > 0.95:
            hub.send(SwitchCommand(lane=self._off.pop(), on=True))
