"""Simulated time for many threads."""

import threading

import pytest

from scripts.simulate_parts.turns import Stuck, TurnClock, Turns


def test_time_jumps_to_the_next_thread_that_has_something_to_do() -> None:
    turns = Turns()
    clock, seen = TurnClock(turns), list[tuple[str, float]]()

    def work(name: str, every_s: float) -> None:
        for _ in range(2):
            clock.sleep(every_s)
            seen.append((name, clock.monotonic()))

    clock.start(lambda: work("slow", 3600.0), "slow")
    clock.start(lambda: work("quick", 10.0), "quick")
    clock.sleep(10_000.0)
    assert seen == [("quick", 10.0), ("quick", 20.0), ("slow", 3600.0), ("slow", 7200.0)]
    assert turns.threads == 0


def test_a_wait_ends_with_its_event_or_with_its_time() -> None:
    clock = TurnClock(Turns())
    event, moments = threading.Event(), list[tuple[bool, float]]()

    def work() -> None:
        for _ in range(2):
            moments.append((clock.wait(event, 5.0), clock.monotonic()))

    ended = clock.start(work, "waiter")
    clock.sleep(7.0)
    event.set()
    assert clock.wait(ended, 100.0)
    assert moments == [(False, 5.0), (True, 7.0)]
    assert clock.monotonic() == 7.0


def test_a_thread_that_ends_by_an_error_gives_its_turn_away() -> None:
    turns = Turns()
    clock = TurnClock(turns)

    def work() -> None:
        raise ValueError("broken")

    assert clock.wait(clock.start(work, "broken"), 1.0)
    assert [str(failure) for failure in turns.failures] == ["broken"]


def test_a_loop_without_a_wait_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.simulate_parts.turns.MOST_TURNS", 100)
    turns = Turns()
    with pytest.raises(Stuck, match="time does not pass"):
        while True:
            turns.wait(0.0)
