"""Commands and replies: pumps a link through an exchange, with a clock.

One command at a time. A command that got no answer in time still owes one; before the next command goes
out the debt is paid (`settle`): first a quiet time in which the late result may come, then a probe whose
results are counted, then a question whose answer cannot be mistaken for any other's. Input is never
flushed: what comes late is recognised as late.
"""

import re
from collections import deque
from collections.abc import Callable
from typing import Self

import msgspec

from atota.at.events import BootDone, Done, Event, Final, Garbage, Information, Late, Urc, view
from atota.at.exchange import Exchange
from atota.at.syntax import Command
from atota.clock import Clock, Deadline, StopToken
from atota.dialects import loader
from atota.dialects.model import Dialect
from atota.errors import Desynchronised, Interrupted, JobTimeout, LinkLost, ModuleRebooted, NoAnswer
from atota.link.base import Link
from atota.link.open import open_link
from atota.module.evidence import is_result, short, usable_fences

DEFAULT_TIMEOUT_S = 5.0
"""V.250 and 27.007 give no limit; modules answer queries within 300 ms by their manuals: ample."""
_GRACE_S = 0.5
"""How long the line may still bring a late result before anything is asked."""
_PROBE_S = 1.5
_BOOT_LIMIT_S = 60.0
"""A banner that goes on for longer than this is reported as it is."""
_KEPT_URCS = 1000


class Reply(msgspec.Struct, frozen=True):
    """What a command was answered: ``lines`` of information as text, and the final result.

    A refusal is a value: ``ok`` is False for ``ERROR`` and ``+CME ERROR: 50``.
    """

    command: str
    lines: tuple[str, ...]
    final: Final

    @property
    def ok(self) -> bool:
        """Whether the final result is a good one."""
        return self.final.ok


