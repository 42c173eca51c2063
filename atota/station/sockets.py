"""The places that lanes look at: a USB path, a device, or a URL, and whether a unit is in it.

An adapter that comes and goes with its unit is seen by the link that udev makes for it, after its rules and
permissions; no port is opened for that. The links are looked at four times a second, and compared by
identity: a replug between two looks gives the link another inode and another time.

A port that was there when the station started is a *fixture* into which bare modules are put, until its
adapter goes away for the first time. Nothing but ``AT``, once a second, tells whether a module is in it;
three missed answers are a removal. A lane asks so only while it has no job.

A module that a job has not passed may be dead, or in a reboot that takes minutes, and gives no answers then
either. So its silence counts as a removal only once it has answered again; before that the verdict stays,
until the operator says that the unit is out (`Socket.clear`). Nor is a chip asked by ``AT``: on a port that
stays, the operator's word is the only sign that its unit was taken out.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from atota.clock import Clock
from atota.errors import AtotaError
from atota.link.base import Link
from atota.station.lane import SETTLE_S

BY_PATH = Path("/dev/serial/by-path")
PROBE_EVERY_S = 1.0
PROBE_WAIT_S = 0.4
MISSES = 3
_DOUBTFUL = frozenset({"failed", "station-error"})
_ANSWER = re.compile(rb"(?m)^(OK|ERROR|0|4)\r")  # V.250 5.7.1: in words, or as numbers under V0

Occupant = tuple[str, str]
"""The identity of a thing that is in a lane now, and the port that leads to it."""


class Socket(Protocol):
    """The place of one lane.

    ``settle_s``: from the plug to the first byte. ``problem``: why a fixture cannot be asked; empty: it can.
    """

    settle_s: float
    problem: str

    def look(self) -> Occupant | None:
        """Return the identity and the port of the thing in it; None if it is empty. Opens nothing."""
        ...

    def probe(self) -> None:
        """Ask the port whether a module is in it, where that is the only way to know."""
        ...

    def release(self) -> None:
        """Leave the port to a job."""
        ...

    def take_state(self, state: str) -> None:
        """Take notice of the lane's new state."""
        ...

    def clear(self) -> bool:
        """Take the operator's word that the unit is out; False: the place itself sees that."""
        ...


class Links(Protocol):
    """The adapters of this machine by the place that they are plugged in at: the key of a lane."""

    def scan(self) -> None:
        """Look at all of them; one call serves all lanes."""
        ...

    def find(self, key: str) -> Occupant | None:
        """Return the one adapter at a key; never guesses between two."""
        ...

    def find_device(self, port: str) -> Occupant | None:
        """Return the port of a device name."""
        ...

    def tokens(self) -> dict[str, str]:
        """Return the identity of every adapter, by its name."""
        ...

    def devices(self) -> dict[str, str]:
        """Return the device of every adapter, by its name."""
        ...

    def names_at(self, key: str) -> list[str]:
        """Return the names of all adapters at a key."""
        ...


class LinkFolder:
    """The links that Linux makes for adapters, by their USB path.

    Args:
        folder: the folder of the links.
    """

    def __init__(self, folder: Path = BY_PATH) -> None:
        self.folder = folder
        self._links: dict[str, Occupant] = {}

    def scan(self) -> None:
        """Read the folder; one call serves all lanes."""
        links: dict[str, Occupant] = {}
        try:
            paths = list(self.folder.iterdir())
        except OSError:
            paths = []
        for path in paths:
            try:
                link, device = path.lstat(), path.stat()
            except OSError:
                continue  # it goes away at this moment
            links[path.name] = f"{link.st_ino}:{link.st_ctime_ns}:{device.st_rdev}:{device.st_ino}", str(path)
        self._links = links

    def find(self, tail: str) -> Occupant | None:
        """Return the one link whose name is ``tail`` or ends with it; never guesses between two."""
        fitting = [occupant for name, occupant in self._links.items() if _is_at(name, tail)]
        return fitting[0] if len(fitting) == 1 else None

    def tokens(self) -> dict[str, str]:
        """Return the identity of every link, by its name."""
        return {name: token for name, (token, _) in self._links.items()}

    def find_device(self, port: str) -> Occupant | None:
        """Return the port of a device name."""
        try:
            device = Path(port).stat()
        except OSError:
            return None
        return f"{device.st_rdev}:{device.st_ino}", port

    def devices(self) -> dict[str, str]:
        """Return the device of every link, by its name."""
        return {name: os.path.realpath(path) for name, (_, path) in self._links.items()}

    def names_at(self, tail: str) -> list[str]:
        """Return the names of all links at ``tail``."""
        return sorted(name for name in self._links if _is_at(name, tail))


