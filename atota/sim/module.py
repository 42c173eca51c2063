"""A simulated module.

`SimModule` is the module behind its AT port: power, boot, update, and the truth about its slot. The port is
`atota.sim.port`, the rate `atota.sim.rates`, the commands `atota.sim.commands`, and the way of updating an
`atota.sim.updater.Updater`.
"""

import random
import re
from collections.abc import Callable, Iterable

from atota.sim.boot import Step
from atota.sim.commands import Commands
from atota.sim.device import Device
from atota.sim.faults import FaultPlan
from atota.sim.flash import PAGE, Flash
from atota.sim.judge import SlotVerdict, judge
from atota.sim.options import Options, Sent
from atota.sim.persona import Persona
from atota.sim.port import POWER_ON, AtPort
from atota.sim.rates import BITS, UartRate
from atota.sim.reply import DataPhase, Reply
from atota.sim.timeline import Action

RESET_PIN = b"REBOOT_CAUSE_SECURITY_RESET_PIN"
WATCHDOG = b"REBOOT_CAUSE_APPLICATION_WATCHDOG"
_FAILED = SlotVerdict("PACKAGE_VALIDATION_FAILURE")


class SimModule(Device):
    """A cellular module as its AT port shows it.

    The attributes, with `updating`, `slot` and `truth`, are its true state; its answers may differ.

    Args:
        persona: the kind of module.
        options: the differences of this one from its persona.
        faults: injected faults, see `atota.sim.faults`.
        on_change: called with each change ("erased", "block 12", "rebooting", "now runs X").

    Attributes:
        version: the firmware that runs.
        rate: its UART's rate, now and after the next start.
        updates: how often another firmware came to run.
        starts: for each start of an update that was taken, the true status of the slot then.
        reboots: how often it restarted, for any reason.
        commands: how many command lines it took.
        booting: it starts, an update included; it is deaf meanwhile.
        mute: silent, and after a hardware reset, too.
        has_supply: False while the control line that switches its supply is let go.
        dead: its port is dead since the start of an update, which goes on; only `heal` brings it back.
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
        super().__init__(persona.name, self.options.seed, FaultPlan(faults), on_change)
        self.version = self.options.version or persona.version
        self.updates = self.reboots = self.commands = 0
        self.starts: list[str] = []
        self.booting = self.dead = False
        self.random = random.Random(f"{persona.name} {self.options.seed}")  # noqa: S311
        leftover = persona.way.leftover
        page = self.random.randbytes(min(leftover, PAGE))  # over and over: random bytes for a slot take long
        self.flash = Flash(persona.way.capacity, (page * (leftover // PAGE + 1))[:leftover])
        self.rate = UartRate(persona, self.options.baud, self.timeline, self.tell)
        self.updater = persona.way.updater(self)
        self.settings = Commands(persona, self.updater, self._fields)
        self.settings.echo = self._echo_at_boot
        self._port = AtPort(self)
        self._held = False
        self.has_supply = True
        self._updating = self._start_planned = self._stuck = False
        self.mute = self.silent = self.faults.lasts("mute") is not None

    def first_moment(self, now: float) -> None:
        """Begin to live: with the faults that show by themselves."""
        if storm := self.faults.lasts("urc-storm"):
            period = float(storm.args[0]) if storm.args else 0.2
            self.timeline.at(now + period, lambda then: self._storm(then, period), lasting=True)
        if self.faults.strike("boot-garbage"):
            self.timeline.at(now, lambda then: self.restart(then, POWER_ON))
        if self.faults.strike("resumed-update"):
            self.timeline.at(now, self._resume_update)

    @property
    def slot(self) -> bytes:
        """The bytes in the FOTA slot since its last erase."""
        return self.flash.written()

    @property
    def updating(self) -> bool:
        """True if an update is under way, or will be without another command from the host.

        That is so from the command that starts it until it is applied or has failed, boot included; where the
        module downloads by itself, the download is part of it.
        """
        return self._updating or self._start_planned or self.updater.committed

    @property
    def _echo_at_boot(self) -> bool:
        if self.persona.echo or self.options.echo:
            return True
        return self.faults.lasts("echo") is not None or self.faults.has("damaged-echo") is not None

    def heal(self, now: float) -> None:
        """Take away every fault that is still to strike; power-cycle a module that a fault silenced.

        A person does this before the next attempt. Flash, version and stored settings stay. An update
        that was begun goes on with that start, if it is not over: a dead module's runs unheard, so it may be.
        An adapter that was pulled out stays out: see `SimLink.replug`.
        """
        self.faults.clear()
        if not (self.silent or self.dead or self._stuck):
            return
        self.at_power_cut(now)
        self.power_on(now)
        self.timeline.run(now)
        self.mute = self.silent = self.dead = False
        self.restart(now, POWER_ON)

    # --- bytes and time ------------------------------------------------------------------------------

    def take(self, data: bytes, now: float) -> None:
        """Take bytes that the UART has read."""
        self._port.receive(data, now)

    @property
    def bytes_needed(self) -> int | None:
        """In a data phase, the bytes until the module does something; else None: it waits for a CR."""
        return self._port.bytes_needed

    @property
    def baud(self) -> int:
        """The rate of its UART now."""
        return self.rate.baud

    def demodulate(self, data: bytes, baud: int) -> bytes | None:
        """Return the bytes that the UART reads of bytes sent at ``baud``; None: noise of another rate."""
        return self.rate.demodulate(data, baud, booting=self.booting)

    def set_lines(self, now: float, *, dtr: bool, rts: bool) -> list[Sent] | None:
        """Reset when the control line that is wired to the reset pin is let go."""
        was_held, self._held = self._held, {"dtr": dtr, "rts": rts}.get(self.options.reset, False)
        return self.reset_pin(now) if was_held and not self._held else None

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
            self.restart(now, cause)
        return self._drain()

    # --- the calls of the updater ---------------------------------------------------------------------

    def plan(self, when: float, action: Action) -> None:
        """Do something later, unless a reboot comes first."""
        self.timeline.at(when, action)

    def send(self, when: float, data: bytes, baud: int | None = None) -> None:
        """Send these very bytes, if the module can speak."""
        if data and not self.silent and not self.dead:
            self._out.append(Sent(when, data, baud or self.baud))

    def judge(self) -> SlotVerdict:
        """Return the security core's verdict on the slot."""
        if refused := self.faults.strike("refuse-validate"):
            return SlotVerdict(refused.args[0] if refused.args else _FAILED.status)
        return self.truth()

    def truth(self) -> SlotVerdict:
        """Return the verdict on the slot with faults left aside: is the package whole and does it fit?"""
        becomes = self.options.becomes if self.options.accept_any else None
        return judge(self.flash, self.persona.name, self.version, becomes)

    def crash(self, now: float) -> None:
        """Reboot for no reason."""
        self.restart(now, WATCHDOG)

    def start_update(self, now: float) -> None:
        """Reboot into the update."""
        self.starts.append(self.truth().status)
        self._start_planned = True
        self._port.deafen()
        self.timeline.at(now, self._begin_update)

    def enter_data(self, phase: DataPhase, now: float) -> None:
        """Begin a data phase at once, without a prompt."""
        self._port.enter_data(phase, now)

    def leave_data(self, reply: Reply, now: float) -> None:
        """End the data phase; ``reply`` is the result of the command that began it."""
        self._port.leave_data(reply, now)

    def strike_piece(self, name: str) -> bool:
        """True if a fault strikes the data phase that is going on."""
        return self._port.strike_piece(name)

    def _fields(self) -> dict[bytes, bytes]:
        persona, options = self.persona, self.options
        fixed = self.baud if persona.ipr and persona.ipr.at_once else self.rate.stored
        short, _, rest = re.sub("[_,]", "\0", self.version, count=1).partition("\0")
        return {
            b"version": self.version.encode("ascii", "replace"),
            b"short": short.encode("ascii", "replace"),
            b"rest": rest.encode("ascii", "replace") or persona.version_rest,
            b"imei": (options.imei or persona.imei).encode(),
            b"serial": persona.serial.encode(),
            b"csq": str(persona.csq if options.csq is None else options.csq).encode(),
            b"supply": str(persona.supply_mv).encode(),
            b"baud": str(self.baud).encode(),
            b"ipr": b"0" if self.rate.auto else str(fixed).encode(),
        }

    # --- the boot ------------------------------------------------------------------------------------

    def _begin_update(self, now: float) -> None:
        self._updating = True
        self.restart(now, self.persona.boot.update_cause)
        if self.faults.strike("stay-dead-after-update"):
            self.dead = True
        if self.faults.strike("reboot-in-update"):
            half = sum(step.wait_s for step in self.persona.boot.update) / 2
            self.timeline.at(now + half, lambda then: self.restart(then, POWER_ON))

    def _resume_update(self, now: float) -> None:
        """Take up an update that a power cut interrupted: the firmware was changed before it."""
        boot = self.persona.boot
        self.restart(now, POWER_ON)
        self.timeline.forget()
        when = self._say(boot.resumed or boot.good, now) + boot.ending_wait_s
        self.timeline.at(when, lambda then: self._booted(then, boot.update_cause, boot.late))

    def restart(self, now: float, cause: bytes) -> None:
        """Begin a start; an update that is under way goes on with it."""
        boot = self.persona.boot
        self.timeline.forget()
        self._start_planned = self._stuck = False
        self.reboots += 1
        self.booting = True
        self._port.reset()
        self.updater.reset()
        self.settings.reset()
        self.settings.echo = self._echo_at_boot
        self.rate.restart()
        self.tell("rebooting")
        if self._updating:
            when = self._say(boot.update, now, update=True)
            self._stuck = self.faults.strike("stuck-update") is not None
            if not self._stuck:
                self.timeline.at(when, self._decide)
        else:
            when = self._say(boot.steps, now) + boot.ending_wait_s
            self.timeline.at(when, lambda then: self._booted(then, cause, boot.late))

    def _say(self, steps: tuple[Step, ...], now: float, *, update: bool = False) -> float:
        """Plan pieces of boot text; return when the last has been said."""
        quiet = update and self.faults.lasts("quiet-update") is not None
        for step in steps:
            now += step.wait_s
            if not quiet:
                self.timeline.at(now, lambda then, step=step: self._boot_step(then, step))  # type: ignore[misc]
        return now

    def _boot_step(self, now: float, step: Step) -> None:
        data = self.random.randbytes(3) if step.data == b"{noise}" else step.data
        self.send(now, self.updater.reword(data), step.baud)

    def _decide(self, now: float) -> None:
        """The boot looks at the package and applies it, or finds that it can't."""
        boot = self.persona.boot
        verdict = self.judge()
        if verdict.good and self.faults.strike("fail-update"):
            verdict = _FAILED
        when = self._say(boot.good if verdict.good else boot.bad, now, update=True)
        self.timeline.at(when, lambda then: self._apply(then, verdict))

    def _apply(self, now: float, verdict: SlotVerdict) -> None:
        boot = self.persona.boot
        self._updating = False
        said_good = verdict.good
        if verdict.good and self.faults.strike("rollback"):
            verdict = _FAILED
        self.updater.finished(verdict, said_good=said_good)
        if verdict.good:
            self.version = verdict.target
            self.updates += 1
            if boot.update_clears_nvm:
                self.settings.factory()
                self.rate.factory()
        fault = self.faults.strike("back-at-baud")
        self.rate.applied(int(fault.args[0]) if fault else None)
        self.tell(f"now runs {self.version}" if verdict.good else f"update failed: {verdict.status}")
        late = (boot.late_good if said_good else boot.late_bad) or boot.late
        if self.faults.has("quiet-update"):
            late = boot.late
        self.timeline.at(now + boot.ending_wait_s, lambda then: self._booted(then, boot.update_cause, late))

    def _booted(self, now: float, cause: bytes, late: tuple[Step, ...]) -> None:
        boot = self.persona.boot
        ending = boot.ending.replace(b"{cause}", cause)
        if self.rate.auto and self.persona.autobaud and self.persona.autobaud.silent:
            ending = b""
        self.send(now, ending)
        self.booting = False
        if self.baud != self.rate.stored:
            self.timeline.at(now + boot.switch_s + len(ending) * BITS / self.baud, self.rate.to_stored)
        self._say(late, now)
        self.updater.awake(now)

    def _storm(self, now: float, period: float) -> None:
        if self.faults.has("urc-storm") is None:
            return
        if not self.booting:
            self.send(now, b"\r\n" + self.random.choice(self.persona.urcs) + b"\r\n")
        self.timeline.at(now + period, lambda then: self._storm(then, period), lasting=True)
