"""The simulated ESP32, packet by packet as esptool's "Serial protocol" has it, and its boot."""

import hashlib
import struct
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.sim.chips import esp_image
from atota.sim.chips.esp32 import Esp32
from atota.sim.link import SimLink
from tests.sim.chips.hosts import enter_loader, leave_loader, listen, opened, until

SYNC = bytes.fromhex("c0 00 08 24 00 00 00 00 00 07 07 12 20") + b"\x55" * 32 + b"\xc0"
SYNCED = bytes.fromhex("c0 01 08 04 00 07 07 12 20 00 00 00 00 c0")
OK, INVALID, FAILED, CHECKSUM = b"\0\0\0\0", b"\x01\x05\0\0", b"\x01\x06\0\0", b"\x01\x07\0\0"
SLOT_1 = 0x110000


def escaped(data: bytes) -> bytes:
    return data.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")


def send(link: SimLink, op: int, data: bytes, check: int = 0) -> None:
    link.write(b"\xc0" + escaped(struct.pack("<BBHI", 0, op, len(data), check) + data) + b"\xc0")


def answer(link: SimLink, seconds: float = 120.0) -> bytes:
    """Return the next packet, without its frame."""
    end = link.clock.monotonic() + seconds
    out = b""
    while not (len(out) > 1 and out.endswith(b"\xc0")):
        remaining = end - link.clock.monotonic()
        if remaining <= 0:
            return b""
        out += link.read(remaining)
    return out[1:-1].replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")


def ask(link: SimLink, op: int, data: bytes, check: int = 0) -> bytes:
    """Send a request; return the data and the status of its answer."""
    send(link, op, data, check)
    packet = answer(link)
    assert packet[:2] == bytes([1, op])
    assert len(packet) == 8 + int.from_bytes(packet[2:4], "little")
    return packet[8:]


def words(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)


def block(link: SimLink, number: int, data: bytes, op: int = 0x03) -> bytes:
    check = 0xEF
    for byte in data:
        check ^= byte
    return ask(link, op, words(len(data), number, 0, 0) + data, check)


def loader(query: str = "", *, attached: bool = True) -> SimLink:
    """An ESP32 in the loader of its ROM, synced."""
    link = opened(f"sim://ESP32?{query}")
    enter_loader(link)
    assert until(link, b"waiting for download\r\n").endswith(
        b"boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))\r\nwaiting for download\r\n"
    )
    link.write(SYNC)
    assert listen(link, 8 * len(SYNCED)) == SYNCED * 8
    if attached:
        assert ask(link, 0x0D, words(0, 0)) == OK
    return link


def write(link: SimLink, address: int, data: bytes) -> None:
    """Write at an address, as the ROM has it: blocks of 1 KiB."""
    pieces = [data[at : at + 0x400] for at in range(0, len(data), 0x400)]
    assert ask(link, 0x02, words(len(data), len(pieces), 0x400, address)) == OK
    for number, piece in enumerate(pieces):
        assert block(link, number, piece) == OK


def esp(link: SimLink) -> Esp32:
    assert isinstance(link.chip, Esp32)
    return link.chip


def log(link: SimLink) -> bytes:
    """Reset; return the log of the start."""
    leave_loader(link)
    return until(link, b"app_main()\r\n", 2.0)


def test_a_reset_prints_the_log_of_the_running_slot() -> None:
    link = opened("sim://esp32?version=v2.0.1")
    text = log(link)
    assert b"boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n" in text
    assert b"I (61) boot: Loaded app from partition at offset 0x10000\r\n" in text
    assert b"I (137) app_init: App version:      v2.0.1\r\n" in text
    assert (link.chip.version, esp(link).slot) == ("v2.0.1", "ota_0")


