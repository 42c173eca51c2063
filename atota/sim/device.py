"""The end of a simulated wire: a module or a chip. Bytes in, bytes out, and the time only as a number.

`Device` has what all of them share: power, faults of bytes, planned actions, the bytes that leave, and the
changes of the true state. `atota.sim.uart.Wire` sees nothing else.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from math import inf

from atota.sim.faults import FaultPlan
from atota.sim.options import Parity, Sent
from atota.sim.timeline import Timeline


class Device(ABC):
    """A simulated thing behind a UART. No clock, no thread, no I/O.

    Times are seconds on any one scale that never goes back; it is powered at its first moment.

    Args:
        name: its kind, as in ``sim://NAME``.
        seed: the seed of its noise.
        faults: injected faults.
        on_change: called with each change of the true state.

    Attributes:
        silent: neither a byte in nor out until a hardware reset.
        unplugged: the adapter was pulled out.
        pace: its seconds that pass in one of the host's. A wait for the host lasts longer by that factor, for
            the host does not react faster because the time of a served device does.
        at_power_cut: called when `heal` takes its power away: the wire drops the bytes not sent yet.
        timeline: the actions planned without the host, and when the next is due.
        history: the last thousand changes, as for ``on_change``.
    """

    def __init__(
        self, name: str, seed: int, faults: FaultPlan, on_change: Callable[[str], None] | None
    ) -> None:
        self.name = name
        self.seed = seed
        self.faults = faults
        self.on_change = on_change
        self.timeline = Timeline()
        self.history: deque[str] = deque(maxlen=1000)
        self.silent = self.unplugged = False
        self.pace = 1.0
        self.at_power_cut: Callable[[float], None] = lambda _now: None
        self._out: list[Sent] = []
        self._received = 0
        self._powered = False

    # --- what each kind does -------------------------------------------------------------------------

    @abstractmethod
    def first_moment(self, now: float) -> None:
        """Begin to live at ``now``."""

    @abstractmethod
    def take(self, data: bytes, now: float) -> None:
        """Take bytes that its UART has read."""

    @property
    @abstractmethod
    def baud(self) -> int:
        """The rate of its UART now."""

    @property
    def parity(self) -> Parity:
        """The parity of its UART now."""
        return "N"

    @property
    @abstractmethod
    def bytes_needed(self) -> int | None:
        """The bytes until it does something; None: it waits for the byte ``line_end``."""

    @property
    def line_end(self) -> bytes:
        """The byte that it waits for, where no number of bytes is needed."""
        return b"\r"

    @abstractmethod
    def demodulate(self, data: bytes, baud: int) -> bytes | None:
        """Return the bytes that the UART reads of bytes sent at ``baud``; None: noise of another rate."""

    @abstractmethod
    def set_lines(self, now: float, *, dtr: bool, rts: bool) -> list[Sent] | None:
        """Learn the control lines; return the bytes sent after a reset, None without one."""

    @abstractmethod
    def power_cut(self, now: float) -> list[Sent]:
        """Take the supply away for a moment."""

    # --- bytes and time ------------------------------------------------------------------------------

    def power_on(self, now: float) -> None:
        """Set the first moment; without this call, it is the first contact."""
        if not self._powered:
            self._powered = True
            self.first_moment(now)

    def feed(self, data: bytes, now: float) -> list[tuple[float, bytes]]:
        """Take bytes that have arrived at ``now`` intact; return the answers with their times."""
        return [(sent.when, sent.data) for sent in self.receive(data, now)]

    def receive(self, data: bytes, now: float) -> list[Sent]:
        """Do as `feed`, and return the rate at which each answer leaves."""
        self.power_on(now)
        self.timeline.run(now)
        data, self._received = self.faults.distort(data, self._received), self._received + len(data)
        self.take(data, now)
        return self._drain()

    def tick(self, now: float) -> list[Sent]:
        """Carry out what is due until ``now``."""
        self.power_on(now)
        self.timeline.run(now)
        return self._drain()

    def next_due(self) -> float | None:
        """Return the time of the next thing that it does by itself, or None."""
        return None if self.timeline.due == inf else self.timeline.due

    def tell(self, text: str) -> None:
        """Report a change of the true state."""
        self.history.append(text)
        if self.on_change is not None:
            self.on_change(text)

    def _drain(self) -> list[Sent]:
        out, self._out = self._out, []
        return sorted(out, key=lambda sent: sent.when) if len(out) > 1 else out
