"""The hub: every change of the picture is told, in order, to all who watch."""

from atota.station.hub import BACKLOG, Hub
from atota.station.lane import LaneState, Verdict
from atota.station.view import Counters, LaneView, Notice, Reply, ScanCommand, Sound, StationView


def hub() -> Hub:
    lanes = tuple(LaneView(number=number, state=LaneState.EMPTY) for number in (1, 2))
    return Hub(StationView(name="bench", boot="", lanes=lanes))


def test_a_watcher_gets_a_snapshot_and_then_each_change_in_its_order() -> None:
    station = hub()
    passed = LaneView(number=2, state=LaneState.PASSED, verdict=Verdict.PASS)
    with station.subscribe() as events:
        station.put_lane(passed)
        station.put_lane(passed)
        station.put_counters(Counters(passed=1))
        station.put_sound(Sound(name="pass", lane=2))
        seen = [events.get(0) for _ in range(5)]
    kinds = [event.kind for event in seen if event is not None]
    assert kinds == ["snapshot", "lane", "counters", "sound"]
    assert seen[-1] is None
    assert station.snapshot().lanes[1] == passed
    assert station.snapshot().boot


def test_a_notice_with_an_empty_text_takes_the_banner_away() -> None:
    station = hub()
    station.put_notice(Notice(key="disk", level="stop", text="the disk is full"))
    station.put_notice(Notice(key="disk", level="stop", text="the disk is nearly full"))
    assert [notice.text for notice in station.snapshot().notices] == ["the disk is nearly full"]
    station.put_notice(Notice(key="disk"))
    assert station.snapshot().notices == ()


def test_a_watcher_that_does_not_keep_up_gets_the_whole_picture() -> None:
    station = hub()
    with station.subscribe() as events:
        for count in range(BACKLOG + 10):
            station.put_counters(Counters(passed=count + 1))
        first = events.get(0)
        assert first is not None
        assert first.kind == "snapshot"
        assert first.number > BACKLOG - 1
        last = first
        while (event := events.get(0)) is not None:
            last = event
        assert isinstance(last.data, Counters)
        assert last.data.passed == BACKLOG + 10


def test_a_command_goes_to_the_station_and_its_answer_comes_back() -> None:
    station = hub()
    assert not station.send(ScanCommand(text="SN1")).ok
    station.on_command(lambda command: Reply(ok=True, sentence=f"{command}"))
    assert "SN1" in station.send(ScanCommand(text="SN1")).sentence
