"""Links in memory under simulated time: what a test of anything above a link leans on."""

import pytest

from atota.clock import ScaledClock, SimulatedClock
from atota.errors import LinkLost
from atota.testing.memory import memory_pair


def test_waiting_for_nothing_lets_simulated_time_pass_at_once() -> None:
    clock = SimulatedClock()
    host, _ = memory_pair(clock)
    assert host.read(720.0) == b""
    assert clock.monotonic() == 720.0


def test_reading_what_is_there_costs_no_time() -> None:
    clock = SimulatedClock()
    host, module = memory_pair(clock)
    module.write(b"\r\nOK")
    module.write(b"\r\n")
    assert host.read(5.0) == b"\r\nOK\r\n"
    assert clock.monotonic() == 0.0


def test_each_end_has_its_own_rate_and_both_have_one_clock() -> None:
    clock = SimulatedClock()
    host, module = memory_pair(clock)
    host.set_baud(115200)
    assert (host.baud, module.baud) == (115200, 9600)
    assert host.clock is module.clock is clock


def test_time_that_runs_faster_is_waited_out_in_its_own_seconds() -> None:
    clock = ScaledClock(1000.0)
    host, _ = memory_pair(clock)
    before = clock.monotonic()
    assert host.read(20.0) == b""
    assert clock.monotonic() - before >= 20.0


def test_the_end_that_stays_reads_what_was_written_before_the_other_closed() -> None:
    host, module = memory_pair(SimulatedClock())
    module.write(b"bye")
    module.close()
    assert host.read(0) == b"bye"
    with pytest.raises(LinkLost):
        host.read(0)
