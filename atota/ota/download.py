"""Fetch a task's package into the cache: resumed after cuts, verified, whole or not at all.

Three kinds of failures differ: a passing one (the network, HTTP 5xx, `StepResult.LATER`) costs an
attempt; a paused task costs time only; every other one ends the download at once. The task's
``retry`` and ``interval`` rule the attempts; if ``retry`` is 0, `RESUMES` are made all the same,
with short pauses, because a cut connection is our trouble and not the task's. An attempt that
brought `USEFUL` bytes or more clears the count: a slow, often cut line gets there in the end.
"""

from dataclasses import dataclass
from pathlib import Path

from atota.clock import Clock, StopToken
from atota.errors import (
    BadAnswer,
    DownloadRefused,
    PackageError,
    PlatformRefused,
    Retry,
    ServerError,
    StepResult,
)
from atota.ota.base import OnProgress, OnWait, PackageSource, Part, Task
from atota.ota.cache import Cache, Entry, PartFile
from atota.ota.package import require
from atota.ota.waiting import Pause, back_off, check_stop, wait
from atota.values import Digests, checked_sha256

RESUMES = 5  # ours: half a minute of back-off
USEFUL = 4096  # ours: bytes that make an attempt worth not being counted
_SHOWN = 10  # attempts named in an error


@dataclass(frozen=True)
class PackageFile:
    """A verified package on disk.

    ``has_moved_on``: the task had left the download, so the package is the cache's.
    """

    path: Path
    digests: Digests
    has_moved_on: bool = False


class _StartAgainError(Exception):
    """The answer does not continue the part: the part is dropped, the next attempt is from byte 0."""


class _WrongDigestError(Exception):
    """Every byte came, and they are not the package."""


def fetch(
    client: PackageSource,
    task: Task,
    dev_id: str,
    cache: Cache,
    *,
    clock: Clock,
    sha256: str | None = None,
    stop: StopToken | None = None,
    on_progress: OnProgress | None = None,
    on_wait: OnWait | None = None,
) -> PackageFile:
    """Return the task's package, verified, from the cache or from the platform.

    The token is checked first, and again before each resume, if the platform needs that; a task that
    has left the download is served from the cache alone. Nothing is ever reported to the platform here.
    ``on_progress`` is not called for a package from the cache: the platform, which sees no download, refuses
    progress of one. It may raise to end the download; the part that arrived is kept.

    Raises:
        PackageError: empty, of another size than the task's, or twice with a wrong digest.
        PlatformRefused: the token has expired, the task is cancelled, or paused for as long as a token lives…
        ServerError: the platform could not be reached often enough.
        LimitReached: the disk is full, or another program holds the package and hangs.
        Interrupted: ``stop`` was set.
    """
    expected_sha256 = checked_sha256(sha256) if sha256 is not None else None
    if task.size < 1:
        raise PackageError("the task's package is empty (its size is 0 bytes)")
    job = _Fetch(client, task, dev_id, cache.entry(task.md5, task.size), clock, stop, on_progress, on_wait)
    digests = job.run()
    require(digests, "the package", size=task.size, md5=task.md5, sha256=expected_sha256)
    return PackageFile(job.entry.path, digests, job.has_moved_on)


class Downloader:
    """Fetches the packages of one platform into a cache.

    Args:
        platform: the source of the packages.
        clock: the time of the waits.
        cache: the cache; all jobs that may fetch the same package share it.
    """

    def __init__(self, platform: PackageSource, clock: Clock, cache: Cache) -> None:
        self._platform = platform
        self._clock = clock
        self._cache = cache

    def fetch(
        self,
        task: Task,
        dev_id: str,
        *,
        sha256: str | None = None,
        stop: StopToken | None = None,
        on_progress: OnProgress | None = None,
        on_wait: OnWait | None = None,
    ) -> PackageFile:
        """Return the verified package; see `fetch`."""
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