def _is_at(name: str, tail: str) -> bool:
    return name == tail or name.endswith(f"-{tail}")


class PortSocket:
    """A port of this machine.

    Args:
        find: looks for the port.
        open_port: opens it at the board's rate, without a step of the control lines.
        clock: the machine's time.
        speaks_at: False for a chip, which is not asked.
    """

    settle_s = SETTLE_S

    def __init__(
        self,
        find: Callable[[], Occupant | None],
        open_port: Callable[[str], Link],
        clock: Clock,
        *,
        speaks_at: bool = True,
    ) -> None:
        self._find = find
        self._open_port = open_port
        self._clock = clock
        self._speaks_at = speaks_at
        self._is_cleared = False
        self._is_in_doubt = False
        self._is_fixture: bool | None = None
        self._is_proven = False
        self._units = 0
        self._misses: int | None = None
        self._probed_at = -PROBE_EVERY_S
        self._link: Link | None = None
        self.problem = ""

    def look(self) -> Occupant | None:
        """Return the thing in it. Opens nothing."""
        occupant = self._find()
        if occupant is None:
            self._misses = None
            if not self._is_proven:
                self._is_fixture = False
            return None
        if self._is_fixture is None:
            self._is_fixture = True
        if not self._is_fixture:
            return occupant
        token, port = occupant
        if self._is_cleared:  # for one look: the next unit is taken to be in as soon as its label is scanned
            self._is_cleared = False
            return None
        is_empty = self._speaks_at and self._misses is None
        return None if is_empty else (f"{token}#{self._units}", port)

    def probe(self) -> None:
        """Send ``AT`` into a fixture, at most once a second, and count the answers that are missing."""
        now = self._clock.monotonic()
        occupant = self._find() if self._is_fixture and self._speaks_at else None
        if occupant is None or now - self._probed_at < PROBE_EVERY_S:
            if occupant is None:
                self.problem = ""
                self.release()
            return
        self._probed_at = now
        if self._answers(occupant[1]):
            if self._misses is None:
                self._units += 1
            self._misses = 0
            self._is_in_doubt = False
        elif self._misses is not None and not self._is_in_doubt:
            self._misses += 1
            if self._misses >= MISSES:
                self._misses = None
                self._is_proven = True

    def _answers(self, port: str) -> bool:
        try:
            if self._link is None:
                self._link = self._open_port(port)
            self.problem = ""
            link = self._link
            while link.read(0):
                pass
            link.write(b"AT\r")
            received = b""
            end = self._clock.monotonic() + PROBE_WAIT_S
            while (remaining_s := end - self._clock.monotonic()) > 0:
                received += link.read(remaining_s)
                if _ANSWER.search(received):
                    return True
        except AtotaError as error:
            self.problem = f"{error.message}. {error.hint}"
            self.release()
        return False

    def release(self) -> None:
        """Close the port."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def take_state(self, state: str) -> None:
        """Take notice of a verdict that says little about the life of the module."""
        if state in _DOUBTFUL:
            self._is_in_doubt = True

    def clear(self) -> bool:
        """Take the operator's word that the unit is out of the fixture."""
        if not self._is_fixture:
            return False
        self._misses = None
        self._is_in_doubt = False
        self._is_cleared = True
        if not self._speaks_at:
            self._units += 1
        return True
