"""A shift of a station in simulated time, and the station that all parts of its bench run.

The whole station runs: its loop, its lanes' threads, their jobs on simulated modules, its journal. The
threads take turns in one simulated time (`scripts.simulate_parts.turns`).
"""

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from atota.clock import SharedClock, StopToken, SystemClock
from atota.journal.store import Journal
from atota.ota.cache import Cache
from atota.settings.spec import LocalPackage
from atota.sim.bench import SimLane, SimOperator
from atota.sim.package import build_package
from atota.station.config import load_station
from atota.station.desk import VerdictEvent
from atota.station.lane import SETTLE_S
from atota.station.sockets import Socket
from atota.station.station import Station
from atota.station.view import Command, LaneView, Reply
from atota.update.events import JobEvent
from atota.values import Digests
from scripts.simulate_parts.shift import FlashParts
from scripts.simulate_parts.turns import TurnClock, Turns

BASE, TARGET = "BC28JAR01A03", "BC28JAR01A05"
JOB_S, HANDLING_S = 180.0, 10.0
URL, SIZE = "sim://BC28?speed=real&latency_ms=450", 121_300
"""A module and the bytes of a package with which a job takes three minutes: few commands, a slow line."""

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
    folder: Path,
    sockets: dict[int, Socket],
    watcher: Watcher,
    *,
    clock: SharedClock | None = None,
    size: int = 600,
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
                clock=clock,
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
    turns = Turns()
    clock = TurnClock(turns)
    operator, clicks = SimOperator(clock), list[Command]()
    sockets: dict[int, Socket] = {n: RealLane(URL, operator) for n in range(1, lanes + 1)}
    watcher = Watcher()
    with made_station(folder, sockets, watcher, clock=clock, size=SIZE) as (station, journal):

        def click(command: Command) -> Reply:
            clicks.append(command)
            return Reply(ok=False, sentence="")

        station.hub.on_command(click)
        ended = clock.start(station.run, "station")
        verdicts_at: list[float] = []
        while clock.monotonic() < hours * 3600:
            clock.sleep(1.0)
            verdicts_at += [clock.monotonic()] * (len(watcher.verdicts) - len(verdicts_at))
        passed = station.hub.snapshot().counters.passed
        assert passed == len(verdicts_at) == len(journal.records())
        station._stop.set()  # noqa: SLF001
        clock.wait(ended, 3600.0)
        job_s = statistics.median(record.duration_ms or 0 for record in journal.records()[-passed:]) / 1000
    if turns.failures:
        raise turns.failures[0]
    # The ramp is not the shift: it counts from the moment at which each lane has had its first unit.
    first = max(JOB_S, lanes * HANDLING_S) + JOB_S
    counted = [at for at in verdicts_at if at >= first]
    an_hour = 3600 * len(counted) / (hours * 3600 - first)
    limit = 3600 * min(lanes / (JOB_S + HANDLING_S), 1 / HANDLING_S)
    text = (
        f"{lanes} lanes: {an_hour:.1f} units/h of {limit:.1f} that arithmetic allows ({an_hour / limit:.1%})"
    )
    text += f", {passed} units with their records in {hours:g} simulated hours; a job takes {job_s:.1f} s"
    is_clicked = f"{lanes} lanes: {len(clicks) / passed:g} clicks a unit"
    return [(text, f"≥ {goal:g} units/h", an_hour >= goal), (is_clicked, "0", not clicks)]
