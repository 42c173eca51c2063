"""TX joined to RX: only the own bytes come back, which is said in seconds and not taken for a module."""

import pytest

from atota.clock import Clock, SimulatedClock
from atota.errors import NoAnswer
from atota.module.loopback import Looped
from atota.module.module import Module


class Wire:
    """A link whose TX is joined to its RX.

    Args:
        behind: bytes that come back behind each line that was written.
        rate: the only rate at which anything comes back; None: any.
    """

    name = "wire"

    def __init__(self, behind: bytes = b"", rate: int | None = None) -> None:
        self.clock: Clock = SimulatedClock()
        self.baud = 9600
        self.behind = behind
        self.rate = rate
        self.rates: list[int] = []
        self._bytes = bytearray()

    def read(self, timeout_s: float) -> bytes:
        data = bytes(self._bytes)
        self._bytes.clear()
        if not data:
            self.clock.sleep(timeout_s)
        return data

    def write(self, data: bytes) -> None:
        if self.rate in (None, self.baud):
            self._bytes += data + self.behind

    def set_baud(self, baud: int) -> None:
        self.baud = baud
        self.rates.append(baud)

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None: ...

    def close(self) -> None: ...


def test_a_wire_is_named_within_seconds_and_its_rate_is_left_alone() -> None:
    wire = Wire()
    began = wire.clock.monotonic()
    with pytest.raises(Looped) as caught:
        Module(wire).identify()
    assert wire.clock.monotonic() - began < 6.0
    assert caught.value.exit_code == 5
    assert "TX is joined to RX" in caught.value.message
    assert "Take the bridge between TX and RX away" in caught.value.hint
    assert wire.baud == 9600
    assert 115200 in wire.rates


@pytest.mark.parametrize(
    "wire",
    [Wire(behind=b"\r\n+CREG: 2\r\n"), Wire(rate=9600), Wire(behind=b"\xff")],
    ids=["a module that says more", "a module with echo, at its own rate", "noise"],
)
def test_what_says_more_or_knows_one_rate_only_is_no_wire(wire: Wire) -> None:
    with pytest.raises(NoAnswer) as caught:
        Module(wire).identify()
    assert not isinstance(caught.value, Looped)


def test_a_module_that_answers_is_never_taken_for_a_wire() -> None:
    wire = Wire(behind=b"\r\nOK\r\n")
    assert Module(wire).find() == 9600


def test_each_rate_without_an_answer_is_told_as_it_is_tried() -> None:
    wire = Wire(rate=1)
    module = Module(wire)
    told: list[str] = []
    module.on_try = told.append
    with pytest.raises(NoAnswer) as caught:
        module.identify()
    assert told[:2] == ["9600 baud: silence", "115200 baud: silence"]
    assert {*told} == {*caught.value.tried}


def test_a_raw_socket_is_never_asked_for_another_rate() -> None:
    wire = Wire(rate=1)
    wire.name = "socket://127.0.0.1:5000"
    with pytest.raises(NoAnswer) as caught:
        Module(wire).identify()
    assert caught.value.tried == ("9600 baud: silence",)
    assert wire.rates == []
