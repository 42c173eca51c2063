"""Two links joined in memory: one reads the bytes that the other writes. For tests, ours and yours."""

import math
import threading

from atota.clock import Clock, Deadline
from atota.errors import LineUnavailable, LinkLost

_SLICE_S = 0.05  # how often a waiting reader looks at a clock that may run at another speed


class _Shared:
    """The state that the two ends share."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.open_ends = 2


class MemoryLink:
    """One end of a `memory_pair`.

    Under the machine's time the two ends may be used by two threads. Under simulated time a read
    that finds nothing lets its whole ``timeout_s`` pass at once, since no other thread can write.
    """

    def __init__(self, name: str, clock: Clock, shared: _Shared) -> None:
        self.name = name
        self.clock = clock
        self.peer: MemoryLink
        self._shared = shared
        self._arrived = bytearray()
        self._baud = 9600
        self._closed = False

    @property
    def baud(self) -> int:
        """The rate that was set last; it has no effect on the bytes."""
        return self._baud

    def read(self, timeout_s: float) -> bytes:
        """Return the bytes that the other end wrote; ``b""`` if none arrives within ``timeout_s``.

        Raises:
            LinkLost: this end is closed, or the other end is closed and all its bytes were read.
        """
        deadline = Deadline(self.clock, timeout_s)
        with self._shared.changed:
            while True:
                self._check_open()
                if self._arrived:
                    data = bytes(self._arrived)
                    self._arrived.clear()
                    return data
                if self._shared.open_ends < 2:
                    raise LinkLost(f"{self.name} went away: the other end was closed")
                if deadline.expired:
                    return b""
                self._wait(deadline.remaining)

    def _wait(self, seconds: float) -> None:
        if self.clock.slice_s == math.inf:
            self.clock.sleep(seconds)
        else:
            self._shared.changed.wait(min(seconds, _SLICE_S))

    def write(self, data: bytes) -> None:
        """Give ``data`` to the other end.

        Raises:
            LinkLost: one of the ends is closed.
        """
        with self._shared.changed:
            self._check_open()
            if self._shared.open_ends < 2:
                raise LinkLost(f"{self.name} went away: the other end was closed")
            self.peer._arrived += data  # noqa: SLF001 (the other end of the same pair)
            self._shared.changed.notify_all()

    def set_baud(self, baud: int) -> None:
        """Remember the rate of this end."""
        with self._shared.changed:
            self._check_open()
            self._baud = baud

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:  # noqa: ARG002 (memory has no lines)
        """Refuse: memory has no control lines.

        Raises:
            LineUnavailable: always, while it is open.
        """
        self._check_open()
        raise LineUnavailable(f"{self.name} is a link in memory and has no control lines")

    def close(self) -> None:
        """Close this end; the other can still read the bytes on their way. May be called twice."""
        with self._shared.changed:
            if not self._closed:
                self._closed = True
                self._shared.open_ends -= 1
                self._shared.changed.notify_all()

    def _check_open(self) -> None:
        if self._closed:
            raise LinkLost(f"{self.name} is closed", hint="Open the link again.")


def memory_pair(clock: Clock) -> tuple[MemoryLink, MemoryLink]:
    """Make two links joined to each other, both living in ``clock``."""
    shared = _Shared()
    host, module = MemoryLink("memory:host", clock, shared), MemoryLink("memory:module", clock, shared)
    host.peer, module.peer = module, host
    return host, module
