"""A USB adapter that hands bytes over when its timer runs out or 62 are there."""

import pytest

from atota.errors import UsageError
from atota.sim.link import SimLink, open_sim_link
from tests.sim.test_sim_link import OK, ask, listen

ATI = b"\r\nQuectel\r\nBC28\r\nRevision:BC28JAR01A03\r\n\r\nOK\r\n"


def lumps(link: SimLink, line: bytes) -> list[tuple[float, bytes]]:
    """Return the bytes and the time of each read, up to the final result."""
    link.write(line + b"\r")
    out: list[tuple[float, bytes]] = []
    while not b"".join(data for _, data in out).endswith(OK):
        data = link.read(5.0)
        assert data
        out.append((link.clock.monotonic(), data))
    return out


def test_an_adapter_with_a_timer_hands_over_what_has_gathered_when_it_runs_out() -> None:
    link = open_sim_link("sim://BC28?timer_ms=16&latency_ms=0")
    every = lumps(link, b"ATI")
    assert b"".join(data for _, data in every) == ATI
    # 9600 baud: a byte every 1.04 ms, so fifteen or sixteen of them in 16 ms.
    assert [len(data) for _, data in every][1:-1] == [15, 16]
    for moment, _ in every:
        assert moment / 0.016 == pytest.approx(round(moment / 0.016), abs=1e-6)


def test_an_adapter_with_a_timer_hands_over_62_bytes_at_once_and_its_timer_begins_again() -> None:
    link = open_sim_link("sim://BC28?timer_ms=16&latency_ms=0&baud=115200", baud=115200)
    every = lumps(link, b"AT+NCONFIG?")
    sizes = [len(data) for _, data in every]
    assert max(sizes) == 62
    assert sizes[:-1].count(62) >= len(sizes) - 2
    full = sizes.index(62, 1)
    assert every[full][0] - every[full - 1][0] == pytest.approx(62 * 10 / 115200, abs=1e-8)
    assert every[-1][0] - every[-2][0] == pytest.approx(0.016, abs=1e-8)


def test_a_single_byte_waits_for_the_timer_and_then_for_the_bus() -> None:
    plain, timed = (open_sim_link(f"sim://BC28?latency_ms=2&timer_ms={ms}") for ms in (0, 255))
    assert ask(plain, b"AT") == ask(timed, b"AT") == OK
    assert (timed.clock.monotonic() - 0.05) % 0.255 == pytest.approx(0.002, abs=1e-8)


@pytest.mark.parametrize("timer_ms", [1, 16, 200])
@pytest.mark.parametrize("faults", ["", "echo+urc-storm:0.05", "boot-garbage"])
def test_with_a_timer_the_same_bytes_come_only_later(timer_ms: int, faults: str) -> None:
    reads = []
    for ms in (0, timer_ms):
        link = open_sim_link(f"sim://BC28?fault={faults}&timer_ms={ms}")
        link.read(0)
        for moment in range(1, 6):
            link.clock.sleep(6.0 * moment - link.clock.monotonic())
            link.write(b"AT+CGMR\r")
        reads.append(listen(link, 35.0 - link.clock.monotonic()))
    ended = min(len(one) for one in reads) - 20
    assert ended > 100
    assert reads[0][:ended] == reads[1][:ended]


def test_what_an_adapter_holds_was_received_at_the_rate_of_then() -> None:
    link = open_sim_link("sim://BC28?timer_ms=200&latency_ms=0")
    link.write(b"AT\r")
    link.clock.sleep(0.1)
    assert link.read(0) == b""
    link.set_baud(115200)
    assert link.read(1.0) == OK


def test_an_adapter_pulled_out_loses_what_it_holds() -> None:
    link = open_sim_link("sim://BC28?timer_ms=200")
    link.write(b"AT\r")
    link.clock.sleep(0.1)
    assert link.replug().read(5.0) == b""


@pytest.mark.parametrize("value", ["-1", "256", "x"])
def test_a_timer_that_no_adapter_has_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="timer_ms"):
        open_sim_link(f"sim://BC28?timer_ms={value}")
