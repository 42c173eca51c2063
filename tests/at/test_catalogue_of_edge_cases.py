r"""The output of real modules, as literal bytes, and the events that it must give.

Each row is read whole, byte by byte, and cut at places that hypothesis chooses: the events are the same.
Events are written short: E echo (``E~`` damaged), I information, F final, U unsolicited (``U?`` named by
no rule), P prompt, D data, G garbage, L late, B boot line, R reboot complete. The steps of a row: bytes are
what the module says, ``>text`` sends a command, ``<text`` a payload, ``!`` abandons the command in flight,
``.``
forgives the debts, ``~`` says that a banner was quiet for long enough; the rest sets or states a belief.

Left out, since they need a hook that no module of these families needs:

- a bare address that ends ``AT+CIFSR``, information that is a final too (``+CPIN: READY``): the shape of a
  line as a final result (SIM800, Wavecom);
- an empty line as the prompt of ``AT+CPOS``; an ``OK`` before the prompt and another after it (SIM5360, ESP);
- hex text as counted data (``61 62 6364``), ``+++`` guard times and PPP frames: these belong to methods;
  that 32 NUL mean "no AT port" is for those who open it, here it is noise;
- a list in parentheses that goes on over a line end (``+COPS:`` of one phone): line ends count;
- a modem that changes its rate inside a result, and the abort byte: these need a link and a clock.
"""

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atota.at.events import (
    Boot,
    BootDone,
    Data,
    Done,
    Echo,
    Event,
    Garbage,
    Information,
    Prompt,
    StaleResponse,
    Urc,
    view,
)
from atota.at.exchange import Exchange
from atota.at.syntax import BootRule, Command, FinalRule, RawRule, Syntax, UrcRule
from atota.testing.strategies import chunked

