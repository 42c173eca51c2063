"""The station: a shift in simulated time, and 64 lanes in real time with five pages.

Parts: shift, traffic, growth, start; `--only` chooses one.

- shift: a whole station in simulated time, with jobs of three minutes on simulated modules, and an operator
  of ten seconds a unit.
- traffic: 64 lanes whose jobs run in real time on simulated modules over memory links, with the page served
  to five readers in another process. The share of the processor includes that of the simulated modules.
- growth: 10,000 jobs on 64 lanes in simulated time; the growth is that of the process since job 1,000.
- start: `atota station run` as a process, 64 simulated lanes, until `GET /` gives the page.

The goals are those of the contract.
"""

import argparse
import datetime as dt
import gc
import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from atota.journal.store import Journal
from atota.sim.bench import HandLane, SimLane, SimOperator
from atota.station.desk import VerdictEvent
from atota.station.lane import AT_WORK, SETTLE_S
from atota.station.page.serve import serving
from atota.station.sockets import Socket
from atota.station.station import Station
from scripts.bench_parts.station_shift import Figures, Watcher, made_station, shift, station_file
from scripts.simulate_parts.turns import TurnClock, Turns

LANES, PAGES = 64, 5
WARM_UP_S = 12.0
GROWTH_STEP = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", choices=sorted(PARTS), help="one part")
    parser.add_argument("--hours", type=float, default=1.0, help="length of the simulated shift (default 1)")
    parser.add_argument("--seconds", type=float, default=90.0, help="length of the traffic (default 90)")
    parser.add_argument("--jobs", type=int, default=10_000, help="of the part growth (default 10000)")


def run(arguments: argparse.Namespace) -> int:
    is_good = True
    for name, part in PARTS.items():
        if arguments.only not in (None, name):
            continue
        with tempfile.TemporaryDirectory(prefix="atota-bench-") as folder:
            for text, goal, is_reached in part(Path(folder), arguments):
                missed = "" if is_reached else "  MISSED"
                print(f"{name:8} {text}  (goal: {goal}){missed}", flush=True)
                is_good &= is_reached
    return 0 if is_good else 1


class Hands:
    """Quick hands at every lane: a unit that has its verdict is exchanged; the moments are drawn."""

    def __init__(self, station: Station, lanes: dict[int, HandLane], url: str) -> None:
        self._station, self._lanes, self._url = station, lanes, url
        self._random = random.Random(64)  # noqa: S311 - a schedule
        self._due = {number: 0.1 * number for number in lanes}
        self._began = time.monotonic()
        self._is_in = dict.fromkeys(lanes, False)
        self.plugs: list[tuple[float, int]] = []

    def move(self) -> None:
        now = time.monotonic() - self._began
        for view in self._station.hub.snapshot().lanes:
            number = view.number
            lane = self._lanes[number]
            if self._is_in[number]:
                if view.verdict is not None and view.state not in AT_WORK:
                    lane.take_out()
                    self._is_in[number] = False
                    self._due[number] = now + self._random.uniform(0.6, 1.2)
            elif now >= self._due[number] and view.state == "empty":
                self._is_in[number] = True
                self.plugs.append((time.time(), number))
                lane.put_in(self._url)


READER = """
import json, socket, sys, threading, time
host, port = "127.0.0.1", int(sys.argv[1])

def read(is_told):
    page = socket.create_connection((host, port))
    page.sendall(f"GET /events HTTP/1.1\\r\\nHost: {host}:{port}\\r\\n\\r\\n".encode())
    kind = ""
    for line in page.makefile("rb"):
        if line.startswith(b"event: "):
            kind = line[7:].strip()
        elif is_told and kind == b"lane" and line.startswith(b"data: "):
            lane = json.loads(line[6:])
            told = [time.time(), lane["number"], lane["state"], lane.get("verdict")]
            print(json.dumps(told), flush=True)

threads = [threading.Thread(target=read, args=(n == 0,), daemon=True) for n in range(int(sys.argv[2]))]
for thread in threads:
    thread.start()
sys.stdin.read()
"""


