"""The open port of a chip: bytes with limits, rates and parity, the control lines, and the wish to stop."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from atota.clock import Clock, Deadline, StopToken, require_time
from atota.errors import LineUnavailable, LinkError, LinkLost, NoAnswer
from atota.link.base import Link, Parity, remark, set_parity
from atota.module.module import pulse
from atota.settings.steps import Sequence

_MOST = 65536
"""Bytes that are kept unread: a chip that prints without end must not fill the memory."""


class Wire:
    """The port of one chip. It is opened at once, and opened again after it was lost or lent.

    Args:
        opener: opens a port at a rate.
        port: the port as the user named it.
        baud: the rate to begin with, bit/s.
        stop: looked at by every wait.

    Attributes:
        limit: the time limit of everything that waits.
        longest_silence_s: the longest time without a byte from the chip while one was waited for.
        has_lines: the steps that were driven last had an effect.
    """

    def __init__(self, opener: Callable[[str, int], Link], port: str, baud: int, stop: StopToken) -> None:
        self.port = port
        self.limit: Deadline | None = None
        self.longest_silence_s = 0.0
        self.has_lines = True
        self.stop = stop
        self._opener = opener
        self._unread = b""
        self._parity: Parity = "N"
        self.link = opener(port, baud)

    @property
    def clock(self) -> Clock:
        """The time of the link."""
        return self.link.clock

    def close(self) -> None:
        """Close the port."""
        self.link.close()

    def reopen(self, port: str) -> None:
        """Open the port, or another one of the same adapter, at the present rate and parity."""
        self.link.close()
        baud = self.link.baud
        self.link = self._opener(port, baud)
        self.port = port
        set_parity(self.link, self._parity)
        self._unread = b""

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Close the port for as long as a program uses it."""
        self.link.close()
        try:
            yield
        finally:
            self._take_back()

    def _take_back(self) -> None:
        try:
            self.reopen(self.port)
        except LinkLost:
            raise
        except LinkError as error:
            raise LinkLost(f"the port is gone after its loan: {error.message}", hint=error.hint) from error

    def remark(self, line: str) -> None:
        """Have a line of a program in the transcript of the port, also while the port is lent."""
        remark(self.link, line)

    def check(self) -> None:
        """Raise if the user or the job's time limit wants the end.

        Raises:
            Interrupted: the stop token is set.
            JobTimeout: the limit has passed.
        """
        require_time(self.stop, self.limit)

    # -- bytes ---------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes, in one write: a bridge adds its delay to each."""
        self.link.write(data)

    def read(self, timeout_s: float) -> bytes:
        """Return the bytes that have arrived, at least one; ``b""`` if none arrives in time."""
        if self._unread:
            data, self._unread = self._unread, b""
            return data
        deadline = Deadline(self.clock, timeout_s)
        began = self.clock.monotonic()
        while True:
            self.check()
            data = self.link.read(min(deadline.remaining, self.clock.slice_s))
            if data or deadline.expired:
                self.longest_silence_s = max(self.longest_silence_s, self.clock.monotonic() - began)
                return data

    def take(self, size: int, timeout_s: float) -> bytes:
        """Return exactly ``size`` bytes, or fewer if no more arrive in time."""
        deadline = Deadline(self.clock, timeout_s)
        taken = bytearray()
        while len(taken) < size:
            data = self.read(deadline.remaining)
            taken += data
            if not data and deadline.expired:
                return bytes(taken)
        self._unread = bytes(taken[size:]) + self._unread
        return bytes(taken[:size])

    def frame(self, end: bytes, timeout_s: float) -> bytes:
        """Return the bytes up to ``end`` and with it.

        Raises:
            NoAnswer: it did not come in time.
        """
        deadline = Deadline(self.clock, timeout_s)
        taken = bytearray()
        while end not in taken:
            data = self.read(deadline.remaining)
            taken += data
            if (not data and deadline.expired) or len(taken) > _MOST:
                raise NoAnswer(f"no whole frame came within {timeout_s:g} s ({len(taken)} bytes)")
        head, _, rest = bytes(taken).partition(end)
        self._unread = rest + self._unread
        return head + end

    def discard(self) -> None:
        """Throw the bytes away that have arrived: what an application printed is not a response."""
        self._unread = b""
        for _ in range(64):
            if not self.link.read(0.0):
                return

    def pause(self, seconds: float) -> None:
        """Let time pass, and look at the wish to stop meanwhile."""
        deadline = Deadline(self.clock, seconds)
        while True:
            self.check()
            if deadline.expired:
                return
            self.clock.sleep(min(deadline.remaining, self.clock.slice_s))

    # -- rates and lines -----------------------------------------------------------------------

    def speak(self, baud: int, parity: Parity) -> None:
        """Change the rate and the parity where they differ."""
        if self.link.baud != baud:
            self.link.set_baud(baud)
        if self._parity != parity:
            set_parity(self.link, parity)
            self._parity = parity

    def drive(self, steps: Sequence) -> bool:
        """Drive the control lines; False if there are no steps, or the port has no such line."""
        self.has_lines = bool(steps)
        try:
            pulse(self.link, steps)
        except LineUnavailable:
            self.has_lines = False
        return self.has_lines
