"""The restart that carries out an update: wait for the module and read its version.

The end of the wait, by what the module reports and prints::

    the goal's name, new                        -> updated
    its old texts, a failure before any reboot  -> the package was turned down
    its old texts                               -> old version
    texts that tell no build from another       -> old version after a reported failure, else unknown
    other texts, or none in time                -> unknown

Progress that the module reports begins the limit anew, up to the profile's ``longest_s``.
"""

from collections.abc import Callable

from atota.clock import Deadline
from atota.dialects.model import DEFAULT_REBOOT, Dialect
from atota.errors import (
    AtotaError,
    LinkLost,
    ModuleError,
    ModuleRebooted,
    OldVersion,
    PackageTurnedDown,
    RebootTimeout,
    SameName,
)
from atota.fota.base import Method
from atota.fota.registry import method_for
from atota.module import identify
from atota.module.module import Module
from atota.module.reboot import PATIENCE_SHARE, await_return
from atota.module.session import Session
from atota.values import Change, Versions

_ASK_AGAIN_S = 3.0
_SURELY_BUSY = 0.25
"""The share of the usual time in which a module that said that it starts is only listened to."""
_BETWEEN_BOOTS_S = 30.0
"""Some updates boot twice (M5310-A: 30 s in all), so one boot that is over is not yet the last one."""


