"""The wire between a host and a simulated device: bytes take time, and another rate is noise.

A byte is ten bit times (8N1), or eleven with parity. Both directions are independent. What arrives at
another rate than the receiver's is garbage from a seeded generator, as many bytes as the receiver would
count. At another parity those bytes survive whose parity bit looks like a stop bit. A line with the fault
``bad-above`` damages single bits at the rates that it is not good for.
"""

import heapq
from collections import deque
from dataclasses import dataclass
from itertools import count
from math import ceil, inf, nextafter

from atota.clock import Clock
from atota.sim.device import Device
from atota.sim.noise import BadLine, Noise
from atota.sim.options import Parity, Sent

_BITS: dict[Parity | None, int] = {None: 10, "N": 10, "E": 11, "O": 11}
_SLACK = 1e-9  # seconds; floating point sums of bit times
# FTDI application note AN232B-04, "Small Amounts of Data and End of Buffer Conditions": a packet to the host
# is 64 bytes, two of them status; it goes when it is full, or when the latency timer (16 ms, in low-latency
# mode 1 ms) has run out since the last one went.
_PACKET = 62


@dataclass(slots=True)
class _Flight:
    """Bytes on the wire; the first has arrived ``byte_s`` after ``start``."""

    start: float
    byte_s: float
    data: bytes
    baud: int
    parity: Parity | None = None
    position: int = 0
    looked_at: tuple[int, bytes] = (-1, b"")  # the position and the byte for which `line_end` was found
    line_end: float = inf

    def arrived(self, now: float) -> int:
        return max(0, min(len(self.data), int((now + _SLACK - self.start) / self.byte_s)))

    def arrival(self, position: int) -> float:
        return self.start + (position + 1) * self.byte_s


def _misread(data: bytes, sender: Parity | None, receiver: Parity | None, noise: Noise) -> bytes:
    """Return the bytes that a receiver reads of bytes sent with another parity; None: any parity will do.

    Where one side has no parity, its stop bit (a one) is the other's parity bit.
    """
    if sender == receiver or sender is None or receiver is None:
        return data
    pair = {sender, receiver}
    if "N" not in pair:
        return noise.of(len(data), 1, 1)
    odd = "E" in pair
    return bytes([byte if (byte.bit_count() % 2 == 1) == odd else noise.of(1, 1, 1)[0] for byte in data])


