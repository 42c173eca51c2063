"""The ways bytes move in and out of an open port. No pyserial here: each pipe gets the functions it needs.

A pipe raises only what the system raises (`OSError` and its kin); `SerialLink` translates.
"""

import errno
import math
import queue
import select
import sys
from collections.abc import Callable
from typing import Protocol

from atota.clock import Clock, Deadline

CHUNK = 4096  # the Linux tty layer hands out at most 4095 bytes a read
_POLL = not sys.platform.startswith(("win", "darwin"))  # select.poll: no limit of 1024 descriptors
_QUEUE_SLICE_S = 0.5  # how often to check that the network reader is still alive
_SHORT_S = 0.02  # the fixed read time-out of a port that can't be waited for


class Pipe(Protocol):
    """Bytes in and out of an open port."""

    def read(self, timeout_s: float) -> bytes:
        """Return the bytes that have arrived, waiting at most ``timeout_s`` for the first byte."""
        ...

    def write(self, data: bytes, stall_s: float) -> None:
        """Write all of ``data``; `TimeoutError` if no byte is accepted for ``stall_s``."""
        ...


def hung_up() -> OSError:
    """Make the error for a port whose other side hung up."""
    return OSError(errno.EIO, "the device or its peer hung up")


class DescriptorPipe:
    """A descriptor that can be waited for: a tty (POSIX) or a socket (everywhere).

    pyserial's own reads and writes are not used here: its ``write`` spins on a full buffer, times
    out although all was written, and does not report how much was; its socket reads are byte by byte.

    Args:
        fd: the descriptor, non-blocking.
        take: reads at most so many bytes.
        give: writes as much as it can and returns that number.
        clock: the machine's time.
        empty_is_end: an empty read means the end (sockets). On a tty it may also mean that another
            program was faster; then only a hang-up is the end.
    """

    def __init__(
        self,
        fd: int,
        *,
        take: Callable[[int], bytes],
        give: Callable[[memoryview], int],
        clock: Clock,
        empty_is_end: bool,
    ) -> None:
        self._take = take
        self._give = give
        self._clock = clock
        self._empty_is_end = empty_is_end or not _POLL
        self._readable, self._writable = _waiters(fd)

    def read(self, timeout_s: float) -> bytes:
        """Return the bytes that have arrived, waiting at most ``timeout_s`` for the first byte."""
        deadline: Deadline | None = None
        while True:
            events = self._readable(timeout_s)
            if not events:
                return b""
            data = self._take_some()
            if data:
                return data
            if data is not None and (self._empty_is_end or events & ~select.POLLIN):
                raise hung_up()
            deadline = deadline or Deadline(self._clock, timeout_s)
            timeout_s = deadline.remaining

    def _take_some(self) -> bytes | None:
        try:
            return self._take(CHUNK)
        except BlockingIOError:
            return None

    def write(self, data: bytes, stall_s: float) -> None:
        """Write all of ``data``; `TimeoutError` if no byte is accepted for ``stall_s``."""
        view = memoryview(data)
        deadline: Deadline | None = None
        while view:
            taken = self._give_some(view)
            if taken:
                view, deadline = view[taken:], None
                continue
            if deadline is None:
                deadline = Deadline(self._clock, stall_s)
            else:  # it reported room and then accepted nothing: do not spin
                self._clock.sleep(0.001)
            if deadline.expired or not self._writable(deadline.remaining):
                raise TimeoutError(errno.ETIMEDOUT, f"no byte was accepted for {stall_s:.1f} s")

    def _give_some(self, view: memoryview) -> int:
        try:
            return self._give(view)
        except BlockingIOError:
            return 0


