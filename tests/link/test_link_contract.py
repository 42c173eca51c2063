"""What every link promises, asked of each kind: memory, pty, TCP, RFC 2217, transcript and replay."""

import contextlib
import io
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, Protocol

import pytest
import serial.rfc2217

from atota.clock import SimulatedClock, SystemClock
from atota.errors import LineUnavailable, LinkLost
from atota.link.base import Link
from atota.link.serial import SerialLink
from atota.testing.memory import MemoryLink, memory_pair
from atota.transcript.format import escape
from atota.transcript.recording import parse_recording
from atota.transcript.replay import ReplayLink
from atota.transcript.writer import TranscriptLink

WAIT_S = 10.0  # a limit for broken code, never waited out by code that works


class Peer(Protocol):
    """The module's side of a link."""

    def receive(self) -> bytes: ...  # at least one byte; b"" when the link is gone
    def send(self, data: bytes) -> None: ...
    def unplug(self) -> None: ...


class MemoryPeer:
    def __init__(self, link: MemoryLink) -> None:
        self._link = link

    def receive(self) -> bytes:
        try:
            return self._link.read(WAIT_S)
        except LinkLost:
            return b""

    def send(self, data: bytes) -> None:
        self._link.write(data)

    def unplug(self) -> None:
        self._link.close()


class PtyPeer:
    """A pty. The peer holds the device's side open too, as simulators do, until it is unplugged."""

    def __init__(self) -> None:
        import tty

        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.device = os.ttyname(self._slave)
        self._open = True

    def receive(self) -> bytes:
        try:
            return os.read(self.master, 4096)
        except OSError:
            return b""

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.master, data) :]

    def unplug(self) -> None:
        if self._open:
            self._open = False
            os.close(self._slave)
            os.close(self.master)

    def baud_constant(self) -> int:
        import termios

        return int(termios.tcgetattr(self.master)[5])


class TcpPeer:
    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._accepted = threading.Event()
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        self.connection, _ = self._listener.accept()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._listener.close()
        self._accepted.set()

    def receive(self) -> bytes:
        self._accepted.wait()
        try:
            return self.connection.recv(4096)
        except OSError:
            return b""

    def send(self, data: bytes) -> None:
        self._accepted.wait()
        self.connection.sendall(data)

    def unplug(self) -> None:
        self._accepted.wait()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()
        self._thread.join()


class FakePort:
    """The serial port behind an RFC 2217 server: it only remembers what it was told."""

    def __init__(self) -> None:
        self.baudrate, self.bytesize, self.parity, self.stopbits = 9600, 8, "N", 1
        self.dtr = self.rts = self.xonxoff = self.rtscts = self.dsrdtr = self.break_condition = False
        self.cts = self.dsr = self.ri = self.cd = False

    def reset_input_buffer(self) -> None: ...
    def reset_output_buffer(self) -> None: ...


class Rfc2217Peer(TcpPeer):
    """pyserial's server half, on a thread of its own. ``deaf_to``: requests that it never answers."""

    def __init__(self, deaf_to: tuple[bytes, ...] = ()) -> None:
        self.fake = FakePort()
        self._deaf_to = deaf_to
        self._inbox: list[bytes] = []
        self._news = threading.Condition()
        self._gone = False
        super().__init__()
        self._server = threading.Thread(target=self._serve)
        self._server.start()

    def write(self, data: bytes) -> None:
        """Called by the port manager: raw bytes for the client."""
        if data[:3] == b"\xff\xfa\x2c" and data[3:4] in self._deaf_to:
            return
        with contextlib.suppress(OSError):
            self.connection.sendall(data)

    def _serve(self) -> None:
        self._accepted.wait()
        port: Any = self.fake
        me: Any = self
        self._manager = serial.rfc2217.PortManager(port, me)
        while raw := super().receive():
            data = b"".join(self._manager.filter(raw))
            with self._news:
                self._inbox.append(data)
                self._news.notify()
        with self._news:
            self._gone = True
            self._news.notify()

    def receive(self) -> bytes:
        with self._news:
            self._news.wait_for(lambda: self._gone or any(self._inbox))
            data = b"".join(self._inbox)
            self._inbox.clear()
        return data

    def send(self, data: bytes) -> None:
        self._accepted.wait()
        self.connection.sendall(b"".join(self._manager.escape(data)))

    def unplug(self) -> None:
        super().unplug()
        self._server.join()


def memory() -> tuple[Link, Peer]:
    host, module = memory_pair(SystemClock())
    return host, MemoryPeer(module)


def pty() -> tuple[Link, Peer]:
    peer = PtyPeer()
    return SerialLink(peer.device), peer


