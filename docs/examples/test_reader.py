"""Test an AT reader of your own against conversations of real shapes, with hypothesis.

The strategies draw the bytes of a module together with the events that they mean, so the test needs no
second parser. `pip install 'atota[testing]'`, then `pytest docs/examples/test_reader.py`.
"""

from hypothesis import given
from hypothesis import strategies as st

from atota.at.events import Information
from atota.testing import strategies as at

SHAPES = st.builds(at.Shape, separator=st.sampled_from([b"\r\n", b"\r\r\n"]), blank_line=st.booleans())


class Reader:
    """The reader under test: whole lines, in whatever pieces the bytes come."""

    def __init__(self) -> None:
        self._buffer = b""

    def receive(self, data: bytes) -> list[bytes]:
        *lines, self._buffer = (self._buffer + data).replace(b"\r", b"\n").split(b"\n")
        return [line for line in lines if line]


@given(SHAPES.flatmap(lambda shape: at.transactions(shape, max_urcs=0)), st.data())
def test_the_lines_do_not_depend_on_the_cuts(step: at.Transaction, data: st.DataObject) -> None:
    reader = Reader()
    lines = [line for piece in data.draw(at.chunked(step.reply)) for line in reader.receive(piece)]
    echo, *information, final = lines
    assert echo == step.command.text.encode()
    assert information == [event.raw for event in step.events if isinstance(event, Information)]
    assert final == step.done.final.raw