class QueuePipe:
    """pyserial's RFC 2217 client: a thread of its own fills a queue byte by byte.

    The queue is emptied in one go (a tenth of the cost of pyserial's ``read``). The bytes that arrived
    before the connection broke are returned before the break is raised.

    Args:
        source: the queue; ``None`` in it is the end.
        write: pyserial's ``write``; blocks up to five seconds, so it gets small pieces.
        alive: True while the reader thread runs.
        piece: how much to write at once.
        clock: the machine's time.
    """

    def __init__(
        self,
        source: "queue.Queue[bytes | None]",
        *,
        write: Callable[[bytes], object],
        alive: Callable[[], bool],
        piece: int,
        clock: Clock,
    ) -> None:
        self._source = source
        self._write = write
        self._alive = alive
        self._piece = piece
        self._clock = clock
        self._ended = False

    def read(self, timeout_s: float) -> bytes:
        """Return the bytes that have arrived, waiting at most ``timeout_s`` for the first byte."""
        deadline = Deadline(self._clock, timeout_s)
        while not self._ended:
            alive = self._alive()  # asked first: the last bytes of a dying thread are still read below
            wait = min(deadline.remaining, _QUEUE_SLICE_S) if alive else 0.0
            try:
                first = self._source.get(timeout=wait) if wait > 0 else self._source.get_nowait()
            except queue.Empty:
                if not alive:
                    break
                if deadline.expired:
                    return b""
                continue
            if data := self._rest(first):
                return data
        raise hung_up()

    def _rest(self, first: bytes | None) -> bytes:
        with self._source.mutex:
            items = [first, *self._source.queue]
            self._source.queue.clear()
        self._ended = None in items
        return b"".join(item for item in items if item is not None)

    def write(self, data: bytes, stall_s: float) -> None:  # noqa: ARG002 (pyserial's own limit rules)
        """Write all of ``data`` in pieces."""
        _in_pieces(data, self._piece, self._write)


class PollingPipe:
    """A port that only pyserial can read (Windows COM ports, loop://).

    pyserial reconfigures the whole port when its time-out changes, so that stays fixed.
    """

    timeout_s = _SHORT_S

    def __init__(
        self,
        *,
        waiting: Callable[[], int],
        take: Callable[[int], bytes],
        write: Callable[[bytes], object],
        piece: int,
        clock: Clock,
    ) -> None:
        self._waiting = waiting
        self._take = take
        self._write = write
        self._piece = piece
        self._clock = clock

    def read(self, timeout_s: float) -> bytes:
        """Return the bytes that have arrived, waiting at most ``timeout_s`` for the first byte."""
        deadline = Deadline(self._clock, timeout_s)
        while True:
            if count := self._waiting():
                return self._take(min(count, CHUNK))
            remaining = deadline.remaining
            if remaining <= 0:
                return b""
            if remaining < _SHORT_S:
                self._clock.sleep(remaining)
            elif first := self._take(1):
                return first + self._take(min(self._waiting(), CHUNK - 1))

    def write(self, data: bytes, stall_s: float) -> None:  # noqa: ARG002 (fixed when the port was opened)
        """Write all of ``data`` in pieces."""
        _in_pieces(data, self._piece, self._write)


def _in_pieces(data: bytes, piece: int, write: Callable[[bytes], object]) -> None:
    for start in range(0, len(data), piece):
        write(data[start : start + piece])


_Waiter = Callable[[float], int]  # waits so many seconds; returns the events, 0 for none


def _waiters(fd: int) -> tuple[_Waiter, _Waiter]:
    """Make the two functions that wait until ``fd`` can be read or written."""
    if not _POLL:
        return _select_waiter(fd, reading=True), _select_waiter(fd, reading=False)
    return _poll_waiter(fd, select.POLLIN), _poll_waiter(fd, select.POLLOUT)


def _poll_waiter(fd: int, event: int) -> _Waiter:
    poller = select.poll()
    poller.register(fd, event)
    poll = poller.poll

    def wait(timeout_s: float) -> int:
        events = poll(None if timeout_s == math.inf else timeout_s * 1000)
        return events[0][1] if events else 0

    return wait


def _select_waiter(fd: int, *, reading: bool) -> _Waiter:
    def wait(timeout_s: float) -> int:
        limit = None if timeout_s == math.inf else timeout_s
        ready, room, _ = select.select([fd] if reading else [], [] if reading else [fd], [], limit)
        return 1 if ready or room else 0

    return wait
