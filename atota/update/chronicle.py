"""Writes one job into the journal: its stages as they pass, and the facts that the next run needs.

Until the module is known nothing is written: which run this is, the first or another attempt, depends on what
the journal says of that module. What passes before is kept and written then.

A journal that cannot be written ends a job that has not started anything; once the update is started it
only makes a warning, for the module has to be seen through to its end.
"""

from collections.abc import Callable
from typing import Any

from atota.clock import Clock
from atota.errors import AtotaError
from atota.journal.model import Opened
from atota.journal.store import JobBook, Journal
from atota.update.events import JobEvent, Note, StageEvent

NOTE_EVERY_S = 2.0
"""How often the progress of a write is noted: what a cut may cost, beyond what was noted last."""


class Chronicle:
    """The journal as one job sees it. Without a journal it does nothing.

    Args:
        journal: where to write.
        opened: what is known before the module is; run and attempt are set by `begin`.
        clock: the journal's.
        is_started: whether the update may have been started.
        warn: told if the journal fails once it may.
    """

    def __init__(
        self,
        journal: Journal | None,
        opened: Opened,
        *,
        clock: Clock,
        is_started: Callable[[], bool],
        warn: Callable[[str], None],
    ) -> None:
        self.opened = opened
        self._journal = journal
        self._clock = clock
        self._is_started = is_started
        self._warn = warn
        self._book: JobBook | None = None
        self._kept: list[Callable[[JobBook], object]] = []
        self._broken = False
        self._noted_at: float | None = None

    @property
    def id(self) -> str:
        """The job's id: of its record, too."""
        return f"{self.opened.run}-{self.opened.attempt}"

    def begin(self, opened: Opened) -> None:
        """Open the job's page and write what has passed so far."""
        self.opened = opened
        journal = self._journal
        if journal is None:
            return

        def open_book() -> None:
            self._book = journal.open_job(opened)

        self._attempt(open_book)
        kept, self._kept = self._kept, []
        for write in kept:
            self._write(write)

    def hear(self, event: JobEvent) -> None:
        """Take an event of the job."""
        if isinstance(event, StageEvent):
            step, at = event, self._clock.time()
            self._write(lambda book: book.stage(step.stage, step.state, step.detail, step.elapsed_ms, at=at))
        elif isinstance(event, Note) and event.level == "warning":
            self.fact("warning", {"text": event.text})

    def fact(self, kind: str, data: dict[str, Any]) -> None:
        """Note something down; the newest of a kind counts."""
        at = self._clock.time()
        self._write(lambda book: book.fact(kind, data, at=at))

    def written(self, done: int, total: int, clock: Clock) -> None:
        """Note how far the write is, now and then."""
        now = clock.monotonic()
        if self._noted_at is None or now - self._noted_at >= NOTE_EVERY_S or done == total:
            self._noted_at = now
            self.fact("written", {"done": done, "total": total})

    def end(self, outcome: str, exit_code: int) -> None:
        """Write the verdict, and with it the record. The last thing that happens to the page."""
        if self._book is None and self._journal is not None:
            self.begin(self.opened)
        self._write(lambda book: book.verdict(outcome, exit_code))

    def _write(self, write: Callable[[JobBook], object]) -> None:
        if self._journal is None or self._broken:
            return
        if self._book is None:
            self._kept.append(write)
            return
        book = self._book
        self._attempt(lambda: write(book))

    def _attempt(self, write: Callable[[], object]) -> None:
        try:
            write()
        except AtotaError as error:
            self._broken = True
            if not self._is_started():
                raise
            self._warn(f"this job's record ends here: {error.message}")
