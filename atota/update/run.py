"""One run on an identified target: task, plan, package, write, start, report."""

from contextlib import ExitStack
from pathlib import Path

import msgspec

from atota.clock import Deadline
from atota.errors import (
    LinkLost,
    OldVersion,
    Outcome,
    PackageError,
    PackageTurnedDown,
    PlatformRefused,
    Refused,
    SlotLost,
    WriteFailed,
)
from atota.journal.facts import MethodFact, PackageFact, TaskFact, VersionsFact
from atota.ota.base import CheckQuery, Platform, Status, Task
from atota.update import plan
from atota.update.context import QUEUED, JobContext
from atota.update.package import PackageFetcher, obtain_package, task_query
from atota.update.plan import Goal, Proposal
from atota.update.report import deliver_waiting, open_handle
from atota.update.reporter import Reporter, refusal_status
from atota.update.start import Starter
from atota.update.state import JobState
from atota.update.target import Target
from atota.update.write import DEFAULT_RETRIES, RetriesUsedUp, Writer
from atota.values import Digests, Identity, MethodChoice, Refusal

_RECORDS = 100
"""Records of one target that are looked through, the newest first."""


class Run:
    """One run of a job, from the query for a task to the report.

    Args:
        context: the parts of the job.
        target: the identified target.
        identity: who it is.
        undo: commands that take back what an earlier run changed.
        written: bytes of the package with ``sha256`` that an earlier run knew to be in the slot.
        block: bytes in one of the blocks that it wrote; None: they had several lengths, or there are none.
        sha256: the digest of that package.
        before: the version that the target ran before an earlier run that was cut off.
    """

    def __init__(
        self,
        context: JobContext,
        target: Target,
        identity: Identity,
        *,
        undo: tuple[str, ...] = (),
        written: int = 0,
        block: int | None = None,
        sha256: str = "",
        before: str | None = None,
    ) -> None:
        self._context = context
        self._spec = context.spec
        self._result = context.result
        self._progress = context.progress
        self._target = target
        self._identity = identity
        self._before = before
        self._undo = undo
        self._written = (sha256, block, written)
        self._block = block
        self._fetcher: PackageFetcher | None = None
        self._versions = VersionsFact()
        self._is_ready_due = False

    def execute(self) -> None:
        """Run the job to its outcome, which is set in the context.

        Raises:
            AtotaError: the error that ends the job.
        """
        try:
            goal = self._goal()
            if goal is not None and self._plan(goal):
                with ExitStack() as serving:
                    if self._spec.dry_run:
                        self._try_package(serving)
                    else:
                        self._update(goal, *self._package(serving))
        finally:
            # Until a writer answers for it, this run takes back what an earlier one changed.
            if self._undo:
                self._context.restore(self._target, self._undo, close=False)

    # -- before the slot is touched --------------------------------------------------------------

    def _goal(self) -> Goal | None:
        """Return the version to reach: of the user's package, else of the platform's task."""
        local, expected = self._spec.package, self._spec.expect_version
        if local is not None:
            named = plan.base_from_name(local.path.name)
            return Goal(local.target, expected or local.target, base=named[0] if named else None)
        self._refuse_before_asking()
        if self._spec.dry_run and self._context.platform is None:
            with self._progress.stage("plan"):
                self._propose(None)
            self._context.end(Outcome.DONE)
            return None
        task = self._check()
        if task is None:
            return None
        return Goal(task.target, expected or task.target, signal=task.signal, power=task.power)

    def _refuse_before_asking(self) -> None:
        """Refuse before the platform's task is touched, if the target is sure to be refused."""
        refusal = self._target.refusal(self._spec.allowed)
        if refusal is not None:
            with self._progress.stage("plan"):
                raise Refused(refusal.why, hint=refusal.hint)

    def _check(self) -> Task | None:
        """Query the platform for a task."""
        context, platform = self._context, self._context.platform
        assert platform is not None
        assert context.downloader is not None
        with self._progress.stage("check"):
            self._deliver_waiting()
            query = task_query(self._spec, self._identity, platform.capabilities, before=self._before)
            reporter = Reporter(platform, query.dev_id, query.type, context.outbox)
            clock = self._target.clock
            fetcher = PackageFetcher(
                platform,
                context.downloader,
                query,
                reporter,
                note=self._progress.note,
                progress=lambda done, total: self._progress.show("download", done, total),
                clock=clock,
                stop=context.stop,
                limit=self._target.limit or Deadline(clock, None),
            )
            if self._spec.register and not self._spec.dry_run:
                reporter.version(query.version)
            task = fetcher.check()
        if task is None:
            context.end(Outcome.NO_TASK)
            return None
        self._fetcher = fetcher
        self._result.task = task_fact(task, platform, query)
        context.entry.fact(self._result.task)
        return task

    def _deliver_waiting(self) -> None:
        """Deliver the reports that wait for the platform."""
        journal, platform = self._context.journal, self._context.platform
        if journal is None or platform is None:
            return
        for delivery in deliver_waiting(journal, platform):
            if delivery.how is None:
                self._progress.warn(f"a report of job {delivery.job} still waits: {delivery.detail}")
            else:
                self._progress.note(f"delivered the report of job {delivery.job}: {delivery.detail}")

    def _plan(self, goal: Goal) -> bool:
        """Decide. True if the target is to be written; False if it runs the goal's version already."""
        identity, entry = self._identity, self._context.entry
        self._versions = VersionsFact(
            before=identity.version or self._before,
            before_revision=identity.revision,
            before_full=identity.full_version,
            target=goal.target,
            expected=goal.expected,
        )
        entry.fact(self._versions)
        with self._progress.stage("plan"):
            decision = self._decision(goal)
            if isinstance(decision, Refusal):
                if self._spec.report_refusals and not self._spec.dry_run:
                    self._report_failure(refusal_status(identity, goal))
                raise Refused(decision.why, hint=decision.hint)
            if isinstance(decision, plan.Proceed):
                for warning in decision.warnings:
                    self._progress.warn(warning)
                self._propose(goal)
                approve = self._context.approve
                if self._spec.dry_run or approve is None or approve(identity, goal):
                    return True
                self._progress.note("you said no: nothing was changed")
                self._context.end(Outcome.REFUSED)
                return False
        self._result.version_after = goal.expected
        if self._fetcher is not None and not self._spec.dry_run:
            with self._progress.stage("report"):
                self._fetcher.reporter.current(self._fetcher.task, goal.target)
        self._context.end(Outcome.ALREADY_CURRENT)
        return False

    def _decision(self, goal: Goal) -> plan.Decision:
        allowed = self._spec.allowed
        refusals = [self._target.refusal(allowed), self._target.unreadable(goal.expected)]
        is_confirmed = self._is_confirmed(goal)
        decision = plan.decide(self._identity, goal, allowed, *refusals, is_confirmed=is_confirmed)
        if isinstance(decision, plan.Proceed) and self._spec.package is None:
            assert self._fetcher is not None
            is_delta = self._fetcher.task.kind == "delta"
            refusal = self._target.package_refusal(allowed, is_delta=is_delta)
            return decision if refusal is None else self._in_words(refusal)
        return decision

    def _in_words(self, refusal: Refusal) -> Refusal:
        """Return a refusal of a package with the platform's own words for its kind."""
        assert self._fetcher is not None
        assert self._context.platform is not None
        words = self._context.platform.capabilities.words(self._fetcher.task.kind)
        return Refusal(f"{refusal.why}; the task's package is: {words}", refusal.hint)

    def _is_confirmed(self, goal: Goal) -> bool:
        """True if an earlier job updated this target to the goal's name, and read its present build back."""
        journal, imei, full = self._context.journal, self._identity.imei, self._identity.full_version
        if journal is None or imei is None or full is None or not self._identity.versions.has(goal.expected):
            return False
        return any(
            record.state is JobState.CONFIRMED
            and (record.version_after, record.full_version_after) == (goal.expected, full)
            for record in journal.records(imei=imei, limit=_RECORDS)
        )

    def _propose(self, goal: Goal | None) -> None:
        """Choose the method, ask the target for it, and note what is to be done."""
        choice = self._choose()
        self._target.probe()
        file = self._result.package or self._result.task
        size = file.size if file is not None else None
        proposal = Proposal.of(self._identity, choice, goal, self._spec.package, size)
        self._result.proposal = proposal
        self._progress.emit(proposal)

    def _try_package(self, serving: ExitStack) -> None:
        """End a dry run: judge the package as far as it is at hand, and write nothing.

        Raises:
            PackageError: the target would refuse it.
        """
        if self._spec.package is not None:
            self._package(serving)
        proposal = self._result.proposal
        assert proposal is not None
        if proposal.fits_slot is False:
            raise PackageError(f"the package has {proposal.size} bytes; the slot holds {proposal.room}")
        self._context.end(Outcome.DONE)

    def _choose(self) -> MethodChoice:
        choice = self._target.choose(self._block)
        self._context.entry.fact(
            MethodFact(
                name=choice.dialect,
                digest=choice.digest,
                method=choice.method,
                block=choice.block,
                window_s=choice.window_s,
                allowed=msgspec.structs.asdict(self._spec.allowed),
            )
        )
        return choice

    # -- from the package to the report ----------------------------------------------------------

    def _update(self, goal: Goal, path: Path, digests: Digests) -> None:
        """Fill the slot, start and report; give the write up if nothing was started."""
        undo, self._undo = self._undo, ()
        sha256, block, written = self._written
        # The numbers of blocks tell where a write stands: with another length they mean other bytes.
        is_same = sha256 == digests.sha256 and self._target.block in (None, block)
        writer = Writer(
            self._context,
            self._target,
            path,
            digests,
            retries=self._retry or DEFAULT_RETRIES,
            undo=undo,
            written=written if is_same else 0,
        )
        starter = Starter(self._context, self._target, self._versions)
        try:
            self._fill_and_start(writer, starter)
            self._report_success(goal)
        except BaseException as error:
            if isinstance(error, RetriesUsedUp) and self._retry:
                self._report_failure(Status.UPGRADE_RETRIES)
            if not isinstance(error, LinkLost):
                writer.undo()
            raise
        finally:
            self._result.blocks = self._target.blocks
            self._result.retries = self._target.retries

    def _package(self, serving: ExitStack) -> tuple[Path, Digests]:
        """Return the verified package; an empty one where the platform itself brings it into the target."""
        if self._target.starts_itself:
            self._progress.note("the platform must push the package: start the task in its console now")
            return Path(), Digests(0, "", "")
        path, digests = obtain_package(
            self._spec,
            self._target,
            self._fetcher,
            version=self._versions.expected,
            stage=self._progress.stage,
            serve=self._context.serve,
            stack=serving,
        )
        self._result.package = digests
        self._context.entry.fact(
            PackageFact(name=path.name, size=digests.size, md5=digests.md5, sha256=digests.sha256)
        )
        return path, digests

    def _fill_and_start(self, writer: Writer, starter: Starter) -> None:
        """Fill the slot and start; where the target may have begun by itself, believe its version."""
        try:
            writer.fill()
            self._is_ready_due = self._fetcher is not None and self._result.package is not None
            if not (self._target.needs_address and self._spec.serve_url is None):
                # The platform hands out no package that it believes to be in place, so a target that
                # fetches it from there is reported later.
                self._target.checkpoint()
                self._report_ready(updated=False)
            self._result.version_after = starter.run(writer)
        except OldVersion:
            self._report_failure(Status.UPGRADE_UNKNOWN)
            raise
        except PackageError:
            if self._context.machine.state is JobState.CHANGED:  # it does not fit, and nothing was written
                self._report_failure(Status.UPGRADE_MISMATCH)
            raise
        except PackageTurnedDown as refusal:
            # A module that has the goal's name already may have refused since it runs that very build.
            if refusal.is_final and not self._identity.versions.has(self._versions.expected):
                self._report_failure(Status.UPGRADE_MISMATCH)
            raise
        except WriteFailed as failure:
            if not self._target.can_start_before_activate:
                raise
            self._progress.note(f"{failure.message}: checking if the module was updated all the same")
            starter.may_have_started()
            try:
                self._result.version_after = starter.survive(is_certain=False)
            except SlotLost:
                starter.is_lost()
                raise failure from None

    def _report_ready(self, *, updated: bool) -> None:
        if self._fetcher is not None and self._is_ready_due:
            self._is_ready_due = False
            self._fetcher.ready(updated=updated)

    def _report_success(self, goal: Goal) -> None:
        if self._fetcher is None:
            self._progress.skip("report", "no platform")
            self._context.end(Outcome.UPDATED)
            return
        with self._progress.stage("report"):
            try:
                self._report_ready(updated=True)
            except PlatformRefused as error:
                self._progress.warn(error.message)
            is_reported = self._fetcher.reporter.updated(self._fetcher.task, goal.target)
            if not is_reported:
                self._progress.detail = QUEUED
        self._context.end_updated(is_reported=is_reported)

    def _report_failure(self, status: Status) -> None:
        if self._fetcher is not None:
            self._fetcher.failed(status)

    @property
    def _retry(self) -> int:
        return self._fetcher.task.retry if self._fetcher is not None else 0


def task_fact(task: Task, platform: Platform, query: CheckQuery) -> TaskFact:
    """Return a task as results and records have it: everything but a token that is a secret."""
    return TaskFact(
        target=task.target,
        size=task.size,
        md5=task.md5,
        kind=task.kind,
        signal=task.signal,
        power=task.power,
        retry=task.retry,
        interval=task.interval,
        server=platform.server,
        dev_id=query.dev_id,
        type=query.type,
        api=platform.capabilities.api,
        handle=open_handle(platform, task),
    )
