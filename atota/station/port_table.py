"""The places of adapters where the system makes no links by USB path: Windows and macOS.

pyserial lists the ports with their *location*, the way through the hubs (``1-4.2``). That is the lane's
key. Its facts differ by system (``serial/tools/list_ports_*.py`` of pyserial 3.5):

- A location may end with an interface (``1-4.2:x.1``). On Windows a port of one interface gets the ending
  of the port that was listed before it (pyserial issue 802), so the ending does not belong to the key.
- Where one adapter has several ports, they are counted: ``1-4.2#0``, ``1-4.2#1``, by their interface on
  Windows and by their name on macOS. Two ports of one interface are two adapters on two controllers, and
  the location does not tell them apart: nothing is guessed between them.
- FTDI's own driver for Windows hides the location. Its ports are known by the adapter's serial number,
  which ends with the letter of the port: ``serial:FT4ABCDEA``.

Listing the ports may take seconds (Bluetooth ports on Windows: pyserial issue 451), so it has a thread of
its own, at most once a second. A replug within that second is not seen.
"""

import re
import threading
from collections.abc import Callable, Iterable

from atota.clock import Clock
from atota.link.ports import RawPort, comports, natural
from atota.station.sockets import Occupant

LIST_EVERY_S = 1.0
_INTERFACE = re.compile(r":(?:\w+)\.(\w+)$")


def keys_of(ports: Iterable[RawPort]) -> list[tuple[str, RawPort]]:
    """Return the key of each port that has one; ports that cannot be told apart have the same."""
    groups: dict[str, list[tuple[str, RawPort]]] = {}
    for port in ports:
        if port.location:
            match = _INTERFACE.search(port.location)
            base = port.location[: match.start()] if match is not None else port.location
            groups.setdefault(base, []).append((match[1] if match is not None else "", port))
        elif port.vid is not None and port.serial_number:
            groups.setdefault(f"serial:{port.serial_number}", []).append(("", port))
    keys = []
    for base, members in groups.items():
        by_name = all(port.device.startswith("/dev/") for _, port in members)
        interfaces = {interface for interface, _ in members}
        is_one_adapter = len(members) > 1 and (by_name or len(interfaces) == len(members))
        members.sort(key=lambda member: (member[0], natural(member[1].device)))
        keys += [
            (f"{base}#{index}" if is_one_adapter else base, port) for index, (_, port) in enumerate(members)
        ]
    return keys


class PortTable:
    """The ports by their keys; the same as a `LinkFolder` to those who look.

    Args:
        clock: the machine's time.
        list_: lists the ports.
    """

    def __init__(self, clock: Clock, list_: Callable[[], Iterable[RawPort]] = comports) -> None:
        self._clock = clock
        self._list = list_
        self._thread: threading.Thread | None = None
        self._read_at: float | None = None
        self._ports: list[tuple[str, str, str]] = []
        self._devices: dict[str, str] = {}

    def scan(self) -> None:
        """Have the ports listed anew, if it is time; the first list is waited for."""
        now = self._clock.monotonic()
        if self._read_at is None:
            self._read_at = now
            self._read()
        elif now - self._read_at >= LIST_EVERY_S and (self._thread is None or not self._thread.is_alive()):
            self._read_at = now
            self._thread = threading.Thread(target=self._read, name="station-ports", daemon=True)
            self._thread.start()

    def _read(self) -> None:
        try:
            ports = list(self._list())
        except OSError:
            return  # the system is just changing its list
        self._ports = [(key, _token(port), port.device) for key, port in keys_of(ports)]
        self._devices = {port.device: _token(port) for port in ports}

    def find(self, key: str) -> Occupant | None:
        """Return the one port with this key; never guesses between two."""
        fitting = [(token, device) for name, token, device in self._ports if _is_at(name, key)]
        return fitting[0] if len(fitting) == 1 else None

    def find_device(self, port: str) -> Occupant | None:
        """Return the port of this name."""
        return (self._devices[port], port) if port in self._devices else None

    def tokens(self) -> dict[str, str]:
        """Return the identity of every port, by its key."""
        return {name: token for name, token, _ in self._ports}

    def devices(self) -> dict[str, str]:
        """Return the device of every port, by its key."""
        return {name: device for name, _, device in self._ports}

    def names_at(self, key: str) -> list[str]:
        """Return the names of all ports with this key."""
        return [device for name, _, device in self._ports if _is_at(name, key)]


def _token(port: RawPort) -> str:
    return f"{port.device} {port.vid} {port.pid} {port.serial_number}"


def _is_at(name: str, key: str) -> bool:
    """True if a port's key is the one of a lane; the only port of an adapter is its first one, too."""
    return name == key or f"{name}#0" == key
