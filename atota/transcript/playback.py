"""The module's side of a recording, as it goes: what is due, what waits for the host, what it was told."""

import math
from collections.abc import Iterator

from atota.errors import LinkLost
from atota.transcript.recording import BaudChange, Entry, Fault, LinesSet, Opened, Recording, Traffic

_SLACK_S = 1e-9  # floating point sums of times


class Playback:
    """Where a recording is.

    What came from the module is due at its recorded distance from the entry before it.

    Args:
        recording: what is played.
        baud: the host's rate at the beginning, bit/s.
        rates: whether notes of rates wait for the host.
        lines: whether notes of control lines do.
        start: the entry to begin with.
        now: the time of the beginning, seconds.

    Attributes:
        position: how many entries were played to their end.
        offset: how many bytes of the entry under way the host has written.
        arrived: what came from the module and was not fetched yet.
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
        self._told = 0  # how much of it the module has echoed
        first = self.now_at()
        if isinstance(first, BaudChange):  # the rate at which the port was opened: nobody sets it
            self.recorded_baud = first.baud
            self.position += 1

    def now_at(self) -> Entry | None:
        """The entry under way; None at the end."""
        return self.entries[self.position] if self.position < len(self.entries) else None

    def ahead(self) -> Iterator[tuple[int, Entry]]:
        """The entries from here on and their places, but for what came from the module."""
        for place in range(self.position, len(self.entries)):
            entry = self.entries[place]
            if not (isinstance(entry, Traffic) and entry.direction == "<"):
                yield place, entry

    def next_due(self) -> float:
        """When the next entry plays by itself; infinite if it waits for the host, or there is none."""
        entry = self.now_at()
        if entry is None or self._waits(entry):
            return math.inf
        return self._anchor + entry.time_s - self._since_s

    def play(self, now: float) -> None:
        """Let everything happen that is due."""
        while self.lost is None and self.next_due() <= now + _SLACK_S:
            self._step(self.next_due())

    def skip_to(self, place: int, now: float) -> None:
        """Play everything before ``place`` now: the recorded host had met it when it did what comes next."""
        while self.position < place:
            self._step(now)

    def take(self, entry: Traffic, data: bytes, now: float) -> int | None:
        """Hold what the host writes against the line under way.

        Returns:
            How many bytes that line takes; None if it says something else.
        """
        count = min(len(data), len(entry.data) - self.offset)
        wanted = self.wanted(entry, data)
        if wanted != data[:count]:
            return None
        self._remember(entry, data[:count])
        self.offset += count
        if self.offset == len(entry.data):
            self._step(now)
        return count

    def wanted(self, entry: Traffic, data: bytes) -> bytes:
        """What the line under way says where ``data`` stands; in the place of secrets, what ``data`` says."""
        wanted = bytearray(entry.data[self.offset : self.offset + len(data)])
        for start, end in entry.hidden:
            first, last = max(start - self.offset, 0), min(end - self.offset, len(wanted))
            if first < last:
                wanted[first:last] = data[first:last]
        return bytes(wanted)

    def _waits(self, entry: Entry) -> bool:
        """Whether an entry is a deed of the host, which nothing but the host can do."""
        if isinstance(entry, BaudChange):
            return self.rates and entry.baud != self.baud
        if isinstance(entry, LinesSet):
            return self.lines
        if isinstance(entry, Fault):
            return entry.code != LinkLost.code and (self.rates or self.lines)
        return isinstance(entry, Opened) or (isinstance(entry, Traffic) and entry.direction == ">")

    def _step(self, when: float) -> None:
        """Play the entry under way, at this time."""
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
        """The port is gone: whatever the recorded host tried until it opened it again failed, too."""
        self.lost = fault
        while (entry := self.now_at()) is not None and not isinstance(entry, Opened):
            self.position += 1

    def _remember(self, entry: Traffic, data: bytes) -> None:
        """Learn the host's own secret."""
        for start, end in entry.hidden:
            first, last = max(start - self.offset, 0), min(end - self.offset, len(data))
            if first < last:
                if self.offset + first == start and not (start == 0 and entry.continues):
                    self._secret.clear()
                self._secret += data[first:last]

    def _with_secret(self, entry: Traffic) -> bytes:
        """What came from the module, with the host's own secret where it was echoed."""
        data = bytearray(entry.data)
        for place, (start, end) in enumerate(entry.hidden):
            if place or not entry.continues:
                self._told = 0
            piece = self._secret[self._told : self._told + end - start]
            data[start : start + len(piece)] = piece
            self._told += end - start
        return bytes(data)
