"""The exchange: one command in flight, and the lines that come told apart.

No clock, no port and no vendor's name may appear in this file. Time is the caller's: at a deadline it calls
`abandon`, and after a silence `forgive` or `boot_over`.

The states of a command::

    send --> in flight --final result--> done (`Done`);  a boot banner settles everything
                 `--abandon--> outstanding --its final result (`StaleResponse`), forgive--> settled

An *outstanding* command was sent, and its final result has not come; it *owes* its result, and is called a
*debt* here. While there is a debt, final results settle the oldest one first, and no line is given to a
younger command::

    -> AT+COPS?      in flight; the deadline passes: `abandon`
    -> AT            in flight
    <- +COPS: 0      StaleResponse: the first command's information
    <- OK            StaleResponse: its final result; nothing is outstanding any more
    <- OK            Done: the result of AT

*The order of classification is the law of this file*: boot banner, the due lines of a URC, echo, the
command's own finals, the dialect's, the global ones (whole lines, known by the parser), the command's
information, the URC table, free text if the command takes any, unknown URC.

*The echo* is evidence, not a fence: lines before it never belong to the response, lines after it only if
nothing is outstanding. A module that echoes may still leave one out. So lines that come while the echo is due
are held, until the echo shows that they stood before the response, or the final result that they are in it.
"""

from collections import deque

from atota.at.boot import Banner
from atota.at.echo import DueEcho
from atota.at.events import (
    Boot,
    BootDone,
    Data,
    Done,
    Echo,
    Event,
    Final,
    Garbage,
    Information,
    Line,
    ParserEvent,
    Prompt,
    StaleResponse,
    Urc,
)
from atota.at.flight import Flight, final_by, finals_by_command, is_foreign
from atota.at.parser import Parser
from atota.at.syntax import PLAIN, Command, Syntax
from atota.at.urcs import UrcReader


