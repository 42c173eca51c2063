"""The station: the loop that looks at all lanes, its interlocks, its counters and the operator's commands.

Four times a second the loop looks at every lane and lets the interlocks stop or free it. All work is done by
the lanes' own threads (`atota.station.work`), all decisions on a lane's life by `atota.station.lane`. Nothing
is shared between lanes but the journal's one writer, the cache of packages, and the limits.
"""

import shutil
import threading
from collections import deque
from collections.abc import Callable, Mapping

from atota.clock import SharedClock, StopToken, SystemClock
from atota.errors import ConfigError, LimitReached
from atota.journal.facts import StationFact
from atota.journal.model import Record
from atota.journal.store import Journal
from atota.ota.cache import Cache
from atota.station.admission import Admissions, Line, Unit
from atota.station.config import StationConfig, StationFile
from atota.station.desk import Common, LaneDesk, Reporter, VerdictEvent
from atota.station.devices import load_devices
from atota.station.hub import Hub
from atota.station.interlocks import Standing, Stop, Streaks, stops
from atota.station.lane import Action, Block, LaneState, Release, Verdict
from atota.station.operators import Operators
from atota.station.sockets import Socket
from atota.station.tally import Attempt, attempt_of, counts, tally_of
from atota.station.view import (
    Counters,
    LaneView,
    Notice,
    Sound,
    StationView,
)
from atota.station.work import JobParts, Pace, Worker

LOOK_EVERY_S = 0.25
SURVEY_EVERY_S = 1.0
"""Seconds between two looks at the disk, the clock and the counters."""
_KEPT = 1000
"""Verdicts that a run without an end keeps for its result; the journal has all of them."""
_MB = 1_000_000
_SOUNDS = {Verdict.PASS: "pass", Verdict.FAIL: "fail", Verdict.STATION_ERROR: "attention"}