class Session:
    """A conversation on a link, in a dialect.

    Args:
        link: the open link; the session does not close it unless used as a context manager.
        dialect: how the module talks; may be changed with `speak` once it is known.
        stop: looked at by every wait.
        listener: gets every event as it happens (for logs and ``--json``).
    """

    def __init__(
        self,
        link: Link,
        dialect: Dialect,
        *,
        stop: StopToken | None = None,
        listener: Callable[[Event], None] | None = None,
    ) -> None:
        self.link = link
        self.dialect = dialect
        self.stop = stop or StopToken()
        self.listener = listener
        self.limit: Deadline | None = None
        self.received_bytes = 0
        self.garbage_bytes = 0
        self.boots = 0
        self.last_boot_cause: str | None = None
        self.exchange = Exchange(dialect.syntax)
        self._urcs: deque[str] = deque(maxlen=_KEPT_URCS)
        self._unpaid: set[str] = set()  # texts of the commands given up since nothing was owed
        self._quiet_since = self.clock.monotonic()
        self._free_at = self._asked_at = 0.0
        self.longest_silence_s = 0.0  # of a module that had a command to answer

    @property
    def clock(self) -> Clock:
        """The time in which the link lives."""
        return self.link.clock

    @property
    def echo(self) -> bool | None:
        """Whether the module echoes commands, as far as learned."""
        return self.exchange.echo

    @property
    def booting(self) -> bool:
        """Whether a boot banner has begun and not ended."""
        return self.exchange.booting

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the link."""
        self.link.close()

    def speak(self, dialect: Dialect) -> None:
        """Go on in another dialect. The conversation must be idle."""
        echo, self.dialect = self.exchange.echo, dialect
        self.exchange = Exchange(dialect.syntax)
        self.exchange.echo = echo

    def forget(self) -> None:
        """Begin anew: after a change of rate nothing of what was under way can be told any more."""
        self.exchange = Exchange(self.dialect.syntax)
        self._unpaid.clear()

    def relink(self, link: Link) -> None:
        """Go on with another link to the same module; the old one is closed."""
        self.link.close()
        self.link = link
        self.forget()

    def set_baud(self, baud: int) -> None:
        """Change the host's rate; what is half received at the old one is lost."""
        self.link.set_baud(baud)
        self.forget()

    def take_urcs(self) -> list[str]:
        """The unsolicited lines since the last call, in order, as text (the newest thousand).

        Raises:
            LinkLost: the port went away, and all that came before was taken.
        """
        try:
            self.take(0.0)
        except LinkLost:
            if not self._urcs:
                raise
        return self.heard_urcs()

    def heard_urcs(self) -> list[str]:
        """The same, of what was read so far; nothing is read."""
        urcs = list(self._urcs)
        self._urcs.clear()
        return urcs

    def command(
        self, command: str | Command, *, timeout_s: float = DEFAULT_TIMEOUT_S, first_s: float | None = None
    ) -> Reply:
        """Send a command and wait for its final result, good or bad.

        Args:
            command: the line without its terminator, or a `Command` that says what may come back.
            timeout_s: limit in seconds for the final result, counted from when the line has left the wire.
            first_s: limit for the first byte of the answer, if shorter.

        Raises:
            NoAnswer: silence.
            ModuleRebooted: a boot banner came instead.
            Desynchronised: an earlier command's debt could not be paid.
            LinkLost: the port went away.
            Interrupted: the stop token was set.
        """
        self.settle()
        what = Command.of(command) if isinstance(command, str) else command
        return self._exchange_one(what, timeout_s, first_s)

    def check(self) -> None:
        """Raise if the user or the job's time limit wants the end.

        Raises:
            Interrupted: the stop token is set.
            JobTimeout: the limit has passed.
        """
        if self.stop.is_set:
            raise Interrupted("stopped by the user")
        if self.limit is not None and self.limit.expired:
            raise JobTimeout("the time limit of the job is over")

    def listen(self, seconds: float, until: Callable[[], bool] | None = None) -> None:
        """Take what comes for ``seconds``, or until ``until`` says enough."""
        deadline = Deadline(self.clock, seconds)
        while until is None or not until():
            self.take(self._slice(deadline))
            if deadline.expired:
                return

    def await_boot(self, seconds: float, tick: Callable[[], None] = lambda: None) -> bool:
        """Wait for a boot banner to begin and end. False if none was seen in time; waits out a begun one.

        ``tick`` is called at least once a second while a banner goes on.
        """
        boots = self.boots
        self.listen(seconds, until=lambda: self.boots > boots or self.booting)
        if self.booting:
            self._wait_out_boot(tick)
        return self.boots > boots

    def is_alive(self, timeout_s: float) -> bool:
        """Whether anything intelligible answers ``AT`` at this rate in time; what is owed stays owed."""
        try:
            self._hear_out()
            self.begin(Command.of("AT"))
            deadline = Deadline(self.clock, timeout_s + self.wire_s(3))
            while True:
                came = self.received_bytes
                for event in self.take(self._slice(deadline)):
                    if is_result(event):
                        return True
                    if isinstance(event, BootDone):
                        return False  # a module that just came up has not heard the question
                if deadline.expired and self.received_bytes == came:
                    return False
        finally:
            self.abandon()

    def _exchange_one(self, what: Command, timeout_s: float, first_s: float | None) -> Reply:
        boots, garbage = self.boots, self.garbage_bytes
        wire_s = self.wire_s(len(what.text) + 1)
        try:
            self.begin(what)
            came = self.received_bytes
            total = Deadline(self.clock, timeout_s + wire_s)
            first = None if first_s is None else Deadline(self.clock, first_s + wire_s)
            while True:
                # Bytes first, then time: what is there when the deadline passes still counts.
                mute = first is not None and first.expired and self.received_bytes == came
                wait_s = 0.0 if mute else self._slice(total)
                over = wait_s <= 0.0
                for event in self.take(wait_s if first is None else min(wait_s, first.remaining or wait_s)):
                    if isinstance(event, Done):
                        return Reply(what.text, tuple(view(line) for line in event.lines), event.final)
                if self.exchange.booting or self.boots > boots:
                    self._rebooted(what.text)
                if over:
                    raise self._no_answer(what.text, timeout_s, self.garbage_bytes - garbage)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Give up what is in flight, if anything is: from now on it owes its result."""
        given_up = self.exchange.in_flight
        if given_up is not None:
            self._unpaid.add(given_up.text)
        self.exchange.abandon()

    def begin(self, what: Command) -> None:
        """Send a command without waiting. `settle` comes first, and then `take` until its result is there."""
        self._asked_at = self.clock.monotonic()
        self.link.write(self.exchange.send(what))

    def _hear_out(self) -> None:
        """Take what comes in the pause that the dialect wants, before the next command goes out."""
        while True:
            self.take(min(max(self._free_at - self.clock.monotonic(), 0.0), self.clock.slice_s))
            if self.clock.monotonic() >= self._free_at:
                return

    def wire_s(self, count: int) -> float:
        """How many seconds ``count`` bytes are on the wire."""
        return count * 10 / self.link.baud  # 8N1: ten bits a byte

    def _slice(self, deadline: Deadline) -> float:
        return min(deadline.remaining, self.clock.slice_s)

    def take(self, timeout_s: float) -> list[Event]:
        """One read, and what it means. Every wait passes here: the stop token is looked at."""
        self.check()
        data = self.link.read(timeout_s)
        if not data:
            return []
        now = self.clock.monotonic()
        if self.exchange.in_flight is not None:
            silent_since = max(self._quiet_since, self._asked_at)
            self.longest_silence_s = max(self.longest_silence_s, now - silent_since)
        self.received_bytes += len(data)
        self._quiet_since = now
        events = self.exchange.receive(data)
        for event in events:
            self._note(event)
        return events

    def _note(self, event: Event) -> None:
        if isinstance(event, Urc):
            self._urcs.append(event.text)
        elif is_result(event):
            self._free_at = self.clock.monotonic() + self.dialect.uart.pause_after_final_s
        elif isinstance(event, Garbage):
            self.garbage_bytes += len(event.raw)
        elif isinstance(event, BootDone):
            self.boots += 1
            self.last_boot_cause = event.cause
        if self.listener is not None:
            self.listener(event)

    def _no_answer(self, text: str, timeout_s: float, garbage: int) -> NoAnswer:
        noise = f", but {garbage} bytes of noise (another baud rate?)" if garbage else ""
        half = self.exchange.pending
        half_line = f", but half a line: {view(half[:60])!r}" if half else ""
        return NoAnswer(f"{short(text)} got no answer within {timeout_s:g} s{noise}{half_line}")

    def _rebooted(self, text: str) -> None:
        self._wait_out_boot()
        cause = self.last_boot_cause
        message = f"the module rebooted during {short(text)} (cause: {cause or 'not told'})"
        raise ModuleRebooted(message, cause=cause)

    def _wait_out_boot(self, tick: Callable[[], None] = lambda: None) -> None:
        """Let a banner come to its end: its own OK, or silence."""
        boot = self.dialect.grammar.boot
        quiet_s = boot.quiet_s if boot is not None else 0.0
        deadline = Deadline(self.clock, _BOOT_LIMIT_S)
        while self.exchange.booting:
            self.take(min(self._slice(deadline), quiet_s or 0.1, 1.0))
            tick()
            over = deadline.expired or self.clock.monotonic() - self._quiet_since >= quiet_s
            if self.exchange.booting and over:
                for event in self.exchange.boot_over():
                    self._note(event)

    def settle(self) -> None:
        """Pay what earlier commands owe, so that no answer is given to the wrong command."""
        self._hear_out()
        if self.exchange.owed:
            self.listen(_GRACE_S, until=lambda: not self.exchange.owed)
            if self.exchange.owed:
                self._pay_debts()
            self._hear_out()
        self._unpaid.clear()
        if self.exchange.booting:
            self._wait_out_boot()

    def _pay_debts(self) -> None:
        """Ask until the answers tell that nothing is owed any more."""
        tried = ["AT", "AT"]
        if not (self._probe("AT") or self._probe("AT")) and self.exchange.owed:
            raise NoAnswer("the module has stopped answering", tried=tuple(tried))
        for text, mark in usable_fences(self._unpaid):
            if not self.exchange.owed:
                return
            tried.append(text)
            self._probe(text, mark)
        if self.exchange.owed:
            message = "answers can no longer be told apart: results of earlier commands are still owed"
            raise Desynchronised(message, tried=tuple(tried))

    def _probe(self, text: str, mark: re.Pattern[bytes] | None = None) -> bool:
        """Ask something harmless while results are owed; True if any result came.

        One result for each command owed and one for the probe pays everything. A ``mark`` that only this
        command prints proves more: a module answers in order, so once it has come with its result,
        nothing earlier can come any more.
        """
        answered = marked = proven = False
        try:
            self._hear_out()
            self.begin(Command.of(text))
            deadline = Deadline(self.clock, _PROBE_S + self.wire_s(len(text)))
            while True:
                over = deadline.expired
                for event in self.take(0.0 if over else self._slice(deadline)):
                    if mark and isinstance(event, Late | Information) and mark.match(event.raw):
                        marked = True
                    elif is_result(event):
                        answered = True
                        proven = proven or marked or isinstance(event, Done)
                if proven or over or self.exchange.booting:
                    return answered
        finally:
            self.abandon()
            if proven:
                self.exchange.forgive()


def open_session(
    port: str,
    *,
    dialect: str = "3gpp",
    baud: int | None = None,
    clock: Clock | None = None,
    stop: StopToken | None = None,
    listener: Callable[[Event], None] | None = None,
) -> Session:
    """Open a port (a device name or URL) and talk to what is on it, with no assumption but the dialect.

    ``dialect``: a built-in one's name, or a profile's file; ``baud``: bit/s, else the dialect's first one.

    Raises:
        LinkError: the port can't be opened.
        UsageError: there is no such dialect.
    """
    profile = loader.load(dialect)
    rate = baud or profile.uart.bauds[0]
    return Session(open_link(port, baud=rate, clock=clock), profile, stop=stop, listener=listener)
