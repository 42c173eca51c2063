"""The parts that all steps of one job share, and the display of its progress."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from atota.clock import Clock, StopToken
from atota.errors import AtotaError, Outcome
from atota.journal.facts import Fact
from atota.journal.store import Journal
from atota.ota.base import Platform
from atota.ota.download import Downloader
from atota.ota.serve import Serve
from atota.settings.spec import JobSpec
from atota.update.events import STAGES, JobResult, Listener, Note, Progress, Stage, StageEvent
from atota.update.job_journal import JobJournal
from atota.update.plan import Goal
from atota.update.report import Outbox
from atota.update.state import JobMachine
from atota.update.target import Target
from atota.values import Identity

QUEUED = "queued: the platform has not taken it yet"
"""The truth about a report that is not delivered, as the stage's word."""
Approve = Callable[[Identity, Goal], bool]


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a target that was identified: the platform's names of it, and facts for its record."""

    dev_id: str | None = None
    product_id: str | None = None
    device_name: str | None = None
    facts: tuple[Fact, ...] = ()

    @property
    def names(self) -> dict[str, str]:
        """The names that it gives, as fields of `JobSpec`."""
        given = {"dev_id": self.dev_id, "product_id": self.product_id, "device_name": self.device_name}
        return {field: name for field, name in given.items() if name is not None}


Admit = Callable[[Identity], Admission]


class ProgressReporter:
    """The display of one job: stages, progress, notes; it keeps their times in the result.

    Attributes:
        clock: the time of the link, once it is open.
        current: the stage that began last.
        detail: one sentence about its good end; it may be set while it lasts.
        emit: gives an event to the listener.
        is_in_order: the stages before one that begins are over: those that did not occur do not apply.
    """

    def __init__(self, listener: Listener, result: JobResult) -> None:
        self.clock: Clock | None = None
        self.current: Stage | None = None
        self.detail = ""
        self.emit = listener
        self._result = result
        self.is_in_order = True
        self._seen: set[Stage] = set()
        self._percent = -1

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Mark everything inside as one stage; an `AtotaError` ends it as failed."""
        if self.is_in_order:
            self._skip_until(stage)
        self.current, self.detail, self._percent = stage, "", -1
        self._seen.add(stage)
        began = self.clock.monotonic() if self.clock is not None else None
        self.emit(StageEvent(stage, "started"))
        try:
            yield
        except AtotaError as error:
            self.emit(StageEvent(stage, "failed", error.message, self._elapsed_ms(stage, began)))
            raise
        self.emit(StageEvent(stage, "done", self.detail, self._elapsed_ms(stage, began)))

    def _elapsed_ms(self, stage: Stage, began: float | None) -> int | None:
        if self.clock is None or began is None:
            return None
        elapsed_ms = round(1000 * (self.clock.monotonic() - began))
        self._result.stages_ms[stage] = elapsed_ms + self._result.stages_ms.get(stage, 0)
        return elapsed_ms

    def skip(self, stage: Stage, why: str = "") -> None:
        """Show that a stage does not apply."""
        self._seen.add(stage)
        self.emit(StageEvent(stage, "skipped", why))

    def skip_the_rest(self) -> None:
        """Show every stage that was not mentioned yet as skipped."""
        self._skip_until(None)

    def _skip_until(self, end: Stage | None) -> None:
        for stage in STAGES:
            if stage == end:
                return
            if stage not in self._seen:
                self.skip(stage)

    def show(self, stage: Stage, done: int, total: int, *, percent: bool = False) -> None:
        """Show the progress of a stage, once a percent."""
        share = done * 100 // total if total else 100
        if share != self._percent:
            self._percent = share
            self.emit(Progress(stage, done, total, "percent" if percent else "bytes"))

    def note(self, text: str) -> None:
        """Show a sentence that ends nothing."""
        self.emit(Note(text))

    def warn(self, text: str) -> None:
        """Show a sentence that ends nothing but belongs in the result."""
        self._result.warnings.append(text)
        self.emit(Note(text, "warning"))


@dataclass(frozen=True, slots=True)
class JobContext:
    """The parts that all steps of one job share.

    Attributes:
        spec: the job.
        result: its result, filled as it goes.
        progress: shows stages, progress and notes.
        entry: the job's entry in the journal.
        machine: the job's state.
        outbox: the way out for reports to the platform.
        stop: asks for the end.
        journal: holds earlier runs and queued reports; None: no job is remembered.
        platform, downloader: the OTA platform; None: the job has a package of its own.
        approve: asked before anything is downloaded or written, if it is given.
        serve: serves the package to modules that fetch it.
    """

    spec: JobSpec
    result: JobResult
    progress: ProgressReporter
    entry: JobJournal
    machine: JobMachine
    outbox: Outbox
    stop: StopToken
    journal: Journal | None
    platform: Platform | None
    downloader: Downloader | None
    approve: Approve | None
    serve: Serve

    def end(self, outcome: Outcome) -> None:
        """Set how the job ends."""
        self.result.outcome = outcome
        self.result.exit_code = outcome.exit_code

    def end_updated(self, *, is_reported: bool) -> None:
        """End with an updated target; ``is_reported``: the platform knows it."""
        self.end(Outcome.UPDATED if is_reported else Outcome.UPDATED_UNREPORTED)

    def restore(self, target: Target, undo: tuple[str, ...], *, close: bool) -> None:
        """Take changed settings back where nothing was started, also when the user wants the end."""
        if self.machine.may_undo:
            with self.stop.shielded():
                target.restore(undo, close=close)
