"""Properties of the parser: for any bytes, any cut and any hint."""

import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Self, SupportsIndex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from atota.at.events import Data, Final, Garbage, Line, ParserEvent, Prompt
from atota.at.parser import Parser
from atota.at.syntax import RawRule, Syntax
from atota.testing.strategies import chunked, noise

PIECES = [
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"OK", b"ERROR", b"OK ", b"+CME ERROR: 30", b"+CMS ERROR:x",
    b">", b"> ", b" ", b"+RAW: 3", b"+RAW: 12", b"+IPD,2:", b"+IPD,", b'"', b'+X: "a', b"AT", b"AT+CSQ",
    b"0", b"4", b"+CSQ: 20,99", b"\x00", b"\xff\xfe", b"Boot: x", b"\xc3\xa9", b"\xe9",
]  # fmt: skip
SOUP = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=6)), max_size=25).map(b"".join)
RAW = RawRule(header=rb"\+RAW: (\d+)", limit=64)
INLINE = RawRule(header=rb"\+IPD,(\d+):", in_line=True, limit=64)
SYNTAXES = st.builds(Syntax, verbose=st.booleans(), line_limit=st.sampled_from([5, 24, 65536]))

Hint = Callable[[Parser], object]
HINTS: st.SearchStrategy[Hint] = st.one_of(
    st.just(lambda parser: None),
    st.just(lambda parser: parser.mark()),
    st.builds(
        lambda prompt, raw, lines: lambda parser: parser.hint(prompt=prompt, raw=raw, multiline=lines),
        st.sampled_from([None, b">", b"@", b"OK>", b"> "]),
        st.sampled_from([None, RAW, INLINE]),
        st.booleans(),
    ),
    st.integers(0, 20).map(lambda count: lambda parser: parser.expect_data(count)),
    st.just(lambda parser: parser.expect_prompt(b">")),
    st.just(lambda parser: parser.hint(multiline=True)),
    st.just(lambda parser: parser.hint(raw=RAW)),
)  # fmt: skip


def run(parser: Parser, pieces: list[bytes]) -> list[ParserEvent]:
    return [event for piece in pieces for event in parser.receive(piece)]


@given(SYNTAXES, st.lists(st.tuples(HINTS, SOUP), min_size=1, max_size=4), st.data())
def test_no_cut_changes_the_events(
    syntax: Syntax, acts: list[tuple[Hint, bytes]], data: st.DataObject
) -> None:
    whole, cut = Parser(syntax), Parser(syntax)
    for hint, blob in acts:
        hint(whole)
        hint(cut)
        assert run(cut, data.draw(chunked(blob))) == whole.receive(blob)
        assert cut.pending == whole.pending


@given(SYNTAXES, st.lists(st.tuples(HINTS, SOUP), min_size=1, max_size=4))
def test_no_byte_vanishes(syntax: Syntax, acts: list[tuple[Hint, bytes]]) -> None:
    parser = Parser(syntax)
    reported = b""
    for hint, blob in acts:
        hint(parser)
        reported += b"".join(event.raw for event in parser.receive(blob))
    blank = re.compile(rb"[\r\n ]")  # separators, and the blank behind a prompt
    assert blank.sub(b"", reported + parser.pending) == blank.sub(b"", b"".join(blob for _, blob in acts))


@given(SOUP)
def test_without_hints_only_line_ends_are_dropped(blob: bytes) -> None:
    parser = Parser()
    reported = b"".join(event.raw for event in parser.receive(blob))
    assert reported + parser.pending == blob.replace(b"\r", b"").replace(b"\n", b"")


@given(SYNTAXES, HINTS, st.binary(max_size=300), st.data())
def test_what_is_held_is_bounded(syntax: Syntax, hint: Hint, blob: bytes, data: st.DataObject) -> None:
    parser = Parser(syntax)
    hint(parser)
    for piece in data.draw(chunked(blob)):
        parser.receive(piece)
        assert len(parser.pending) <= max(syntax.line_limit, RAW.limit)


def reference(blob: bytes) -> list[tuple[type, bytes]]:
    """A slow parser that is obviously right: the whole blob at once, one rule after the other."""
    events: list[tuple[type, bytes]] = []
    for line in re.split(rb"[\r\n]", blob)[:-1]:
        body = line.lstrip(bytes([*range(9), *range(0x0B, 0x20), 0x7F, 0xFF]))
        if len(body) < len(line):
            events.append((Garbage, line[: len(line) - len(body)]))
        if re.fullmatch(rb"(OK|ERROR) *|\+(CME|CMS|EXT) ERROR:.*", body, re.DOTALL):
            events.append((Final, body))
        elif body:
            events.append((Line if is_text(body) else Garbage, body))
    return events


def is_text(body: bytes) -> bool:
    if body.decode(errors="ignore").encode() == body:
        return True
    return len(re.findall(rb"[ -~]", body)) >= len(body) / 2


@given(SOUP)
@example(b"\x00\x00OK\r\n\xffERROR  \n+CME ERROR:\rOKAY\n")
def test_a_slow_reference_finds_the_same(blob: bytes) -> None:
    assert [(type(event), event.raw) for event in Parser().receive(blob)] == reference(blob)


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1), st.sampled_from(["OK", "ERROR"])
)
def test_results_are_whole_lines(word: str, result: str) -> None:
    for line in (result + word, word + result, f"{word} {result}"):
        if not re.match(r"\+(CME|CMS|EXT) ERROR:", line):
            assert Parser().receive(f"\r\n{line}\r\n".encode()) == [Line(line.encode())]


