"""A module that knows one conversation by heart: each line that comes must be the next one of the script."""

import heapq
from collections.abc import Callable, Iterable
from itertools import count
from math import inf
from typing import Any

import pytest

from atota.clock import Clock, SimulatedClock


class Conversation:
    """A link to such a module.

    Args:
        script: pairs of a command line without its CR and what is said: bytes, or pairs of seconds and bytes.
    """

    def __init__(self, script: Iterable[tuple[bytes, Any]]) -> None:
        self.name = "conversation"
        self.clock: Clock = SimulatedClock()
        self.left = list(script)
        self.wrong: list[bytes] = []
        self.baud = 9600
        self._half = b""
        self._due: list[tuple[float, int, bytes]] = []
        self._order = count()

    def read(self, timeout_s: float) -> bytes:
        end = self.clock.monotonic() + max(0.0, timeout_s)
        while True:
            now = self.clock.monotonic()
            data = b""
            while self._due and self._due[0][0] <= now:
                data += heapq.heappop(self._due)[2]
            if data or now >= end:
                return data
            self.clock.sleep(min(self._due[0][0] if self._due else inf, end) - now)

    def write(self, data: bytes) -> None:
        *lines, self._half = (self._half + data).split(b"\r")
        for line in lines:
            if not self.left or self.left[0][0] != line:
                self.wrong.append(line)
                continue
            said = self.left.pop(0)[1]
            for after_s, piece in [(0.01, said)] if isinstance(said, bytes) else said:
                heapq.heappush(self._due, (self.clock.monotonic() + after_s, next(self._order), piece))

    def set_baud(self, baud: int) -> None:
        self.baud = baud

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None: ...

    def close(self) -> None: ...

    def done(self) -> None:
        """Every line of the script came, and no other."""
        assert not self.wrong, self.wrong
        assert not self.left, self.left


@pytest.fixture
def conversation() -> Callable[..., Conversation]:
    return Conversation
