"""The state of a recording while it is played: the bytes that are due, the entry that waits for the host."""

import math
from collections.abc import Iterator

from atota.errors import LinkLost
from atota.transcript.recording import BaudChange, Entry, Fault, LinesSet, Opened, Recording, Traffic

_SLACK_S = 1e-9  # floating point sums of times


class Playback:
    """The position in a recording.

    Bytes of the module are due at their recorded distance from the entry before them.

    Args:
        recording: the recording to play.
        baud: the host's rate at the beginning, bit/s.
        rates: True if notes of rates wait for the host.
        lines: True if notes of control lines wait for the host.
        start: the index of the first entry.
        now: the time of the beginning, seconds.

    Attributes:
        position: the number of entries that were played to their end.
        offset: the number of bytes of the current entry that the host has written.
        arrived: the module's bytes that were not fetched yet.
        baud: the host's rate.
        recorded_baud: the recorded host's rate.
        lost: the fault that took the port away.
    """

    def __init__(
        self, recording: Recording, *, baud: int, rates: bool, lines: bool, start: int, now: float
    ) -> None:
        self.entries = recording.entries
        self.position = start
        self.offset = 0
        self.arrived = bytearray()
        self.baud = self.recorded_baud = baud
        self.rates = rates
        self.lines = lines
        self.lost: Fault | None = None
        self._since_s = self.entries[start].time_s if start < len(self.entries) else 0.0
        self._anchor = now
        self._secret = bytearray()  # the last one that the host wrote
        self._echoed = 0  # bytes of it that the module has echoed
        first = self.current()
        if isinstance(first, BaudChange):  # the rate at which the port was opened: no call sets it
            self.recorded_baud = first.baud
            self.position += 1

    def current(self) -> Entry | None:
        """Return the current entry; None at the end."""
        return self.entries[self.position] if self.position < len(self.entries) else None

    def ahead(self) -> Iterator[tuple[int, Entry]]:
        """Yield the entries from the current one on with their indices, except bytes of the module."""
        for index in range(self.position, len(self.entries)):
            entry = self.entries[index]
            if not (isinstance(entry, Traffic) and entry.direction == "<"):
                yield index, entry

    def next_due(self) -> float:
        """Return the time of the current entry; infinite if it waits for the host, or at the end."""
        entry = self.current()
        if entry is None or self._waits(entry):
            return math.inf
        return self._anchor + entry.time_s - self._since_s

    def play(self, now: float) -> None:
        """Play every entry that is due."""
        while self.lost is None and self.next_due() <= now + _SLACK_S:
            self._step(self.next_due())

    def skip_to(self, index: int, now: float) -> None:
        """Play all entries before ``index`` now: the recorded host had passed them at this point."""
        while self.position < index:
            self._step(now)

    def take(self, entry: Traffic, data: bytes, now: float) -> int | None:
        """Compare bytes that the host writes with the current entry.

        Returns:
            The number of bytes that belong to the entry; None if they differ from it.
        """
        count = min(len(data), len(entry.data) - self.offset)
        if self.expected(entry, data) != data[:count]:
            return None
        self._remember(entry, data[:count])
        self.offset += count
        if self.offset == len(entry.data):
            self._step(now)
        return count

    def expected(self, entry: Traffic, data: bytes) -> bytes:
        """Return the recorded bytes at the position of ``data``; hidden ones are taken from ``data``."""
        expected = bytearray(entry.data[self.offset : self.offset + len(data)])
        for start, end in entry.hidden:
            first, last = max(start - self.offset, 0), min(end - self.offset, len(expected))
            if first < last:
                expected[first:last] = data[first:last]
        return bytes(expected)

    def _waits(self, entry: Entry) -> bool:
        """True if an entry is an action of the host."""
        if isinstance(entry, BaudChange):
            return self.rates and entry.baud != self.baud
        if isinstance(entry, LinesSet):
            return self.lines
        if isinstance(entry, Fault):
            return entry.code != LinkLost.code and (self.rates or self.lines)
        return isinstance(entry, Opened) or (isinstance(entry, Traffic) and entry.direction == ">")

    def _step(self, when: float) -> None:
        """Play the current entry at this time."""
        entry = self.entries[self.position]
        self.position += 1
        self.offset = 0
        self._anchor, self._since_s = when, entry.time_s
        if isinstance(entry, Traffic) and entry.direction == "<":
            self.arrived += self._with_secret(entry)
        elif isinstance(entry, BaudChange):
            self.recorded_baud = entry.baud
        elif isinstance(entry, Fault) and entry.code == LinkLost.code:
            self._lose(entry)

    def _lose(self, fault: Fault) -> None:
        """Lose the port, and skip the recorded host's failed calls until it opened the port again."""
        self.lost = fault
        while (entry := self.current()) is not None and not isinstance(entry, Opened):
            self.position += 1

    def _remember(self, entry: Traffic, data: bytes) -> None:
        """Keep the host's own secret, for the echo."""
        for start, end in entry.hidden:
            first, last = max(start - self.offset, 0), min(end - self.offset, len(data))
            if first < last:
                if self.offset + first == start and not (start == 0 and entry.continues):
                    self._secret.clear()
                self._secret += data[first:last]

    def _with_secret(self, entry: Traffic) -> bytes:
        """Return the module's bytes, with the host's own secret where it was echoed."""
        data = bytearray(entry.data)
        for number, (start, end) in enumerate(entry.hidden):
            if number or not entry.continues:
                self._echoed = 0
            piece = self._secret[self._echoed : self._echoed + end - start]
            data[start : start + len(piece)] = piece
            self._echoed += end - start
        return bytes(data)
