"""Hypothesis strategies for AT streams: the bytes of a module, with the events that they mean.

Each strategy that makes bytes also makes the events that a correct reader must find in them, so a test
needs no second parser. They serve any driver; the events are those of `atota.at.events`. A whole test:

    from hypothesis import given, strategies as st
    from atota.at.exchange import Exchange
    from atota.testing import strategies as at

    @given(at.conversations(), st.data())
    def test_my_reader(conversation, data):
        reader = Exchange(conversation.syntax)
        for step in conversation.steps:
            assert reader.send(step.command) == step.written
            events = []
            for piece in data.draw(at.chunked(step.reply)):
                events += reader.receive(piece)
            assert events == list(step.events)

Needs `pip install atota[testing]`.
"""

import functools
from collections.abc import Sequence
from typing import Literal

import msgspec
from hypothesis import strategies as st

from atota.at.events import Done, Echo, Event, Final, Garbage, Information, Urc
from atota.at.syntax import V250_FINALS, Command, Syntax, UrcRule

SYNTAX = Syntax(
    finals=V250_FINALS,
    urcs=(
        UrcRule(prefix="+CEREG:", solicited=r"\+CEREG: ?\d,\d"),
        UrcRule(prefix="+CSCON:"),
        UrcRule(prefix="+NPSMR:"),
        UrcRule(prefix="+NNMI:"),
        UrcRule(prefix="+CMT:", continuation=1),
        UrcRule(suffix=",CLOSED"),
        UrcRule(exact="RING"),
    ),
)
"""The grammar with the URCs that `urcs` draws."""

Echoing = Literal["none", "exact", "beheaded", "preceded"]
ECHOES: tuple[Echoing, ...] = ("none", "exact", "beheaded", "preceded")


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """The framing of a module's lines.

    Attributes:
        separator: the bytes that end a line.
        header: True if a separator also comes before a line.
        blank_line: True if an empty line comes before the final result.
        echo: none, exact, with its first bytes lost, or with noise in front of it.
        verbose: results as words (V1); otherwise ``OK`` is ``0`` and ``ERROR`` is ``4`` (V0).
        spaced: True if a blank follows the colon.
    """

    separator: bytes = b"\r\n"
    header: bool = True
    blank_line: bool = False
    echo: Echoing = "exact"
    verbose: bool = True
    spaced: bool = True

    @property
    def syntax(self) -> Syntax:
        """The grammar that reads this shape."""
        return msgspec.structs.replace(SYNTAX, verbose=self.verbose)

    def line(self, text: bytes) -> bytes:
        """Frame a line as this module does."""
        return (self.separator if self.header else b"") + text + self.separator

    def colon(self, text: bytes) -> bytes:
        """Return ``text`` with or without the blank after its colon."""
        return text if self.spaced else text.replace(b": ", b":", 1)

    def result(self, final: Final) -> bytes:
        """Frame a final result as this module does."""
        blank = self.separator if self.blank_line else b""
        if self.verbose:
            return blank + self.line(final.raw)
        return blank + final.raw + b"\r"  # V.250 5.7.1: no header, and no line feed, with V0


class Transaction(msgspec.Struct, frozen=True):
    """A command, the bytes of its response, and their events."""

    command: Command
    written: bytes
    reply: bytes
    events: tuple[Event, ...]

    @property
    def done(self) -> Done:
        """The end of the command."""
        return next(event for event in self.events if isinstance(event, Done))


class Conversation(msgspec.Struct, frozen=True):
    """Transactions with one module, one after the other."""

    shape: Shape
    steps: tuple[Transaction, ...]

    @property
    def syntax(self) -> Syntax:
        """The grammar that reads it."""
        return self.shape.syntax

    @property
    def events(self) -> tuple[Event, ...]:
        """All its events."""
        return tuple(event for step in self.steps for event in step.events)


