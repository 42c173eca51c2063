"""A recorded module as a link: it answers what it answered, when the host says what the host said.

What came from the module is due at the distance in time at which it was recorded, counted from the event
before it: from the moment at which the host has written what it wrote then, or from what the module said
last. It does not matter how the host cuts its writes, nor how long it waits before it says the same.
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

_LEAST_S = 1e-9  # a sleep that floating point cannot swallow
_ROUNDED_S = 0.002  # a transcript's times are rounded to milliseconds
_SHOWN = 60
"""Bytes of a line that are shown where host and recording part."""
_LEAD = 20
_BEFORE = 5
_KEPT = 4096


class ReplayLink:
    """Plays the module's side of a recording. Time passes on ``clock`` when somebody reads.

    Args:
        recording: what to play.
        clock: the time to live in.
        baud: the host's rate, bit/s.
        name: what the link is called.
        rates: whether the host must be at the rate at which the recorded one was.
        lines: whether it must set the control lines that the recorded one set.
        start: the entry to begin with; see `reopened`.

    Attributes:
        unheard: what the host wrote after the end of the recording (the first bytes of it).
        diverged: where host and recording parted, if they did.
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
    ) -> None:
        self.recording = recording
        self.clock = clock
        self.name = name or f"replay://{recording.path}"
        self.unheard = bytearray()
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
        """How many entries of the recording were played to their end."""
        return self._playback.position

    @property
    def under_way(self) -> Entry | None:
        """The entry that comes next, or of which the host has written a part; None at the end."""
        return self._playback.now_at()

    @property
    def finished(self) -> bool:
        """Whether all of the recording was played."""
        return self._playback.now_at() is None

    @property
    def is_lost(self) -> bool:
        """Whether the recorded port was lost here."""
        return self._playback.lost is not None

    def next_due(self) -> float:
        """When the next entry plays by itself; infinite if it waits for the host, or there is none."""
        return self._playback.next_due()

    def read(self, timeout_s: float) -> bytes:
        """Return what is due, at least one byte; ``b""`` if nothing was in ``timeout_s``.

        Raises:
            LinkLost: it is closed, or the recorded port was lost here.
            ReplayDiverged: host and recording have parted before.
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
        """Say what the recorded host said; no time passes. Cuts do not matter.

        Raises:
            LinkLost: it is closed, or the recorded port was lost here.
            ReplayDiverged: the recorded host said something else.
        """
        self._check()
        rest = bytes(data)
        while rest:
            entry = self._next_written(rest)
            if entry is None:
                self.unheard += rest[: max(0, _KEPT - len(self.unheard))]
                return
            taken = self._playback.take(entry, rest, self.clock.monotonic())
            if taken is None:
                raise self._parted_within(entry, rest)
            rest = rest[taken:]

    def set_baud(self, baud: int) -> None:
        """Go to another rate, as the recorded host did.

        Raises:
            LinkLost: it is closed, or the recorded port was lost here.
            ReplayDiverged: the recorded host did not, at this point.
        """
        self._check()
        play = self._playback
        next_deed: Entry | None = None
        for place, entry in play.ahead() if play.rates else ():
            if isinstance(entry, Fault):
                self._fail_as(place, entry)
            if isinstance(entry, BaudChange) and entry.baud == baud:
                play.skip_to(place + 1, self.clock.monotonic())
                play.baud = baud
                return
            next_deed = next_deed or entry
            if not isinstance(entry, BaudChange):
                break
        if baud != play.baud and next_deed is not None and not isinstance(next_deed, Closed | Opened):
            raise self._parted(next_deed, str(BaudChange(0, 0.0, baud)))
        play.baud = baud

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Set the control lines, as the recorded host did.

        Raises:
            LineUnavailable: the recorded port had none.
            LinkLost: it is closed, or the recorded port was lost here.
            ReplayDiverged: the recorded host did not set them, at this point.
        """
        self._check()
        play = self._playback
        for place, entry in play.ahead() if play.lines else ():
            if isinstance(entry, Fault):
                self._fail_as(place, entry)
            if isinstance(entry, LinesSet) and (entry.dtr, entry.rts) == (dtr, rts):
                play.skip_to(place + 1, self.clock.monotonic())
                return
            if not (isinstance(entry, BaudChange) and entry.baud == play.baud):
                if isinstance(entry, Closed | Opened):
                    return
                raise self._parted(entry, str(LinesSet(0, 0.0, dtr, rts)))

    def close(self) -> None:
        """Close the link; where the recorded host did nothing more, either, all was played."""
        if not self._closed:
            self._closed = True
            play, now = self._playback, self.clock.monotonic()
            play.play(now + _ROUNDED_S)
            place, entry = next(play.ahead(), (len(play.entries), None))
            if entry is None or isinstance(entry, Closed):
                play.skip_to(min(place + 1, len(play.entries)), now)

    def reopened(self, baud: int) -> "ReplayLink":
        """The link after the adapter came back, where the recorded host opened its port again.

        Raises:
            LinkLost: it did not.
        """
        self.close()
        if not isinstance(self._playback.now_at(), Opened):
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
        )

    # -- where host and recording meet, or part ----------------------------------------------------

    def _next_written(self, data: bytes) -> Traffic | None:
        """What the recorded host wrote next; None at the end of the recording."""
        play, now = self._playback, self.clock.monotonic()
        rate: BaudChange | None = None
        for place, entry in play.ahead():
            if isinstance(entry, Traffic):
                if play.rates and (rate.baud if rate else play.recorded_baud) != play.baud:
                    raise self._parted(rate or self._last_rate(), f"! baud {play.baud}, then {_said(data)}")
                play.skip_to(place, now)
                return entry
            if isinstance(entry, BaudChange):
                rate = entry
            elif isinstance(entry, LinesSet) and play.lines:
                raise self._parted(entry, _said(data))
            elif isinstance(entry, Fault) and entry.code == LinkLost.code:
                self._fail_as(place, entry)
            elif isinstance(entry, Closed | Opened):
                return None
        return None

    def _last_rate(self) -> Entry:
        before = self._playback.entries[: self.position]
        return next(entry for entry in reversed(before) if isinstance(entry, BaudChange))

    def _fail_as(self, place: int, fault: Fault) -> None:
        """Fail as the recorded call did."""
        self._playback.skip_to(place + 1, self.clock.monotonic())
        self._check_lost()
        kind = LineUnavailable if fault.code == LineUnavailable.code else LinkError
        raise kind(f"{self.name}: {fault.message}")

    def _parted_within(self, entry: Traffic, data: bytes) -> ReplayDiverged:
        """They part in the middle of a line: shown from a little before that place."""
        offset = self._playback.offset
        wanted = self._playback.wanted(entry, data)
        place = offset + next(at for at, byte in enumerate(wanted) if byte != data[at])
        first = max(0, place - _LEAD) if place > _SHOWN - _LEAD else 0
        last = min(first + _SHOWN, len(entry.data))
        hidden = [
            (max(a, first) - first, min(b, last) - first) for a, b in entry.hidden if b > first and a < last
        ]
        dots = "…" if first else ""
        host = entry.data[:offset] + data
        return self._parted(
            entry,
            f"> {dots}{escape(host[first : first + _SHOWN])}",
            expected=f"> {dots}{escape(entry.data[first:last], hidden)}",
        )

    def _parted(self, entry: Entry, got: str, *, expected: str | None = None) -> ReplayDiverged:
        """The error that says where they part; every later use of the link raises it, too."""
        expected = expected or _short(entry)
        place = self._playback.entries.index(entry)
        before = self._playback.entries[max(0, place - _BEFORE) : place]
        self.diverged = ReplayDiverged(
            f"{self.recording.path}, line {entry.line} (at {entry.time_s:.3f} s): "
            f"the recording goes on with `{expected}`, the host with `{got}`",
            line=entry.line,
            expected=expected,
            got=got,
            tried=tuple(f"{one.time_s:.3f} {_short(one)}" for one in before),
        )
        return self.diverged

    def _check(self) -> None:
        self._check_open()
        self._check_lost()

    def _check_open(self) -> None:
        if self._closed:
            raise LinkLost(f"{self.name} is closed", hint="Open it again: it begins anew.")
        if self.diverged is not None:
            raise self.diverged

    def _check_lost(self) -> None:
        if self._playback.lost is not None:
            raise LinkLost(
                f"{self.name}: the recorded port was lost here: {self._playback.lost.message}",
                hint="This is what was recorded; it is no fault of this machine.",
            )


def _said(data: bytes) -> str:
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
        url: which recording.
        baud: the host's rate.
        clock: the time to live in; without it the one that the URL's ``speed`` asks for.

    Raises:
        UsageError: the URL is wrong.
        ConfigError: the file is missing or no transcript.
    """
    path, _, query = url.partition("://")[2].partition("?")
    if not path:
        raise UsageError(f"{url!r} names no file", hint="Write replay://FILE, or replay:///FOLDER/FILE.")
    speed = "max"
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key != "speed" or not is_speed(value):
            raise UsageError(
                f"replay:// option {key}={value!r} is not known",
                hint="Known: speed=max, speed=real, speed=N. Write a ? in a file's name as %3F.",
            )
        speed = value
    return ReplayLink(read_recording(Path(unquote(path))), clock or clock_at(speed), baud=baud, name=url)
