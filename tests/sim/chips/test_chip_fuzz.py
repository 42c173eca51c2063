"""Whatever comes in, a simulated chip does not raise, and its flash changes by the rules only."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atota.sim.chips.catalogue import make_chip
from atota.sim.chips.init_packet import build_init_packet
from atota.sim.chips.options import ChipOptions
from tests.sim.chips.test_gd32 import summed
from tests.sim.chips.test_nrf_legacy import packet, start
from tests.sim.chips.test_nrf_smp import lines

ESP_SYNC = b"\xc0\x00\x08\x24\0\0\0\0\0\x07\x07\x12\x20" + b"\x55" * 32 + b"\xc0"
FRAMES: dict[tuple[str, str], tuple[bytes, ...]] = {
    ("GD32", "an3155"): (
        b"\x7f",
        *(
            bytes([code, code ^ 0xFF])
            for code in (0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x43, 0x63, 0x82, 0x92)
        ),
        summed(bytes.fromhex("08000000")),
        summed(bytes([3, 1, 2, 3, 4])),
        b"\xff\x00",
    ),
    ("ESP32", "esp32"): (
        ESP_SYNC,
        *(
            b"\xc0" + struct.pack("<BBHI", 0, op, len(data), 0xEF) + data + b"\xc0"
            for op, data in (
                (0x02, struct.pack("<4I", 0x400, 1, 0x400, 0x110000)),
                (0x03, struct.pack("<4I", 16, 0, 0, 0) + bytes(16)),
                (0x04, bytes(4)),
                (0x05, struct.pack("<4I", 16, 1, 0x400, 0x3FFF0000)),
                (0x06, struct.pack("<2I", 0, 1)),
                (0x07, struct.pack("<4I", 16, 0, 0, 0) + bytes(16)),
                (0x09, bytes(16)),
                (0x0A, bytes(4)),
                (0x0D, bytes(8)),
                (0x0F, struct.pack("<2I", 115200, 0)),
                (0x10, struct.pack("<4I", 0x400, 1, 0x400, 0x110000)),
                (0x11, struct.pack("<4I", 16, 0, 0, 0) + bytes(16)),
                (0x13, struct.pack("<4I", 0, 64, 0, 0)),
                (0xD2, struct.pack("<4I", 0, 64, 64, 1)),
            )
        ),
    ),
    ("nrf52832", "smp"): tuple(
        lines(struct.pack(">BBHHBB", op, 0, len(body), group, 1, command) + body)
        for op, group, command, body in (
            (0, 0, 6, b"\xa0"),
            (2, 0, 0, b"\xa1\x61d\x62hi"),
            (0, 1, 0, b"\xa0"),
            (2, 1, 0, b"\xa1\x67confirm\xf5"),
            (2, 1, 1, b"\xa3\x63off\x00\x63len\x18\x40\x64data\x48abcdefgh"),
            (2, 0, 5, b"\xa1\x69boot_mode\x01"),
        )
    ),
    ("nrf52832", "nordic-secure"): (
        *(bytes([op, *body, 0xC0]) for op, body in ((9, b"\1"), (2, b"\1\0"), (7, b""), (3, b""), (4, b""))),
        *(
            bytes([op, *body, 0xC0])
            for op, body in ((6, b"\1"), (6, b"\2"), (10, b""), (11, b"\0"), (12, b""))
        ),
        b"\x01\x01\x04\0\0\0\xc0",
        b"\x01\x02\0\x10\0\0\xc0",
        b"\x08" + build_init_packet(bytes(64), 0x10000)[:4] + b"\xc0",
    ),
    ("nrf52832", "nordic-legacy"): tuple(
        packet(number, payload)
        for number in (1, 2, 3)
        for payload in (start(4096), b"\4\0\0\0abcd", b"\5\0\0\0", b"\1\0\0\0" + bytes(16))
    ),
}


@pytest.mark.parametrize(("chip", "protocol"), FRAMES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_chip_takes_any_bytes(chip: str, protocol: str, data: st.DataObject) -> None:
    known = st.sampled_from(FRAMES[chip, protocol])
    piece = known | st.binary(max_size=40) | known.flatmap(lambda one: st.just(one[: len(one) // 2]))
    pieces = data.draw(st.lists(piece, max_size=12))
    made = make_chip(chip, ChipOptions(protocol=protocol, boot="loader"))
    now = 0.0
    for number, one in enumerate((FRAMES[chip, protocol][0], *pieces)):
        now = number * 5.0
        made.tick(now)
        made.feed(one, now)
    made.tick(now + 100.0)
    assert made.mode in ("reset", "loader", "app", "hung")
    assert (made.mode == "app") == bool(made.version)
    assert len(made.flash.cells) == made.flash.size
