"""SARA-R4: an XMODEM receiver behind AT+UFWUPD=3, then AT+UFWINSTALL and many silent minutes."""

from binascii import crc_hqx

import pytest

from atota.sim.package import build_package
from tests.sim.hosts import ERROR, OK, LinkHost

ONGOING = b"\r\n+UFWUPD: ONGOING\r\n"
OLD = "L0.0.00.00.05.06"
PACKAGE = build_package(model="SARA-R410", base=OLD, target="L0.0.00.00.05.08", size=5000)


def packet(number: int, data: bytes, size: int = 128, crc: bool = True) -> bytes:
    body = data.ljust(size, b"\x1a")
    check = crc_hqx(body, 0).to_bytes(2) if crc else bytes([sum(body) & 0xFF])
    return (b"\x01" if size == 128 else b"\x02") + bytes([number & 0xFF, ~number & 0xFF]) + body + check


class Talk(LinkHost):
    """A host at 115200, echo off."""

    def __init__(self, faults: str = "", options: str = "") -> None:
        super().__init__("SARA-R410", faults, f"seed=1{options}", numbers=False)

    def begin(self, mark: bytes = b"C") -> None:
        assert self.say(b"AT+UFWUPD=3", ONGOING) == ONGOING
        self.read_until(30.0, mark)

    def put(self, data: bytes) -> bytes:
        """Send a packet or EOT; the next byte that comes."""
        self.link.write(data)
        return self.read_until(20.0, b"\x06", b"\x15", b"C", b"\x18\x18")

    def load(self, package: bytes = PACKAGE, size: int = 1024, crc: bool = True) -> bytes:
        """A host that repeats a packet three times."""
        self.begin(b"C" if crc else b"\x15")
        for number, at in enumerate(range(0, len(package), size), 1):
            one = packet(number, package[at : at + size], size, crc)
            if not any(self.put(one) == b"\x06" for _ in range(3)):
                return self.read_until(60.0)
        assert self.put(b"\x04") == b"\x06"
        return self.read_until()


@pytest.mark.parametrize(("size", "crc"), [(1024, True), (128, True), (128, False)])
def test_a_whole_update(size: int, crc: bool) -> None:
    talk = Talk()
    assert talk.load(size=size, crc=crc) == OK
    assert talk.module.slot == PACKAGE
    assert talk.say(b"AT+UFWINSTALL") == OK
    assert talk.read_until(600.0, b"never") == b""
    talk.link.write(b"AT\r")
    assert talk.read_until(100.0, b"never") == b""
    talk.link.clock.sleep(100)
    assert b"L0.0.00.00.05.08 [" in talk.say(b"AT+CGMR")
    assert (talk.module.updates, talk.module.starts) == (1, ["PACKAGE_OK"])


def test_nobody_sends_and_the_module_goes_back_to_commands_in_under_20_seconds() -> None:
    talk = Talk()
    before = talk.link.clock.monotonic()
    talk.link.write(b"AT+UFWUPD=3\r")
    assert talk.read_until() == ONGOING + b"CCC" + b"\x15" * 10 + OK
    assert talk.link.clock.monotonic() - before < 20.5
    assert talk.say(b"AT") == OK
    assert talk.module.slot == b""


def test_a_damaged_packet_is_refused_after_a_quiet_second_and_taken_when_it_comes_again() -> None:
    talk = Talk()
    talk.begin()
    assert talk.put(packet(1, b"a" * 128)) == b"\x06"
    bad = bytearray(packet(2, b"b" * 128))
    bad[50] ^= 1
    before = talk.link.clock.monotonic()
    assert talk.put(bytes(bad)) == b"\x15"
    assert talk.link.clock.monotonic() - before > 1.0
    assert talk.put(packet(2, b"b" * 128)) == b"\x06"


@pytest.mark.parametrize("spoil", [1, 2, 130, 132])
def test_number_complement_and_check_are_looked_at(spoil: int) -> None:
    talk = Talk()
    talk.begin()
    bad = bytearray(packet(1, b"a" * 128))
    bad[spoil] ^= 0x10
    assert talk.put(bytes(bad)) == b"C"


def test_a_packet_that_comes_twice_is_stored_once() -> None:
    talk = Talk(options="&accept=any&becomes=V")
    talk.begin()
    for _ in range(3):
        assert talk.put(packet(1, b"a" * 128)) == b"\x06"
    assert talk.put(b"\x04") == b"\x06"
    assert talk.read_until() == OK
    assert talk.module.slot == b"a" * 128


def test_a_packet_out_of_order_cancels() -> None:
    talk = Talk()
    talk.begin()
    assert talk.put(packet(1, b"a")) == b"\x06"
    assert talk.put(packet(3, b"b")) == b"\x18\x18"
    assert talk.read_until() == ERROR
    assert talk.module.slot == b""


