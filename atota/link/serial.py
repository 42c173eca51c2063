"""Links over real serial ports, RFC 2217 servers and plain TCP, by pyserial."""

import contextlib
import os
import socket
import sys
import threading
import warnings
from functools import partial
from typing import Any, Self, cast
from urllib.parse import parse_qs, urlsplit

import serial
import serial.rfc2217
from serial.serialutil import SerialBase

from atota.clock import Clock, Deadline, SystemClock
from atota.errors import LineUnavailable, LinkError, LinkLost, UsageError
from atota.link.base import SERIAL_SCHEMES, Parity
from atota.link.hold import hold_lines
from atota.link.latency import restore_low_latency, set_low_latency
from atota.link.pipes import DescriptorPipe, Pipe, PollingPipe, QueuePipe
from atota.link.translate import FOREIGN, line_fault, open_fault, use_fault, using

if sys.platform != "win32":
    import fcntl
    import termios

_STALL_S = 10.0  # a module that erases flash may hold CTS back for seconds; ten without one byte is a failure
_TTY_BUFFER = 4096  # bytes that the Linux tty layer may still hold when a write returns
_RFC2217_TIMEOUT_S = 10  # pyserial's own is 3 s: too short for ser2net behind a VPN


class SerialLink:
    """An open serial port: a device, ``rfc2217://HOST:PORT`` or ``socket://HOST:PORT``.

    Opening reserves the port for this program (a lock that well-behaved programs honour; on a real tty
    the kernel then refuses all programs but root's). As pyserial does, it asserts DTR and RTS and
    discards the bytes that arrived before. 8N1, no flow control unless ``rtscts``.

    RFC 2217 servers do not all acknowledge the same requests. The settings are waited for up to 10 s (put
    ``?timeout=SECONDS`` behind the URL for another limit); a purge is not waited for, since newer ser2net
    does not acknowledge it. A control line that is refused while opening is ignored. After the first
    control request without an answer, no further one is waited for, as ``?ign_set_control`` in the URL
    does from the start.

    Args:
        device: a device name or a URL.
        baud: bit/s.
        low_latency: ask the driver to hand over bytes at once (Linux; see the property of that name).
        rtscts: hardware flow control.
        stall_s: a write that has not one byte accepted for so long fails; None: ten seconds and the time
            that a full driver buffer needs at ``baud``.

    Raises:
        PortNotFound: no such port, or no such server.
        PortBusy: another program has it.
        PortForbidden: the user may not open it.
        UsageError: the URL or the rate is not valid.
    """

    def __init__(
        self,
        device: str,
        *,
        baud: int = 9600,
        low_latency: bool = True,
        rtscts: bool = False,
        stall_s: float | None = None,
    ) -> None:
        _check(device, baud)
        self.name = device
        self.clock: Clock = SystemClock()
        self._baud = baud
        self._stall_s = stall_s
        self._closed = False
        self._latency_before: bool | None = None
        self._in_step = Deadline(self.clock, 0)  # when the bytes written to a network server have left it
        try:
            self._serial = _open(device, baud=baud, rtscts=rtscts, stall_s=self._stall_limit)
        except FOREIGN as exc:
            raise open_fault(device, exc) from exc
        # pyserial's network ports keep their socket here.
        self._socket: socket.socket | None = getattr(self._serial, "_socket", None)
        self._pipe = self._make_pipe()
        self._refuse_others()
        if low_latency and self._is_tty and sys.platform == "linux":
            self._latency_before = set_low_latency(self._serial.fileno())

    def _make_pipe(self) -> Pipe:
        port = self._serial
        if isinstance(port, _Rfc2217):
            return QueuePipe(
                port.arrived, write=port.write, alive=port.is_alive, piece=self._piece, clock=self.clock
            )
        if self._socket is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return DescriptorPipe(
                self._socket.fileno(),
                take=self._socket.recv,
                give=self._socket.send,
                clock=self.clock,
                empty_is_end=True,
            )
        if sys.platform == "win32":
            return PollingPipe(
                waiting=lambda: self._native.in_waiting,
                take=port.read,
                write=port.write,
                piece=self._piece,
                clock=self.clock,
            )
        fd = port.fileno()
        return DescriptorPipe(
            fd, take=partial(os.read, fd), give=partial(os.write, fd), clock=self.clock, empty_is_end=False
        )

    @property
    def _native(self) -> serial.Serial:
        return cast("serial.Serial", self._serial)

    @property
    def _is_tty(self) -> bool:
        return self._socket is None

    @property
    def _piece(self) -> int:
        """Half a second's worth of bytes, where a write can only be limited as a whole."""
        return max(64, min(_TTY_BUFFER, self._baud // 20))

    @property
    def _stall_limit(self) -> float:
        return _STALL_S + _TTY_BUFFER * 10 / self._baud if self._stall_s is None else self._stall_s

    @property
    def baud(self) -> int:
        """The rate both directions run at, in bit/s (``socket://``: the rate that was requested)."""
        return self._baud

    @property
    def low_latency(self) -> bool:
        """True if the driver hands over received bytes at once.

        Linux only (ASYNC_LOW_LATENCY); an FTDI adapter otherwise holds them for 16 ms. False where the
        driver does not have the mode: a pty, a network port, another system.
        """
        return self._latency_before is not None

    def read(self, timeout_s: float) -> bytes:
        """Return the bytes that have arrived, at least one; ``b""`` if none arrives within ``timeout_s``.

        Raises:
            LinkLost: the port went away or was closed.
        """
        if self._closed:
            raise self._closed_error()
        try:
            return self._pipe.read(timeout_s if timeout_s > 0 else 0)
        except FOREIGN as exc:
            raise use_fault(self.name, exc) from exc

    def write(self, data: bytes) -> None:
        """Hand all of ``data`` to the port; it may still be on its way when this returns.

        Raises:
            LinkLost: the port went away, was closed, or accepted no byte for a long time.
        """
        if self._closed:
            raise self._closed_error()
        try:
            self._pipe.write(data, self._stall_limit)
        except FOREIGN as exc:
            raise use_fault(self.name, exc) from exc
        if not self._is_tty:
            self._in_step = Deadline(self.clock, self._in_step.remaining + len(data) * 10 / self._baud)

    def set_baud(self, baud: int) -> None:
        """Wait until everything written has left, then change the rate.

        On ``socket://`` only the number changes: the other side cannot be informed.

        Raises:
            LinkLost: the port went away, or written bytes do not leave it.
            LinkError: the port cannot run at this rate; it stays at the old one.
        """
        if self._closed:
            raise self._closed_error()
        _check(self.name, baud)
        with using(self.name):
            self._drain()
        try:
            self._serial.baudrate = baud
        except (ValueError, NotImplementedError) as exc:
            self._serial._baudrate = self._baud  # type: ignore[attr-defined]  # noqa: SLF001 (set before it failed)
            raise LinkError(
                f"{self.name} cannot run at {baud} bit/s", hint="Choose a rate that the adapter supports."
            ) from exc
        except FOREIGN as exc:
            raise use_fault(self.name, exc) from exc
        self._baud = baud

    def set_parity(self, parity: Parity) -> None:
        """Wait until everything written has left, then change the parity; plain TCP has none to change.

        Raises:
            LinkLost: the port went away, or written bytes do not leave it.
        """
        if self._closed:
            raise self._closed_error()
        if not self.name.lower().startswith("socket:"):
            with using(self.name):
                self._drain()
                self._serial.parity = parity

    def _drain(self) -> None:
        """Wait until the written bytes have left, with a limit: a held CTS would block ``tcdrain``."""
        if isinstance(self._serial, _Rfc2217):  # it cannot be queried; count on the rate
            self.clock.sleep(self._in_step.remaining)
        if not self._is_tty:
            return
        limit = Deadline(self.clock, self._stall_limit)
        while pending := self._native.out_waiting:
            if limit.expired:
                raise TimeoutError(f"{pending} bytes do not leave the driver")
            self.clock.sleep(min(0.1, pending * 10 / self._baud))
        self._serial.flush()

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Set the modem control lines (True: asserted).

        Raises:
            LineUnavailable: the port does not have this line (a pty, ``socket://``, a server that refuses).
            LinkLost: the port went away.
        """
        if self._closed:
            raise self._closed_error()
        if self._socket is not None and not isinstance(self._serial, _Rfc2217):
            raise LineUnavailable(f"{self.name} carries bytes only: a socket:// port has no control lines")
        try:
            if dtr is not None:
                self._serial.dtr = dtr
            if rts is not None:
                self._serial.rts = rts
        except FOREIGN as exc:
            raise line_fault(self.name, exc) from exc

    def keep_lines(self) -> None:
        """Let DTR and RTS keep their levels when the port is closed, where the system lets them."""
        hold_lines(self._serial.fileno() if self._is_tty else -1)

    def close(self) -> None:
        """Close the port and restore the settings that opening it changed. May be called twice."""
        if self._closed:
            return
        self._closed = True
        # The port may be gone already: then nothing can be restored.
        for step in (self._restore_latency, self._accept_others, self._hang_up, self._serial.close):
            with contextlib.suppress(*FOREIGN):
                step()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hang_up(self) -> None:
        """Close a network port's socket. pyserial does not if the peer went first, and then sleeps."""
        if self._socket is not None and not isinstance(self._serial, _Rfc2217):
            self._serial.is_open = False
            _shut(self._socket)

    def _closed_error(self) -> LinkLost:
        return LinkLost(f"{self.name} is closed", hint="Open the port again.")

    def _refuse_others(self) -> None:
        """Let the kernel refuse programs that ignore locks (all but root's).

        Not on a pty: there the flag would stay set for as long as the simulator keeps its side open.
        """
        if sys.platform == "win32" or not self._is_tty or os.path.realpath(self.name).startswith("/dev/pts/"):
            return
        with contextlib.suppress(OSError):  # the lock still holds
            fcntl.ioctl(self._serial.fileno(), termios.TIOCEXCL)

    def _accept_others(self) -> None:
        if sys.platform != "win32" and self._is_tty:
            fcntl.ioctl(self._serial.fileno(), termios.TIOCNXCL)

    def _restore_latency(self) -> None:
        if self._latency_before is not None:
            restore_low_latency(self._serial.fileno(), self._latency_before)


_LINE_REQUESTS = (
    serial.rfc2217.SET_CONTROL_DTR_ON,
    serial.rfc2217.SET_CONTROL_DTR_OFF,
    serial.rfc2217.SET_CONTROL_RTS_ON,
    serial.rfc2217.SET_CONTROL_RTS_OFF,
)


class _Rfc2217(serial.rfc2217.Serial):
    """pyserial's RFC 2217 client, forgiving towards servers that leave some requests unacknowledged."""

    _socket: socket.socket | None
    _thread: threading.Thread | None

    @property
    def arrived(self) -> Any:
        """The queue that the reader thread fills: one byte an item, None at the end."""
        return self._read_buffer  # type: ignore[attr-defined]

    def is_alive(self) -> bool:
        """True while the reader thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def open(self) -> None:
        """Connect and negotiate."""
        # pyserial 3.5 calls Thread.setDaemon and setName. Only its module is excused, and at each open,
        # since test runners reset the filters.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"serial\.rfc2217")
        self._opening = True
        try:
            super().open()
        finally:
            self._opening = False

    def close(self) -> None:
        """Close at once, whether or not the server went first."""
        self.is_open = False
        if self._socket is not None:
            _shut(self._socket)
        if self._thread is not None:
            self._thread.join(_RFC2217_TIMEOUT_S)  # its recv ends with the socket
        self._socket = self._thread = None

    def rfc2217_send_purge(self, value: bytes) -> None:
        """Ask for a purge; do not wait for the acknowledgement, which newer ser2net never sends."""
        self._rfc2217_options["purge"].set(value)  # type: ignore[attr-defined]

    def rfc2217_set_control(self, value: bytes) -> None:
        """Set a control line or the flow control; only a line that the user set may fail."""
        try:
            super().rfc2217_set_control(value)
        except serial.SerialException as exc:
            if "timeout while waiting for option" not in str(exc):
                raise
            self._ignore_set_control_answer = True
        except ValueError:
            if value in _LINE_REQUESTS and not self._opening:
                raise


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


def _check(device: str, baud: int) -> None:
    """Refuse an invalid rate or address before anything is opened."""
    if isinstance(baud, bool) or not 0 < baud < 2**31:
        raise UsageError(
            f"{baud} is not a valid baud rate", hint="Usual rates are 9600, 57600, 115200 and 921600."
        )
    if "://" not in device:
        if not device:
            raise UsageError(
                "the name of the serial port is empty", hint="`atota ports` lists the ports of this machine."
            )
        return
    parts = urlsplit(device)
    try:
        complete = bool(parts.hostname and parts.port)
    except ValueError:
        complete = False
    if parts.scheme not in SERIAL_SCHEMES or not complete:
        raise UsageError(
            f"{device!r} is not the address of a serial server",
            hint="Write rfc2217://HOST:PORT or socket://HOST:PORT.",
        )


def _open(device: str, *, baud: int, rtscts: bool, stall_s: float) -> SerialBase:
    if device.startswith("rfc2217:"):
        options = parse_qs(urlsplit(device).query, keep_blank_values=True)
        if "timeout" not in options:
            device += f"{'&' if '?' in device else '?'}timeout={_RFC2217_TIMEOUT_S}"
        port = _Rfc2217(None, baudrate=baud, timeout=0, rtscts=rtscts)
        port.port = device
        port.open()
        return port
    fixed: dict[str, Any] = {}
    if "://" not in device:
        fixed["exclusive"] = True
    if sys.platform == "win32":
        fixed |= {"write_timeout": stall_s, "timeout": PollingPipe.timeout_s}
    return serial.serial_for_url(device, baudrate=baud, rtscts=rtscts, **fixed)
