"""One command in flight: tells echo, information, URC, final and late lines apart.

No clock, no port and no vendor's name may appear in this file. Time is the caller's: when a deadline
passes it says `abandon`, when the line has been quiet for long enough it says `forgive` or `boot_over`.

The order of classification is the law of this file: boot banner, continuation owed, echo, the command's
own finals, the dialect's, the global ones (whole lines, told by the parser), the command's information,
the URC table, free text if the command takes any, unknown URC.

Every command written owes one final result. An abandoned command still owes it; until the debt is paid
or forgiven, finals pay the oldest debt first and no line is given to a younger command. The echo is
evidence, not a fence: lines before it are never the answer, lines after it only if nothing is owed.
"""

import re

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
    Late,
    Line,
    Prompt,
    Urc,
)
from atota.at.parser import Parser
from atota.at.syntax import PLAIN, Command, FinalRule, Syntax, command_name
from atota.at.urcs import UrcTable

_FOREIGN = re.compile(rb"[+^%#$*&!][A-Za-z0-9_]+ ?[:=]")
"""A line with the prefix of some other command: not the answer of this one."""


class _Finals:
    """The results, beyond the global ones, that may end one command; and those that never end it."""

    def __init__(self, rules: tuple[FinalRule, ...], never: tuple[str, ...], name: str = "") -> None:
        mine = [rule for rule in rules if not rule.commands or name in rule.commands]
        self._exact = {rule.text.encode(): rule for rule in mine if not rule.prefix}
        self._prefixed = tuple((rule.text.encode(), rule) for rule in mine if rule.prefix)
        self.never = frozenset(word.encode() for word in never)
        self.any = bool(mine)

    def find(self, raw: bytes) -> FinalRule | None:
        """The rule that makes ``raw`` a final result; a prefix ends at a word boundary."""
        rule = self._exact.get(raw.rstrip(b" "))
        if rule is not None:
            return rule
        for prefix, prefixed in self._prefixed:
            if raw.startswith(prefix) and not raw[len(prefix) : len(prefix) + 1].isalnum():
                return prefixed
        return None


def _final_by(rule: FinalRule, raw: bytes) -> Final:
    text = raw[len(rule.text) :].strip().decode("latin-1") if rule.prefix else ""
    code = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
    return Final(raw, rule.ok, rule.text.strip(": "), code, text)