def test_nothing_is_answered_before_the_sync() -> None:
    link = opened("sim://ESP32")
    enter_loader(link)
    until(link, b"waiting for download\r\n")
    send(link, 0x0A, words(0x40001000))
    assert answer(link, 1.0) == b""
    link.write(SYNC)
    assert listen(link, 8 * len(SYNCED)) == SYNCED * 8
    send(link, 0x0A, words(0x40001000))
    assert answer(link) == bytes.fromhex("01 0a 04 00 83 1d f0 00 00 00 00 00")


def test_the_sync_measures_the_rate() -> None:
    link = opened("sim://ESP32")
    enter_loader(link)
    link.set_baud(230400)
    listen(link, 1000, 0.5)
    link.write(SYNC)
    assert listen(link, 8 * len(SYNCED)) == SYNCED * 8


def test_an_unknown_command_is_an_invalid_message() -> None:
    assert ask(loader(), 0x14, b"") == INVALID  # GET_SECURITY_INFO, which an ESP32 does not have


def test_flash_is_not_there_before_it_is_attached() -> None:
    link = loader(attached=False)
    assert ask(link, 0x02, words(0x1000, 4, 0x400, SLOT_1)) == FAILED
    assert ask(link, 0x13, words(0, 16, 0, 0)) == FAILED
    assert link.chip.flash.erases == 0


def test_a_begin_erases_and_blocks_come_in_order_and_whole() -> None:
    link = loader()
    data = bytes(range(256)) * 4
    assert block(link, 0, data) == FAILED
    assert ask(link, 0x02, words(0x1400, 5, 0x400, SLOT_1)) == OK
    assert link.chip.flash.erases == 2
    assert block(link, 1, data) == INVALID
    assert ask(link, 0x03, words(1024, 0, 0, 0) + data, 0) == CHECKSUM
    assert ask(link, 0x03, words(1000, 0, 0, 0) + data, 0xEF) == INVALID
    assert block(link, 0, data + b"\0") == INVALID
    assert block(link, 0, data) == OK
    assert block(link, 0, data) == INVALID
    assert link.chip.flash.read(SLOT_1, 1025) == data + b"\xff"


@pytest.mark.parametrize(
    "request_data", [words(1024, 1, 0x400), words(1024, 1, 0x400, SLOT_1, 0)], ids=["short", "long"]
)
def test_the_rom_takes_exactly_four_words_for_a_begin(request_data: bytes) -> None:
    assert ask(loader(), 0x02, request_data) == INVALID


def test_a_begin_beyond_the_flash_or_with_big_blocks_is_refused() -> None:
    link = loader()
    assert ask(link, 0x02, words(0x1000, 4, 0x400, 0x400000)) == FAILED
    assert ask(link, 0x02, words(0x4000, 1, 0x4000, SLOT_1)) == FAILED


def test_the_digest_is_hexadecimal_from_the_rom() -> None:
    link = loader()
    table = esp_image.build_table(esp_image.TWO_SLOTS)
    digest = hashlib.md5(table).hexdigest().encode()
    assert ask(link, 0x13, words(0x8000, 0xC00, 0, 0)) == digest + OK


def test_a_slow_read_has_64_bytes() -> None:
    link = loader()
    first = ask(link, 0x0E, words(0x8000, 32))
    assert first == esp_image.build_table(esp_image.TWO_SLOTS)[:32] + bytes(32) + OK
    assert ask(link, 0x0E, words(0x8000, 65)) == FAILED


def test_compressed_blocks_are_inflated() -> None:
    link = loader()
    data = bytes(5000)
    packed = zlib.compress(data)
    assert ask(link, 0x10, words(5120, 1, 0x400, SLOT_1)) == OK
    assert block(link, 0, packed, op=0x11) == OK
    assert link.chip.flash.read(SLOT_1, 5001) == data + b"\xff"
    assert ask(link, 0x10, words(5120, 1, 0x400, SLOT_1)) == OK
    assert block(link, 0, b"no deflate", op=0x11) == b"\x01\x0b\0\0"


