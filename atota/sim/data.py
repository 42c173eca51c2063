"""The data phase that most ways of updating have: so many bytes, inside a window of time."""

from collections.abc import Callable

from atota.sim.reply import Reply
from atota.sim.updater import Chassis


class Counted:
    """A data phase of ``size`` raw bytes.

    The faults ``close-window``, ``refuse-data``, ``short-write`` and ``reboot-in-data`` are carried out here.

    Args:
        chassis: the module.
        size: how many bytes.
        window_s: all of them must have come this long after the prompt.
        stored: given the bytes and the time when they are complete; its return value is the result.
        missed: the result when the window has closed; nothing is stored.
        refused: the result if a fault refuses the bytes.
        each: after so many bytes ``each_taken`` is called with their number so far; 0: never.
        idle: the window is the time without bytes, not the time for all of them.
    """

    def __init__(
        self,
        chassis: Chassis,
        size: int,
        window_s: float,
        stored: Callable[[bytes, float], Reply],
        *,
        missed: Reply,
        refused: Reply,
        each: int = 0,
        each_taken: Callable[[int, float], None] | None = None,
        idle: bool = False,
    ) -> None:
        self._chassis = chassis
        self._size = size
        self._window = window_s
        self._stored = stored
        self._missed = missed
        self._refused = refused
        self._each = each
        self._each_taken = each_taken
        self._idle = idle
        self._deadline = 0.0
        self._held = bytearray()
        self._over = False
        self._short_of: int | None = None
        self._ending: Callable[[float], None] = self._close

    @property
    def _goal(self) -> int:
        return self._size if self._short_of is None else self._short_of

    @property
    def bytes_needed(self) -> int:
        """The bytes that are missing until it does something."""
        held = len(self._held)
        missing = self._goal - held
        return max(1, min(missing, self._each - held % self._each) if self._each else missing)

    def begin(self, now: float) -> None:
        """Open the window."""
        if self._chassis.strike_piece("reboot-in-data"):
            self._short_of, self._ending = self._size // 2, self._chassis.crash
        elif self._chassis.strike_piece("close-window"):
            self._short_of = self._size // 2
        self._watch(now)
        if not self._goal:
            self._end(now)

    def take(self, data: bytes, now: float) -> int:
        """Take the bytes that are missing and no more."""
        if self._idle:
            self._deadline = now + self._window
        taken = data[: self.bytes_needed]
        self._held += taken
        held = len(self._held)
        if self._each and self._each_taken and held % self._each == 0:
            self._each_taken(held, now)
        if held >= self._goal:
            self._end(now)
        return len(taken)

    def _end(self, now: float) -> None:
        if self._short_of is not None:
            self._over = self._ending != self._close
            self._ending(now)
            return
        self._over = True
        if self._chassis.strike_piece("refuse-data"):
            self._chassis.leave_data(self._refused, now)
            return
        data = bytes(self._held)
        if self._chassis.strike_piece("short-write"):
            data = data[:-1]
        self._chassis.leave_data(self._stored(data, now), now)

    def _watch(self, now: float) -> None:
        self._deadline = now + self._window
        self._chassis.plan(self._deadline, self._expire)

    def _expire(self, now: float) -> None:
        if now < self._deadline:
            self._chassis.plan(self._deadline, self._expire)
        else:
            self._close(now)

    def _close(self, now: float) -> None:
        if not self._over:
            self._over = True
            self._chassis.tell(f"window closed after {len(self._held)} of {self._size} bytes")
            self._chassis.leave_data(self._missed, now)
