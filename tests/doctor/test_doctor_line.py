"""The line: what faults of simulated modules look like in numbers, and what these are said to mean."""

from typing import Any

import pytest

from atota.clock import Deadline, SimulatedClock, StopToken
from atota.dialects import loader
from atota.doctor.line import (
    Exchanges,
    Rates,
    exchange,
    judge_echo,
    judge_errors,
    judge_noise,
    judge_rates,
    judge_round_trip,
    judge_silence,
    scan_rates,
)
from atota.errors import Interrupted, JobTimeout, LinkLost, NoAnswer
from atota.module.session import Session
from atota.sim.link import open_sim_link


def session(query: str = "", *, model: str = "BC28", dialect: str = "quectel-hi2115") -> Session:
    link = open_sim_link(f"sim://{model}?{query}", clock=SimulatedClock())
    return Session(link, loader.load(dialect))


def numbers(**fields: Any) -> Exchanges:
    usual: dict[str, Any] = {
        "count": 50,
        "lost": 0,
        "garbled": 0,
        "noise_bytes": 0,
        "turns_s": (0.02, 0.03, 0.04),
        "wire_s": 0.01,
        "echo": False,
    }
    return Exchanges(**usual | fields)


def test_a_good_line_loses_nothing() -> None:
    seen = exchange(session(), 50)
    assert (seen.count, seen.lost, seen.garbled, seen.noise_bytes, seen.boots) == (50, 0, 0, 0, 0)
    assert len(seen.turns_s) == 25
    assert 0 < seen.wire_s < min(seen.turns_s)
    assert seen.echo is False
    assert not seen.given_up


@pytest.mark.parametrize(
    "fault",
    ["drop-byte:40", "double-byte:40", "lose-reply:c9", "late-reply:c9:4"],
)
def test_each_fault_costs_one_answer_and_the_rest_is_right(fault: str) -> None:
    seen = exchange(session(f"fault={fault}"), 30)
    assert seen.lost + seen.garbled == 1
    assert seen.count == 30


def test_unsolicited_lines_are_no_errors() -> None:
    seen = exchange(session("fault=urc-storm"), 30)
    assert (seen.lost, seen.garbled, seen.noise_bytes) == (0, 0, 0)


def test_a_module_that_falls_silent_is_not_asked_to_the_end() -> None:
    seen = exchange(session("fault=silent-at:c10"), 1000)
    assert seen.given_up
    assert seen.count == 14
    assert judge_errors(seen).state == "bad"


def test_a_reboot_is_counted_and_named_as_the_reason() -> None:
    seen = exchange(session("fault=brownout-at-block:c9"), 20)
    assert seen.boots == 1
    assert seen.lost == 1
    assert "rebooted" in judge_errors(seen).next
    assert "rebooted" in judge_noise(numbers(noise_bytes=3, boots=1)).next


@pytest.mark.parametrize(("query", "echo", "word"), [("", False, "off"), ("fault=echo", True, "on: ")])
def test_the_echo_is_learned(query: str, echo: bool, word: str) -> None:
    seen = exchange(session(query), 4)
    assert seen.echo is echo
    assert judge_echo(seen.echo).says.startswith(word)


def test_the_adapter_s_latency_shows_in_the_round_trip() -> None:
    quick, slow = exchange(session("latency_ms=1"), 10), exchange(session("latency_ms=16"), 10)
    assert quick.turn_s is not None
    assert slow.turn_s is not None
    assert slow.turn_s - quick.turn_s == pytest.approx(0.015, abs=0.005)


def test_only_harmless_questions_are_asked(scripted: Any) -> None:
    link = scripted(lambda _line, _number: [(0.01, b"\r\nOK\r\n")], baud=9600)
    talk = Session(link, loader.load("quectel-hi2115"))
    exchange(talk, 6)
    scan_rates(talk)
    assert set(link.written) <= {b"AT", b"AT+CGMR"}


@pytest.mark.parametrize("rate", [9600, 115200])
def test_the_rates_that_answer_are_found_and_the_line_is_left_where_it_was(rate: int) -> None:
    talk = session(f"baud={rate}")
    talk.link.set_baud(rate)
    found = scan_rates(talk)
    assert found.answering == (rate,)
    assert set(found.silent) == set(talk.dialect.uart.bauds) - {rate}
    assert talk.link.baud == rate
    assert talk.command("AT").ok


