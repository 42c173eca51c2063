"""The stages of one job as they pass: one place that times them and tells the listener."""

from collections.abc import Iterator
from contextlib import contextmanager

from atota.clock import Clock
from atota.errors import AtotaError
from atota.update.events import STAGES, JobEvent, Listener, Note, Progress, Stage, StageEvent
from atota.update.result import JobResult


class StageLog:
    """Tells the listener what happens and keeps the times in the result.

    Attributes:
        clock: the time of the link, once it is open.
        current: the stage that began last.
        started: the command that starts the update may have reached the module.
    """

    def __init__(self, listener: Listener, result: JobResult) -> None:
        self.clock: Clock | None = None
        self.current: Stage | None = None
        self.started = False
        self.emit = listener
        self._result = result
        self._seen: set[Stage] = set()
        self._percent = -1

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Everything inside belongs to ``stage``; an error of ours ends it as failed."""
        self.current, self._percent = stage, -1
        self._seen.add(stage)
        began = self.clock.monotonic() if self.clock is not None else None
        self.emit(StageEvent(stage, "started"))
        try:
            yield
        except AtotaError as error:
            self.emit(StageEvent(stage, "failed", error.message, self._took(stage, began)))
            raise
        self.emit(StageEvent(stage, "done", "", self._took(stage, began)))

    def _took(self, stage: Stage, began: float | None) -> int | None:
        if self.clock is None or began is None:
            return None
        elapsed_ms = round(1000 * (self.clock.monotonic() - began))
        self._result.stages_ms[stage] = elapsed_ms + self._result.stages_ms.get(stage, 0)
        return elapsed_ms

    def skip(self, stage: Stage, why: str = "") -> None:
        """Say that a stage does not apply."""
        self._seen.add(stage)
        self.emit(StageEvent(stage, "skipped", why))

    def skip_the_rest(self) -> None:
        """Say of every stage that has not been mentioned that it does not apply."""
        for stage in STAGES:
            if stage not in self._seen:
                self.skip(stage)

    def progress(self, stage: Stage, done: int, total: int, *, percent: bool = False) -> None:
        """Tell how far a stage is, once a percent."""
        share = done * 100 // total if total else 100
        if share != self._percent:
            self._percent = share
            self.emit(Progress(stage, done, total, "percent" if percent else "bytes"))

    def note(self, text: str) -> None:
        """Tell something that ends nothing."""
        self.emit(Note(text))

    def warn(self, text: str) -> None:
        """Tell something that ends nothing but belongs in the result."""
        self._result.warnings.append(text)
        self.emit(Note(text, "warning"))

    def send(self, event: JobEvent) -> None:
        """Pass an event on."""
        self.emit(event)


def with_advice(error: AtotaError, stage: Stage | None, *, started: bool) -> AtotaError:
    """Say what an interruption means for the module."""
    if not started:
        hint = "The module still runs what it ran before. Run the same command again to go on."
    else:
        hint = (
            "The update had been started, or may have been. Leave the module powered for ten minutes, "
            "then run `atota identify`: its version tells how it ended."
        )
    message = f"{error.message} (in stage {stage})" if stage else error.message
    return type(error)(message, hint=hint, tried=error.tried)
