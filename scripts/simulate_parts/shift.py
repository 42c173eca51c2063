"""A whole shift of a station: units that are plugged, pulled, flap, are cloned or come back, and a judge.

The lanes are threads, as in production; the modules are simulated, each with a true state that the judge
looks at. The machine dies and its disk is full at drawn moments, and a new one is made on the journal that
is left. The operator is drawn from a seed. Threads take turns as the machine likes, so a shift is not
repeated to the letter; its units, their faults and the operator's wishes are.
"""
# ruff: noqa: ARG002 - protocols are kept whole

import random
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from atota.clock import Clock, StopToken, SystemClock
from atota.errors import AtotaError, LimitReached, Outcome
from atota.journal.store import Journal
from atota.link.base import Link
from atota.link.forward import ForwardingLink
from atota.module.module import Opener, open_module
from atota.ota.base import Platform
from atota.ota.cache import Cache
from atota.settings.spec import JobSpec, LocalPackage
from atota.sim.bench import HandLane
from atota.sim.link import SimHub
from atota.sim.module import SimModule
from atota.sim.package import build_package
from atota.station import station as station_module
from atota.station.config import load_station
from atota.station.desk import VerdictEvent
from atota.station.lane import AT_WORK, LaneState, Verdict
from atota.station.station import Station
from atota.station.tally import counts, verdict_of
from atota.station.view import LaneView, ReleaseCommand
from atota.update.events import JobEvent, JobResult
from atota.values import Digests
from scripts.simulate_parts.world import Killed

BASE, TARGET = "BC28JAR01A03", "BC28JAR01A05"
FAULTS = (
    *("",) * 4, "rollback", "brownout-at-block:3", "unplug-at:9", "refuse-start", "mute", "refuse-validate",
    "lose-reply:7", "reboot-in-update",
)  # fmt: skip
_PULL = dict.fromkeys(AT_WORK, 0.0005) | {LaneState.APPEARED: 0.002, LaneState.SETTLING: 0.002}
"""How likely a unit is pulled at one look, in each state."""
LIFE = (300, 20_000)
"""A machine dies after so many writes of its journal, commands and replies."""
FULL = (50, 3000)
"""Writes of the journal before the disk is full for a while."""
LIMIT_S = 120.0
"""Seconds for which nothing may happen at all."""


class FlashParts:
    """The parts of jobs that flash a package of this machine."""

    def __init__(self, package: LocalPackage) -> None:
        self.package = package

    def spec(self, lane: int, port: str) -> JobSpec:
        return JobSpec(port=port, package=self.package)

    def platform(self, lane: int, stop: StopToken) -> AbstractContextManager[Platform]:
        raise AssertionError("a flash needs no platform")

    def opener(self, lane: int, spec: JobSpec, stack: ExitStack) -> tuple[JobSpec, Opener]:
        return spec, open_module

    def tidy(self, spec: JobSpec, result: JobResult) -> None:
        pass


@dataclass
class Unit:
    """One physical unit: its URL names its module, which stays the same however often it is plugged."""

    name: str
    imei: str
    fault: str = ""

    @property
    def url(self) -> str:
        fault = f"&fault={self.fault}" if self.fault else ""
        return f"sim://BC28?id={self.name}&imei={self.imei}{fault}"


@dataclass
class Shift:
    """The result of a shift."""

    verdicts: Counter[str] = field(default_factory=Counter)
    deaths: int = 0
    broken: list[str] = field(default_factory=list)


class Machine:
    """The station's machine: once it is dead, nothing of it reaches anything.

    Args:
        actions: the actions that it lives for.
        full: the writes of its journal that find the disk full.
    """

    def __init__(self, actions: int, full: range) -> None:
        self._left = actions
        self._full = full
        self._writes = 0
        self._lock = threading.Lock()

    @property
    def is_dead(self) -> bool:
        """True if it is dead."""
        return self._left <= 0

    def alive(self) -> None:
        """Raise `Killed` once it is dead."""
        if self.is_dead:
            raise Killed

    def act(self, _what: str = "") -> None:
        """Count an action; the machine may die of it."""
        with self._lock:
            self._left -= 1
        self.alive()

    def before_write(self, what: str) -> None:
        """Count a write of the journal, for which the disk may have no room."""
        self.act(what)
        with self._lock:
            self._writes += 1
            is_full = self._writes in self._full
        if is_full:
            raise LimitReached("the disk is full: the journal cannot be written", hint="Make room.")


class MortalLink(ForwardingLink):
    """The machine's end of a wire."""

    def __init__(self, inner: Link, machine: Machine) -> None:
        super().__init__(inner)
        self._machine = machine

    def read(self, timeout_s: float) -> bytes:
        self._machine.alive()
        data = self.inner.read(timeout_s)
        if data:
            self._machine.act()
        return data

    def write(self, data: bytes) -> None:
        self._machine.alive()
        self.inner.write(data)
        self._machine.act()

    def set_baud(self, baud: int) -> None:
        self._machine.alive()
        self.inner.set_baud(baud)


