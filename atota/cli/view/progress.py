"""The progress of a job: as JSON lines, as plain lines, or as a live bar."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from atota.cli.view.output import Output, console, plain, styled
from atota.clock import Clock, SystemClock
from atota.update.events import (
    JobEvent,
    JobMeter,
    Listener,
    Note,
    Progress,
    StageEvent,
    StageShares,
    UrcEvent,
)
from atota.update.plan import Proposal

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

_LABEL = 18
_EVERY_S = 10.0
"""Seconds between two lines about the same stage, where no bar is drawn."""
_LONG = frozenset({"download", "write", "reboot"})
"""Stages whose beginning is a line, too: they take long."""


class _Pace:
    """The pace of one stage, for a line every ten seconds.

    Args:
        clock: the time of the person who reads.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_s = self._said_s = clock.monotonic()
        self._first: int | None = None

    def take(self, event: JobEvent) -> None:
        """Begin anew with each stage."""
        if isinstance(event, StageEvent):
            self._began_s = self._said_s = self._clock.monotonic()
            self._first = None

    def due(self, event: Progress) -> str:
        """Return a line about the progress, if the last one is long enough ago; else an empty text."""
        now = self._clock.monotonic()
        if self._first is None:  # a resumed transfer does not begin at 0
            self._first, self._began_s = event.done, now
        if now - self._said_s < _EVERY_S:
            return ""
        self._said_s = now
        share = f"{event.done * 100 // event.total if event.total else 100} %"
        if event.unit == "bytes":
            share = f"{event.done:,} of {event.total:,} bytes, {share}"
        rate = self._rate(event)
        if rate is None:
            return f"{event.stage:9} {share}"
        speed = f", {rate:,.0f} bytes/s" if event.unit == "bytes" else ""
        return f"{event.stage:9} {share}{speed}, {(event.total - event.done) / rate:.0f} s left"

    def short(self, event: Progress) -> str:
        """Return bytes, rate and time left for a line that is drawn anew each time."""
        if self._first is None:
            self._first, self._began_s = event.done, self._clock.monotonic()
        rate = self._rate(event)
        if event.unit != "bytes" or rate is None:
            return ""
        done, total = f"{event.done / 1000:.1f}", f"{event.total / 1000:.1f} kB"
        minutes, seconds = divmod(round((event.total - event.done) / rate), 60)
        return f"{done}/{total} {rate / 1000:.1f} kB/s {minutes}:{seconds:02} left"

    def _rate(self, event: Progress) -> float | None:
        """Return what a second moves; None before anything has moved."""
        assert self._first is not None
        moved, took_s = event.done - self._first, self._clock.monotonic() - self._began_s
        return moved / took_s if moved > 0 and took_s > 0 else None


def json_listener(out: Output, **always: str | int) -> Listener:
    """Return a listener that prints events as JSON lines, each with the fields ``always``."""

    def listen(event: JobEvent) -> None:
        if isinstance(event, StageShares | Proposal):
            return
        given = msgspec.structs.asdict(event).items()
        fields = {**always, **{key: value for key, value in given if value not in (None, "")}}
        if isinstance(event, StageEvent):
            out.event("stage", **fields)
        elif isinstance(event, Progress):
            out.event("progress", **fields)
        elif isinstance(event, UrcEvent):
            out.event("urc", **fields)
        else:
            out.event("note", **fields)

    return listen


def plain_listener(out: Output, label: str = "") -> Listener:
    """Return a listener that prints a line for each stage, for logs and terminals that draw nothing."""
    head = f"{label}  " if label else ""
    pace = _Pace(SystemClock())

    def listen(event: JobEvent) -> None:
        pace.take(event)
        if isinstance(event, Progress):
            line = pace.due(event)
            if line:
                out.say(f"{head}{line}")
        elif isinstance(event, StageEvent):
            elapsed = f" ({event.elapsed_ms / 1000:.1f} s)" if event.elapsed_ms else ""
            detail = f": {event.detail}" if event.detail else ""
            if event.state != "started" or out.verbosity > 0 or event.stage in _LONG:
                out.say(f"{head}{event.stage:9} {event.state}{elapsed}{detail}")
        elif isinstance(event, Note):
            (out.warn if event.level == "warning" else out.say)(f"{head}{event.text}")
        elif isinstance(event, UrcEvent) and out.verbosity > 0:
            out.say(f"{head}module: {event.text}")

    return listen


class JobView(NamedTuple):
    """The view of a job: its listener, and a context in which the view leaves the terminal alone."""

    listener: Listener
    paused: Callable[[], AbstractContextManager[None]] = nullcontext


@contextmanager
def job_view(out: Output, label: str) -> Iterator[JobView]:
    """Return the view that fits the output's destination."""
    if out.json:
        yield JobView(json_listener(out))
    elif not out.draws:
        yield JobView(plain_listener(out))
    else:
        with bars() as progress:
            yield JobView(live_listener(progress, label), lambda: _paused(progress))


@contextmanager
def _paused(progress: "RichProgress") -> Iterator[None]:
    progress.stop()
    try:
        yield
    finally:
        progress.start()


def bars() -> "RichProgress":
    """Return a live display: a line for each job, with its stage, its bar and its time."""
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}", style="bold", markup=False),
        TextColumn("{task.fields[stage]}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[pace]}"),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console(stderr=True),
        expand=True,
    )


def live_listener(progress: "RichProgress", label: str) -> Listener:
    """Return a listener that draws a line in a live display; notes are printed above it."""
    meter = JobMeter()
    shown = plain(label)
    if len(shown) > _LABEL:  # so that bytes, rate and time fit into 80 columns
        shown = "…" + shown[1 - _LABEL :]
    line = progress.add_task(shown, total=100, stage="", pace="")
    pace = _Pace(SystemClock())

    def listen(event: JobEvent) -> None:
        meter.take(event)
        pace.take(event)
        if isinstance(event, Progress):
            progress.update(line, pace=pace.short(event))
        elif isinstance(event, StageEvent):
            progress.update(line, pace="")
        is_done = meter.percent >= 100
        colour = "red" if meter.state == "failed" else "green" if is_done else "cyan"
        stage = "done" if is_done else meter.stage
        progress.update(line, completed=meter.percent, stage=f"[{colour}]{stage:<9}[/]")
        if is_done or meter.state == "failed":
            progress.stop_task(line)  # its clock, too
        if isinstance(event, Note):
            colour = "yellow" if event.level == "warning" else "dim"
            progress.console.print(styled(f"[{colour}]{{}}: {{}}[/]", label, event.text))

    return listen


@contextmanager
def transfer_bar(out: Output, stage: str, total: int) -> Iterator[Callable[[int, int], Any]]:
    """Show one transfer: the function takes the bytes done and the bytes in all."""
    if out.draws:
        with bars() as progress:
            line = progress.add_task(stage, total=total, stage="", pace="")
            pace = _Pace(SystemClock())

            def draw(done: int, of: int) -> None:
                progress.update(line, completed=done, pace=pace.short(Progress("download", done, of)))

            yield draw
        return
    last = -1

    def show(done: int, of: int) -> None:
        nonlocal last
        percent = done * 100 // of if of else 100
        if percent != last:
            last = percent
            out.event("progress", stage=stage, done=done, total=of, unit="bytes")

    yield show
