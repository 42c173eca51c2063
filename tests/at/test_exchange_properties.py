"""Properties of the exchange: for any bytes, any cut, and any moment at which the caller gives up."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atota.at.events import Boot, BootDone, Done, Echo, Event, Information, Prompt, StaleResponse, Urc
from atota.at.exchange import Exchange
from atota.at.syntax import BootRule, Command, FinalRule, RawRule, Syntax, UrcRule
from atota.testing import strategies as at

BOOT = BootRule(lines=("Boot: ", "CAUSE_"), cause=r"CAUSE_(\w+)", ends_with_ok=True)
SYNTAX = Syntax(
    urcs=at.SYNTAX.urcs,
    finals=(*at.SYNTAX.finals, FinalRule(text="SHUT OK", ok=True, commands=("+CIPSHUT",))),
    boot=BOOT,
    line_limit=256,
    information_limit=8,
)
BANNER = b"\r\nBoot: Unsigned\r\nCAUSE_WATCHDOG\r\nNeul \r\nOK\r\n"
COMMANDS = [
    *map(Command.of, ("AT", "AT+CSQ", "AT+CEREG?", "AT+CIPSHUT", "ATE0", "ATE1", "ATI", "ATD1")),
    Command(text="AT+CMGS=2", prefixes=("+CMGS",), prompt=">"),
    Command(text="AT+RAW", raw=RawRule(header=rb"\+RAW: (\d+)", limit=64)),
    Command(text="AT+TXT", prefixes=("+TXT",), multiline=True, free_text=False),
    Command(text="AT+STATUS", not_final=("OK",), finals=(FinalRule(text="STATE:", ok=True, prefix=True),)),
    Command(text="AT&K0", answers=False),
]
TOKENS = [
    b"\r\n", b"\r", b"\n", b"OK", b"ERROR", b"\r\nOK\r\n", b"\r\nOK\r\n", b"+CME ERROR: 50", b"> ",
    b"+RAW: 4\r\n", b"STATE: 1",
    b"+CSCON: 1", b"+CEREG: 5", b"+CEREG: 2,5", b"+CMT: ,4", b"07AB", b"+CSQ: 20,99", b"RING", b"SHUT OK",
    b"AT", b"AT+CSQ", b"SQ", b"AT\r\r\n", b"ATI\r\r\n", b"Boot: x", b"CAUSE_PIN", b'+TXT: "a', b'"',
    b"NO CARRIER", b"\x00", b"\xff", b"text",
]  # fmt: skip
SOUP = st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=4)), max_size=12).map(b"".join)

Act = Callable[[Exchange], list[Event]]


def sends(command: Command) -> Act:
    def act(exchange: Exchange) -> list[Event]:
        if exchange.in_flight is None:
            exchange.send(command)
        return []

    return act


def does(name: str) -> Act:
    def act(exchange: Exchange) -> list[Event]:
        return getattr(exchange, name)() or []

    return act


ACTS: st.SearchStrategy[Act] = st.one_of(
    st.sampled_from(COMMANDS).map(sends),
    st.sampled_from(["abandon", "forgive", "boot_over"]).map(does),
)
SCRIPTS = st.lists(st.tuples(ACTS, SOUP), min_size=1, max_size=6)


def feed(exchange: Exchange, pieces: list[bytes]) -> list[Event]:
    return [event for piece in pieces for event in exchange.receive(piece)]


@given(SCRIPTS, st.sampled_from([None, True, False]), st.data())
def test_no_cut_changes_what_anything_means(
    script: list[tuple[Act, bytes]], echo: bool | None, data: st.DataObject
) -> None:
    whole, cut = Exchange(SYNTAX), Exchange(SYNTAX)
    whole.echo = cut.echo = echo
    for act, blob in script:
        assert act(whole) == act(cut)
        assert feed(cut, data.draw(at.chunked(blob))) == whole.receive(blob)
        assert (cut.echo, cut.outstanding, cut.booting, cut.in_flight, cut.pending) == (
            whole.echo, whole.outstanding, whole.booting, whole.in_flight, whole.pending,
        )  # fmt: skip


def raw_of(event: Event) -> bytes:
    if isinstance(event, Urc):
        return event.raw + b"".join(event.more)
    if isinstance(event, BootDone):
        return b""
    return event.final.raw if isinstance(event, Done) else event.raw


@given(SCRIPTS, st.sampled_from([None, True, False]))
def test_every_byte_is_told_exactly_once(script: list[tuple[Act, bytes]], echo: bool | None) -> None:
    """In any order: a URC of two lines, or a line held for an echo, may be told after noise behind it."""
    exchange = Exchange(SYNTAX)
    exchange.echo = echo
    events: list[Event] = []
    for act, blob in script:
        events += act(exchange)
        events += exchange.receive(blob)
    exchange.abandon()
    events += exchange.receive(b"\r\n\r\nBoot: end\r\n")  # lets go of whatever waits for more
    exchange.forgive()
    events += exchange.receive(b"\r\nBoot: end\r\n\r\nBoot: end\r\n")
    received = b"".join([*(blob for _, blob in script), b"Boot: endBoot: endBoot: end"])
    blank = bytes.maketrans(b"", b""), b"\r\n "
    reported = b"".join(map(raw_of, events)).translate(*blank)
    assert sorted(reported) == sorted(received.translate(*blank))


@given(st.lists(st.binary(max_size=80), max_size=20), st.sampled_from(COMMANDS), st.booleans())
def test_what_is_held_is_bounded(blobs: list[bytes], command: Command, echo: bool) -> None:
    exchange = Exchange(SYNTAX)
    exchange.echo = echo
    exchange.send(command)
    for blob in blobs:
        exchange.receive(blob + b"\r\nline\r\n")
        assert len(exchange.pending) <= SYNTAX.line_limit
        held = vars(exchange)["_held"], vars(exchange)["_information"]
        assert max(map(len, held)) <= SYNTAX.information_limit


def test_an_endless_answer_says_how_many_lines_were_dropped() -> None:
    exchange = Exchange(SYNTAX)
    exchange.send(Command.of("ATI"))
    *lines, done = exchange.receive(b"\r\na\r\n" * 11 + b"\r\nOK\r\n")
    assert lines == [Information(b"a")] * 11
    assert isinstance(done, Done)
    assert (done.lines, done.dropped) == ((b"a",) * 8, 3)


URCS = st.lists(at.urcs(), max_size=4)


@given(at.dialect_shapes(echoes=["exact", "none"]), URCS, st.sampled_from([None, True]), st.data())
def test_urcs_come_through_and_leave_the_answer_as_it_is(
    shape: at.Shape, urcs: list[Urc], echo: bool | None, data: st.DataObject
) -> None:
    bare = data.draw(at.transactions(shape, max_urcs=0))
    echoed = bare.written if shape.echo == "exact" else b""
    answer = bare.reply.removeprefix(echoed)
    early = data.draw(st.integers(0, len(urcs))) if echoed else 0
    urcs = [Urc(shape.colon(urc.raw), urc.more) for urc in urcs]
    lines = [b"".join(map(shape.line, (urc.raw, *urc.more))) for urc in urcs]
    stream = b"".join([*lines[:early], echoed, answer, *lines[early:]])
    exchange = Exchange(shape.syntax)
    exchange.echo = echo
    exchange.send(bare.command)
    events = feed(exchange, data.draw(at.chunked(stream)))
    assert [event for event in events if isinstance(event, Urc)] == urcs
    assert [event for event in events if not isinstance(event, Urc)] == list(bare.events)


@given(URCS, st.booleans())
def test_urcs_come_through_while_a_result_is_owed(urcs: list[Urc], another: bool) -> None:
    exchange = Exchange(SYNTAX)
    exchange.send(Command.of("AT+CSQ"))
    exchange.abandon()
    if another:
        exchange.send(Command.of("AT+CGSN"))
    stream = b"".join(b"\r\n" + raw + b"\r\n" for urc in urcs for raw in (urc.raw, *urc.more))
    assert exchange.receive(stream) == urcs


@given(at.transactions(at.Shape(), max_urcs=2), at.transactions(at.Shape(), max_urcs=2), st.data())
def test_giving_up_at_any_byte_costs_that_answer_and_no_other(
    one: at.Transaction, two: at.Transaction, data: st.DataObject
) -> None:
    """Also the edge of a deadline: the last byte just before, at, or just after it."""
    exchange = Exchange(at.SYNTAX)
    exchange.send(one.command)
    cut = data.draw(st.integers(0, len(one.reply)))
    early = exchange.receive(one.reply[:cut])
    ended = sum(isinstance(event, Done) for event in early)
    exchange.abandon()
    assert exchange.outstanding == 1 - ended
    late = exchange.receive(one.reply[cut:])
    allowed = Urc | StaleResponse if not ended else Urc
    assert all(isinstance(event, allowed) for event in late)
    assert sum(isinstance(event, StaleResponse) and event.result for event in late) == 1 - ended
    assert exchange.outstanding == 0
    exchange.send(two.command)
    assert exchange.receive(two.reply) == list(two.events)


@given(
    at.transactions(at.Shape(echo="none"), max_urcs=1),
    at.transactions(at.Shape(echo="none"), max_urcs=1),
    st.data(),
)
def test_the_next_command_may_be_written_before_the_late_answer(
    one: at.Transaction, two: at.Transaction, data: st.DataObject
) -> None:
    exchange = Exchange(at.SYNTAX)
    exchange.send(one.command)
    exchange.abandon()
    exchange.send(two.command)
    events = feed(exchange, data.draw(at.chunked(one.reply + two.reply)))
    after = next(n for n, event in enumerate(events) if isinstance(event, StaleResponse) and event.result) + 1
    assert not any(isinstance(event, Information | Done) for event in events[:after])
    assert [event for event in events[after:] if isinstance(event, Done)] == [two.done]


def hears(blob: bytes) -> Act:
    return lambda exchange: exchange.receive(blob)


def believes(exchange: Exchange) -> list[Event]:
    exchange.echo = True
    return []


CSQ, CMGS, RAW, TXT = COMMANDS[1], COMMANDS[8], COMMANDS[9], COMMANDS[10]
STATES: dict[str, list[Act]] = {
    "idle": [],
    "in flight": [sends(CSQ)],
    "owed": [sends(CSQ), does("abandon")],
    "owed and in flight": [sends(CSQ), does("abandon"), sends(COMMANDS[0])],
    "prompt due": [sends(CMGS)],
    "data cut short": [sends(RAW), hears(b"\r\n+RAW: 50\r\nab"), does("abandon"), does("forgive")],
    "a quote left open": [sends(TXT), hears(b'\r\n+TXT: "a\r\n'), does("abandon"), does("forgive")],
    "a URC half told": [hears(b"\r\n+CMT: ,4\r\n")],
    "lines held for an echo": [believes, sends(CSQ), hears(b"\r\nx\r\n")],
}


@pytest.mark.parametrize("state", STATES)
@settings(max_examples=15)
@given(data=st.data())
def test_a_banner_is_seen_in_any_state_and_the_next_command_works(state: str, data: st.DataObject) -> None:
    exchange = Exchange(SYNTAX)
    for act in STATES[state]:
        act(exchange)
    events = feed(exchange, data.draw(at.chunked(BANNER)))
    assert [event.cause for event in events if isinstance(event, BootDone)] == ["WATCHDOG"]
    assert sum(isinstance(event, Boot) for event in events) == 4
    assert not any(isinstance(event, Done | Information) for event in events)
    assert (exchange.in_flight, exchange.outstanding, exchange.booting, exchange.echo) == (
        None,
        0,
        False,
        None,
    )
    step = data.draw(at.transactions(at.Shape(), max_urcs=1))
    exchange.send(step.command)
    assert exchange.receive(step.reply) == list(step.events)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8), st.booleans())
def test_no_line_that_merely_holds_a_result_ends_a_command(word: str, before: bool) -> None:
    exchange = Exchange()
    exchange.send(Command.of("ATI"))
    line = f"{word}OK" if before else f"OK{word}"
    assert exchange.receive(f"\r\n{line}\r\n".encode()) == [Information(line.encode())]
    assert exchange.in_flight is not None


@given(at.dialect_shapes(), st.sampled_from([None, True]), st.data())
def test_the_answer_is_the_same_with_any_echo_or_none(
    shape: at.Shape, belief: bool | None, data: st.DataObject
) -> None:
    silent = msgspec.structs.replace(shape, echo="none")
    step = data.draw(at.transactions(silent, max_urcs=0))
    text = step.command.text.encode()
    lost = data.draw(st.integers(1, len(text) - 1))
    echo = {"none": b"", "exact": text, "beheaded": text[lost:], "preceded": b"H?" + text}[shape.echo]
    exchange = Exchange(shape.syntax)
    exchange.echo = belief
    exchange.send(step.command)
    events = feed(exchange, data.draw(at.chunked((echo + b"\r" if echo else b"") + step.reply)))
    assert [event for event in events if not isinstance(event, Echo)] == list(step.events)
    assert exchange.echo is (shape.echo != "none")


@given(st.sampled_from(["AT+CGMR", "ATI", "AT+NCONFIG"]), st.data())
def test_one_flipped_byte_in_the_echo_does_not_leak(text: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.sampled_from(b"#xZ\x80"))
    echo = bytes([*text.encode()[:cut], byte, *text.encode()[cut + 1 :]])
    exchange = Exchange()
    exchange.echo = True
    exchange.send(Command.of(text))
    done = exchange.receive(echo + b"\r\r\nV1R2\r\n\r\nOK\r\n")[-1]
    assert isinstance(done, Done)
    assert done.lines == (b"V1R2",)


@given(st.integers(1, 6), st.sampled_from([None, True, False]))
def test_information_that_is_the_commands_own_tail_survives_behind_a_header(
    lost: int, echo: bool | None
) -> None:
    exchange = Exchange()
    exchange.echo = echo
    exchange.send(Command.of("AT+CGMR"))
    tail = b"AT+CGMR"[lost:]
    done = exchange.receive(b"\r\n" + tail + b"\r\n\r\nOK\r\n")[-1]
    assert isinstance(done, Done)
    assert done.lines == (tail,)


@given(st.lists(st.booleans(), min_size=1, max_size=6))
def test_one_command_teaches_a_new_echo(modes: list[bool]) -> None:
    exchange = Exchange(at.SYNTAX)
    for echoes in modes:
        exchange.send(Command.of("AT+CSQ"))
        echo = b"AT+CSQ\r" if echoes else b""
        done = exchange.receive(echo + b"\r\n+CSQ: 1,2\r\n\r\nOK\r\n")[-1]
        assert isinstance(done, Done)
        assert done.lines == (b"+CSQ: 1,2",)
        assert exchange.echo is echoes


@given(st.sampled_from([b"ERROR", b"+CMS ERROR: 304", b"+CME ERROR: 50", b"OK"]), st.booleans(), st.data())
def test_no_prompt_is_told_unless_the_module_printed_it_for_this_command(
    result: bytes, prompted: bool, data: st.DataObject
) -> None:
    exchange = Exchange(SYNTAX)
    exchange.send(COMMANDS[8])
    stream = (b"\r\n> " if prompted else b"") + b"\r\n" + result + b"\r\n> \r\n"
    events = feed(exchange, data.draw(at.chunked(stream)))
    assert [event for event in events if isinstance(event, Prompt)] == [Prompt(b">")] * prompted


LINES = st.lists(
    st.sampled_from([b"+CSCON: 1", b"+XYZ: 1", b"+XYZ: 2", b"text", b"+CSQ: 1,2", b"RING"]), max_size=6
)


@given(LINES, st.booleans(), st.sampled_from([None, False]))
def test_one_more_urc_in_the_table_changes_its_own_lines_only(
    lines: list[bytes], busy: bool, echo: bool | None
) -> None:
    def read(syntax: Syntax) -> list[Event]:
        exchange = Exchange(syntax)
        exchange.echo = echo
        if busy:
            exchange.send(Command.of("AT+CSQ"))
        return exchange.receive(b"".join(b"\r\n" + line + b"\r\n" for line in lines))

    richer = Syntax(urcs=(*at.SYNTAX.urcs, UrcRule(prefix="+XYZ:")), finals=at.SYNTAX.finals)
    for before, after, line in zip(read(at.SYNTAX), read(richer), lines, strict=True):
        assert after == (Urc(line) if line.startswith(b"+XYZ:") else before)


def test_a_second_command_in_flight_is_the_callers_bug() -> None:
    exchange = Exchange()
    exchange.send(Command.of("AT"))
    with pytest.raises(RuntimeError, match="in flight"):
        exchange.send(Command.of("AT+CSQ"))


def test_a_command_of_two_lines_would_owe_two_results_and_is_refused() -> None:
    with pytest.raises(ValueError, match="more than one line"):
        Exchange().send(Command.of("AT\rAT"))


@given(st.lists(st.integers(0, 30), max_size=6))
def test_ignored_bytes_change_nothing_wherever_they_come(positions: list[int]) -> None:
    """The ME3616 manual's log shows NUL bytes behind some lines; the answer is the same without them."""
    stream = b"\r\nOK\r\n\r\n*MATREADY: 1\r\n"
    noisy = bytearray(stream)
    for position in sorted(positions, reverse=True):
        noisy.insert(min(position, len(stream)), 0)
    seen = []
    for data in (stream, bytes(noisy)):
        exchange = Exchange(Syntax(ignored=b"\0"))
        exchange.send(Command.of("AT+ZRST"))
        seen.append(exchange.receive(data))
    assert seen[0] == seen[1]
    assert isinstance(seen[0][0], Done)
