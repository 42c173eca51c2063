"""Time, which is passed in: only `SystemClock` calls `time.sleep` and `time.monotonic`.

So a whole job with a twelve-minute reboot runs in milliseconds under a `SimulatedClock`, and the
demo shows the same job at thirty times its speed under a `ScaledClock`.
"""

import datetime as dt
import math
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from atota.errors import Interrupted, JobTimeout


class StopToken:
    """A request to end the work. Set from any thread, looked at by every wait.

    While it is shielded (a module is in the middle of its update) the first request is only noted; the
    second one counts.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may interrupt `set` and call it again
        self._requests = 0
        self._needed = 1

    def set(self) -> None:
        """Ask for the end."""
        with self._lock:
            self._requests += 1

    @property
    def is_set(self) -> bool:
        """True if the work has to end now."""
        return self._requests >= self._needed

    @property
    def is_noted(self) -> bool:
        """True if the end was requested at all, shielded or not."""
        return self._requests > 0

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Let one more request pass without effect, for as long as the block lasts."""
        self._needed = self._requests + 2
        try:
            yield
        finally:
            self._needed = max(1, self._requests + 1)


class Clock(Protocol):
    """The source of time.

    ``slice_s`` is the longest wait, in seconds, without a look at the stop token.
    """

    slice_s: float

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    def time(self) -> float:
        """Return seconds since the epoch, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        ...


class SharedClock(Clock, Protocol):
    """A source of time that threads share: they begin in it, and wait for each other in it."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Let time pass until an event is set, at most ``seconds``; True if it is set."""
        ...

    def start(self, work: Callable[[], None], name: str) -> threading.Event:
        """Begin a thread that does ``work`` in this time; return the event of its end."""
        ...


class SystemClock:
    """The machine's own time."""

    slice_s = 0.1  # every wait looks at its stop token at least this often

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def time(self) -> float:
        """Return seconds since the epoch, UTC."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        if seconds > 0:
            time.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Let time pass until an event is set, at most ``seconds``; True if it is set."""
        return event.wait(seconds)

    def start(self, work: Callable[[], None], name: str) -> threading.Event:
        """Begin a thread that does ``work``; return the event of its end."""
        ended = threading.Event()

        def run() -> None:
            try:
                work()
            finally:
                ended.set()

        threading.Thread(target=run, name=name, daemon=True).start()
        return ended


class SimulatedClock:
    """Time that passes only in a wait: single-threaded and repeatable.

    Args:
        start: the wall-clock second at which the simulation begins (default: 2026-01-01 UTC).
    """

    slice_s = math.inf

    def __init__(self, start: float = 1_767_225_600.0) -> None:
        self._start = start
        self._now = 0.0

    def monotonic(self) -> float:
        """Return simulated seconds since the beginning."""
        return self._now

    def time(self) -> float:
        """Return simulated seconds since the epoch, UTC."""
        return self._start + self._now

    def sleep(self, seconds: float) -> None:
        """Advance by ``seconds`` at once."""
        if seconds > 0:
            self._now += seconds


class ScaledClock:
    """The machine's time, ``speed`` times as fast, as in the demo."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._origin = time.monotonic()
        self._wall = time.time()
        self.slice_s = SystemClock.slice_s * speed

    def monotonic(self) -> float:
        """Return scaled seconds since the clock was made."""
        return (time.monotonic() - self._origin) * self._speed

    def time(self) -> float:
        """Return scaled seconds since the epoch, UTC."""
        return self._wall + self.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` of scaled time pass."""
        if seconds > 0:
            time.sleep(seconds / self._speed)


_SPEED = re.compile(r"max|real|[1-9]\d{0,5}(\.\d+)?")


def is_speed(text: str) -> bool:
    """True if `clock_at` accepts ``text``."""
    return _SPEED.fullmatch(text) is not None


def clock_at(speed: str | float) -> Clock:
    """Return a new clock at a speed: ``max`` (simulated time), ``real``, or that many times as fast."""
    if speed == "max":
        return SimulatedClock()
    factor = 1.0 if speed == "real" else float(speed)
    return SystemClock() if factor == 1.0 else ScaledClock(factor)


def utc_iso(at: float) -> str:
    """Return a point in time, seconds since the epoch, as UTC ISO 8601 with milliseconds."""
    moment = dt.datetime.fromtimestamp(at, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def require_time(stop: StopToken, limit: "Deadline | None") -> None:
    """Raise if the user or the job's time limit wants the end.

    Raises:
        Interrupted: the stop token is set.
        JobTimeout: the limit has passed.
    """
    if stop.is_set:
        raise Interrupted("stopped by the user")
    if limit is not None and limit.expired:
        raise JobTimeout("the time limit of the job is over")


class Deadline:
    """A point in time, ``seconds`` from now; None means never."""

    def __init__(self, clock: Clock, seconds: float | None) -> None:
        self.clock = clock
        self.at = math.inf if seconds is None else clock.monotonic() + seconds

    def extend(self, seconds: float, *, until: float = math.inf) -> None:
        """Move it to ``seconds`` from now if that is later, but not beyond the moment ``until``."""
        self.at = max(self.at, min(self.clock.monotonic() + seconds, until))

    @property
    def remaining(self) -> float:
        """Seconds that remain, never below zero; infinite without a limit."""
        seconds = self.at - self.clock.monotonic()
        return seconds if seconds > 0.0 else 0.0

    @property
    def expired(self) -> bool:
        """True if the time is over."""
        return self.clock.monotonic() >= self.at


_TIME_ERROR, _TIMEX = 5, 512  # of adjtimex(2); more bytes than any `struct timex` has


def is_kept_by_network() -> bool | None:
    """True if a time service keeps the machine's clock; None if the system does not tell.

    The kernel knows, whatever the service is called (timesyncd, chrony, ntpd): adjtimex(2) returns TIME_ERROR
    while the clock is not synchronized, and with ``modes`` of 0 it changes nothing and asks for no right.
    """
    if not sys.platform.startswith("linux"):
        return None
    import ctypes  # few need it

    try:
        state = int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX)))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR
