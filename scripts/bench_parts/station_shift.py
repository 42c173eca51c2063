"""A shift of a station in simulated time, and the station that all parts of its bench run.

The station's own loop runs, with its lanes, interlocks, counters, admission and journal; jobs run in threads,
and threads share no simulated time, so a timer stands in place of each.
"""

import heapq
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from atota.clock import Clock, SimulatedClock, StopToken, SystemClock
from atota.errors import Outcome
from atota.journal.model import Opened
from atota.journal.store import Journal
from atota.ota.cache import Cache
from atota.settings.spec import LocalPackage
from atota.sim.bench import SimLane, SimOperator
from atota.sim.package import build_package
from atota.station import station as station_module
from atota.station.admission import Admissions, Unit
from atota.station.config import load_station
from atota.station.desk import LaneDesk, VerdictEvent
from atota.station.lane import SETTLE_S, Action
from atota.station.sockets import Socket
from atota.station.station import LOOK_EVERY_S, Station
from atota.station.view import Command, LaneView, Reply
from atota.station.work import Pace
from atota.update.events import JobEvent, JobResult
from atota.values import Digests, Identity
from scripts.simulate_parts.shift import FlashParts

BASE, TARGET = "BC28JAR01A03", "BC28JAR01A05"
JOB_S, HANDLING_S = 180.0, 10.0

Figures = list[tuple[str, str, bool]]
"""Figures with their words, their goals, and True if they are reached."""


class Watcher:
    """A reporter that notes the verdicts."""

    def __init__(self) -> None:
        self.verdicts: list[VerdictEvent] = []

    def lane(self, view: LaneView, job: str | None) -> None:
        pass

    def job(self, lane: int, job: str, event: JobEvent) -> None:
        pass

    def verdict(self, event: VerdictEvent) -> None:
        self.verdicts.append(event)


@contextmanager
def made_station(
    folder: Path, sockets: dict[int, Socket], watcher: Watcher, *, clock: Clock | None = None, size: int = 600
) -> Iterator[tuple[Station, Journal]]:
    file, package = station_file(folder, len(sockets), size)
    with Journal(folder / "journal.sqlite3", clock=clock or SystemClock()) as journal:
        yield (
            Station(
                load_station(file),
                sockets=sockets,
                parts=FlashParts(package),
                journal=journal,
                cache=Cache(folder / "cache"),
                reporter=watcher,
                stop=StopToken(),
            ),
            journal,
        )


def station_file(folder: Path, lanes: int, size: int, port: str = "hand://{}") -> tuple[Path, LocalPackage]:
    package = build_package(model="BC28", base=BASE, target=TARGET, size=size)
    (folder / "new.bin").write_bytes(package)
    md5 = Digests.of(package).md5
    text = f'name = "bench"\n[work]\ncommand = "flash"\npackage = "new.bin"\nmd5 = "{md5}"\n'
    text += f'target = "{TARGET}"\nbatch = "B"\n[stop]\nfailures_lane = 0\nfailures_station = 0\n'
    text += "min_free_mb = 0\n"
    text += "".join(f'[[lane]]\nnumber = {n}\nport = "{port.format(n)}"\n' for n in range(1, lanes + 1))
    file = folder / "station.toml"
    file.write_text(text)
    return file, LocalPackage(folder / "new.bin", md5, TARGET)


class Turns:
    """The duties of a shift in simulated time, and the stagger of its starts."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self.units = itertools.count(1)
        self.commands = 0
        self._duties: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, moment: float, duty: Callable[[], None]) -> None:
        heapq.heappush(self._duties, (moment, next(self._order), duty))

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and do what is due meanwhile."""
        until = self.clock.monotonic() + seconds
        while self._duties and self._duties[0][0] <= until:
            moment, _, duty = heapq.heappop(self._duties)
            self.clock.sleep(moment - self.clock.monotonic())
            duty()
        self.clock.sleep(until - self.clock.monotonic())