class Exchange:
    """The state of one conversation. `send` one command, `receive` bytes, get events.

    Attributes:
        echo: True if the module echoes commands; None if that is not known yet.
        booting: a boot banner has begun and not ended.
    """

    def __init__(self, syntax: Syntax = PLAIN) -> None:
        self.echo: bool | None = None
        self.booting = False
        self._syntax = syntax
        self._ignored = syntax.ignored
        self._parser = Parser(syntax)
        self._urcs = UrcReader(syntax.urcs)
        self._finals = finals_by_command(syntax.finals)
        self._banner = Banner(syntax.boot)
        self._is_of_boot = self._banner.match
        self._flight: Flight | None = None
        self._debts: deque[Flight] = deque()
        self._due = DueEcho()
        self._held: list[bytes] = []  # lines before the due echo: their owner is not known yet
        self._information: list[bytes] = []
        self._dropped = 0
        self._ready: list[Event] = []  # events of calls other than `receive`, which returns them

    @property
    def in_flight(self) -> Command | None:
        """The command that waits for its final result."""
        return None if self._flight is None else self._flight.command

    @property
    def outstanding(self) -> int:
        """The number of commands that were abandoned, and whose final result has not come."""
        return len(self._debts)

    @property
    def pending(self) -> bytes:
        """The bytes that are in no event yet: a line, or a data block, that has not ended."""
        return self._parser.pending

    def send(self, command: Command) -> bytes:
        """Begin an exchange; return the bytes to write.

        Raises:
            RuntimeError: a command is in flight already (a bug of the caller).
            ValueError: the text holds a line end, so that it would be more than one command.
        """
        if self._flight is not None:
            raise RuntimeError(f"{self._flight.command.text!r} is still in flight")
        flight = self._finals.flight(command)
        text = flight.text
        if b"\r" in text or b"\n" in text:
            raise ValueError(f"{command.text!r} is more than one line")
        if command.answers:
            self._flight = flight
            if flight.hinted and not self._debts:
                self._hint()
        self._due.begin(text, is_mid_line=self._parser.mark(), repeats=command.answers and not flight.name)
        return text + self._syntax.terminator

    def expect_data(self, count: int) -> None:
        """Take the next ``count`` bytes as data, whatever they hold."""
        self._parser.expect_data(count)

    def expect_prompt(self, prompt: bytes) -> None:
        """Expect ``prompt`` once more, at the beginning of a line: an upload's acknowledgement."""
        self._parser.expect_prompt(prompt)

    def abandon(self) -> None:
        """Stop waiting for the command in flight: it is outstanding from now on.

        Its prompt and its counted data are recognised as long as it is.
        """
        if self._flight is not None:
            self._debts.append(self._flight)
            self._forget_flight()
            self._release_held(self._ready)

    def forgive(self) -> None:
        """Drop every debt: the line was quiet, or a later response proved that no earlier one will come."""
        if not self._debts:
            return
        # A half received data block is read as lines now, while these can only be stale.
        flight, self._flight, booted = self._flight, None, self.booting
        self._parser.hint()
        for event in self._parser.receive(b""):
            self._take(event, self._ready)
        self._debts.clear()
        if self.booting == booted:
            self._flight = flight
            self._hint()

    def boot_over(self) -> list[Event]:
        """End the banner: it has been quiet for long enough to be complete."""
        return [self._end_boot()] if self.booting else []

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes as they come; return their events."""
        events, self._ready = self._ready, []
        if self._ignored:
            data = data.translate(None, self._ignored)
        parser = self._parser
        if parser.hinted or self._debts:
            data = self._receive_by_line(data, events)
        for event in parser.receive(data):
            kind = type(event)
            if kind is Line:
                self._on_line(event, events)  # type: ignore[arg-type]
            elif kind is Final:
                self._on_final(event, events)  # type: ignore[arg-type]
            else:
                self._on_other(event, events)  # type: ignore[arg-type]
        return events

    def _receive_by_line(self, data: bytes, events: list[Event]) -> bytes:
        """Take one line at a time as long as a line may change the hints; return the rest."""
        parser, start = self._parser, 0
        taken: list[ParserEvent] = []
        while parser.hinted or self._debts:
            data, start = parser.put_back(data, start)
            if start >= len(data):
                break
            start = parser.step(data, start, taken)
            for event in taken:
                self._take(event, events)
            taken.clear()
        return data[start:]

    def _take(self, event: ParserEvent, events: list[Event]) -> None:
        if isinstance(event, Line):
            self._on_line(event, events)
        elif isinstance(event, Final):
            self._on_final(event, events)
        else:
            self._on_other(event, events)

    def _hint(self) -> None:
        """Give the parser the hints of the command whose response is due."""
        owner = self._debts[0] if self._debts else self._flight
        if owner is not None and owner.hinted:
            command = owner.command
            prompt = command.prompt.encode() if command.prompt else None
            self._parser.hint(prompt=prompt, raw=command.raw, multiline=command.multiline)
        elif self._parser.hinted:
            self._parser.hint()

    def _forget_flight(self) -> None:
        self._flight = None
        self._due.end()
        self._information = []
        self._dropped = 0

    def _on_other(self, event: Prompt | Data | Garbage, events: list[Event]) -> None:
        if isinstance(event, Garbage):
            if len(self._due.text) > 1 and event.raw.endswith(self._due.text):
                self._on_echo(event.raw, events)
            else:
                events.append(event)
        elif self._debts:
            events.append(StaleResponse(event.raw))
        else:
            # Only the command's own answer raises these: what was held back was its beginning.
            self._no_echo(events)
            events.append(event)

    def _on_line(self, line: Line, events: list[Event]) -> None:
        raw = line.raw
        if self._is_of_boot is not None and self._is_of_boot(raw):
            self._on_boot(raw, events)
            return
        if self._urcs.waiting:
            self._urcs.go_on(raw, events)
            return
        if self._due.is_live and self._take_echo(line, events):
            return
        owner = self._debts[0] if self._debts else self._flight
        if owner is None:
            self._on_idle_line(raw, events)
            return
        rule = owner.finals.find(raw) if owner.finals.any else None
        if rule is not None:
            self._on_final(final_by(rule, raw), events)
        elif self._debts:
            self._on_stale_line(raw, events)
        elif self._due.text and self.echo:
            self._hold(raw, events)
        else:
            self._on_response_line(owner, raw, events)

    def _on_response_line(self, flight: Flight, raw: bytes, events: list[Event]) -> None:
        """Classify a line while a command is in flight and nothing is outstanding: information or URC."""
        if flight.owns(raw) and not self._urcs.is_unsolicited(raw):
            self._inform(raw, events)
        elif self._urcs.take(raw, events):
            return
        elif flight.takes(raw) and raw not in self._finals.elsewhere:
            self._inform(raw, events)
        else:
            events.append(Urc(raw, known=False))

    def _on_stale_line(self, raw: bytes, events: list[Event]) -> None:
        """Classify a line while results are outstanding: it belongs to no response that is waited for."""
        owners = (*self._debts, self._flight) if self._flight is not None else self._debts
        if any(owner.owns(raw) for owner in owners) and not self._urcs.is_unsolicited(raw):
            events.append(StaleResponse(raw))
        elif not self._urcs.take(raw, events):
            is_alien = is_foreign(raw) and not any(owner.takes(raw) for owner in owners)
            events.append(Urc(raw, known=False) if is_alien else StaleResponse(raw))

    def _on_idle_line(self, raw: bytes, events: list[Event]) -> None:
        if not self._urcs.take(raw, events):
            events.append(Boot(raw) if self.booting else Urc(raw, known=False))

    def _inform(self, raw: bytes, events: list[Event]) -> None:
        if len(self._information) < self._syntax.information_limit:
            self._information.append(raw)
        else:
            self._dropped += 1
        events.append(Information(raw))

    def _take_echo(self, line: Line, events: list[Event]) -> bool:
        """Take a line that is the echo that is due, or a piece of it. Return True if it was taken."""
        due, raw, late = self._due, line.raw, [debt.text for debt in self._debts]
        may_be_damaged = self.echo is not False and raw not in late
        if due.is_last(raw, line.headed, may_be_damaged=may_be_damaged):
            if line.headed or not due.text.startswith(raw) or raw == due.text:
                self._on_echo(raw, events)
                return True
        elif due.is_repeated(raw):
            events.append(Echo(raw))
            return True
        if not due.text or self.echo is False:
            return False
        if due.take_piece(raw, line.headed, late):
            self.echo = True
            events.append(Echo(raw, damaged=True))
            return True
        # A URC without a line end before it may have torn the echo.
        cuts = () if line.headed else due.ends_in(raw)
        cut = next((at for at in cuts if self._urcs.is_known(raw[at:])), 0)
        if cut and due.take_piece(raw[:cut], headed=False, late=late):
            self.echo = True
            events.append(Echo(raw[:cut], damaged=True))
            self._on_line(Line(raw[cut:]), events)
        return cut > 0

    def _on_echo(self, raw: bytes, events: list[Event]) -> None:
        damaged = raw != self._due.text
        self._due.complete()
        self.echo = True
        if self._held:
            self._release_held(events)
            self._urcs.cut(events)
        events.append(Echo(raw, damaged))

    def _hold(self, raw: bytes, events: list[Event]) -> None:
        """Hold a line until the echo shows that it stood before the response, or a result that it is in."""
        self._held.append(raw)
        if len(self._held) >= self._syntax.information_limit:
            self._no_echo(events)

    def _no_echo(self, events: list[Event]) -> None:
        """Conclude that the response came without the echo: the held lines belong to it after all."""
        if self._due.text:
            self.echo = bool(self._due.rest)
            self._due.complete()
            self._release_held(events, self._flight)

    def _release_held(self, events: list[Event], owner: Flight | None = None) -> None:
        """Classify the held lines: as the response to ``owner``, or as lines that belong to no response."""
        held, self._held = self._held, []
        for raw in held:
            if self._urcs.waiting:
                self._urcs.go_on(raw, events)
            elif owner is not None:
                self._on_response_line(owner, raw, events)
            elif self._debts:
                self._on_stale_line(raw, events)
            else:
                self._on_idle_line(raw, events)

    def _on_final(self, final: Final, events: list[Event]) -> None:
        self._urcs.cut(events)
        if self.booting and self._is_of_banner(final, events):
            return
        owner = self._debts[0] if self._debts else self._flight
        if owner is None:
            events.append(StaleResponse(final.raw, result=True))
        elif owner.finals.never and final.raw.rstrip(b" ") in owner.finals.never:
            self._on_interim(final.raw, events)
        elif self._debts:
            self._debts.popleft()
            events.append(StaleResponse(final.raw, result=True))
            self._hint()
        else:
            self._finish(owner, final, events)

    def _on_interim(self, raw: bytes, events: list[Event]) -> None:
        """Classify a result that does not end this command."""
        if self._debts:
            events.append(StaleResponse(raw))
        elif self._due.text and self.echo:
            self._hold(raw, events)
        else:
            self._inform(raw, events)

    def _finish(self, flight: Flight, final: Final, events: list[Event]) -> None:
        if self._due.text:
            self._no_echo(events)
            self._urcs.cut(events)
        if flight.name == "E" and final.ok:
            self.echo = flight.text[3:4] == b"1"  # V.250 6.2.4: ATE alone is ATE0
        done = Done(final, tuple(self._information), self._dropped)
        self._forget_flight()
        if flight.hinted:
            self._hint()
        events.append(done)

    def _on_boot(self, raw: bytes, events: list[Event]) -> None:
        self._urcs.cut(events)
        if not self.booting:
            self._release_held(events)
            self._urcs.cut(events)
            self.booting = True
            self._debts.clear()
            self.echo = None
            self._forget_flight()
            self._hint()
        events.append(self._banner.take(raw))

    def _is_of_banner(self, final: Final, events: list[Event]) -> bool:
        """True if a result that comes while the module boots is the banner's own; else the banner is over."""
        if not self._banner.ends_with_ok and self._flight is not None:
            events.append(self._end_boot())
            return False
        events.append(Boot(final.raw))
        if self._banner.is_last(final):
            events.append(self._end_boot())
        return True

    def _end_boot(self) -> BootDone:
        self.booting = False
        return self._banner.end()
