"""A simulated device on a pty or a TCP port, for any program that can open one.

Bytes are paced to the module's rate on an absolute schedule, in the time of the clock that is passed in.
A replayed module can be served, too: anything that is a `Served`.
"""

import contextlib
import os
import select
import socket
import struct
from collections.abc import Callable
from typing import Protocol

from atota.clock import Clock, StopToken, SystemClock
from atota.errors import LineUnavailable, PortBusy, UsageError
from atota.sim.device import Device
from atota.sim.rfc2217 import Lines, Rate, TelnetPort
from atota.sim.uart import Wire

_TCGETS2 = 0x802C542A  # Linux ioctl: struct termios2, 44 bytes, the last two words are the rates
_LONGEST_S = 0.05  # a stop token is looked at this often
_SLICE_S = 0.002  # pacing is cut into slices of this length


def _speed(clock: Clock) -> float:
    """Return the clock's seconds that pass in one of the machine's."""
    speed = clock.slice_s / SystemClock.slice_s
    if speed == float("inf"):
        raise UsageError(
            "a served module needs time that passes by itself",
            hint="Use the system's clock or a scaled one; simulated time is for links in memory.",
        )
    return speed


class Served(Protocol):
    """A device at the end of a wire, simulated or replayed. Times are the clock's, in seconds."""

    @property
    def first_baud(self) -> int:
        """The rate at which it is to be opened, bit/s."""
        ...

    @property
    def unplugged(self) -> bool:
        """True if the adapter was pulled out."""
        ...

    @property
    def over(self) -> bool:
        """True if nothing will come from it any more."""
        ...

    def from_host(self, data: bytes, now: float) -> None:
        """Take bytes that the program wrote."""
        ...

    def to_host(self, now: float) -> bytes:
        """Return the bytes that have arrived for the program by ``now``."""
        ...

    def next_time(self) -> float:
        """Return the time of the next event."""
        ...

    def set_baud(self, baud: int, now: float) -> None:
        """Learn the program's rate."""
        ...

    def plug(self, now: float) -> None:
        """Plug the adapter in, for the next program."""
        ...

    def cut(self, now: float) -> None:
        """Drop the bytes on the wire, either way: the program has left."""
        ...


class SimulatedWire(Wire):
    """A simulated device, served."""

    over = False

    @property
    def first_baud(self) -> int:
        """The device's rate, bit/s."""
        return self.device.baud

    @property
    def unplugged(self) -> bool:
        """True if the adapter was pulled out."""
        return self.device.unplugged

    def plug(self, now: float) -> None:  # noqa: ARG002 - part of `Served`
        """Plug the adapter in."""
        self.device.unplugged = False


def _served(module: Device | Served, clock: Clock, *, paced: bool) -> Served:
    if isinstance(module, Device):
        module.pace = _speed(clock)
        return SimulatedWire(module, module.baud if paced else None, now=clock.monotonic())
    return module


class _Server:
    """Moves bytes between a wire and a file descriptor."""

    def __init__(self, wire: Served, clock: Clock, stop: StopToken) -> None:
        self.clock = clock
        self.stop = stop
        self.wire = wire
        self._speed = _speed(clock)

    def nap_s(self) -> float:
        """Return the machine's seconds until something is due."""
        due = (self.wire.next_time() - self.clock.monotonic()) / self._speed
        return min(max(due, _SLICE_S), _LONGEST_S)

    def run(
        self,
        fd: int,
        read: Callable[[int], bytes],
        write: Callable[[bytes], object],
        host_baud: Callable[[], int | None] | None = None,
    ) -> None:
        """Serve a descriptor until the stop token is set, the other side goes or the adapter is unplugged."""
        while not (self.stop.is_set or self.wire.unplugged or self.wire.over):
            readable, _, _ = select.select([fd], [], [], self.nap_s())
            now = self.clock.monotonic()
            if host_baud is not None and (baud := host_baud()):
                self.wire.set_baud(baud, now)
            if readable and not self._take(read, now):
                return
            data = self.wire.to_host(now)
            if not self.wire.unplugged:
                self._give(write, self.to_client(data))

    def _take(self, read: Callable[[int], bytes], now: float) -> bool:
        try:
            data = read(4096)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if data:
            self.from_client(data, now)
        return bool(data)

    def begin(self) -> None:
        """Begin with a new program."""

    def end(self) -> None:
        """Do what a port does when its program has left."""

    def from_client(self, data: bytes, now: float) -> None:
        """Take bytes of the program."""
        self.wire.from_host(data, now)

    def to_client(self, data: bytes) -> bytes:
        """Return bytes of the device as the program gets them."""
        return data

    def _give(self, write: Callable[[bytes], object], data: bytes) -> None:
        """Write; bytes that a full buffer does not take are lost, as on a UART."""
        with contextlib.suppress(OSError):
            if data:
                write(data)


