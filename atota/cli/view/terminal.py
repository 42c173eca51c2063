"""The picture of a station in a terminal: the counters above, the banners, and every lane without scrolling.

A lane has a line. Where the lines are more than the screen has, lanes stand side by side; where that makes
them narrow, they keep the number, and the verdict, or the state and the share that is done.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from atota.cli.view.output import console, plain
from atota.station.hub import Hub
from atota.station.lane import AT_WORK, LaneState, Verdict
from atota.station.view import LaneView, StationView
from atota.values import mask

_A_SECOND = 4
_WORDS = {
    Verdict.PASS: ("✓ PASS", "bold green"),
    Verdict.FAIL: ("✗ FAIL", "bold red"),
    Verdict.STATION_ERROR: ("! STATION", "bold yellow"),
}
_WIDE = 70
"""Columns from which a lane's line has its unit and its sentence."""
_BAR = 10
_ECHO = 3
"""Columns on the right for the ``^C`` that a terminal shows: it would begin a new line otherwise."""
_LEAST_LINES = 3
"""Lines of lanes that a low screen is given, banners or not."""


@contextmanager
def live_station(hub: Hub) -> Iterator[None]:
    """Draw the station's picture for as long as the block lasts."""
    screen = console(stderr=True)
    with Live(
        get_renderable=lambda: picture(hub.snapshot(), screen.width - _ECHO, screen.height),
        console=screen,
        refresh_per_second=_A_SECOND,
        vertical_overflow="crop",
    ):
        yield


def picture(view: StationView, width: int, height: int) -> Group:
    """Return the picture of a station for a screen of so many columns and lines."""
    above = [*_head(view), *_banners(view)]
    for line in above:
        line.truncate(width, overflow="ellipsis")
    lines = max(_LEAST_LINES, height - len(above) - 1)
    columns = -(-len(view.lanes) // lines)
    lines = -(-len(view.lanes) // columns)
    cell = (width - 2 * (columns - 1)) // columns
    lanes = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(columns):
        lanes.add_column(width=cell, no_wrap=True)
    for index in range(lines):
        lanes.add_row(*(_lane(lane, cell) for lane in view.lanes[index::lines]))
    return Group(*above[: max(0, height - lines - 1)], lanes)


def _head(view: StationView) -> list[Text]:
    counters = view.counters
    quota = f" of {counters.quota}" if counters.quota else ""
    share = counters.first_pass_yield
    names = [
        view.name,
        f"batch {view.batch}" if view.batch else "",
        f"operator {view.operator}" if view.operator else "",
        _line(view),
    ]
    figures = [
        f"{counters.passed}{quota} passed",
        f"{counters.failed} failed",
        f"{counters.station_error} by the station",
        f"first pass {100 * share:.1f} %" if share is not None else "",
        f"{counters.units_an_hour:.0f} an hour",
    ]
    return [Text(_one_line("  ".join(part for part in parts if part)), "bold") for parts in (names, figures)]


def _line(view: StationView) -> str:
    counters = view.counters
    if counters.is_online is None:
        return ""
    state = "line online" if counters.is_online else "line offline"
    return f"{state}, {counters.waiting_records} records wait" if counters.waiting_records else state


def _banners(view: StationView) -> list[Text]:
    banners = []
    for notice in view.notices:
        mark, style = ("■", "bold red") if notice.level == "stop" else ("▲", "yellow")
        text = (f"{mark} {_one_line(notice.text)}", style)
        banners.append(Text.assemble(text, f"  {_one_line(notice.hint)}"))
    return banners


def _lane(lane: LaneView, width: int) -> Text:
    """Return the line of a lane."""
    number = (f"{lane.number:>2} ", "bold")
    word, colour = _WORDS[lane.verdict] if lane.verdict is not None else ("", "")
    is_at_work = lane.state in AT_WORK and lane.state is not LaneState.WANTING_SCAN
    if is_at_work and lane.verdict is None:
        word, colour = f"{lane.progress:4.0%}", "cyan"
    state = lane.stage if is_at_work and lane.stage else lane.state.value
    if width < _WIDE:
        shown = f" {state}" if is_at_work or not word else ""
        line = Text.assemble(number, (word, colour), shown)
    else:
        unit = lane.serial or (mask(lane.imei) if lane.imei else "")
        full = int(lane.progress * _BAR)
        bar = "━" * full + "─" * (_BAR - full) if is_at_work and lane.verdict is None else ""
        line = Text.assemble(
            number,
            (f"{word:<9} ", colour),
            (f"{bar:<{_BAR}} ", "cyan"),
            f"{state:<12} ",
            f"{_one_line(unit)[-15:]:<15} ",
            _one_line(_sentence(lane)),
        )
    line.truncate(width, overflow="ellipsis")
    return line


def _sentence(lane: LaneView) -> str:
    if lane.verdict is None and (text := lane.blocked or lane.problem or lane.done_before):
        return text
    if lane.state in AT_WORK and lane.waiting_for:
        return f"waiting for {lane.waiting_for}"
    return lane.sentence


def _one_line(text: str) -> str:
    return " ".join(plain(text).split("\n"))
