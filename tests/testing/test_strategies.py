"""What the public strategies promise to those who test their own AT code with them."""

import inspect
import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.at.events import BootDone, Done, Echo, Event, Final, Urc
from atota.at.exchange import Exchange
from atota.testing import strategies as at


def test_the_worked_example_of_the_docstring_runs() -> None:
    doc = inspect.getdoc(at) or ""
    start = doc.index("    from hypothesis")
    code = textwrap.dedent(doc[start : doc.index("Needs `pip")])
    namespace: dict[str, Any] = {}
    exec(compile(code, "docstring", "exec"), namespace)
    namespace["test_my_reader"]()


@given(st.binary(max_size=200), st.data())
def test_chunks_are_the_blob_in_order_and_none_is_empty(blob: bytes, data: st.DataObject) -> None:
    pieces = data.draw(at.chunked(blob))
    assert b"".join(pieces) == blob
    assert all(pieces) or not blob


@given(at.noise())
def test_noise_has_no_line_end_unless_asked(blob: bytes) -> None:
    assert blob
    assert not set(b"\r\n") & set(blob)


@given(at.noise(line_ends=True, min_size=3, max_size=5))
def test_noise_keeps_to_the_size_that_was_asked(blob: bytes) -> None:
    assert 3 <= len(blob) <= 5


@given(at.urcs())
def test_an_idle_reader_knows_every_urc(urc: Urc) -> None:
    line = b"".join(b"\r\n" + raw + b"\r\n" for raw in (urc.raw, *urc.more))
    assert Exchange(at.SYNTAX).receive(line) == [urc]


@given(at.transactions())
def test_a_transaction_ends_once_and_its_events_are_in_its_bytes(step: at.Transaction) -> None:
    assert [event for event in step.events if isinstance(event, Done)] == [step.done]
    position = 0
    for event in step.events:
        assert not isinstance(event, BootDone)
        raw = event.final.raw if isinstance(event, Done) else event.raw
        position = step.reply.index(raw, position) + len(raw)


@given(at.dialect_shapes(echoes=["none"]), st.data())
def test_a_shape_without_echo_makes_no_echo(shape: at.Shape, data: st.DataObject) -> None:
    step = data.draw(at.transactions(shape))
    assert not any(isinstance(event, Echo) for event in step.events)


@given(at.conversations(), st.sampled_from([None, True]), st.data())
def test_the_truth_holds_for_the_exchange(
    conversation: at.Conversation, echo: bool | None, data: st.DataObject
) -> None:
    exchange = Exchange(conversation.syntax)
    exchange.echo = echo
    told: list[Event] = []
    for step in conversation.steps:
        assert exchange.send(step.command) == step.written
        for piece in data.draw(at.chunked(step.reply)):
            told += exchange.receive(piece)
    assert told == list(conversation.events)


def test_a_colon_is_spaced_or_not_as_the_shape_says() -> None:
    assert at.Shape(spaced=False).colon(b"+CSQ: 1: 2") == b"+CSQ:1: 2"
    assert at.Shape().colon(b"+CSQ: 1") == b"+CSQ: 1"


@pytest.mark.parametrize(("verbose", "said"), [(True, b"\r\nOK\r\n"), (False, b"0\r")])
def test_a_result_is_framed_as_v250_has_it(verbose: bool, said: bytes) -> None:
    shape = at.Shape(verbose=verbose)
    assert shape.result(Final(b"OK" if verbose else b"0", True, "OK")) == said
