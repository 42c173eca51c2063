"""The legacy bootloader of an nRF52832, packet by packet, and judged by adafruit-nrfutil."""

import json
import struct
import zipfile
from pathlib import Path

import pytest

from atota.clock import ScaledClock
from atota.sim.chips.application import build_application
from atota.sim.chips.catalogue import make_chip
from atota.sim.chips.legacy_dfu import BANK_0, BANK_1, build_init_packet, crc16
from atota.sim.chips.options import ChipOptions
from atota.sim.link import SimLink
from tests.sim.chips import judges
from tests.sim.chips.hosts import ask, listen, opened, until
from tests.sim.serving import on_pty


def image(version: str = "V1.1.0", size: int = 9000) -> bytes:
    return build_application(version, base=BANK_0, size=size, ram=0x10000)


def packet(number: int, payload: bytes) -> bytes:
    """A packet of the HCI transport in its frame."""
    head = bytes([number | ((number + 1) % 8) << 3 | 0xC0, 14 | (len(payload) & 15) << 4, len(payload) >> 4])
    body = head + bytes([-sum(head) & 0xFF]) + payload
    body += struct.pack("<H", crc16(body))
    return b"\xc0" + body.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


def acknowledgement(number: int) -> bytes:
    head = bytes([number << 3, 0, 0])
    return (b"\xc0" + head + bytes([-sum(head) & 0xFF])).replace(b"\xdb", b"\xdb\xdd") + b"\xc0"


def start(size: int) -> bytes:
    return struct.pack("<IIIII", 3, 4, 0, 0, size)


def loader(query: str = "") -> SimLink:
    """A chip that was reset by DTR and listens."""
    link = opened(f"sim://nrf52832?protocol=nordic-legacy&{query}")
    link.set_lines(dtr=False)
    link.clock.sleep(0.05)
    link.set_lines(dtr=True)
    link.clock.sleep(0.1)
    return link


def transfer(link: SimLink, data: bytes, init: bytes | None = None) -> None:
    """Send a whole image and check each acknowledgement."""
    payloads = [start(len(data)), struct.pack("<I", 1) + (init or build_init_packet(data)) + b"\0\0"]
    payloads += [struct.pack("<I", 4) + data[at : at + 512] for at in range(0, len(data), 512)]
    payloads.append(struct.pack("<I", 5))
    for count, payload in enumerate(payloads, 1):
        assert ask(link, packet(count % 8, payload), 6) == acknowledgement((count + 1) % 8)
        link.clock.sleep(0.1 * (len(data) // 4096 + 1) if count == 1 else 0.02)


def test_the_crc_is_that_of_the_sdk() -> None:
    assert crc16(b"123456789") == 0x29B1  # CRC-16/CCITT-FALSE


def test_an_image_is_copied_and_runs() -> None:
    link = loader()
    transfer(link, image())
    assert until(link, b"fw V1.1.0\r\n", 10.0) == b"\r\nfw V1.1.0\r\n"
    assert (link.chip.version, link.chip.flash.misuses) == ("V1.1.0", 0)
    assert link.chip.flash.read(BANK_0, 9000) == image()


def test_without_a_packet_the_application_starts_after_a_second() -> None:
    link = loader()
    assert listen(link, 1, 0.8) == b""
    assert until(link, b"fw V1.0.0\r\n", 0.3) == b"\r\nfw V1.0.0\r\n"


def test_a_packet_out_of_order_is_answered_with_the_number_expected() -> None:
    link = loader()
    assert ask(link, packet(2, start(4096)), 6) == acknowledgement(1)
    assert link.chip.flash.erases == 0
    assert ask(link, packet(1, start(4096)), 6) == acknowledgement(2)
    link.clock.sleep(0.2)
    assert ask(link, packet(1, start(4096)), 6) == acknowledgement(2)
    assert link.chip.flash.erases == 1


@pytest.mark.parametrize("spoil", [3, 10, -3], ids=["header", "payload", "CRC"])
def test_a_damaged_packet_gets_no_answer(spoil: int) -> None:
    link = loader()
    data = bytearray(packet(1, start(4096)))
    data[spoil] ^= 4
    assert ask(link, bytes(data), 6, 0.5) == b""


def test_what_comes_during_the_erase_is_lost() -> None:
    link = loader()
    assert ask(link, packet(1, start(9000)), 6) == acknowledgement(2)
    init = struct.pack("<I", 1) + build_init_packet(image()) + b"\0\0"
    assert ask(link, packet(2, init), 6, 0.2) == b""
    link.clock.sleep(1.0)
    assert ask(link, packet(2, init), 6) == acknowledgement(3)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda init: init[:-2] + b"\0\0",
        lambda init: b"\x51" + init[1:],
        lambda init: build_init_packet(image(), softdevices=(0x99,)),
        lambda init: init[:-1],
    ],
    ids=["wrong CRC", "another device", "another SoftDevice", "too short"],
)
def test_a_stop_is_acknowledged_and_the_old_application_runs(spoil) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    link = loader()
    transfer(link, image(), init=spoil(build_init_packet(image())))
    assert until(link, b"fw V1.0.0\r\n", 10.0) == b"\r\nfw V1.0.0\r\n"


