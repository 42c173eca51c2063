"""Reports to the platform: queued in the journal first, then delivered, then settled.

All reports go the same way: that of the running job, that of an earlier run's task, and those that wait.

- Progress goes out while a download runs, every ten percent and never above 99, and is never queued.
- 101 goes out once the slot is written and validated; 100 never does as well.
- A success is 201 and the version, once the new version was read back.
- A failure is reported only if it is final and not a passing trouble of this side.
- After a task is over (cancelled, finished) no status goes out any more, only the version.

A queued report holds no token, because that is a secret. The running job delivers with its own token. Later a
token is queried (the task query changes nothing); a version report needs none.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from atota.errors import AtotaError, Interrupted, JobTimeout, PlatformRefused, StepResult, UsageError
from atota.journal.facts import Told
from atota.journal.model import QueuedReport
from atota.journal.store import Journal
from atota.ota.base import Platform, Status, Task
from atota.update.plan import Goal
from atota.values import Identity, TaskType

How = Literal["delivered", "obsolete"]
OnTold = Callable[[Told], None]
"""Receives each status or version that the platform accepted."""

_NO_TASK = frozenset({StepResult.NO_TASK, StepResult.OVER, StepResult.EXPIRED})
"""Answers to the task query that say: this device has no task in work."""
_SETTLED = frozenset({StepResult.OVER, StepResult.MOVED_ON})
"""Answers to a status that say: the task has got further without it."""
_EVERY_PERCENT = 10


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one device's task, for one platform.

    ``status`` is 201 or a failure, ``version`` the version that the module runs; None: not reported.
    Queued documents have the names that the fields are renamed to.
    """

    server: str = msgspec.field(name="place")
    device: str = msgspec.field(name="dev_id")
    type: TaskType
    target: str
    md5: str
    status: int | None = None
    version: str | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one attempt to deliver a report.

    Attributes:
        report: the report.
        how: ``delivered``; ``obsolete``: the platform will never take it; None: it waits.
        detail: the accepted values, or the reason.
        obsolete: the reason if the status was not needed any more.
        error: the reason as an error; None if the platform did not fail.
        job: the job that the report is about, if it was queued.
    """

    report: Report
    how: How | None
    detail: str = ""
    obsolete: str = ""
    error: AtotaError | None = None
    job: str = ""

    @property
    def is_delivered(self) -> bool:
        """True if the platform has the report now."""
        return self.how == "delivered"


def waiting(journal: Journal) -> list[tuple[QueuedReport, Report]]:
    """Return the reports that wait, the oldest first."""
    return [(queued, msgspec.convert(queued.document, Report)) for queued in journal.pending()]


def deliver(
    platform: Platform, report: Report, *, task: Task | None = None, on_told: OnTold | None = None
) -> Delivery:
    """Deliver one report: its status, then its version.

    The version goes out even if the status failed, because it may complete the task by itself.

    Args:
        platform: the platform.
        report: the report.
        task: the task with its token; None: it is queried.
        on_told: receives each accepted value.
    """
    attempt = _Attempt(platform, report, on_told or (lambda _: None))
    if report.status is not None:
        attempt.send_status(Status(report.status), task)
    if report.version is not None:
        attempt.send_version(report.version)
    return attempt.delivery()


class _Attempt:
    """One attempt to deliver one report."""

    def __init__(self, platform: Platform, report: Report, on_told: OnTold) -> None:
        self._platform = platform
        self._report = report
        self._on_told = on_told
        self._accepted: list[str] = []
        self._obsolete = ""
        self._impossible: str | None = None
        self._error: AtotaError | None = None

    def send_status(self, status: Status, task: Task | None) -> None:
        is_fresh = task is None
        try:
            task = task or self._open_task()
            if task is None:
                return
            self._platform.report_step(self._report.device, task.token, int(status))
        except AtotaError as error:
            if isinstance(error, PlatformRefused) and self._is_settled(error.result, is_fresh=is_fresh):
                self._obsolete = f"{int(status)} is obsolete ({error.message})"
            else:
                self._error = error
            return
        self._accepted.append(f"{int(status)}")
        self._on_told(Told(f"{int(status)}: {status.sentence}"))

    def _is_settled(self, result: StepResult, *, is_fresh: bool) -> bool:
        if result is StepResult.EXPIRED:
            # A token that was queried a moment ago has not expired: its task has ended since. With an older
            # one, a success needs no token if the version completes the task.
            completes = self._report.version is not None and self._platform.capabilities.reports_by_version
            return is_fresh or completes
        return result in _SETTLED

    def _open_task(self) -> Task | None:
        """Return the task of the report with a valid token, if the platform still works on it."""
        report = self._report
        try:
            task = self._platform.tasking(report.device, report.type)
        except PlatformRefused as error:
            if error.result not in _NO_TASK:
                raise
            return None
        if task is None or (task.target, task.md5.lower()) != (report.target, report.md5.lower()):
            return None
        return task

    def send_version(self, version: str) -> None:
        try:
            report_version(self._platform, self._report.device, self._report.type, version)
        except UsageError as error:
            self._impossible = f"this version cannot be reported: {error.message}"
        except AtotaError as error:
            if isinstance(error, PlatformRefused) and error.result is StepResult.BAD_VERSION:
                self._impossible = f"the platform does not accept the version: {error.message}"
            else:
                self._error = self._error or error
        else:
            self._accepted.append(f"version {version}")
            self._on_told(Told(f"version {version}"))

    def delivery(self) -> Delivery:
        report, obsolete = self._report, self._obsolete
        if self._error is not None:
            return Delivery(report=report, how=None, detail=self._error.message, error=self._error)
        if self._impossible is not None:
            return Delivery(report=report, how="obsolete", detail=self._impossible)
        accepted = ", ".join(filter(None, (obsolete, *self._accepted)))
        if not accepted:
            return Delivery(
                report=report, how="obsolete", detail="the platform does not have this task any more"
            )
        return Delivery(report=report, how="delivered", detail=accepted, obsolete=obsolete)


def report_version(platform: Platform, device: str, task_type: TaskType, version: str) -> None:
    """Report the version that the module or the application of a device runs."""
    name = "f_version" if task_type == "fota" else "s_version"
    platform.report_version(device, **{name: version})


def deliver_waiting(journal: Journal, platform: Platform) -> list[Delivery]:
    """Deliver all reports that wait for ``platform``, in order.

    A report that the platform refuses waits on, and so do the later ones of the same device. If the platform
    cannot be reached, all wait on. Reports for another platform stay untouched.

    Raises:
        Interrupted: the user asked for the end.
        JobTimeout: the time limit of the job is over.
    """
    deliveries: list[Delivery] = []
    refused: set[str] = set()
    for queued, report in waiting(journal):
        if report.server != platform.server or report.device in refused:
            continue
        delivery = msgspec.structs.replace(deliver(platform, report), job=queued.job)
        if isinstance(delivery.error, Interrupted | JobTimeout):
            raise delivery.error
        deliveries.append(delivery)
        if delivery.how is not None:
            journal.settle(queued.id, delivery.how, delivery.detail)
        elif isinstance(delivery.error, PlatformRefused):
            refused.add(report.device)
        else:
            break
    return deliveries


class Outbox:
    """The way out for the reports of one job: each is queued, delivered and settled.

    Args:
        journal: holds queued reports; None: a report that cannot be delivered is lost.
        job: names the job in the journal.
        warn: receives the reason if a report was not delivered or not queued.
        on_told: receives each value that the platform accepted.
    """

    def __init__(
        self,
        journal: Journal | None,
        job: Callable[[], str],
        warn: Callable[[str], None],
        on_told: OnTold | None = None,
    ) -> None:
        self.warn = warn
        self.on_told: OnTold = on_told or (lambda _: None)
        self._journal = journal
        self._job = job

    def send(self, platform: Platform | None, report: Report, task: Task | None = None) -> Delivery:
        """Queue a report and deliver it; it stays queued if ``platform`` is not the one that it is for."""
        queued = self._queue(report)
        if platform is None or platform.server != report.server:
            return Delivery(report=report, how=None, detail=f"it is for {report.server}")
        delivery = deliver(platform, report, task=task, on_told=self.on_told)
        if not delivery.is_delivered or delivery.obsolete:
            self.warn(f"the platform did not accept the final report: {delivery.obsolete or delivery.detail}")
        if delivery.how is not None and queued is not None:
            self._settle(queued, delivery.how, delivery.detail)
        return delivery

    def _queue(self, report: Report) -> int | None:
        """Queue a report; None without a journal, or if it fails."""
        if self._journal is None:
            return None
        try:
            return self._journal.queue(self._job(), msgspec.to_builtins(report))
        except AtotaError as error:
            self.warn(f"a report could not be queued: {error.message}")
            return None

    def _settle(self, queued: int, how: How, detail: str) -> None:
        assert self._journal is not None
        try:
            self._journal.settle(queued, how, detail)
        except AtotaError as error:  # the report is delivered again later, which changes nothing
            self.warn(f"the journal could not settle a delivered report: {error.message}")


class Reporter:
    """Reports the steps of one task of one device to one platform.

    Args:
        platform: the platform.
        dev_id: the platform's name of the device.
        task_type: ``fota`` or ``sota``.
        outbox: sends the final report.
    """

    def __init__(self, platform: Platform, dev_id: str, task_type: TaskType, outbox: Outbox) -> None:
        self._platform = platform
        self._dev_id = dev_id
        self._type: TaskType = task_type
        self._outbox = outbox
        self._reported_percent = 0
        self.is_over = False

    def downloading(self, task: Task, done: int, total: int) -> None:
        """Report the progress.

        Raises:
            PlatformRefused: the task is over.
        """
        percent = min(99, done * 100 // total) if total else 0
        if percent < self._reported_percent + _EVERY_PERCENT or self.is_over:
            return
        self._reported_percent = percent
        try:
            self._platform.report_step(self._dev_id, task.token, percent)
        except PlatformRefused as error:
            self._raise_if_over(error)
            if error.result is not StepResult.MOVED_ON:
                self._warn("the progress", error)
        except (Interrupted, JobTimeout):
            raise
        except AtotaError as error:
            self._warn("the progress", error)
        else:
            return
        self._reported_percent = 100  # the next report would delay the download as long again

    def ready(
        self, task: Task, *, renew: Callable[[], Task] | None, pause: Callable[[AtotaError, Task], None]
    ) -> None:
        """Report that the slot holds the whole package (101), just before the update is started.

        Args:
            task: the task.
            renew: queries a new token, if the old one has expired; None: it may not be queried.
            pause: waits while the task is paused, or raises the error.

        Raises:
            PlatformRefused: the task is over: do not start the update.
        """
        while True:
            try:
                self._platform.report_step(self._dev_id, task.token, int(Status.DOWNLOADED))
            except PlatformRefused as error:
                self._raise_if_over(error)
                if error.result is StepResult.PAUSED:
                    pause(error, task)
                    continue
                if error.result is StepResult.EXPIRED and renew is not None:
                    task, renew = renew(), None
                    continue
                if error.result is not StepResult.MOVED_ON:
                    self._warn("the downloaded package", error)
            except (Interrupted, JobTimeout):
                raise
            except AtotaError as error:
                self._warn("the downloaded package", error)
            else:
                self._outbox.on_told(Told(f"{int(Status.DOWNLOADED)}: {Status.DOWNLOADED.sentence}"))
            return

    def _raise_if_over(self, error: PlatformRefused) -> None:
        if error.result is StepResult.OVER:
            self.is_over = True
            raise error

    def _warn(self, what: str, error: AtotaError) -> None:
        self._outbox.warn(f"the platform did not accept the report of {what}: {error.message}")

    def updated(self, task: Task, version: str) -> bool:
        """Report success and the new version. Returns False if the report was not delivered."""
        status = None if self.is_over else Status.UPGRADED
        return self._send(task, status, version).is_delivered

    def current(self, task: Task, version: str) -> bool:
        """Report that the module already runs the target. Returns False if the report was not delivered."""
        return self._send(task, None, version).is_delivered

    def failed(self, task: Task, status: Status) -> None:
        """Report a final failure, which no other run could mend; the task becomes failed."""
        if not self.is_over:
            self._send(task, status, None)

    def version(self, version: str) -> bool:
        """Report the running version, without a task. Returns False if it was not accepted."""
        try:
            report_version(self._platform, self._dev_id, self._type, version)
        except AtotaError as error:
            self._warn("the version", error)
            return False
        self._outbox.on_told(Told(f"version {version}"))
        return True

    def _send(self, task: Task, status: Status | None, version: str | None) -> Delivery:
        report = Report(
            server=self._platform.server,
            device=self._dev_id,
            type=self._type,
            target=task.target,
            md5=task.md5,
            status=None if status is None else int(status),
            version=version,
        )
        return self._outbox.send(self._platform, report, task)


def refusal_status(identity: Identity, goal: Goal) -> Status:
    """Return the status that names why a task's conditions are not met."""
    if goal.power > 0 and identity.battery_percent is not None and identity.battery_percent <= goal.power:
        return Status.DOWNLOAD_LOW_BATTERY
    if goal.signal > 0 and identity.signal is not None and identity.signal <= goal.signal:
        return Status.DOWNLOAD_POOR_SIGNAL
    return Status.UPGRADE_MISMATCH
