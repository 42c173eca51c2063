"""A chip has no number of its own: what the journal knows of its port decides what its version is worth."""

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from atota.clock import SimulatedClock
from atota.errors import LinkError
from atota.journal.store import Journal
from atota.link.base import Link
from atota.settings.spec import JobSpec, LocalPackage
from atota.sim.chips.application import build_application
from atota.sim.chips.catalogue import make_chip
from atota.sim.link import SimLink
from atota.sota.opening import open_chip
from atota.update.events import JobEvent, JobResult, StageEvent
from atota.update.job import Job
from atota.values import Digests


class Killed(Exception):
    """The process ends here."""


class Bench:
    """A GD32 on a port, a package for it, and a journal; each job is a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.clock = SimulatedClock()
        self.chip = make_chip("GD32")
        self._package = folder / "app.bin"
        self._package.write_bytes(build_application("V1.1.0", base=0x08000000, size=5000))
        self._disk = sqlite3.connect(":memory:")
        self._processes = 0

    def run(self, *, killed_at: str = "", has_port: bool = True) -> JobResult | None:
        """Run one job; None if its process was killed."""

        def opened(_port: str, baud: int) -> Link:
            if not has_port:
                raise LinkError("the port is not there")
            return SimLink(self.chip, self.clock, baud=baud)

        def listen(event: JobEvent) -> None:
            if isinstance(event, StageEvent) and (event.stage, event.state) == (killed_at, "started"):
                raise Killed

        self._processes += 1
        spec = JobSpec(
            port="chip",
            task_type="sota",
            model="GD32",
            package=LocalPackage(self._package, Digests.of(self._package.read_bytes()).md5, "V1.1.0"),
        )
        journal = Journal.on(self._disk, clock=self.clock, owner=f"{self._processes}")
        targets: Callable[..., object] = partial(open_chip, opener=opened)
        try:
            return Job(spec, listener=listen, journal=journal, clock=self.clock, targets=targets).run()  # type: ignore[arg-type]
        except Killed:
            return None

    def power_cycle(self) -> None:
        """Take the supply away for a moment, with the boot pin as a board without a port has it."""
        self.chip.set_lines(self.clock.monotonic(), dtr=False, rts=False)
        self.chip.power_cut(self.clock.monotonic())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def outcome(result: JobResult | None) -> str:
    assert result is not None
    return str(result.outcome)


def test_an_application_whose_bytes_nothing_compared_is_written_again(bench: Bench) -> None:
    """The process dies before the comparison, and the chip starts what is in its flash by itself."""
    assert bench.run(killed_at="validate") is None
    bench.power_cycle()
    erases = bench.chip.flash.erases
    result = bench.run()
    assert outcome(result) == "updated"
    assert bench.chip.flash.erases == 2 * erases
    assert outcome(bench.run()) == "already-current"
    assert bench.chip.flash.erases == 2 * erases


def test_a_job_that_found_no_port_does_not_hide_the_one_that_was_cut_off(bench: Bench) -> None:
    assert bench.run(killed_at="validate") is None
    bench.power_cycle()
    erases = bench.chip.flash.erases
    assert outcome(bench.run(has_port=False)) == "port"
    assert outcome(bench.run()) == "updated"
    assert bench.chip.flash.erases == 2 * erases


def test_an_application_that_was_compared_before_the_cut_is_confirmed_and_not_written_again(
    bench: Bench,
) -> None:
    assert bench.run(killed_at="confirm") is None
    erases = bench.chip.flash.erases
    assert outcome(bench.run(has_port=False)) == "port"
    result = bench.run()
    assert result is not None
    assert (result.outcome, result.version_before) == ("updated", "V1.0.0")
    assert bench.chip.flash.erases == erases
