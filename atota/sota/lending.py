"""The port as a program of others can open it.

A device is closed here and opened again afterwards. So is a network port, for programs that open
``socket://`` and ``rfc2217://`` themselves. A link that no other program can open (``sim://``, one of another
package) stays open, and its bytes go through a socket on this machine.
"""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from atota.clock import SystemClock
from atota.errors import LinkError, Refused
from atota.link.base import SERIAL_SCHEMES
from atota.sota.wire import Wire

_LOOK_S = 0.002
"""Time between two looks at both sides: short against the time of a block on the wire."""
_LONGEST_LOOK_S = 0.5
_PACKET = 1024


def scheme_of(port: str) -> str:
    """Return the scheme of a port, empty for a device."""
    return port.partition("://")[0].lower() if "://" in port else ""


def is_device(port: str) -> bool:
    """True if the port is a device of this machine, which programs open by its name."""
    return not scheme_of(port)


@contextmanager
def lent_port(wire: Wire, *, urls: bool) -> Iterator[str]:
    """Lend the port to a program; the name is the one that the program can open.

    Args:
        wire: the port.
        urls: the program opens URLs as pyserial does.

    Raises:
        Refused: it does not, and the port is a URL.
        LinkError: the port was lost meanwhile.
    """
    scheme = scheme_of(wire.port)
    if scheme and not urls:
        raise Refused(
            f"the program opens devices only, and the port is {scheme}://",
            hint="Name a device, or set urls = true in [chip] if the program opens socket:// itself.",
        )
    if not scheme or scheme in SERIAL_SCHEMES:
        with wire.lent():
            yield wire.port
        return
    bridge = _Bridge(wire)
    try:
        yield bridge.url
    finally:
        bridge.close()
    if bridge.fault is not None:
        raise bridge.fault


class _Bridge:
    """A link behind a socket of this machine, for one client after the other."""

    def __init__(self, wire: Wire) -> None:
        self.fault: LinkError | None = None
        self._link = wire.link
        self._clock = SystemClock()
        self._ahead_s = self._link.clock.monotonic() - self._clock.monotonic()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(_LOOK_S)
        self.url = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the service; the link stays open."""
        self._is_over.set()
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        try:
            while not self._is_over.is_set():
                try:
                    client, _ = self._server.accept()
                except TimeoutError:
                    continue
                with client:
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._pass_on(client)
        except LinkError as error:
            self.fault = error
            self._is_over.set()

    def _pass_on(self, client: socket.socket) -> None:
        client.setblocking(True)
        self._gathered()  # a port that is opened does not have the bytes of its last user
        answer = b""
        try:
            while not self._is_over.is_set():
                if select.select([client], [], [], 0 if answer else _LOOK_S)[0]:
                    data = client.recv(65536)
                    if not data:
                        return
                    self._link.write(data)
                if answer := self._gathered():
                    client.sendall(answer)
        except OSError:  # the program went away, which its exit code tells
            return

    def _gathered(self) -> bytes:
        """Return the bytes that arrive, as one packet: simulated links hand out a few bytes each."""
        pieces = bytearray()
        while len(pieces) < _PACKET and (piece := self._link.read(self._look_s)):
            pieces += piece
        return bytes(pieces)

    @property
    def _look_s(self) -> float:
        """The time of one look; longer for a simulated link whose time is behind that of the program.

        On a busy machine the looks are few, and only looks let simulated time pass; the program's limits
        are the machine's time.
        """
        behind_s = self._clock.monotonic() + self._ahead_s - self._link.clock.monotonic()
        return min(max(_LOOK_S, behind_s), _LONGEST_LOOK_S)
