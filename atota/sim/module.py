"""A simulated module: bytes in, bytes out, and the time only as a number that is passed in."""

from collections.abc import Callable, Iterable
from math import inf

from atota.sim import noise
from atota.sim.commands import split_line
from atota.sim.core import BITS, POWER_ON, RESET_PIN, ModuleCore
from atota.sim.options import Options, Sent
from atota.sim.persona import Persona
from atota.sim.reply import PLAIN, DataPhase, Reply

_NOWHERE: frozenset[str] = frozenset()


class SimModule(ModuleCore):
    """A cellular module as its AT port shows it. No clock, no thread, no I/O.

    Times are seconds on any one scale that never goes back; the module is powered at its first moment.
    The attributes, with `updating`, `slot` and `truth`, tell its true state, whatever it says of itself.

    Args:
        persona: the kind of module.
        options: what is special about this one.
        faults: what goes wrong, see `atota.sim.faults`.
        on_change: told of changes ("erased", "block 12", "rebooting", "now runs X").

    Attributes:
        version: the firmware that runs.
        baud: the rate of its UART now; ``stored_baud`` what a reboot brings back.
        autobaud: it takes its rate from the first AT after a start.
        updates: how often another firmware came to run.
        starts: for each start of an update that was taken, the true status of the slot then.
        reboots: how often it restarted, for whatever reason.
        commands: how many command lines it took.
        booting: it starts, an update included; it is deaf meanwhile.
        silent: neither a byte in nor out until a hardware reset.
        mute: nor after one.
        dead: its port is dead since the start of an update, which goes on; only `heal` brings it back.
        unplugged: the adapter was pulled out.
        at_power_cut: told when `heal` takes its power away, for whoever holds what it would still send.
        timeline: what it will do by itself; whoever moves it on looks there when something is due.
        history: the last thousand changes, as ``on_change`` was told.
    """

    def __init__(
        self,
        persona: Persona,
        options: Options | None = None,
        *,
        faults: Iterable[str] = (),
        on_change: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(persona, options, faults=faults, on_change=on_change)
        self._heard = 0
        self._last_traffic = -inf
        self._piece = _NOWHERE
        self._lines = 0
        self._watched = (-1, -1)

    # --- bytes and time ------------------------------------------------------------------------------

    def feed(self, data: bytes, now: float) -> list[tuple[float, bytes]]:
        """Take bytes that have arrived at ``now`` intact; return what is sent because of them, and when."""
        return [(sent.when, sent.data) for sent in self.receive(data, now)]

    def receive(self, data: bytes, now: float) -> list[Sent]:
        """As `feed`, with the rate at which each answer leaves."""
        self.power_on(now)
        self.timeline.run(now)
        data, self._heard = self.faults.distort(data, self._heard), self._heard + len(data)
        position = 0
        while position < len(data):
            position = self._take(data, position, now)
        return self._drain()

    def tick(self, now: float) -> list[Sent]:
        """Let happen what happens by itself until ``now``."""
        self.power_on(now)
        self.timeline.run(now)
        return self._drain()

    def next_due(self) -> float | None:
        """When something will happen by itself, if anything will."""
        return None if self.timeline.due == inf else self.timeline.due

    @property
    def wanted(self) -> int | None:
        """In a data phase, how many bytes until the module does something; else None: it waits for a CR."""
        return None if self._phase is None else self._phase.wanted

    def reset_pin(self, now: float) -> list[Sent]:
        """Pull the reset line and let it go."""
        return self._hard_reset(now, RESET_PIN)

    def power_cut(self, now: float) -> list[Sent]:
        """Take the supply away for a moment."""
        return self._hard_reset(now, POWER_ON)

    def _hard_reset(self, now: float, cause: bytes) -> list[Sent]:
        self.power_on(now)
        self.timeline.run(now)
        self.silent = self.mute
        if not self.dead:
            self._restart(now, cause)
        return self._drain()

    def _drain(self) -> list[Sent]:
        out, self._out = self._out, []
        return sorted(out, key=lambda sent: sent.when) if len(out) > 1 else out

    # --- the command line ----------------------------------------------------------------------------

    def _take(self, data: bytes, position: int, now: float) -> int:
        """Take bytes up to a line's end, or what a data phase takes; return where to go on."""
        if self.silent or self.dead or self.booting:
            return len(data)
        if self._phase is not None:
            return position + self._phase.take(data[position : position + self._phase.wanted], now)
        if self._sleeps(now):
            return len(data)
        refusing = now < self._refuse_until
        if now < self._deaf_until and not refusing:
            return len(data)
        start = position
        line, position = self._line.take(data, position)
        if line and self.faults.has("lose-command") and self._unheard(line):
            return position
        if self.settings.echo:
            self.send(now - (len(data) - 1 - start) * BITS / self.baud, self._echoed(data[start:position]))
        if line is None:
            self._watch_line(now)
            return position
        self._lines += 1
        if self._line.too_long:
            self._line.clear()
            self._answer([Reply(error=self.persona.line_error)], now, _NOWHERE)
        elif line.strip(b" ") and refusing:
            self.send(now, self._final(51))
        elif line.strip(b" "):
            self._command_line(line, now)
        return position

    def _unheard(self, line: bytes) -> bool:
        """Whether a fault keeps the line from the module."""
        following = frozenset({f"c{self.commands + 1}"}) | self.updater.positions(line)
        return self.faults.strike("lose-command", following) is not None

    def _echoed(self, data: bytes) -> bytes:
        """What comes back of a line; one character of it may be damaged."""
        middle = len(data.rstrip(b"\r\n")) // 2
        if not middle or self.faults.strike("damaged-echo") is None:
            return data
        return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]

    def _watch_line(self, now: float) -> None:
        """A line begun waits for its end only so long."""
        limit, number = self.persona.line_timeout_s, (self.reboots, self._lines)
        if limit is not None and self._line.begun and self._watched != number:
            self._watched = number
            self.timeline.at(now + limit, lambda then: self._give_line_up(number, then))

    def _give_line_up(self, number: tuple[int, int], now: float) -> None:
        if (self.reboots, self._lines) == number and self._phase is None:
            self._line.clear()
            self._lines += 1
            self.send(now, b"\r\nERROR\r\n")

    def _sleeps(self, now: float) -> bool:
        """Whether the bytes are lost because they only wake the module."""
        quiet, self._last_traffic = now - self._last_traffic, now
        name, values = self.persona.sleep or (b"", ())
        if not self.options.asleep and self.settings.values.get(name, b"") not in values:
            return False
        fastest = self.persona.natspeed and self.persona.natspeed.deep_sleep_from
        if quiet <= self.persona.idle_s or self.baud >= (fastest or inf):
            return False
        self._deaf_until = max(self._deaf_until, now + self.persona.wake_s)
        return True

    def _command_line(self, line: bytes, now: float) -> None:
        if self.persona.ignores_strays and line.lstrip(b" ")[:2].upper() != b"AT":
            return
        self.commands += 1
        position = frozenset({f"c{self.commands}"}) | self.updater.positions(line)
        if self._interrupted(position, now):
            return
        commands = split_line(line, self.persona.way.verbatim)
        if commands is None:
            self._answer([Reply(error=self.persona.unknown_code)], now, position)
            return
        if self._fall_back is not None:
            self._fall_back = None  # traffic at the new rate: it stays
        replies = [self._spoilt(position) or self.settings.execute(commands[0], now)]
        for command in commands[1:]:
            if replies[-1].error is not None or replies[-1].bare or replies[-1].data:
                break
            replies.append(self.settings.execute(command, now))
        self._answer(replies, now, position)

    def _interrupted(self, position: frozenset[str], now: float) -> bool:
        """Faults that leave the command without an answer."""
        if self.faults.strike("mute-after", frozenset({str(self.commands - 1)})):
            self.mute = self.silent = True
            return True
        if self.faults.strike("unplug-at", position):
            self.unplugged = True
        if self.faults.strike("silent-at", position):
            self.silent = True
            return True
        if self.faults.strike("reboot-at-block", position):
            self.crash(now)
            return True
        if self.faults.strike("brownout-at-block", position):
            self._restart(now, POWER_ON)
            return True
        return False

    def _spoilt(self, position: frozenset[str]) -> Reply | None:
        """Faults that answer in the command's place."""
        if self.faults.strike("busy", position):
            return Reply(error=self.persona.busy_code)
        if self.faults.strike("refuse-block", position):
            return Reply(error=self.persona.refusal_code)
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
        """Whether a fault strikes the data phase that is going on."""
        return self.faults.strike(name, self._piece) is not None

    def _prompt(self, reply: Reply, phase: DataPhase, now: float, position: frozenset[str]) -> None:
        """Ask for bytes: what comes before the prompt has left is lost."""
        when = now + self.persona.reply_s + reply.seconds
        if late := self.faults.strike("late-prompt", position):
            when += float(late.args[1])
        missing = self.faults.strike("no-prompt", position) is not None
        sent = when
        for step in reply.prompt:
            when += step.wait_s
            sent = max(when, sent) + len(step.data) * BITS / self.baud
            if not missing:
                self.send(when, step.data)
        self._deaf_until = inf
        self._piece = position
        self.timeline.at(sent, lambda then: self.enter_data(phase, then))

    # --- answers -------------------------------------------------------------------------------------

    def _final(self, error: int | None) -> bytes:
        if error is None:
            return b"\r\nOK\r\n"
        if error == PLAIN or not self.settings.error_codes:
            return b"\r\nERROR\r\n"
        text = self.persona.cme_texts.get(error) if self.settings.values[b"CMEE"] == b"2" else None
        return b"\r\n+CME ERROR: " + (text or b"%d" % error) + b"\r\n"

    def _text(self, replies: list[Reply]) -> bytes:
        out = bytearray()
        for number, reply in enumerate(replies):
            for line in reply.lines:
                out += b"\r\n" + line + b"\r\n"
            out += reply.body
            last = number == len(replies) - 1
            if reply.bare or not (last or self.persona.final_each):
                continue
            if self.faults.strike("urc-inside-reply"):
                out += self._urc()
            out += self._final(reply.error) + reply.tail
        return bytes(out)

    def _answer(self, replies: list[Reply], now: float, position: frozenset[str]) -> None:
        if (phase := replies[-1].data) is not None:
            self._prompt(replies[-1], phase, now, position)
            return
        when = now + self.persona.reply_s + sum(reply.seconds for reply in replies)
        if late := self.faults.strike("late-reply", position):
            when += float(late.args[1])
        text = self._text(replies)
        if self.faults.strike("double-reply", position):
            text += text
        leaves = self._spoilt_reply(text, position)
        if not self.faults.strike("lose-reply", position):
            self.send(when, leaves)
        sent = when + max(len(text), len(leaves)) * BITS / self.baud
        self._deaf_until = sent + self.persona.guard_s if self.persona.guard_s else when
        for reply in replies:
            self._follow(reply, now, when, sent)

    def _spoilt_reply(self, text: bytes, position: frozenset[str]) -> bytes:
        """A reply as it leaves, with what faults put round it."""
        if self.faults.strike("cut-reply", position):
            text = text[: len(text) // 2]
        if text and self.faults.strike("urc-before-reply"):
            text = self._urc() + text
        if self.faults.strike("noise", position):
            text = bytes(self._random.choices(noise.BYTES, k=self._random.randint(20, 40))) + text
        return text + (self._urc() if text and self.faults.strike("urc-behind-reply") else b"")

    def _urc(self) -> bytes:
        return b"\r\n" + self._random.choice(self.persona.urcs) + b"\r\n"

    def _follow(self, reply: Reply, now: float, when: float, sent: float) -> None:
        """What a command does beyond its reply, which leaves from ``when`` to ``sent``."""
        if reply.note:
            self.tell(reply.note)
        if reply.refuse:
            self._refuse_until = max(now, when)
        if reply.speed is not None:
            speed = reply.speed
            self.timeline.at(sent, lambda then: self._change_speed(speed, then))
        if reply.then is not None:
            self.timeline.at(sent, reply.then)
        if (cause := reply.reboot) is not None:
            self.timeline.at(sent, lambda then: self._restart(then, cause))
            self._deaf_until = inf
        if reply.start:
            self.start_update(sent + 0.1)