def dialect_shapes(
    *, echoes: Sequence[Echoing] = ("none", "exact", "beheaded", "preceded")
) -> st.SearchStrategy[Shape]:
    """Draw framings; each was seen on a real module."""
    return st.builds(
        Shape,
        separator=st.sampled_from([b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r"]),
        header=st.booleans(),
        blank_line=st.booleans(),
        echo=st.sampled_from(list(echoes)),
        verbose=st.booleans(),
        spaced=st.booleans(),
    )


_DIGITS = st.integers(10, 10**14).map(lambda number: str(number).encode())
_HEX = st.binary(min_size=1, max_size=12).map(lambda data: data.hex().upper().encode())


@functools.cache
def urcs() -> st.SearchStrategy[Urc]:
    """Draw unsolicited result codes that `SYNTAX` names; one kind has two lines."""
    single = st.one_of(
        st.sampled_from([b"RING", b"0,CLOSED", b"3,CLOSED"]),
        st.builds(b"%b: %d".__mod__, st.tuples(st.sampled_from([b"+CSCON", b"+NPSMR"]), st.integers(0, 1))),
        st.builds(b"+CEREG: %d".__mod__, st.integers(0, 5)),
        st.builds(b'+CEREG: %d,"%b",9'.__mod__, st.tuples(st.integers(0, 5), _HEX)),
        st.builds(b"+NNMI: %d,%b".__mod__, st.tuples(st.integers(1, 99), _HEX)),
    )
    return st.one_of(
        st.builds(Urc, single),
        st.builds(lambda length, pdu: Urc(b"+CMT: ,%d" % length, (pdu,)), st.integers(1, 99), _HEX),
    )


def noise(*, line_ends: bool = False, min_size: int = 1, max_size: int = 40) -> st.SearchStrategy[bytes]:
    """Draw the noise of a bad line: runs of NUL, 0xFF, 0xFE or 0x7E, or any bytes; line ends on request."""
    any_bytes = st.binary(min_size=min_size, max_size=max_size)
    runs = st.builds(
        lambda byte, count: byte * count,
        st.sampled_from([b"\x00", b"\xff", b"\xfe", b"~"]),
        st.integers(min_size, max_size),
    )
    if line_ends:
        return st.one_of(runs, any_bytes)
    return st.one_of(runs, any_bytes.map(lambda data: data.replace(b"\r", b"\x00").replace(b"\n", b"\xff")))


@st.composite
def chunked(draw: st.DrawFn, blob: bytes, *, max_cuts: int = 12) -> list[bytes]:
    """Draw a way to cut ``blob`` into reads: whole, byte by byte, or at a few places."""
    if len(blob) < 2:
        return [blob]
    how = draw(st.sampled_from(["cut", "whole", "single"]))
    if how == "whole":
        return [blob]
    if how == "single":
        return [blob[at : at + 1] for at in range(len(blob))]
    cuts = sorted(draw(st.sets(st.integers(1, len(blob) - 1), max_size=max_cuts)))
    return [blob[a:b] for a, b in zip([0, *cuts], [*cuts, len(blob)], strict=True)]


@functools.cache
def finals(shape: Shape) -> st.SearchStrategy[Final]:
    """Draw final results in this shape."""
    ok, error = Final(b"OK", True, "OK"), Final(b"ERROR", False, "ERROR")
    if not shape.verbose:
        ok, error = Final(b"0", True, "OK", 0), Final(b"4", False, "ERROR", 4)
    coded = st.builds(
        lambda kind, code: Final(
            shape.colon(f"+{kind} ERROR: {code}".encode()), False, kind, code, str(code)
        ),
        st.sampled_from(["CME", "CMS"]),
        st.integers(0, 999),
    )
    return st.one_of(st.just(ok), st.just(error), coded)


_WORDS = st.builds(
    b"%b,V%dR%dC10".__mod__,
    st.tuples(
        st.sampled_from([b"SECURITY_A", b"PROTOCOL_A", b"APPLICATION_A", b"RADIO", b"SSB"]),
        st.integers(100, 999),
        st.integers(100, 999),
    ),
)


@functools.cache
def _answers(shape: Shape) -> st.SearchStrategy[tuple[str, list[bytes]]]:
    """Draw a command and its information lines."""

    def numbers(name: str, count: int) -> st.SearchStrategy[list[bytes]]:
        fields = st.lists(st.integers(0, 255), min_size=count, max_size=count + 3)
        line = fields.map(lambda values: shape.colon(f"{name}: {','.join(map(str, values))}".encode()))
        return st.lists(line, min_size=1, max_size=3)

    level = st.builds(
        lambda n, stat: [shape.colon(b"+CEREG: %d,%d" % (n, stat))], st.integers(0, 2), st.integers(0, 5)
    )
    return st.one_of(
        st.just(("AT", [])),
        st.tuples(st.just("AT+CFUN=1"), st.just([])),
        st.tuples(st.just("AT+CSQ"), numbers("+CSQ", 2)),
        st.tuples(st.just("AT+NUESTATS"), numbers("+NUESTATS", 1)),
        st.tuples(st.just("AT+CEREG?"), level),
        st.tuples(st.just("AT+CGSN"), _DIGITS.map(lambda digits: [digits])),
        st.tuples(st.sampled_from(["ATI", "AT+CGMR"]), st.lists(_WORDS, min_size=1, max_size=6)),
    )


@st.composite
def transactions(draw: st.DrawFn, shape: Shape | None = None, *, max_urcs: int = 3) -> Transaction:
    """Draw a command with its response; URCs may come at the start of any of its lines.

    The events hold for a reader that does not know the echo yet, or has learned it from this shape.
    """
    shape = draw(dialect_shapes()) if shape is None else shape
    text, information = draw(_answers(shape))
    final = draw(finals(shape))
    command = Command.of(text)
    blob, events = _echo(draw, shape, command)
    parts: list[tuple[bytes, Event]] = [(shape.line(raw), Information(raw)) for raw in information]
    parts.append((shape.result(final), Done(final, tuple(information))))
    for urc in draw(st.lists(urcs(), max_size=max_urcs)):
        raw = shape.colon(urc.raw)
        event = Urc(raw, urc.more)
        data = b"".join(map(shape.line, (raw, *urc.more)))
        index = draw(st.integers(-1 if shape.echo == "exact" else 0, len(parts)))
        if index < 0:
            blob, events = data + blob, [event, *events]
        else:
            parts.insert(index, (data, event))
    blob += b"".join(data for data, _ in parts)
    return Transaction(command, text.encode() + b"\r", blob, (*events, *(event for _, event in parts)))


def _echo(draw: st.DrawFn, shape: Shape, command: Command) -> tuple[bytes, list[Event]]:
    text = command.text.encode()
    if shape.echo == "none":
        return b"", []
    if shape.echo == "beheaded":
        rest = text[draw(st.integers(1, len(text) - 1)) :]
        return rest + b"\r", [Echo(rest, damaged=True)]
    if shape.echo == "preceded":
        front = draw(st.sampled_from([b"\x00", b"\xff", b"\x00\xff\x00"]))
        return front + text + b"\r", [Garbage(front), Echo(text)]
    return text + b"\r", [Echo(text)]


@st.composite
def conversations(
    draw: st.DrawFn,
    shapes: st.SearchStrategy[Shape] | None = None,
    *,
    min_size: int = 1,
    max_size: int = 4,
    max_urcs: int = 3,
) -> Conversation:
    """Draw transactions with one module, one after the other, in one shape."""
    shape = draw(dialect_shapes() if shapes is None else shapes)
    steps = draw(st.lists(transactions(shape, max_urcs=max_urcs), min_size=min_size, max_size=max_size))
    return Conversation(shape, tuple(steps))
