"""The time of our own flashers against the least that protocol and chip allow; a program runner's own share.

The least is the time in which a byte is on the wire, or the chip does what its documents give a time for
(erase, write, response), or a pause passes that the protocol itself demands. The pieces are the largest that
a protocol allows, so their bytes are the fewest: 256 of AN3155, 64 of the receive buffer of Nordic's secure
bootloader (its MTU has room for each byte escaped), 512 of HCI, and the request size that SMP tells. The wire
is the simulator's, in simulated time, so these figures are the same on every machine. The runner's share is
real time: a call of a program through the runner, less the program's own run.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from atota.clock import SimulatedClock, StopToken
from atota.link.forward import ForwardingLink
from atota.settings.board import decode_board
from atota.settings.spec import JobSpec, LocalPackage
from atota.sim.chips.catalogue import make_chip
from atota.sim.chips.chip import Need
from atota.sim.chips.options import ChipOptions
from atota.sim.link import SimLink
from atota.sota.opening import open_chip
from atota.sota.program import run_program
from atota.sota.target import ChipTarget
from atota.values import Digests
from scripts.bench_parts.transfer import covered_s
from scripts.simulate_parts.chips import CHIPS

GOAL = 0.97
RUNNER_GOAL_S = 0.6
SIZE = 100_000
CALLS = 9
DEMANDS_PAUSES = ("nordic-legacy",)
"""The protocols whose client has to wait by itself: the acknowledgement comes before the work."""


class Watched(ForwardingLink):
    """A link that notes when the wire was busy, and when the chip was."""

    def __init__(self, inner: SimLink) -> None:
        super().__init__(inner)
        self._sim = inner
        self.busy: list[tuple[float, float]] = []
        chip = inner.chip
        wait, say = chip._wait, chip.say  # noqa: SLF001 - the simulator's own times

        def waited(needed: Need) -> None:
            if isinstance(needed, float):
                self.busy.append((chip.now, chip.now + needed))
            wait(needed)

        def said(data: bytes) -> None:
            bits = 11 if chip.parity != "N" else 10
            end = chip.now + chip.reply_s + len(data) * bits / chip.baud
            self.busy.append((chip.now, end))
            say(data)

        chip._wait, chip.say = waited, said  # type: ignore[method-assign] # noqa: SLF001

    def write(self, data: bytes) -> None:
        began = max(self._sim._wire.idle_at, self.clock.monotonic())  # noqa: SLF001 - when all has left
        self.inner.write(data)
        self.busy.append((began, self._sim._wire.idle_at))  # noqa: SLF001


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", type=int, default=SIZE, help=f"bytes of package (default {SIZE})")
    parser.add_argument("--calls", type=int, default=CALLS, help=f"calls of a program (default {CALLS})")


def run(arguments: argparse.Namespace) -> int:
    is_good = True
    with tempfile.TemporaryDirectory() as folder:
        for name in CHIPS:
            is_good &= measure(name, arguments.size, Path(folder))
        is_good &= runner(arguments.calls, Path(folder))
    print("goals reached" if is_good else "GOAL MISSED")
    return 0 if is_good else 1


def measure(name: str, size: int, folder: Path) -> bool:
    """Write one chip, read it back and start it; True if the goal is reached."""
    kind, clock = CHIPS[name], SimulatedClock()
    chip = make_chip(kind.model, ChipOptions(protocol=kind.protocol))
    link = SimLink(chip, clock, baud=chip.app_baud)
    watched = Watched(link)
    data = kind.package(size)
    path = folder / f"{name}.bin"
    path.write_bytes(data)
    spec = JobSpec(
        port=f"sim://{kind.model}",
        task_type="sota",
        model=kind.model,
        board=decode_board(kind.board, name="b.toml") if kind.board else None,
        package=LocalPackage(path, Digests.of(data).md5, kind.row[3]),
    )
    target = open_chip(
        spec,
        clock=clock,
        stop=StopToken(),
        note=lambda _text: None,
        warn=lambda _text: None,
        on_urc=lambda _text: None,
        opener=lambda _port, _baud: watched,
    )
    target.check(path, kind.row[3])
    target.prepare(path, 0, undo=(), on_undo_changed=lambda _undo: None)
    if name in DEMANDS_PAUSES:
        _count_pauses(target, watched)
    began = clock.monotonic()
    target.write(path, lambda _done, _total: None)
    target.validate()
    took = clock.monotonic() - began
    least = covered_s(watched.busy, began, clock.monotonic())
    share = least / took
    speed = len(data) / took
    print(
        f"{name:14} {len(data)} bytes  {took:7.2f} s  least {least:7.2f} s  {share:.1%}"
        f"  {speed / 1000:.2f} kB/s" + ("" if share >= GOAL else "  BELOW ITS GOAL")
    )
    target.activate()
    clock.sleep(60.0)
    link.read(0.0)
    assert chip.version == "V1.1.0", f"the chip runs {chip.version}"
    return share >= GOAL


def _count_pauses(target: ChipTarget, watched: Watched) -> None:
    """Note the pauses of a flasher as demanded ones."""
    wire = target._wire  # noqa: SLF001
    pause = wire.pause

    def paused(seconds: float) -> None:
        now = watched.clock.monotonic()
        watched.busy.append((now, now + seconds))
        pause(seconds)

    wire.pause = paused  # type: ignore[method-assign]


def runner(calls: int, folder: Path) -> bool:
    """Compare a program through the runner with the program alone; True if the goal is reached."""
    program = [sys.executable, "-S", "-c", "print('Done')"]
    empty = folder / "empty"
    empty.mkdir()
    shares = []
    for _ in range(calls):
        began = time.perf_counter()
        subprocess.run(program, check=True, capture_output=True)
        alone = time.perf_counter() - began
        began = time.perf_counter()
        ended = run_program(
            program, folder=empty, limit_s=30, quiet_s=30, check=lambda: None, on_line=lambda _line: None
        )
        shares.append(time.perf_counter() - began - alone)
        assert ended.last == "Done"
    own = max(statistics.median(shares), 0.0)
    print(
        f"{'runner':14} its own share {own * 1000:.0f} ms a call"
        f" (median of {calls}, worst {max(shares) * 1000:.0f} ms)"
        + ("" if own <= RUNNER_GOAL_S else "  BELOW ITS GOAL")
    )
    return own <= RUNNER_GOAL_S