def test_a_change_of_rate_is_answered_at_the_old_one() -> None:
    link = loader()
    assert ask(link, 0x0F, words(921600, 0)) == OK
    send(link, 0x0A, words(0x40001000))
    assert answer(link, 0.5) != bytes.fromhex("01 0a 04 00 83 1d f0 00 00 00 00 00")
    link.set_baud(921600)
    listen(link, 1000, 0.1)
    link.write(b"\xc0")
    send(link, 0x0A, words(0x40001000))
    assert answer(link) == bytes.fromhex("01 0a 04 00 83 1d f0 00 00 00 00 00")


def test_a_new_application_runs_once_otadata_chooses_it() -> None:
    link = loader()
    image = esp_image.build_image("V1.1.0")
    write(link, SLOT_1, image)
    assert link.chip.stored == "V1.0.0"
    write(link, 0xE000, esp_image.build_entry(2))
    assert b"App version:      V1.1.0\r\n" in log(link)
    assert (link.chip.version, esp(link).slot, link.chip.flash.misuses) == ("V1.1.0", "ota_1", 0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda image: image[:5000] + bytes([image[5000] ^ 1]) + image[5001:],
        lambda image: esp_image.build_image("V1.1.0", chip=5),
        lambda image: image[:-1],
        lambda image: b"\xff" + image[1:],
        lambda image: image[:9000],
    ],
    ids=["a flipped bit", "for an ESP32-C3", "a short digest", "no magic", "cut"],
)
def test_a_bad_image_falls_back_to_the_other_slot(spoil: Callable[[bytes], bytes]) -> None:
    link = loader()
    write(link, SLOT_1, spoil(esp_image.build_image("V1.1.0")))
    write(link, 0xE000, esp_image.build_entry(2))
    assert b"App version:      V1.0.0\r\n" in log(link)
    assert esp(link).slot == "ota_0"


@pytest.mark.parametrize(
    ("sector_0", "sector_1", "slot"),
    [
        (esp_image.build_entry(1), esp_image.build_entry(2), "ota_1"),
        (esp_image.build_entry(3), esp_image.build_entry(2), "ota_0"),
        (esp_image.build_entry(1), esp_image.build_entry(2, crc=5), "ota_0"),
        (esp_image.build_entry(1), esp_image.build_entry(2, esp_image.INVALID), "ota_0"),
        (esp_image.build_entry(1, crc=5), esp_image.build_entry(2, crc=5), "ota_0"),
        (b"\xff" * 4096, esp_image.build_entry(4), "ota_1"),
    ],
    ids=["greater", "first greater", "wrong CRC", "invalid", "both corrupt", "one empty"],
)
def test_otadata_chooses_the_slot(sector_0: bytes, sector_1: bytes, slot: str) -> None:
    link = loader()
    write(link, SLOT_1, esp_image.build_image("V1.1.0"))
    write(link, 0xD000, sector_0 + sector_1)
    log(link)
    assert esp(link).slot == slot


def test_the_crc_of_an_entry_is_that_of_esp_idf() -> None:
    assert esp_image.build_entry(1)[28:32] == bytes.fromhex("9a984347")  # 0x4743989A


def test_encrypted_flash_reads_as_garbage_and_a_plain_image_does_not_boot() -> None:
    link = loader("fault=encrypted")
    assert ask(link, 0x0E, words(0x8000, 2))[:2] != b"\xaa\x50"
    send(link, 0x0A, words(0x3FF5A000))
    assert answer(link)[4:8] == bytes.fromhex("00001000")  # FLASH_CRYPT_CNT is bit 20 and up
    write(link, SLOT_1, esp_image.build_image("V1.1.0"))
    write(link, 0x10000, esp_image.build_image("V1.1.0"))
    log(link)
    assert (link.chip.mode, link.chip.version) == ("hung", "")


