"""The server's side of RFC 2217, in literal bytes."""

from hypothesis import given
from hypothesis import strategies as st

from atota.sim.rfc2217 import Event, Framing, Lines, Rate, TelnetPort


def events(*pieces: bytes) -> tuple[list[Event], bytes]:
    port = TelnetPort()
    return [event for piece in pieces for event in port.receive(piece)], port.answers


def test_an_option_that_is_known_is_agreed_to_and_another_is_not() -> None:
    assert events(b"\xff\xfb\x2c\xff\xfd\x00\xff\xfb\x01\xff\xfd\x05") == (
        [],
        b"\xff\xfd\x2c\xff\xfb\x00\xff\xfe\x01\xff\xfc\x05",
    )


def test_settings_are_told_and_answered_in_their_order() -> None:
    got, answers = events(
        b"ab\xff\xff\xff\xfa\x2c\x01\x00\x01\xc2\x00\xff\xf0c",
        b"\xff\xfa\x2c\x03\x03\xff\xf0\xff\xfa\x2c\x05\x08\xff\xf0\xff\xfa\x2c\x05\x0b\xff\xf0",
    )
    assert got == [
        b"ab",
        b"\xff",
        Rate(115200),
        b"c",
        Framing("E"),
        Lines(dtr=True, rts=False),
        Lines(dtr=True, rts=True),
    ]
    assert answers == (
        b"\xff\xfa\x2c\x65\x00\x01\xc2\x00\xff\xf0\xff\xfa\x2c\x67\x03\xff\xf0"
        b"\xff\xfa\x2c\x69\x08\xff\xf0\xff\xfa\x2c\x69\x0b\xff\xf0"
    )


def test_a_rate_of_zero_asks_for_it() -> None:
    assert events(b"\xff\xfa\x2c\x01\x00\x00\x00\x00\xff\xf0") == (
        [],
        b"\xff\xfa\x2c\x65\x00\x00\x25\x80\xff\xf0",
    )


@given(st.lists(st.binary(max_size=20)))
def test_data_comes_through_however_it_is_cut(pieces: list[bytes]) -> None:
    wire = TelnetPort.encoded(b"".join(pieces))
    port = TelnetPort()
    got = [event for at in range(len(wire)) for event in port.receive(wire[at : at + 1])]
    assert b"".join(event for event in got if isinstance(event, bytes)) == b"".join(pieces)


@given(st.binary(max_size=400))
def test_no_bytes_raise(data: bytes) -> None:
    got, _answers = events(data, b"\xff\xf0")
    assert all(isinstance(event, bytes | Rate | Framing | Lines) for event in got)