class _TelnetServer(_Server):
    """Moves bytes between a wire and a client of RFC 2217, whose settings are the wire's."""

    def __init__(self, wire: SimulatedWire, clock: Clock, stop: StopToken) -> None:
        super().__init__(wire, clock, stop)
        self._simulated = wire
        self._port = TelnetPort()

    def begin(self) -> None:
        """Begin with a new program."""
        self._port = TelnetPort()

    def end(self) -> None:
        """Let the control lines go."""
        self._simulated.set_lines(self.clock.monotonic(), dtr=False, rts=False)

    def from_client(self, data: bytes, now: float) -> None:
        """Take data and settings in the order in which the program sent them."""
        for event in self._port.receive(data):
            if isinstance(event, bytes):
                self._simulated.from_host(event, now)
            elif isinstance(event, Lines):
                self._simulated.set_lines(now, dtr=event.dtr, rts=event.rts)
            elif isinstance(event, Rate):
                self._simulated.set_baud(event.baud, now)
            else:
                self._simulated.set_parity(event.parity, now)

    def to_client(self, data: bytes) -> bytes:
        """Return answers to settings, then the data."""
        answers, self._port.answers = self._port.answers, b""
        return answers + self._port.encoded(data)


def _host_baud(fd: int) -> int | None:
    """The rate that the program on the slave side has set; None where the system does not tell."""
    import fcntl
    import termios

    try:
        buffer = fcntl.ioctl(fd, _TCGETS2, bytes(44))
    except OSError:
        constant = termios.tcgetattr(fd)[5]
        names = {getattr(termios, name): name for name in dir(termios) if name.startswith("B")}
        name = names.get(constant, "")
        return int(name[1:]) if name[1:].isdecimal() else None
    return int(struct.unpack("=II", buffer[-8:])[1]) or None


def serve_pty(
    module: Device | Served,
    clock: Clock,
    on_ready: Callable[[str], None],
    stop: StopToken,
) -> None:
    """Serve ``module`` on a new pseudo-terminal until ``stop`` is set.

    A program that opens it at another rate than the module's gets and sends garbage.

    Args:
        module: it belongs to this call; a simulated one reports by its ``on_change``.
        clock: the system's or a scaled one.
        on_ready: called with the device's path when it can be opened.
        stop: set it from another thread or a signal handler.

    Raises:
        LineUnavailable: this system has no pseudo-terminals.
        UsageError: the clock does not run by itself.
    """
    try:
        import pty
        import tty
    except ImportError as error:
        raise LineUnavailable(
            "this system has no pseudo-terminals", hint="Serve the module on a TCP port instead."
        ) from error
    server = _Server(_served(module, clock, paced=True), clock, stop)
    master, slave = pty.openpty()
    try:
        # The slave stays open here: without it the master's reads fail until a program opens it.
        tty.setraw(slave)
        _set_module_rate(slave, server.wire.first_baud)
        os.set_blocking(master, False)
        on_ready(os.ttyname(slave))
        server.run(
            master,
            lambda size: os.read(master, size),
            lambda data: os.write(master, data),
            lambda: _host_baud(master),
        )
    finally:
        os.close(master)
        os.close(slave)


def _set_module_rate(slave: int, baud: int) -> None:
    """Begin at the module's rate, so that a program that sets none is understood."""
    import termios

    constant = getattr(termios, f"B{baud}", None)
    if constant is not None:
        attributes = termios.tcgetattr(slave)
        attributes[4] = attributes[5] = constant
        termios.tcsetattr(slave, termios.TCSANOW, attributes)


def serve_tcp(
    module: Device | Served,
    host: str,
    port: int,
    *,
    clock: Clock,
    on_ready: Callable[[str], None],
    stop: StopToken,
    rfc2217: bool = False,
) -> None:
    """Serve ``module`` on a TCP port until ``stop`` is set, to one client at a time.

    The client sends and gets plain bytes, and the rate does not matter. The device lives on between clients.
    An unplugged adapter closes the connection; the next one plugs it in.

    Args:
        module: it belongs to this call; a simulated one reports by its ``on_change``.
        host: the address to listen on.
        port: the port, 0 for any that is free.
        clock: the system's or a scaled one.
        on_ready: called with ``socket://HOST:PORT`` (``rfc2217://…``) when it listens.
        stop: set it from another thread or a signal handler.
        rfc2217: the client speaks RFC 2217, and its rate, parity and control lines count; for a simulated
            device.

    Raises:
        PortBusy: the address can't be had.
        UsageError: the clock does not run by itself.
    """
    if rfc2217:
        assert isinstance(module, Device), "a replay has no control lines"
        wire = SimulatedWire(module, module.baud, parity="N", now=clock.monotonic())
        server: _Server = _TelnetServer(wire, clock, stop)
    else:
        server = _Server(_served(module, clock, paced=False), clock, stop)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise PortBusy(
                f"can't listen on {host}:{port}: {error.strerror or error}",
                hint="Choose another port; 0 takes a free one.",
            ) from error
        listener.listen(1)
        shown = f"[{host}]" if ":" in host else host
        on_ready(f"{'rfc2217' if rfc2217 else 'socket'}://{shown}:{listener.getsockname()[1]}")
        while not (stop.is_set or server.wire.over):
            if select.select([listener], [], [], server.nap_s())[0]:
                _serve_client(server, listener)
            server.wire.to_host(clock.monotonic())  # without a client its bytes are lost


def _serve_client(server: _Server, listener: socket.socket) -> None:
    client, _address = listener.accept()
    with client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setblocking(False)
        server.wire.plug(server.clock.monotonic())
        server.begin()
        server.run(client.fileno(), client.recv, client.send)
        server.end()
        server.wire.cut(server.clock.monotonic())
