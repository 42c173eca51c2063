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
        moved, took_s = event.done - self._first, now - self._began_s
        if moved <= 0 or took_s <= 0:
            return f"{event.stage:9} {share}"
        rate = moved / took_s
        speed = f", {rate:,.0f} bytes/s" if event.unit == "bytes" else ""
        return f"{event.stage:9} {share}{speed}, {(event.total - event.done) / rate:.0f} s left"


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
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}", style="bold", markup=False),
        TextColumn("{task.fields[stage]}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console(stderr=True),
        expand=True,
    )


def live_listener(progress: "RichProgress", label: str) -> Listener:
    """Return a listener that draws a line in a live display; notes are printed above it."""
    meter = JobMeter()
    line = progress.add_task(plain(label), total=100, stage="")

    def listen(event: JobEvent) -> None:
        meter.take(event)
        is_done = meter.percent >= 100
        colour = "red" if meter.state == "failed" else "green" if is_done else "cyan"
        stage = "done" if is_done else meter.stage
        progress.update(line, completed=meter.percent, stage=f"[{colour}]{stage:<9}[/]")
        if isinstance(event, Note):
            colour = "yellow" if event.level == "warning" else "dim"
            progress.console.print(styled(f"[{colour}]{{}}: {{}}[/]", label, event.text))

    return listen


@contextmanager
def transfer_bar(out: Output, stage: str, total: int) -> Iterator[Callable[[int, int], Any]]:
    """Show one transfer: the function takes the bytes done and the bytes in all."""
    if out.draws:
        with bars() as progress:
            line = progress.add_task(stage, total=total, stage=stage)
            yield lambda done, _total: progress.update(line, completed=done)
        return
    last = -1

    def show(done: int, of: int) -> None:
        nonlocal last
        percent = done * 100 // of if of else 100
        if percent != last:
            last = percent
            out.event("progress", stage=stage, done=done, total=of, unit="bytes")

    yield show
