"""One job: one attempt to bring one target to one version, from opening the port to the report.

`Job.run` never raises what a user can cause: it returns a `JobResult` with the outcome and the error. The
stages are those of `atota.update.events.STAGES`, in that order; one that does not apply is skipped. The way
of a job through the rooms::

    Job.run -> Resumption.identify -> Resumption.of     who is it, and what did the run before leave?
            -> Resumption.finish                        an update that was started is only confirmed
            -> Run.execute -> Writer.fill -> Starter.run -> Reporter

With a journal, a job continues the run before it that was cut off (`atota.update.resume`). Without one it
goes by what it sees: a target that runs the wanted version is reported so, any other gets a fresh write. The
thresholds of the task (signal, power) are compared once, in the plan: what follows takes minutes, and the
radio is off meanwhile.
"""

import dataclasses
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from msgspec.structs import replace

from atota.clock import Clock, Deadline, StopToken, SystemClock
from atota.errors import AtotaError, Interrupted, JobTimeout, LinkError, UsageError, of_files
from atota.fota.open import open_target
from atota.journal.facts import Fact, PriorRun, Told, VersionsFact
from atota.journal.model import Opened
from atota.journal.store import Journal
from atota.module.module import Opener, open_module
from atota.module.reconnect import Adapters
from atota.ota.base import Platform
from atota.ota.download import Downloader
from atota.ota.package import verify_file
from atota.ota.serve import Serve
from atota.ota.serve import serve as serve_http
from atota.settings.adapter import check_adapter
from atota.settings.spec import JobSpec, checked, completed
from atota.sota.opening import open_chip
from atota.sota.profile import described
from atota.update import plan
from atota.update.context import Admit, Approve, JobContext, ProgressReporter
from atota.update.events import JobEvent, JobResult, Listener, StageShares, UrcEvent
from atota.update.job_journal import JobJournal, may_be_updating
from atota.update.report import Outbox
from atota.update.resume import Resumption
from atota.update.run import Run
from atota.update.state import MEANINGS, AfterCrash, JobMachine
from atota.update.target import Target, TargetOpener
from atota.values import Digests, Identity


def require_possible(spec: JobSpec, platform: Platform | None) -> None:
    """Refuse, before the port is opened, a job that cannot be carried out.

    Raises:
        UsageError: a value is malformed, or the device or the chip is not named.
        ConfigError: the board asks for more than this program has, or does not describe its chip.
        BoardMismatch: the port has another adapter than the board.
    """
    checked(spec, platform.capabilities.naming if platform is not None else None)
    if spec.task_type == "sota":
        described(spec.model, spec.board)
    if spec.board is not None:
        check_adapter(spec.board, spec.port)


