"""The platform's side of a job before anything is written: the task, and its verified package."""

from pathlib import Path

from atota.clock import Clock, Deadline, StopToken
from atota.errors import AtotaError, JobTimeout, PackageError, PlatformRefused
from atota.ota.onenet.wire import CheckQuery
from atota.ota.waiting import wait
from atota.update.platform import Downloader, Platform, Status, Task
from atota.update.reporting import EXPIRED, PAUSED, Reporter
from atota.update.stages import StageLog
from atota.values import Digests

_PAUSE_S = 30.0
"""Between two looks at a task that the operator has paused and that names no interval."""
_PAUSE_LIMIT_S = 48 * 3600.0  # platform page "check upgrade task": a token lives two days


class Obtainer:
    """Asks one platform for one device's task, and fetches its package.

    Args:
        platform: whom to ask.
        downloader: where packages come from.
        query: the question.
        reporter: tells the platform how far the download is.
        log: tells the listener.
        clock: the time that waits are counted in.
        stop: ends every wait.
        limit: the time limit of the job.
    """

    def __init__(
        self,
        platform: Platform,
        downloader: Downloader,
        query: CheckQuery,
        reporter: Reporter,
        log: StageLog,
        *,
        clock: Clock,
        stop: StopToken,
        limit: Deadline,
    ) -> None:
        self.reporter = reporter
        self._platform = platform
        self._downloader = downloader
        self._query = query
        self._log = log
        self._clock = clock
        self._stop = stop
        self._limit = limit
        self._paused = Deadline(clock, _PAUSE_LIMIT_S)
        self._task: Task | None = None

    @property
    def task(self) -> Task:
        """The task that was found, with its newest token."""
        assert self._task is not None
        return self._task

    def check(self) -> Task | None:
        """Ask for a task; while the operator has paused it, wait and ask again."""
        self._task = self._ask()
        return self._task

    def _ask(self) -> Task | None:
        while True:
            try:
                return self._platform.check(self._query)
            except PlatformRefused as error:
                if error.errno != PAUSED:
                    raise
                self._pause(error, 0)

    def fetch(self) -> tuple[Path, Digests]:
        """The package, whole and with the digest that the task names.

        Raises:
            PackageError: it has another one, also after it was fetched anew; the platform was told.
            ServerError: the platform or the network.
        """
        for attempt in (1, 2):
            try:
                found = self._downloader.fetch(
                    self.task,
                    self._query.dev_id,
                    sha256=None,
                    stop=self._stop,
                    on_progress=self._on_progress,
                    on_wait=self._on_wait,
                )
            except PlatformRefused as error:
                if error.errno != EXPIRED or attempt == 2:
                    raise
                self._log.note("the download token has expired; asking the platform once more")
                self._renew()
            except PackageError:
                self.failed(Status.UPGRADE_MD5)
                raise
            else:
                return found.path, found.digests
        raise AssertionError("both attempts returned or raised")

    def address(self) -> str:
        """Where a module can fetch the package itself: a secret, for the token is in it."""
        return self._platform.package_url(self.task)

    def ready(self, *, updated: bool) -> None:
        """Tell the platform that the update is about to be started.

        Args:
            updated: the module fetched the package and runs it already. The question for a new token would
                name a version that it does not run any more, and with the one that it runs the task would
                fail; the report of the version completes the task without a token.

        Raises:
            PlatformRefused: the task is cancelled or over: do not start it.
        """

        def pause(task: Task) -> None:
            self._pause(PlatformRefused("the task is still paused", errno=PAUSED), task.interval)

        self.reporter.ready(self.task, renew=None if updated else self._renew, pause=pause)

    def failed(self, status: Status) -> None:
        """Tell the platform a final failure."""
        self.reporter.failed(self.task, status)

    def _renew(self) -> Task:
        """Ask once more, for a new token. It must be for the same package.

        Raises:
            PlatformRefused: the task is gone, or is another one.
        """
        old, new = self.task, self._ask()
        if new is None:
            raise PlatformRefused(
                "the task is gone", errno=11, hint="Run the command again to see what is wanted."
            )
        if (new.target, new.md5, new.size) != (old.target, old.md5, old.size):
            raise PlatformRefused(
                "the platform wants something else now", errno=11, hint="Run the command again to do that."
            )
        self._task = new
        return new

    def _pause(self, error: AtotaError, interval: int) -> None:
        if self._paused.expired:
            raise error
        seconds = float(interval) or _PAUSE_S
        self._on_wait("the operator has paused the task", seconds)
        wait(self._clock, seconds, self._stop)

    def _on_wait(self, why: str, seconds: float) -> None:
        self._log.note(f"{why}; waiting {seconds:g} s")
        if self._limit.remaining < seconds:
            raise JobTimeout(f"{why}: that takes longer than the time limit of the job")

    def _on_progress(self, done: int, total: int) -> None:
        if self._limit.expired:
            raise JobTimeout("the time limit of the job is over")
        self._log.progress("download", done, total)
        self.reporter.downloading(self.task, done, total)