class Station:
    """One station, from its file.

    Args:
        config: the station file.
        sockets: the place of each lane, by its number.
        parts: makes the parts of jobs.
        journal: the journal.
        cache: the cache of packages.
        reporter: takes everything that happens.
        stop: ends the station.
        scan: called before each look at the lanes.
        units: verdicts after which the run ends; None: it ends by ``stop``.
        line: the line that the station belongs to.
        clock: the time to live in, for simulated ports, too; None: the machine's, and each port its own.

    Attributes:
        hub: the picture, for those who watch.
        verdicts: the latest verdicts of this run, in their order: all if it ends by ``units``.
        is_cut_short: True if a second request ended updates that were started.
        clock: its time.
    """

    def __init__(
        self,
        config: StationConfig,
        *,
        sockets: Mapping[int, Socket],
        parts: JobParts,
        journal: Journal,
        cache: Cache,
        reporter: Reporter,
        stop: StopToken,
        scan: Callable[[], None] = lambda: None,
        units: int | None = None,
        line: Line | None = None,
        clock: SharedClock | None = None,
    ) -> None:
        file = self.file = config.file
        self.verdicts: deque[VerdictEvent] = deque(maxlen=max(_KEPT, units or 0))
        self.is_cut_short = False
        self._journal, self._stop, self._scan, self._line = journal, stop, scan, line
        self._units, self._started = units, 0
        self.clock: SharedClock = clock or SystemClock()
        self._lock = threading.RLock()
        self._streaks = Streaks()
        self._journal_problem: str | None = None
        self._stops: tuple[Stop, ...] = ()
        past = self._past_records()
        self._tally = tally_of(past)
        self._newest_at = max((attempt_of(record).ended_at for record in past), default=None)
        self._golden = _last_golden(past)
        self._surveyed_at = -SURVEY_EVERY_S
        self._free_mb: float | None = None
        self._on_record: Callable[[Record, VerdictEvent], None] = lambda _record, _event: None
        self._admissions = Admissions(
            journal,
            load_devices(file.devices, config.path.parent),
            self._tally,
            station=file.name,
            batch=file.work.batch,
            quota=file.work.quota,
            max_active=file.work.max_active,
            clock=self.clock,
        )
        self.hub = Hub(_picture(file, self._counters()))
        self._desks = self._made_desks(sockets, reporter)
        self._people = Operators(self._desks, self, journal, file.scan, self.hub, self._lock, self.clock)
        self.hub.on_command(self._people.command)
        self._workers = self._made_workers(sockets, parts, cache, clock)

    def _made_workers(
        self, sockets: Mapping[int, Socket], parts: JobParts, cache: Cache, clock: SharedClock | None
    ) -> dict[int, Worker]:
        pace, is_update = Pace(self.clock), self.file.work.command == "update"
        return {
            number: Worker(
                number,
                sockets[number],
                desk,
                parts,
                self._admissions,
                self._journal,
                cache,
                pace,
                is_update=is_update,
                line=self._line,
                clock=clock,
            )
            for number, desk in self._desks.items()
        }

    def _made_desks(self, sockets: Mapping[int, Socket], reporter: Reporter) -> dict[int, LaneDesk]:
        common = Common(
            lock=self._lock,
            clock=self.clock,
            hub=self.hub,
            reporter=reporter,
            office=self,
            label_mode=self.file.scan.serial,
            hard_limit_s=self.file.work.hard_limit_s,
            start=self._start,
            permit=self._admissions.permit,
        )
        return {lane.number: LaneDesk(lane, sockets[lane.number], common) for lane in self.file.lane}

    def on_record(self, receive: Callable[[Record, VerdictEvent], None]) -> None:
        """Set the receiver of every verdict's record, once it is on the disk: labels and hooks."""
        self._on_record = receive

    def show_label(self, lane: int, record_id: str, state: str) -> None:
        """Show the state of a unit's label, as long as the unit is in its lane."""
        desk = self._desks.get(lane)
        if desk is not None and desk.view.record_id == record_id:
            desk.show(label=state)

    # -- the loop --------------------------------------------------------------------------------------

    def run(self) -> None:
        """Run the lanes until the stop token is set, or the verdicts that were asked for are there.

        The first request ends the shift, and spares updates that were started; the second ends those, too.
        """
        with self._stop.shielded():
            try:
                for worker in self._workers.values():
                    worker.begin()
                while not self._stop.is_noted and not self.is_finished:
                    self._look()
                    self.clock.sleep(LOOK_EVERY_S)
            finally:
                self._end()

    @property
    def is_finished(self) -> bool:
        """True if all verdicts that were asked for are there."""
        return self._units is not None and len(self.verdicts) >= self._units

    def _look(self) -> None:
        self._scan()
        now = self.clock.monotonic()
        if now - self._surveyed_at >= SURVEY_EVERY_S:
            self._surveyed_at = now
            self._survey()
        for desk in self._desks.values():
            self._govern(desk)
            desk.look()

    def _end(self) -> None:
        workers = self._workers.values()
        for worker in workers:
            worker.end()
        for worker in workers:
            while not worker.join():
                if self._stop.is_set and not self.is_cut_short:
                    self.is_cut_short = True
                    for other in workers:
                        other.stop.set()

    def _start(self, lane: int, action: Action, port: str) -> None:
        self._workers[lane].start(action, port)

    # -- interlocks ------------------------------------------------------------------------------------

    def _survey(self) -> None:
        """Look at the state of the machine, and renew stops, banners and counters."""
        try:
            self._free_mb = shutil.disk_usage(self._journal.path.parent).free / _MB
        except OSError:
            self._free_mb = None
        self._judge_stops()
        self.hub.put_counters(self._counters())

    def _judge_stops(self) -> None:
        with self._lock:
            standing = Standing(
                streaks=self._streaks,
                quota=self.file.work.quota,
                passed=self._tally.passed,
                free_mb=self._free_mb,
                journal_problem=self._journal_problem,
                now=self.clock.time(),
                newest_record_at=self._newest_at,
            )
            before, self._stops = self._stops, stops(self.file.stop, standing)
            for stop in self._stops:
                level = "stop" if stop.lane is None else "warning"
                self.hub.put_notice(
                    Notice(
                        key=stop.key,
                        level=level,  # type: ignore[arg-type]
                        text=stop.text,
                        hint=stop.hint,
                        may_release=stop.may_release,
                        lane=stop.lane,
                    )
                )
            for key in {stop.key for stop in before} - {stop.key for stop in self._stops}:
                self.hub.put_notice(Notice(key=key))
            overdue = self._golden_problem()
            self.hub.put_notice(
                Notice(
                    key="golden", level="warning", text=overdue or "", hint="Put a golden unit into a lane."
                )
            )

    def _govern(self, desk: LaneDesk) -> None:
        """Block a lane that has to stop, and free one that may go on."""
        reason = next((stop.text for stop in self._stops if stop.lane in (None, desk.number)), None)
        is_over = self._units is not None and self._started >= self._units
        if reason is None and is_over and desk.lane.is_vacant:
            reason = f"the run ends after {self._units} units"
        if reason != desk.lane.block:
            desk.handle(Release() if reason is None else Block(reason))

    def is_golden(self, unit: Unit) -> bool:
        """True if a unit proves the station.

        Raises:
            LimitReached: a golden unit is overdue, and this is not one.
        """
        if unit.key in self.file.stop.golden:
            return True
        overdue = self._golden_problem()
        if overdue is not None:
            raise LimitReached(overdue, hint="Put a golden unit into a lane first; nothing was changed.")
        return False

    def _golden_problem(self) -> str | None:
        hours = self.file.stop.golden_every_h
        if not hours:
            return None
        if self._golden is None:
            return "no golden unit has passed on this station yet"
        if self._golden.verdict is Verdict.FAIL:
            return "the last golden unit failed"
        passed_h = (self.clock.time() - self._golden.ended_at) / 3600
        return f"a golden unit is overdue: the last passed {passed_h:.1f} h ago" if passed_h > hours else None

    # -- the office of the lanes -----------------------------------------------------------------------

    def station_fact(self, lane: int) -> StationFact:
        """Return the place of a job that begins in a lane now."""
        operator = self._people.operator
        return StationFact(name=self.file.name, lane=lane, batch=self.file.work.batch, operator=operator)

    def started(self) -> None:
        """Count a job that begins."""
        with self._lock:
            self._started += 1

    def judged(self, event: VerdictEvent | None, record: Record | None, problem: str | None) -> None:
        """Count a verdict; None: the unit was done before."""
        with self._lock:
            if event is None:
                self._started -= 1
                return
            self.verdicts.append(event)
            self._journal_problem = problem or self._journal_problem
            self._streaks = self._streaks.after(event.lane, event.verdict)
            if record is not None:
                attempt = attempt_of(record)
                self._newest_at = max(self._newest_at or 0.0, attempt.ended_at)
                if counts(record):
                    self._tally.add(attempt)
                elif event.verdict is not Verdict.STATION_ERROR:
                    self._golden = attempt
            self._judge_stops()
            self.hub.put_counters(self._counters())
            self.hub.put_sound(Sound(name=_SOUNDS[event.verdict], lane=event.lane))  # type: ignore[arg-type]
        if record is not None:
            self._on_record(record, event)

    def _counters(self) -> Counters:
        tally = self._tally
        line = None if self._line is None else self._line.status
        return Counters(
            passed=tally.passed,
            failed=tally.failed,
            station_error=tally.station_errors,
            retested=tally.retested,
            quota=self.file.work.quota,
            first_pass_yield=tally.first_pass_yield,
            units_an_hour=tally.units_an_hour(self.clock.time()),
            is_online=None if line is None else line.is_online,
            line_since=0.0 if line is None else line.since,
            waiting_records=0 if line is None else line.waiting,
            tickets_left=None if line is None else line.tickets,
        )

    def _past_records(self) -> list[Record]:
        """Return the records of this work so far, the oldest first."""
        batch = self.file.work.batch
        records = self._journal.records(batch=batch, station=None if batch else self.file.name)
        return [
            record for record in reversed(records) if batch or (record.station and not record.station.batch)
        ]

    def releasable(self, lane: int | None) -> tuple[Stop, ...]:
        """Return the stops of a lane, or of the station, that a person may release."""
        return tuple(stop for stop in self._stops if stop.may_release and stop.lane == lane)

    def release(self, lane: int | None) -> None:
        """Lift them."""
        with self._lock:
            self._streaks = self._streaks.released(lane)
            self._journal_problem = None if lane is None else self._journal_problem
            self._judge_stops()


