"""One lane as all others see it: its life, its job, and its picture.

Events of the lane's life come from the station's loop and from the lane's worker; one lock orders them. The
desk carries out the actions, keeps the picture, and tells each change to the hub and to the reporter.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec
from msgspec.structs import replace

from atota.clock import Clock
from atota.errors import LimitReached, Outcome
from atota.journal.facts import StationFact
from atota.journal.model import Record
from atota.station.admission import Unit, UnitDone
from atota.station.config import LaneTable
from atota.station.hub import Hub
from atota.station.lane import (
    Action,
    Admitted,
    Ended,
    Ending,
    Event,
    Lane,
    LaneState,
    Looked,
    Verdict,
    Wanted,
    step,
)
from atota.station.sockets import Socket
from atota.station.tally import verdict_of
from atota.station.view import LaneView
from atota.update.events import JobEvent, JobMeter, JobResult, Note, Progress, StageEvent
from atota.values import Identity, Stage

SHOW_EVERY_S = 0.2
"""Seconds between two pictures of a running bar."""
_WAITS: dict[Stage, str] = {
    "check": "the platform",
    "download": "the package",
    "validate": "the module's check of the package",
    "reboot": "the module's reboot",
    "report": "the platform",
}
_RESEAT = "Reseat the unit: its contacts bounce."


class VerdictEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on a unit, once its record is on the disk."""

    lane: int
    job: str
    verdict: Verdict
    outcome: str
    exit_code: int
    record_id: str | None
    imei: str | None
    serial: str | None
    sentence: str = ""


class Reporter(Protocol):
    """A reader of everything that happens in a station."""

    def lane(self, view: LaneView, job: str | None) -> None:
        """Take a lane's new state."""
        ...

    def verdict(self, event: VerdictEvent) -> None:
        """Take a verdict."""
        ...

    def job(self, lane: int, job: str, event: JobEvent) -> None:
        """Take an event of a lane's job."""
        ...


class Office(Protocol):
    """The station as its lanes see it."""

    def station_fact(self, lane: int) -> StationFact:
        """Return the place of a job that begins in a lane now."""
        ...

    def is_golden(self, unit: Unit) -> bool:
        """True if a unit proves the station. Raises LimitReached if that is overdue, and this is not one."""
        ...

    def started(self) -> None:
        """Take notice that a lane has begun a job."""
        ...

    def judged(self, event: VerdictEvent | None, record: Record | None, problem: str | None) -> None:
        """Take a verdict; None: the unit was done before. ``problem``: the journal has no record of it."""
        ...


@dataclass(frozen=True, slots=True)
class Common:
    """The parts that all lanes of a station share."""

    lock: "threading.RLock"
    clock: Clock
    hub: Hub
    reporter: Reporter
    office: Office
    label_mode: str
    hard_limit_s: float
    start: Callable[[int, Action, str], None]
    permit: Callable[[Unit], None]


