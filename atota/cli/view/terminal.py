"""The picture of a station in a terminal: a line for each lane, the counters above and the banners below."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from atota.cli.view.output import console, plain, styled
from atota.station.hub import Hub
from atota.station.lane import Verdict
from atota.station.view import LaneView, StationView
from atota.values import mask

_A_SECOND = 4
_WORDS = {
    Verdict.PASS: ("✓ PASS", "bold green"),
    Verdict.FAIL: ("✗ FAIL", "bold red"),
    Verdict.STATION_ERROR: ("! STATION", "bold yellow"),
}


@contextmanager
def live_station(hub: Hub) -> Iterator[None]:
    """Draw the station's picture for as long as the block lasts."""
    with Live(
        get_renderable=lambda: picture(hub.snapshot()),
        console=console(stderr=True),
        refresh_per_second=_A_SECOND,
    ):
        yield


def picture(view: StationView) -> Group:
    """Return the picture of a station."""
    lanes = Table(box=None, header_style="bold", expand=True)
    for heading in ("lane", "state", "verdict", "unit", "stage", "", "what goes on"):
        lanes.add_column(heading, no_wrap=heading != "what goes on", overflow="fold")
    for lane in view.lanes:
        lanes.add_row(*_cells(lane))
    banners = [
        styled(
            f"[{'bold red' if notice.level == 'stop' else 'yellow'}]{{}}[/]  {{}}", notice.text, notice.hint
        )
        for notice in view.notices
    ]
    return Group(_head(view), lanes, *banners)


def _head(view: StationView) -> Text:
    counters = view.counters
    quota = f" of {counters.quota}" if counters.quota else ""
    share = counters.first_pass_yield
    parts = [
        view.name,
        f"batch {view.batch}" if view.batch else "",
        f"operator {view.operator}" if view.operator else "",
        f"{counters.passed}{quota} passed",
        f"{counters.failed} failed",
        f"{counters.station_error} by the station",
        f"first pass {100 * share:.1f} %" if share is not None else "",
        f"{counters.units_an_hour:.0f} an hour",
    ]
    return styled("[bold]{}[/]", "   ".join(part for part in parts if part))


def _cells(lane: LaneView) -> list[Text | str | ProgressBar]:
    word, colour = _WORDS[lane.verdict] if lane.verdict is not None else ("", "dim")
    unit = lane.serial or (mask(lane.imei) if lane.imei else "")
    is_running = lane.verdict is None and lane.stage is not None
    bar = ProgressBar(total=1.0, completed=lane.progress, width=20) if is_running else ""
    sentence = lane.blocked or lane.problem or lane.sentence
    if lane.waiting_for:
        sentence = f"waiting for {lane.waiting_for}"
    return [
        Text(f"{lane.number:>4}", "bold"),
        lane.state.value,
        Text(word, colour),
        plain(unit),
        lane.stage or "" if is_running else "",
        bar,
        plain(sentence),
    ]
