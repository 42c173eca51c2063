"""The reports of a running job on its own task: progress, 101, success or failure.

The rules that they follow stand in `atota.update.report`, which also delivers the final one.
"""

from collections.abc import Callable

from atota.errors import AtotaError, Interrupted, JobTimeout, PlatformRefused, StepResult
from atota.journal.facts import Told
from atota.ota.base import Platform, Status, Task
from atota.update.plan import Goal
from atota.update.report import Delivery, Outbox, Report, open_handle, report_version
from atota.values import Identity, TaskType

_EVERY_PERCENT = 10


class Reporter:
    """Reports the steps of one task of one device to one platform.

    Args:
        platform: the platform.
        dev_id: the platform's name of the device.
        task_type: ``fota`` or ``sota``.
        outbox: sends the final report.

    Attributes:
        is_over: the task takes no report any more.
        has_moved_on: the task had left the download before this job, so it does not take 101.
    """

    def __init__(self, platform: Platform, dev_id: str, task_type: TaskType, outbox: Outbox) -> None:
        self._platform = platform
        self._dev_id = dev_id
        self._type: TaskType = task_type
        self._outbox = outbox
        self._reported_percent = 0
        self.is_over = False
        self.has_moved_on = False

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

        A task that has moved on takes no 101: it is only asked if it is still wanted.

        Args:
            task: the task.
            renew: queries a new token, if the old one has expired; None: it may not be queried.
            pause: waits while the task is paused, or raises the error.

        Raises:
            PlatformRefused: the task is over: do not start the update.
        """
        while True:
            try:
                if self.has_moved_on:
                    self._platform.check_token(self._dev_id, task.token)
                    return
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
            api=self._platform.capabilities.api,
            handle=open_handle(self._platform, task),
        )
        return self._outbox.send(self._platform, report, task)


def refusal_status(identity: Identity, goal: Goal) -> Status:
    """Return the status that names why a task's conditions are not met."""
    if goal.power > 0 and identity.battery_percent is not None and identity.battery_percent <= goal.power:
        return Status.DOWNLOAD_LOW_BATTERY
    if goal.signal > 0 and identity.signal is not None and identity.signal <= goal.signal:
        return Status.DOWNLOAD_POOR_SIGNAL
    return Status.UPGRADE_MISMATCH
