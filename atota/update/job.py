"""One job: one attempt to bring one module to one version, from opening the port to the report.

`Job.run` never raises what a user can cause: it returns a `JobResult` with the outcome and the error. The
stages are those of `atota.update.events.STAGES`, in that order; one that does not apply is skipped.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from atota.at.events import Event, Urc
from atota.clock import Clock, Deadline, StopToken
from atota.errors import (
    AtotaError,
    Interrupted,
    JobTimeout,
    OldVersion,
    PackageError,
    PlatformRefused,
    Refused,
    UsageError,
)
from atota.fota.base import Method
from atota.fota.registry import method_for
from atota.module import identify
from atota.module.identify import Findings
from atota.module.module import Module, open_module
from atota.ota.package import verify_file
from atota.update import plan
from atota.update.asking import check_query
from atota.update.confirming import Confirmer
from atota.update.events import Listener, UrcEvent, Weights
from atota.update.platform import Downloader, Platform, Status, Task
from atota.update.reporting import Reporter, refusal_status
from atota.update.spec import JobResult, JobSpec
from atota.update.stages import StageLog, with_advice
from atota.update.writing import DEFAULT_RESTARTS, RetriesUsedUpError, Writer
from atota.values import Digests, Identity

_EXPIRED = 12


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
    ) -> None:
        self._spec = spec
        self._platform = platform
        self._downloader = downloader
        self._stop = stop or StopToken()
        self._clock = clock
        self._opener = opener
        self._approve = approve
        self._result = JobResult(record_id=uuid.uuid4().hex)
        self._log = StageLog(listener or (lambda _: None), self._result)
        self._limit: Deadline | None = None
        self._reporter: Reporter | None = None
        self._task: Task | None = None

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
            if not self._check(identity):
                return
        wanted = self._wanted()
        method = self._plan(module, findings, identity, wanted)
        if method is None:
            return
        package = self._package(method)
        self._fill(module, method, package)
        with self._stop.shielded():
            self._start(module, method, identity, wanted)

    @contextmanager
    def _opened(self) -> Iterator[Module]:
        spec = self._spec
        with self._log.stage("open"):
            if spec.package is None and (self._platform is None or self._downloader is None):
                raise UsageError("a job needs a platform or a package")
            if spec.package is None and not spec.dev_id:
                raise UsageError(
                    "the platform's device id is missing", hint="Give --dev-id, as the console shows it."
                )
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
            self._limit = Deadline(module.session.clock, spec.timeout_s)
            module.session.limit = self._limit
            self._log.clock = module.session.clock
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
        return identity

    def _refuse_before_asking(self, findings: Findings) -> None:
        """What is certain to be refused is refused before the platform's task is touched."""
        refusal = plan.method_refusal(findings.dialect, findings.row, self._spec.allowed)
        if refusal is not None:
            with self._log.stage("plan"):
                raise Refused(refusal.why, hint=refusal.hint)

    def _check(self, identity: Identity) -> bool:
        """Ask for a task. False if there is none."""
        assert self._platform is not None
        assert self._spec.dev_id is not None
        with self._log.stage("check"):
            query = check_query(self._spec, identity)
            self._reporter = Reporter(self._platform, query.dev_id, query.type, self._log.warn)
            if self._spec.register:
                self._reporter.version(query.version)
            self._task = self._platform.check(query)
        if self._task is None:
            self._end("no-task")
            return False
        self._note_task(self._task)
        return True

    def _wanted(self) -> plan.Wanted:
        local, task = self._spec.package, self._task
        if local is not None:
            named = plan.base_from_name(local.path.name)
            base = named[0] if named else None
            return plan.Wanted(local.target, self._spec.expect_version or local.target, base=base)
        assert task is not None
        expected = self._spec.expect_version or task.target
        return plan.Wanted(task.target, expected, signal=task.signal, power=task.power)

    def _plan(
        self, module: Module, findings: Findings, identity: Identity, wanted: plan.Wanted
    ) -> Method | None:
        """Decide. The method to use, or None if there is nothing to do."""
        with self._log.stage("plan"):
            verdict = plan.decide(identity, findings.dialect, findings.row, wanted, self._spec.allowed)
            if isinstance(verdict, plan.Refusal):
                if self._spec.report_refusals and self._reporter is not None and self._task is not None:
                    self._reporter.failed(self._task, refusal_status(identity, wanted))
                raise Refused(verdict.why, hint=verdict.hint)
            if isinstance(verdict, plan.Go):
                for warning in verdict.warnings:
                    self._log.warn(warning)
                method = method_for(findings.dialect, block=self._spec.block)
                method.probe(module.session)
                if self._approve is not None and not self._approve(identity, wanted):
                    raise Refused("you said no", hint="Nothing was changed.")
                return method
        self._result.version_after = identity.version
        if self._reporter is not None:
            with self._log.stage("report"):
                self._reporter.version(self._spec.fw_version or wanted.target)
        self._end("already-current")
        return None

    def _package(self, method: Method) -> Path:
        """The verified package on this machine, of a kind that the module can take."""
        local = self._spec.package
        if local is None:
            path, digests = self._download()
        else:
            path = local.path
        with self._log.stage("verify"):
            if local is not None:
                digests = verify_file(local.path, size=None, md5=local.md5, sha256=local.sha256)
            self._result.package = digests
            try:
                method.check(path)
            except PackageError:
                self._tell_failure(Status.UPGRADE_MISMATCH)
                raise
        return path

    def _download(self) -> tuple[Path, Digests]:
        assert self._downloader is not None
        assert self._task is not None
        assert self._spec.dev_id is not None
        with self._log.stage("download"):
            for attempt in (1, 2):
                task = self._task
                try:
                    found = self._downloader.fetch(
                        task,
                        self._spec.dev_id,
                        sha256=self._spec.sha256,
                        stop=self._stop,
                        on_progress=self._on_download,
                        on_wait=lambda why, seconds: self._log.note(f"{why}; waiting {seconds:g} s"),
                    )
                except PlatformRefused as error:
                    if error.errno != _EXPIRED or attempt == 2:
                        raise
                    self._log.note("the download token has expired; asking the platform once more")
                    self._renew_task()
                except PackageError:
                    self._tell_failure(Status.UPGRADE_MD5)
                    raise
                else:
                    return found.path, found.digests
        raise AssertionError("both attempts returned or raised")

    def _renew_task(self) -> None:
        assert self._platform is not None
        assert self._result.identity is not None
        task = self._platform.check(check_query(self._spec, self._result.identity))
        if task is None:
            raise PlatformRefused(
                "the task is gone", errno=11, hint="Run the command again to see what is wanted."
            )
        old = self._task
        if old is not None and (task.target, task.md5, task.size) != (old.target, old.md5, old.size):
            raise PlatformRefused(
                "the platform wants something else now", errno=11, hint="Run the command again to do that."
            )
        self._task = task

    def _fill(self, module: Module, method: Method, package: Path) -> None:
        """Prepare, write, validate; give the module its radio back if that fails."""
        retry = self._task.retry if self._task is not None else 0
        writer = Writer(
            module,
            method,
            package,
            transfer_baud=self._transfer_baud(),
            restarts=retry or DEFAULT_RESTARTS,
            progress=lambda done, total: self._log.progress("write", done, total),
            warn=self._log.warn,
        )
        try:
            with self._log.stage("prepare"):
                writer.prepare()
            with self._log.stage("write"):
                writer.write()
            if method.validates:
                with self._log.stage("validate"):
                    writer.validate()
            else:
                self._log.skip("validate", "the module checks the package when it starts the update")
        except RetriesUsedUpError:
            if retry:
                self._tell_failure(Status.UPGRADE_RETRIES)
            raise
        except BaseException:
            _undo(writer, self._stop)
            raise
        finally:
            self._result.blocks = method.tally.blocks
            self._result.retries = method.tally.retries

    def _start(self, module: Module, method: Method, identity: Identity, wanted: plan.Wanted) -> None:
        """From the point of no return to the report."""
        with self._log.stage("activate"):
            if self._reporter is not None and self._task is not None:
                self._reporter.ready(self._task)
            method.activate(module.session)
        confirmer = Confirmer(
            module,
            method,
            before=identity.version,
            expected=wanted.expected,
            first_baud=identity.baud or module.session.link.baud,
            limit_s=self._spec.reboot_timeout_s,
            tick=lambda percent: self._log.progress("reboot", percent, 100, percent=True),
        )
        with self._log.stage("reboot"):
            confirmer.wait()
        try:
            with self._log.stage("confirm"):
                confirmed = confirmer.confirm()
        except OldVersion:
            self._tell_failure(Status.UPGRADE_UNKNOWN)
            raise
        self._result.version_after = confirmed.version
        self._report(wanted)

    def _report(self, wanted: plan.Wanted) -> None:
        if self._reporter is None or self._task is None:
            self._log.skip("report", "no platform")
            self._end("updated")
            return
        with self._log.stage("report"):
            told = self._reporter.updated(self._task, wanted.target)
        self._end("updated" if told else "updated-unreported", 0 if told else 14)

    # -- small things -----------------------------------------------------------------------

    def _transfer_baud(self) -> int | None:
        if self._spec.transfer_baud is not None or self._spec.board is None:
            return self._spec.transfer_baud
        return self._spec.board.serial.transfer_baud

    def _tell_failure(self, status: Status) -> None:
        if self._reporter is not None and self._task is not None:
            self._reporter.failed(self._task, status)

    def _note_task(self, task: Task) -> None:
        self._result.task = {
            "target": task.target,
            "size": task.size,
            "md5": task.md5,
            "kind": task.kind,
            "signal": task.signal,
            "power": task.power,
            "retry": task.retry,
            "interval": task.interval,
        }

    def _end(self, outcome: str, exit_code: int = 0) -> None:
        self._result.outcome = outcome
        self._result.exit_code = exit_code

    def _fail(self, error: AtotaError) -> None:
        if isinstance(error, Interrupted | JobTimeout):
            error = with_advice(error, self._log.current)
        self._result.error = error
        self._end(error.outcome, error.exit_code)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Urc):
            self._log.emit(UrcEvent(event.text))

    def _on_download(self, done: int, total: int) -> None:
        if self._limit is not None and self._limit.expired:
            raise JobTimeout("the time limit of the job is over")
        self._log.progress("download", done, total)
        if self._reporter is not None and self._task is not None:
            self._reporter.downloading(self._task, done, total)


def _found(module: Module) -> Findings:
    if module.findings is None:
        raise AssertionError("identify comes first")
    return module.findings


def _undo(writer: Writer, stop: StopToken) -> None:
    """Give back what was changed, also when the user has asked for the end."""
    try:
        with stop.shielded():
            writer.undo()
    except AtotaError:
        return