def traffic(folder: Path, arguments: argparse.Namespace) -> Figures:
    hands_of = {n: HandLane() for n in range(1, LANES + 1)}
    for lane in hands_of.values():
        lane.settle_s = SETTLE_S
    watcher = Watcher()
    tiles_file = folder / "tiles"
    with (
        made_station(folder, dict(hands_of), watcher, size=4800) as (station, journal),
        serving(station.hub, "127.0.0.1:0") as url,
        tiles_file.open("wb") as output,
    ):
        port = url.rstrip("/").rpartition(":")[2]
        words = [sys.executable, "-c", READER, port, str(PAGES)]
        reader = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=output)
        loop = threading.Thread(target=station.run, daemon=True)
        hands = Hands(station, hands_of, "sim://BC28?speed=real")
        loop.start()
        _serve(hands, WARM_UP_S)
        page = next(thread for thread in threading.enumerate() if thread.name == "atota-page")
        began, busy, page_busy = time.monotonic(), time.process_time(), _thread_s(page)
        most_files, active = _serve(hands, arguments.seconds, station)
        took = time.monotonic() - began
        share, page_share = (time.process_time() - busy) / took, (_thread_s(page) - page_busy) / took
        station._stop.set()  # noqa: SLF001
        loop.join()
        time.sleep(0.5)  # the last tiles
        assert reader.stdin is not None
        reader.stdin.close()
        reader.wait()
        # The jobs that the end of the measurement interrupts belong to no shift.
        ended = [
            (ended_at(journal, event), event.lane) for event in watcher.verdicts if event.verdict == "pass"
        ]
    tiles = [json.loads(line) for line in tiles_file.read_text().splitlines()]
    plugged = latencies(hands.plugs, [(at, lane) for at, lane, _, verdict in tiles if verdict is None])
    shown = latencies(ended, [(at, lane) for at, lane, _, verdict in tiles if verdict is not None])
    what = f"{LANES} lanes, {active:.0f} at work on average, {len(ended)} jobs passed, {took:.0f} s"
    return [
        (f"{what}: {share:.1%} of a core with the simulated modules", "≤ 25 %", share <= 0.25),
        (f"{most_files} descriptors at most; a serial port would add one a lane", "≤ 450", most_files <= 450),
        _p99("plug to tile", plugged, 500),
        _p99("verdict's record to tile", shown, 300),
        (
            f"the page's thread, {PAGES} streams of {LANES} tiles: {page_share:.1%} of a core",
            "≤ 3 %",
            page_share <= 0.03,
        ),
    ]


def _p99(name: str, seconds: list[float], goal_ms: float) -> tuple[str, str, bool]:
    p99 = 1000 * statistics.quantiles(seconds, n=100, method="inclusive")[98]
    text = f"{name}: p99 {p99:.0f} ms, median {1000 * statistics.median(seconds):.0f} ms of {len(seconds)}"
    return f"{text}, over HTTP", f"p99 ≤ {goal_ms:g} ms", p99 <= goal_ms


def latencies(causes: list[tuple[float, int]], tiles: list[tuple[float, int]]) -> list[float]:
    """The time from each cause to the next tile of its lane."""
    of_lane: dict[int, list[float]] = defaultdict(list)
    for at, lane in tiles:
        of_lane[lane].append(at)
    waits = []
    for at, lane in causes:
        index = bisect_left(of_lane[lane], at)
        if index < len(of_lane[lane]):
            waits.append(of_lane[lane][index] - at)
    return waits


def ended_at(journal: Journal, event: VerdictEvent) -> float:
    assert event.record_id is not None
    return dt.datetime.fromisoformat(journal.record(event.record_id).ended_at).timestamp()


def _serve(hands: Hands, seconds: float, station: Station | None = None) -> tuple[int, float]:
    """Move the hands for a while; return the most descriptors, and the lanes at work on average."""
    until, most, active = time.monotonic() + seconds, 0, []
    for turn in itertools.count():
        if time.monotonic() >= until:
            break
        hands.move()
        if station is not None and turn % 10 == 0:
            most = max(most, _files())
            active.append(sum(lane.state in AT_WORK for lane in station.hub.snapshot().lanes))
        time.sleep(0.05)
    return most, statistics.mean(active) if active else 0.0


