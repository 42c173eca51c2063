"""The session: a link, an exchange and a clock make commands and responses.

One command is in flight at a time::

    -> AT+CSQ         in flight, until its final result, the time limit, a boot banner or a lost port
    <- +CSQ: 18,99    information
    <- +CEREG: 1      unsolicited: kept for `Session.take_urcs`
    <- OK             the final result: a `Response`

A command whose time limit has passed is *outstanding*: sent, and its final result has not come (`Exchange`
calls this its debt). Its result may come at any time, and must not be taken for the next command's. So
before the next command goes out, `Session.settle` listens for half a second, and then sends probes
(`atota.module.fences`), until nothing is outstanding. Input is never flushed: late lines are recognised.

A wait looks at the bytes first and at the time then: a final result that is in the buffer at the deadline
counts. Every wait passes `Session.read_events`, which looks at the stop token.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import Self

from atota.at.events import BootDone, Done, Event, Garbage, Information, StaleResponse, Urc, view
from atota.at.exchange import Exchange
from atota.at.syntax import Command
from atota.clock import Clock, Deadline, StopToken, require_time
from atota.dialects import loader
from atota.dialects.model import Dialect
from atota.errors import LinkLost, ModuleRebooted, NoAnswer
from atota.link.base import Link
from atota.link.open import open_link
from atota.module.fences import settle_by_probes
from atota.module.response import Response, is_result, line_of, quoted, short

DEFAULT_TIMEOUT_S = 5.0
"""V.250 and 27.007 give no limit; modules answer queries within 300 ms by their manuals: ample."""
_GRACE_S = 0.5
"""How long the line may still bring a late result before anything is asked."""
_PROBE_S = 1.5
_BOOT_LIMIT_S = 60.0
"""A banner that goes on for longer than this is reported as it is."""
_KEPT_URCS = 1000


class Session:
    """A conversation on a link, in a dialect.

    Args:
        link: the open link, and the clock that it lives by; closed only by the context manager.
        dialect: how the module talks; `use_dialect` changes it once it is known.
        stop: looked at by every wait.
        listener: gets every event as it happens (for logs and ``--json``).

    Attributes:
        limit: the deadline of the whole job, looked at by every wait.
        boots: the number of complete boot banners so far.
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
        self.longest_silence_s = 0.0  # of a module that had a command to answer
        self.exchange = Exchange(dialect.syntax)
        self._urcs: deque[str] = deque(maxlen=_KEPT_URCS)
        self._abandoned: set[str] = set()  # the commands abandoned since nothing was outstanding
        self._quiet_since = self.clock.monotonic()
        self._free_at = self._sent_at = 0.0

    @property
    def clock(self) -> Clock:
        """The time in which the link lives."""
        return self.link.clock

    @property
    def booting(self) -> bool:
        """True if a boot banner has begun and not ended."""
        return self.exchange.booting

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the link."""
        self.link.close()

    def use_dialect(self, dialect: Dialect) -> None:
        """Continue in another dialect. The conversation must be idle."""
        echo, self.dialect = self.exchange.echo, dialect
        self.exchange = Exchange(dialect.syntax)
        self.exchange.echo = echo

    def reset_state(self) -> None:
        """Discard the state of the conversation: after a change of rate nothing half received is usable."""
        self.exchange = Exchange(self.dialect.syntax)
        self._abandoned.clear()

    def replace_link(self, link: Link) -> None:
        """Continue on another link to the same module; close the old one."""
        self.link.close()
        self.link = link
        self.reset_state()

    def set_baud(self, baud: int) -> None:
        """Change the host's rate to ``baud`` bit/s; a half received line is lost."""
        self.link.set_baud(baud)
        self.reset_state()

    def take_urcs(self) -> list[str]:
        """Return the unsolicited lines since the last call, in order, as text (the newest thousand).

        Raises:
            LinkLost: the port went away, and all lines that came before were returned.
        """
        try:
            self.read_events(0.0)
        except LinkLost:
            if not self._urcs:
                raise
        return self.drain_urcs()

    def drain_urcs(self) -> list[str]:
        """Return the unsolicited lines of the bytes that were read so far, as `take_urcs` does; read none."""
        urcs = list(self._urcs)
        self._urcs.clear()
        return urcs

    def command(
        self, command: str | Command, *, timeout_s: float = DEFAULT_TIMEOUT_S, first_s: float | None = None
    ) -> Response:
        """Send a command and wait for its final result, good or bad.

        Args:
            command: the line without its terminator, or a `Command` that says what may come back.
            timeout_s: limit in seconds for the final result, counted from when the line has left the wire.
            first_s: limit for the first byte of the response, if shorter.

        Raises:
            NoAnswer: silence.
            ModuleRebooted: a boot banner came instead.
            Desynchronised: an earlier command is outstanding and cannot be settled.
            LinkLost: the port went away.
            Interrupted: the stop token was set.
        """
        self.settle()
        line = Command.of(command) if isinstance(command, str) else command
        try:
            return self._await_response(line, timeout_s, first_s)
        finally:
            self.abandon()

    def check(self) -> None:
        """Raise if the user or the job's time limit wants the end.

        Raises:
            Interrupted: the stop token is set.
            JobTimeout: the limit has passed.
        """
        require_time(self.stop, self.limit)

    def listen(self, seconds: float, until: Callable[[], bool] | None = None) -> None:
        """Read for ``seconds``, or until ``until`` returns True."""
        deadline = Deadline(self.clock, seconds)
        while until is None or not until():
            self.read_events(self._slice(deadline))
            if deadline.expired:
                return

    def reads(self, deadline: Deadline) -> Iterator[list[Event]]:
        """Yield the events of each read. Bytes first, then time: the last read is at the deadline."""
        is_over = False
        while not is_over:
            is_over = deadline.expired
            yield self.read_events(0.0 if is_over else self._slice(deadline))

    def until(self, deadline: Deadline) -> Iterator[Event]:
        """Yield events as they come, until ``deadline``."""
        for events in self.reads(deadline):
            yield from events

    def await_boot(self, seconds: float, tick: Callable[[], None] = lambda: None) -> bool:
        """Wait for a boot banner to begin and end. Return False if none began in time.

        A banner that has begun is waited out; meanwhile ``tick`` is called at least once a second.
        """
        boots = self.boots
        self.listen(seconds, until=lambda: self.boots > boots or self.booting)
        if self.booting:
            self._wait_out_boot(tick)
        return self.boots > boots

    def raise_if_rebooted(self, boots: int, subject: str) -> None:
        """Raise if a boot banner has come since ``boots`` was counted; a begun one is waited out first.

        Raises:
            ModuleRebooted: it has, during ``subject``.
        """
        if self.booting or self.boots > boots:
            self._wait_out_boot()
            cause = self.last_boot_cause
            message = f"the module rebooted during {short(subject)} (cause: {cause or 'not given'})"
            raise ModuleRebooted(message, cause=cause)

    def is_alive(self, timeout_s: float) -> bool:
        """True if a final result follows ``AT`` at this rate in time. Outstanding commands remain so."""
        try:
            self._await_pause()
            self.send(Command.of("AT"))
            deadline = Deadline(self.clock, timeout_s + self.wire_s(3))
            while True:
                received = self.received_bytes
                for event in self.read_events(self._slice(deadline)):
                    if is_result(event):
                        return True
                    if isinstance(event, BootDone):
                        return False  # a module that just came up has not received the AT
                # A response that is on its way when the time is over is waited for.
                if deadline.expired and self.received_bytes == received:
                    return False
        finally:
            self.abandon()

    def _await_response(self, command: Command, timeout_s: float, first_s: float | None) -> Response:
        boots, garbage, received = self.boots, self.garbage_bytes, self.received_bytes
        wire_s = self.wire_s(len(command.text) + 1)
        self.send(command)
        total = Deadline(self.clock, timeout_s + wire_s)
        first = Deadline(self.clock, None if first_s is None else first_s + wire_s)
        lines: list[str] = []
        while True:
            # Bytes first, then time: one more read at the deadline, which takes what is there by then.
            is_mute = first.expired and self.received_bytes == received
            wait_s = 0.0 if is_mute else self._slice(total)
            for event in self.read_events(min(wait_s, first.remaining or wait_s)):
                if isinstance(event, Done):
                    return Response.of(command.text, event)
                lines += [line] if (line := line_of(event)) is not None else []
            # The final result wins over a banner behind it: the command was carried out.
            self.raise_if_rebooted(boots, command.text)
            if wait_s <= 0.0:
                raise self._no_answer(command.text, timeout_s, self.garbage_bytes - garbage, lines)

    def abandon(self) -> None:
        """Stop waiting for the command in flight, if there is one: it is outstanding from now on."""
        command = self.exchange.in_flight
        if command is not None:
            self._abandoned.add(command.text)
        self.exchange.abandon()

    def send(self, command: Command) -> None:
        """Send a command without waiting; call `settle` before it, and `until` for its events."""
        self._sent_at = self.clock.monotonic()
        self.link.write(self.exchange.send(command))

    def _await_pause(self) -> None:
        """Read during the pause that the dialect demands between a final result and the next command."""
        while True:
            self.read_events(min(max(self._free_at - self.clock.monotonic(), 0.0), self.clock.slice_s))
            if self.clock.monotonic() >= self._free_at:
                return

    def wire_s(self, count: int) -> float:
        """Return the seconds that ``count`` bytes take on the wire."""
        return count * 10 / self.link.baud  # 8N1: ten bits a byte

    def _slice(self, deadline: Deadline) -> float:
        return min(deadline.remaining, self.clock.slice_s)

    def read_events(self, timeout_s: float) -> list[Event]:
        """Read once, for at most ``timeout_s``, and return the events. It calls `check` first."""
        self.check()
        data = self.link.read(timeout_s)
        if not data:
            return []
        now = self.clock.monotonic()
        if self.exchange.in_flight is not None:
            silent_since = max(self._quiet_since, self._sent_at)
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

    def _no_answer(self, text: str, timeout_s: float, garbage: int, lines: list[str]) -> NoAnswer:
        noise = f", but {garbage} bytes of noise (another baud rate?)" if garbage else ""
        half_line = f", but half a line: {view(half[:60])!r}" if (half := self.exchange.pending) else ""
        tried = (f"{short(text)}: {quoted(lines)}",) if lines else ()
        return NoAnswer(f"{short(text)} got no answer within {timeout_s:g} s{noise}{half_line}", tried=tried)

    def _wait_out_boot(self, tick: Callable[[], None] = lambda: None) -> None:
        """Wait for the end of a banner: its own OK, or silence."""
        boot = self.dialect.grammar.boot
        quiet_s = boot.quiet_s if boot is not None else 0.0
        deadline = Deadline(self.clock, _BOOT_LIMIT_S)
        while self.exchange.booting:
            self.read_events(min(self._slice(deadline), quiet_s or 0.1, 1.0))
            tick()
            is_over = deadline.expired or self.clock.monotonic() - self._quiet_since >= quiet_s
            if self.exchange.booting and is_over:
                for event in self.exchange.boot_over():
                    self._note(event)

    def settle(self) -> None:
        """Wait or probe until nothing is outstanding, so that no response is given to the wrong command.

        Raises what `atota.module.fences.settle_by_probes` does.
        """
        self._await_pause()
        if self.exchange.outstanding:
            self.listen(_GRACE_S, until=lambda: not self.exchange.outstanding)
            if self.exchange.outstanding:
                settle_by_probes(self._probe, lambda: not self.exchange.outstanding, self._abandoned)
            self._await_pause()
        self._abandoned.clear()
        if self.exchange.booting:
            self._wait_out_boot()

    def _probe(self, text: str, mark: re.Pattern[bytes] | None) -> bool:
        """Send a harmless command while results are outstanding. Return True if any result came."""
        is_answered = is_marked = is_proven = False
        try:
            self._await_pause()
            self.send(Command.of(text))
            for events in self.reads(Deadline(self.clock, _PROBE_S + self.wire_s(len(text)))):
                for event in events:
                    if mark and isinstance(event, StaleResponse | Information) and mark.match(event.raw):
                        is_marked = True
                    elif is_result(event):
                        is_answered = True
                        is_proven = is_proven or is_marked or isinstance(event, Done)
                if is_proven or self.exchange.booting:
                    break
            return is_answered
        finally:
            self.abandon()
            if is_proven:
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
    """Open a port and talk to the module on it, with no assumption but the dialect.

    Args:
        port: a device name or a URL: ``/dev/ttyUSB0``, ``COM3``, ``socket://…``, ``sim://BC28``…
        dialect: a built-in dialect's name, or a profile's file.
        baud: bit/s; the dialect's first rate if not given.
        clock: the time to live in, for simulated ports.
        stop: looked at by every wait.
        listener: gets every event of the conversation.

    Raises:
        LinkError: the port can't be opened.
        UsageError: the dialect is unknown.
    """
    profile = loader.load(dialect)
    rate = baud or profile.uart.bauds[0]
    return Session(open_link(port, baud=rate, clock=clock), profile, stop=stop, listener=listener)
