"""One job: one attempt to bring one module to one version, from opening the port to the report.

`Job.run` never raises what a user can cause: it returns a `JobResult` with the outcome and the error. The
stages are those of `atota.update.events.STAGES`, in that order; one that does not apply is skipped.

Nothing of an interrupted job is kept but the package in the cache. The next one goes on from what it sees: a
module that runs the target is told to the platform as that; any other gets a whole fresh write, since what
an earlier run left in the slot cannot be accounted for. The thresholds of the task (signal, power) are
compared once, in the plan: what follows takes minutes, and the radio is off meanwhile.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from atota.at.events import Event, Urc
from atota.clock import Clock, Deadline, StopToken
from atota.errors import (
    AtotaError,
    Interrupted,
    JobTimeout,
    LinkError,
    LinkLost,
    OldVersion,
    PlatformRefused,
    Refused,
    UsageError,
)
from atota.fota.base import Method, SlotLost
from atota.fota.registry import method_for
from atota.module import identify
from atota.module.identify import Findings
from atota.module.module import Module, open_module
from atota.update import plan
from atota.update.asking import check_query, task_fields, wanted_of
from atota.update.confirming import Confirmer
from atota.update.events import Listener, UrcEvent, Weights
from atota.update.obtaining import Obtainer
from atota.update.platform import Downloader, Platform, Status
from atota.update.reconnect import Adapters, Reconnector, UsbAdapters
from atota.update.reporting import Reporter, refusal_status
from atota.update.spec import JobResult, JobSpec, checked, completed
from atota.update.stages import StageLog, with_advice
from atota.update.supplying import Package, Supplier
from atota.update.writing import DEFAULT_RESTARTS, RetriesUsedUpError, Writer
from atota.values import Digests, Identity


class Job:
    """One job. Make it, `run` it once, read the result.

    Args:
        spec: what to do.
        platform: the OTA platform; needed unless the spec names a package of its own.
        downloader: where packages come from; needed with a platform.
        listener: gets every `JobEvent` as it happens.
        stop: asks for the end; once the update is started, a second request is needed.
        clock: the time to live in, for simulated ports.
        opener: opens the module; `open_module` if not given.
        adapters: finds an adapter again that went away; those on the USB if not given.
        approve: asked before anything is downloaded or written; nobody is asked if not given.
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
        opener: Callable[..., Module] = open_module,
        approve: Callable[[Identity, plan.Wanted], bool] | None = None,
        adapters: Adapters | None = None,
    ) -> None:
        self._spec = completed(spec)
        self._platform = platform
        self._downloader = downloader
        self._stop = stop or StopToken()
        self._clock = clock
        self._opener = opener
        self._approve = approve
        self._adapters = adapters or UsbAdapters()
        self._result = JobResult(record_id=uuid.uuid4().hex)
        self._log = StageLog(listener or (lambda _: None), self._result)
        self._obtainer: Obtainer | None = None
        self._reconnector: Reconnector | None = None
        self._ready_is_due = False

    def run(self) -> JobResult:
        """Do it. Returns always, unless the program itself is broken."""
        result = self._result
        try:
            with self._opened() as module:
                self._run(module)
        except AtotaError as error:
            self._fail(error)
        if not result.exit_code:
            self._log.skip_the_rest()
        return result

    # -- the road ---------------------------------------------------------------------------

    def _run(self, module: Module) -> None:
        identity = self._identify(module)
        findings = _found(module)
        if self._spec.package is None:
            self._refuse_before_asking(findings)
            if not self._check(module, identity):
                return
        wanted = wanted_of(self._spec, self._obtainer.task if self._obtainer is not None else None)
        method = self._plan(module, findings, identity, wanted)
        if method is None:
            return
        with ExitStack() as shield, ExitStack() as serving:
            writer = self._writer(module, method, self._package(method, serving))
            try:
                self._fill(writer, method)
                self._start(module, method, writer, identity, wanted, shield)
            except BaseException as error:
                self._give_up(writer, error)
                raise
            finally:
                self._result.blocks = method.tally.blocks
                self._result.retries = method.tally.retries

    @contextmanager
    def _opened(self) -> Iterator[Module]:
        spec = self._spec
        with self._log.stage("open"):
            if spec.package is None and (self._platform is None or self._downloader is None):
                raise UsageError("a job needs a platform or a package")
            checked(spec)
            module = self._opener(
                spec.port,
                baud=spec.baud,
                dialect=spec.dialect,
                model=spec.model,
                board=spec.board,
                clock=self._clock,
                stop=self._stop,
                listener=self._on_event,
            )
        with module:
            module.session.limit = Deadline(module.session.clock, spec.timeout_s)
            self._log.clock = module.session.clock
            self._reconnector = Reconnector(module, self._adapters, spec.port, self._log.note)
            yield module

    def _identify(self, module: Module) -> Identity:
        with self._log.stage("identify"):
            identity = module.identify()
            findings = _found(module)
            self._result.identity = identity
            self._result.version_before = identity.version
            self._log.emit(Weights(findings.dialect.weights))
            if not self._spec.allowed.unproven:
                identify.require_consistent(findings)
            elif findings.contradiction:
                self._log.warn(findings.contradiction)
            plan.require_accepted(self._spec.board, identity)
        return identity

    def _refuse_before_asking(self, findings: Findings) -> None:
        """What is certain to be refused is refused before the platform's task is touched."""
        evidence = findings.identity.evidence
        refusal = plan.method_refusal(findings.dialect, findings.row, self._spec.allowed, evidence)
        if refusal is not None:
            with self._log.stage("plan"):
                raise Refused(refusal.why, hint=refusal.hint)

    def _check(self, module: Module, identity: Identity) -> bool:
        """Ask for a task. False if there is none."""
        assert self._platform is not None
        assert self._downloader is not None
        with self._log.stage("check"):
            query = check_query(self._spec, identity)
            reporter = Reporter(self._platform, query.dev_id, query.type, self._log.warn)
            obtainer = Obtainer(
                self._platform,
                self._downloader,
                query,
                reporter,
                self._log,
                clock=module.session.clock,
                stop=self._stop,
                limit=module.session.limit or Deadline(module.session.clock, None),
            )
            if self._spec.register:
                reporter.version(query.version)
            task = obtainer.check()
        if task is None:
            self._end("no-task")
            return False
        self._obtainer = obtainer
        self._result.task = task_fields(task)
        return True

    def _plan(
        self, module: Module, findings: Findings, identity: Identity, wanted: plan.Wanted
    ) -> Method | None:
        """Decide. The method to use, or None if there is nothing to do."""
        with self._log.stage("plan"):
            verdict = plan.decide(identity, findings.dialect, findings.row, wanted, self._spec.allowed)
            if isinstance(verdict, plan.Go) and self._spec.package is None:
                verdict = plan.package_refusal(findings.dialect, self._spec.allowed) or verdict
            if isinstance(verdict, plan.Refusal):
                if self._spec.report_refusals:
                    self._tell_failure(refusal_status(identity, wanted))
                raise Refused(verdict.why, hint=verdict.hint)
            if isinstance(verdict, plan.Go):
                for warning in verdict.warnings:
                    self._log.warn(warning)
                method = method_for(findings.dialect, block=self._spec.block, read_back=self._spec.read_back)
                method.note = self._log.note
                method.probe(module.session)
                if self._approve is not None and not self._approve(identity, wanted):
                    raise Refused("you said no", hint="Nothing was changed.")
                return method
        self._result.version_after = identity.version
        if self._obtainer is not None:
            with self._log.stage("report"):
                self._obtainer.reporter.version(wanted.target)
        self._end("already-current")
        return None

    def _package(self, method: Method, serving: ExitStack) -> Package:
        """The verified package; nothing where the platform itself brings it into the module."""
        if not method.streams and not method.needs_address:
            self._log.note("the platform must push the package: start the task in its console now")
            return Path(), Digests(0, "", "")
        package = Supplier(self._spec, self._obtainer, self._log, serving).package(method)
        self._result.package = package[1]
        return package

    def _writer(self, module: Module, method: Method, package: Package) -> Writer:
        return Writer(
            module,
            method,
            *package,
            transfer_baud=self._spec.transfer_baud,
            restarts=self._retry or DEFAULT_RESTARTS,
            progress=lambda done, total: self._log.progress("write", done, total),
            warn=self._log.warn,
            reconnect=self._reconnect,
        )

    def _fill(self, writer: Writer, method: Method) -> None:
        """Prepare, write, validate: nothing is started yet."""
        with self._log.stage("prepare"):
            writer.prepare()
        if method.streams:
            with self._log.stage("write"):
                writer.write()
        else:
            self._log.skip("write", "the module gets the package by itself")
        if not method.validates:
            self._log.skip("validate", "the module checks the package when it starts the update")
            return
        with self._log.stage("validate"):
            writer.validate()

    def _start(
        self,
        module: Module,
        method: Method,
        writer: Writer,
        identity: Identity,
        wanted: plan.Wanted,
        shield: ExitStack,
    ) -> None:
        """From the point of no return to the report; all over again if the start was lost on the way."""
        # What the platform believes to be in place it gives to nobody any more, not to the module either.
        self._ready_is_due = self._obtainer is not None and self._result.package is not None
        if not (method.needs_address and self._spec.serve_url is None):
            module.session.check()
            self._tell_ready()
        certain = False
        while True:
            try:
                certain = certain or self._activate(module, method, shield)
                self._survive(module, method, identity, wanted, certain=certain or writer.is_last_try)
                return
            except SlotLost as lost:
                shield.close()
                self._log.started = False
                writer.recover(lost)
                certain = wanted.expected in identify.read_versions(module.session)
                if not certain:
                    writer.refill()

    def _activate(self, module: Module, method: Method, shield: ExitStack) -> bool:
        """Start the update; from here on one request to stop is only noted. Whether it surely took it."""
        with self._log.stage("activate"):
            module.session.check()
            shield.enter_context(self._stop.shielded())
            if self._stop.is_noted:
                raise Interrupted("stopped by the user")
            self._log.started = True
            try:
                return method.activate(module.session) is not False
            except LinkLost as lost:
                self._reconnect(lost)
                return False
            except AtotaError as error:
                self._log.started = isinstance(error, Interrupted | JobTimeout)
                raise

    def _survive(
        self, module: Module, method: Method, identity: Identity, wanted: plan.Wanted, *, certain: bool
    ) -> None:
        """Wait for the module, read its version back, report."""
        before = (identity.version, identity.revision)
        confirmer = Confirmer(
            module,
            method,
            before=tuple(version for version in before if version),
            expected=wanted.expected,
            first_baud=identity.baud or module.session.link.baud,
            limit_s=self._spec.reboot_timeout_s,
            tick=lambda percent: self._log.progress("reboot", percent, 100, percent=True),
            reconnect=self._reconnect,
            certain=certain,
        )
        with self._log.stage("reboot"):
            confirmer.wait()
        try:
            with self._log.stage("confirm"):
                confirmed = confirmer.confirm()
        except OldVersion as error:
            if certain or confirmer.rebooted_to_update:
                self._tell_failure(Status.UPGRADE_UNKNOWN)
                raise
            message = f"{error.message}: the start seems to have been lost"
            raise SlotLost(message, hint=error.hint) from error
        self._result.version_after = confirmed
        self._report(wanted)

    def _tell_ready(self) -> None:
        if self._obtainer is not None and self._ready_is_due:
            self._obtainer.ready()
        self._ready_is_due = False

    def _report(self, wanted: plan.Wanted) -> None:
        if self._obtainer is None:
            self._log.skip("report", "no platform")
            self._end("updated")
            return
        with self._log.stage("report"):
            try:
                self._tell_ready()
            except PlatformRefused as error:
                self._log.warn(error.message)
            told = self._obtainer.reporter.updated(self._obtainer.task, wanted.target)
        self._end("updated" if told else "updated-unreported", 0 if told else 14)

    @property
    def _retry(self) -> int:
        return self._obtainer.task.retry if self._obtainer is not None else 0

    def _reconnect(self, lost: LinkLost) -> None:
        if self._reconnector is None:
            raise lost
        self._reconnector.back(lost)

    def _give_up(self, writer: Writer, error: BaseException) -> None:
        """Nothing was started: give back what was changed, also when the user has asked for the end."""
        if isinstance(error, RetriesUsedUpError) and self._retry:
            self._tell_failure(Status.UPGRADE_RETRIES)
        if self._log.started or isinstance(error, LinkLost):
            return
        with self._stop.shielded():
            writer.undo()

    def _tell_failure(self, status: Status) -> None:
        if self._obtainer is not None:
            self._obtainer.failed(status)

    def _end(self, outcome: str, exit_code: int = 0) -> None:
        self._result.outcome = outcome
        self._result.exit_code = exit_code

    def _fail(self, error: AtotaError) -> None:
        asked_for = isinstance(error, Interrupted | JobTimeout)
        if asked_for or (self._log.started and isinstance(error, LinkError)):
            error = with_advice(error, self._log.current, started=self._log.started)
        self._result.error = error
        self._end(error.outcome, error.exit_code)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Urc):
            self._log.emit(UrcEvent(event.text))


def _found(module: Module) -> Findings:
    if module.findings is None:
        raise AssertionError("identify comes first")
    return module.findings
