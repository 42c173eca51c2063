"""A simulated bench: lanes into which an operator with two hands puts one module after the other.

An operator serves the lanes in the order in which they ask: the module that is done is taken out, and the
next one put in. Both together take ``handling_s`` seconds, and no other lane is served meanwhile. A lane
whose URL gives its module a fixed IMEI or ``id`` has that one module only, which is put in once.
"""

import threading
from collections import deque
from urllib.parse import parse_qs, urlsplit

from atota.clock import Clock
from atota.sim.url import parse_sim_url

HANDLING_S = 10.0
_AT_FULL_SPEED_S = 0.2
"""Seconds a unit where the module's own time is simulated: there is nothing to wait for."""
_DONE = frozenset({"passed", "failed", "station-error", "remove-unit"})


class SimOperator:
    """The operator of one bench.

    Args:
        clock: the time in which the hands move.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[SimLane] = deque()
        self._serving: tuple[SimLane, float] | None = None
        self._lock = threading.Lock()

    def ask(self, lane: "SimLane") -> None:
        """Ask for another module in a lane."""
        with self._lock:
            busy = self._serving is not None and self._serving[0] is lane
            if not busy and lane not in self._waiting:
                self._waiting.append(lane)

    def move(self) -> None:
        """Let the hands do what they have time for."""
        with self._lock:
            now = self._clock.monotonic()
            while True:
                if self._serving is None:
                    if not self._waiting:
                        return
                    lane = self._waiting.popleft()
                    lane.take_out()
                    self._serving = lane, now + lane.handling_s
                lane, ends_at = self._serving
                if now < ends_at:
                    return
                lane.put_in()
                self._serving = None


class SimLane:
    """One lane of a simulated bench.

    Args:
        url: the ``sim://`` URL of its modules.
        operator: the operator of the bench.
    """

    settle_s = 0.2
    problem = ""

    def __init__(self, url: str, operator: SimOperator) -> None:
        speed = parse_sim_url(url).speed
        self.url = url
        self.handling_s = _AT_FULL_SPEED_S if speed == "max" else HANDLING_S / _factor(speed)
        self._is_one = not {"imei", "id"}.isdisjoint(parse_qs(urlsplit(url).query))
        self._operator = operator
        self._units = 0
        self._is_in = False
        operator.ask(self)

    def look(self) -> tuple[str, str] | None:
        """Return the identity and the port of the module that is in it; None if it is empty."""
        self._operator.move()
        return (f"unit-{self._units}", self.url) if self._is_in else None

    def probe(self) -> None:
        """Do nothing: a module is seen as it is put in."""

    def release(self) -> None:
        """Do nothing: the port is opened by jobs only."""

    def take_state(self, state: str) -> None:
        """Ask for the operator once the module in it is done."""
        if state in _DONE and self._is_in:
            self._operator.ask(self)

    def clear(self) -> bool:
        """Return False: the place sees what is in it."""
        return False

    def take_out(self) -> None:
        """Take the module out; the next one is lying ready."""
        self._is_in = False

    def put_in(self) -> None:
        """Put the next module in, if there is one."""
        if self._is_one and self._units:
            return
        self._units += 1
        self._is_in = True


class HandLane:
    """One lane of a bench whose modules are put in and taken out by a test or a script.

    Attributes:
        states: every state that the lane was in.
    """

    settle_s = 0.0
    problem = ""

    def __init__(self) -> None:
        self.states: list[str] = []
        self._inside: tuple[str, str] | None = None
        self._units = 0

    def put_in(self, url: str) -> None:
        """Put the module of a ``sim://`` URL in."""
        self._units += 1
        self._inside = f"unit-{self._units}", url

    def take_out(self) -> None:
        """Take the module out."""
        self._inside = None

    def look(self) -> tuple[str, str] | None:
        """Return the identity and the port of the module that is in it; None if it is empty."""
        return self._inside

    def probe(self) -> None:
        """Do nothing: a module is seen as it is put in."""

    def release(self) -> None:
        """Do nothing: the port is opened by jobs only."""

    def clear(self) -> bool:
        """Return False: the place sees what is in it."""
        return False

    def take_state(self, state: str) -> None:
        """Remember the lane's new state."""
        self.states.append(state)


def _factor(speed: str) -> float:
    return 1.0 if speed == "real" else float(speed)
