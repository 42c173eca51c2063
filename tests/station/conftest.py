"""A whole station in this process: its lanes are simulated modules that a test puts in and takes out."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from atota.clock import StopToken, SystemClock
from atota.journal.store import Journal
from atota.ota.cache import Cache
from atota.settings.spec import LocalPackage
from atota.sim.bench import HandLane
from atota.sim.package import build_package
from atota.station import station as station_module
from atota.station.config import StationConfig, load_station
from atota.station.desk import VerdictEvent
from atota.station.lane import LaneState
from atota.station.station import Station
from atota.station.view import LaneView
from atota.station.work import JobParts
from atota.update.events import JobEvent
from atota.values import Digests
from scripts.simulate_parts.shift import FlashParts

BASE, TARGET = "BC28JAR01A03", "BC28JAR01A05"
IMEIS = ("490154203237518", "490154203237526", "490154203237534", "490154203237542")
LIMIT_S = 20.0


class Recorder:
    """A reporter that remembers everything."""

    def __init__(self) -> None:
        self.states: list[tuple[int, LaneState]] = []
        self.verdicts: list[VerdictEvent] = []
        self.events: list[tuple[int, str, JobEvent]] = []

    def lane(self, view: LaneView, job: str | None) -> None:
        self.states.append((view.number, view.state))

    def verdict(self, event: VerdictEvent) -> None:
        self.verdicts.append(event)

    def job(self, lane: int, job: str, event: JobEvent) -> None:
        self.events.append((lane, job, event))


class RunningStation:
    """A station whose loop runs in a thread of its own."""

    def __init__(self, config: StationConfig, journal: Journal, parts: JobParts, cache: Cache) -> None:
        self.places = {lane.number: HandLane() for lane in config.file.lane}
        self.reporter = Recorder()
        self.stop = StopToken()
        self.journal = journal
        self.parts = parts
        self.station = Station(
            config,
            sockets=self.places,
            parts=self.parts,
            journal=journal,
            cache=cache,
            reporter=self.reporter,
            stop=self.stop,
        )
        self.hub = self.station.hub
        self.thread = threading.Thread(target=self.station.run, daemon=True)

    def lane(self, number: int = 1) -> LaneView:
        return next(lane for lane in self.hub.snapshot().lanes if lane.number == number)

    def wait(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so; a failure shows the whole picture."""
        clock = SystemClock()
        end = clock.monotonic() + LIMIT_S
        while not is_so():
            assert clock.monotonic() < end, msgspec.json.encode(self.hub.snapshot()).decode()
            clock.sleep(0.01)

    def wait_for(self, state: LaneState, number: int = 1) -> LaneView:
        self.wait(lambda: self.lane(number).state is state)
        return self.lane(number)

    def run_unit(self, url: str, number: int = 1) -> LaneView:
        """Put a unit in, wait for its verdict, and take it out; return the lane with the verdict."""
        judged = len(self.reporter.verdicts)
        self.places[number].put_in(url)
        self.wait(lambda: len(self.reporter.verdicts) > judged)
        view = self.lane(number)
        self.remove(number)
        return view

    def remove(self, number: int = 1) -> None:
        self.places[number].take_out()
        self.wait(lambda: self.lane(number).state in (LaneState.EMPTY, LaneState.BLOCKED, LaneState.OFF))


@pytest.fixture
def package(tmp_path: Path) -> LocalPackage:
    data = build_package(model="BC28", base=BASE, target=TARGET, size=600)
    path = tmp_path / "new.bin"
    path.write_bytes(data)
    return LocalPackage(path, Digests.of(data).md5, TARGET)


@pytest.fixture
def make_config(tmp_path: Path, package: LocalPackage) -> Callable[..., StationConfig]:
    """Return a function that writes a station file of some lanes, with more tables, and loads it."""

    def make(more: str = "", *, lanes: int = 1, work: str = 'batch = "B-1"') -> StationConfig:
        head = f'name = "bench"\n[work]\ncommand = "flash"\npackage = "new.bin"\nmd5 = "{package.md5}"\n'
        head += f'target = "{TARGET}"\n{work}\n{more}\n'
        tables = "".join(f'[[lane]]\nnumber = {n}\nport = "hand://{n}"\n' for n in range(1, lanes + 1))
        path = tmp_path / "station.toml"
        path.write_text(head + tables, encoding="utf-8")
        return load_station(path)

    return make


@pytest.fixture
def start(
    make_config: Callable[..., StationConfig],
    package: LocalPackage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., RunningStation]]:
    """Return a function that starts a station; all are stopped at the end of the test."""
    monkeypatch.setattr(station_module, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(station_module, "SURVEY_EVERY_S", 0.05)
    running: list[RunningStation] = []
    with ExitStack() as stack:

        def make(
            more: str = "", *, journal: Journal | None = None, parts: JobParts | None = None, **options: Any
        ) -> RunningStation:
            if journal is None:
                journal = stack.enter_context(Journal(tmp_path / "journal.sqlite3", clock=SystemClock()))
            parts = parts or FlashParts(package)
            station = RunningStation(make_config(more, **options), journal, parts, Cache(tmp_path / "cache"))
            station.thread.start()
            running.append(station)
            return station

        yield make
        for station in running:
            station.stop.set()
        for station in running:
            station.thread.join(LIMIT_S)
            assert not station.thread.is_alive()