def _last_golden(past: list[Record]) -> Attempt | None:
    """Return the last attempt of a golden unit that says anything about it."""
    golden = [record for record in past if record.station is not None and record.station.is_golden]
    attempts = [
        attempt for attempt in map(attempt_of, golden) if attempt.verdict is not Verdict.STATION_ERROR
    ]
    return attempts[-1] if attempts else None


def _picture(file: StationFile, counters: Counters) -> StationView:
    """Return the picture of a station before its lanes begin."""
    lanes = tuple(LaneView(number=lane.number, state=LaneState.OFF, place=lane.key) for lane in file.lane)
    return StationView(
        name=file.name,
        boot="",
        language=file.language,
        batch=file.work.batch,
        command=file.work.command,
        counters=counters,
        lanes=lanes,
    )


def check_package(config: StationConfig) -> None:
    """Refuse a station whose package is not the one that its file names.

    Raises:
        ConfigError: the file's MD5 is another one.
    """
    from atota.ota.package import digests_of

    work = config.file.work
    if work.package is None:
        return
    md5 = digests_of(config.beside(work.package)).md5
    if md5 != (work.md5 or "").lower():
        raise ConfigError(
            f"{config.path}: {work.package} has the MD5 {md5}, `md5` says {work.md5}",
            hint="Fetch the package again, or correct `md5` in [work].",
        )
