"""Goes on from a run that was cut off: finds it in the journal, and the module in whatever state it is."""

from functools import cached_property

import msgspec

from atota.clock import Deadline
from atota.dialects import loader
from atota.dialects.model import DEFAULT_REBOOT
from atota.errors import LimitReached, ModuleError, Refused, UsageError
from atota.journal.model import Past
from atota.journal.store import Journal
from atota.link.ports import PortInfo
from atota.module.module import Module
from atota.module.reboot import await_return
from atota.module.session import Session
from atota.settings.spec import JobSpec
from atota.update.resume import Earlier, earlier
from atota.update.stages import StageLog
from atota.values import Identity, is_unique_imei, mask

_MARGIN_S = 2.0
"""Beyond a module's own window: whatever is written too early begins it anew."""


_MOST_WINDOWS = 3
"""For a module that never keeps quiet: a prompt that comes later than this is not to be expected."""


class TakeOver:
    """The earlier runs of one job's port and module.

    Args:
        journal: where they stand; None: nobody knows of any.
        spec: what the job is asked to do.
        adapter: its adapter, if it can be told from others.
        log: tells the listener.
    """

    def __init__(
        self, journal: Journal | None, spec: JobSpec, adapter: PortInfo | None, log: StageLog
    ) -> None:
        self._journal = journal
        self._spec = spec
        self._adapter = adapter.serial_number if adapter is not None else None
        self._log = log

    @cached_property
    def _named(self) -> Past | None:
        """The run that the user named.

        Raises:
            UsageError: there is none of this name.
        """
        if self._spec.resume is None:
            return None
        past = self._journal.past(run=self._spec.resume) if self._journal is not None else None
        if past is None:
            raise UsageError(
                f"the journal has no run {self._spec.resume!r}",
                hint="`atota records list` shows the runs; without --resume the newest is found.",
            )
        return past

    def identified(self, module: Module) -> Identity:
        """Identify the module; if it is silent because an earlier run started its update, wait for it.

        Raises:
            NoAnswer: it is silent, and no earlier run is the reason, or stays so.
            RebootTimeout: an earlier run is, and it did not come back in time.
        """
        before = self._before
        if before is not None and before.window_s > 0:
            self._log.note(
                f"job {before.id} was cut off while it sent the package: leaving the module alone for "
                f"{before.window_s:g} s, since it may still be waiting for bytes"
            )
            _leave_alone(module.session, before.window_s + _MARGIN_S)
        try:
            return module.identify()
        except ModuleError as silence:
            if before is None or before.standing == "nothing":
                raise
            module.session.reset_state()
            if before.standing == "started":
                self._await_update(module.session, before, silence)
            else:
                self._log.note(
                    f"{silence.message}; run {before.run} was cut off while it wrote, so the module may have "
                    "been busy, or at the rate of the transfer: looking once more"
                )
            return module.identify()

    def _await_update(self, session: Session, before: Earlier, silence: ModuleError) -> None:
        """Wait for a module that is in the middle of the update that an earlier run started."""
        reboot = (loader.load(before.dialect) if before.dialect else session.dialect).reboot
        limit_s = self._spec.reboot_timeout_s or (reboot or DEFAULT_REBOOT).limit_s
        self._log.note(
            f"{silence.message}; run {before.run} started the update of the module on this port: "
            f"waiting up to {limit_s:g} s for it"
        )
        rates = tuple(dict.fromkeys((session.link.baud, *session.dialect.uart.bauds)))
        await_return(session, rates=rates, limit=Deadline(session.clock, limit_s), tick=session.check)

    @cached_property
    def _before(self) -> Earlier | None:
        """The run before this one on the same port, if it left anything."""
        if self._journal is None:
            return None
        past = self._named
        if past is None and self._adapter is not None:
            past = self._journal.past(adapter=self._adapter)
        elif past is None:
            past = self._journal.past(port=self._spec.port)
        return earlier(past) if past is not None and not past.alive else None

    def of(self, identity: Identity) -> Earlier | None:
        """What an earlier run of this very module left to be gone on with.

        Raises:
            LimitReached: another process works on the module.
            Refused: the run that the user named was another module's.
        """
        named, journal = self._named, self._journal
        if journal is None:
            return None
        known = identity.imei is not None and is_unique_imei(identity.imei)
        past = journal.past(imei=identity.imei) if known else None
        if not known:
            # Modules that were not given a number of their own yet are told apart by their port alone.
            return self._uncertain(self._before)
        if past is not None and past.alive and past.opened.port == self._spec.port:
            raise LimitReached(
                f"another atota works on this module, {mask(identity.imei)}, on {past.opened.port}",
                hint="Wait for it, or stop it; nothing was changed.",
            )
        if named is not None and (past is None or past.run != named.run):
            raise Refused(
                f"run {named.run} is not the newest one of the module on this port",
                hint="Leave --resume out: the newest run is found by itself. Nothing was changed.",
            )
        found = None if past is not None and past.alive else earlier(past)
        if found is not None and found.standing != "nothing":
            self._log.note(f"going on from job {found.id}, {_WORDS[found.standing]}")
        return found

    @staticmethod
    def _uncertain(found: Earlier | None) -> Earlier | None:
        """What may have been another module's run: enough to wait for a reboot, not for a verdict."""
        if found is None or found.standing != "started":
            return None
        return msgspec.structs.replace(found, certain=False)


def _leave_alone(session: Session, window_s: float) -> None:
    """Keep silent for ``window_s`` after whatever the module says: that may open the window only now."""
    for _ in range(_MOST_WINDOWS):
        came = session.received_bytes
        session.listen(window_s)
        if session.received_bytes == came:
            return


_WORDS = {
    "writing": "cut off while the slot was written",
    "started": "cut off after the update was started",
}


def concerns(found: Earlier, spec: JobSpec) -> bool:
    """Whether the job is asked for what the earlier run was about."""
    local = spec.package
    if local is not None:
        return found.command == "flash" and (found.md5, found.target) == (local.md5.lower(), local.target)
    task = found.task or {}
    same = (task.get("dev_id"), task.get("type")) == (spec.dev_id, spec.task_type)
    return found.command == "update" and same