class Exchange:
    """The state of one conversation. `send` one command, `receive` bytes, get events.

    Attributes:
        owed: how many final results abandoned commands still owe.
        echo: whether the module echoes commands, as far as learned (None: not yet known).
        booting: a boot banner has begun and not ended.
    """

    def __init__(self, syntax: Syntax = PLAIN) -> None:
        self.owed = 0
        self.echo: bool | None = None
        self.booting = False
        self._syntax = syntax
        self._parser = Parser(syntax)
        self._urcs = UrcTable(syntax.urcs)
        boot = syntax.boot
        self._boot = re.compile("|".join(f"(?:{line})" for line in boot.lines).encode()) if boot else None
        self._cause = re.compile(boot.cause.encode()) if boot and boot.cause else None
        self._boot_cause: str | None = None
        self._command: Command | None = None
        self._information: list[bytes] = []
        self._continued: tuple[Urc, int] | None = None
        self._unhint = False
        self._expected = b""
        self._echoed = False
        self._held: list[Line] = []
        self._prefixes: tuple[bytes, ...] = ()
        self._name = ""
        self._finals = _Finals((), ())
        self._finals_of: dict[str, _Finals] = {}

    def _forget_command(self) -> None:
        self._command = None
        self._echoed = False
        if self._unhint:
            self._unhint = False
            self._parser.hint()

    @property
    def in_flight(self) -> Command | None:
        """The command that waits for its final result."""
        return self._command

    @property
    def pending(self) -> bytes:
        """The bytes of a line that has not ended yet."""
        return self._parser.pending

    def send(self, command: Command) -> bytes:
        """Begin an exchange; return the bytes to write.

        Raises:
            RuntimeError: a command is in flight already (a bug of the caller).
        """
        if self._command is not None:
            raise RuntimeError(f"{self._command.text!r} is still in flight")
        text = command.text.encode("latin-1")
        self._echoed = False
        self._held = []
        self._information = []
        self._parser.mark()
        if command.prompt or command.raw or command.multiline:
            self._unhint = True
            prompt = command.prompt.encode() if command.prompt else None
            self._parser.hint(prompt=prompt, raw=command.raw, multiline=command.multiline)
        if command.answers:
            self._command = command
            self._expected = text
            self._name = command_name(command.text)
            self._prefixes = tuple([prefix.encode() for prefix in command.prefixes])
            self._finals = self._finals_for(command)
        return text + self._syntax.terminator

    def _finals_for(self, command: Command) -> "_Finals":
        """The results that may end a command besides OK and its like; those of a dialect are kept by name."""
        if command.finals or command.not_final:
            return _Finals((*command.finals, *self._syntax.finals), command.not_final, self._name)
        finals = self._finals_of.get(self._name)
        if finals is None:
            if len(self._finals_of) >= 256:
                self._finals_of.clear()
            finals = self._finals_of[self._name] = _Finals(self._syntax.finals, (), self._name)
        return finals

    def expect_echo_of(self, payload: bytes) -> None:
        """Say that a payload is being written whose echo, if any, is a line of its own."""
        self._expected = payload.rstrip(b"\r\n")
        self._echoed = False
        self.echo = None

    def abandon(self) -> None:
        """Give up waiting for the command in flight: it still owes its final result."""
        if self._command is not None:
            self.owed += 1
            self._forget_command()

    def forgive(self) -> None:
        """Let every debt go: the line has been quiet, or a later answer proved that nothing is coming."""
        self.owed = 0

    def boot_over(self) -> list[Event]:
        """Say that the banner has been quiet for long enough to be complete."""
        return [self._end_boot()] if self.booting else []

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes as they come; return what they mean."""
        events: list[Event] = []
        for event in self._parser.receive(data):
            kind = type(event)
            if kind is Line:
                self._on_line(event, events)  # type: ignore[arg-type]
            elif kind is Final:
                self._on_final(event, events)  # type: ignore[arg-type]
            else:
                self._on_other(event, events)  # type: ignore[arg-type]
        return events

    def _on_other(self, event: Prompt | Data | Garbage, events: list[Event]) -> None:
        if isinstance(event, Prompt) and self._held:
            self._release_held(events)
        events.append(event)

    def _on_line(self, line: Line, events: list[Event]) -> None:
        raw = line.raw
        if self._boot is not None and self._boot.match(raw):
            self._on_boot(raw, events)
            return
        if self._continued is not None:
            self._continue_urc(raw, events)
            return
        if self._command is None:
            self._on_idle_line(raw, events)
            return
        if not self._echoed:
            if (raw == self._expected or not line.headed) and self._is_echo(line, events):
                return
            if self.echo and self._finals.find(raw) is None:
                self._held.append(line)
                return
        rule = self._finals.find(raw) if self._finals.any else None
        if rule is not None:
            self._on_final(_final_by(rule, raw), events)
        elif not self.owed:
            self._on_answer(raw, events)
        elif not self._take_urc(raw, events):
            events.append(Late(raw))

    def _on_answer(self, raw: bytes, events: list[Event]) -> None:
        """A line while a command is in flight that owes nothing: information or URC."""
        if raw.startswith(self._prefixes) and not self._urcs.is_unsolicited(raw):
            self._inform(raw, events)
        elif self._take_urc(raw, events):
            return
        elif self._command is not None and self._command.free_text and not self._foreign(raw):
            self._inform(raw, events)
        else:
            events.append(Urc(raw, known=False))

    def _foreign(self, raw: bytes) -> bool:
        # A command with no name of its own to answer by (ATI, AT&V) may print anything.
        return _FOREIGN.match(raw) is not None and len(self._name) != 1

    def _inform(self, raw: bytes, events: list[Event]) -> None:
        if len(self._information) < self._syntax.information_limit:
            self._information.append(raw)
        events.append(Information(raw))

    def _take_urc(self, raw: bytes, events: list[Event]) -> bool:
        """Report the line if a rule names it; one with lines to come is kept until it has them."""
        rule = self._urcs.match(raw)
        if rule is None:
            return False
        if rule.continuation:
            self._continued = (Urc(raw), rule.continuation)
        else:
            events.append(Urc(raw))
        return True

    def _continue_urc(self, raw: bytes, events: list[Event]) -> None:
        if self._continued is None:
            return
        urc, left = self._continued
        urc = Urc(urc.raw, (*urc.more, raw))
        self._continued = (urc, left - 1) if left > 1 else None
        if self._continued is None:
            events.append(urc)

    def _cut_continuation(self, events: list[Event]) -> None:
        """A result came where a URC's next line was due: report the URC without it."""
        if self._continued is not None:
            events.append(self._continued[0])
            self._continued = None

    def _on_idle_line(self, raw: bytes, events: list[Event]) -> None:
        if self._take_urc(raw, events):
            return
        if self.booting:
            events.append(Boot(raw))
        elif self.owed and not _FOREIGN.match(raw):
            events.append(Late(raw))
        else:
            events.append(Urc(raw, known=False))

    def _is_echo(self, line: Line, events: list[Event]) -> bool:
        """Whether a line is the echo of the command: whole, with noise in front, or its surviving tail."""
        raw, expected = line.raw, self._expected
        whole = raw == expected
        if not whole:
            if line.headed or not expected:
                return False
            # Nothing but an echo comes without a line end before it; while we do not know yet whether this
            # module echoes, it has to look like one.
            alike = expected.endswith(raw) or (len(expected) > 1 and raw.endswith(expected))
            if not alike and not self.echo:
                return False
        self.echo = True
        self._echoed = True
        self._release_held(events)
        events.append(Echo(raw, damaged=not whole))
        return True

    def _release_held(self, events: list[Event]) -> None:
        """Lines that stood before the echo: never the answer."""
        held, self._held = self._held, []
        for line in held:
            self._on_idle_line(line.raw, events)

    def _on_final(self, final: Final, events: list[Event]) -> None:
        self._cut_continuation(events)
        if self.booting:
            events.append(Boot(final.raw))
            if final.ok and self._boot_cause is not None:
                events.append(self._end_boot())
            return
        if self.owed:
            self._release_held(events)
            self.owed -= 1
            events.append(Late(final.raw))
            return
        if self._command is None:
            events.append(Late(final.raw))
            return
        if final.raw in self._finals.never:
            self._on_answer(final.raw, events)
            return
        if not self._echoed and self._expected:
            # A result without an echo: what was held back is the answer after all.
            self.echo = False
            held, self._held = self._held, []
            for line in held:
                self._on_answer(line.raw, events)
        lines = tuple(self._information)
        self._forget_command()
        events.append(Done(final, lines))

    def _on_boot(self, raw: bytes, events: list[Event]) -> None:
        if not self.booting:
            self.booting = True
            self._boot_cause = None
            self.owed = 0
            self.echo = None
            self._cut_continuation(events)
            self._forget_command()
        cause = self._cause.match(raw) if self._cause is not None else None
        if cause is not None:
            self._boot_cause = cause[1].decode("ascii", "backslashreplace")
        events.append(Boot(raw, self._boot_cause if cause else None))

    def _end_boot(self) -> BootDone:
        self.booting = False
        cause, self._boot_cause = self._boot_cause, None
        return BootDone(cause)
