"""The package of a job: a task's download or a local file, verified, and served if needed."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from atota.clock import Clock, Deadline, StopToken, require_time
from atota.errors import AtotaError, JobTimeout, PackageError, PlatformRefused, Refused, StepResult
from atota.ota.base import Capabilities, CheckQuery, Platform, Status, Task
from atota.ota.download import Downloader
from atota.ota.package import require, verify_file
from atota.ota.serve import Serve
from atota.ota.waiting import Pause
from atota.settings.spec import JobSpec
from atota.update.reporter import Reporter
from atota.update.target import Target
from atota.values import Digests, Identity, Stage, checked_sha256

Package = tuple[Path, Digests]


def task_query(
    spec: JobSpec, identity: Identity, capabilities: Capabilities, before: str | None = None
) -> CheckQuery:
    """Make the query for a task, from the module's identity and the user's settings.

    Args:
        spec: the job's settings.
        identity: who the target is.
        capabilities: the platform's.
        before: the version that the target ran, where an earlier run was cut off and it can tell none.

    Raises:
        Refused: the module's version or codes cannot be sent.
    """
    version = spec.fw_version or identity.version or before
    if version is None:
        target = "chip" if spec.task_type == "sota" else "module"
        raise Refused(f"the {target} reports no version to send to the platform", hint="Give --fw-version.")
    problem = capabilities.version_problem(version)
    if problem and spec.fw_version is None:
        raise Refused(
            f"the module's version {version!r} cannot be sent: {problem}", hint="Give --fw-version."
        )
    if capabilities.needs_codes and (identity.manuf_code is None or identity.model_code is None):
        raise Refused(
            f"{identity.manufacturer or '?'} {identity.model or '?'} is not in the platform's table",
            hint="Name its row with --model; `atota modules` lists them. A wrong one fails the task.",
        )
    return CheckQuery(
        dev_id=spec.device(capabilities.naming),
        manuf=identity.manuf_code if capabilities.needs_codes else None,
        model=identity.model_code if capabilities.needs_codes else None,
        version=version,
        type=spec.task_type or "fota",
        signals=identity.signal if capabilities.has_thresholds else None,
        powers=identity.battery_percent if capabilities.has_thresholds else None,
        cdn=spec.cdn,
    )


class PackageFetcher:
    """Queries one platform for one device's task, and fetches its package.

    Args:
        platform: the platform.
        downloader: fetches its packages.
        query: the query.
        reporter: reports the progress of the download.
        note: receives remarks for people.
        progress: receives bytes done and bytes in all.
        clock: the time of the waits.
        stop: ends every wait.
        limit: the time limit of the job.
    """

    def __init__(
        self,
        platform: Platform,
        downloader: Downloader,
        query: CheckQuery,
        reporter: Reporter,
        *,
        note: Callable[[str], None],
        progress: Callable[[int, int], None],
        clock: Clock,
        stop: StopToken,
        limit: Deadline,
    ) -> None:
        self.reporter = reporter
        self._platform = platform
        self._downloader = downloader
        self._query = query
        self._note = note
        self._progress = progress
        self._stop = stop
        self._limit = limit
        self._pause = Pause(platform.capabilities, clock=clock, stop=stop, on_wait=self._on_wait)
        self._task: Task | None = None

    @property
    def task(self) -> Task:
        """The task that `check` found, with its newest token."""
        assert self._task is not None
        return self._task

    def check(self) -> Task | None:
        """Query the task; while the operator has paused it, wait and query again."""
        self._task = self._queried()
        return self._task

    def _queried(self) -> Task | None:
        while True:
            try:
                return self._platform.check(self._query)
            except PlatformRefused as error:
                if error.result is not StepResult.PAUSED:
                    raise
                self._pause.wait(error)

    def fetch(self) -> Package:
        """Fetch the package and verify it against the task's digest.

        Raises:
            PackageError: its digest differs, also after a second download; the failure was reported.
            ServerError: the platform or the network.
        """
        for attempt in (1, 2):
            try:
                package = self._downloader.fetch(
                    self.task,
                    self._query.dev_id,
                    stop=self._stop,
                    on_progress=self._on_progress,
                    on_wait=self._on_wait,
                )
            except PlatformRefused as error:
                if error.result is not StepResult.EXPIRED or attempt == 2:
                    raise
                self._note("the download token has expired; querying a new one")
                self._renew()
            except PackageError:
                self.failed(Status.UPGRADE_MD5)
                raise
            else:
                self.reporter.has_moved_on = package.has_moved_on
                self._progress(package.digests.size, package.digests.size)  # also if the cache had it
                return package.path, package.digests
        raise AssertionError("both attempts returned or raised")

    def url(self) -> str:
        """Return the URL at which a module can fetch the package itself; it may be a secret."""
        return self._platform.package_url(self.task)

    def ready(self, *, updated: bool) -> None:
        """Report that the update is about to be started.

        Args:
            updated: the module fetched the package and runs it already. The query for a new token would name
                a version that it does not run any more, and with the present one the task would fail; the
                report of the version completes the task without a token.

        Raises:
            PlatformRefused: the task is over: do not start the update.
        """

        def pause(error: AtotaError, task: Task) -> None:
            self._pause.wait(error, task.interval)

        self.reporter.ready(self.task, renew=None if updated else self._renew, pause=pause)

    def failed(self, status: Status) -> None:
        """Report a final failure."""
        self.reporter.failed(self.task, status)

    def _renew(self) -> Task:
        """Query a new token for the same package.

        Raises:
            PlatformRefused: the task is gone, or is another one.
        """
        old, new = self.task, self._queried()
        if new is None:
            raise PlatformRefused(
                "the task is gone",
                result=StepResult.NO_TASK,
                hint="Run the command again to see the device's present task.",
            )
        if (new.target, new.md5, new.size) != (old.target, old.md5, old.size):
            raise PlatformRefused(
                "the platform has another task for the device now",
                result=StepResult.NO_TASK,
                hint="Run the command again to carry it out.",
            )
        self._task = new
        return new

    def _on_wait(self, why: str, seconds: float) -> None:
        self._note(f"{why}; waiting {seconds:g} s")
        if self._limit.remaining < seconds:
            raise JobTimeout(f"{why}: that takes longer than the time limit of the job")

    def _on_progress(self, done: int, total: int) -> None:
        require_time(self._stop, self._limit)
        self._progress(done, total)
        self.reporter.downloading(self.task, done, total)


def obtain_package(
    spec: JobSpec,
    target: Target,
    fetcher: PackageFetcher | None,
    *,
    version: str,
    stage: Callable[[Stage], AbstractContextManager[None]],
    serve: Serve,
    stack: ExitStack,
) -> Package:
    """Return a job's verified package, of a kind that the target takes.

    Args:
        spec: the job's settings.
        target: the target; it gets the package's address if it needs one.
        fetcher: the platform's side; None if the package is a local file.
        version: the version that the package brings, as the target prints it.
        stage: marks a stage of the job.
        serve: serves the package to a module that fetches it itself.
        stack: ends the serving.

    Raises:
        PackageError: it is not the right package.
        Refused: the module could not fetch it.
        ServerError: the platform or the network.
    """
    local = spec.package
    if local is None:
        assert fetcher is not None
        with stage("download"):
            path, digests = fetcher.fetch()
    else:
        path = local.path
    with stage("verify"):
        if local is not None:
            digests = verify_file(path, size=None, md5=local.md5, sha256=local.sha256)
        elif spec.sha256 is not None:
            # The user's own expectation is not a failure of the task: it is not reported.
            require(digests, "the package", size=None, md5=None, sha256=checked_sha256(spec.sha256))
        if target.needs_address:
            target.set_url(_address(spec, path, fetcher, serve, stack))
        try:
            target.check(path, version)
        except PackageError:
            if fetcher is not None:
                fetcher.failed(Status.UPGRADE_MISMATCH)
            raise
    return path, digests


def _address(
    spec: JobSpec, path: Path, fetcher: PackageFetcher | None, serve: Serve, stack: ExitStack
) -> str:
    """The URL at which the module can fetch the package: on this machine, or on the platform itself."""
    if spec.serve_url is not None:
        return stack.enter_context(serve(path, spec.serve_url))
    if fetcher is None:
        raise Refused(
            "this module fetches packages itself, and has no address to fetch from",
            hint="Give --serve-url http://HOST:PORT: an address of this machine that the module can reach.",
        )
    return fetcher.url()
