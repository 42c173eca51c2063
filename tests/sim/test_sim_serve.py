"""Simulated modules on real pseudo-terminals and sockets. Waits are bounded; nothing is timed."""

import contextlib
import os
import select
import socket
from collections.abc import Iterator

import pytest

from atota.clock import ScaledClock, SimulatedClock, StopToken
from atota.errors import PortBusy, UsageError
from atota.sim.link import make_module
from atota.sim.serve import serve_pty, serve_tcp
from tests.sim.serving import on_pty, on_tcp

termios = pytest.importorskip("termios")
tty = pytest.importorskip("tty")

OK = b"\r\nOK\r\n"


def connect(address: str) -> socket.socket:
    host, port = address.removeprefix("socket://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


@contextlib.contextmanager
def opened(path: str, rate: int) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        attributes = termios.tcgetattr(fd)
        attributes[4] = attributes[5] = rate
        termios.tcsetattr(fd, termios.TCSANOW, attributes)
        yield fd
    finally:
        os.close(fd)


def until(fd: int, expected: bytes, limit: float = 10.0) -> bytes:
    out = b""
    while expected not in out and select.select([fd], [], [], limit)[0]:
        data = os.read(fd, 4096)
        if not data:
            break
        out += data
    return out


def test_a_module_on_a_pty_answers_and_tells_its_changes() -> None:
    changes: list[str] = []
    with on_pty(make_module("BC28", on_change=changes.append)) as path, opened(path, termios.B9600) as fd:
        os.write(fd, b"ATI\r")
        assert until(fd, OK) == b"\r\nQuectel\r\nBC28\r\nRevision:BC28JAR01A03\r\n\r\nOK\r\n"
        os.write(fd, b"AT+NFWUPD=0\r")
        assert until(fd, OK) == OK
    assert changes == ["erased"]


def test_a_served_module_knows_the_pace_of_its_time() -> None:
    module = make_module("BC28")
    with on_pty(module, ScaledClock(40)):
        assert module.pace == pytest.approx(40)


def test_a_program_at_another_rate_is_not_understood_on_a_pty() -> None:
    module = make_module("BC28")
    with on_pty(module) as path, opened(path, termios.B115200) as fd:
        os.write(fd, b"AT\r")
        assert until(fd, OK, limit=0.3) == b""
        assert module.commands == 0
        # The noise has left a line begun, as it would on a wire.
        attributes = termios.tcgetattr(fd)
        attributes[4] = attributes[5] = termios.B9600
        termios.tcsetattr(fd, termios.TCSANOW, attributes)
        os.write(fd, b"\r")
        until(fd, b"ERROR\r\n", limit=0.3)
        os.write(fd, b"AT\r")
        assert until(fd, OK) == OK


def test_a_pty_may_be_closed_and_opened_again() -> None:
    with on_pty(make_module("BC28")) as path:
        for _ in range(2):
            with opened(path, termios.B9600) as fd:
                os.write(fd, b"AT\r")
                assert until(fd, OK) == OK


def test_a_module_on_a_tcp_port_lives_on_between_clients() -> None:
    module = make_module("M5310-A")
    with on_tcp(module) as address:
        with connect(address) as client:
            client.sendall(b"AT+CMEE=1\r")
            assert until(client.fileno(), OK) == OK
        with connect(address) as client:
            client.sendall(b"AT+CMEE?\r")
            assert until(client.fileno(), OK) == b"\r\n+CMEE:1\r\n\r\nOK\r\n"


def test_a_rate_does_not_matter_on_a_tcp_port() -> None:
    with on_tcp(make_module("BC28")) as address, connect(address) as client:
        client.sendall(b"AT+NATSPEED=115200,30\r")
        assert until(client.fileno(), OK).endswith(OK)
        client.sendall(b"AT\r")
        assert until(client.fileno(), OK) == OK


def test_an_unplugged_adapter_closes_the_connection_and_the_next_one_plugs_it_in() -> None:
    with on_tcp(make_module("BC28", faults=["unplug-at:c1"])) as address:
        with connect(address) as client:
            client.sendall(b"AT\r")
            assert client.recv(10) == b""
        with connect(address) as client:
            client.sendall(b"AT\r")
            assert until(client.fileno(), OK) == OK


def test_a_port_in_use_is_busy() -> None:
    stop = StopToken()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortBusy, match=str(port)):
            serve_tcp(make_module("BC28"), "127.0.0.1", port, clock=ScaledClock(1), on_ready=print, stop=stop)


def test_simulated_time_cannot_be_served() -> None:
    with pytest.raises(UsageError, match="time that passes"):
        serve_pty(make_module("BC28"), SimulatedClock(), print, StopToken())