HEADER_OF_RAW = RawRule(header=rb"\+RAWDATA: (\d+)")
DIALECT = Syntax(
    urcs=(
        *(
            UrcRule(prefix=prefix)
            for prefix in (
                "+CSCON:", "+NPSMR:", "+NNMI:", "+NSONMI:", "+CFUN:", "+CPIN:", "+QDNS:", "+UUSORD:",
                "*MATREADY:", "VOICE CALL:", "DST: ", "+IPD,",
            )
        ),
        UrcRule(prefix="+CEREG:", solicited=r"\+CEREG: ?\d,\d"),
        UrcRule(prefix="+CMT:", continuation=1),
        UrcRule(suffix=",CLOSED"),
        UrcRule(suffix=", CONNECT OK"),
        UrcRule(exact="NO CARRIER"),
        UrcRule(exact="RDY"),
        UrcRule(exact="APP RDY"),
        UrcRule(exact="RING"),
    ),
    finals=(
        FinalRule(text="CONNECT", ok=True, prefix=True, commands=("D",)),
        FinalRule(text="NO CARRIER", ok=False, commands=("D",)),
        FinalRule(text="BUSY", ok=False, commands=("D",)),
        FinalRule(text="MODEM ERROR:", ok=False, prefix=True),
        FinalRule(text="COMMAND NOT SUPPORT", ok=False),
        FinalRule(text="TOO MANY PARAMETERS", ok=False),
        FinalRule(text="NA", ok=False),
        FinalRule(text="FAIL", ok=False),
        FinalRule(text="ABORTED", ok=False, commands=("+COPS",)),
        FinalRule(text="busy p...", ok=False),
        FinalRule(text="SHUT OK", ok=True, commands=("+CIPSHUT",)),
        FinalRule(text="SEND OK", ok=True, commands=("+CIPSEND",)),
    ),
    boot=BootRule(
        lines=(
            "REBOOTING", "Boot: ", "Security B", "Protocol A", "Apps A", "REBOOT_CAUSE_", "Neul", "u-blox ?$",
            "[0-9A-Z]{2}: [0-9A-F]{4} [0-9A-F]{4}", "Leaving the BROM",
        ),
        cause=r"REBOOT_CAUSE_(\w+)",
        ends_with_ok=True,
    ),
)  # fmt: skip
NUMERIC = Syntax(verbose=False)
COMMANDS = {
    "AT+CMGS=20": Command(text="AT+CMGS=20", prefixes=("+CMGS",), prompt=">"),
    "AT+CIPSEND": Command(text="AT+CIPSEND", prompt=">"),
    'AT+USECMNG=0,0,"CA",1758': Command(text='AT+USECMNG=0,0,"CA",1758', prompt=">"),
    "AT+USOWR=3,16": Command(text="AT+USOWR=3,16", prompt="@"),
    "AT!X": Command(text="AT!X", prompt="INTERMEDIATE:>"),
    "AT+CIPRXGET=2": Command(
        text="AT+CIPRXGET=2", prefixes=("+CIPRXGET",), raw=RawRule(header=rb"\+CIPRXGET: 2,\d,(\d+)")
    ),
    "AT+RAW": Command(text="AT+RAW", raw=HEADER_OF_RAW),
    "AT+QIRD=1": Command(text="AT+QIRD=1", raw=RawRule(header=rb"\+QIRD: (\d+)")),
    "AT+IPD": Command(text="AT+IPD", raw=RawRule(header=rb"\+IPD,\d+,(\d+):", in_line=True)),
    "AT+NSORF=0,9": Command(text="AT+NSORF=0,9", prefixes=("+NSORF",), raw=RawRule(header=rb"\+NSORF:(\d+)")),
    "AT+QFUPL": Command(
        text="AT+QFUPL", prefixes=("+QFUPL",), finals=(FinalRule(text="CONNECT", ok=True, prefix=True),)
    ),
    "AT+CIPSTATUS": Command(
        text="AT+CIPSTATUS", finals=(FinalRule(text="STATE: ", ok=True, prefix=True),), not_final=("OK",)
    ),
    "AT+URDBLOCK": Command(text="AT+URDBLOCK", prefixes=("+URDBLOCK",), multiline=True),
    "AT%CMNG=2": Command(text="AT%CMNG=2", prefixes=("%CMNG",), multiline=True),
    "AT+CLTS=1": Command(text="AT+CLTS=1", prefixes=("+CLTS",)),
    "AT&K0": Command(text="AT&K0", answers=False),
}
Step = str | bytes
Row = tuple[str, tuple[Step, ...], list[str]]

_BESIDE = Path(__file__).parent
ROWS: list[Row] = [
    row
    for name in ("catalogue_of_framing.py", "catalogue_of_traffic.py")
    for row in runpy.run_path(str(_BESIDE / name))["ROWS"]
]


def short(event: Event) -> str:
    """An event as the table writes it."""
    match event:
        case Done(final=final):
            if final.kind in ("OK", "ERROR") and final.code is None:
                return f"F {view(final.raw)}"
            words = [final.kind, *([] if final.code is None else [str(final.code)])]
            words += [final.text] if final.text not in ("", str(final.code)) else []
            return "F " + " ".join(words)
        case BootDone(cause=cause):
            return f"R {cause}" if cause else "R"
        case Boot(raw=raw, cause=cause):
            return f"B {view(raw)} {cause}" if cause else f"B {view(raw)}"
        case Urc(known=known):
            return ("U " if known else "U? ") + event.text.replace("\n", " + ")
        case Echo(raw=raw, damaged=damaged):
            return ("E~ " if damaged else "E ") + view(raw)
    letters = {Information: "I", Prompt: "P", Data: "D", Garbage: "G", StaleResponse: "L"}
    return f"{letters[type(event)]} {view(event.raw)}"


