"""Simulated time for many threads: one of them runs at a time, and time jumps to the next that has to.

Theory of operation
-------------------
Each thread has a *seat*. The thread that runs has *the turn*; all others wait at their seats, each until a
moment or an event. A thread gives the turn away when it waits on its clock, and when it ends. The next one is
the first in the order of their waits whose event is set, else the one with the earliest moment; then time
jumps to that moment. So a shift of an hour takes as long as its work, and runs the same way each time: no
thread is ever interrupted elsewhere.

A thread must not wait on its clock while it holds a lock that another one takes: that one could never have
its turn. The product does not either, since a lane that waits would stop the others.

The thread that makes the `Turns` has the turn first.
"""

import heapq
import itertools
import threading
from collections.abc import Callable

_SLICE_S = 1.0
MOST_TURNS = 1_000_000
"""Turns at one moment, of which there is no end."""
START = 1_767_225_600.0  # 2026-01-01 UTC


class Stuck(Exception):
    """Time does not pass, or no thread is left that could have the turn."""


class _Seat:
    """The place of a thread that waits for its turn."""

    __slots__ = ("event", "gate", "until", "wait")

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()
        self.event: threading.Event | None = None
        self.until = 0.0
        self.wait = 0


class Turns:
    """The turns of the threads of one simulation.

    Attributes:
        now: simulated seconds since the beginning.
        threads: the number of threads that were started and have not ended.
        failures: the errors by which threads ended.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.threads = 0
        self.failures: list[BaseException] = []
        self._here = threading.local()
        self._here.seat = _Seat()
        self._moments: list[tuple[float, int, _Seat]] = []
        self._watching: dict[int, _Seat] = {}
        self._waits = itertools.count(1)
        self._turns_now = 0

    def wait(self, seconds: float, event: threading.Event | None = None) -> None:
        """Let the others have their turns for ``seconds``, or until an event is set."""
        seat: _Seat = self._here.seat
        self._sit(seat, seconds, event)
        following = self._following()
        if following is not seat:
            following.gate.release()
            seat.gate.acquire()

    def start(self, work: Callable[[], None], name: str) -> threading.Event:
        """Begin a thread; its first turn comes as soon as this one waits."""
        seat, ended = _Seat(), threading.Event()
        self._sit(seat, 0.0, None)
        self.threads += 1

        def run() -> None:
            self._here.seat = seat
            seat.gate.acquire()
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - the edge of the thread: the simulation judges it
                self.failures.append(error)
            ended.set()
            self.threads -= 1
            self._following().gate.release()

        threading.Thread(target=run, name=name, daemon=True).start()
        return ended

    def _sit(self, seat: _Seat, seconds: float, event: threading.Event | None) -> None:
        seat.wait = wait = next(self._waits)
        seat.event, seat.until = event, self.now + max(seconds, 0.0)
        heapq.heappush(self._moments, (seat.until, wait, seat))
        if event is not None:
            self._watching[wait] = seat

    def _following(self) -> _Seat:
        """Return the seat that has the turn next, and let time pass until then."""
        for seat in self._watching.values():
            assert seat.event is not None
            if seat.event.is_set():
                return self._stood_up(seat)
        while self._moments:
            moment, wait, seat = heapq.heappop(self._moments)
            if wait != seat.wait:
                continue  # its event came first
            if moment > self.now:
                self.now, self._turns_now = moment, 0
            return self._stood_up(seat)
        raise Stuck("no thread is left that could have the turn")

    def _stood_up(self, seat: _Seat) -> _Seat:
        self._watching.pop(seat.wait, None)
        seat.wait = 0
        self._turns_now += 1
        if self._turns_now > MOST_TURNS:
            raise Stuck(f"time does not pass: {MOST_TURNS} turns at {self.now:.3f} s")
        return seat


class TurnClock:
    """The clock of a machine whose threads take turns.

    Args:
        turns: the turns.
        after_wait: called as a wait is over; it raises where the thread must not go on.
    """

    slice_s = _SLICE_S

    def __init__(self, turns: Turns, after_wait: Callable[[], None] = lambda: None) -> None:
        self._turns = turns
        self._after_wait = after_wait

    def monotonic(self) -> float:
        """Return simulated seconds since the beginning."""
        return self._turns.now

    def time(self) -> float:
        """Return simulated seconds since the epoch, UTC."""
        return START + self._turns.now

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass, in which the others have their turns."""
        if seconds > 0:
            self._turns.wait(seconds)
            self._after_wait()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Let time pass until an event is set, at most ``seconds``; True if it is set."""
        if not event.is_set():
            self._turns.wait(seconds, event)
            self._after_wait()
        return event.is_set()

    def start(self, work: Callable[[], None], name: str) -> threading.Event:
        """Begin a thread that does ``work`` in this time; return the event of its end."""
        return self._turns.start(work, name)
