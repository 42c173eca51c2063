"""What a job needs of an OTA platform. Every generation of the platform can be one."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from atota.clock import Clock, StopToken
from atota.ota.cache import Cache
from atota.ota.download import PackageFile, fetch
from atota.ota.onenet.errnos import Status
from atota.ota.onenet.wire import CheckQuery, Task
from atota.ota.source import PackageSource

Wait = Callable[[str, float], None]


class Platform(PackageSource, Protocol):
    """The calls of one platform that a job makes; `atota.ota.client.PlatformClient` has them.

    ``server`` is its address: whom a verdict that waits is for.
    """

    server: str

    def check(self, query: CheckQuery) -> Task | None:
        """Ask for a task; None if there is none."""
        ...

    def tasking(self, dev_id: str, task_type: str = "fota", *, cdn: bool = False) -> Task | None:
        """Ask for the task that is downloading or upgrading already; changes nothing."""
        ...

    def package_url(self, task: Task) -> str:
        """Where the task's package is; a secret, for the token is in it."""
        ...

    def report_version(self, dev_id: str, f_version: str | None = None, s_version: str | None = None) -> None:
        """Tell what the device runs."""
        ...

    def report_step(self, dev_id: str, token: str, step: int) -> None:
        """Tell how far the download is, or a status."""
        ...


class Downloader:
    """Fetches the packages of one platform into the cache that all jobs share."""

    def __init__(self, platform: Platform, clock: Clock, *, folder: Path | None = None) -> None:
        self._platform = platform
        self._clock = clock
        self._cache = Cache(folder)

    def fetch(
        self,
        task: Task,
        dev_id: str,
        *,
        sha256: str | None,
        stop: StopToken,
        on_progress: Callable[[int, int], None],
        on_wait: Wait,
    ) -> PackageFile:
        """The verified package; see `atota.ota.download.fetch`."""
        return fetch(
            self._platform,
            task,
            dev_id,
            self._cache,
            clock=self._clock,
            sha256=sha256,
            stop=stop,
            on_progress=on_progress,
            on_wait=on_wait,
        )


__all__ = ["CheckQuery", "Downloader", "PackageFile", "Platform", "Status", "Task"]
