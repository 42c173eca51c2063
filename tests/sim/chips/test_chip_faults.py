"""The faults that every simulated chip has, by name, and the promise that none is without an effect."""

from collections.abc import Callable

import pytest

from atota.errors import LinkLost
from atota.sim.chips.application import build_application
from atota.sim.chips.faults import CHIP_FAULTS
from atota.sim.chips.gd32 import FLASH
from atota.sim.faults import BYTE_FAULTS
from atota.sim.link import SimLink
from tests.meta.sources import PACKAGE
from tests.sim.chips.hosts import ask, enter_loader, leave_loader, listen, opened, until
from tests.sim.chips.test_nrf_legacy import packet, start
from tests.sim.chips.test_nrf_smp import lines

URLS = {
    "GD32": "sim://GD32?",
    "ESP32": "sim://ESP32?",
    "smp": "sim://nrf52832?protocol=smp",
    "nordic-secure": "sim://nrf52832?protocol=nordic-secure",
    "nordic-legacy": "sim://nrf52832?protocol=nordic-legacy",
}
SYNC = {
    "GD32": b"\x7f",
    "ESP32": bytes.fromhex("c00008240000000000") + b"\x07\x07\x12\x20" + b"\x55" * 32 + b"\xc0",
    "smp": lines(bytes.fromhex("00 00 0001 0000 07 06 a0")),
    "nordic-secure": b"\x09\x05\xc0",
    "nordic-legacy": packet(1, start(4096)),
}
"""The first command of each loader, which is answered."""


def loader(name: str, fault: str = "") -> SimLink:
    """A chip in its loader."""
    link = opened(f"{URLS[name]}&fault={fault}" if fault else URLS[name])
    enter_loader(link)
    if name == "nordic-legacy":
        link.set_lines(dtr=True)
    if name == "GD32":
        link.set_parity("E")
    listen(link, 10_000, 0.2)
    return link


def answers(link: SimLink, name: str) -> bytes:
    """Return the beginning of an answer to the first command."""
    return ask(link, SYNC[name], 1, 0.5)


@pytest.mark.parametrize("name", URLS)
def test_the_first_command_is_answered(name: str) -> None:
    assert answers(loader(name), name) != b""


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize("fault", ["mute", "silent-at:c1", "lose-command:c1", "lose-reply:c1"])
def test_a_silent_chip_says_nothing(name: str, fault: str) -> None:
    link = loader(name, fault)
    if (name, fault) == ("ESP32", "lose-reply:c1"):
        assert len(ask(link, SYNC[name], 200, 0.5)) == 7 * 14  # one of the eight
    else:
        assert answers(link, name) == b""
    if fault != "mute":
        assert link.chip.faults.struck == [fault]


@pytest.mark.parametrize("name", URLS)
def test_a_chip_that_was_silenced_speaks_after_a_reset(name: str) -> None:
    link = loader(name, "silent-at:c1")
    assert answers(link, name) == b""
    link.set_parity("N")
    leave_loader(link)
    if name == "nordic-legacy":
        link.set_lines(dtr=False)
        link.set_lines(dtr=True)
    assert until(link, b"V1.0.0\r\n", 3.0).endswith(b"V1.0.0\r\n")


@pytest.mark.parametrize("name", URLS)
def test_a_mute_chip_is_silent_for_ever(name: str) -> None:
    link = loader(name, "mute-after:1")
    assert answers(link, name) != b""
    listen(link, 1000, 0.5)
    second = {"GD32": b"\x02\xfd", "nordic-legacy": packet(2, start(4096))}.get(name, SYNC[name])
    assert ask(link, second, 1, 0.5) == b""
    link.power_cycle()
    assert listen(link, 100, 2.0) == b""


@pytest.mark.parametrize("name", URLS)
def test_a_late_answer_comes(name: str) -> None:
    link = loader(name, "late-reply:c1:0.7")
    assert answers(link, name) == b""
    assert listen(link, 1, 0.5) != b""


@pytest.mark.parametrize("name", URLS)
def test_a_reset_in_the_midst_starts_the_application(name: str) -> None:
    link = loader(name, "reset-at:c1")
    resets = link.chip.resets
    link.write(SYNC[name])
    listen(link, 10_000, 3.0)
    assert (link.chip.resets, link.chip.mode) == (resets + 1, "app")


@pytest.mark.parametrize("name", URLS)
def test_an_adapter_that_is_pulled_out_loses_the_link(name: str) -> None:
    link = loader(name, "unplug-at:c1")
    with pytest.raises(LinkLost):
        answers(link, name)
    assert link.replug().chip is link.chip


def test_a_reset_pin_that_is_not_connected() -> None:
    link = opened("sim://GD32?fault=no-reset")
    enter_loader(link)
    assert (link.chip.mode, link.chip.resets) == ("app", 1)


def test_an_application_that_prints_nothing_still_answers() -> None:
    for name in URLS:
        link = opened(f"{URLS[name]}&fault=quiet-app")
        link.power_cycle()
        assert b"V1.0.0" not in listen(link, 10_000, 3.0)
        assert b"VER:V1.0.0" in ask(link, b"AT+VER\r\n", 25)


def test_a_new_application_may_hang() -> None:
    link = opened("sim://GD32?fault=dead-app")
    link.chip.flash.load(FLASH, build_application("V1.1.0", base=FLASH))
    link.power_cycle()
    assert listen(link, 100, 2.0) == b""
    assert link.chip.mode == "hung"


def test_a_chip_that_is_just_being_powered_on() -> None:
    link = opened("sim://GD32?fault=boot-garbage")
    assert until(link, b"fw V1.0.0\r\n", 2.0).endswith(b"\r\nfw V1.0.0\r\n")


def test_a_part_without_a_mass_erase_refuses_one() -> None:
    link = loader("GD32", "no-mass-erase")
    assert ask(link, b"\x7f", 1) + ask(link, b"\x43\xbc", 1) == b"\x79\x79"
    assert ask(link, b"\xff\x00", 1) == b"\x1f"
    assert link.chip.stored == "V1.0.0"


def test_healing_takes_the_faults_away() -> None:
    link = loader("GD32", "mute")
    link.chip.heal(link.clock.monotonic())
    link.set_parity("N")
    assert until(link, b"fw V1.0.0\r\n", 2.0) == b"\r\nfw V1.0.0\r\n"


def test_the_bytes_of_the_wire_can_be_spoilt() -> None:
    assert ask(loader("GD32", "flip-byte:1"), b"\x7f", 1) == b""
    assert ask(loader("GD32", "drop-byte:1"), b"\x7f", 1) == b""


@pytest.mark.parametrize(
    "name", sorted(set(CHIP_FAULTS.kinds) - {row[0].split(":")[0] for row in BYTE_FAULTS})
)
def test_every_fault_is_carried_out_somewhere(name: str) -> None:
    texts = [path.read_text("utf-8") for path in (PACKAGE / "sim" / "chips").glob("*.py")]
    uses: Callable[[str], int] = lambda text: text.count(f'"{name}"')  # noqa: E731
    assert sum(map(uses, texts)) > 0