class _Fetch:
    def __init__(
        self,
        client: PackageSource,
        task: Task,
        dev_id: str,
        entry: Entry,
        clock: Clock,
        stop: StopToken | None,
        on_progress: OnProgress | None,
        on_wait: OnWait | None,
    ) -> None:
        self.entry = entry
        self._client = client
        self._task = task
        self._dev_id = dev_id
        self._clock = clock
        self._stop = stop
        self._on_progress = on_progress
        self._on_wait = on_wait
        self.has_moved_on = False
        self._bare_range = client.capabilities.bare_range
        self._short: int | None = None  # the end of an answer that was announced too short
        self._best = 0  # the most good bytes after any attempt
        self._gained = 0  # bytes that the present attempt added to them
        self._tried: list[str] = []

    def run(self) -> Digests:
        """Make attempts until one succeeds or no more are allowed."""
        failures = 0
        wrong_before = False
        pause = Pause(self._client.capabilities, clock=self._clock, stop=self._stop, on_wait=self._on_wait)
        while True:
            check_stop(self._stop)
            self._gained = 0
            try:
                return self._attempt()
            except _WrongDigestError as error:
                if wrong_before:
                    raise PackageError(str(error), tried=("fetched twice from the first byte",)) from None
                wrong_before = True
                self._best = 0
                continue
            except _StartAgainError as error:
                trouble: ServerError = BadAnswer(str(error))
            except ServerError as error:
                if isinstance(error, PlatformRefused) and error.result is StepResult.PAUSED:
                    pause.wait(error, self._task.interval)
                    continue
                if not _passing(error):
                    raise
                trouble = error
            failures = 1 if self._gained >= USEFUL else failures + 1
            self._tried.append(trouble.message)
            if failures > (self._task.retry or RESUMES):
                raise self._given_up(trouble)
            self._wait(trouble.message, self._pause(failures))

    def _given_up(self, trouble: ServerError) -> ServerError | PackageError:
        tried = tuple(self._tried[-_SHOWN:])
        if self._short is not None:
            return PackageError(
                f"the task names {self._task.size} bytes, the server's file ends after {self._short}",
                tried=tried,
            )
        trouble.tried = tried
        return trouble

    def _pause(self, failures: int) -> float:
        if self._task.retry and self._task.interval:
            return float(self._task.interval)
        return back_off(failures)

    def _wait(self, why: str, seconds: float) -> None:
        if self._on_wait is not None:
            self._on_wait(why, seconds)
        wait(self._clock, seconds, self._stop)

    def _progress(self, done: int) -> None:
        if self._on_progress is not None:
            self._on_progress(done, self._task.size)

    # -- one attempt -------------------------------------------------------------------------

    def _attempt(self) -> Digests:
        moved_on = self._check_token()
        self.has_moved_on = moved_on is not None
        with self.entry.held(self._clock, self._stop, self._on_wait):
            digests = self.entry.verified()
            if digests is None:
                if moved_on is not None:
                    raise moved_on
                digests = self._download()
        return digests

    def _check_token(self) -> PlatformRefused | None:
        """Check the token; return a refusal that does not matter if the cache has the package."""
        if not self._client.capabilities.needs_token_check:
            return None
        try:
            self._client.check_token(self._dev_id, self._task.token)
        except PlatformRefused as error:
            if error.result is not StepResult.MOVED_ON:
                raise
            return error
        return None

    def _download(self) -> Digests:
        """Continue the part; return the verified package or raise the reason why it is not complete."""
        size = self._task.size
        with PartFile(self.entry) as part:
            self._best = max(self._best, part.done)
            self._progress(part.done)
            try:
                if part.done < size:
                    self._receive(part)
            except (_StartAgainError, PackageError):
                part.rewind(0)
                raise
            finally:
                self._gained = max(0, part.done - self._best)
                self._best = max(self._best, part.done)
            if part.done < size:
                raise ServerError(f"the download ended after {part.done} of {size} bytes")
            actual = part.md5
            digests = self.entry.verified() if part.finish() else None
        if digests is None:
            raise _WrongDigestError(
                f"the package has the wrong MD5: the task names {self._task.md5}, the download has {actual}"
            )
        return digests

    def _receive(self, part: PartFile) -> None:
        first = part.done
        if first == self._task.size - 1:  # the platform's smallest range is 2 bytes (OTA SDK guide)
            first = max(0, first - 1)
            part.rewind(first)
        self._short = None
        with self._client.open_package(self._task, first, bare_range=self._bare_range) as answer:
            start, end = self._span(answer, first)
            self._store_body(answer, part, first, start, end)

    def _span(self, answer: Part, first: int) -> tuple[int, int]:
        """Return the place of the body in the package, by the server's headers and not by the request.

        A range that starts past the end is not refused by the platform but served from byte 0. So headers
        that name another size than the task end the download at once. A part that is announced shorter than
        its place is taken: the next answer brings the rest.

        Raises:
            PackageError: the headers name another size of the whole file than the task.
        """
        size = self._task.size
        content_range = answer.content_range
        is_whole = not answer.partial or (content_range is None and not first)
        total = _announced_total(answer, is_whole=is_whole)
        if total not in (None, size):
            raise PackageError(f"the task names {size} bytes, the server's file has {total}")
        if is_whole:
            return 0, size
        if content_range is None:
            raise _StartAgainError("the server sent a part without its place")
        if content_range.first != first or content_range.last >= size:
            raise _StartAgainError(
                f"the server sent bytes {content_range.first}-{content_range.last}"
                f" instead of {first}-{size - 1}"
            )
        end = content_range.last + 1
        if answer.length is not None and answer.length > end - first:
            raise _StartAgainError("the server announces more bytes than the part has")
        return first, self._shortened(answer, first, end)

    def _shortened(self, answer: Part, start: int, end: int) -> int:
        """Return the end of the body if less is announced than is due; one byte is judged once it arrives."""
        if answer.length is None or answer.length in (1, end - start):
            return end
        self._short = start + answer.length
        return self._short

    def _store_body(self, answer: Part, part: PartFile, first: int, start: int, end: int) -> None:
        """Store the body; the part stays as it is until the first bytes arrive."""
        begun = False
        for chunk in answer.chunks:
            check_stop(self._stop)
            if not chunk:
                continue
            if not begun:
                if answer.length == 1 and end - start != 1:
                    size = self._task.size
                    raise PackageError(f"the task names {size} bytes, the server announces 1")
                if start != first:  # the whole came: this form of Range was not understood
                    self._bare_range = not self._bare_range
                part.rewind(start)
                begun = True
            self._store(part, chunk, end)

    def _store(self, part: PartFile, data: bytes, end: int) -> None:
        room = end - part.done
        part.take(data[:room])
        self._progress(part.done)
        if len(data) <= room:
            return
        if end < self._task.size:
            raise _StartAgainError("the server sent more bytes than it announced")
        raise PackageError(f"the server sends more than the {self._task.size} bytes that the task names")


def _announced_total(answer: Part, *, is_whole: bool) -> int | None:
    """Return the size of the whole file by the headers of an answer; None if they do not name it.

    A whole answer of one byte may be the number of an error: it is judged once it arrives.
    """
    if answer.content_range is not None and answer.content_range.total is not None:
        return answer.content_range.total
    return answer.length if is_whole and answer.length != 1 else None


def _passing(error: ServerError) -> bool:
    """True if another attempt may help. The next token check judges an invalid token."""
    if isinstance(error, DownloadRefused):
        return error.result in (StepResult.LATER, StepResult.EXPIRED)
    if isinstance(error, PlatformRefused):
        return error.result is StepResult.LATER
    return error.retry is Retry.LATER