@given(st.integers(0, 5000), st.binary(max_size=64), st.data())
def test_counted_data_is_exact_to_the_byte(count: int, seed: bytes, data: st.DataObject) -> None:
    tricky = (seed + b"\n\r\nOK\r\nERROR\r\n> +RAW: 3\r\n\x00\xff") * 200
    payload = tricky[:count]
    parser = Parser()
    parser.hint(raw=RawRule(header=rb"\+RAW: (\d+)"))
    stream = b"\r\n+RAW: %d\r\n%b\r\nOK\r\n" % (count, payload)
    events = run(parser, data.draw(chunked(stream)))
    block = [Data(payload)] if count else []
    assert events == [Line(b"+RAW: %d" % count), *block, Final(b"OK", True, "OK")]


@given(st.integers(1, 300), st.data())
def test_announced_data_begins_after_the_line_end(count: int, data: st.DataObject) -> None:
    payload = data.draw(st.binary(min_size=count, max_size=count).filter(lambda blob: blob[0] != 10))
    header, late = data.draw(st.sampled_from([(b"\r\nCONNECT\r", b"\n"), (b"\r\nCONNECT\r\n", b"")]))
    parser = Parser()
    assert parser.receive(header) == [Line(b"CONNECT")]
    parser.expect_data(count)
    assert run(parser, data.draw(chunked(late + payload + b"\r\nOK\r\n"))) == [
        Data(payload),
        Final(b"OK", True, "OK"),
    ]


@given(noise(max_size=80), st.sampled_from([b"\r", b"\n", b"\r\n"]), st.data())
def test_after_noise_and_one_line_end_all_is_well(blob: bytes, end: bytes, data: st.DataObject) -> None:
    clean = b"\r\n+CSQ: 20,99\r\n\r\nOK\r\n"
    parser = Parser()
    run(parser, data.draw(chunked(blob + end)))
    assert run(parser, data.draw(chunked(clean))) == [Line(b"+CSQ: 20,99"), Final(b"OK", True, "OK")]


@given(noise(), st.integers(0, 11))
def test_noise_inside_a_line_changes_that_line_only(blob: bytes, position: int) -> None:
    line = b"+CSQ: 20,99"
    stream = b"\r\n+A: 1\r\n\r\n" + line[:position] + blob + line[position:] + b"\r\n\r\nOK\r\n"
    events = Parser().receive(stream)
    assert events[0] == Line(b"+A: 1")
    assert events[-1] == Final(b"OK", True, "OK")
    assert b"".join(event.raw for event in events[1:-1]) == line[:position] + blob + line[position:]


@given(st.sampled_from([b">", b"@", b"OK>"]), st.sampled_from([b"", b" "]), st.data())
def test_a_prompt_is_told_once_and_only_when_due(prompt: bytes, blank: bytes, data: st.DataObject) -> None:
    stream = b"\r\n" + prompt + blank + b"\r\n" + prompt + b"\r\n"
    due, other = Parser(), Parser()
    due.expect_prompt(prompt)
    assert run(due, data.draw(chunked(stream))) == [Prompt(prompt), Line(prompt)]
    assert not any(isinstance(event, Prompt) for event in run(other, data.draw(chunked(stream))))


class Meter:
    """Counts the bytes that slices, copies and appends move, and the calls made."""

    def __init__(self) -> None:
        self.work = 0

    def count(self, frame: FrameType, event: str, argument: object) -> None:
        self.work += event in ("call", "c_call")


def measured(meter: Meter) -> tuple[type[bytes], type[bytearray]]:
    """Byte strings that report to ``meter`` how much of them is moved."""

    class Slices(bytes):
        def __getitem__(self, key: SupportsIndex | slice) -> Any:
            part = super().__getitem__(key)
            meter.work += len(part) if isinstance(part, bytes) else 1
            return part

    class Buffer(bytearray):
        def __iadd__(self, other: Any) -> Self:  # type: ignore[misc]
            meter.work += len(other)
            self.extend(other)
            return self

        def __bytes__(self) -> bytes:
            meter.work += len(self)
            return memoryview(self).tobytes()

        def __getitem__(self, key: SupportsIndex | slice) -> Any:
            part = super().__getitem__(key)
            meter.work += len(part) if isinstance(part, bytearray) else 1
            return part

        def __delitem__(self, key: SupportsIndex | slice) -> None:
            super().__delitem__(key)
            meter.work += len(self)

        def count(self, *arguments: Any) -> int:
            meter.work += len(self)
            return super().count(*arguments)

    return Slices, Buffer


FLOODS = {
    "no line end": b"U",
    "line ends only": b"\r\n",
    "short lines": b"\r\n+CSCON: 1\r\n",
    "open quotes": b'"\n\n\n',
    "headers": b"+IPD,2:ab",
}


@pytest.mark.parametrize("size", [1, 64, 1 << 20])
@pytest.mark.parametrize("hinted", [False, True], ids=["plain", "hinted"])
@pytest.mark.parametrize("flood", FLOODS)
def test_work_grows_with_the_input_and_no_faster(flood: str, hinted: bool, size: int) -> None:
    def work(total: int) -> int:
        meter = Meter()
        slices, buffer = measured(meter)
        parser = Parser(Syntax(line_limit=256))
        vars(parser).update(_tail=buffer(), _data=buffer())
        if hinted:
            parser.hint(prompt=b">>", raw=INLINE, multiline=True)
        blob = (FLOODS[flood] * total)[:total]
        pieces = [slices(blob[at : at + size]) for at in range(0, total, size)]
        sys.setprofile(meter.count)
        try:
            for piece in pieces:
                parser.receive(piece)
        finally:
            sys.setprofile(None)
        return meter.work

    once, twice = work(2_000), work(4_000)
    assert twice < 2.3 * once
    assert once < 400 * 2_000  # each line end: a look at the 256 bytes after it
