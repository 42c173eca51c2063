"""The share of a transfer's time that the host wastes: all but bytes on the wire, the module's own time and
the pauses that the dialect documents. All methods that send the package from here are measured.
After that: the time of a whole package before, at a fixed rate, and now, at the rate that the line proves.

The wire is the simulator's, in simulated time, so the figures are the same on every machine.
"""

import argparse
import hashlib
import tempfile
from math import inf
from pathlib import Path
from typing import NamedTuple

from atota.dialects.methods.nfwupd import NfwupdSpec
from atota.fota.line import TransferLine
from atota.fota.registry import method_for
from atota.link.base import Link
from atota.link.forward import ForwardingLink
from atota.module.module import Module, open_module
from atota.sim.link import SimLink
from atota.sim.package import build_package

GOALS = {"nfwupd": 0.97}
GOAL = 0.95  # of every other method
BAUDS = (9600, 115200, 921600)
SIZE = 40_000
# Model, and the rates at which its slot is filled: those that it can be given.
CASES = {
    "BC28": BAUDS,
    "M5310-A": BAUDS,
    "BC95-B8": (9600, 115200),
    "SARA-N200": (9600, 115200),
    "EC616": (9600, 115200),
    "XY1100": (9600, 115200),
    "ENS22": (9600, 115200),
    "SIM7000C": BAUDS,
    "SIM7020C": BAUDS,
    "ME3616": BAUDS,
    "EC21": BAUDS,
    "EC800M": BAUDS,
    "SARA-R410": (9600, 115200, 460800),
}

RAISED_SIZE = 200_000
# Model whose rate can be raised, and the share of the former time that may be left: where the former rate and
# block are the highest that the module has, the proof of the rate is all that is added.
RAISED = {"BC28": 0.40, "M5310-A": 0.41, "BC95-B8": 1.02, "SARA-N200": 1.02}


def covered_s(intervals: list[tuple[float, float]], began: float, ended: float = inf) -> float:
    """Return the time between two moments that intervals cover; where several do, it counts once."""
    total_s, end = 0.0, began
    for start, stop in sorted(intervals):
        stop = min(stop, ended)
        total_s += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total_s


class Watched(ForwardingLink):
    """A link that adds up how long the module and the wire were free and the host had not yet sent anything.

    The module is free from its answer on, and all through a data phase.
    """

    def __init__(self, inner: SimLink) -> None:
        super().__init__(inner)
        self.sim = inner
        self.pause_s = self.payload_pause_s = 0.0
        self.waste_s = 0.0
        self.busy: list[tuple[float, float]] = []
        self._answered: float | None = None

    def read(self, timeout_s: float) -> bytes:
        data = self.inner.read(timeout_s)
        if data:
            self._answered = now = self.clock.monotonic()
            self.busy.append((now - len(data) * 10 / self.baud, now))
        return data

    def write(self, data: bytes) -> None:
        idle_at = self.sim._wire.idle_at  # noqa: SLF001 - when everything sent has left
        if self._answered is not None:
            self._add(max(self._answered, idle_at), self.pause_s)
        elif self.sim.module.bytes_needed is not None:
            self._add(idle_at, self.payload_pause_s)
        self._answered = None
        self.inner.write(data)
        self.busy.append((max(idle_at, self.clock.monotonic()), self.sim._wire.idle_at))  # noqa: SLF001

    def wire_s(self, began: float) -> float:
        """Return the time from ``began`` on in which bytes were on the wire, in one direction or in both.

        An echo comes back while its command is still being sent: that time counts once.
        """
        return covered_s(self.busy, began)

    def end(self) -> None:
        """The transfer is over: what passed since the last answer is the host's own, too."""
        if self._answered is not None:
            self._add(self._answered, 0.0)

    def _add(self, free_at: float, pause_s: float) -> None:
        self.waste_s += max(0.0, self.clock.monotonic() - free_at - pause_s)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", type=int, default=SIZE, help=f"bytes of package (default {SIZE})")


def run(arguments: argparse.Namespace) -> int:
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for model, bauds in CASES.items():
            for baud in bauds:
                figures = measure(model, baud, arguments.size, Path(folder))
                print(figures.line())
                good = figures.reaches_goal and good
        for model in RAISED:
            good = compare(model, Path(folder)) and good
    print("goals reached" if good else "GOAL MISSED")
    return 0 if good else 1


