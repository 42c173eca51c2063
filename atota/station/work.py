"""The worker of one lane: a thread that runs one job after the other, and tells the lane how each goes on.

The job is that of the command line (`atota.update.job.Job`). Between its identification and its work the
worker asks for the unit's admission: the same unit again, a clone, the label, the device's name, the quota.
"""

import threading
import traceback
import uuid
from collections import deque
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from pathlib import Path
from typing import Protocol, cast

from msgspec.structs import replace

from atota.clock import Clock, SharedClock, StopToken, SystemClock
from atota.errors import AtotaError, Interrupted, LinkLost, NoAnswer, of_files
from atota.journal.facts import ErrorFact, StationFact
from atota.journal.model import Opened
from atota.journal.store import Journal
from atota.module.module import Module, Opener
from atota.ota.base import Platform
from atota.ota.cache import Cache
from atota.ota.download import Downloader
from atota.settings.spec import JobSpec
from atota.sota.opening import ChipOpener
from atota.station.admission import Admissions, Line, Unit, UnitDone
from atota.station.chips import is_chip
from atota.station.desk import LaneDesk
from atota.station.devices import Device
from atota.station.lane import Action
from atota.station.sockets import MISSES, PROBE_EVERY_S, Socket
from atota.update.context import Admission
from atota.update.events import JobResult
from atota.update.job import Job
from atota.values import Identity

STAGGER_S = 0.1
"""Seconds between the starts of two lanes: inrush, and ports that a hub sets up one by one."""


class JobParts(Protocol):
    """The parts of a lane's jobs that come from the settings of the command line."""

    def spec(self, lane: int, port: str) -> JobSpec:
        """Return the job of a lane on a port, without the names of a device."""
        ...

    def platform(self, lane: int, stop: StopToken) -> AbstractContextManager[Platform]:
        """Open the platform that the lane's settings name."""
        ...

    def opener(self, lane: int, spec: JobSpec, stack: ExitStack) -> tuple[JobSpec, Opener | ChipOpener]:
        """Return the spec with its transcript, and the opener of its module or its chip."""
        ...

    def tidy(self, spec: JobSpec, result: JobResult) -> None:
        """Remove the transcript of a job that went well."""
        ...


class Pace:
    """The pauses between the starts of lanes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait for this lane's turn."""
        with self._lock:
            now = self._clock.monotonic()
            at = max(now, self._next)
            self._next = at + STAGGER_S
        self._clock.sleep(at - now)