def test_numbers_go_on_with_zero_after_255() -> None:
    talk = Talk(options="&accept=any&becomes=V")
    data = bytes(range(1, 26)) * 1400
    assert talk.load(data, size=128) == OK
    assert talk.module.slot == data


def test_half_a_packet_is_asked_for_again_ten_times_and_then_given_up() -> None:
    talk = Talk()
    talk.begin()
    assert talk.put(packet(1, b"a")) == b"\x06"
    talk.link.write(packet(2, b"b")[:60])
    assert talk.read_until(120.0) == b"\x15" * 10 + b"\x18\x18" + ERROR


def test_the_host_may_cancel() -> None:
    talk = Talk()
    talk.begin()
    talk.put(packet(1, b"a"))
    talk.link.write(b"\x18\x18")
    assert talk.read_until() == ERROR


def test_bytes_before_ongoing_are_lost() -> None:
    talk = Talk()
    talk.link.write(b"AT+UFWUPD=3\r" + packet(1, b"a"))
    assert talk.read_until(3.0, ONGOING + b"C") == ONGOING + b"C"


def test_a_power_loss_amid_the_download_leaves_the_module_in_download_mode() -> None:
    talk = Talk("reboot-in-data:2")
    talk.begin()
    assert talk.put(packet(1, PACKAGE[:1024], 1024)) == b"\x06"
    assert talk.put(packet(2, PACKAGE[1024:2048], 1024)) == b"\x06"
    talk.link.write(packet(3, PACKAGE[2048:3072], 1024))
    assert talk.read_until(30.0, b"C") == b"C"
    for number, at in enumerate(range(0, len(PACKAGE), 1024), 1):
        assert talk.put(packet(number, PACKAGE[at : at + 1024], 1024)) == b"\x06"
    assert talk.put(b"\x04") == b"\x06"
    assert talk.read_until() == OK
    assert talk.module.slot == PACKAGE


def test_install_without_a_file_is_an_error() -> None:
    assert Talk().say(b"AT+UFWINSTALL") == ERROR


def test_a_bad_package_comes_back_with_the_old_version() -> None:
    talk = Talk()
    assert talk.load(PACKAGE[:-200]) == OK
    assert talk.say(b"AT+UFWINSTALL") == OK
    talk.link.clock.sleep(120)
    assert OLD.encode() in talk.say(b"AT+CGMR")
    assert talk.module.updates == 0


def test_the_new_firmware_brings_its_own_rate() -> None:
    talk = Talk()
    talk.say(b"AT+IPR=57600")
    talk.link.clock.sleep(0.1)
    talk.link.set_baud(57600)
    talk.say(b"AT&W")
    assert talk.load() == OK
    assert talk.say(b"AT+UFWINSTALL") == OK
    talk.link.clock.sleep(800)
    talk.link.set_baud(115200)
    assert b"L0.0.00.00.05.08" in talk.say(b"AT+CGMR")


# --- faults -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        "refuse-data:2",
        "refuse-data:0:2",
        "lose-ack:1",
        "drop-byte:3000",
        "double-byte:3000",
        "flip-byte:3000",
    ],
)
def test_a_transfer_survives(fault: str) -> None:
    talk = Talk(fault)
    assert talk.load() == OK
    assert talk.module.slot == PACKAGE


def test_a_transfer_that_the_module_cancels() -> None:
    talk = Talk("close-window:2")
    talk.begin()
    answers = [talk.put(packet(number, b"x" * 1024, 1024)) for number in (1, 2, 3)]
    assert answers == [b"\x06", b"\x06", b"\x18\x18"]
    assert talk.read_until() == ERROR
    assert talk.module.slot == b""


def test_a_missing_prompt_still_asks_for_packets() -> None:
    talk = Talk("no-prompt:prepare")
    talk.link.write(b"AT+UFWUPD=3\r")
    assert talk.read_until(5.0, b"C") == b"C"


def test_a_byte_that_is_not_stored_is_found_by_the_install() -> None:
    talk = Talk("short-write:1")
    assert talk.load() == OK
    assert talk.say(b"AT+UFWINSTALL") == OK
    talk.link.clock.sleep(120)
    assert talk.module.version == OLD


@pytest.mark.parametrize(
    ("fault", "version"),
    [("fail-update", OLD), ("rollback", OLD), ("stay-dead-after-update", "L0.0.00.00.05.08")],
)
def test_an_update_that_goes_another_way(fault: str, version: str) -> None:
    talk = Talk(fault)
    assert talk.load() == OK
    assert talk.say(b"AT+UFWINSTALL") == OK
    talk.link.clock.sleep(1300)
    assert talk.say(b"AT", OK).endswith(OK) == (fault != "stay-dead-after-update")
    assert talk.module.version == version


def test_a_refused_install() -> None:
    talk = Talk("refuse-start:1")
    assert talk.load() == OK
    assert [talk.say(b"AT+UFWINSTALL"), talk.say(b"AT+UFWINSTALL")] == [ERROR, OK]
