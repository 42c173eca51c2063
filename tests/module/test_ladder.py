"""The rates of a transfer: climbed by proofs, and left again."""

from collections.abc import Iterator
from typing import Any

import pytest

from atota.clock import SimulatedClock
from atota.dialects import loader
from atota.dialects.model import RaiseBaud
from atota.errors import LinkError
from atota.link.forward import ForwardingLink
from atota.module.ladder import RateLadder
from atota.module.session import Session
from atota.sim.link import open_sim_link

LENGTH = 1041
"""The line of a block of 512 bytes."""


class Stubborn(ForwardingLink):
    """A link whose adapter does not run at some rates, and which keeps the host's lines."""

    def __init__(self, inner: Any, impossible: tuple[int, ...] = ()) -> None:
        super().__init__(inner)
        self.impossible = impossible
        self.written = b""

    def set_baud(self, baud: int) -> None:
        if baud in self.impossible:
            raise LinkError(f"no {baud} baud here")
        self.inner.set_baud(baud)

    def write(self, data: bytes) -> None:
        self.written += data
        self.inner.write(data)


def ladder(faults: str = "", impossible: tuple[int, ...] = (), **how: Any) -> tuple[RateLadder, Stubborn]:
    link = Stubborn(open_sim_link(f"sim://BC28?fault={faults}", clock=SimulatedClock()), impossible)
    session = Session(link, loader.load("hi2115"))
    rule = session.dialect.uart.raising
    assert rule is not None
    return RateLadder(session, how.pop("rule", rule), **{"ceiling": None, "length": LENGTH, **how}), link


def lines(link: Stubborn) -> Iterator[bytes]:
    return (line for line in link.written.split(b"\r") if b"CGMR" in line)


def test_the_proof_is_as_long_as_a_block_and_goes_both_ways() -> None:
    climbed, link = ladder()
    assert climbed.climb() == link.baud == 921600
    lengths = [len(line) for line in lines(link)]
    assert lengths == [7, 15, LENGTH, LENGTH, LENGTH, LENGTH]
    assert climbed.bad == []


def test_a_rate_that_the_adapter_does_not_have_is_never_asked_of_the_module() -> None:
    climbed, link = ladder(impossible=(921600, 460800))
    assert climbed.climb() == 230400
    assert climbed.bad == [921600, 460800]
    assert b"921600" not in link.written
    assert "no 460800 baud here" in climbed.why_not


def test_what_an_earlier_job_found_bad_is_not_tried_again() -> None:
    climbed, link = ladder(bad=(460800, 921600))
    assert climbed.climb() == 230400
    assert b"=460800" not in link.written


def test_a_ceiling_is_kept() -> None:
    assert ladder(ceiling=115200)[0].climb() == 115200


@pytest.mark.parametrize("proof", [None, "AT+NOSUCH?"], ids=["none", "refused"])
def test_without_a_proof_the_default_is_the_highest_rate(proof: str | None) -> None:
    rule = loader.load("hi2115").uart.raising
    assert isinstance(rule, RaiseBaud)
    other = RaiseBaud(
        command=rule.command, bauds=rule.bauds, fallback_s=rule.fallback_s, proof=proof, source=rule.source
    )
    assert ladder(rule=other)[0].climb() == 115200


def test_a_rate_is_left_for_the_next_lower_one_and_at_last_for_the_base() -> None:
    climbed, link = ladder()
    rates = [climbed.climb()]
    while climbed.lower():
        rates.append(link.baud)
    assert rates == [921600, 460800, 230400, 115200, 57600, 9600]
    assert climbed.bad == rates[:-1]


def test_a_rate_that_an_earlier_run_left_can_be_lowered_too() -> None:
    climbed, link = ladder()
    climbed.climb()
    again = RateLadder(Session(link, loader.load("hi2115")), climbed._rule, ceiling=None, length=LENGTH)
    assert again.climb() == 921600
    assert again.lower()
    assert link.baud == 460800