def tcp() -> tuple[Link, Peer]:
    peer = TcpPeer()
    return SerialLink(f"socket://127.0.0.1:{peer.port}"), peer


def rfc2217() -> tuple[Link, Peer]:
    peer = Rfc2217Peer()
    return SerialLink(f"rfc2217://127.0.0.1:{peer.port}"), peer


def transcript() -> tuple[Link, Peer]:
    link, peer = pty()
    return TranscriptLink(link, io.StringIO()), peer


class RecordedPeer:
    """The module of a recording: what it does is fixed from the start; it tells what it was told."""

    def __init__(self) -> None:
        self.told = b""

    def receive(self) -> bytes:
        return self.told

    def send(self, data: bytes) -> None: ...

    def unplug(self) -> None: ...


class OverheardReplay(ReplayLink):
    peer: RecordedPeer

    def write(self, data: bytes) -> None:
        super().write(data)
        self.peer.told += data


# What was recorded of the module, for the tests in which it does something, or a line of the port's own.
RECORDED: dict[str, tuple[str, ...]] = {
    "test_what_was_read_is_gone": (r"1.000 < \r\nOK\r\n",),
    "test_a_waiting_read_wakes_when_bytes_come": ("0.100 > AT", "0.500 < AT"),
    "test_writing_nothing_is_no_fault": ("0.100 > A",),
    "test_an_unplugged_link_is_lost_for_reading": ("0.100 ! link.lost it went away",),
    "test_an_unplugged_link_is_lost_for_writing": ("0.100 ! link.lost it went away",),
    "test_an_unplugged_link_can_be_closed": ("0.100 ! link.lost it went away",),
    "test_the_rate_is_9600_until_it_is_set": ("0.100 ! baud 115200",),
    "test_the_other_side_sees_the_rate_where_it_can": (),
    "test_lines_are_set_or_refused_but_never_ignored": (
        "0.100 ! link.no-line a pty has none",
        "0.200 ! link.no-line a pty has none",
        "0.300 < still here",
    ),
}


def megabyte() -> bytes:
    return bytes(range(256)) * 16 + random.Random(2217).randbytes(2**20 - 4096)


def replay(test: str) -> tuple[Link, Peer]:
    lines = RECORDED.get(test, ())
    if test == "test_a_megabyte_of_every_byte_value_comes_back_as_it_went":
        data = megabyte()
        halves = [data[start : start + 8192] for start in range(0, len(data), 8192)]
        lines = tuple(f"1.000 {direction} {escape(half)}" for half in halves for direction in "><")
    head = ("# atota transcript 1", "0.000 ! baud 9600")
    link = OverheardReplay(
        parse_recording("".join(f"{line}\n" for line in (*head, *lines))), SimulatedClock()
    )
    link.peer = RecordedPeer()
    return link, link.peer


KINDS: list[Callable[[], tuple[Link, Peer]]] = [memory, tcp, rfc2217]
if find_spec("termios") is not None:
    KINDS += [pty, transcript]


@pytest.fixture(params=[*KINDS, replay], ids=lambda kind: str(kind.__name__))
def rig(request: pytest.FixtureRequest) -> Iterator[tuple[Link, Peer]]:
    test = str(getattr(request.node, "originalname", ""))
    link, peer = replay(test) if request.param is replay else request.param()
    yield link, peer
    link.close()
    peer.unplug()