def compare(model: str, folder: Path) -> bool:
    """Fill a slot as it was done once, by a fixed rate and the default block, and as this line allows."""
    before, after = (seconds(model, folder, fixed=fixed) for fixed in (True, False))
    share = after[0] / before[0]
    print(
        f"{model:12} {RAISED_SIZE} bytes  before {before[0]:6.2f} s ({before[1]} baud, blocks of {before[2]})"
        f"  after {after[0]:6.2f} s ({after[1]} baud, blocks of {after[2]})  {share:.1%}"
        + ("" if share <= RAISED[model] else "  ABOVE ITS GOAL")
    )
    return share <= RAISED[model]


def seconds(model: str, folder: Path, *, fixed: bool) -> tuple[float, int, int]:
    """The time to raise the rate and to fill the slot, the rate and the block length."""
    path = folder / f"{model}.bin"
    with open_module(f"sim://{model}", baud=9600) as module:
        identity = module.identify()
        dialect, clock = module.session.dialect, module.session.link.clock
        version = identity.version or ""
        path.write_bytes(build_package(model=model, base=version, target="X1", size=RAISED_SIZE))
        assert isinstance(dialect.method, NfwupdSpec)
        method = method_for(dialect, block=dialect.method.blocks.default if fixed else None)
        method.check(path)
        method.prepare(module.session)
        began = clock.monotonic()
        line = TransferLine(module, 115200 if fixed else None, note=print, warn=print)
        line.raise_rate(method)
        baud = module.session.link.baud
        method.write(module.session, path, lambda _done, _total: None)
        line.leave_raised_rate()
        return clock.monotonic() - began, baud, method.block or 0


class Figures(NamedTuple):
    """The time of one transfer in seconds, and its shares: the wire's and the host's own."""

    model: str
    baud: int
    took_s: float
    wire_s: float
    waste_s: float
    goal: float

    @property
    def efficiency(self) -> float:
        return 1 - self.waste_s / self.took_s

    @property
    def reaches_goal(self) -> bool:
        return self.efficiency >= self.goal

    def line(self) -> str:
        return (
            f"{self.model:20} {self.baud:>7} baud  {self.took_s:7.2f} s  "
            f"wire {self.wire_s / self.took_s:6.1%}  "
            f"host's own {self.waste_s / self.took_s:6.2%}  efficiency {self.efficiency:.1%}"
            + ("" if self.reaches_goal else "  BELOW ITS GOAL")
        )


def measure(model: str, baud: int, size: int, folder: Path) -> Figures:
    watched: list[Watched] = []

    def wrap(link: Link) -> Link:
        assert isinstance(link, SimLink)
        watched.append(Watched(link))
        return watched[0]

    with open_module(f"sim://{model}?baud={baud}", baud=baud, wrap=wrap) as module:
        return fill(module, watched[0], size, folder)


def fill(module: Module, link: Watched, size: int, folder: Path) -> Figures:
    """Fill a slot, and measure it."""
    identity = module.identify()
    assert module.findings is not None
    dialect = module.findings.dialect
    package = folder / "package.bin"
    data = build_package(model=identity.model or "", base=identity.version or "", target="X1", size=size)
    package.write_bytes(data)
    method = method_for(dialect)
    method.check(package)
    method.probe(module.session)
    method.prepare(module.session)
    link.pause_s, link.waste_s = dialect.uart.pause_after_final_s, 0.0
    link.payload_pause_s = getattr(dialect.method, "pause_s", 0.0)
    began = link.clock.monotonic()
    method.write(module.session, package, lambda _done, _total: None)
    took_s = link.clock.monotonic() - began
    link.end()
    waste_s, wire_s = link.waste_s, link.wire_s(began)
    if link.sim.module.slot != data:
        method.activate(module.session)  # the last byte is held back where it starts the update
    slot = link.sim.module.slot
    assert hashlib.md5(slot).digest() == hashlib.md5(data).digest(), "the slot is not the package"  # noqa: S324
    goal = GOALS.get(dialect.method.kind if dialect.method else "", GOAL)
    return Figures(identity.model or "?", link.baud, took_s, wire_s, waste_s, goal)
