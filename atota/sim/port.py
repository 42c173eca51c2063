r"""The AT port of a simulated module: its command line, its data phases and its replies.

States: *command line* (bytes up to a CR are echoed, carried out by `Commands` and answered), *deaf* (until
the reply has left; a module that starts or sleeps is deaf too), and *data phase*: the command gets no result
yet, after the prompt the bytes go to a `DataPhase`, and its end is the result. Faults that have a position
strike where one state passes into the next::

    host    AT+CFLW=0,0,512,0,10\r              512 bytes
    module                       deaf… \r\n>                 deaf… \r\nOK\r\n
"""

from math import inf
from random import Random
from typing import Protocol

from atota.sim import noise
from atota.sim.commands import Commands, split_line
from atota.sim.faults import FaultPlan
from atota.sim.line import LineAssembler
from atota.sim.options import Options
from atota.sim.persona import Persona
from atota.sim.rates import BITS, UartRate
from atota.sim.reply import PLAIN, DataPhase, Reply
from atota.sim.timeline import Timeline
from atota.sim.updater import Updater

POWER_ON = b"REBOOT_CAUSE_SECURITY_PMU_POWER_ON_RESET"
_NOWHERE: frozenset[str] = frozenset()


class Body(Protocol):
    """The module behind an AT port."""

    persona: Persona
    options: Options
    faults: FaultPlan
    settings: Commands
    updater: Updater
    timeline: Timeline
    rate: UartRate
    random: Random
    reboots: int
    commands: int
    booting: bool
    silent: bool
    mute: bool
    dead: bool
    unplugged: bool
    pace: float

    def send(self, when: float, data: bytes) -> None:
        """Send these very bytes, if the module can speak."""
        ...

    def tell(self, text: str) -> None:
        """Report a change of the module's true state."""
        ...

    def crash(self, now: float) -> None:
        """Reboot for no reason."""
        ...

    def restart(self, now: float, cause: bytes) -> None:
        """Begin a start."""
        ...

    def start_update(self, now: float) -> None:
        """Reboot into the update."""
        ...