def play(steps: tuple[Step, ...], cut: Callable[[bytes], list[bytes]]) -> list[str]:
    """Act out a row and return its events in short form; what it states of the state is asserted."""
    exchange = Exchange(NUMERIC if steps[0] == "V0" else DIALECT)
    events: list[Event] = []
    for step in steps:
        if isinstance(step, bytes):
            for piece in cut(step):
                events += exchange.receive(piece)
        elif step[0] == ">":
            command = COMMANDS.get(step[1:]) or Command.of(step[1:])
            assert exchange.send(command) == step[1:].encode() + b"\r"
        else:
            events += steer(exchange, step)
    return [short(event) for event in events]


def steer(exchange: Exchange, step: str) -> list[Event]:
    """Do or assert what a step says."""
    match step:
        case "!":
            exchange.abandon()
        case ".":
            exchange.forgive()
        case "~":
            return exchange.boot_over()
        case "ack":
            exchange.expect_data(1)
        case "echo:=on":
            exchange.echo = True
        case "echo on" | "echo off":
            assert exchange.echo is (step == "echo on")
        case "owed 0":
            assert exchange.outstanding == 0
            assert exchange.in_flight is None
        case "in flight":
            assert exchange.in_flight is not None
        case _:
            assert step == "V0"
    return []


def whole(blob: bytes) -> list[bytes]:
    return [blob]


def single(blob: bytes) -> list[bytes]:
    return [blob[at : at + 1] for at in range(len(blob))]


def check(row: Row, cut: Callable[[bytes], list[bytes]]) -> None:
    _, steps, expected = row
    assert play(steps, cut) == expected


@pytest.mark.parametrize("cut", [whole, single])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_of_the_catalogue(row: Row, cut: Callable[[bytes], list[bytes]]) -> None:
    check(row, cut)


@settings(max_examples=400)
@given(st.sampled_from(ROWS), st.data())
def test_rows_cut_anywhere(row: Row, data: st.DataObject) -> None:
    check(row, lambda blob: data.draw(chunked(blob)))


def test_a_flood_without_a_line_end_is_garbage_of_known_size_and_the_next_line_is_good() -> None:
    """A16: 70,000 bytes against a limit of 65,536."""
    flood = b"\r\n" + b"A" * 70_000

    def sizes(pieces: Iterator[bytes]) -> list[tuple[str, int]]:
        exchange, events = Exchange(DIALECT), []
        for piece in pieces:
            events += exchange.receive(piece)
            assert len(exchange.pending) <= DIALECT.line_limit
        return [(type(event).__name__, len(getattr(event, "raw", b""))) for event in events]

    stream = flood + b"\r\n+CSCON: 1\r\n"
    expected = [("Garbage", 65_536), ("Garbage", 4_464), ("Urc", 9)]
    assert sizes(iter([stream])) == expected
    assert sizes(stream[at : at + 1000] for at in range(0, len(stream), 1000)) == expected


@pytest.mark.parametrize("cut", [whole, single])
def test_what_came_of_a_data_block_that_is_given_up_is_read_before_what_comes_later(
    cut: Callable[[bytes], list[bytes]],
) -> None:
    exchange = Exchange(DIALECT)
    exchange.expect_data(50)
    assert exchange.receive(b"\r\nfirst\r\n") == []
    exchange.send(Command(text="AT+X", prompt="> "))
    events = [event for piece in cut(b"second\r\nOK\r\n") for event in exchange.receive(piece)]
    assert [short(event) for event in events] == ["I first", "I second", "F OK"]


@pytest.mark.parametrize("cut", [whole, single])
def test_a_result_that_ends_a_hinted_command_ends_its_data_too(cut: Callable[[bytes], list[bytes]]) -> None:
    exchange = Exchange(DIALECT)
    exchange.send(Command(text="AT+X", prompt="> "))
    assert exchange.receive(b"\r\nOK") == []
    exchange.expect_data(3)
    events = [event for piece in cut(b"k\r\n") for event in exchange.receive(piece)]
    assert [short(event) for event in events] == ["F OK", "U? k"]
