"""A port that programs cannot open is lent to them as a socket, at the program's own pace."""

import socket
import time

import pytest

from atota.clock import Clock, SimulatedClock, StopToken
from atota.errors import Refused
from atota.sota.lending import lent_port
from atota.sota.wire import Wire


class Slow:
    """A simulated chip on a busy machine: a look takes ten times as long as the time that it is for."""

    name = "slow"
    baud = 115200

    def __init__(self, answers_after_s: float) -> None:
        self.clock: Clock = SimulatedClock()
        self.looks = 0
        self.heard = b""
        self._after_s = answers_after_s
        self._due: float | None = None

    def read(self, timeout_s: float) -> bytes:
        self.looks += 1
        time.sleep(0.02)
        self.clock.sleep(timeout_s)
        if self._due is None or self.clock.monotonic() < self._due:
            return b""
        self._due = None
        return b"answer"

    def write(self, data: bytes) -> None:
        self.heard += data
        self._due = self.clock.monotonic() + self._after_s

    def set_baud(self, baud: int) -> None: ...

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None: ...

    def close(self) -> None: ...


def lent(link: Slow, port: str = "sim://slow") -> Wire:
    return Wire(lambda _port, _baud: link, port, 115200, StopToken())


def test_simulated_time_keeps_up_with_a_program_on_a_busy_machine() -> None:
    """An answer that is due after half a second needs some 25 looks, and not the 250 of two milliseconds."""
    link = Slow(0.5)
    with lent_port(lent(link), urls=True) as url:
        host, _, port = url.removeprefix("socket://").partition(":")
        with socket.create_connection((host, int(port)), timeout=30) as client:
            client.sendall(b"question")
            assert client.recv(100) == b"answer"
    assert link.heard == b"question"
    assert link.looks < 100


def test_a_port_that_the_program_cannot_open_is_refused() -> None:
    with pytest.raises(Refused, match="devices only"), lent_port(lent(Slow(0.0)), urls=False):
        raise AssertionError("the port was lent")