class Wire:
    """A serial line with a device at its end.

    Args:
        device: it belongs to this wire alone from now on.
        baud: the host's rate; None: always the device's, as on a network socket.
        parity: the host's; None: always the device's.
        latency_s: the time that bytes from the host's adapter are on their way.
        timer_s: a USB adapter's latency timer: it hands over its bytes when that runs out or 62 bytes are
            there; 0: every byte at once.
        now: the first moment of the device, if it had none yet.
    """

    def __init__(
        self,
        device: Device,
        baud: int | None = None,
        *,
        parity: Parity | None = None,
        latency_s: float = 0.0,
        timer_s: float = 0.0,
        now: float = 0.0,
    ) -> None:
        self.device = device
        self._baud = baud
        self._parity = parity
        self._latency = latency_s
        self._timer = timer_s
        self._tx: deque[_Flight] = deque()
        self._rx: deque[_Flight] = deque()
        self._ready = b""  # for the host
        self._held = b""  # in the adapter, `_counted` bytes of the wire
        self._counted = self._arrived = 0
        self._expiry: float | None = None
        self._handed_over = now
        self._pending: list[tuple[float, int, Sent]] = []
        self._order = count()
        self._tx_free = self._rx_free = now
        self._due = inf  # the last result of `_hand_over_at`
        self._rx_due = inf  # when the host can have something; no look is needed before
        self._timeline = device.timeline
        self._faults = device.faults
        self._device_noise = Noise(("in", device.seed))
        self._host_noise = Noise(("out", device.seed))
        self._line_in = BadLine(device.faults, ("in", device.seed))
        self._line_out = BadLine(device.faults, ("out", device.seed))
        device.at_power_cut = self._silenced
        device.power_on(now)

    @property
    def baud(self) -> int:
        """The host's rate."""
        return self._baud or self.device.baud

    @property
    def idle_at(self) -> float:
        """The time when everything from the host will have left."""
        return self._tx_free

    def set_baud(self, baud: int, now: float) -> None:
        """Change the host's rate; bytes that have arrived by ``now`` had the old one."""
        if baud != self._baud:
            self._settle(now)
            self._baud = baud

    def set_parity(self, parity: Parity, now: float) -> None:
        """Change the host's parity; bytes that have arrived by ``now`` had the old one."""
        if parity != self._parity:
            self._settle(now)
            self._parity = parity

    def _settle(self, now: float) -> None:
        """Take the bytes that have arrived by ``now`` as the receiver is set until now."""
        self.advance(now)
        self._collect(now)
        if self._timer:
            self._held += self._received(now)
            self._rx_due = self._hand_over_at() + self._latency
        if self._ready:
            self._rx_due = -inf

    def set_lines(self, now: float, *, dtr: bool, rts: bool) -> None:
        """Set the host's control lines; one of them may be wired to a reset pin."""
        self.advance(now)
        sent = self.device.set_lines(now, dtr=dtr, rts=rts)
        if sent is not None:
            self.disturb(now, sent)

    def from_host(self, data: bytes, now: float) -> None:
        """Put bytes of the host on the wire, behind those that still occupy it."""
        self.advance(now)
        start = max(now, self._tx_free)
        flight = _Flight(start, _BITS[self._parity] / self.baud, data, self.baud, self._parity)
        self._tx.append(flight)
        self._tx_free = start + flight.byte_s * len(data)

    def advance(self, now: float) -> None:
        """Carry out every event until ``now``."""
        limit = now + _SLACK
        while (first := self._next_event()) <= limit:
            if self._pending and self._pending[0][0] == first:
                self._launch(heapq.heappop(self._pending)[2])
                continue
            event = self._timeline.due == first
            self._deliver(first, before=event and self._delivery() > first + _SLACK)
            if event:
                self._queue(self.device.tick(first))

    def disturb(self, now: float, sent: list[Sent]) -> None:
        """Take the bytes that the device sends after a reset or a power cut."""
        self._pending.clear()
        self._rx_free = now
        self._queue(sent)

    def _silenced(self, now: float) -> None:
        """Drop the bytes not sent yet: the device is about to lose its power."""
        self.advance(now)
        self.disturb(now, [])

    def cut(self, now: float) -> None:
        """Pull the adapter out: the bytes on the wire, either way, are lost."""
        self.advance(now)
        self._tx.clear()
        self._rx.clear()
        self._ready = self._held = b""
        self._counted, self._expiry = 0, None
        self._tx_free = self._rx_free = self._handed_over = now
        self._due = self._rx_due = inf

    def to_host(self, now: float) -> bytes:
        """Return the bytes that have arrived at the host by ``now`` and were not fetched yet."""
        self.advance(now)
        return self._fetch(now)

    def wait(self, clock: Clock, now: float, end: float) -> bytes | None:
        """Let time pass until something has arrived at the host (that is returned) or ``end`` (b"").

        None: something else happened; look whether the adapter is still there, and call it again.
        """
        timeline = self._timeline
        while True:
            due = self._next_event() if self._tx or self._pending else timeline.due
            if due <= now + _SLACK:
                self.advance(now)
                return None
            if self._rx_due <= now + 2 * _SLACK and (data := self._fetch(now)):
                return data
            if now >= end:
                return b""
            if self._rx_due < due:
                due = self._rx_due
            wait = (due if due < end else end) - now
            clock.sleep(wait if wait > _SLACK else _SLACK)
            now = clock.monotonic()

    def next_time(self) -> float:
        """Return the time of the next change that `advance` or `to_host` would show, or infinity."""
        return min(self._next_event(), self._rx_due)

    def _next_event(self) -> float:
        """Return the time of the next event other than the arrival of a byte at the host."""
        first = self._timeline.due
        if self._pending and self._pending[0][0] < first:
            first = self._pending[0][0]
        return min(first, self._delivery()) if self._tx else first

    def _delivery(self) -> float:
        """Return the time when the next command line, the bytes of a data phase or the rest are complete."""
        if not self._tx:
            return inf
        flight = self._tx[0]
        needed = self.device.bytes_needed
        if needed is not None:
            return flight.arrival(min(flight.position + needed, len(flight.data)) - 1)
        line_end = self.device.line_end
        if flight.looked_at != (flight.position, line_end):
            end = flight.data.find(line_end, flight.position)
            flight.line_end = flight.arrival(len(flight.data) - 1 if end < 0 else end)
            flight.looked_at = (flight.position, line_end)
        return flight.line_end

    def _deliver(self, now: float, *, before: bool) -> None:
        """Give the device every byte that has arrived, up to the first line's end.

        With ``before`` something of the device's own happens at ``now``, and the bytes came before it.
        """
        if not self._tx:
            return
        flight = self._tx[0]
        data = flight.data[flight.position : flight.arrived(now)]
        flight.position += len(data)
        if flight.position >= len(flight.data):
            self._tx.popleft()
        if not data:
            return
        if self._baud is not None:
            data = self._line_in.carry(data, flight.baud)
            intact = self.device.demodulate(data, flight.baud)
            noise = self._device_noise
            data = noise.of(len(data), flight.baud, self.device.baud) if intact is None else intact
        data = _misread(data, flight.parity, self.device.parity, self._device_noise)
        self._queue(self.device.receive(data, nextafter(now, -inf) if before else now))

    def _queue(self, sent: list[Sent]) -> None:
        for one in sent:
            heapq.heappush(self._pending, (one.when, next(self._order), one))

    def _launch(self, sent: Sent) -> None:
        start = max(sent.when, self._rx_free)
        flight = _Flight(start, _BITS[sent.parity] / sent.baud, sent.data, sent.baud, sent.parity)
        self._rx.append(flight)
        self._rx_free = start + flight.byte_s * len(sent.data)
        if self._timer:
            self._rx_due = min(self._rx_due, self._hand_over_at() + self._latency)
        elif len(self._rx) == 1:
            self._rx_due = min(self._rx_due, flight.arrival(0) + self._latency)

    # --- the host's adapter --------------------------------------------------------------------------

    def _fetch(self, now: float) -> bytes:
        self._collect(now - self._latency)
        data, self._ready = self._ready, b""
        return data

    def _collect(self, now: float) -> None:
        """Move the adapter's bytes for the host by ``now`` to the host's buffer."""
        if not self._timer:
            self._ready += self._received(now)
            return
        while (due := self._due) <= now + _SLACK:
            self._ready += self._held + self._received(due)
            self._held, self._counted, self._expiry = b"", 0, None
            self._handed_over = due
            self._hand_over_at()
        self._rx_due = due + self._latency

    def _received(self, now: float) -> bytes:
        """Return the bytes that have arrived at the adapter by ``now`` and were not counted yet."""
        rx, out = self._rx, b""
        while rx:
            flight = rx[0]
            data, position, byte_s = flight.data, flight.position, flight.byte_s
            stop = int((now + _SLACK - flight.start) / byte_s)
            if stop > position:
                piece = data[position:stop]
                self._counted += len(piece)
                self._arrived += len(piece)
                piece = self._faults.distort_back(piece, self._arrived - len(piece))
                if self._baud is not None:
                    piece = self._line_out.carry(piece, flight.baud)
                if flight.baud != self._baud is not None:
                    piece = self._host_noise.of(len(piece), flight.baud, self._baud)
                piece = _misread(piece, flight.parity, self._parity, self._host_noise)
                out += piece
                flight.position = position = stop
            if position < len(data):
                self._rx_due = flight.start + (position + 1) * byte_s + self._latency
                return out
            rx.popleft()
        self._rx_due = inf
        return out

    def _hand_over_at(self) -> float:
        """Find the next hand-over of the adapter: when it is full, or its timer runs out and it has bytes."""
        self._due = self._next_hand_over()
        return self._due

    def _next_hand_over(self) -> float:
        if self._expiry is None:
            if not self._rx:
                return inf
            quiet = self._rx[0].arrival(self._rx[0].position) - self._handed_over
            rounds = max(1, ceil((quiet - _SLACK) / self._timer))  # one with nothing in it just begins again
            self._expiry = self._handed_over + rounds * self._timer
        room = _PACKET - self._counted
        for flight in self._rx:
            remaining = len(flight.data) - flight.position
            if remaining >= room:
                return min(self._expiry, flight.arrival(flight.position + room - 1))
            room -= remaining
        return self._expiry
