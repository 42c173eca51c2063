"""The operator's commands: codes of the scanner, releases of stops, lanes on and off, units run again.

A release is written down before it counts, with its reason: it is a record of its own.
"""

import threading
import uuid
from collections.abc import Mapping
from typing import Protocol

from msgspec.structs import replace

from atota.clock import Clock
from atota.errors import AtotaError, Outcome
from atota.journal.facts import ReleaseFact, StationFact
from atota.journal.model import Opened
from atota.journal.store import Journal
from atota.station.config import ScanTable
from atota.station.desk import LaneDesk
from atota.station.hub import Hub
from atota.station.interlocks import Stop
from atota.station.lane import JUDGED, Again, LaneState, Switch
from atota.station.scanning import LANE_S, Scanner
from atota.station.view import (
    AgainCommand,
    Command,
    ReleaseCommand,
    RemovedCommand,
    Reply,
    ScanCommand,
    SwitchCommand,
)


class Stops(Protocol):
    """The station's stops, as people release them."""

    def releasable(self, lane: int | None) -> tuple[Stop, ...]:
        """Return the stops of a lane, or of the station, that a person may release."""
        ...

    def release(self, lane: int | None) -> None:
        """Lift them."""
        ...

    def station_fact(self, lane: int) -> StationFact:
        """Return the place that a record names."""
        ...


class Operators:
    """The people at one station.

    Args:
        desks: the lanes.
        stops: the station's stops.
        journal: takes what people decide.
        table: the codes of the scanner.
        hub: shows the last code.
        lock: orders the commands.
        clock: the station's time.

    Attributes:
        operator: the name of the one who has logged in.
    """

    def __init__(
        self,
        desks: Mapping[int, LaneDesk],
        stops: Stops,
        journal: Journal,
        table: ScanTable,
        hub: Hub,
        lock: "threading.RLock",
        clock: Clock,
    ) -> None:
        self.operator: str | None = None
        self._desks = desks
        self._stops = stops
        self._journal = journal
        self._scanner = Scanner(table)
        self._hub = hub
        self._lock = lock
        self._clock = clock
        self._chosen: tuple[int, float] | None = None

    def command(self, command: Command) -> Reply:
        """Carry out a command of the operator."""
        if isinstance(command, ScanCommand):
            return self._scanned(command)
        if isinstance(command, ReleaseCommand):
            return self._release(command)
        desk = self._desks.get(command.lane)
        if desk is None:
            return Reply(ok=False, sentence=f"there is no lane {command.lane}")
        if isinstance(command, SwitchCommand):
            desk.handle(Switch(on=command.on))
            return Reply(ok=True, sentence=f"lane {desk.number} is {'on' if command.on else 'off'}")
        if isinstance(command, RemovedCommand):
            return self._removed(desk)
        return self._again(desk, command)

    def _removed(self, desk: LaneDesk) -> Reply:
        if desk.lane.state not in JUDGED and desk.lane.state is not LaneState.REMOVE_UNIT:
            return Reply(ok=False, sentence=f"lane {desk.number} has no unit that is done")
        if not desk.clear():
            return Reply(ok=False, sentence=f"lane {desk.number} sees its unit: take it out")
        return Reply(ok=True, sentence=f"lane {desk.number} is ready for the next unit")

    def _again(self, desk: LaneDesk, command: AgainCommand) -> Reply:
        unit = desk.unit
        is_done = desk.lane.state is LaneState.REMOVE_UNIT and desk.lane.verdict is None
        if unit is None or not (is_done or desk.lane.verdict is not None):
            return Reply(ok=False, sentence=f"lane {desk.number} has no unit that was done before")
        problem = self._write_down(desk.number, f"unit {unit.key} was done before", command.reason, None)
        if problem is not None:
            return problem
        desk.handle(Again())
        if is_done:
            return Reply(ok=True, sentence=f"lane {desk.number} runs its unit again")
        return Reply(ok=True, sentence=f"take the unit out of lane {desk.number} and put it in again")

    def _release(self, command: ReleaseCommand) -> Reply:
        if not command.reason.strip():
            return Reply(ok=False, sentence="a release needs its reason")
        released = self._stops.releasable(command.lane)
        if not released:
            return Reply(ok=False, sentence="there is no stop here that a person releases")
        text = "; ".join(stop.text for stop in released)
        problem = self._write_down(command.lane or 0, text, command.reason, command.by)
        if problem is not None:
            return problem
        self._stops.release(command.lane)
        return Reply(ok=True, sentence=f"released: {command.reason.strip()}")

    def _write_down(self, lane: int, stop: str, reason: str, by: str | None) -> Reply | None:
        """Write a person's decision down as a record; return the reply if that cannot be."""
        by = by or self.operator
        try:
            entry = self._journal.open_job(
                Opened(run=uuid.uuid4().hex[:12], attempt=1, command="release", port="-")
            )
            entry.fact(replace(self._stops.station_fact(lane), operator=by))
            entry.fact(ReleaseFact(stop=stop, reason=reason.strip(), by=by))
            entry.verdict(Outcome.DONE)
        except AtotaError as error:
            return Reply(ok=False, sentence=error.message)
        return None

    def _scanned(self, command: ScanCommand) -> Reply:
        with self._lock:
            now = self._clock.monotonic()
            code = self._scanner.read(command.text, now, command.lane)
            if code.kind == "repeated":
                return Reply(ok=True, sentence=f"{code.text} was read already")
            if code.kind == "operator":
                self.operator = code.value
            self._hub.put_head(operator=self.operator, scanned=code.text)
            if code.kind == "operator":
                return Reply(ok=True, sentence=f"operator {code.value}")
            if code.kind == "lane":
                return self._choose(code.value, now)
            if code.kind == "label":
                return self._bind(code.value, code.text, command.lane, now)
        return Reply(ok=False, sentence=f"{code.text!r} is not a code of this station")

    def _choose(self, value: str, now: float) -> Reply:
        if not value.isdecimal() or int(value) not in self._desks:
            return Reply(ok=False, sentence=f"there is no lane {value}")
        self._chosen = int(value), now
        return Reply(ok=True, sentence=f"lane {int(value)}: scan its label")

    def _bind(self, value: str, text: str, lane: int | None, now: float) -> Reply:
        """Give a label to its lane: the one that was named, or the only one that may take it."""
        if lane is None and self._chosen is not None and now - self._chosen[1] <= LANE_S:
            lane = self._chosen[0]
        self._chosen = None
        if lane is None:
            waiting = [desk for desk in self._desks.values() if desk.lane.state is LaneState.WANTING_SCAN]
            candidates = waiting or (list(self._desks.values()) if len(self._desks) == 1 else [])
            if len(candidates) != 1:
                which = "more than one lane waits" if candidates else "no lane waits for a label"
                return Reply(ok=False, sentence=f"{which}: scan the lane's code first")
            lane = candidates[0].number
        desk = self._desks.get(lane)
        if desk is None:
            return Reply(ok=False, sentence=f"there is no lane {lane}")
        if desk.lane.state is LaneState.RUNNING or desk.lane.verdict is not None:
            return Reply(ok=False, sentence=f"lane {lane} does not wait for a label")
        desk.scanned = value, text
        return Reply(ok=True, sentence=f"lane {lane}: {value}")
