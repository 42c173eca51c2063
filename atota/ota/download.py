"""Fetch a task's package into the cache: resumed after cuts, verified, whole or not at all.

What may go wrong is told apart: trouble that passes (the network, HTTP 5xx, "try again") costs a
re-attempt; a paused task costs time only; everything else ends the download at once. The task's
``retry`` and ``interval`` rule the re-attempts; where it says 0, `RESUMES` are made all the same,
with short pauses, because a cut connection is our trouble and not the task's. An attempt that
brought `USEFUL` bytes or more clears the count: a slow, often cut line gets there in the end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from atota.clock import Clock, Deadline, StopToken
from atota.errors import (
    BadAnswer,
    DownloadRefused,
    PackageError,
    PlatformRefused,
    Retry,
    ServerError,
)
from atota.ota.cache import Cache, Entry, PartFile
from atota.ota.onenet.answers import action_of
from atota.ota.onenet.errnos import Action, DownloadProblem, Endpoint, download_problem
from atota.ota.onenet.wire import Task
from atota.ota.package import require
from atota.ota.source import PackageSource, Part
from atota.ota.waiting import OnWait, back_off, check_stop, wait
from atota.values import Digests, checked_sha256

RESUMES = 5  # ours: half a minute of back-off
USEFUL = 4096  # ours: bytes that make an attempt worth not being counted
_SHOWN = 10  # attempts named in an error
PAUSE_S = 30.0  # ours: between looks at a paused task that names no interval
PAUSE_LIMIT_S = 48 * 3600.0  # platform page "check upgrade task": a token lives two days

OnProgress = Callable[[int, int], None]
"""Told bytes done and bytes in all; done may go back when a download starts again."""


@dataclass(frozen=True)
class PackageFile:
    """A verified package on disk."""

    path: Path
    digests: Digests


class _StartAgainError(Exception):
    """The answer does not continue what we have: the part is dropped, the next attempt is from byte 0."""


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

    The token is checked first, and again before each resume; a task that has left the download
    (errno 17) is served from the cache alone. Nothing is ever reported to the platform here.
    ``on_progress`` may raise to end the download; what came so far is kept.

    Raises:
        PackageError: empty, of another size than the task says, or twice with a wrong digest.
        PlatformRefused: token expired (12), task cancelled (22), paused for two days (19)…
        ServerError: the platform could not be reached often enough.
        LimitReached: the disk is full, or another program holds the package and hangs.
        Interrupted: ``stop`` was set.
    """
    wanted = checked_sha256(sha256) if sha256 is not None else None
    if task.size < 1:
        raise PackageError("the task's package is empty (the platform says 0 bytes)")
    job = _Fetch(client, task, dev_id, cache.entry(task.md5, task.size), clock, stop, on_progress, on_wait)
    digests = job.run()
    require(digests, "the package", size=task.size, md5=task.md5, sha256=wanted)
    return PackageFile(job.entry.path, digests)


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
        self._bare_range = False
        self._short: int | None = None  # where an answer ended that was announced too short
        self._best = 0  # the furthest any attempt came
        self._gained = 0  # bytes by which the present attempt came further
        self._tried: list[str] = []

    def run(self) -> Digests:
        """Make attempts until one succeeds or no more are allowed."""
        failures = 0
        wrong_before = False
        paused = Deadline(self._clock, PAUSE_LIMIT_S)
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
                if action_of(error, Endpoint.TOKEN) is Action.PAUSED and not paused.expired:
                    self._wait("the operator has paused the task", self._task.interval or PAUSE_S)
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
            said = f"the task says {self._task.size} bytes, the server's file ends after {self._short}"
            return PackageError(said, tried=tried)
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
        over = self._token()
        with self.entry.held(self._clock, self._stop, self._on_wait):
            found = self.entry.verified()
            if found is None:
                if over is not None:
                    raise over
                found = self._download()
        self._progress(found.size)
        return found

    def _token(self) -> PlatformRefused | None:
        """Check the token; a refusal that the cache may make good comes back as a value."""
        try:
            self._client.check_token(self._dev_id, self._task.token)
        except PlatformRefused as error:
            if action_of(error, Endpoint.TOKEN) is not Action.NOT_DOWNLOADABLE:
                raise
            return error
        return None

    def _download(self) -> Digests:
        """Go on where the part ends; return the verified package or raise why it is not there yet."""
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
            found = self.entry.verified() if part.finish() else None
        if found is None:
            raise _WrongDigestError(
                f"the package has the wrong MD5: the task says {self._task.md5}, what came has {actual}"
            )
        return found

    def _receive(self, part: PartFile) -> None:
        first = part.done
        if first == self._task.size - 1:  # the platform's smallest range is 2 bytes (OTA SDK guide)
            first = max(0, first - 1)
            part.rewind(first)
        self._short = None
        with self._client.open_package(self._task, first, bare_range=self._bare_range) as answer:
            start, end = self._place(answer, first)
            self._take(answer, part, first, start, end)

    def _place(self, answer: Part, first: int) -> tuple[int, int]:
        """Where in the package the body belongs, from what the server says and not from what we asked.

        A range that starts past the end is not refused by the platform but served from byte 0. A
        body that is announced shorter than it should be is taken: the next answer tells the rest.
        """
        size = self._task.size
        place = answer.place
        if not answer.partial or (place is None and not first):
            if answer.length is not None and answer.length > size:
                raise PackageError(f"the task says {size} bytes, the server's file has {answer.length}")
            return 0, self._shortened(answer, 0, size)
        if place is None:
            raise _StartAgainError("the server sent a part without saying which")
        if place.total is not None and place.total != size:
            raise PackageError(f"the task says {size} bytes, the server's file has {place.total}")
        if place.first != first or place.last >= size:
            raise _StartAgainError(
                f"the server sent bytes {place.first}-{place.last}, asked were {first}-{size - 1}"
            )
        end = place.last + 1
        if answer.length is not None and answer.length > end - first:
            raise _StartAgainError("the server announces more bytes than the part has")
        return first, self._shortened(answer, first, end)

    def _shortened(self, answer: Part, start: int, end: int) -> int:
        """The end of the body if less is announced than is due; one byte may be an error's number."""
        if answer.length is None or answer.length in (1, end - start):
            return end
        self._short = start + answer.length
        return self._short

    def _take(self, answer: Part, part: PartFile, first: int, start: int, end: int) -> None:
        """Store the body. Its first byte is held back until a second comes: alone, it may be an error."""
        held = b""
        begun = False
        for chunk in answer.chunks:
            check_stop(self._stop)
            data = held + chunk
            if not begun and len(data) < 2:
                held = data
                continue
            held = b""
            if not begun:
                if start != first:  # the whole came: this form of Range was not understood
                    self._bare_range = not self._bare_range
                part.rewind(start)
                begun = True
            self._store(part, data, end)
        if held:
            self._single(answer, part, held, start, end)

    def _store(self, part: PartFile, data: bytes, end: int) -> None:
        room = end - part.done
        part.take(data[:room])
        self._progress(part.done)
        if len(data) <= room:
            return
        if end < self._task.size:
            raise _StartAgainError("the server sent more bytes than it announced")
        raise PackageError(f"the server sends more than the {self._task.size} bytes that the task says")

    def _single(self, answer: Part, part: PartFile, byte: bytes, start: int, end: int) -> None:
        """Judge a body of one byte: an error's number, a package of one byte, or a cut."""
        problem = download_problem(byte[0])
        genuine = answer.place is not None and answer.partial
        if self._task.size == 1:
            genuine = answer.length == 1 or Digests.of(byte).md5 == self._task.md5
        if problem is not None and not genuine:
            raise _refusal(problem)
        if answer.length == 1 and end - start != 1:
            raise PackageError(f"the task says {self._task.size} bytes, the server announces 1")
        part.rewind(start)
        self._store(part, byte, end)


def _refusal(problem: DownloadProblem) -> DownloadRefused:
    return DownloadRefused(
        f"the platform refused the download: {problem.sentence} (download error {problem.value})",
        errno=problem.value,
    )


def _passing(error: ServerError) -> bool:
    """Whether another attempt may help. An invalid token is asked about by the next token check."""
    if isinstance(error, DownloadRefused):
        return DownloadProblem(error.errno).action in (Action.RETRY, Action.RECHECK)
    if isinstance(error, PlatformRefused):
        return action_of(error, Endpoint.TOKEN) is Action.RETRY
    return error.retry is Retry.LATER
