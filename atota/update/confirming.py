"""After the start: wait for the module, read its version, and tell the end states apart."""

from collections.abc import Callable

from atota.clock import Deadline
from atota.dialects.model import DEFAULT_REBOOT
from atota.errors import LinkLost, ModuleError, ModuleRebooted, OldVersion, RebootTimeout
from atota.fota.base import Method
from atota.module import identify
from atota.module.module import Module
from atota.module.reboot import PATIENCE_SHARE, await_return
from atota.module.session import Session

_ASK_AGAIN_S = 3.0
_SURELY_BUSY = 0.25
"""The share of the usual time in which a module that said that it starts is only listened to."""
_BETWEEN_BOOTS_S = 30.0
"""Some updates boot twice (M5310-A: 30 s in all), so one boot that is over is not yet the last one."""


class Confirmer:
    """Waits for one module and reads its version back.

    Args:
        module: the module in which the update was started.
        method: knows what the module says of its last update.
        before: the version texts that it printed before, if any.
        expected: the version text it will print if the update went well.
        first_baud: the rate at which it was found, where it is likeliest to come back.
        limit_s: when to give up; None: as the profile says.
        tick: percent of the usual time, for the progress.
        reconnect: brings a lost link back, or raises.
        certain: the module said that it starts.
    """

    def __init__(
        self,
        module: Module,
        method: Method,
        *,
        before: tuple[str, ...],
        expected: str,
        first_baud: int,
        limit_s: float | None,
        tick: Callable[[int], None],
        reconnect: Callable[[LinkLost], None],
        certain: bool,
    ) -> None:
        self._module = module
        self._method = method
        self._before = before
        self._expected = expected
        self._reboot = module.session.dialect.reboot or DEFAULT_REBOOT
        self._rates = tuple(
            dict.fromkeys((first_baud, *module.session.dialect.uart.after_update, module.session.link.baud))
        )
        self._tick = tick
        self._reconnect = reconnect
        self._certain = certain
        clock = module.session.clock
        self._began = clock.monotonic()
        self._boots = module.session.boots
        self._seen_boots, self._last_boot = self._boots, self._began
        self._limit = Deadline(clock, limit_s or self._reboot.limit_s)
        self._settled = self._until_settled()

    @property
    def _session(self) -> Session:
        return self._module.session

    def wait(self) -> None:
        """Wait until the module answers again.

        Raises:
            RebootTimeout: it did not in time.
            LinkLost: the port went away for good.
        """
        busy_s = self._reboot.usual_s * _SURELY_BUSY if self._certain else 0.0
        while True:
            try:
                await_return(
                    self._session,
                    rates=self._rates,
                    limit=self._limit,
                    tick=self._show,
                    patience_s=self._began + busy_s - self._session.clock.monotonic(),
                )
                return
            except LinkLost as lost:
                self._reconnect(lost)

    def confirm(self) -> str:
        """Read the version until it is the expected one, or will not become it any more.

        A module that still prints its old version may not have rebooted yet, or be between the two
        reboots that some updates take; so an old version counts only after the usual time, unless the
        reboot's own cause says that the update is behind it and no other reboot followed.

        Raises:
            OldVersion: it runs what it ran.
            RebootTimeout: it stopped answering, or runs something that is neither.
        """
        self._settled = self._until_settled()
        pause_s = 0.0
        while True:
            versions = self._read(pause_s)
            done = self._expected in versions
            decided = done or (bool(versions) and (self._update_is_over() or self._settled.expired))
            # Nothing checks the bytes on the wire: what ends a job is heard twice.
            if decided and self._read(0.0, again=True) == versions:
                if done:
                    return self._expected
                raise self._verdict(versions[0])
            if self._limit.expired:
                raise RebootTimeout("the module came back but did not tell its version in time")
            elapsed_s = self._session.clock.monotonic() - self._began
            pause_s = 0.0 if decided else max(_ASK_AGAIN_S, PATIENCE_SHARE * elapsed_s)
            self._show()

    def _read(self, pause_s: float, *, again: bool = False) -> tuple[str, ...]:
        """The module's version texts after a pause; empty if it was in no state to tell them."""
        try:
            self._session.listen(pause_s)
            for command in self._session.dialect.setup if not again else ():
                self._session.command(command)
            return identify.read_versions(self._session)
        except ModuleRebooted:
            return ()
        except LinkLost as lost:
            self._reconnect(lost)
        except ModuleError:
            self._session.reset_state()
        self.wait()
        return ()

    @property
    def rebooted_to_update(self) -> bool:
        """Whether a reboot since the start gave a cause that says that the update took place."""
        booted = self._session.boots > self._boots
        return booted and self._session.last_boot_cause in self._reboot.update_causes

    def _update_is_over(self) -> bool:
        """Whether nothing more is to be expected: that reboot was some time ago, and none followed it."""
        now = self._session.clock.monotonic()
        if self._session.boots != self._seen_boots:
            self._seen_boots, self._last_boot = self._session.boots, now
        if self._method.failure is not None:
            return True
        return self.rebooted_to_update and now - self._last_boot >= _BETWEEN_BOOTS_S

    def _until_settled(self) -> Deadline:
        """When an old version has been seen for long enough: not while the module tells of its update."""
        return Deadline(self._session.clock, min(self._reboot.usual_s, self._limit.remaining))

    def _verdict(self, version: str) -> OldVersion | RebootTimeout:
        # Where no update took place the question itself would begin a validation.
        said = self._method.result(self._session) if self._certain or self.rebooted_to_update else None
        of_it = f"; of the update it says: {said}" if said else ""
        if version in self._before:
            return OldVersion(f"the module came back with its old version {version}{of_it}")
        old = f"the old {self._before[0]}" if self._before else "known from before"
        return RebootTimeout(
            f"the module came back with {version}, which is neither {old} nor the "
            f"expected {self._expected}{of_it}",
            hint="If the platform's version names are not what the module prints, give --expect-version.",
        )

    def _show(self) -> None:
        """Tell how far it is: by the module's own words where it says so, else by the usual time."""
        for line in self._session.drain_urcs():
            before = self._method.percent
            self._method.on_line(line)
            if self._method.percent != before:
                self._settled = self._until_settled()
        elapsed = self._session.clock.monotonic() - self._began
        usual = int(100 * elapsed / self._reboot.usual_s)
        self._tick(min(99, self._method.percent if self._method.percent is not None else usual))