def _thread_s(thread: threading.Thread) -> float:
    """The processor's seconds of one thread of this process."""
    fields = Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def growth(folder: Path, arguments: argparse.Namespace) -> Figures:
    turns = Turns()
    clock, watcher = TurnClock(turns), Counted()
    operator = SimOperator(clock)
    lanes: dict[int, Socket] = {n: SimLane("sim://BC28", operator) for n in range(1, LANES + 1)}
    with made_station(folder, lanes, watcher, clock=clock) as (station, journal):
        ended = clock.start(station.run, "station")
        marks: list[Mark] = []
        for jobs in (*range(GROWTH_STEP, arguments.jobs, GROWTH_STEP), arguments.jobs):
            while watcher.count < jobs:
                clock.sleep(1.0)
            gc.collect()
            marks.append(Mark.taken(watcher.count, journal))
            print(f"growth   {marks[-1]}", flush=True)
        station._stop.set()  # noqa: SLF001
        clock.wait(ended, 3600.0)
    if turns.failures:
        raise turns.failures[0]
    first, last = marks[0], marks[-1]
    share = last.resident_mb / first.resident_mb - 1
    text = (
        f"{last.jobs} jobs on {LANES} lanes in simulated time: {share:+.1%} of memory since job {first.jobs}"
    )
    others = f"descriptors {first.files}, then {last.files}; threads {first.threads}, then {last.threads}"
    is_even = last.files <= first.files and last.threads <= first.threads
    return [(text, "≤ 5 %", share <= 0.05), (others, "no more", is_even)]


class Mark(NamedTuple):
    """The size of the process after so many jobs."""

    jobs: int
    resident_mb: float
    journal_mb: float
    files: int
    threads: int
    busy_s: float

    @classmethod
    def taken(cls, jobs: int, journal: Journal) -> "Mark":
        return cls(
            jobs,
            _resident_kb() / 1024,
            journal.path.stat().st_size / 1e6,
            _files(),
            threading.active_count(),
            time.process_time(),
        )

    def __str__(self) -> str:
        return (
            f"after {self.jobs} jobs: {self.resident_mb:.1f} MB, {self.files} descriptors, {self.threads}"
            f" threads, the journal's file {self.journal_mb:.1f} MB, {self.busy_s:.0f} s of the processor"
        )


class Counted(Watcher):
    """A reporter that only counts the verdicts, which must be good."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def verdict(self, event: VerdictEvent) -> None:
        assert event.verdict == "pass", event
        self.count += 1


def _files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _resident_kb() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def start(folder: Path, _arguments: argparse.Namespace) -> Figures:
    file, _ = station_file(folder, LANES, 4800, "sim://BC28?speed=real&id=unit-{}")
    words = [sys.executable, "-m", "atota", "station", "run", str(file), "--listen", "127.0.0.1:0", "--json"]
    took = []
    for _ in range(5):
        began = time.monotonic()
        environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder / "data")}
        station = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
        assert station.stdout is not None
        url = next(event["url"] for event in map(json.loads, station.stdout) if event["event"] == "listening")
        with urllib.request.urlopen(url) as page:  # noqa: S310 - this machine's
            assert page.read().count(b"data-lane=") >= LANES
        took.append(time.monotonic() - began)
        station.send_signal(signal.SIGKILL)
        station.communicate()
    seconds = min(took)  # other load of the machine only ever makes it longer
    text = f"`station run` with {LANES} simulated lanes: the page is read {seconds:.2f} s after the start"
    text += f" (best of {len(took)}, median {statistics.median(took):.2f} s)"
    return [(text, "≤ 1.5 s", seconds <= 1.5)]


PARTS: dict[str, Callable[[Path, argparse.Namespace], Figures]] = {
    "shift": lambda folder, arguments: shift(folder, arguments.hours),
    "traffic": traffic,
    "growth": growth,
    "start": start,
}