class Job:
    """One job. Make it, `run` it once, read the result.

    Args:
        spec: the job.
        platform: the OTA platform; needed unless the spec names a package of its own.
        downloader: fetches packages; needed with a platform.
        listener: gets every `JobEvent` as it happens.
        stop: asks for the end; once the update is started, a second request is needed.
        clock: the time to live in, for simulated ports.
        opener: opens the module; `open_module` if not given.
        adapters: finds an adapter again that was unplugged; those on the USB if not given.
        approve: asked before anything is downloaded or written, if it is given.
        journal: holds the jobs of this machine; without it nothing is remembered.
        serve: serves a package to modules that fetch it themselves; over HTTP if not given.
        targets: opens the target; if not given, a module behind AT, or a chip for a task of type ``sota``.
        admit: asked once the target is identified: names the device, or raises what speaks against it. A
            lane of a station has it: its job has no caller, and wrong settings are those of files.
        facts: written down about the job, whatever becomes of it.
    """

    def __init__(
        self,
        spec: JobSpec,
        *,
        platform: Platform | None = None,
        downloader: Downloader | None = None,
        listener: Listener | None = None,
        stop: StopToken | None = None,
        clock: Clock | None = None,
        opener: Opener = open_module,
        adapters: Adapters | None = None,
        approve: Approve | None = None,
        journal: Journal | None = None,
        serve: Serve = serve_http,
        targets: TargetOpener | None = None,
        admit: Admit | None = None,
        facts: tuple[Fact, ...] = (),
    ) -> None:
        spec = completed(spec)
        if spec.package is None and platform is not None:
            spec = replace(spec, asks_conditions=platform.capabilities.has_thresholds)
        stop = stop or StopToken()
        self._spec = spec
        self._clock = clock
        self._targets = targets or (
            partial(open_chip, adapters=adapters)
            if spec.task_type == "sota"
            else partial(open_target, opener=opener, adapters=adapters)
        )
        self._listener = listener or (lambda _: None)
        result = JobResult()
        progress = ProgressReporter(self._on_event, result)
        opened = Opened(run=uuid.uuid4().hex[:12], attempt=1, command=spec.command, port=spec.port)
        self._entry = entry = JobJournal(
            journal,
            opened,
            clock=clock or SystemClock(),
            may_fail=lambda: self._machine.must_not_interrupt,
            warn=progress.warn,
        )
        self._machine = JobMachine(entry.state, stop)
        self._admit = admit
        self._facts = facts
        self._context = JobContext(
            spec=spec,
            result=result,
            progress=progress,
            entry=entry,
            machine=self._machine,
            outbox=Outbox(
                journal, lambda: entry.id, progress.warn, self._on_told, lambda: self._spec.product_id
            ),
            stop=stop,
            journal=journal,
            platform=platform,
            downloader=downloader,
            approve=approve,
            serve=serve,
        )

    @property
    def id(self) -> str:
        """The job's id, and its record's; one that continues a run has another once it is identified."""
        return self._entry.id

    def run(self) -> JobResult:
        """Run the job. Never raises an `AtotaError`; it is in the result."""
        context, result = self._context, self._context.result
        with self._machine:
            try:
                for fact in self._facts:
                    self._entry.fact(fact)
                with self._opened() as target:
                    self._run(target)
                if not result.exit_code:
                    context.progress.skip_the_rest()
            except AtotaError as error:
                self._fail(error)
            self._entry.end(self._spec, result)
        result.record_id = "" if self._spec.dry_run else self._entry.id
        result.resumes = self._entry.opened.resumes
        return result

    def _run(self, target: Target) -> None:
        resumption = Resumption(self._context, target)
        identity = self._identify(target, resumption)
        if self._admit is not None:
            self._context = self._admitted(self._admit, target, identity)
            resumption = Resumption(self._context, target)
        prior = resumption.of(identity)
        before = resumption.version_before(identity)
        self._entry.begin(self._spec, identity, target.adapter, prior)
        if identity.version is None and before is not None:
            self._entry.fact(VersionsFact(before=before))  # for the next run, wherever this one ends
        run = Run(self._context, target, identity, before=before)
        if prior is not None:
            duty = MEANINGS[prior.state].after_crash
            if duty is not AfterCrash.NOTHING:
                self._machine.inherit(prior.state)
            if duty is AfterCrash.CONFIRM:
                # If nothing had been started after all, the earlier stages still come.
                self._context.progress.is_in_order = False
                if resumption.finish(prior, identity):
                    return
                self._context.progress.is_in_order = True
                identity = self._identify(target, resumption)
                run = Run(self._context, target, identity, before=before, undo=prior.undo)
            elif duty is AfterCrash.WRITE_AGAIN:
                run = self._continued(target, identity, prior, before)
        run.execute()

    def _admitted(self, admit: Admit, target: Target, identity: Identity) -> JobContext:
        """Return the context with the device that the admission names; a refusal has a record, too."""
        context = self._context
        try:
            admission = admit(identity)
            self._spec = spec = replace(self._spec, **admission.names)
            for fact in admission.facts:
                self._entry.fact(fact)
            self._check(spec)
        except AtotaError:
            self._entry.begin(self._spec, identity, target.adapter, None)
            raise
        target.limit = Deadline(target.clock, spec.timeout_s)  # a person may have been waited for
        return dataclasses.replace(context, spec=spec)

    def _check(self, spec: JobSpec) -> None:
        require_possible(spec, self._context.platform)

    def _continued(self, target: Target, identity: Identity, prior: PriorRun, before: str | None) -> Run:
        """Return the run that continues a write of an earlier one."""
        return Run(
            self._context,
            target,
            identity,
            before=before,
            undo=prior.undo,
            written=prior.written,
            block=prior.block,
            sha256=prior.package.sha256,
        )

    @contextmanager
    def _opened(self) -> Iterator[Target]:
        spec, context, progress = self._spec, self._context, self._context.progress
        with progress.stage("open"):
            has_platform = context.platform is not None and context.downloader is not None
            if spec.package is None and not (has_platform or spec.dry_run):
                raise UsageError("a job needs a platform or a package")
            if self._admit is None:  # else the device has no name yet
                self._check(spec)
            context.result.package = self._local_package()
            if context.journal is not None:
                context.journal.recover()
            target = self._targets(
                self._careful(spec),
                clock=self._clock,
                stop=context.stop,
                note=progress.note,
                warn=progress.warn,
                on_urc=lambda text: progress.emit(UrcEvent(text)),
            )
        try:
            target.limit = Deadline(target.clock, spec.timeout_s)
            progress.clock = target.clock
            yield target
        finally:
            context.result.longest_silence_ms = round(1000 * target.longest_silence_s)
            context.result.boots = target.boots
            target.close()

    def _careful(self, spec: JobSpec) -> JobSpec:
        """Return the spec for opening the port: no line of the board restarts a module in mid-update."""
        journal, board = self._context.journal, spec.board
        if journal is None or board is None or spec.task_type == "sota":
            return spec  # a reset harms no chip: its loader is in ROM
        now = (self._clock or SystemClock()).time()
        if not may_be_updating(journal.past(port=spec.port), now):
            return spec
        self._context.progress.note("the module may be in the middle of an update: its lines are left alone")
        return replace(spec, board=board.untouched)

    def _local_package(self) -> Digests | None:
        """Verify the package of this machine before the port is opened; it is verified again later.

        Raises:
            PackageError: it is not the right file.
        """
        local = self._spec.package
        if local is None or local.stands_in:
            return None
        return verify_file(local.path, md5=local.md5, sha256=local.sha256)

    def _identify(self, target: Target, resumption: Resumption) -> Identity:
        context = self._context
        with context.progress.stage("identify"):
            identity = resumption.identify()
            context.result.identity = identity
            context.result.version_before = identity.version
            context.progress.emit(StageShares(target.weights))
            plan.require_accepted(self._spec.board, identity)
        return identity

    def _fail(self, error: AtotaError) -> None:
        """Set the outcome of an error; an end that settles the task is a transition, others are not."""
        if self._admit is not None:
            error = of_files(error)
        is_asked_for = isinstance(error, Interrupted | JobTimeout)
        if is_asked_for or (self._machine.must_not_interrupt and isinstance(error, LinkError)):
            error = self._with_advice(error)
        if error.outcome.is_settled:
            self._machine.fail()
        self._context.result.error = error
        self._context.end(error.outcome)

    def _with_advice(self, error: AtotaError) -> AtotaError:
        """Return an interruption with the advice of the state that it struck in."""
        stage = self._context.progress.current
        message = f"{error.message} (in stage {stage})" if stage else error.message
        return type(error)(message, hint=self._machine.advice, tried=error.tried)

    # -- events and facts -----------------------------------------------------------------------

    def _on_event(self, event: JobEvent) -> None:
        self._entry.on_event(event)
        self._listener(event)

    def _on_told(self, fact: Told) -> None:
        self._context.result.told.append(fact.what)
        self._entry.fact(fact)
