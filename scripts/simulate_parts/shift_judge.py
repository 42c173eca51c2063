"""The judge of a shift: it holds each verdict against the module's true state and against the journal.

It is the station's reporter, so it sees each state of each lane. It knows from the operator which unit is in
which lane, and which runs were asked for.
"""
# ruff: noqa: ARG002 - the reporter's protocol is kept whole

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from atota.errors import Outcome
from atota.journal.model import Record
from atota.journal.store import Journal
from atota.station.desk import VerdictEvent
from atota.station.lane import LaneState, Verdict
from atota.station.tally import counts, verdict_of
from atota.station.view import LaneView
from atota.update.events import JobEvent
from scripts.simulate_parts.shift_plan import TARGET, Unit
from scripts.simulate_parts.shift_world import Machine, ShiftWorld

STATION_CODES = (1, 3, 4, 8, 13, 130)
"""The exit codes that are the station's endings, not the unit's (DESIGN 10)."""
_GOOD = ("updated", "already-current", "updated-unreported")
_OLD = ("old-version", "write-failed")
_UNTOUCHED = ("refused", "bad-package", "bad-config", "no-task", "limit")


@dataclass
class Shift:
    """The result of a shift, and its seed, which repeats it."""

    seed: int = 0
    units: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    begun: int = 0
    """Jobs, those that died with their process included."""
    deaths: int = 0
    simulated_s: float = 0.0
    broken: list[str] = field(default_factory=list)

    @property
    def judged(self) -> int:
        """The number of verdicts that were told."""
        return sum(self.verdicts.values())


