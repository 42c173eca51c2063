"""The events of a station: as JSON lines, or as one line for each verdict."""

import msgspec

from atota.cli.view.output import Output, styled
from atota.cli.view.progress import json_listener
from atota.station.desk import VerdictEvent
from atota.station.lane import Verdict
from atota.station.view import LaneView
from atota.update.events import JobEvent, Note

_COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.STATION_ERROR: "yellow"}
_SHOWN = ("imei", "serial", "problem", "blocked", "done_before", "record_id")


class JsonReporter:
    """A reporter that prints every event as a JSON line with its lane and its job."""

    def __init__(self, out: Output) -> None:
        self._out = out

    def lane(self, view: LaneView, job: str | None) -> None:
        """Print a lane's new state."""
        more = {name: value for name in _SHOWN if (value := getattr(view, name)) is not None}
        self._out.event("lane", lane=view.number, job=job, state=view.state, **more)

    def verdict(self, event: VerdictEvent) -> None:
        """Print a verdict."""
        self._out.event("verdict", **msgspec.structs.asdict(event))

    def job(self, lane: int, job: str, event: JobEvent) -> None:
        """Print an event of a job."""
        json_listener(self._out, lane=lane, job=job)(event)


class SilentReporter:
    """A reporter that prints nothing: a picture of the lanes shows all of it."""

    def lane(self, view: LaneView, job: str | None) -> None:
        """Do nothing."""

    def verdict(self, event: VerdictEvent) -> None:
        """Do nothing."""

    def job(self, lane: int, job: str, event: JobEvent) -> None:
        """Do nothing."""


class PlainReporter:
    """A reporter that prints a line for each verdict and each block, for logs."""

    def __init__(self, out: Output) -> None:
        self._out = out

    def lane(self, view: LaneView, job: str | None) -> None:
        """Print a lane's new state, where that is asked for, or where it needs a person."""
        text = view.blocked or view.problem or view.done_before
        if text is not None and job is None:
            self._out.say(f"lane {view.number:>2}  {view.state}: {text}")
        elif self._out.verbosity > 0:
            self._out.say(f"lane {view.number:>2}  {view.state}")

    def verdict(self, event: VerdictEvent) -> None:
        """Print a verdict."""
        template = f"lane {{}}  [bold {_COLOURS[event.verdict]}]{{}}[/]  {{}}  {{}}[dim]  ({{}})[/]"
        word, record = event.verdict.upper(), event.record_id or "-"
        self._out.say(styled(template, f"{event.lane:>2}", word, event.outcome, event.sentence, record))

    def job(self, lane: int, job: str, event: JobEvent) -> None:  # noqa: ARG002 - a reporter is told all
        """Print the warnings of a job."""
        if isinstance(event, Note) and event.level == "warning":
            self._out.warn(f"lane {lane}: {event.text}")
