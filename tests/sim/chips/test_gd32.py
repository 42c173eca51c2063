"""The simulated GD32, byte by byte as AN3155 has it."""

import pytest

from atota.errors import UsageError
from atota.sim.chips.application import build_application
from atota.sim.chips.gd32 import FLASH
from atota.sim.link import SimLink
from tests.sim.chips.hosts import ask, enter_loader, leave_loader, listen, opened, until

ACK, NACK = b"\x79", b"\x1f"


def loader(query: str = "", *, is_synced: bool = True) -> SimLink:
    """A GD32 in its loader."""
    link = opened(f"sim://GD32?{query}")
    link.set_parity("E")
    enter_loader(link)
    if is_synced:
        assert ask(link, b"\x7f", 1) == ACK
    return link


def summed(data: bytes) -> bytes:
    """Add the checksum of all bytes."""
    check = 0
    for byte in data:
        check ^= byte
    return data + bytes([check])


def write(link: SimLink, address: int, data: bytes) -> bytes:
    """Write a piece; return the three answers, or those until a refusal."""
    answers = ask(link, b"\x31\xce", 1)
    for part in (summed(address.to_bytes(4, "big")), summed(bytes([len(data) - 1]) + data)):
        if answers.endswith(ACK):
            answers += ask(link, part, 1)
    return answers


def read(link: SimLink, address: int, length: int) -> bytes:
    answers = ask(link, b"\x11\xee", 1) + ask(link, summed(address.to_bytes(4, "big")), 1)
    assert answers == ACK + ACK
    return ask(link, bytes([length - 1, 256 - length]), length + 1)[1:]


def erase(link: SimLink, *pages: int) -> bytes:
    return ask(link, b"\x43\xbc", 1) + ask(link, summed(bytes([len(pages) - 1, *pages])), 1, 30)


def write_image(link: SimLink, image: bytes, last: int = -1) -> None:
    """Write pieces from the second to the end, then the first one, up to piece number ``last``."""
    starts = [*range(256, len(image), 256), 0]
    for start in starts[: last if last >= 0 else None]:
        assert write(link, FLASH + start, image[start : start + 256]) == ACK * 3


def test_the_application_says_its_version() -> None:
    link = opened("sim://gd32?version=V2.3.4")
    assert ask(link, b"AT+VER\r\n", 25) == b"\r\nVER:V2.3.4\r\n\r\nOK\r\n"
    leave_loader(link)
    assert until(link, b"\r\nfw V2.3.4\r\n") == b"\r\nfw V2.3.4\r\n"
    assert (link.chip.mode, link.chip.version) == ("app", "V2.3.4")


def test_get_and_get_id_are_as_in_the_document() -> None:
    link = loader()
    assert ask(link, b"\x00\xff", 15) == bytes.fromhex("79 0b 22 00 01 02 11 21 31 43 63 73 82 92 79")
    assert ask(link, b"\x02\xfd", 5) == bytes.fromhex("79 01 04 10 79")
    assert read(link, 0x1FFFF7E0, 2) == b"\x80\x00"


def test_a_part_with_extended_erase_lists_and_takes_it() -> None:
    link = loader("part=GD32F303CC")
    assert ask(link, b"\x00\xff", 15)[3:14] == bytes.fromhex("00 01 02 11 21 31 44 63 73 82 92")
    assert ask(link, b"\x43\xbc", 1) == NACK
    assert ask(link, b"\x44\xbb", 1) + ask(link, summed(bytes.fromhex("0000 0001")), 1) == ACK + ACK
    assert link.chip.flash.read(FLASH + 2048, 2048) == b"\xff" * 2048
    assert link.chip.flash.read(FLASH, 2048) == build_application("V1.0.0", base=FLASH)[:2048]


@pytest.mark.parametrize("first", [b"\x00", b"A", b"\x1f"])
def test_a_first_byte_that_is_not_7f_needs_a_reset(first: bytes) -> None:
    link = loader(is_synced=False)
    assert ask(link, first, 1) == b""
    assert ask(link, b"\x7f", 1) == b""
    enter_loader(link)
    assert ask(link, b"\x7f", 1) == ACK


def test_a_second_sync_is_refused() -> None:
    link = loader()
    assert ask(link, b"\x7f\x7f", 1) == NACK
    assert ask(link, b"\x02\xfd", 5)[:1] == ACK


