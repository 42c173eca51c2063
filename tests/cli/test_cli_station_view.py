"""The station in a terminal: every lane is on the screen, whatever its size."""

import pytest
from rich.console import Console

from atota.cli.view.terminal import picture
from atota.station.lane import LaneState, Verdict
from atota.station.view import Counters, LaneView, Notice, StationView

_LONG = "the module came back with the version that it had before, and says nothing of the reason " * 2


def _lane(number: int) -> LaneView:
    states = (
        LaneView(
            number=number, state=LaneState.RUNNING, stage="write", progress=0.43, imei="490154203237518"
        ),
        LaneView(number=number, state=LaneState.PASSED, verdict=Verdict.PASS, serial="SN100000001"),
        LaneView(number=number, state=LaneState.REMOVE_UNIT, verdict=Verdict.FAIL, sentence=_LONG),
        LaneView(number=number, state=LaneState.BLOCKED, blocked="3 failures\nin a row\x1b[2J"),
        LaneView(number=number, state=LaneState.WANTING_SCAN, serial="S" * 60),
    )
    return states[number % len(states)]


def _lines(lanes: int, width: int, height: int, *notices: Notice) -> list[str]:
    view = StationView(
        name="bench 7",
        boot="",
        batch="B-1",
        counters=Counters(passed=12, quota=500, first_pass_yield=0.98, is_online=False, waiting_records=4),
        notices=notices,
        lanes=tuple(_lane(number) for number in range(1, lanes + 1)),
    )
    console = Console(width=width, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(picture(view, width, height))
    return capture.get().splitlines()


@pytest.mark.parametrize(("width", "height"), [(77, 24), (120, 30), (197, 60), (400, 24)])
@pytest.mark.parametrize("lanes", [1, 8, 16, 64])
def test_every_lane_is_on_the_screen_once(lanes: int, width: int, height: int) -> None:
    stop = Notice(key="s", level="stop", text="six failures in a row", hint=_LONG)
    lines = _lines(lanes, width, height, stop)
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    assert "bench 7" in lines[0]
    assert "12 of 500 passed" in lines[1]
    assert lines[2].startswith("■ six failures in a row")
    words = " ".join(lines[3:])
    assert words.count("✓ PASS") == len([number for number in range(1, lanes + 1) if number % 5 == 1])
    assert words.count("✗ FAIL") == len([number for number in range(1, lanes + 1) if number % 5 == 2])
    assert "\x1b" not in words


def test_a_wide_lane_tells_its_unit_and_its_sentence_and_masks_the_imei() -> None:
    text = "\n".join(_lines(8, 197, 60))
    assert " 43%" in text
    assert "SN100000001" in text
    assert "86" not in text
    assert "490154203237518" not in text
    assert _LONG[:60] in text


def test_a_line_that_is_offline_is_told() -> None:
    assert "line offline, 4 records wait" in _lines(1, 120, 30)[0]