class ModuleRestart:
    """The restart of one module, from its start command to the version that is read back.

    Args:
        module: the module in which the update was started.
        method: follows what the module prints of its update.
        printed_before: the version texts that it printed before.
        expected: the name of the version that the update brings.
        first_baud: the rate at which it was found, where it is likeliest to come back; bit/s.
        limit_s: the longest wait; None: the profile's limit.
        is_certain: the module said that it starts.
        on_percent: gets percent of the usual time, for the progress.
        reconnect: brings a lost link back, or raises.
        require_same: raises if another module came back.
    """

    def __init__(
        self,
        module: Module,
        method: Method,
        *,
        printed_before: Versions,
        expected: str,
        first_baud: int,
        limit_s: float | None,
        is_certain: bool,
        on_percent: Callable[[int], None],
        reconnect: Callable[[AtotaError], None],
        require_same: Callable[[], None] = lambda: None,
    ) -> None:
        self._session = module.session
        self._method = method
        self._printed_before = printed_before
        self._expected = expected
        dialect = self._session.dialect
        self._reboot = dialect.reboot or DEFAULT_REBOOT
        self._rates = tuple(dict.fromkeys((first_baud, *dialect.uart.after_update, self._session.link.baud)))
        self._on_percent = on_percent
        self._reconnect = reconnect
        self._require_same = require_same
        self._is_certain = is_certain
        clock = self._session.clock
        self._began = clock.monotonic()
        self._boots = self._session.boots
        self._is_turned_down = False
        self._seen_boots, self._last_boot = self._boots, self._began
        self._limit_s = limit_s or self._reboot.limit_s
        self._longest_s = max(self._limit_s, self._reboot.longest_s or 0.0)
        self._limit = Deadline(clock, self._limit_s)
        self._settled = self._until_settled()

    def wait(self) -> None:
        """Wait until the module answers again.

        Raises:
            RebootTimeout: it did not in time.
            LinkLost: the port went away for good.
        """
        busy_s = self._reboot.usual_s * _SURELY_BUSY if self._is_certain else 0.0
        while True:
            try:
                await_return(
                    self._session,
                    rates=self._rates,
                    limit=self._limit,
                    tick=self._show,
                    patience_s=self._began + busy_s - self._session.clock.monotonic(),
                    is_over=lambda: self._is_turned_down,
                )
                return
            except LinkLost as lost:
                self._reconnect(lost)

    def confirm(self) -> Versions:
        """Read the version until it is the expected one, or will not become it any more.

        A module that still prints its old version may not have rebooted yet, or be between the two
        reboots that some updates take; so an old version counts only after the usual time, unless the
        reboot's own cause says that the update is behind it and no other reboot followed.

        Returns:
            The version texts that it prints now.

        Raises:
            PackageTurnedDown: it refused the package before it rebooted.
            OldVersion: it runs what it ran.
            SameName: its version texts cannot tell if it does.
            RebootTimeout: it stopped answering, or runs something that is neither.
        """
        self._settled = self._until_settled()
        pause_s = 0.0
        while True:
            versions = self._read(pause_s)
            is_updated = self._change(versions) is Change.UPDATED
            is_decided = is_updated or (
                bool(versions.texts) and (self._update_is_over() or self._settled.expired)
            )
            # Nothing checks the bytes on the wire: a version that ends a job is read twice.
            if is_decided and self._read(0.0, again=True) == versions:
                if is_updated:
                    return versions
                raise self._failure(versions)
            if self._limit.expired:
                raise RebootTimeout("the module came back but did not report its version in time")
            elapsed_s = self._session.clock.monotonic() - self._began
            pause_s = 0.0 if is_decided else max(_ASK_AGAIN_S, PATIENCE_SHARE * elapsed_s)
            self._show()

    def _change(self, versions: Versions) -> Change:
        return versions.change_from(self._printed_before, self._expected)

    def _read(self, pause_s: float, *, again: bool = False) -> Versions:
        """Return the module's version texts after a pause; none if it is in no state to print them."""
        try:
            self._session.listen(pause_s)
            for command in self._session.dialect.setup if not again else ():
                self._session.command(command)
            self._require_same()
            return identify.read_versions(self._session)
        except ModuleRebooted:
            return Versions()
        except LinkLost as lost:
            self._reconnect(lost)
        except ModuleError:
            self._session.reset_state()
        self.wait()
        return Versions()

    @property
    def has_update_cause(self) -> bool:
        """True if a reboot since the start gave a cause that proves the update."""
        has_booted = self._session.boots > self._boots
        return has_booted and self._session.last_boot_cause in self._reboot.update_causes

    def _update_is_over(self) -> bool:
        """True if that reboot was some time ago, and no other followed it."""
        now = self._session.clock.monotonic()
        if self._session.boots != self._seen_boots:
            self._seen_boots, self._last_boot = self._session.boots, now
        if self._method.failure is not None:
            return True
        return self.has_update_cause and now - self._last_boot >= _BETWEEN_BOOTS_S

    def _until_settled(self) -> Deadline:
        """Return the time from which an old version counts; progress of the update moves it on."""
        return Deadline(self._session.clock, min(self._reboot.usual_s, self._limit.remaining))

    def _turns_down(self) -> bool:
        """True if the module has reported a failure before any reboot, and nothing of the update itself.

        A reboot that follows for another reason takes nothing back of it.
        """
        method, session = self._method, self._session
        has_booted = session.booting or session.boots != self._boots
        is_new = method.failure is not None and not has_booted
        return (self._is_turned_down or is_new) and not method.has_left

    def _failure(self, versions: Versions) -> AtotaError:
        change, version = self._change(versions), versions.texts[0]
        if self._is_turned_down and change in (Change.NONE, Change.UNTOLD):
            method = self._method
            return PackageTurnedDown(
                f"the module turned the package down before it rebooted: {method.failure}",
                is_final=method.holds_package or method.is_mismatch,
            )
        # Where no update took place the question itself would begin a validation.
        is_asked = self._is_certain or self.has_update_cause
        result = self._method.result(self._session) if is_asked else None
        reported = f"; of the update it reports: {result}" if result else ""
        if change is Change.NONE or (change is Change.UNTOLD and self._method.failure is not None):
            return OldVersion(f"the module came back with its old version {version}{reported}")
        if change is Change.UNTOLD:
            return self._same_name(versions, reported)
        before = self._printed_before.texts
        old = f"the old {before[0]}" if before else "known from before"
        return RebootTimeout(
            f"the module came back with {version}, which is neither {old} nor the "
            f"expected {self._expected}{reported}",
            hint="If the platform's version names are not what the module prints, give --expect-version.",
        )

    def _same_name(self, versions: Versions, reported: str) -> SameName:
        has_succeeded = self._method.has_succeeded
        ending = "it reported that the update succeeded" if has_succeeded else "it reported no result"
        return SameName(
            f"the module prints {versions.texts[-1]} as before, which cannot tell its old firmware from "
            f"{self._expected}; {ending}{reported}"
        )

    def _show(self) -> None:
        """Show the module's own percentage if it prints one, else the share of the usual time."""
        for line in self._session.drain_urcs():
            before = self._method.progress
            self._method.on_line(line)
            self._is_turned_down = self._turns_down()
            if self._method.progress != before:
                self._limit.extend(self._limit_s, until=self._began + self._longest_s)
                self._settled = self._until_settled()
        elapsed_s = self._session.clock.monotonic() - self._began
        usual = int(100 * elapsed_s / self._reboot.usual_s)
        self._on_percent(min(99, self._method.percent if self._method.percent is not None else usual))


def await_earlier_update(session: Session, profile: Dialect, wait_s: float) -> None:
    """Wait for a module in the middle of an update that an earlier run started; progress extends the wait.

    Raises:
        RebootTimeout: it did not come back in time.
    """
    rates = tuple(dict.fromkeys((session.link.baud, *session.dialect.uart.bauds)))
    limit = Deadline(session.clock, wait_s)
    longest_s = (profile.reboot or DEFAULT_REBOOT).longest_s or 0.0
    latest = session.clock.monotonic() + max(wait_s, longest_s)
    method = method_for(profile) if profile.method is not None else None

    def tick() -> None:
        session.check()
        if method is None:
            return
        for line in session.drain_urcs():
            before = method.progress
            method.on_line(line)
            if method.progress != before:
                limit.extend(wait_s, until=latest)

    await_return(session, rates=rates, limit=limit, tick=tick)