@pytest.mark.parametrize("rate", [1200, 9600, 57600, 230400])
def test_the_rate_of_the_first_byte_holds(rate: int) -> None:
    link = loader(is_synced=False)
    link.set_baud(rate)
    assert ask(link, b"\x7f", 1) == ACK
    link.set_baud(19200)
    assert ask(link, b"\x02\xfd", 5) != bytes.fromhex("79 01 04 10 79")


def test_a_rate_above_256000_is_never_right() -> None:
    link = loader(is_synced=False)
    link.set_baud(460800)
    assert ask(link, b"\x7f", 1) != ACK


def test_without_parity_the_sync_still_works_and_the_commands_do_not() -> None:
    link = loader(is_synced=False)
    link.set_parity("N")
    assert ask(link, b"\x7f", 1) == ACK  # seven ones: the stop bit looks like its parity bit
    assert ask(link, b"\x00\xff", 15) != bytes.fromhex("79 0b 22 00 01 02 11 21 31 43 63 73 82 92 79")


def test_an_image_runs_after_a_reset() -> None:
    link = loader()
    image = build_application("V1.1.0", base=FLASH, size=2048)
    assert erase(link, 0, 1) == ACK + ACK
    write_image(link, image)
    assert read(link, FLASH + 256, 256) == image[256:512]
    link.set_parity("N")
    leave_loader(link)
    assert until(link, b"\r\n\r\nfw V1.1.0\r\n", 1).endswith(b"fw V1.1.0\r\n")
    assert (link.chip.version, link.chip.flash.misuses) == ("V1.1.0", 0)


def test_go_starts_the_application_at_its_address_and_crashes_elsewhere() -> None:
    link = loader()
    assert ask(link, b"\x21\xde", 1) + ask(link, summed(FLASH.to_bytes(4, "big")), 1) == ACK + ACK
    assert (link.chip.mode, link.chip.version) == ("app", "V1.0.0")
    link = loader()
    assert ask(link, b"\x21\xde", 1) + ask(link, summed(bytes.fromhex("08000400")), 1) == ACK + ACK
    assert (link.chip.mode, link.chip.version) == ("hung", "")


def test_a_write_without_an_erase_is_acknowledged_and_changes_nothing() -> None:
    link = loader()
    before = read(link, FLASH, 256)
    assert write(link, FLASH, bytes(range(256))) == ACK * 3
    assert read(link, FLASH, 256) == before
    assert link.chip.flash.misuses == 1


@pytest.mark.parametrize(
    ("address", "data"),
    [(FLASH + 2, bytes(4)), (FLASH, bytes(6)), (0x0900_0000, bytes(4)), (FLASH + 128 * 1024 - 4, bytes(8))],
    ids=["unaligned", "no whole words", "no flash", "over the end"],
)
def test_a_write_that_does_not_fit_is_refused(address: int, data: bytes) -> None:
    link = loader()
    assert write(link, address, data).endswith(NACK)
    assert link.chip.flash.taken == 0


def test_a_wrong_checksum_is_refused_at_each_step() -> None:
    link = loader()
    assert ask(link, b"\x31\xcf", 1) == NACK
    assert ask(link, b"\x31\xce", 1) == ACK
    assert ask(link, bytes.fromhex("08000000 09"), 1) == NACK
    assert ask(link, b"\x43\xbc", 1) + ask(link, bytes.fromhex("00 05 04"), 1) == ACK + NACK
    assert ask(link, b"\x11\xee", 1) + ask(link, summed(FLASH.to_bytes(4, "big")), 1) == ACK + ACK
    assert ask(link, b"\x00\x00", 1) == NACK
    assert (link.chip.flash.taken, link.chip.flash.erases) == (0, 0)


def test_a_page_beyond_the_flash_is_refused() -> None:
    assert erase(loader(), 3, 128) == ACK + NACK


def test_bytes_that_come_during_an_erase_are_lost() -> None:
    link = loader()
    assert ask(link, b"\x43\xbc", 1) == ACK
    link.write(summed(bytes([1, 0, 1])))
    link.clock.sleep(0.01)
    link.write(b"\x00\xff" * 3)
    assert listen(link, 50, 0.5) == ACK  # one byte stays in the UART, the first half of a command
    assert ask(link, b"\xff", 15)[:1] == ACK


def test_a_protected_chip_only_tells_its_kind_until_it_is_erased() -> None:
    link = loader("fault=protected")
    for command in (b"\x11\xee", b"\x31\xce", b"\x43\xbc", b"\x21\xde", b"\x82\x7d"):
        assert ask(link, command, 1) == NACK
    assert ask(link, b"\x02\xfd", 5) == bytes.fromhex("79 01 04 10 79")
    assert ask(link, b"\x92\x6d", 2, 5) == ACK + ACK
    link.clock.sleep(0.1)
    assert ask(link, b"\x7f", 1) == b""  # it has started its application, and there is none
    assert (link.chip.mode, link.chip.stored) == ("hung", None)
    enter_loader(link)
    assert ask(link, b"\x7f", 1) == ACK
    assert read(link, FLASH, 256) == b"\xff" * 256


