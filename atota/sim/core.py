"""What a simulated module is apart from its AT port: power, boot, update, rate, the truth about its slot."""

import random
from collections import deque
from collections.abc import Callable, Iterable
from math import inf

from atota.sim.boot import Step
from atota.sim.commands import Commands
from atota.sim.faults import FaultPlan
from atota.sim.flash import PAGE, Flash
from atota.sim.judge import Verdict, judge
from atota.sim.line import LineAssembler
from atota.sim.options import Options, Sent
from atota.sim.persona import Persona
from atota.sim.reply import DataPhase, Reply, Speed
from atota.sim.timeline import Action, Timeline
from atota.sim.updater import WakingUpdater

BITS = 10  # 8N1
POWER_ON = b"REBOOT_CAUSE_SECURITY_PMU_POWER_ON_RESET"
RESET_PIN = b"REBOOT_CAUSE_SECURITY_RESET_PIN"
WATCHDOG = b"REBOOT_CAUSE_APPLICATION_WATCHDOG"
_FAILED = Verdict("PACKAGE_VALIDATION_FAILURE")


class ModuleCore:
    """The life of a module; `atota.sim.module.SimModule` adds its ears and its answers."""

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
        self.autobaud = persona.autobaud is not None and self.options.baud is None
        self._auto_stored = self.autobaud
        self.updates = self.reboots = self.commands = 0
        self.starts: list[str] = []
        self.history: deque[str] = deque(maxlen=1000)
        self.booting = self.silent = self.dead = self.unplugged = False
        self.at_power_cut: Callable[[float], None] = lambda _now: None
        self._random = random.Random(f"{persona.name} {self.options.seed}")  # noqa: S311
        leftover = persona.way.leftover
        page = self._random.randbytes(min(leftover, PAGE))  # over and over: random bytes for a slot take long
        self.flash = Flash(persona.way.capacity, (page * (leftover // PAGE + 1))[:leftover])
        self.updater = persona.way.updater(self)
        self.settings = Commands(persona, self.updater, self._fields)
        self.settings.echo = self._echo_at_boot
        self._line = LineAssembler(persona.line_limit, hunts=persona.ignores_strays)
        self.timeline = Timeline()
        self._out: list[Sent] = []
        self._phase: DataPhase | None = None
        self._deaf_until = self._refuse_until = -inf
        self._fall_back: int | None = None
        self._updating = self._start_planned = self._stuck = self._synced = self._powered = False
        self.mute = self.silent = self.faults.lasts("mute") is not None

    def leave_data(self, reply: Reply, now: float) -> None:
        """End the data phase; ``reply`` is the result of the command that began it."""
        raise NotImplementedError

    def enter_data(self, phase: DataPhase, now: float) -> None:
        """Begin a data phase at once, without a prompt."""
        raise NotImplementedError

    def strike_piece(self, name: str) -> bool:
        """Whether a fault strikes the data phase that is going on."""
        raise NotImplementedError

    def power_on(self, now: float) -> None:
        """Say when the module's first moment is; without it, that is when it is first spoken to."""
        if self._powered:
            return
        self._powered = True
        if storm := self.faults.lasts("urc-storm"):
            period = float(storm.args[0]) if storm.args else 0.2
            self.timeline.at(now + period, lambda then: self._storm(then, period), lasting=True)
        if self.faults.strike("boot-garbage"):
            self.timeline.at(now, lambda then: self._restart(then, POWER_ON))

    @property
    def slot(self) -> bytes:
        """The bytes in the FOTA slot since its last erase."""
        return self.flash.written()

    @property
    def updating(self) -> bool:
        """Whether an update is under way, or will be without another command from the host.

        That is so from the command that starts it until it is applied or has failed, boot included; where the
        module downloads by itself, the download is part of it.
        """
        by_itself: bool = getattr(self.updater, "committed", False)
        return self._updating or self._start_planned or by_itself

    @property
    def _echo_at_boot(self) -> bool:
        if self.persona.echo or self.options.echo:
            return True
        return self.faults.lasts("echo") is not None or self.faults.has("damaged-echo") is not None

    def heal(self, now: float) -> None:
        """Take away every fault that is still to strike; power-cycle a module that a fault silenced.

        It is what a person does before the next attempt. Flash, version and what is stored stay. An update
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
        self._restart(now, POWER_ON)

    # --- what the updater may do ---------------------------------------------------------------------

    def plan(self, when: float, action: Action) -> None:
        """Do something later, unless a reboot comes first."""
        self.timeline.at(when, action)

    def send(self, when: float, data: bytes, baud: int | None = None) -> None:
        """Send these very bytes, if the module can speak."""
        if data and not self.silent and not self.dead:
            self._out.append(Sent(when, data, baud or self.baud))

    def tell(self, text: str) -> None:
        """Tell whoever watches the module's true state."""
        self.history.append(text)
        if self.on_change is not None:
            self.on_change(text)

    def judge(self) -> Verdict:
        """What the security core says of the slot."""
        if refused := self.faults.strike("refuse-validate"):
            return Verdict(refused.args[0] if refused.args else _FAILED.status)
        return self.truth()

    def truth(self) -> Verdict:
        """Whether what is in the slot is whole and fits, faults aside."""
        becomes = self.options.becomes if self.options.accept_any else None
        return judge(self.flash, self.persona.name, self.version, becomes)

    def crash(self, now: float) -> None:
        """Reboot for no reason."""
        self._restart(now, WATCHDOG)

    def start_update(self, now: float) -> None:
        """Reboot into the update."""
        self.starts.append(self.truth().status)
        self._start_planned = True
        self._deaf_until = inf
        self.timeline.at(now, self._begin_update)

    # --- rates ---------------------------------------------------------------------------------------

    def hear(self, data: bytes, baud: int) -> bytes | None:
        """What the UART makes of bytes that came at ``baud``; None: another rate's noise."""
        rules = self.persona.autobaud
        if rules is None or not self.autobaud or self._synced:
            return data if baud == self.baud else None
        start = min((place for place in (data.find(b"AT"), data.find(b"at")) if place >= 0), default=-1)
        if start < 0 or baud not in rules.bauds or self.booting:
            return None
        self._synced, self.baud = True, baud
        return data[start + rules.lost :]

    def _change_speed(self, speed: Speed, now: float) -> None:
        if speed.store:
            self.stored_baud = speed.baud or self.persona.baud
            self.autobaud = self._auto_stored = not speed.baud
        if not speed.at_once:
            return
        if not speed.baud:
            self._synced = False
            return
        old, self.baud = self.baud, speed.baud
        if self.persona.ipr:
            self.autobaud = False
        if old != speed.baud and speed.timeout_s:
            self._fall_back = old
            self.timeline.at(now + speed.timeout_s, lambda _then: self._return_speed(old, speed.baud))

    def _return_speed(self, old: int, new: int) -> None:
        """Nobody spoke at the new rate in time."""
        if self._fall_back == old and self.baud == new:
            self.baud, self._fall_back = old, None
            self.tell(f"back at {old} baud")

    def _fields(self) -> dict[bytes, bytes]:
        persona, options = self.persona, self.options
        fixed = self.baud if persona.ipr and persona.ipr.at_once else self.stored_baud
        return {
            b"version": self.version.encode("ascii", "replace"),
            b"imei": (options.imei or persona.imei).encode(),
            b"serial": persona.serial.encode(),
            b"csq": str(persona.csq if options.csq is None else options.csq).encode(),
            b"supply": str(persona.supply_mv).encode(),
            b"baud": str(self.baud).encode(),
            b"ipr": b"0" if self.autobaud else str(fixed).encode(),
        }

    # --- the boot ------------------------------------------------------------------------------------

    def _begin_update(self, now: float) -> None:
        self._updating = True
        self._restart(now, self.persona.boot.update_cause)
        if self.faults.strike("stay-dead-after-update"):
            self.dead = True
        if self.faults.strike("reboot-in-update"):
            half = sum(step.wait_s for step in self.persona.boot.update) / 2
            self.timeline.at(now + half, lambda then: self._restart(then, POWER_ON))

    def _restart(self, now: float, cause: bytes) -> None:
        boot = self.persona.boot
        self.timeline.forget()
        self._start_planned = self._stuck = False
        self.reboots += 1
        self.booting = True
        self._fall_back = self._phase = None
        self._synced = False
        self._line.clear()
        self._deaf_until = self._refuse_until = -inf
        self.updater.reset()
        self.settings.reset()
        self.settings.echo = self._echo_at_boot
        self.autobaud = self._auto_stored
        self.baud = boot.first_baud or self.stored_baud
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
        data = self._random.randbytes(3) if step.data == b"{noise}" else step.data
        reword = getattr(self.updater, "reword", None)
        self.send(now, data if reword is None else reword(data), step.baud)

    def _decide(self, now: float) -> None:
        """The boot looks at the package and applies it, or finds that it can't."""
        boot = self.persona.boot
        verdict = self.judge()
        if verdict.good and self.faults.strike("fail-update"):
            verdict = _FAILED
        when = self._say(boot.good if verdict.good else boot.bad, now, update=True)
        self.timeline.at(when, lambda then: self._apply(then, verdict))

    def _apply(self, now: float, verdict: Verdict) -> None:
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
                self.stored_baud, self._auto_stored = self.persona.baud, self.persona.autobaud is not None
        if fault := self.faults.strike("back-at-baud"):
            self.stored_baud, self._auto_stored = int(fault.args[0]), False
        self.autobaud = self._auto_stored
        self.baud = boot.first_baud or self.stored_baud
        self.tell(f"now runs {self.version}" if verdict.good else f"update failed: {verdict.status}")
        late = (boot.late_good if said_good else boot.late_bad) or boot.late
        if self.faults.has("quiet-update"):
            late = boot.late
        self.timeline.at(now + boot.ending_wait_s, lambda then: self._booted(then, boot.update_cause, late))

    def _booted(self, now: float, cause: bytes, late: tuple[Step, ...]) -> None:
        boot = self.persona.boot
        ending = boot.ending.replace(b"{cause}", cause)
        if self.autobaud and self.persona.autobaud and self.persona.autobaud.silent:
            ending = b""
        self.send(now, ending)
        self.booting = False
        if self.baud != self.stored_baud:
            self.timeline.at(now + boot.switch_s + len(ending) * BITS / self.baud, self._to_stored_baud)
        self._say(late, now)
        if isinstance(self.updater, WakingUpdater):
            self.updater.awake(now)

    def _to_stored_baud(self, _now: float) -> None:
        self.baud = self.stored_baud

    def _storm(self, now: float, period: float) -> None:
        if self.faults.has("urc-storm") is None:
            return
        if not self.booting:
            self.send(now, b"\r\n" + self._random.choice(self.persona.urcs) + b"\r\n")
        self.timeline.at(now + period, lambda then: self._storm(then, period), lasting=True)
