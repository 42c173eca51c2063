"""A module that is a table: lines in, bytes at times out. Nothing of the simulator is in it."""

import heapq
from collections.abc import Callable
from itertools import count
from math import inf

import pytest

from atota.clock import Clock, SimulatedClock
from atota.errors import LineUnavailable, LinkError, LinkLost

Says = list[tuple[float, bytes]]
"""What is sent, each piece so many seconds after the line came."""


class ScriptedLink:
    """A link to a module that answers by a function; time passes only in reads.

    Args:
        answer: gets the command line without its CR and the number of lines so far, from 1.
        baud: the module's rate; at another one nothing but noise passes, either way.
        refused: rates that the port cannot run at.
    """

    def __init__(
        self, answer: Callable[[bytes, int], Says], *, baud: int | None = None, refused: tuple[int, ...] = ()
    ) -> None:
        self.name = "scripted"
        self.clock: Clock = SimulatedClock()
        self.module_baud = baud
        self.written: list[bytes] = []
        self.rates: list[int] = []
        self.lost_at = inf
        self._answer = answer
        self._refused = refused
        self._baud = 9600
        self._half = b""
        self._due: list[tuple[float, int, bytes]] = []
        self._order = count()
        self.closed = False

    @property
    def baud(self) -> int:
        return self._baud

    def say(self, data: bytes, after_s: float = 0.0) -> None:
        heapq.heappush(self._due, (self.clock.monotonic() + after_s, next(self._order), data))

    def read(self, timeout_s: float) -> bytes:
        end = self.clock.monotonic() + max(0.0, timeout_s)
        while True:
            now = self.clock.monotonic()
            if self.closed or now >= self.lost_at:
                raise LinkLost("scripted went away")
            if self._due and self._due[0][0] <= now:
                data = b""
                while self._due and self._due[0][0] <= now:
                    data += heapq.heappop(self._due)[2]
                return (
                    data if self.module_baud in (None, self._baud) else b"\xf8\x00\x80" * (len(data) // 3 + 1)
                )
            if now >= end:
                return b""
            following = min(self._due[0][0] if self._due else inf, end, self.lost_at)
            self.clock.sleep(following - now)

    def write(self, data: bytes) -> None:
        if self.closed or self.clock.monotonic() >= self.lost_at:
            raise LinkLost("scripted went away")
        if self.module_baud not in (None, self._baud):
            return
        *lines, self._half = (self._half + data).split(b"\r")
        for line in lines:
            self.written.append(line)
            for after_s, piece in self._answer(line, len(self.written)):
                self.say(piece, after_s)

    def set_baud(self, baud: int) -> None:
        if baud in self._refused:
            raise LinkError(f"scripted can't run at {baud} bit/s")
        self.rates.append(baud)
        self._baud = baud

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        raise LineUnavailable("none here")

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="session")
def scripted() -> Callable[..., ScriptedLink]:
    """Make scripted links."""
    return ScriptedLink