@pytest.mark.parametrize("cut", [1, 256, 1791, 2047])
def test_a_power_cut_before_the_vectors_leaves_no_application(cut: int) -> None:
    link = loader(f"fault=power-cut:{cut}")
    assert erase(link, 0, 1) == ACK + ACK
    image = build_application("V1.1.0", base=FLASH, size=2048)
    starts = [*range(256, 2048, 256), 0]
    answers = [write(link, FLASH + start, image[start : start + 256]) for start in starts]
    done = (cut - 1) // 256
    assert answers[: done + 1] == [ACK * 3] * done + [ACK * 2]
    assert (link.chip.mode, link.chip.version, link.chip.stored) == ("hung", "", None)


def test_a_power_cut_in_the_erase_leaves_no_application() -> None:
    link = loader("fault=cut-erase")
    assert erase(link, 0) == ACK
    assert link.chip.stored is None


def test_each_command_can_be_refused() -> None:
    names = {"get": b"\x00\xff", "get-id": b"\x02\xfd", "read": b"\x11\xee", "write": b"\x31\xce"}
    for name, command in (*names.items(), ("erase", b"\x43\xbc"), ("go", b"\x21\xde")):
        link = loader(f"fault=nack:{name}")
        assert ask(link, command, 1) == NACK
        assert ask(link, command, 1) == ACK


def test_a_lost_acknowledgement_leaves_the_piece_written() -> None:
    link = loader("fault=lose-reply:0")
    assert erase(link, 0) == ACK + ACK
    assert write(link, FLASH, bytes(4)) == ACK + ACK
    assert read(link, FLASH, 4) == bytes(4)


def test_a_clone_acknowledges_and_ignores() -> None:
    link = loader("fault=ignore-writes")
    assert erase(link, 0) == ACK + ACK
    assert write(link, FLASH, bytes(4)) == ACK * 3
    assert read(link, FLASH, 4) == b"\xff" * 4


def test_without_a_boot_pin_the_application_starts() -> None:
    link = opened("sim://GD32?fault=boot-mode")
    enter_loader(link)
    assert b"fw V1.0.0" in until(link, b"V1.0.0\r\n", 1)


def test_without_wires_a_person_presses_the_buttons() -> None:
    link = opened("sim://GD32?lines=0")
    enter_loader(link)
    assert (link.chip.mode, link.chip.resets) == ("app", 1)
    link.press_reset(boot=True)
    link.set_parity("E")
    link.clock.sleep(0.1)
    assert ask(link, b"\x7f", 1) == ACK


def test_the_old_application_may_come_back() -> None:
    link = loader("fault=old-app")
    assert erase(link, 0, 1) == ACK + ACK
    write_image(link, build_application("V1.1.0", base=FLASH, size=2048))
    leave_loader(link)
    link.clock.sleep(1)
    listen(link, 100, 1)
    assert (link.chip.version, link.chip.stored) == ("V1.0.0", "V1.1.0")


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("fault=rollback", "ignore-writes"),
        ("fault=nack", "nack:POS"),
        ("part=STM32", "part"),
        ("serial=12", "serial"),
        ("boot=usb", "boot"),
        ("imei=490154203237518", "serial"),
        ("protocol=smp", "protocol"),
    ],
)
def test_a_wrong_option_is_refused_and_the_known_ones_are_listed(query: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        opened(f"sim://GD32?{query}")
    assert hint in caught.value.hint


def test_a_chip_that_is_held_in_reset_starts_when_the_port_is_closed() -> None:
    link = opened("sim://GD32?id=held")
    link.set_lines(dtr=False, rts=True)
    assert ask(link, b"AT+VER\r\n", 1, 1.0) == b""
    link.close()
    again = opened("sim://GD32?id=held")
    assert until(again, b"fw V1.0.0\r\n", 1.0).endswith(b"fw V1.0.0\r\n")


def test_a_chip_with_an_id_is_the_same_one_when_it_is_opened_again() -> None:
    link = loader("id=bench")
    assert erase(link, 0) == ACK + ACK
    link.close()
    again = opened("sim://GD32?id=bench")
    assert (again.chip.mode, again.chip.stored) == ("loader", None)
