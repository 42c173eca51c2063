"""One job on an identified module: from the question to the platform to the report."""

from contextlib import ExitStack
from pathlib import Path

import msgspec

from atota.clock import Deadline
from atota.errors import LinkLost, OldVersion, Outcome, PlatformRefused, Refused, WriteFailed
from atota.fota.base import Method, SlotLost
from atota.fota.registry import method_for
from atota.module.identify import Findings
from atota.module.module import Module
from atota.update import plan
from atota.update.asking import check_query, dialect_fields, target_fields, task_fields, wanted_of
from atota.update.context import Context
from atota.update.obtaining import Obtainer
from atota.update.outbox import deliver
from atota.update.platform import Platform, Status
from atota.update.reporting import Reporter, refusal_status
from atota.update.starting import Starter
from atota.update.supplying import Package, Supplier
from atota.update.writing import DEFAULT_RESTARTS, UNDO_S, Left, RetriesUsedUpError, Writer, give_back
from atota.values import Digests, Identity


class Road:
    """The way of one job from the question to the platform to the report.

    Args:
        context: what the parts of the job share.
        module: the identified module.
        findings: what identification brought.
    """

    def __init__(self, context: Context, module: Module, findings: Findings) -> None:
        self._context = context
        self._spec = context.spec
        self._result = context.result
        self._log = context.log
        self._module = module
        self._findings = findings
        self._obtainer: Obtainer | None = None
        self._left = Left()
        self._ready_is_due = False

    def run(self, identity: Identity, left: Left) -> None:
        """Go it. ``left`` is what an earlier run left in the module."""
        self._left = left
        try:
            self._run(identity)
        finally:
            self._give_back()

    def _run(self, identity: Identity) -> None:
        if self._spec.package is None:
            self._refuse_before_asking()
            if not self._check(identity):
                return
        wanted = wanted_of(self._spec, self._obtainer.task if self._obtainer is not None else None)
        self._context.chronicle.fact("target", target_fields(identity, wanted))
        method = self._plan(identity, wanted)
        if method is None:
            return
        with ExitStack() as serving, ExitStack() as shield:
            writer = self._writer(method, self._package(method, serving))
            try:
                self._go(method, writer, identity, wanted, shield)
            except BaseException as error:
                self._give_up(writer, error)
                raise
            finally:
                self._result.blocks = method.counters.blocks
                self._result.retries = method.counters.retries

    def _go(
        self, method: Method, writer: Writer, identity: Identity, wanted: plan.Wanted, shield: ExitStack
    ) -> None:
        """Fill the slot and start; where the module may have begun by itself, believe its version."""
        try:
            self._fill(writer, method)
            self._start(method, writer, identity, wanted, shield)
        except WriteFailed as failed:
            if not method.spec.can_start_before_activate:
                raise
            self._log.note(f"{failed.message}: looking whether the module was updated all the same")
            starter = Starter(self._context, self._module, method, identity, wanted)
            try:
                self._result.version_after = starter.survive(certain=False)
            except SlotLost:
                raise failed from None
            self._report(wanted)

    def _refuse_before_asking(self) -> None:
        """What is certain to be refused is refused before the platform's task is touched."""
        findings = self._findings
        evidence = findings.identity.evidence
        refusal = plan.method_refusal(findings.dialect, findings.row, self._spec.allowed, evidence)
        if refusal is not None:
            with self._log.stage("plan"):
                raise Refused(refusal.why, hint=refusal.hint)

    def _check(self, identity: Identity) -> bool:
        """Ask for a task. False if there is none."""
        platform, session = self._context.platform, self._module.session
        assert platform is not None
        assert self._context.downloader is not None
        with self._log.stage("check"):
            self._deliver_waiting(platform)
            query = check_query(self._spec, identity)
            outgoing = self._context.outgoing(platform.server)
            reporter = Reporter(platform, query.dev_id, query.type, self._log.warn, outgoing)
            obtainer = Obtainer(
                platform,
                self._context.downloader,
                query,
                reporter,
                self._log,
                clock=session.clock,
                stop=self._context.stop,
                limit=session.limit or Deadline(session.clock, None),
            )
            if self._spec.register:
                reporter.version(query.version)
            task = obtainer.check()
        if task is None:
            self._context.end(Outcome.NO_TASK)
            return False
        self._obtainer = obtainer
        self._result.task = task_fields(task)
        place = {"server": platform.server, "dev_id": query.dev_id, "type": query.type}
        self._context.chronicle.fact("task", {**self._result.task, **place})
        return True

    def _plan(self, identity: Identity, wanted: plan.Wanted) -> Method | None:
        """Decide. The method to use, or None if there is nothing to do."""
        findings, approve = self._findings, self._context.approve
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
                self._context.chronicle.fact("dialect", dialect_fields(self._spec, findings, method))
                method.probe(self._module.session)
                if approve is not None and not approve(identity, wanted):
                    raise Refused("you said no", hint="Nothing was changed.")
                return method
        self._result.version_after = identity.version
        if self._obtainer is not None:
            with self._log.stage("report"):
                self._obtainer.reporter.current(self._obtainer.task, wanted.target)
        self._context.end(Outcome.ALREADY_CURRENT)
        return None

    def _package(self, method: Method, serving: ExitStack) -> Package:
        """The verified package; nothing where the platform itself brings it into the module."""
        if _pushed_by_platform(method):
            self._log.note("the platform must push the package: start the task in its console now")
            return Path(), Digests(0, "", "")
        package = Supplier(self._spec, self._obtainer, self._log, serving).package(method)
        self._result.package = package[1]
        self._context.chronicle.fact("package", {"name": package[0].name, **msgspec.to_builtins(package[1])})
        return package

    def _writer(self, method: Method, package: Package) -> Writer:
        left, self._left = self._left, Left()
        chronicle = self._context.chronicle
        return Writer(
            self._module,
            method,
            *package,
            transfer_baud=self._spec.transfer_baud,
            restarts=self._retry or DEFAULT_RESTARTS,
            progress=self._on_written,
            warn=self._log.warn,
            reconnect=self._context.reconnect,
            left=left,
            undo_changed=lambda undo: chronicle.fact("changed", {"undo": undo}),
        )

    def _fill(self, writer: Writer, method: Method) -> None:
        """Prepare, write, validate: nothing is started yet."""
        with self._log.stage("prepare"):
            if _pushed_by_platform(method):
                self._log.started = True  # from its log-in on the module may be told to update at any time
            taken_up = writer.prepare()
            if taken_up:
                self._log.note(f"the slot holds the first {taken_up} bytes already: going on from there")
        if method.spec.streams:
            with self._log.stage("write"):
                writer.write()
        else:
            self._log.skip("write", "the module gets the package by itself")
        if not method.spec.validates:
            self._log.skip("validate", "the module checks the package when it starts the update")
            return
        with self._log.stage("validate"):
            writer.validate()

    def _start(
        self, method: Method, writer: Writer, identity: Identity, wanted: plan.Wanted, shield: ExitStack
    ) -> None:
        """From the point of no return to the report."""
        # What the platform believes to be in place it gives to nobody any more, not to the module either.
        self._ready_is_due = self._obtainer is not None and self._result.package is not None
        if not (method.spec.needs_address and self._spec.serve_url is None):
            self._module.session.check()
            self._tell_ready(updated=False)
        starter = Starter(self._context, self._module, method, identity, wanted)
        try:
            self._result.version_after = starter.run(writer, shield)
        except OldVersion:
            self._tell_failure(Status.UPGRADE_UNKNOWN)
            raise
        self._report(wanted)

    def _tell_ready(self, *, updated: bool) -> None:
        if self._obtainer is not None and self._ready_is_due:
            self._obtainer.ready(updated=updated)
        self._ready_is_due = False

    def _report(self, wanted: plan.Wanted) -> None:
        if self._obtainer is None:
            self._log.skip("report", "no platform")
            self._context.end(Outcome.UPDATED)
            return
        with self._log.stage("report"):
            try:
                self._tell_ready(updated=True)
            except PlatformRefused as error:
                self._log.warn(error.message)
            told = self._obtainer.reporter.updated(self._obtainer.task, wanted.target)
        self._context.end_updated(told=told)

    def _deliver_waiting(self, platform: Platform) -> None:
        """Tell the platform first what it could not be told before."""
        journal = self._context.journal
        if journal is None:
            return
        for one in deliver(journal, platform, platform.server):
            if one.how is None:
                self._log.warn(f"a verdict of job {one.job} still waits to be told: {one.detail}")
            else:
                self._log.note(f"told what waited, of job {one.job}: {one.detail}")

    @property
    def _retry(self) -> int:
        return self._obtainer.task.retry if self._obtainer is not None else 0

    def _give_up(self, writer: Writer, error: BaseException) -> None:
        """Nothing was started: give back what was changed, also when the user has asked for the end."""
        if isinstance(error, RetriesUsedUpError) and self._retry:
            self._tell_failure(Status.UPGRADE_RETRIES)
        if self._log.started or isinstance(error, LinkLost):
            return
        with self._context.stop.shielded():
            writer.undo()

    def _give_back(self) -> None:
        """Take back what an earlier run left changed, if this one did not come to write."""
        undo = list(self._left.undo)
        if undo and not self._log.started:
            self._module.session.limit = Deadline(self._module.session.clock, UNDO_S)
            with self._context.stop.shielded():
                give_back(self._module.session, undo)

    def _tell_failure(self, status: Status) -> None:
        if self._obtainer is not None:
            self._obtainer.failed(status)

    def _on_written(self, done: int, total: int) -> None:
        self._context.chronicle.written(done, total, self._module.session.clock)
        self._log.progress("write", done, total)


def _pushed_by_platform(method: Method) -> bool:
    """Whether the platform brings the package into the module, and starts it."""
    return not method.spec.streams and not method.spec.needs_address