def test_a_module_that_follows_every_rate_is_left_at_its_own(scripted: Any) -> None:
    link = scripted(lambda _line, _number: [(0.01, b"\r\nOK\r\n")])
    talk = Session(link, loader.load("simcom-sim7000"))
    found = scan_rates(talk)
    assert set(found.answering) == set(talk.dialect.uart.bauds)
    assert link.baud == found.home == 9600
    assert "takes its rate from each command" in judge_rates(found).says


def test_a_rate_that_the_port_cannot_run_at_is_told_apart(scripted: Any) -> None:
    link = scripted(lambda _line, _number: [(0.01, b"\r\nOK\r\n")], baud=9600, refused=(115200,))
    found = scan_rates(Session(link, loader.load("simcom-sim7000")))
    assert found.impossible == (115200,)
    assert "this port cannot run at 115200" in judge_rates(found).says


def test_a_module_that_is_gone_after_the_scan_is_told(scripted: Any) -> None:
    link = scripted(lambda _line, _number: [], baud=9600)
    with pytest.raises(NoAnswer):
        scan_rates(Session(link, loader.load("simcom-sim7000")))


def test_the_time_limit_and_the_user_end_it() -> None:
    talk = session("fault=mute")
    talk.limit = Deadline(talk.clock, 5.0)
    with pytest.raises(JobTimeout):
        exchange(talk, 50)
    stop = StopToken()
    stop.set()
    with pytest.raises(Interrupted):
        exchange(Session(talk.link, talk.dialect, stop=stop), 50)


def test_a_port_that_goes_away_ends_it() -> None:
    with pytest.raises(LinkLost):
        exchange(session("fault=unplug-at:c5"), 20)


@pytest.mark.parametrize(
    ("fields", "state", "words"),
    [
        ({}, "ok", "median 30 ms, worst 40 ms of 3; 10 ms of it are the bytes on the wire"),
        ({"turns_s": (0.4, 0.5)}, "warning", "slow: "),
        ({"turns_s": (0.4, 0.5), "wire_s": 0.3}, "ok", "median"),
        ({"turns_s": (0.02, 0.02, 1.5)}, "warning", "late now and then: "),
        ({"turns_s": ()}, "unknown", "no response came"),
    ],
)
def test_a_round_trip_is_judged_by_what_is_not_the_wire(fields: Any, state: str, words: str) -> None:
    found = judge_round_trip(numbers(**fields))
    assert (found.state, bool(found.next)) == (state, state == "warning")
    assert words in found.says


@pytest.mark.parametrize(
    ("fields", "state", "words"),
    [
        ({}, "ok", "50 of 50"),
        ({"lost": 1}, "warning", "1 got no response within 3 s"),
        ({"garbled": 1}, "warning", "of 50 queries 1 a damaged one"),
        ({"lost": 1, "garbled": 1}, "bad", "1 got no response within 3 s and 1 a damaged one"),
        ({"count": 1000, "lost": 20}, "warning", "20 got"),
        ({"count": 1000, "lost": 21}, "bad", "21 got"),
        ({"count": 3, "lost": 1}, "warning", "1 got"),
        ({"count": 5, "lost": 5, "given_up": True}, "bad", "the last 5 in a row"),
    ],
)
def test_errors_are_judged_by_their_share(fields: Any, state: str, words: str) -> None:
    found = judge_errors(numbers(**fields))
    assert (found.state, bool(found.next)) == (state, state != "ok")
    assert words in found.says


def test_noise_is_a_warning() -> None:
    assert judge_noise(numbers()).state == "ok"
    found = judge_noise(numbers(noise_bytes=7))
    assert (found.state, found.says.split()[0]) == ("warning", "7")
    assert "ground" in found.next


def test_the_rates_are_told() -> None:
    told = judge_rates(Rates(home=9600, answering=(9600,), silent=(115200, 57600)))
    assert told.says == "9600 baud answers; not at 115200, 57600"


@pytest.mark.parametrize(
    ("tried", "says", "advice"),
    [
        (("9600 baud: silence", "115200 baud: silence"), "silence at 9600, 115200 baud", "has power"),
        (
            ("9600 baud: silence", "115200 baud: 12 bytes of noise"),
            "silence at 9600 baud; 12 bytes of noise at 115200 baud",
            "-b RATE",
        ),
        (("9600 baud: 20 bytes of text, but no answer",), "but no answer at 9600 baud", "does not receive"),
    ],
)
def test_silence_says_what_was_heard_and_what_that_means(
    tried: tuple[str, ...], says: str, advice: str
) -> None:
    found = judge_silence(NoAnswer("nothing intelligible came", tried=tried))
    assert found.state == "bad"
    assert says in found.says
    assert advice in found.next
