"""A recorded module as a link: it responds as it did, as long as the host sends what it sent.

Bytes of the module are due at their recorded distance in time from the event before them: from the moment at
which the host has written the same bytes, or from the module's previous bytes. The cuts of the host's writes,
and the time that it waits before them, do not matter.
"""

from pathlib import Path
from urllib.parse import parse_qsl, unquote

from atota.clock import Clock, clock_at, is_speed
from atota.errors import LineUnavailable, LinkError, LinkLost, ReplayDiverged, UsageError
from atota.transcript.format import escape
from atota.transcript.playback import Playback
from atota.transcript.recording import (
    BaudChange,
    Closed,
    Entry,
    Fault,
    LinesSet,
    Opened,
    Recording,
    Traffic,
    read_recording,
)

_LEAST_S = 1e-9  # a sleep that floating point cannot round to zero
_ROUNDED_S = 0.002  # a transcript's times are rounded to milliseconds
_SHOWN = 60
"""Bytes of a line that are shown where host and recording diverge."""
_LEAD = 20
_BEFORE = 5
_KEPT = 4096


class ReplayLink:
    """The module's side of a recording. Time passes on ``clock`` only during a read.

    Args:
        recording: the recording to play.
        clock: the time to live in.
        baud: the host's rate, bit/s.
        name: the link's name.
        rates: True if the host must be at the rate of the recorded one.
        lines: True if it must set the control lines that the recorded one set.
        start: the index of the first entry; see `reopened`.
        ends: True if a host that goes on after the end has diverged; else it meets silence.

    Attributes:
        surplus: the first bytes that the host wrote after the end of the recording.
        diverged: the error, if host and recording have diverged.
    """

    def __init__(
        self,
        recording: Recording,
        clock: Clock,
        *,
        baud: int = 9600,
        name: str | None = None,
        rates: bool = True,
        lines: bool = True,
        start: int = 0,
        ends: bool = False,
    ) -> None:
        self.recording = recording
        self._ends = ends
        self.clock = clock
        self.name = name or f"replay://{recording.path}"
        self.surplus = bytearray()
        self.diverged: ReplayDiverged | None = None
        self._closed = False
        self._playback = Playback(
            recording, baud=baud, rates=rates, lines=lines, start=start, now=clock.monotonic()
        )

    @property
    def baud(self) -> int:
        """The host's rate in bit/s."""
        return self._playback.baud

    @property
    def position(self) -> int:
        """The number of entries that were played to their end."""
        return self._playback.position

    @property
    def current(self) -> Entry | None:
        """The next entry, or the one of which the host has written a part; None at the end."""
        return self._playback.current()

    @property
    def finished(self) -> bool:
        """True if all of the recording was played."""
        return self._playback.current() is None

    @property
    def is_lost(self) -> bool:
        """True if the recorded port was lost here."""
        return self._playback.lost is not None

    def next_due(self) -> float:
        """Return the time of the current entry; infinite if it waits for the host, or at the end."""
        return self._playback.next_due()

    def read(self, timeout_s: float) -> bytes:
        """Return the bytes that are due, at least one; ``b""`` if none are within ``timeout_s``.

        Raises:
            LinkLost: it is closed, or the recorded port was lost here.
            ReplayDiverged: host and recording have diverged before.
        """
        play = self._playback
        now = self.clock.monotonic()
        end = now + max(0.0, timeout_s)
        while True:
            self._check_open()
            play.play(now)
            if play.arrived:
                data = bytes(play.arrived)
                play.arrived.clear()
                return data
            self._check_lost()
            if now >= end:
                return b""
            self.clock.sleep(max(min(play.next_due(), end) - now, _LEAST_S))
            now = self.clock.monotonic()

    def write(self, data: bytes) -> None:
        """Compare ``data`` with the bytes of the recorded host; no time passes. Cuts do not matter.

        Raises:
            LinkLost: it is closed, or the recorded port was lost here.
            ReplayDiverged: the recorded host wrote other bytes.
        """
        self._check()
        rest = bytes(data)
        while rest:
            entry = self._next_written(rest)
            if entry is None:
                if self._ends:
                    raise self._diverge_at_end(rest)
                self.surplus += rest[: max(0, _KEPT - len(self.surplus))]
                return
            taken = self._playback.take(entry, rest, self.clock.monotonic())
            if taken is None:
                raise self._diverged_within(entry, rest)
            rest = rest[taken:]

    def set_baud(self, baud: int) -> None:
        """Change the rate, as the recorded host did.

        Raises:
            LinkLost: it is closed, or the recorded port was lost here.
            ReplayDiverged: the recorded host did not, at this point.
        """
        self._check()
        play = self._playback
        next_action: Entry | None = None
        for index, entry in play.ahead() if play.rates else ():
            if isinstance(entry, Fault):
                self._fail_as(index, entry)
            if isinstance(entry, BaudChange) and entry.baud == baud:
                play.skip_to(index + 1, self.clock.monotonic())
                play.baud = baud
                return
            next_action = next_action or entry
            if not isinstance(entry, BaudChange):
                break
        if baud != play.baud and next_action is not None and not isinstance(next_action, Closed | Opened):
            raise self._diverge(next_action, str(BaudChange(0, 0.0, baud)))
        play.baud = baud

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Set the control lines, as the recorded host did.

        Raises:
            LineUnavailable: the recorded port did not have the line.
            LinkLost: it is closed, or the recorded port was lost here.
            ReplayDiverged: the recorded host did not set them, at this point.
        """
        self._check()
        play = self._playback
        for index, entry in play.ahead() if play.lines else ():
            if isinstance(entry, Fault):
                self._fail_as(index, entry)
            if isinstance(entry, LinesSet) and (entry.dtr, entry.rts) == (dtr, rts):
                play.skip_to(index + 1, self.clock.monotonic())
                return
            if not (isinstance(entry, BaudChange) and entry.baud == play.baud):
                if isinstance(entry, Closed | Opened):
                    return
                raise self._diverge(entry, str(LinesSet(0, 0.0, dtr, rts)))

    def close(self) -> None:
        """Close the link; if the recorded host also closed it here, all was played."""
        if not self._closed:
            self._closed = True
            play, now = self._playback, self.clock.monotonic()
            play.play(now + _ROUNDED_S)
            index, entry = next(play.ahead(), (len(play.entries), None))
            if entry is None or isinstance(entry, Closed):
                play.skip_to(min(index + 1, len(play.entries)), now)

    def reopened(self, baud: int) -> "ReplayLink":
        """Return the link after the adapter came back, if the recorded host opened its port again here.

        Raises:
            LinkLost: the recorded host did not.
        """
        self.close()
        if not isinstance(self._playback.current(), Opened):
            raise LinkLost(f"{self.name}: the recorded port was not opened again here")
        play = self._playback
        return ReplayLink(
            self.recording,
            self.clock,
            baud=baud,
            name=self.name,
            rates=play.rates,
            lines=play.lines,
            start=play.position + 1,
            ends=self._ends,
        )

    # -- comparing the host with the recording ------------------------------------------------------

    def _next_written(self, data: bytes) -> Traffic | None:
        """Return the next bytes of the recorded host; None at the end of the recording."""
        play, now = self._playback, self.clock.monotonic()
        rate: BaudChange | None = None
        for index, entry in play.ahead():
            if isinstance(entry, Traffic):
                if play.rates and (rate.baud if rate else play.recorded_baud) != play.baud:
                    raise self._diverge(rate or self._last_rate(), f"! baud {play.baud}, then {_shown(data)}")
                play.skip_to(index, now)
                return entry
            if isinstance(entry, BaudChange):
                rate = entry
            elif isinstance(entry, LinesSet) and play.lines:
                raise self._diverge(entry, _shown(data))
            elif isinstance(entry, Fault) and entry.code == LinkLost.code:
                self._fail_as(index, entry)
            elif isinstance(entry, Closed | Opened):
                return None
        return None

    def _last_rate(self) -> Entry:
        before = self._playback.entries[: self.position]
        return next(entry for entry in reversed(before) if isinstance(entry, BaudChange))

    def _fail_as(self, index: int, fault: Fault) -> None:
        """Fail as the recorded call did."""
        self._playback.skip_to(index + 1, self.clock.monotonic())
        self._check_lost()
        kind = LineUnavailable if fault.code == LineUnavailable.code else LinkError
        raise kind(f"{self.name}: {fault.message}")

    def _diverged_within(self, entry: Traffic, data: bytes) -> ReplayDiverged:
        """Return the error for a difference within a line, which is shown from a little before it."""
        offset = self._playback.offset
        expected = self._playback.expected(entry, data)
        difference = offset + next(at for at, byte in enumerate(expected) if byte != data[at])
        first = max(0, difference - _LEAD) if difference > _SHOWN - _LEAD else 0
        last = min(first + _SHOWN, len(entry.data))
        hidden = [
            (max(a, first) - first, min(b, last) - first) for a, b in entry.hidden if b > first and a < last
        ]
        dots = "…" if first else ""
        host = entry.data[:offset] + data
        return self._diverge(
            entry,
            f"> {dots}{escape(host[first : first + _SHOWN])}",
            expected=f"> {dots}{escape(entry.data[first:last], hidden)}",
        )

    def _diverge(self, entry: Entry, got: str, *, expected: str | None = None) -> ReplayDiverged:
        """Return the error that names the difference; every later use of the link raises it too."""
        expected = expected or _short(entry)
        index = self._playback.entries.index(entry)
        before = self._playback.entries[max(0, index - _BEFORE) : index]
        self.diverged = ReplayDiverged(
            f"{self.recording.path}, line {entry.line} (at {entry.time_s:.3f} s): "
            f"the recording continues with `{expected}`, the host with `{got}`",
            line=entry.line,
            expected=expected,
            got=got,
            tried=tuple(f"{one.time_s:.3f} {_short(one)}" for one in before),
        )
        return self.diverged

    def _diverge_at_end(self, data: bytes) -> ReplayDiverged:
        """Return the error of a host that goes on where the recorded one did not; as for `_diverge`."""
        entries, here = self._playback.entries, self._playback.current()
        is_inside = isinstance(here, Closed | Opened)
        last = here if is_inside else (entries[-1] if entries else None)
        line, time_s = (last.line, last.time_s) if last is not None else (0, 0.0)
        before = entries[max(0, len(entries) - _BEFORE) :] if not is_inside else []
        self.diverged = ReplayDiverged(
            f"{self.recording.path}: the recording ends at line {line} (at {time_s:.3f} s), the host goes on "
            f"with `{_shown(data)}`",
            line=line,
            expected="the end",
            got=_shown(data),
            hint="A recording answers only its own commands. It was cut off here, or its host did less.",
            tried=tuple(f"{one.time_s:.3f} {_short(one)}" for one in before),
        )
        return self.diverged

    def _check(self) -> None:
        self._check_open()
        self._check_lost()

    def _check_open(self) -> None:
        if self._closed:
            raise LinkLost(f"{self.name} is closed", hint="Open it again: it starts from the beginning.")
        if self.diverged is not None:
            raise self.diverged

    def _check_lost(self) -> None:
        if self._playback.lost is not None:
            raise LinkLost(
                f"{self.name}: the recorded port was lost here: {self._playback.lost.message}",
                hint="The loss is part of the recording, not a failure of this machine.",
            )


def _shown(data: bytes) -> str:
    return f"> {escape(data[:_SHOWN])}"


def _short(entry: Entry) -> str:
    text = str(entry)
    return text if len(text) <= 2 * _SHOWN else f"{text[: 2 * _SHOWN]}…"


def open_replay_link(url: str, *, baud: int = 9600, clock: Clock | None = None) -> ReplayLink:
    """Open a recorded module: ``replay://FILE?speed=max|real|N``.

    FILE is a path, from the current folder or from the root (``replay:///tmp/t``), percent-encoded where it
    holds ``%`` or ``?``. ``speed``: ``max`` (simulated time, the default), ``real``, or that many times as
    fast.

    Args:
        url: the recording's URL.
        baud: the host's rate.
        clock: the time to live in; by default the one that the URL's ``speed`` names.

    Raises:
        UsageError: the URL is wrong.
        ConfigError: the file is missing or not a transcript.
    """
    path, _, query = url.partition("://")[2].partition("?")
    if not path:
        raise UsageError(f"{url!r} names no file", hint="Write replay://FILE, or replay:///FOLDER/FILE.")
    speed = "max"
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key != "speed" or not is_speed(value):
            raise UsageError(
                f"replay:// option {key}={value!r} is not known",
                hint="Known options: speed=max, speed=real, speed=N. Write a ? in a file's name as %3F.",
            )
        speed = value
    recording, clock = read_recording(Path(unquote(path))), clock or clock_at(speed)
    return ReplayLink(recording, clock, baud=baud, name=url, ends=True)