class Later(SimulatedClock):
    """The shift's clock for one wait, which is noted and not waited."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock, self.noted_s = clock, 0.0

    def monotonic(self) -> float:
        return self.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self.noted_s = max(0.0, seconds)


class TimedWorker:
    """A job of three simulated minutes that ends well, with its record in the journal."""

    def __init__(
        self, lane: int, desk: LaneDesk, admissions: Admissions, journal: Journal, turns: Turns, pace: Pace
    ) -> None:
        self._lane, self._desk, self._turns, self._pace = lane, desk, turns, pace
        self._admissions, self._journal = admissions, journal

    def start(self, _action: Action, port: str) -> None:
        later = Later(self._turns.clock)
        with mock.patch.object(self._pace, "_clock", later):
            self._pace.wait()
        self._turns.at(self._turns.clock.monotonic() + later.noted_s, lambda: self._begin(port))

    def _begin(self, port: str) -> None:
        number, desk, clock = next(self._turns.units), self._desk, self._turns.clock
        identity = Identity(model="BC28", version=BASE, serial=f"SN{number:09d}")
        unit = Unit.of(identity)
        entry = self._journal.open_job(Opened(run=f"{number:012x}", attempt=1, command="flash", port=port))
        desk.begun(entry.id)
        entry.stage("identify", "started")
        entry.fact(identity)
        entry.fact(desk.fact())
        desk.identified(unit, identity)
        self._admissions.claim(self._lane, unit)
        assert self._admissions.earlier(unit) is None
        self._admissions.begin(self._lane, unit, counts=True, stop=StopToken(), wait=lambda: None)
        desk.admitted(is_retest=False)

        def end() -> None:
            record = entry.verdict(Outcome.UPDATED)
            result = JobResult(outcome=Outcome.UPDATED, exit_code=0, record_id=record.id, identity=identity)
            desk.ended(entry.id, result, record)
            self._admissions.leave(self._lane, had_slot=False)

        self._turns.at(clock.monotonic() + JOB_S, end)


class RealLane(SimLane):
    """A lane of the simulated bench whose contacts need the time of real ones."""

    settle_s = SETTLE_S


def shift(folder: Path, hours: float) -> Figures:
    return [
        figure
        for lanes, goal in ((16, 288.0), (64, 342.0))
        for figure in shift_of(folder / str(lanes), lanes, hours, goal)
    ]


def shift_of(folder: Path, lanes: int, hours: float, goal: float) -> Figures:
    folder.mkdir()
    clock = SimulatedClock()
    operator, turns = SimOperator(clock), Turns(clock)
    sockets: dict[int, Socket] = {n: RealLane("sim://BC28?speed=real", operator) for n in range(1, lanes + 1)}
    with (
        mock.patch.object(station_module, "SystemClock", return_value=clock),
        made_station(folder, sockets, Watcher(), clock=clock) as (station, journal),
    ):
        pace, admissions = Pace(clock), station._admissions  # noqa: SLF001 - timers in place of threads
        station._workers = {  # noqa: SLF001
            number: TimedWorker(number, desk, admissions, journal, turns, pace)  # type: ignore[misc]
            for number, desk in station._desks.items()  # noqa: SLF001
        }
        station.hub.on_command(lambda command: _clicked(turns, command))
        verdicts_at: list[float] = []
        while clock.monotonic() < hours * 3600:
            station._look()  # noqa: SLF001 - one turn of the loop
            turns.pass_time(LOOK_EVERY_S)
            verdicts_at += [clock.monotonic()] * (len(station.verdicts) - len(verdicts_at))
        passed = station.hub.snapshot().counters.passed
        assert passed == len(journal.records())
    # The ramp is not the shift: it counts from the moment at which each lane has had its first unit.
    first = max(JOB_S, lanes * HANDLING_S) + JOB_S
    counted = [at for at in verdicts_at if at >= first]
    an_hour = 3600 * len(counted) / (hours * 3600 - first)
    limit = 3600 * min(lanes / (JOB_S + HANDLING_S), 1 / HANDLING_S)
    text = (
        f"{lanes} lanes: {an_hour:.1f} units/h of {limit:.1f} that arithmetic allows ({an_hour / limit:.1%})"
    )
    text += f", {passed} units with their records in {hours:g} simulated hours; timers stand in for jobs"
    clicks = f"{lanes} lanes: {turns.commands / passed:g} clicks a unit"
    return [(text, f"≥ {goal:g} units/h", an_hour >= goal), (clicks, "0", turns.commands == 0)]


def _clicked(turns: Turns, _command: Command) -> Reply:
    turns.commands += 1
    return Reply(ok=False, sentence="")