class AtPort:
    """The AT port of ``body``."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._line = LineAssembler(body.persona.line_limit, hunts=body.persona.ignores_strays)
        self._phase: DataPhase | None = None
        self._last_traffic = -inf
        self._piece = _NOWHERE
        self._lines = 0
        self._watched = (-1, -1)
        self._deaf_until = self._refuse_until = -inf

    def reset(self) -> None:
        """Forget a line or a data phase that was begun: the module restarts."""
        self._phase = None
        self._line.clear()
        self._deaf_until = self._refuse_until = -inf

    def deafen(self) -> None:
        """Read nothing until the next start."""
        self._deaf_until = inf

    @property
    def bytes_needed(self) -> int | None:
        """In a data phase, the bytes until the module does something; else None: it waits for a CR."""
        return None if self._phase is None else self._phase.bytes_needed

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes that have arrived at ``now``."""
        position = 0
        while position < len(data):
            position = self._take(data, position, now)

    # --- the command line ----------------------------------------------------------------------------

    def _take(self, data: bytes, position: int, now: float) -> int:
        """Take bytes up to a line's end, or those of a data phase; return the position behind them."""
        if self._body.silent or self._body.dead or self._body.booting:
            return len(data)
        if self._phase is not None:
            return position + self._phase.take(data[position : position + self._phase.bytes_needed], now)
        if self._sleeps(now):
            return len(data)
        refusing = now < self._refuse_until
        if now < self._deaf_until and not refusing:
            return len(data)
        start = position
        line, position = self._line.take(data, position)
        if line and self._body.faults.has("lose-command") and self._unheard(line):
            return position
        if self._body.settings.echo:
            self._body.send(
                now - (len(data) - 1 - start) * BITS / self._body.rate.baud,
                self._echoed(data[start:position]),
            )
        if line is None:
            self._watch_line(now)
            return position
        self._lines += 1
        if self._line.too_long:
            self._line.clear()
            self._answer([Reply(error=self._body.persona.line_error)], now, _NOWHERE)
        elif line.strip(b" ") and refusing:
            self._body.send(now, self._final(51))
        elif line.strip(b" "):
            self._command_line(line, now)
        return position

    def _unheard(self, line: bytes) -> bool:
        """True if a fault keeps the line from the module."""
        following = frozenset({f"c{self._body.commands + 1}"}) | self._body.updater.positions(line)
        return self._body.faults.strike("lose-command", following) is not None

    def _echoed(self, data: bytes) -> bytes:
        """Return the echo of a line; one character of it may be damaged."""
        middle = len(data.rstrip(b"\r\n")) // 2
        if not middle or self._body.faults.strike("damaged-echo") is None:
            return data
        return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]

    def _watch_line(self, now: float) -> None:
        """Limit the wait for the end of a line that has begun."""
        limit, number = self._body.persona.line_timeout_s, (self._body.reboots, self._lines)
        if limit is not None and self._line.begun and self._watched != number:
            self._watched = number
            self._body.timeline.at(now + limit, lambda then: self._give_line_up(number, then))

    def _give_line_up(self, number: tuple[int, int], now: float) -> None:
        if (self._body.reboots, self._lines) == number and self._phase is None:
            self._line.clear()
            self._lines += 1
            self._body.send(now, b"\r\nERROR\r\n")

    def _sleeps(self, now: float) -> bool:
        """True if the bytes are lost because they only wake the module."""
        quiet, self._last_traffic = now - self._last_traffic, now
        name, values = self._body.persona.sleep or (b"", ())
        if not self._body.options.asleep and self._body.settings.values.get(name, b"") not in values:
            return False
        fastest = self._body.persona.natspeed and self._body.persona.natspeed.deep_sleep_from
        if quiet <= self._body.persona.idle_s or self._body.rate.baud >= (fastest or inf):
            return False
        self._deaf_until = max(self._deaf_until, now + self._body.persona.wake_s)
        return True

    def _command_line(self, line: bytes, now: float) -> None:
        if self._body.persona.ignores_strays and line.lstrip(b" ")[:2].upper() != b"AT":
            return
        self._body.commands += 1
        position = frozenset({f"c{self._body.commands}"}) | self._body.updater.positions(line)
        if self._interrupted(position, now):
            return
        commands = split_line(line, self._body.persona.way.verbatim)
        if commands is None:
            self._answer([Reply(error=self._body.persona.unknown_code)], now, position)
            return
        if self._body.rate.fall_back is not None:
            self._body.rate.fall_back = None  # traffic at the new rate: it stays
        replies = [self._spoilt(position) or self._body.settings.execute(commands[0], now)]
        for command in commands[1:]:
            if replies[-1].error is not None or replies[-1].bare or replies[-1].data:
                break
            replies.append(self._body.settings.execute(command, now))
        self._answer(replies, now, position)

    def _interrupted(self, position: frozenset[str], now: float) -> bool:
        """True if a fault leaves the command without an answer."""
        if self._body.faults.strike("mute-after", frozenset({str(self._body.commands - 1)})):
            self._body.mute = self._body.silent = True
            return True
        if self._body.faults.strike("unplug-at", position):
            self._body.unplugged = True
        if self._body.faults.strike("silent-at", position):
            self._body.silent = True
            return True
        if self._body.faults.strike("reboot-at-block", position):
            self._body.crash(now)
            return True
        if self._body.faults.strike("brownout-at-block", position):
            self._body.restart(now, POWER_ON)
            return True
        return False

    def _spoilt(self, position: frozenset[str]) -> Reply | None:
        """Return the reply of a fault that answers in the command's place."""
        if self._body.faults.strike("busy", position):
            return Reply(error=self._body.persona.busy_code)
        if self._body.faults.strike("refuse-block", position):
            return Reply(error=self._body.persona.refusal_code)
        return None

    # --- data phases ---------------------------------------------------------------------------------

    def enter_data(self, phase: DataPhase, now: float) -> None:
        """Begin a data phase at once, without a prompt."""
        self._phase = phase
        self._deaf_until = -inf
        phase.begin(now)

    def leave_data(self, reply: Reply, now: float) -> None:
        """End the data phase; ``reply`` is the result of the command that began it."""
        self._phase = None
        self._answer([reply], now, self._piece)

    def strike_piece(self, name: str) -> bool:
        """True if a fault strikes the data phase that is going on."""
        return self._body.faults.strike(name, self._piece) is not None

    def _prompt(self, reply: Reply, phase: DataPhase, now: float, position: frozenset[str]) -> None:
        """Ask for bytes: those that come before the prompt has left are lost."""
        when = now + self._body.persona.reply_s + reply.seconds
        if late := self._body.faults.strike("late-prompt", position):
            when += float(late.args[1])
        missing = self._body.faults.strike("no-prompt", position) is not None
        sent = when
        for step in reply.prompt:
            when += step.wait_s
            sent = max(when, sent) + len(step.data) * BITS / self._body.rate.baud
            if not missing:
                self._body.send(when, step.data)
        self._deaf_until = inf
        self._piece = position
        self._body.timeline.at(sent, lambda then: self.enter_data(phase, then))

    # --- answers -------------------------------------------------------------------------------------

    def _final(self, error: int | None) -> bytes:
        if error is None:
            return b"\r\nOK\r\n"
        if error == PLAIN or not self._body.settings.error_codes:
            return b"\r\nERROR\r\n"
        text = (
            self._body.persona.cme_texts.get(error) if self._body.settings.values[b"CMEE"] == b"2" else None
        )
        return b"\r\n+CME ERROR: " + (text or b"%d" % error) + b"\r\n"

    def _text(self, replies: list[Reply]) -> bytes:
        out = bytearray()
        for number, reply in enumerate(replies):
            for line in reply.lines:
                out += b"\r\n" + line + b"\r\n"
            out += reply.body
            last = number == len(replies) - 1
            if reply.bare or not (last or self._body.persona.final_each):
                continue
            if self._body.faults.strike("urc-inside-reply"):
                out += self._urc()
            out += self._final(reply.error) + reply.tail
        return bytes(out)

    def _answer(self, replies: list[Reply], now: float, position: frozenset[str]) -> None:
        if (phase := replies[-1].data) is not None:
            self._prompt(replies[-1], phase, now, position)
            return
        when = now + self._body.persona.reply_s + sum(reply.seconds for reply in replies)
        if late := self._body.faults.strike("late-reply", position):
            when += float(late.args[1])
        text = self._text(replies)
        if self._body.faults.strike("double-reply", position):
            text += text
        leaves = self._spoilt_reply(text, position)
        if not self._body.faults.strike("lose-reply", position):
            self._body.send(when, leaves)
        sent = when + max(len(text), len(leaves)) * BITS / self._body.rate.baud
        self._deaf_until = sent + self._body.persona.guard_s if self._body.persona.guard_s else when
        for reply in replies:
            self._follow(reply, now, when, sent)

    def _spoilt_reply(self, text: bytes, position: frozenset[str]) -> bytes:
        """Return a reply as it leaves, with the bytes that faults put round it."""
        if self._body.faults.strike("cut-reply", position):
            text = text[: len(text) // 2]
        if text and self._body.faults.strike("urc-before-reply"):
            text = self._urc() + text
        if self._body.faults.strike("noise", position):
            text = bytes(self._body.random.choices(noise.BYTES, k=self._body.random.randint(20, 40))) + text
        return text + (self._urc() if text and self._body.faults.strike("urc-behind-reply") else b"")

    def _urc(self) -> bytes:
        return b"\r\n" + self._body.random.choice(self._body.persona.urcs) + b"\r\n"

    def _follow(self, reply: Reply, now: float, when: float, sent: float) -> None:
        """Carry out the effects of a command beyond its reply, which leaves from ``when`` to ``sent``."""
        if reply.note:
            self._body.tell(reply.note)
        if reply.refuse:
            self._refuse_until = max(now, when)
        if reply.speed is not None:
            speed, pace = reply.speed, self._body.pace
            self._body.timeline.at(sent, lambda then: self._body.rate.change(speed, then, pace=pace))
        if reply.then is not None:
            self._body.timeline.at(sent, reply.then)
        if (cause := reply.reboot) is not None:
            self._body.timeline.at(sent, lambda then: self._body.restart(then, cause))
            self._deaf_until = inf
        if reply.start:
            self._body.start_update(sent + 0.1)