class LaneDesk:
    """One lane.

    Args:
        table: its table in the station file.
        socket: its place.
        common: what it shares with the others.
    """

    def __init__(self, table: LaneTable, socket: Socket, common: Common) -> None:
        self.number = table.number
        self.lane = Lane()
        self.unit: Unit | None = None
        self.scanned: tuple[str, str] | None = None
        self.job: str | None = None
        self._socket = socket
        self._common = common
        self._place = table.key
        self._port = table.key
        self._meter = JobMeter()
        self._shown_at = 0.0
        self._judged_at: float | None = None
        self._plugged_at: float | None = None
        self._told_problem: str | None = None
        self.view = self._fresh()

    def _fresh(self) -> LaneView:
        return LaneView(number=self.number, state=self.lane.state, place=self._place)

    # -- its life --------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look at the place, and go on by that."""
        occupant = self._socket.look()
        if occupant is not None:
            self._port = occupant[1]
        self.handle(Looked(occupant[0] if occupant is not None else None))
        problem = (self._socket.problem or None) if self.lane.state is LaneState.EMPTY else None
        if problem != self.view.problem:
            self.show(problem=problem)
            if problem not in (None, self._told_problem):
                self._common.reporter.lane(self.view, None)
            self._told_problem = problem

    def clear(self) -> bool:
        """Take the operator's word that the unit is out; False: the place itself sees that."""
        return self._socket.clear()

    def handle(self, event: Event) -> None:
        """Take an event of the lane's life, and carry out what follows."""
        common = self._common
        with common.lock:
            before = self.lane
            self.lane, actions = step(before, event, common.clock.monotonic(), settle_s=self._socket.settle_s)
            if Action.PERMIT in actions and self.unit is not None:
                common.permit(self.unit)
            if self.lane.state is not before.state or self.lane.block != before.block:
                self._moved(before.state)
            for action in actions:
                if action is not Action.PERMIT:
                    common.office.started()
                    common.start(self.number, action, self._port)

    def _moved(self, before: LaneState) -> None:
        state, now = self.lane.state, self._common.clock.monotonic()
        if state in (LaneState.EMPTY, LaneState.BLOCKED, LaneState.OFF):
            if before is LaneState.REMOVE_UNIT:
                self.scanned = None
            self.unit = None
            self.view = self._fresh()
        elif state is LaneState.APPEARED:
            self._plugged_at = now
        elif state is LaneState.IDENTIFYING and before is not LaneState.LOST:
            self._meter = JobMeter()
            self.view = self._fresh()
        hint = _RESEAT if state is LaneState.SETTLING and self.lane.flaps(now) else self.view.hint
        self.show(
            state=state,
            since=self._common.clock.time(),
            verdict=self.lane.verdict,
            blocked=self.lane.block,
            hint=hint,
            wanted_scan="label" if state is LaneState.WANTING_SCAN else None,
        )
        if state is not before:
            self._socket.take_state(state)
            self._common.reporter.lane(self.view, self.job)

    def show(self, **changes: object) -> None:
        """Change the picture."""
        with self._common.lock:
            self.view = replace(self.view, **changes)
            self._common.hub.put_lane(self.view)

    # -- its job ---------------------------------------------------------------------------------------

    def fact(self) -> StationFact:
        """Return the place of the job that begins now."""
        fact = self._common.office.station_fact(self.number)
        if self._judged_at is None or self._plugged_at is None:
            return fact
        return replace(fact, handling_ms=round(1000 * max(0.0, self._plugged_at - self._judged_at)))

    def begun(self, job: str) -> None:
        """Take notice that a job has begun."""
        self.job = job

    def identified(self, unit: Unit, identity: Identity) -> None:
        """Take notice of the unit."""
        self.unit = unit
        self.show(
            imei=identity.imei, serial=identity.serial, model=identity.model, version_before=identity.version
        )

    def is_golden(self, unit: Unit) -> bool:
        """True if the unit proves the station."""
        return self._common.office.is_golden(unit)

    def label(self) -> tuple[str, str] | None:
        """Return the label that was read for this lane."""
        return self.scanned

    def wants_label(self) -> bool:
        """True if the lane has to wait for its label."""
        if self.scanned is not None or self._common.label_mode != "required":
            return False
        if self.lane.work is not LaneState.WANTING_SCAN:
            self.handle(Wanted())
        return True

    def labelled(self) -> None:
        """Go on, if the lane waited for its label before its job."""
        if self.lane.work is LaneState.WANTING_SCAN:
            self.handle(Admitted())

    def is_present(self) -> bool:
        """True if the unit is in the lane."""
        return self.lane.seen is not None

    def admitted(self, *, is_retest: bool) -> None:
        """Take notice that the work begins."""
        clock = self._common.clock
        label = self.scanned[0] if self.scanned is not None else self.view.serial
        self.show(is_retest=is_retest, serial=label, limit_at=clock.time() + self._common.hard_limit_s)
        self.handle(Admitted())

    def on_event(self, job: str, event: JobEvent) -> None:
        """Show an event of the job."""
        self._meter.take(event)
        now = self._common.clock.monotonic()
        progress = round(self._meter.percent / 100, 3)
        if isinstance(event, StageEvent) and event.state == "started":
            self.show(stage=event.stage, progress=progress, waiting_for=_WAITS.get(event.stage, ""))
        elif isinstance(event, Note):
            self.show(sentence=event.text)
        elif isinstance(event, Progress) and now - self._shown_at >= SHOW_EVERY_S:
            self._shown_at = now
            self.show(progress=progress)
        self._common.reporter.job(self.number, job, event)

    def ended(self, job: str, result: JobResult, record: Record | None) -> None:
        """Show the end of a job, once its record is on the disk; a verdict without one is not shown."""
        if isinstance(result.error, UnitDone):
            self.show(done_before=result.error.message, sentence=result.error.message, hint=result.error.hint)
            self.handle(Ended(Ending(verdict=None)))
            self._common.office.judged(None, record, None)
            return
        outcome = result.outcome
        verdict = verdict_of(outcome)
        problem = None
        if record is None:
            problem = result.warnings[-1] if result.warnings else "its last record is not on the disk"
            lost = LimitReached(f"the journal has no record of this job: {problem}")
            outcome, verdict = Outcome.LIMIT, Verdict.STATION_ERROR
            sentence, hint = lost.message, "Make room or mend the journal; then run the unit again."
        else:
            sentence, hint = _sentence(result)
        serial = self.scanned[0] if self.scanned is not None else self.view.serial
        imei = result.identity.imei if result.identity is not None else None
        event = VerdictEvent(
            lane=self.number,
            job=job,
            verdict=verdict,
            outcome=outcome.value,
            exit_code=outcome.exit_code,
            record_id=record.id if record is not None else None,
            imei=imei,
            serial=serial,
            sentence=sentence,
        )
        self._judged_at = self._common.clock.monotonic()
        with self._common.lock:
            self.view = replace(
                self.view,
                outcome=event.outcome,
                exit_code=event.exit_code,
                sentence=sentence,
                hint=hint,
                imei=imei,
                serial=serial,
                record_id=event.record_id,
                version_before=result.version_before,
                version_after=result.version_after,
                progress=1.0 if verdict is Verdict.PASS else self.view.progress,
                waiting_for="",
                limit_at=None,
            )
            is_lost = outcome is Outcome.PORT
            self.handle(Ended(Ending(verdict=verdict, record_id=event.record_id, is_lost=is_lost)))
        self._common.reporter.verdict(event)
        self._common.office.judged(event, record, problem)
        self.job = None


def _sentence(result: JobResult) -> tuple[str, str]:
    """Return the sentence and the hint of a verdict."""
    if result.error is not None:
        return result.error.message, result.error.hint
    if result.outcome is Outcome.NO_TASK:
        return "the platform has no task for this unit", ""
    if result.outcome is Outcome.ALREADY_CURRENT:
        return f"it runs {result.version_after} already", ""
    change = f"{result.version_before} → {result.version_after}"
    if result.outcome is Outcome.UPDATED_UNREPORTED:
        return f"{change}; the report to the platform waits", ""
    return change, ""