class Worker:
    """The worker of one lane.

    Args:
        number: the lane's number.
        socket: the lane's place.
        desk: the lane.
        parts: makes the parts of its jobs.
        admissions: decides about units.
        journal: the journal of all lanes.
        cache: the packages of all lanes.
        pace: the starts of all lanes.
        is_update: True if the platform says what to do.
        line: the line that the station belongs to.
        clock: the time of the station and of simulated ports; None: the machine's, and each port its own.
    """

    def __init__(
        self,
        number: int,
        socket: Socket,
        desk: LaneDesk,
        parts: JobParts,
        admissions: Admissions,
        journal: Journal,
        cache: Cache,
        pace: Pace,
        *,
        is_update: bool,
        line: Line | None = None,
        clock: SharedClock | None = None,
    ) -> None:
        self.stop = StopToken()
        self._line = line
        self._number = number
        self._socket = socket
        self._desk = desk
        self._parts = parts
        self._admissions = admissions
        self._journal = journal
        self._cache = cache
        self._pace = pace
        self._is_update = is_update
        self._clock: SharedClock = clock or SystemClock()
        self._job_clock = clock
        self._orders: deque[tuple[str, bool]] = deque()
        self._is_ordered = threading.Event()
        self._module: Module | None = None
        self._has_slot = False
        self._name = ""
        self._ended = threading.Event()
        self._ended.set()  # it has not begun

    def begin(self) -> None:
        """Begin the thread."""
        self._ended = self._clock.start(self._run, f"lane-{self._number}")

    def start(self, action: Action, port: str) -> None:
        """Order a job on ``port``."""
        self._orders.append((port, action is Action.START_AGAIN))
        self._is_ordered.set()

    def end(self) -> None:
        """Let the thread end once its job is over."""
        self.stop.set()
        self._is_ordered.set()

    def join(self) -> bool:
        """Wait a moment for the end of the thread; True if it has ended."""
        return self._clock.wait(self._ended, SystemClock.slice_s)

    def _run(self) -> None:
        while not self.stop.is_noted:
            if not self._clock.wait(self._is_ordered, PROBE_EVERY_S / 2):
                self._socket.probe()
                continue
            self._is_ordered.clear()
            self._socket.release()
            while self._orders and not self.stop.is_noted:
                port, is_again = self._orders.popleft()
                self._pace.wait()
                try:
                    self._work(port, is_again)
                except Exception as error:  # noqa: BLE001 - the edge of the thread: a bug must end in a record
                    self._refuse(port, _bug(error))
        self._socket.release()

    # -- one job ---------------------------------------------------------------------------------------

    def _work(self, port: str, is_again: bool) -> None:
        with ExitStack() as stack:
            try:
                spec = self._parts.spec(self._number, port)
                if is_chip(spec):
                    spec = self._labelled(spec)
                spec, opener = self._parts.opener(self._number, spec, stack)
                platform = stack.enter_context(self._platform())
            except AtotaError as error:
                self._refuse(port, error)
                return
            job = self._job(spec, opener, platform, is_again)
            self._name = name = job.id
            self._desk.begun(name)
            result = job.run()
        self._parts.tidy(spec, result)
        self._end(name, result)

    def _labelled(self, spec: JobSpec) -> JobSpec:
        """Return the spec with the number on the label, which is awaited first: a chip tells no other.

        Raises:
            LinkLost: the unit was taken out meanwhile.
            Interrupted: the station ends.
        """
        self._module = None
        label = self._awaited_label(None)
        self._desk.labelled()
        return spec if label is None else replace(spec, serial=label[0])

    def _platform(self) -> "AbstractContextManager[Platform | None]":
        return self._parts.platform(self._number, self.stop) if self._is_update else nullcontext()

    def _job(
        self, spec: JobSpec, opener: "Opener | ChipOpener", platform: Platform | None, is_again: bool
    ) -> Job:
        fact = self._desk.fact()
        label = self._desk.label()
        if is_chip(spec) and label is not None:  # else the record of a chip that is refused had no number
            fact = replace(fact, serial=label[0], scan=label[1])

        def opened(port: str, /, **options: object) -> Module:
            self._module = cast("Opener", opener)(port, **options)  # type: ignore[arg-type]
            return self._module

        return Job(
            spec,
            platform=platform,
            downloader=Downloader(platform, self._clock, self._cache) if platform is not None else None,
            listener=lambda event: self._desk.on_event(self._name, event),
            stop=self.stop,
            clock=self._job_clock,
            opener=opened,
            targets=cast("ChipOpener", opener) if is_chip(spec) else None,
            journal=self._journal,
            admit=lambda identity: self._admit(identity, fact, is_again),
            facts=(fact,),
        )

    def _refuse(self, port: str, error: AtotaError) -> None:
        """End a job whose parts cannot be made, with a record as any other has."""
        error = of_files(error)
        opened = Opened(
            run=uuid.uuid4().hex[:12], attempt=1, command="update" if self._is_update else "flash", port=port
        )
        self._desk.begun(opened.id)
        with suppress(AtotaError):  # the missing record is seen at the end
            entry = self._journal.open_job(opened)
            entry.fact(self._desk.fact())
            entry.fact(ErrorFact.of(error))
            entry.verdict(error.outcome)
        result = JobResult(outcome=error.outcome, exit_code=error.exit_code, record_id=opened.id, error=error)
        self._end(opened.id, result)

    def _end(self, job: str, result: JobResult) -> None:
        self._module = None
        try:
            record = self._journal.record(result.record_id)
        except AtotaError:
            record = None
        if self._line is not None:
            self._line.ended(job, record)
        self._desk.ended(job, result, record)
        self._admissions.leave(self._number, had_slot=self._has_slot)
        self._has_slot = False

    # -- admission -------------------------------------------------------------------------------------

    def _admit(self, identity: Identity, fact: StationFact, is_again: bool) -> Admission:
        admissions, desk = self._admissions, self._desk
        unit = Unit.of(identity)
        desk.identified(unit, identity)
        admissions.claim(self._number, unit)
        is_golden = desk.is_golden(unit)
        if is_again:
            admissions.permit(unit)
        earlier = None if is_golden else admissions.earlier(unit)
        if earlier is not None:
            lane = f" on lane {earlier.station.lane}" if earlier.station is not None else ""
            ended = earlier.ended_at[:16].replace("T", " ")
            raise UnitDone(f"this unit was done before: {earlier.outcome}{lane}, {ended} UTC")
        label = desk.label()
        if label is None and not is_golden:
            label = self._awaited_label(unit)
        value = label[0] if label is not None else None
        if value is not None:
            admissions.check_label(self._number, unit, value)
        device = admissions.device(unit, value)  # refuses a unit that is not in the list of devices
        if not self._is_update:
            device = Device()
        admissions.begin(
            self._number, unit, counts=not is_golden, stop=self.stop, wait=self._require_presence
        )
        self._has_slot = True
        attempt = 1 + admissions.attempts(unit)
        if self._line is not None and not is_golden:
            is_retest = is_again or attempt > 1
            self._line.admit(unit.imei, value, lane=self._number, job=self._name, is_again=is_retest)
        held = self._line.device(unit.imei) if self._line is not None else None
        if held is not None:  # bound for ever, so not before everything else has let the unit in
            device = Device(dev_id=held[1], product_id=held[0], device_name=held[1])
        scan = label[1] if label is not None else None
        fact = replace(fact, serial=value, scan=scan, attempt=attempt, is_golden=is_golden)
        desk.admitted(is_retest=attempt > 1)
        return Admission(
            dev_id=device.dev_id or None,
            product_id=device.product_id or None,
            device_name=device.device_name or None,
            facts=(fact,),
        )

    def _awaited_label(self, unit: Unit | None) -> tuple[str, str] | None:
        """Wait for the label, as long as the very unit stays in the lane; None if none is needed.

        A ``unit`` of None has no number yet.
        """
        began = self._clock.monotonic()
        if self._module is not None:
            self._module.session.limit = None  # a person takes the time; the job's limit begins afterwards
        probe = _Probe(self._module, self._clock)
        while self._desk.wants_label():
            self._clock.sleep(SystemClock.slice_s)
            if self.stop.is_set:
                raise Interrupted("stopped while it waited for the label")
            self._require_presence()
            probe.ask()
        label = self._desk.label()
        if (
            label is not None
            and self._module is not None
            and self._clock.monotonic() - began >= PROBE_EVERY_S
        ):
            found_unit = Unit.of(self._module.identify())
            if unit is not None and found_unit != unit:
                raise LinkLost("the unit was exchanged while its label was awaited")
        return label

    def _require_presence(self) -> None:
        if not self._desk.is_present():
            raise LinkLost("the unit was taken out before its work began")


def _bug(error: Exception) -> AtotaError:
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    return AtotaError(f"this is a bug of ours: {type(error).__name__}: {error} (at {where})")


class _Probe:
    """The watch over a module that waits for a person: ``AT`` once a second."""

    def __init__(self, module: Module | None, clock: Clock) -> None:
        self._module = module
        self._clock = clock
        self._asked_at = clock.monotonic()
        self._misses = 0

    def ask(self) -> None:
        """Ask, if it is time.

        Raises:
            LinkLost: it did not answer three times.
        """
        if self._module is None or self._clock.monotonic() - self._asked_at < PROBE_EVERY_S:
            return
        self._asked_at = self._clock.monotonic()
        try:
            self._module.session.command("AT", timeout_s=PROBE_EVERY_S)
            self._misses = 0
        except NoAnswer as error:
            self._misses += 1
            if self._misses >= MISSES:
                raise LinkLost("the module stopped answering while its label was awaited") from error