def read_all(link: Link, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = link.read(WAIT_S)
        assert piece, f"silence after {len(data)} of {count} bytes"
        data += piece
    return data


def echo(peer: Peer, count: int) -> None:
    while count > 0 and (data := peer.receive()):
        peer.send(data)
        count -= len(data)


def test_a_megabyte_of_every_byte_value_comes_back_as_it_went(rig: tuple[Link, Peer]) -> None:
    link, peer = rig
    sent = megabyte()
    thread = threading.Thread(target=echo, args=(peer, len(sent)), daemon=True)
    thread.start()
    back = bytearray()
    for start in range(0, len(sent), 8192):
        link.write(sent[start : start + 8192])
        back += read_all(link, 8192)
    thread.join(WAIT_S)
    assert bytes(back) == sent


def test_silence_is_empty_bytes(rig: tuple[Link, Peer]) -> None:
    link, _ = rig
    assert link.read(0) == b""
    assert link.read(0.01) == b""


def test_what_was_read_is_gone(rig: tuple[Link, Peer]) -> None:
    link, peer = rig
    peer.send(b"\r\nOK\r\n")
    assert read_all(link, 6) == b"\r\nOK\r\n"
    assert link.read(0) == b""


def test_a_waiting_read_wakes_when_bytes_come(rig: tuple[Link, Peer]) -> None:
    link, peer = rig

    def answer() -> None:
        peer.send(peer.receive())

    thread = threading.Thread(target=answer)
    thread.start()
    link.write(b"AT")
    assert read_all(link, 2) == b"AT"
    thread.join(WAIT_S)


def test_writing_nothing_is_no_fault(rig: tuple[Link, Peer]) -> None:
    link, peer = rig
    link.write(b"")
    link.write(b"A")
    assert peer.receive() == b"A"


def test_an_unplugged_link_is_lost_for_reading(rig: tuple[Link, Peer]) -> None:
    link, peer = rig
    peer.unplug()
    with pytest.raises(LinkLost) as caught:
        for _ in range(100):
            link.read(WAIT_S)
    assert link.name in caught.value.message
    with pytest.raises(LinkLost):
        link.read(0)


def test_an_unplugged_link_is_lost_for_writing(rig: tuple[Link, Peer]) -> None:
    link, peer = rig
    peer.unplug()
    with pytest.raises(LinkLost):
        for _ in range(100_000):
            link.write(b"x" * 512)


def test_a_closed_link_closes_again_and_does_nothing_else(rig: tuple[Link, Peer]) -> None:
    link, _ = rig
    link.close()
    link.close()
    for use in (
        lambda: link.read(1),
        lambda: link.write(b"AT"),
        lambda: link.set_baud(9600),
        lambda: link.set_lines(dtr=True),
    ):
        with pytest.raises(LinkLost):
            use()


def test_an_unplugged_link_can_be_closed(rig: tuple[Link, Peer]) -> None:
    link, peer = rig
    peer.unplug()
    link.close()
    with pytest.raises(LinkLost):
        link.read(0)


def test_the_rate_is_9600_until_it_is_set(rig: tuple[Link, Peer]) -> None:
    link, _ = rig
    assert link.baud == 9600
    link.set_baud(115200)
    assert link.baud == 115200


def test_the_other_side_sees_the_rate_where_it_can(rig: tuple[Link, Peer]) -> None:
    link, peer = rig
    if isinstance(peer, PtyPeer):
        link.set_baud(57600)
        import termios

        assert peer.baud_constant() == termios.B57600
    if isinstance(peer, Rfc2217Peer):
        link.set_baud(57600)
        assert peer.fake.baudrate == 57600


def test_lines_are_set_or_refused_but_never_ignored(rig: tuple[Link, Peer]) -> None:
    link, peer = rig
    if isinstance(peer, Rfc2217Peer):
        link.set_lines(dtr=False)
        assert (peer.fake.dtr, peer.fake.rts) == (False, True)
        link.set_lines(dtr=True, rts=False)
        assert (peer.fake.dtr, peer.fake.rts) == (True, False)
        return
    with pytest.raises(LineUnavailable):
        link.set_lines(dtr=True)
    with pytest.raises(LineUnavailable):
        link.set_lines(rts=False)
    peer.send(b"still here")
    assert read_all(link, 10) == b"still here"


@pytest.mark.parametrize("make", [memory, tcp, rfc2217], ids=lambda make: make.__name__)
def test_last_words_are_heard_before_the_loss_is_told(make: Callable[[], tuple[Link, Peer]]) -> None:
    link, peer = make()
    peer.send(b"\r\nREBOOT_CAUSE_APPLICATION_AT\r\n" * 50)
    peer.unplug()
    try:
        assert read_all(link, 31 * 50) == b"\r\nREBOOT_CAUSE_APPLICATION_AT\r\n" * 50
        with pytest.raises(LinkLost):
            link.read(WAIT_S)
    finally:
        link.close()


@pytest.mark.parametrize(
    "deaf_to",
    [
        pytest.param((serial.rfc2217.SERVER_PURGE_DATA,), id="purge"),
        pytest.param((serial.rfc2217.SERVER_PURGE_DATA, serial.rfc2217.SERVER_SET_CONTROL), id="control"),
    ],
)
def test_an_rfc2217_server_that_leaves_requests_unanswered_is_good_enough(deaf_to: tuple[bytes, ...]) -> None:
    peer = Rfc2217Peer(deaf_to)
    link = SerialLink(f"rfc2217://127.0.0.1:{peer.port}?timeout=1")
    try:
        link.set_lines(dtr=False)
        link.write(b"AT\r")
        assert peer.receive() == b"AT\r"
        assert not peer.fake.dtr
    finally:
        link.close()
        peer.unplug()
