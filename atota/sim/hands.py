"""A bench of pseudo-terminals: modules that are plugged into lanes and taken out again, for any program.

Each lane has a link by its USB path, made and removed as udev does it, so a program that looks for adapters
finds them. One operator plugs: both hands on one unit, ``handling_s`` seconds each. A module is taken out
once the program has left it alone for a while. The operator makes mistakes where they are asked for, from a
seed: units that are pulled in the middle of the work, that flap, or that are clones of one before.

What really happened is told event by event: the version that each module had when it was taken out.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from atota.clock import Clock, StopToken, SystemClock
from atota.sim.module import SimModule
from atota.sim.modules import make_module
from atota.sim.options import Options
from atota.sim.serve import SimulatedWire, serve_pty

QUIET_S = 4.0
"""Seconds without a byte from the program after which the work on a module with a new version is over."""
STAY_S = 30.0
"""The same for one that runs what it ran, or is asked nothing at all: an erase takes its time, too."""
PULL_S = (1.5, 6.0)
"""When a unit is pulled in the middle of the work: seconds after the plug."""
TOUCH_S = 0.5
"""Seconds for which a unit that flaps has contact."""


_WATCH = b"AT"
"""The line by which a program only looks whether the module is still there."""


class BenchEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A unit that was plugged in or taken out; ``version`` is the one that it really runs."""

    lane: int
    what: str
    imei: str
    version: str
    mistake: str = ""


class Mistakes(msgspec.Struct, frozen=True, kw_only=True):
    """The share of units that an operator handles wrongly, 0 to 1 each."""

    pulled: float = 0.0
    flapping: float = 0.0
    cloned: float = 0.0


class PtyBench:
    """A bench that works until its stop token is set.

    Args:
        folder: where the links are made.
        model: the model of all modules.
        options: their options.
        faults: their faults.
        clock: their time.
        handling_s: the operator's seconds to put a unit in, and to take it out.
        mistakes: the operator's.
        seed: decides about the mistakes.
        tell: gets each event.
        stop: ends the bench.
    """

    def __init__(
        self,
        folder: Path,
        model: str,
        *,
        options: Options,
        faults: tuple[str, ...],
        clock: Clock,
        handling_s: float,
        mistakes: Mistakes,
        seed: int,
        tell: Callable[[BenchEvent], None],
        stop: StopToken,
    ) -> None:
        self._folder = folder
        self._model = model
        self._options = options
        self._faults = faults
        self._clock = clock
        self._watch = SystemClock()  # programs that look at the bench live in the machine's time
        self._handling_s = handling_s
        self._mistakes = mistakes
        self._random = random.Random(seed)  # noqa: S311 - repeatable mistakes, no secrets
        self._tell = tell
        self._stop = stop
        self._hands = threading.Lock()
        self._imeis: list[str] = []

    def run(self, lanes: int) -> None:
        """Work on lanes 1 to ``lanes`` until the stop token is set."""
        self._folder.mkdir(parents=True, exist_ok=True)
        threads = [
            threading.Thread(target=self._work, args=(lane,), name=f"bench-{lane}", daemon=True)
            for lane in range(1, lanes + 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.1)

    def _work(self, lane: int) -> None:
        link = self._folder / link_name(lane)
        link.unlink(missing_ok=True)
        while not self._stop.is_set:
            with self._hands:
                self._clock.sleep(self._handling_s)
                module, imei, mistake = self._next()
            if mistake == "flapping":
                for _ in range(3):
                    self._serve(lane, link, module, imei, "touched")
            self._serve(lane, link, module, imei, mistake)
            with self._hands:
                self._clock.sleep(self._handling_s)

    def _next(self) -> tuple[SimModule, str, str]:
        draw = self._random.random
        mistake = next(
            (name for name in Mistakes.__struct_fields__ if draw() < getattr(self._mistakes, name)), ""
        )
        options = self._options.as_a_module_of_its_own()
        if mistake == "cloned" and self._imeis:
            options = replace(options, imei=self._random.choice(self._imeis))
        imei = options.imei or ""
        self._imeis.append(imei)
        return make_module(self._model, options, faults=self._faults), imei, mistake

    def _serve(self, lane: int, link: Path, module: SimModule, imei: str, mistake: str) -> None:
        wire = _WatchedWire(module, module.baud, now=self._clock.monotonic())
        wire.watch = self._watch
        pulled_s = self._random.uniform(*PULL_S) if mistake == "pulled" else None
        end = _Removal(self._stop, wire, module, self._watch, TOUCH_S if mistake == "touched" else pulled_s)

        def on_ready(port: str) -> None:
            link.symlink_to(port)
            self._tell_of(lane, "plugged", module, imei, mistake)

        try:
            serve_pty(wire, self._clock, on_ready, end)
        finally:
            link.unlink(missing_ok=True)
            self._tell_of(lane, "unplugged", module, imei, mistake)

    def _tell_of(self, lane: int, what: str, module: SimModule, imei: str, mistake: str) -> None:
        event = BenchEvent(lane=lane, what=what, imei=imei, version=module.version, mistake=mistake)
        self._tell(event)


class _WatchedWire(SimulatedWire):
    """A wire that knows when the program sent its last byte."""

    watch: Clock
    heard_at: float | None = None

    def from_host(self, data: bytes, now: float) -> None:
        """Take bytes that the program wrote."""
        if data.strip() != _WATCH:
            self.heard_at = self.watch.monotonic()
        super().from_host(data, now)


class _Removal(StopToken):
    """The moment at which a unit is taken out."""

    def __init__(
        self, stop: StopToken, wire: _WatchedWire, module: SimModule, clock: Clock, after_s: float | None
    ) -> None:
        super().__init__()
        self._module = module
        self._version = module.version
        self._bench = stop
        self._wire = wire
        self._clock = clock
        self._began = clock.monotonic()
        self._after_s = after_s

    @property
    def is_set(self) -> bool:
        """True if the unit goes out now."""
        if self._bench.is_set:
            return True
        now = self._clock.monotonic()
        if self._after_s is not None:
            return now - self._began >= self._after_s
        is_new = self._module.version != self._version
        quiet_s = now - (self._wire.heard_at or self._began)
        return not self._module.booting and quiet_s >= (QUIET_S if is_new else STAY_S)


def link_name(lane: int) -> str:
    """Return the name of a lane's link, as udev makes them."""
    return f"platform-sim-{path_of(lane)}"


def path_of(lane: int) -> str:
    """Return the USB path of a lane, as station files name it."""
    return f"usb-0:{(lane - 1) // 7 + 1}.{(lane - 1) % 7 + 1}:1.0-port0"
