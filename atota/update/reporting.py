"""What the platform is told, when, and what never, in one fixed order.

Steps up to 99 while downloading; 101 once the slot is written and validated, and never 100 as well;
201 and the version once the new version was read back. A failure is told only if it is final and not a
passing trouble of ours. Nothing is told after the task was cancelled or finished. A verdict that cannot be
told now waits in the outbox.
"""

from collections.abc import Callable

from atota.errors import AtotaError, Interrupted, JobTimeout, PlatformRefused
from atota.update.outbox import Outgoing, Verdict
from atota.update.plan import Wanted
from atota.update.platform import Platform, Status, Task
from atota.values import Identity

CANCELLED, FINISHED, EXPIRED, PAUSED = 22, 20, 12, 19
_OVER = frozenset({CANCELLED, FINISHED})
# Errnos that say "this step does not fit the task's state": it is further on than we thought, as after an
# interruption (17: not pending or downloading; 21: invalid operation; 13: state invalid).
_MOVED_ON = frozenset({13, 17, 21})
_EVERY_PERCENT = 10


class Reporter:
    """Tells one platform about one task of one device.

    Args:
        platform: whom to tell.
        dev_id: who the device is there.
        task_type: ``fota`` or ``sota``.
        warn: told of what the platform could not be told.
        outgoing: keeps verdicts until they are told.
    """

    def __init__(
        self,
        platform: Platform,
        dev_id: str,
        task_type: str,
        warn: Callable[[str], None],
        outgoing: Outgoing,
    ) -> None:
        self._platform = platform
        self._dev_id = dev_id
        self._type = task_type
        self._warn = warn
        self._outgoing = outgoing
        self._told_percent = 0
        self.over = False

    def downloading(self, task: Task, done: int, total: int) -> None:
        """Tell the progress, every ten percent and never above 99. Only a cancelled task ends anything."""
        percent = min(99, done * 100 // total) if total else 0
        if percent < self._told_percent + _EVERY_PERCENT or self.over:
            return
        self._told_percent = percent
        if not self._step(task, percent, "the progress"):
            self._told_percent = 100  # the next call would cost the download as much time

    def ready(self, task: Task, *, renew: Callable[[], Task] | None, pause: Callable[[Task], None]) -> None:
        """Tell that the slot holds the whole package (101): the update is about to be started.

        Args:
            task: the task.
            renew: asks the platform once more, if the token has expired; None: it is not to be asked.
            pause: waits, while the operator has paused the task.

        Raises:
            PlatformRefused: the task was cancelled or is finished: do not start it.
        """
        renewed = False
        while True:
            try:
                self._platform.report_step(self._dev_id, task.token, int(Status.DOWNLOADED))
                return
            except PlatformRefused as error:
                self._raise_if_over(error)
                if error.errno == PAUSED:
                    pause(task)
                elif error.errno == EXPIRED and renew is not None and not renewed:
                    renewed, task = True, renew()
                else:
                    if error.errno not in _MOVED_ON:
                        self._warn(f"the platform was not told that the package is in place: {error.message}")
                    return
            except AtotaError as error:
                self._raise_if_ours(error)
                self._warn(f"the platform was not told that the package is in place: {error.message}")
                return

    def _step(self, task: Task, step: int, what: str) -> bool:
        """Report a step; False if the platform could not be reached or did not take it."""
        try:
            self._platform.report_step(self._dev_id, task.token, step)
        except PlatformRefused as error:
            self._raise_if_over(error)
            if error.errno not in _MOVED_ON:
                self._warn(f"the platform was not told {what}: {error.message}")
            return False
        except AtotaError as error:
            self._raise_if_ours(error)
            self._warn(f"the platform was not told {what}: {error.message}")
            return False
        return True

    def _raise_if_over(self, error: PlatformRefused) -> None:
        if error.errno in _OVER:
            self.over = True
            raise error

    @staticmethod
    def _raise_if_ours(error: AtotaError) -> None:
        """The user, or the job's time, wants the end: that is no trouble of the platform."""
        if isinstance(error, Interrupted | JobTimeout):
            raise error

    def updated(self, task: Task, version: str) -> bool:
        """Tell that the module runs the target. False if the platform could not be told: that waits."""
        verdict = self._verdict(task, int(Status.UPGRADED), version)
        return self._outgoing.send(verdict, lambda: self._tell_updated(task, version))

    def current(self, task: Task, version: str) -> bool:
        """Tell that the module has run the target all the time. False if it could not be told: that waits."""
        return self._outgoing.send(self._verdict(task, None, version), lambda: self.version(version))

    def failed(self, task: Task, status: Status) -> None:
        """Tell a final failure. The task becomes failed: only what no other run could mend goes here."""
        if not self.over:
            verdict = self._verdict(task, int(status), None)
            self._outgoing.send(verdict, lambda: self._tell_failed(task, status))

    def version(self, version: str) -> bool:
        """Tell what the module runs. False if the platform could not be told."""
        key = "f_version" if self._type == "fota" else "s_version"
        try:
            self._platform.report_version(self._dev_id, **{key: version})
        except AtotaError as error:
            self._warn(f"the platform was not told the version: {error.message}")
            return False
        return True

    def _verdict(self, task: Task, status: int | None, version: str | None) -> Verdict:
        return Verdict(
            place=self._outgoing.place,
            dev_id=self._dev_id,
            type="fota" if self._type == "fota" else "sota",
            target=task.target,
            md5=task.md5,
            status=status,
            version=version,
        )

    def _tell_updated(self, task: Task, version: str) -> bool:
        told = True
        try:
            if not self.over:
                self._platform.report_step(self._dev_id, task.token, int(Status.UPGRADED))
        except PlatformRefused as error:
            # The version report below completes a task whose token is gone; a finished one needs nothing.
            if error.errno not in _OVER | _MOVED_ON | {EXPIRED}:
                told = False
            self._warn(f"the platform took no success report: {error.message}")
        except AtotaError as error:
            self._warn(f"the platform was not told of the success: {error.message}")
            told = False
        return self.version(version) and told

    def _tell_failed(self, task: Task, status: Status) -> bool:
        try:
            self._platform.report_step(self._dev_id, task.token, int(status))
        except AtotaError as error:
            self._warn(f"the platform was not told of the failure: {error.message}")
            return isinstance(error, PlatformRefused) and error.errno in _OVER | _MOVED_ON
        return True


def refusal_status(identity: Identity, wanted: Wanted) -> Status:
    """The status that names why a task's conditions are not met."""
    if wanted.power > 0 and identity.battery_percent is not None and identity.battery_percent <= wanted.power:
        return Status.DOWNLOAD_LOW_BATTERY
    if wanted.signal > 0 and identity.signal is not None and identity.signal <= wanted.signal:
        return Status.DOWNLOAD_POOR_SIGNAL
    return Status.UPGRADE_MISMATCH
