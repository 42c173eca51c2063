"""The run before this one: read its last state from the journal, and continue where it was cut off.

`atota.update.job_journal` reads what an earlier job left. `Resumption` finds the job and acts on it:

- It waits for a target that is in the middle of an update, and keeps silent for one that may still be
  waiting for bytes of a package.
- A write is handed on: what to take back, and how many bytes the target has.
- An update that was started, or may have been, is only confirmed and reported.
"""

from functools import cached_property

import msgspec

from atota.errors import (
    LimitReached,
    ModuleError,
    OldVersion,
    PackageTurnedDown,
    Refused,
    SlotLost,
    UsageError,
)
from atota.journal.facts import (
    ConfirmedFact,
    PriorRun,
    TaskFact,
)
from atota.journal.model import PastJob
from atota.ota.base import Status
from atota.update.context import QUEUED, JobContext
from atota.update.job_journal import prior_run, versions_left
from atota.update.report import Report
from atota.update.start import Starter
from atota.update.state import MEANINGS, AfterCrash, JobState
from atota.update.target import Target
from atota.values import Change, Identity, mask


class Resumption:
    """The earlier runs of one job's port and target.

    Args:
        context: the parts of the job.
        target: the target, on its open port.
    """

    def __init__(self, context: JobContext, target: Target) -> None:
        self._context = context
        self._target = target
        self._spec = context.spec
        self._journal = context.journal
        self._note = context.progress.note

    @cached_property
    def _named(self) -> PastJob | None:
        """The run that the user named.

        Raises:
            UsageError: the journal has no run of this name.
        """
        if self._spec.resume is None:
            return None
        past = self._journal.past(run=self._spec.resume) if self._journal is not None else None
        if past is None:
            raise UsageError(
                f"the journal has no run {self._spec.resume!r}",
                hint="`atota records list` shows the runs; without --resume the newest is continued.",
            )
        return past

    @property
    def _has_touched(self) -> bool | None:
        """True for a chip: a job that never met it must not hide the one that wrote it."""
        return self._spec.task_type == "sota" or None

    @cached_property
    def _last_on_this_port(self) -> PastJob | None:
        """The last job on the same port, if it is over."""
        if self._journal is None:
            return None
        past, adapter = self._named, self._target.adapter
        if past is None and adapter is not None and adapter.serial_number is not None:
            past = self._journal.past(adapter=adapter.serial_number, has_touched=self._has_touched)
        elif past is None:
            past = self._journal.past(port=self._spec.port, has_touched=self._has_touched)
        return past if past is not None and not past.is_alive else None

    @property
    def _on_this_port(self) -> PriorRun | None:
        """The last run on the same port, if it left anything."""
        return prior_run(self._last_on_this_port)

    def version_before(self, identity: Identity) -> str | None:
        """Return the version that the target ran before a job that was cut off, or failed."""
        return versions_left(self._past_of(identity)).before

    def _past_of(self, identity: Identity) -> PastJob | None:
        """Return the last job of a target. One without a number is taken to be the one on this port."""
        if identity.number is None or self._journal is None:
            return self._last_on_this_port
        past = self._journal.past(imei=identity.number, has_touched=self._has_touched)
        return past if past is not None and not past.is_alive else None

    def identify(self) -> Identity:
        """Identify the target; if it is silent because an earlier run started its update, wait for it.

        Raises:
            NoAnswer: it is silent, and no earlier run is the reason, or stays so.
            RebootTimeout: an earlier run is the reason, and it did not come back in time.
        """
        return self._believed(self._met())

    def _believed(self, identity: Identity) -> Identity:
        """Return the identity without a version that a write of a chip left behind which was not finished.

        A chip that loses its supply in mid-write starts what its flash holds, also bytes that nothing has
        compared. Without a version it is one whose application was cut, and is written anew.
        """
        past = self._past_of(identity)
        versions = versions_left(past)
        if past is None or versions.before is None or identity.version != versions.expected:
            return identity
        is_started = bool(past.states) and MEANINGS[past.states[-1]].after_crash is AfterCrash.CONFIRM
        if self._spec.task_type != "sota" or is_started or JobState.WRITING not in past.states:
            return identity
        self._note(
            f"the chip runs {identity.version}, and job {past.id} was cut off before it had compared those "
            "bytes: it is written again"
        )
        return msgspec.structs.replace(identity, version=None)

    def _met(self) -> Identity:
        """Identify the target as it is."""
        prior = self._on_this_port
        meaning = MEANINGS[prior.state if prior is not None else JobState.UNTOUCHED]
        if prior is not None and meaning.may_await_bytes and prior.method.window_s > 0:
            self._note(
                f"job {prior.id} was cut off while it sent the package: keeping silent for "
                f"{prior.method.window_s:g} s, since the module may still await bytes"
            )
            self._target.keep_silent(prior.method.window_s)
        try:
            return self._target.identify()
        except ModuleError as silence:
            if prior is None or meaning.after_crash is AfterCrash.NOTHING:
                raise
            if meaning.after_crash is AfterCrash.CONFIRM:
                self._note(
                    f"{silence.message}; run {prior.run} started the update of the module on this port: "
                    "waiting until it comes back"
                )
                self._target.await_return(self._spec.reboot_timeout_s, prior.method.name)
            else:
                self._note(
                    f"{silence.message}; run {prior.run} was cut off while it wrote, so the module may have "
                    "been busy, or at the rate of the transfer: looking once more"
                )
                self._target.reset()
            return self._target.identify()

    def of(self, identity: Identity) -> PriorRun | None:
        """Return what an earlier run of this very target left to be continued.

        Raises:
            LimitReached: another process works on the target.
            Refused: the run that the user named belongs to another target.
        """
        named, journal = self._named, self._journal
        if journal is None:
            return None
        number = identity.number
        if number is None:
            # Targets without a number of their own are told apart by their port alone.
            return _without_certainty(self._on_this_port)
        past = journal.past(imei=number)
        if past is not None and past.is_alive and past.opened.port == self._spec.port:
            raise LimitReached(
                f"another atota works on this module, {mask(number)}, on {past.opened.port}",
                hint="Wait for it, or stop it; nothing was changed.",
            )
        if named is not None and (past is None or past.run != named.run):
            raise Refused(
                f"run {named.run} is not the newest one of the module on this port",
                hint="Leave --resume out: the newest run is continued. Nothing was changed.",
            )
        prior = None if past is not None and past.is_alive else prior_run(past)
        if prior is not None and prior.state is not JobState.UNTOUCHED:
            self._note(f"continuing job {prior.id}, cut off {_WHEN[MEANINGS[prior.state].after_crash]}")
        return prior

    def finish(self, prior: PriorRun, identity: Identity) -> bool:
        """Finish an update that an earlier run started, or may have.

        Returns:
            True if that was the whole job; False if the job has to be done from its beginning.

        Raises:
            OldVersion: it surely had been started, and the target runs what it ran.
            RebootTimeout: the target went down and did not come back.
        """
        context = self._context
        try:
            version = self._confirmed(prior, identity)
        except OldVersion:
            self._report(prior, Status.UPGRADE_UNKNOWN)
            raise
        if version is None:
            context.machine.to(JobState.UNTOUCHED)
            self._note(f"the update that run {prior.run} may have started did not take place")
            return False
        is_reported = self._report(prior, Status.UPGRADED)
        if not self._is_same_work(prior):
            self._note(f"the update that run {prior.run} had started is confirmed: {version}")
            context.machine.to(JobState.UNTOUCHED)
            return False
        if "confirm" not in context.result.stages_ms:
            with context.progress.stage("confirm"):
                self._note(f"run {prior.run} had started the update; the module runs {version} now")
        for fact in (prior.versions, prior.package, prior.task, prior.method):
            if fact is not None:
                context.entry.fact(fact)
        context.result.version_before = next(iter(prior.versions.printed_before.texts), None)
        context.result.version_after = version
        context.result.task = prior.task
        context.end_updated(is_reported=is_reported)
        return True

    def _confirmed(self, prior: PriorRun, identity: Identity) -> str | None:
        """Return the version that the started update brought; None if it brought none.

        A target that still runs its old version may be about to restart: it is given the usual time.
        """
        running, versions = identity.versions, prior.versions
        change = running.change_from(versions.printed_before, versions.expected)
        if change is Change.UPDATED:
            self._context.machine.to(JobState.CONFIRMED)
            self._context.entry.fact(ConfirmedFact(versions.expected, running.full))
            return versions.expected
        if change is Change.ANOTHER or not self._target.has_method:
            return None
        self._target.choose()
        try:
            return Starter(self._context, self._target, versions).survive(is_certain=prior.is_certain)
        except (SlotLost, PackageTurnedDown):
            return None

    def _is_same_work(self, prior: PriorRun) -> bool:
        """True if the job is work for what the earlier run was about."""
        spec, platform = self._spec, self._context.platform
        if spec.package is not None:
            work = (spec.package.md5.lower(), spec.package.target)
            return prior.command == "flash" and (prior.package.md5, prior.versions.target) == work
        assert platform is not None
        task, device = prior.task or TaskFact(), spec.device(platform.capabilities.naming)
        return prior.command == "update" and (task.dev_id, task.type) == (device, spec.task_type)

    def _report(self, prior: PriorRun, status: Status) -> bool:
        """Report the end of an earlier run's task. True if the platform knows it now."""
        task = prior.task
        if task is None or not task.server:
            return True
        report = Report(
            server=task.server,
            device=task.dev_id,
            type="sota" if task.type == "sota" else "fota",
            target=task.target,
            md5=task.md5,
            status=int(status),
            version=task.target if status is Status.UPGRADED else None,
            api=task.api,
            handle=task.handle,
        )
        platform, outbox = self._context.platform, self._context.outbox
        if platform is None or not report.is_for(platform):
            return outbox.send(None, report).is_delivered
        with self._context.progress.stage("report"):
            is_delivered = outbox.send(platform, report).is_delivered
            if not is_delivered:
                self._context.progress.detail = QUEUED
            return is_delivered


_WHEN = {
    AfterCrash.NOTHING: "before it changed anything",
    AfterCrash.WRITE_AGAIN: "while the slot was written",
    AfterCrash.CONFIRM: "after the update was started",
}


def _without_certainty(prior: PriorRun | None) -> PriorRun | None:
    """A run that may have been another target's: reason enough to wait for a restart, not for a verdict."""
    if prior is None or MEANINGS[prior.state].after_crash is not AfterCrash.CONFIRM:
        return None
    return msgspec.structs.replace(prior, state=JobState.MAY_HAVE_STARTED, is_certain=False)