def test_a_lost_acknowledgement_leaves_the_number_taken() -> None:
    link = loader("fault=lose-reply:start")
    assert ask(link, packet(1, start(4096)), 6) == b""
    assert ask(link, packet(1, start(4096)), 6) == acknowledgement(2)


def test_a_power_cut_in_the_transfer_leaves_the_old_application() -> None:
    link = loader("fault=power-cut:4000")
    with pytest.raises(AssertionError):
        transfer(link, image())
    listen(link, 100, 3.0)
    assert link.chip.version == "V1.0.0"


def test_a_power_cut_in_the_copy_leaves_no_application_and_the_loader_waits() -> None:
    link = loader("fault=power-cut:12000")
    transfer(link, image())
    link.clock.sleep(1.0)
    listen(link, 100, 3.0)
    assert (link.chip.mode, link.chip.stored) == ("loader", None)
    assert link.chip.flash.read(BANK_1, 9000) == image()


def package(folder: Path, data: bytes) -> Path:
    """A package as adafruit-nrfutil reads it."""
    manifest = {
        "manifest": {"application": {"bin_file": "app.bin", "dat_file": "app.dat"}, "dfu_version": 0.5}
    }
    path = folder / "app.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("app.bin", data)
        archive.writestr("app.dat", build_init_packet(data))
    return path


@pytest.mark.skipif(not judges.IS_POSIX, reason="there are no pseudo-terminals here")
def test_adafruit_nrfutil_writes_an_application(tmp_path: Path) -> None:
    made = make_chip("nrf52832", ChipOptions(protocol="nordic-legacy", boot="loader"))
    with on_pty(made, ScaledClock(4)) as port:
        # A touch keeps it from setting DTR, which a pseudo-terminal does not have.
        how = ("dfu", "serial", "--package", str(package(tmp_path, image())), "--port", port, "-b", "115200")
        done = judges.run(tmp_path, "adafruit-nrfutil", *how, "--touch", "1200")
    assert "Device programmed." in done.stdout
    made.press(0.0, boot=False)
    made.tick(20.0)
    assert made.stored == "V1.1.0"


def test_adafruit_nrfutil_makes_the_same_init_packet(tmp_path: Path) -> None:
    (tmp_path / "app.bin").write_bytes(image())
    how = (
        "--dev-type",
        "0x0052",
        "--application",
        "app.bin",
        "--application-version",
        "1",
        "--sd-req",
        "0x81",
    )
    assert judges.run(tmp_path, "adafruit-nrfutil", "dfu", "genpkg", *how, "x.zip").returncode == 0
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.read("app.dat") == build_init_packet(image())