class Judge:
    """The judge of one shift. ``machine`` and ``journal`` are those of the process that runs now."""

    machine: Machine
    journal: Journal

    def __init__(self, world: ShiftWorld, seed: int) -> None:
        self.shift = Shift(seed=seed, units=world.plan.units)
        self.asked: Counter[str] = Counter()
        self._world = world
        self._at_work: dict[int, Unit] = {}
        self._running: set[int] = set()
        self._fresh: set[int] = set()
        self._wished: set[int] = set()
        self._state: dict[int, LaneState] = {}
        self._told: dict[str, str] = {}
        self._starts: dict[int, int] = {}

    # -- the hands' and the machine's side ------------------------------------------------------------

    def put_in(self, lane: int) -> None:
        """Take notice that a unit was put into an empty lane."""
        self._fresh.add(lane)

    def began(self) -> None:
        """Take notice of a new process: to it, each unit that is in a lane was just put in."""
        self._fresh.update(self._world.inside)
        self._running.clear()
        self._wished.clear()
        self._state.clear()

    def wishes(self, lane: int, unit: Unit, *, is_inside: bool) -> None:
        """Take notice that a run of a unit that was done before is asked for."""
        self.asked[unit.imei] += 1
        if is_inside:
            self._wished.add(lane)

    def wishes_not(self, lane: int, unit: Unit) -> None:
        """Take notice that the wish was refused."""
        self.asked[unit.imei] -= 1
        self._wished.discard(lane)

    def breaks(self, why: str) -> None:
        """Write a broken promise down."""
        self.shift.broken.append(f"at {self._world.turns.now:.1f} s: {why}")

    # -- the reporter's side --------------------------------------------------------------------------

    def lane(self, view: LaneView, job: str | None) -> None:
        self.machine.alive()
        number, state = view.number, view.state
        before = self._state.get(number)
        self._state[number] = state
        if state is LaneState.IDENTIFYING and before is not LaneState.LOST:
            self._begins(number)
        if state is LaneState.RUNNING:
            self._running.add(number)
        elif state is not LaneState.LOST:
            self._running.discard(number)
        most = self._world.plan.max_active
        if most and len(self._running) > most:
            self.breaks(f"{len(self._running)} lanes run, and {most} may")
        if view.verdict is Verdict.PASS and view.record_id is None:
            self.breaks(f"lane {number} shows PASS, and has no record")

    def _begins(self, lane: int) -> None:
        unit = self._world.inside.get(lane)
        if unit is not None:
            self._at_work[lane] = unit
            module = self._world.module(unit)
            self._starts[lane] = len(module.starts) if module is not None else 0
        if lane in self._fresh:
            self._fresh.discard(lane)
        elif lane in self._wished:
            self._wished.discard(lane)
        else:
            self.breaks(f"lane {lane} begins a job, and was not empty before")

    def job(self, lane: int, job: str, event: JobEvent) -> None:
        self.machine.alive()

    def verdict(self, event: VerdictEvent) -> None:
        self.machine.alive()
        self.shift.verdicts[f"{event.verdict}:{event.outcome}"] += 1
        if event.record_id is None:
            if event.verdict is not Verdict.STATION_ERROR:
                self._break(event, "it has no record on the disk")
            elif not self.machine.was_full:
                self._break(event, f"it has no record, and the disk had room: {event.sentence}")
            return  # the disk is full; no unit has a verdict
        if event.exit_code == 1:
            self._break(event, event.sentence)
        record = self.journal.record(event.record_id)
        self._told[record.id] = event.outcome
        if Outcome(record.outcome) != event.outcome:
            self._break(event, f"its record says {record.outcome}; {event.sentence}")
        if (event.exit_code in STATION_CODES) is not (event.verdict is Verdict.STATION_ERROR):
            self._break(event, f"its exit code is {event.exit_code}")
        self._compare(event, self._at_work[event.lane])

    def _compare(self, event: VerdictEvent, unit: Unit) -> None:
        """Compare a verdict with the module."""
        module = self._world.module(unit)
        if module is None:
            if event.verdict is not Verdict.STATION_ERROR:
                self._break(event, f"the module {unit.name} was never opened")
            return
        truth = f"the module {unit.name} runs {module.version} (updating: {module.updating})"
        if event.verdict is Verdict.PASS:
            has_none = event.outcome == "no-task"  # the platform says so, and that is all the work there is
            if event.outcome not in _GOOD and not has_none:
                self._break(event, "it is not a good end")
            if module.version != TARGET or module.updating:
                self._break(event, truth)
            if event.imei != unit.imei:
                self._break(event, f"it names the unit {event.imei}, and {unit.imei} is in the lane")
        if event.outcome in _OLD and (module.version == TARGET or module.updating):
            self._break(event, truth)
        if event.outcome in _UNTOUCHED and len(module.starts) > self._starts[event.lane]:
            self._break(event, f"an update of the module {unit.name} was started")

    def _break(self, event: VerdictEvent, why: str) -> None:
        self.breaks(f"lane {event.lane}, job {event.job}: {event.verdict} {event.outcome}: {why}")

    # -- the end --------------------------------------------------------------------------------------

    def end(self) -> None:
        """Judge all that the shift has left in the journal."""
        records = self.journal.records()
        rows = self._world.database.execute(
            "SELECT job.id, verdict.outcome, record.document IS NOT NULL FROM job"
            " LEFT JOIN verdict ON verdict.job = job.id LEFT JOIN record ON record.job = job.id"
        ).fetchall()
        self.shift.begun = len(rows)
        for job, outcome, has_record in rows:
            if outcome is None or not has_record:
                self.breaks(f"the job {job} was begun, and has no verdict")
        for record in records:
            if self._told.get(record.id, record.outcome) != record.outcome:
                self.breaks(f"job {record.id}: {self._told[record.id]} was told, {record.outcome} is written")
        jobs = [record for record in records if counts(record)]
        self._attempts(jobs)
        self._labels(jobs)
        passed = {record.imei for record in jobs if verdict_of(Outcome(record.outcome)) is Verdict.PASS}
        quota = self._world.plan.quota
        if quota and len(passed) > quota:
            self.breaks(f"{len(passed)} units passed, and the quota is {quota}")
        for record in jobs:
            if record.imei in self._world.plan.unlisted and Outcome(record.outcome) in _GOOD:
                self.breaks(f"job {record.id}: {record.imei} is not in the list of devices")
        self._delivered()

    def _attempts(self, jobs: list[Record]) -> None:
        """No unit has two verdicts of its own, unless another run was asked for."""
        attempts = Counter(
            record.imei
            for record in jobs
            if record.imei and verdict_of(Outcome(record.outcome)) is not Verdict.STATION_ERROR
        )
        for imei, count in attempts.items():
            if count > 1 + self.asked[imei]:
                self.breaks(f"unit {imei} was run {count} times, and {self.asked[imei]} were asked for")

    def _labels(self, jobs: list[Record]) -> None:
        """One label belongs to one unit, and one unit to one label."""
        units: dict[str, set[str]] = defaultdict(set)
        labels: dict[str, set[str]] = defaultdict(set)
        for record in jobs:
            label = record.station.serial if record.station is not None else None
            if verdict_of(Outcome(record.outcome)) is Verdict.PASS and record.imei:
                if label is not None:
                    units[label].add(record.imei)
                    labels[record.imei].add(label)
                elif self._world.plan.scan == "required":
                    self.breaks(f"job {record.id}: PASS without a label")
        for name, others in (*units.items(), *labels.items()):
            if len(others) > 1:
                self.breaks(f"{name} is bound to {sorted(others)}")

    def _delivered(self) -> None:
        """Nothing that was queued for the printer or the hook waits for ever."""
        plan = self._world.plan
        for topic, is_due in (("label", plan.has_label), ("hook", plan.has_hook)):
            if is_due and self.journal.pending(topic):
                self.breaks(f"deliveries of the topic {topic} still wait")
