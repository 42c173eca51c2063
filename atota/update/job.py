"""One job: one attempt to bring one module to one version, from opening the port to the report.

`Job.run` never raises what a user can cause: it returns a `JobResult` with the outcome and the error. The
stages are those of `atota.update.events.STAGES`, in that order; one that does not apply is skipped.

With a journal, a job goes on from the run before it that was cut off (`atota.update.takeover`): it waits for
a module that is in the middle of its reboot, only confirms where the update was started, and goes on with a
write where that is provably safe. Without one it goes on from what it sees: a module that runs the target is
told to the platform as that; any other gets a whole fresh write. The thresholds of the task (signal,
power) are compared once, in the plan: what follows takes minutes, and the radio is off meanwhile.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from atota.at.events import Event, Urc
from atota.clock import Clock, Deadline, StopToken, SystemClock
from atota.errors import AtotaError, Interrupted, JobTimeout, LinkError, LinkLost, OldVersion, UsageError
from atota.journal.model import Opened
from atota.journal.store import Journal
from atota.module import identify
from atota.module.identify import Findings
from atota.module.module import Module, open_module
from atota.module.reconnect import Adapters, Reconnector, UsbAdapters
from atota.settings.spec import JobSpec, checked, completed
from atota.update import plan
from atota.update.bookkeeping import begin, end
from atota.update.chronicle import Chronicle
from atota.update.context import Approve, Context
from atota.update.events import JobEvent, Listener, UrcEvent, Weights
from atota.update.finishing import confirmed, told_now, verdict_of
from atota.update.platform import Downloader, Platform, Status
from atota.update.result import JobResult
from atota.update.resume import Earlier
from atota.update.road import Road
from atota.update.serving import Serve, serve
from atota.update.stages import StageLog, with_advice
from atota.update.takeover import TakeOver, concerns
from atota.update.writing import Left
from atota.values import Identity


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
        journal: where the job is written down, and where earlier runs stand.
        serve: serves the package to a module that fetches it itself; over HTTP if not given.
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
        approve: Approve | None = None,
        adapters: Adapters | None = None,
        journal: Journal | None = None,
        serve: Serve = serve,
    ) -> None:
        self._spec = completed(spec)
        self._clock = clock
        self._opener = opener
        self._adapters = adapters or UsbAdapters()
        self._listener = listener or (lambda _: None)
        self._result = JobResult()
        self._log = StageLog(self._hear, self._result)
        self._reconnector: Reconnector | None = None
        self._context = Context(
            self._spec,
            self._result,
            self._log,
            Chronicle(
                journal,
                Opened(run=uuid.uuid4().hex[:12], attempt=1, command=spec.command, port=spec.port),
                clock=clock or SystemClock(),
                is_started=lambda: self._log.started,
                warn=self._log.warn,
            ),
            stop or StopToken(),
            self._reconnect,
            journal,
            platform,
            downloader,
            approve,
            serve,
        )

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
        self._close_book()
        return result

    def _run(self, module: Module) -> None:
        adapter = self._adapters.remember(self._spec.port)
        take_over = TakeOver(self._context.journal, self._spec, adapter, self._log)
        identity = self._identify(module, take_over)
        found = take_over.of(identity)
        begin(self._context.chronicle, self._spec, identity, adapter, found)
        if found is not None and found.standing == "started":
            if self._see_through(module, identity, found):
                return
            self._context.chronicle.fact("earlier", {})
            identity = self._identify(module, take_over)
        left = found.left if found is not None else Left()
        Road(self._context, module, _found(module)).run(identity, left)

    @contextmanager
    def _opened(self) -> Iterator[Module]:
        spec = self._spec
        with self._log.stage("open"):
            if spec.package is None and (self._context.platform is None or self._context.downloader is None):
                raise UsageError("a job needs a platform or a package")
            checked(spec)
            if self._context.journal is not None:
                self._context.journal.recover()
            module = self._opener(
                spec.port,
                baud=spec.baud,
                dialect=spec.dialect,
                model=spec.model,
                board=spec.board,
                clock=self._clock,
                stop=self._context.stop,
                listener=self._on_event,
            )
        with module:
            module.session.limit = Deadline(module.session.clock, spec.timeout_s)
            self._log.clock = module.session.clock
            self._reconnector = Reconnector(module, self._adapters, spec.port, self._log.note)
            try:
                yield module
            finally:
                self._result.longest_silence_ms = round(1000 * module.session.longest_silence_s)
                self._result.boots = module.session.boots

    def _identify(self, module: Module, take_over: TakeOver) -> Identity:
        with self._log.stage("identify"):
            identity = take_over.identified(module)
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

    def _see_through(self, module: Module, identity: Identity, found: Earlier) -> bool:
        """Bring the update that an earlier run started to its end. Whether that was all there was to do."""
        mine = concerns(found, self._spec)
        self._log.started = True
        try:
            version = confirmed(self._context, module, identity, found)
        except OldVersion:
            self._tell_earlier(found, Status.UPGRADE_UNKNOWN)
            raise
        self._log.started = False
        if version is None:
            self._log.note(f"the update that run {found.run} may have started did not take place")
            return False
        chronicle = self._context.chronicle
        chronicle.fact("confirmed", {"version": version})
        told = self._tell_earlier(found, Status.UPGRADED)
        if not mine:
            self._log.note(f"the update that run {found.run} had started is confirmed: {version}")
            return False
        if "confirm" not in self._result.stages_ms:
            with self._log.stage("confirm"):
                self._log.note(f"run {found.run} had started the update; the module runs {version} now")
        for kind, fact in found.facts.items():
            chronicle.fact(kind, fact)
        self._result.version_before = found.before[0] if found.before else None
        self._result.version_after = version
        self._result.task = found.task
        self._context.end_updated(told=told)
        return True

    def _tell_earlier(self, found: Earlier, status: Status) -> bool:
        """Tell the platform what came of an earlier run's task. Whether it knows it now."""
        verdict = verdict_of(found, status)
        if verdict is None:
            return True
        outgoing = self._context.outgoing(verdict.place)
        platform = self._context.platform
        if platform is None or platform.server != verdict.place:
            outgoing.keep(verdict)
            return False
        with self._log.stage("report"):
            return outgoing.send(verdict, lambda: told_now(platform, verdict, self._log.warn))

    def _reconnect(self, lost: LinkLost) -> None:
        if self._reconnector is None:
            raise lost
        self._reconnector.back(lost)

    def _fail(self, error: AtotaError) -> None:
        asked_for = isinstance(error, Interrupted | JobTimeout)
        if asked_for or (self._log.started and isinstance(error, LinkError)):
            error = with_advice(error, self._log.current, started=self._log.started)
        self._result.error = error
        self._context.end(error.outcome)

    # -- what is heard and written down -----------------------------------------------------

    def _close_book(self) -> None:
        """Write the verdict and the record; a journal that fails now changes nothing of the verdict."""
        self._log.started = True
        end(self._context.chronicle, self._spec, self._result)
        self._result.record_id = self._context.chronicle.id
        self._result.resumes = self._context.chronicle.opened.resumes

    def _hear(self, event: JobEvent) -> None:
        self._context.chronicle.hear(event)
        self._listener(event)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Urc):
            self._log.emit(UrcEvent(event.text))


def _found(module: Module) -> Findings:
    if module.findings is None:
        raise AssertionError("identify comes first")
    return module.findings
