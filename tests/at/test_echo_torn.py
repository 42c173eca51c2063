"""An echo that a URC tore is an echo at every place, however the bytes are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.at.events import Done, Echo, Event, Information, Urc
from atota.at.exchange import Exchange
from atota.at.syntax import Command, Syntax, UrcRule

SYNTAX = Syntax(
    urcs=(UrcRule(prefix="+CEREG:"), UrcRule(exact="APP RDY"), UrcRule(prefix="+CMT:", continuation=1))
)
URCS = [
    b"\r\n+CEREG: 1\r\n",
    b"\r\nAPP RDY\r\n",
    b"\r\n+CMT: ,3\r\n07912143\r\n",
    b"APP RDY\r\n",
    b"+CEREG: 5\r\n",
]
COMMANDS = {"AT+CSQ": b"\r\n+CSQ: 18,99\r\n", "AT+CGMM": b"\r\nBG96\r\n", "ATI": b"\r\nQuectel\r\nBG96\r\n"}


def conversation(command: str, reply: bytes, *, belief: bool | None = None, cut: int = 0) -> list[Event]:
    exchange = Exchange(SYNTAX)
    exchange.echo = belief
    exchange.send(Command.of(command))
    pieces = [reply] if not cut else [reply[at : at + cut] for at in range(0, len(reply), cut)]
    return [event for piece in pieces for event in exchange.receive(piece)]


def information(events: list[Event]) -> list[bytes]:
    return [event.raw for event in events if isinstance(event, Information)]


def check(command: str, answer: bytes, urc: bytes, at: int, belief: bool | None, cut: int) -> None:
    text = command.encode()
    wire = text[:at] + urc + text[at:] + b"\r" + answer + b"\r\nOK\r\n"
    events = conversation(command, wire, belief=belief, cut=cut)
    done = events[-1]
    assert isinstance(done, Done)
    assert b"\r\n".join(done.lines) == answer.strip(), events
    assert information(events) == list(done.lines)
    assert [event.known for event in events if isinstance(event, Urc)] == [True], events
    pieces = [event.raw for event in events if isinstance(event, Echo)]
    assert b"".join(pieces) == text


@pytest.mark.parametrize("belief", [None, True])
@pytest.mark.parametrize("command", COMMANDS)
def test_an_echo_torn_at_every_place_is_an_echo(command: str, belief: bool | None) -> None:
    for urc in URCS[:3]:
        for at in range(1, len(command)):
            check(command, COMMANDS[command], urc, at, belief, cut=0)


@pytest.mark.parametrize("urc", URCS[3:])
def test_a_urc_without_a_line_end_before_it_tears_the_echo_too(urc: bytes) -> None:
    for at in range(2, len("AT+CSQ")):
        check("AT+CSQ", COMMANDS["AT+CSQ"], urc, at, None, cut=0)


@given(
    command=st.sampled_from(sorted(COMMANDS)),
    urc=st.sampled_from(URCS[:3]),
    belief=st.sampled_from([None, True]),
    where=st.floats(0.01, 0.99),
    cut=st.integers(1, 9),
)
def test_the_reads_do_not_matter_to_a_torn_echo(
    command: str, urc: bytes, belief: bool | None, where: float, cut: int
) -> None:
    at = max(1, min(len(command) - 1, round(where * len(command))))
    check(command, COMMANDS[command], urc, at, belief, cut)


def test_an_echo_may_be_torn_twice() -> None:
    wire = b"AT+C\r\n+CEREG: 1\r\nGM\r\nAPP RDY\r\nM\r\r\nBG96\r\n\r\nOK\r\n"
    events = conversation("AT+CGMM", wire)
    assert isinstance(events[-1], Done)
    assert events[-1].lines == (b"BG96",)
    assert [event.raw for event in events if isinstance(event, Echo)] == [b"AT+C", b"GM", b"M"]


def test_an_echo_whose_end_is_lost_does_not_hide_the_response() -> None:
    events = conversation("AT+CGMM", b"AT+C\r\nBG96\r\n\r\nOK\r\n", belief=True)
    assert isinstance(events[-1], Done)
    assert events[-1].lines == (b"BG96",)


def test_the_late_echo_of_an_abandoned_command_is_not_a_piece_of_the_next_one() -> None:
    exchange = Exchange(SYNTAX)
    exchange.send(Command.of("AT"))
    exchange.abandon()
    exchange.send(Command.of("AT+CSQ"))
    events = exchange.receive(b"AT\r\r\nOK\r\nAT+CSQ\r\r\n+CSQ: 18,99\r\n\r\nOK\r\n")
    assert isinstance(events[-1], Done)
    assert events[-1].lines == (b"+CSQ: 18,99",)


def test_without_an_echo_a_line_like_a_piece_of_it_is_the_response() -> None:
    events = conversation("AT+GMM", b"\r\nM\r\n\r\nOK\r\n", belief=False)
    assert isinstance(events[-1], Done)
    assert events[-1].lines == (b"M",)
