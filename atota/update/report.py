"""Reports to the platform: queued in the journal first, then delivered, then settled.

All reports go the same way: that of the running job, that of an earlier run's task, and those that wait.

- Progress goes out while a download runs, every ten percent and never above 99, and is never queued.
- 101 goes out once the slot is written and validated; 100 never does as well.
- A success is 201 and the version, once the new version was read back.
- A failure is reported only if it is final and not a passing trouble of this side.
- After a task is over (cancelled, finished) no status goes out any more, only the version.

A queued report holds no token that is a secret. The running job delivers with its own token. Later a token is
queried where the report has none (the task query changes nothing); a version report needs none.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from atota.errors import AtotaError, Interrupted, JobTimeout, PlatformRefused, StepResult, UsageError
from atota.journal.facts import Told
from atota.journal.model import QueuedReport
from atota.journal.store import Journal
from atota.ota.base import Platform, Status, Task
from atota.values import TaskType

How = Literal["delivered", "obsolete"]
OnTold = Callable[[Told], None]
"""Receives each status or version that the platform accepted."""

_NO_TASK = frozenset({StepResult.NO_TASK, StepResult.OVER, StepResult.EXPIRED})
"""Answers to the task query that say: this device has no task in work."""
_SETTLED = frozenset({StepResult.OVER, StepResult.MOVED_ON})
"""Answers to a status that say: the task has got further without it."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one device's task, for one platform.

    ``status`` is 201 or a failure, ``version`` the version that the module runs; None: not reported. ``api``
    is the platform's; empty in older documents, which are for any at their server. ``handle`` is that of the
    task, if it is not a secret; ``product`` that of the device, where the job named it. Queued documents have
    the names that the fields are renamed to.
    """

    server: str = msgspec.field(name="place")
    device: str = msgspec.field(name="dev_id")
    type: TaskType
    target: str
    md5: str
    status: int | None = None
    version: str | None = None
    api: str = ""
    handle: str = ""
    product: str | msgspec.UnsetType = msgspec.UNSET

    def is_for(self, platform: Platform) -> bool:
        """True if the platform, with its credentials, is the one that the report is for."""
        capabilities = platform.capabilities
        return (
            self.server == platform.server
            and self.api in ("", capabilities.api)
            and capabilities.only_device in ("", self.device)
        )


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
        if report.handle:
            return Task(target=report.target, token=report.handle, size=0, md5=report.md5)
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


def open_handle(platform: Platform, task: Task) -> str:
    """Return the handle of a task as journals may have it: empty where it is a secret."""
    return "" if platform.capabilities.has_secret_token else task.token


def deliver_waiting(journal: Journal, platform: Platform) -> list[Delivery]:
    """Deliver all reports that wait for ``platform``, in order.

    A report that the platform refuses waits on, and so do the later ones of the same device. If the platform
    cannot be reached, all wait on. Reports for another platform stay untouched, and so do those of a job that
    is at work: it delivers its own. If another lane delivers at this moment, nothing is left to do.

    Raises:
        Interrupted: the user asked for the end.
        JobTimeout: the time limit of the job is over.
    """
    if not journal.delivering.acquire(blocking=False):
        return []
    try:
        return _deliver_all(journal, platform)
    finally:
        journal.delivering.release()


def _deliver_all(journal: Journal, platform: Platform) -> list[Delivery]:
    deliveries: list[Delivery] = []
    refused: set[str] = set()
    for queued, report in waiting(journal):
        if not report.is_for(platform) or report.device in refused:
            continue
        past = journal.past(id=queued.job)
        if past is not None and past.is_alive:
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
        product: names the product of the job's device.
    """

    def __init__(
        self,
        journal: Journal | None,
        job: Callable[[], str],
        warn: Callable[[str], None],
        on_told: OnTold | None = None,
        product: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._product = product
        self.warn = warn
        self.on_told: OnTold = on_told or (lambda _: None)
        self._journal = journal
        self._job = job

    def send(self, platform: Platform | None, report: Report, task: Task | None = None) -> Delivery:
        """Queue a report and deliver it; it stays queued if ``platform`` is not the one that it is for."""
        queued = self._queue(report)
        if platform is None or not report.is_for(platform):
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
            named = msgspec.structs.replace(report, product=self._product() or msgspec.UNSET)
            return self._journal.queue(self._job(), msgspec.to_builtins(named))
        except AtotaError as error:
            self.warn(f"a report could not be queued: {error.message}")
            return None

    def _settle(self, queued: int, how: How, detail: str) -> None:
        assert self._journal is not None
        try:
            self._journal.settle(queued, how, detail)
        except AtotaError as error:  # the report is delivered again later, which changes nothing
            self.warn(f"the journal could not settle a delivered report: {error.message}")