def test_secure_boot_v2_starts_only_what_is_signed() -> None:
    link = loader("fault=secure-boot-v2")
    write(link, SLOT_1, esp_image.build_image("V1.1.0"))
    write(link, 0xE000, esp_image.build_entry(2))
    log(link)
    assert link.chip.version == "V1.0.0"
    link = loader("fault=secure-boot-v2")
    write(link, SLOT_1, esp_image.build_image("V1.1.0", signed=True))
    write(link, 0xE000, esp_image.build_entry(2))
    log(link)
    assert link.chip.version == "V1.1.0"


def test_a_stale_entry_is_not_chosen() -> None:
    link = loader("fault=stale-otadata")
    assert ask(link, 0x0E, words(0xE018, 4))[:4] == words(esp_image.ABORTED)
    assert b"offset 0x10000\r\n" in log(link)


def test_a_chip_with_one_application_has_no_otadata() -> None:
    link = loader("fault=factory-only")
    assert ask(link, 0x0E, words(0x8040, 28))[:28] == bytes.fromhex("aa500000 00000100 00001000") + (
        b"factory".ljust(16, b"\0")
    )
    log(link)
    assert esp(link).slot == "factory"


def test_a_chip_without_a_partition_table_does_not_boot() -> None:
    link = opened("sim://ESP32?fault=no-table")
    assert (link.chip.mode, link.chip.stored) == ("hung", None)


@pytest.mark.parametrize("fault", ["boot-mode", "no-download"])
def test_a_chip_that_does_not_enter_the_loader_prints_0x13(fault: str) -> None:
    link = opened(f"sim://ESP32?fault={fault}")
    enter_loader(link)
    assert b"boot:0x13 (SPI_FAST_FLASH_BOOT)" in until(link, b"app_main()\r\n", 2.0)


@pytest.mark.parametrize("cut", [1, 1024, 20_000])
def test_a_power_cut_in_the_write_leaves_the_old_application(cut: int) -> None:
    link = loader(f"fault=power-cut:{cut}")
    image = esp_image.build_image("V1.1.0")
    with pytest.raises(AssertionError):
        write(link, SLOT_1, image)
    listen(link, 10_000, 1.0)
    assert (link.chip.mode, link.chip.version) == ("app", "V1.0.0")


def test_a_power_cut_in_the_switch_leaves_the_old_application() -> None:
    image = esp_image.build_image("V1.1.0")
    link = loader(f"fault=power-cut:{len(image) + 20}")
    write(link, SLOT_1, image)
    with pytest.raises(AssertionError):
        write(link, 0xE000, esp_image.build_entry(2))
    listen(link, 10_000, 1.0)
    assert (link.chip.mode, link.chip.version) == ("app", "V1.0.0")


def test_a_refused_and_a_lost_block() -> None:
    link = loader("fault=nack:data+lose-reply:0")
    assert ask(link, 0x02, words(0x800, 2, 0x400, SLOT_1)) == OK
    assert block(link, 0, bytes(1024)) == FAILED
    send(link, 0x03, words(1024, 0, 0, 0) + bytes(1024), 0xEF)
    assert answer(link, 3.0) == b""
    assert link.chip.flash.read(SLOT_1, 1024) == bytes(1024)


def test_the_old_application_may_come_back() -> None:
    link = loader("fault=old-app")
    write(link, SLOT_1, esp_image.build_image("V1.1.0"))
    write(link, 0xE000, esp_image.build_entry(2))
    assert b"App version:      V1.0.0\r\n" in log(link)
    assert (link.chip.version, link.chip.stored, esp(link).slot) == ("V1.0.0", "V1.1.0", "ota_0")


def test_an_end_restarts_the_chip() -> None:
    link = loader()
    assert ask(link, 0x02, words(0, 0, 0x400, 0)) == OK
    assert ask(link, 0x04, words(0)) == OK
    assert b"App version:      V1.0.0\r\n" in until(link, b"app_main()\r\n", 2.0)


@given(st.binary(max_size=300))
def test_the_checksum_is_the_xor_of_all_bytes(data: bytes) -> None:
    expected = 0xEF
    for byte in data:
        expected ^= byte
    assert esp_image.checksum(data) == expected