class Judge:
    """A reporter that compares each verdict with the module's true state and with the journal."""

    machine: Machine
    journal: Journal

    def __init__(self, hub: SimHub) -> None:
        self.shift = Shift()
        self.inside: dict[int, Unit] = {}
        self._at_work: dict[int, Unit] = {}
        self._hub = hub

    def lane(self, view: LaneView, job: str | None) -> None:
        self.machine.alive()
        unit = self.inside.get(view.number)
        if view.state is LaneState.IDENTIFYING and unit is not None:
            self._at_work[view.number] = unit

    def job(self, lane: int, job: str, event: JobEvent) -> None:
        pass

    def verdict(self, event: VerdictEvent) -> None:
        self.machine.alive()
        self.shift.verdicts[f"{event.verdict}:{event.outcome}"] += 1
        unit = self._at_work[event.lane]
        if event.record_id is None:
            if event.verdict is Verdict.STATION_ERROR:
                return  # the disk is full; no unit has a verdict
            self._break(event, "it has no record on the disk")
            return
        record = self.journal.record(event.record_id)
        if Outcome(record.outcome) != event.outcome:
            self._break(event, f"its record says {record.outcome}; {event.sentence}")
        version = self.version(unit)
        if event.verdict is Verdict.PASS and version != TARGET:
            self._break(event, f"the module {unit.name} runs {version}")
        if event.outcome == Outcome.OLD_VERSION and version != BASE:
            self._break(event, f"the module {unit.name} runs {version}")
        if event.outcome == Outcome.WRITE_FAILED and version != BASE:
            self._break(event, f"the module {unit.name} runs {version}")

    def version(self, unit: Unit) -> str:
        return _module(self._hub, unit).version

    def _break(self, event: VerdictEvent, why: str) -> None:
        self.shift.broken.append(
            f"lane {event.lane}, job {event.job}: {event.verdict} {event.outcome}: {why}"
        )


def _module(hub: SimHub, unit: Unit) -> SimModule:
    device = hub._links[unit.name].device  # noqa: SLF001 - the judge sees the true state
    assert isinstance(device, SimModule)
    return device


class Operator:
    """The hands at one station, and their mistakes."""

    def __init__(self, seed: int, lanes: dict[int, HandLane], judge: Judge, hub: SimHub, units: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable, no secrets
        self._lanes = lanes
        self._judge = judge
        self._hub = hub
        self._left = units
        self._unit_count = 0
        self._seen: list[Unit] = []
        self._patience: dict[int, int] = {}

    @property
    def is_done(self) -> bool:
        return self._left <= 0 and not self._judge.inside

    def look(self, views: tuple[LaneView, ...]) -> None:
        for view in views:
            self._serve(view)

    def _serve(self, view: LaneView) -> None:
        draw = self._random.random()
        if view.number not in self._judge.inside:
            if view.state in (LaneState.EMPTY, LaneState.BLOCKED) and self._left > 0 and draw < 0.3:
                self._put_in(view.number)
        elif view.state in (
            LaneState.PASSED,
            LaneState.FAILED,
            LaneState.STATION_ERROR,
            LaneState.REMOVE_UNIT,
        ):
            if draw < 0.3:
                self._take_out(view.number)
        elif draw < _PULL.get(view.state, 0.0):
            self._take_out(view.number)

    def _put_in(self, lane: int) -> None:
        self._left -= 1
        unit = self._next()
        self._judge.inside[lane] = unit
        self._lanes[lane].put_in(unit.url)

    def _next(self) -> Unit:
        draw, inside = self._random.random(), {unit.name for unit in self._judge.inside.values()}
        returning = [unit for unit in self._seen if unit.name not in inside]
        if draw < 0.15 and returning:  # one that was here before: judged, pulled or a flapping contact
            return self._random.choice(returning)
        self._unit_count += 1
        imei = f"490154{self._unit_count:08d}"
        if draw > 0.95 and self._seen:
            imei = self._random.choice(self._seen).imei  # a clone
        else:
            imei += _check_digit(imei)
        unit = Unit(f"unit-{self._unit_count}", imei, self._random.choice(FAULTS))
        self._seen.append(unit)
        return unit

    def _take_out(self, lane: int) -> None:
        unit = self._judge.inside.pop(lane)
        self._lanes[lane].take_out()
        link = self._hub._links.get(unit.name)  # noqa: SLF001 - as its adapter is pulled
        if link is not None:
            link.device.unplugged = True


def _check_digit(digits: str) -> str:
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[1::2])
    return str(-(sum(map(int, digits[0::2])) + doubled) % 10)


