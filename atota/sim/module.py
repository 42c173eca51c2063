"""A simulated module: bytes in, bytes out, and the time only as a number that is passed in."""

import random
import re
from collections import deque
from collections.abc import Callable, Iterable
from math import inf

from atota.sim.commands import Commands, Reply, Speed, split_line
from atota.sim.faults import FaultPlan
from atota.sim.flash import Flash
from atota.sim.judge import Verdict, judge
from atota.sim.line import LineAssembler
from atota.sim.nfwupd import Result, Updater
from atota.sim.options import Options, Sent
from atota.sim.persona import Persona, Step
from atota.sim.timeline import Timeline

_BLOCK = re.compile(rb'\+NFWUPD="?([0-5])"?(?:,"?(\d{1,5}))?', re.IGNORECASE)
_WORDS = {b"0": "erase", b"2": "validate", b"5": "start"}
_BITS = 10  # 8N1
POWER_ON = b"REBOOT_CAUSE_SECURITY_PMU_POWER_ON_RESET"


class SimModule:
    """A cellular module as its AT port shows it. No clock, no thread, no I/O.

    Times are seconds on any one scale that never goes back; the module is powered at its first moment.
    The attributes tell its true state, whatever it says of itself.

    Args:
        persona: the kind of module.
        options: what is special about this one.
        faults: what goes wrong, see `atota.sim.faults`.
        on_change: told of changes ("erased", "block 12", "rebooting", "now runs X").

    Attributes:
        version: the firmware that runs.
        baud: the rate of its UART now; ``stored_baud`` what a reboot brings back.
        updates: how often another firmware came to run.
        starts: for each AT+NFWUPD=5 that was taken, the true status of the slot then.
        reboots: how often it restarted, for whatever reason.
        commands: how many command lines it took.
        booting, silent, dead, unplugged: what hinders it.
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
        self.persona = persona
        self.options = options or Options()
        self.faults = FaultPlan(faults)
        self.on_change = on_change
        self.version = self.options.version or persona.version
        self.stored_baud = self.baud = self.options.baud or persona.baud
        self.updates = self.reboots = self.commands = 0
        self.starts: list[str] = []
        self.history: deque[str] = deque(maxlen=1000)
        self.booting = self.silent = self.dead = self.unplugged = False
        self._random = random.Random(f"{persona.name} {self.options.seed}")  # noqa: S311
        leftover = self._random.randbytes(4096) if persona.nfwupd.erase else b""
        self.flash = Flash(persona.nfwupd.capacity, leftover)
        self.updater = Updater(persona.nfwupd, self.flash, self._judge)
        self.settings = Commands(persona, self.updater, self._fields)
        self.settings.echo = self._echo_at_boot
        self._line = LineAssembler(persona.line_limit)
        self._timeline = Timeline()
        self._out: list[Sent] = []
        self._heard = 0
        self._deaf_until = self._refuse_until = -inf
        self._last_traffic = -inf
        self._fall_back: int | None = None
        self._updating = False
        self.silent = self.faults.has("mute") is not None
        self._powered = False

    def power_on(self, now: float) -> None:
        """Say when the module's first moment is; without it, that is when it is first spoken to."""
        if self._powered:
            return
        self._powered = True
        if storm := self.faults.has("urc-storm"):
            period = float(storm.args[0]) if storm.args else 0.2
            self._timeline.at(now + period, lambda then: self._storm(then, period), lasting=True)
        if self.faults.strike("boot-garbage"):
            self._timeline.at(now, lambda then: self._restart(then, POWER_ON))

    @property
    def slot(self) -> bytes:
        """The bytes in the FOTA slot since its last erase."""
        return self.flash.written()

    @property
    def _echo_at_boot(self) -> bool:
        return self.options.echo or self.faults.has("echo") is not None

    # --- bytes and time ------------------------------------------------------------------------------

    def feed(self, data: bytes, now: float) -> list[tuple[float, bytes]]:
        """Take bytes that have arrived at ``now`` intact; return what is sent because of them, and when."""
        return [(sent.when, sent.data) for sent in self.receive(data, now)]

    def receive(self, data: bytes, now: float) -> list[Sent]:
        """As `feed`, with the rate at which each answer leaves."""
        self.power_on(now)
        self._timeline.run(now)
        data, self._heard = self.faults.distort(data, self._heard), self._heard + len(data)
        position = 0
        while position < len(data):
            position = self._take(data, position, now)
        return self._drain()

    def tick(self, now: float) -> list[Sent]:
        """Let happen what happens by itself until ``now``."""
        self.power_on(now)
        self._timeline.run(now)
        return self._drain()

    def next_due(self) -> float | None:
        """When something will happen by itself, if anything will."""
        return self._timeline.next_due()

    def reset_pin(self, now: float) -> list[Sent]:
        """Pull the reset line and let it go."""
        return self._hard_reset(now, b"REBOOT_CAUSE_SECURITY_RESET_PIN")

    def power_cut(self, now: float) -> list[Sent]:
        """Take the supply away for a moment."""
        return self._hard_reset(now, POWER_ON)

    def _hard_reset(self, now: float, cause: bytes) -> list[Sent]:
        self.power_on(now)
        self._timeline.run(now)
        self.silent = self.faults.has("mute") is not None
        if not self.dead:
            self._restart(now, cause)
        return self._drain()

    def _drain(self) -> list[Sent]:
        out, self._out = self._out, []
        return sorted(out, key=lambda sent: sent.when) if len(out) > 1 else out

    def _send(self, when: float, data: bytes, baud: int | None = None) -> None:
        if data and not self.silent and not self.dead:
            self._out.append(Sent(when, data, baud or self.baud))

    def _tell(self, text: str) -> None:
        self.history.append(text)
        if self.on_change is not None:
            self.on_change(text)

    # --- the command line ----------------------------------------------------------------------------

    def _take(self, data: bytes, position: int, now: float) -> int:
        """Take bytes up to a line's end; return where to go on."""
        if self.silent or self.dead or self.booting or self._sleeps(now):
            return len(data)
        refusing = now < self._refuse_until
        if now < self._deaf_until and not refusing:
            return len(data)
        start = position
        line, position = self._line.take(data, position)
        if self.settings.echo:
            piece = data[start:position]
            self._send(now - (len(piece) - 1) * _BITS / self.baud, piece)
        if line is None:
            return position
        if self._line.too_long:
            self._line.clear()
            self._answer([Reply(error=self.persona.line_error)], now, frozenset())
        elif line.strip(b" ") and refusing:
            self._send(now, self._final(51))
        elif line.strip(b" "):
            self._command_line(line, now)
        return position

    def _sleeps(self, now: float) -> bool:
        """Whether the bytes are lost because they only wake the module."""
        if not self.options.asleep:
            return False
        quiet, self._last_traffic = now - self._last_traffic, now
        fastest = self.persona.natspeed.deep_sleep_from or inf
        if quiet <= self.persona.idle_s or self.baud >= fastest:
            return False
        self._deaf_until = max(self._deaf_until, now + self.persona.wake_s)
        return True

    def _command_line(self, line: bytes, now: float) -> None:
        self.commands += 1
        keys = {f"c{self.commands}"}
        if match := _BLOCK.search(line):
            number = match[2].decode().lstrip("0") or "0" if match[2] else None
            keys.add(number if match[1] == b"1" and number else _WORDS.get(match[1], ""))
        position = frozenset(keys)
        if self._interrupted(position, now):
            return
        commands = split_line(line)
        if commands is None:
            self._answer([Reply(error=self.persona.unknown_code)], now, position)
            return
        if self._fall_back is not None:
            self._fall_back = None  # traffic at the new rate: it stays
        replies = [self._spoilt(commands[0], position) or self.settings.execute(commands[0])]
        for command in commands[1:]:
            if replies[-1].error is not None or replies[-1].bare:
                break
            replies.append(self.settings.execute(command))
        self._answer(replies, now, position)

    def _interrupted(self, position: frozenset[str], now: float) -> bool:
        """Faults that leave the command without an answer."""
        if self.faults.strike("unplug-at", position):
            self.unplugged = True
        if self.faults.strike("silent-at", position):
            self.silent = True
            return True
        if self.faults.strike("reboot-at-block", position):
            self._restart(now, b"REBOOT_CAUSE_APPLICATION_WATCHDOG")
            return True
        if self.faults.strike("brownout-at-block", position):
            self._restart(now, POWER_ON)
            return True
        return False

    def _spoilt(self, command: bytes, position: frozenset[str]) -> Reply | None:
        """Faults that answer in the command's place."""
        if self.faults.strike("busy", position):
            return Reply(error=self.persona.nfwupd.busy_code)
        if self.faults.strike("refuse-block", position):
            return Reply(error=50)
        word = command.upper()
        if word == b"+NFWUPD=0" and self.persona.nfwupd.erase and self.faults.strike("refuse-erase"):
            return Reply(error=4, seconds=self.persona.nfwupd.erase_s)
        if word == b"+NFWUPD=5" and self.faults.strike("refuse-start"):
            refusal = self.updater.refuse_start("PACKAGE_NOT_VALIDATION")
            return Reply(refusal.lines, refusal.error)
        return None

    # --- answers -------------------------------------------------------------------------------------

    def _final(self, error: int | None) -> bytes:
        if error is None:
            return b"\r\nOK\r\n"
        return b"\r\n+CME ERROR: %d\r\n" % error if self.settings.error_codes else b"\r\nERROR\r\n"

    def _text(self, replies: list[Reply]) -> bytes:
        out = bytearray()
        for number, reply in enumerate(replies):
            for line in reply.lines:
                out += b"\r\n" + line + b"\r\n"
            last = number == len(replies) - 1
            if reply.bare or not (last or self.persona.final_each):
                continue
            if self.faults.strike("urc-inside-reply"):
                out += b"\r\n" + self._random.choice(self.persona.urcs) + b"\r\n"
            out += self._final(reply.error)
        return bytes(out)

    def _answer(self, replies: list[Reply], now: float, position: frozenset[str]) -> None:
        when = now + self.persona.reply_s + sum(reply.seconds for reply in replies)
        if late := self.faults.strike("late-reply", position):
            when += float(late.args[1])
        text = self._text(replies)
        if not self.faults.strike("lose-reply", position):
            self._send(when, text)
        sent = when + len(text) * _BITS / self.baud
        self._deaf_until = sent + self.persona.guard_s if self.persona.guard_s else when
        for reply in replies:
            self._follow(reply, now, when, sent)

    def _follow(self, reply: Reply, now: float, when: float, sent: float) -> None:
        """What a command does beyond its reply, which leaves from ``when`` to ``sent``."""
        if reply.reboot:
            self._timeline.at(sent, lambda then: self._restart(then, b"REBOOT_CAUSE_APPLICATION_AT"))
            self._deaf_until = inf
        if reply.speed is not None:
            speed = reply.speed
            self._timeline.at(sent, lambda then: self._change_speed(speed, then))
        if reply.nfwupd is not None:
            self._follow_nfwupd(reply.nfwupd, now, when, sent)

    def _follow_nfwupd(self, result: Result, now: float, when: float, sent: float) -> None:
        if result.note:
            self._tell(result.note)
        if result.note.startswith("validated") and self.persona.nfwupd.refuses_while_validating:
            self._refuse_until = max(now, when)
        if result.start:
            self.starts.append(self.truth().status)
            self._deaf_until = inf
            self._timeline.at(sent + 0.1, self._begin_update)

    def _change_speed(self, speed: Speed, now: float) -> None:
        old, self.baud = self.baud, speed.baud
        if speed.store:
            self.stored_baud = speed.baud
        if old != speed.baud:
            self._fall_back = old
            self._timeline.at(now + speed.timeout_s, lambda _then: self._return_speed(old, speed.baud))

    def _return_speed(self, old: int, new: int) -> None:
        """Nobody spoke at the new rate in time."""
        if self._fall_back == old and self.baud == new:
            self.baud, self._fall_back = old, None
            self._tell(f"back at {old} baud")

    def _fields(self) -> dict[bytes, bytes]:
        persona, options = self.persona, self.options
        return {
            b"version": self.version.encode("ascii", "replace"),
            b"imei": (options.imei or persona.imei).encode(),
            b"serial": persona.serial.encode(),
            b"csq": str(persona.csq if options.csq is None else options.csq).encode(),
            b"supply": str(persona.supply_mv).encode(),
            b"baud": str(self.baud).encode(),
        }

    # --- the boot ------------------------------------------------------------------------------------

    def _judge(self) -> Verdict:
        """What the security core says of the slot."""
        if refused := self.faults.strike("refuse-validate"):
            return Verdict(refused.args[0] if refused.args else "PACKAGE_VALIDATION_FAILURE")
        return self.truth()

    def truth(self) -> Verdict:
        """Whether what is in the slot is whole and fits, faults aside."""
        becomes = self.options.becomes if self.options.accept_any else None
        return judge(self.flash, self.persona.name, self.version, becomes)

    def _begin_update(self, now: float) -> None:
        self._updating = True
        self._restart(now, self.persona.boot.update_cause)
        if self.faults.strike("stay-dead-after-update"):
            self.dead = True

    def _restart(self, now: float, cause: bytes) -> None:
        boot = self.persona.boot
        self._timeline.forget()
        self.reboots += 1
        self.booting = True
        self._fall_back = None
        self._line.clear()
        self._deaf_until = self._refuse_until = -inf
        self.updater.reset()
        self.settings.reset()
        self.settings.echo = self._echo_at_boot
        self.baud = boot.first_baud or self.stored_baud
        self._tell("rebooting")
        when = now
        for step in boot.update if self._updating else boot.steps:
            when += step.wait_s
            self._timeline.at(when, lambda then, step=step: self._boot_step(then, step))  # type: ignore[misc]
        if self._updating:
            cause = boot.update_cause
            self._timeline.at(when, self._apply)
        self._timeline.at(when + boot.ending_wait_s, lambda then: self._booted(then, cause))

    def _boot_step(self, now: float, step: Step) -> None:
        data = self._random.randbytes(3) if step.data == b"{noise}" else step.data
        self._send(now, data, step.baud)

    def _apply(self, _now: float) -> None:
        """The boot applies the package or finds that it can't."""
        self._updating = False
        verdict = self._judge()
        if verdict.good and self.faults.strike("rollback"):
            verdict = Verdict("PACKAGE_VALIDATION_FAILURE")
        self.updater.last_result = verdict.status
        if verdict.good:
            self.version = verdict.target
            self.updates += 1
            if self.persona.boot.update_clears_nvm:
                self.settings.factory()
                self.stored_baud = self.persona.baud
        if fault := self.faults.strike("back-at-baud"):
            self.stored_baud = int(fault.args[0])
        self.baud = self.persona.boot.first_baud or self.stored_baud
        self._tell(f"now runs {self.version}" if verdict.good else f"update failed: {verdict.status}")

    def _booted(self, now: float, cause: bytes) -> None:
        ending = self.persona.boot.ending.replace(b"{cause}", cause)
        self._send(now, ending)
        self.booting = False
        switch = self.persona.boot.switch_s + len(ending) * _BITS / self.baud
        if self.baud != self.stored_baud:
            self._timeline.at(now + switch, self._to_stored_baud)

    def _to_stored_baud(self, _now: float) -> None:
        self.baud = self.stored_baud

    def _storm(self, now: float, period: float) -> None:
        if not self.booting:
            self._send(now, b"\r\n" + self._random.choice(self.persona.urcs) + b"\r\n")
        self._timeline.at(now + period, lambda then: self._storm(then, period), lasting=True)
