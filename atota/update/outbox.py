"""Verdicts on their way to the platform: written down first, told then, and struck off when told.

What waits in the outbox holds no token, for that is a secret. A token is asked for anew where one is needed
(the task query changes nothing); the version report, which completes a task by itself, needs none.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from atota.errors import AtotaError, Interrupted, JobTimeout, PlatformRefused, UsageError
from atota.journal.model import QueuedReport
from atota.journal.store import Journal
from atota.update.platform import Platform, Task

How = Literal["delivered", "obsolete"]
_NO_TOKEN = frozenset({2, 4, 11, 12, 20, 22})
"""Errnos of the task query that mean: no such task is being worked on (tasking page: 2, 4, 12)."""
_OVERTAKEN = frozenset({4, 12, 13, 17, 20, 21, 22})
"""Errnos of a report that mean: the task is over, or further on."""
_BAD_VERSION = 27


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the platform is to be told of one device's task.

    ``status`` is 201 or one of the failures, ``version`` what the module runs; None: not told.
    ``place`` is the address of the platform that it is for.
    """

    place: str
    dev_id: str
    type: Literal["fota", "sota"]
    target: str
    md5: str
    status: int | None = None
    version: str | None = None


class Told(msgspec.Struct, frozen=True):
    """What became of one waiting verdict: how it ended, or why it still waits."""

    report: int
    job: str
    verdict: Verdict
    how: How | None
    detail: str = ""


def waiting(journal: Journal) -> list[tuple[QueuedReport, Verdict]]:
    """What waits, the oldest first."""
    return [(report, msgspec.convert(report.document, Verdict)) for report in journal.pending()]


class Outgoing:
    """Tells verdicts of the job that runs, by way of the outbox: written down, told, struck off.

    Args:
        journal: where verdicts wait; None: they are told or lost.
        place: the address of the platform.
        job: names the job in the journal.
        warn: told if one cannot be written down.
    """

    def __init__(
        self, journal: Journal | None, place: str, job: Callable[[], str], warn: Callable[[str], None]
    ) -> None:
        self.place = place
        self._journal = journal
        self._job = job
        self._warn = warn

    def send(self, verdict: Verdict, told: Callable[[], bool]) -> bool:
        """Have ``told`` tell it; if that fails it waits. Whether the platform knows it now."""
        kept = self.keep(verdict)
        done = told()
        if done and kept is not None and self._journal is not None:
            try:
                self._journal.settle(kept, "delivered")
            except AtotaError as error:  # it is told once more later, which changes nothing
                self._warn(f"the journal does not know that the platform was told: {error.message}")
        return done

    def keep(self, verdict: Verdict) -> int | None:
        """Write a verdict down; None if there is no place for it."""
        if self._journal is None:
            return None
        try:
            return self._journal.queue(self._job(), msgspec.to_builtins(verdict))
        except AtotaError as error:
            self._warn(f"a verdict could not be kept for later: {error.message}")
            return None


def deliver(journal: Journal, platform: Platform, place: str) -> list[Told]:
    """Tell ``platform`` all that waits for it, in order.

    What one device's key or task stands in the way of waits on, and so does what comes after it for that
    device; if the platform cannot be reached at all, everything does. What waits for another stays.
    """
    ended: list[Told] = []
    stuck: set[str] = set()
    for report, verdict in waiting(journal):
        if verdict.place != place or verdict.dev_id in stuck:
            continue
        try:
            how, detail = tell(platform, verdict)
        except (Interrupted, JobTimeout):
            raise
        except AtotaError as error:
            ended.append(Told(report.id, report.job, verdict, None, error.message))
            if not isinstance(error, PlatformRefused):
                break
            stuck.add(verdict.dev_id)
            continue
        journal.settle(report.id, how, detail)
        ended.append(Told(report.id, report.job, verdict, how, detail))
    return ended


def tell(platform: Platform, verdict: Verdict) -> tuple[How, str]:
    """Tell one verdict that waited, with a token asked for anew.

    Raises:
        ServerError: the platform cannot be reached, is in trouble, or wants it later: it waits on.
    """
    said: list[str] = []
    task = _still(platform, verdict) if verdict.status is not None else None
    if task is not None and verdict.status is not None:
        try:
            platform.report_step(verdict.dev_id, task.token, verdict.status)
            said.append(f"{verdict.status}")
        except PlatformRefused as error:
            if error.errno not in _OVERTAKEN:
                raise
            said.append(f"{verdict.status} is not wanted any more ({error.message})")
    if verdict.version is not None:
        key = "f_version" if verdict.type == "fota" else "s_version"
        try:
            platform.report_version(verdict.dev_id, **{key: verdict.version})
        except UsageError as error:
            return "obsolete", f"this version cannot be told: {error.message}"
        except PlatformRefused as error:
            if error.errno != _BAD_VERSION:
                raise
            return "obsolete", f"the platform does not take the version: {error.message}"
        return "delivered", ", ".join([*said, f"version {verdict.version}"])
    if not said:
        return "obsolete", "the platform has no such task any more"
    return "delivered", said[0]


def _still(platform: Platform, verdict: Verdict) -> Task | None:
    """The task that the verdict is about, with a token, if the platform still works on it."""
    try:
        task = platform.tasking(verdict.dev_id, verdict.type)
    except PlatformRefused as error:
        if error.errno not in _NO_TOKEN:
            raise
        return None
    if task is None or (task.target, task.md5.lower()) != (verdict.target, verdict.md5.lower()):
        return None
    return task