def run_shift(seed: int, *, units: int, lanes: int) -> Shift:
    """Run a shift in which ``units`` units are put in, on machines that die, and judge it."""
    hub, lives = SimHub(), random.Random(seed)  # noqa: S311 - repeatable, no secrets
    judge = Judge(hub)
    hands = {number: HandLane() for number in range(1, lanes + 1)}
    operator = Operator(seed, hands, judge, hub, units)
    with tempfile.TemporaryDirectory(prefix="atota-shift-") as name:
        folder = Path(name)
        parts = FlashParts(_write_station(folder, lanes))
        while not (operator.is_done or judge.shift.broken):
            begin = lives.randint(*FULL)
            full = range(begin, begin + lives.randint(1, 40))
            judge.machine = machine = Machine(lives.randint(*LIFE), full)
            with suppress(Killed), _journal(folder, machine) as judge.journal, _with_hub(hub, machine):
                judge.journal.recover()
                _live(folder, hands, parts, judge, operator)
            judge.shift.deaths += machine.is_dead
        with Journal(folder / "journal.sqlite3", clock=SystemClock()) as journal:
            _judge_records(journal, judge)
    return judge.shift


def _write_station(folder: Path, lanes: int) -> LocalPackage:
    package = build_package(model="BC28", base=BASE, target=TARGET, size=600)
    (folder / "new.bin").write_bytes(package)
    md5 = Digests.of(package).md5
    text = f'name = "shift"\n[work]\ncommand = "flash"\npackage = "new.bin"\nmd5 = "{md5}"\n'
    text += f'target = "{TARGET}"\nbatch = "B"\n[stop]\nfailures_lane = 0\nfailures_station = 0\n'
    text += "".join(f'[[lane]]\nnumber = {n}\nport = "hand://{n}"\n' for n in range(1, lanes + 1))
    (folder / "station.toml").write_text(text)
    return LocalPackage(folder / "new.bin", md5, TARGET)


def _journal(folder: Path, machine: Machine) -> Journal:
    return Journal(
        folder / "journal.sqlite3",
        clock=SystemClock(),
        before_write=machine.before_write,
        after_write=machine.act,
    )


def _live(
    folder: Path, hands: dict[int, HandLane], parts: FlashParts, judge: Judge, operator: Operator
) -> None:
    """Run one machine until the shift is over, or until it dies."""
    stop = StopToken()
    station = Station(
        load_station(folder / "station.toml"),
        sockets=hands,
        parts=parts,
        journal=judge.journal,
        cache=Cache(folder / "cache"),
        reporter=judge,
        stop=stop,
    )
    thread = threading.Thread(target=station.run, daemon=True)
    thread.start()
    _watch(station, operator, judge)
    stop.set()
    thread.join(LIMIT_S)
    if thread.is_alive():
        judge.shift.broken.append("the station did not end")


@contextmanager
def _with_hub(hub: SimHub, machine: Machine) -> Iterator[None]:
    """Let ``sim://`` ports lead to the modules of this shift, and look at the lanes often."""

    def opened(url: str, *, baud: int = 9600, clock: Clock | None = None) -> Link:
        machine.alive()
        return MortalLink(hub.open(url, baud=baud, clock=clock), machine)

    def hook(failure: threading.ExceptHookArgs) -> None:
        if failure.exc_type is not Killed:
            threading.__excepthook__(failure)

    with (
        mock.patch.object(station_module, "LOOK_EVERY_S", 0.01),
        mock.patch("atota.sim.link.open_sim_link", opened),
        mock.patch.object(threading, "excepthook", hook),
    ):
        yield


def _watch(station: Station, operator: Operator, judge: Judge) -> None:
    clock = SystemClock()
    seen, at = -1, clock.monotonic()
    while not (operator.is_done or judge.machine.is_dead):
        operator.look(station.hub.snapshot().lanes)
        if any(notice.key == "journal" for notice in station.hub.snapshot().notices):
            station.hub.send(ReleaseCommand(reason="room was made", by="lead"))
        clock.sleep(0.005)
        done = sum(judge.shift.verdicts.values()) - len(judge.inside)
        if done != seen:
            seen, at = done, clock.monotonic()
        elif clock.monotonic() - at > LIMIT_S:
            judge.shift.broken.append(f"nothing happened for {LIMIT_S:g} s")
            return


def _judge_records(journal: Journal, judge: Judge) -> None:
    """No unit has two countable attempts, since none was asked for."""
    attempts: Counter[str] = Counter()
    for record in journal.records():
        if not counts(record):
            continue
        try:
            verdict = verdict_of(Outcome(record.outcome))
        except (ValueError, AtotaError):
            judge.shift.broken.append(f"record {record.id} has the outcome {record.outcome}")
            continue
        if verdict is not Verdict.STATION_ERROR and record.imei:
            attempts[record.imei] += 1
    judge.shift.broken += [f"unit {imei} was run {n} times" for imei, n in attempts.items() if n > 1]
