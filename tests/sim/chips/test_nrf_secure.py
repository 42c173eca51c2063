"""Nordic's secure bootloader, request by request, and judged by the serial transport of nrfutil 6."""

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.clock import ScaledClock
from atota.sim.chips import init_packet, p256
from atota.sim.chips.application import build_application
from atota.sim.chips.catalogue import make_chip
from atota.sim.chips.init_packet import VENDOR_KEY, build_init_packet, read_init_packet
from atota.sim.chips.options import ChipOptions
from atota.sim.chips.secure_dfu import BANK_0
from atota.sim.link import SimLink
from tests.sim.chips import judges
from tests.sim.chips.hosts import enter_loader, leave_loader, listen, opened, until
from tests.sim.serving import on_pty

NRFUTIL = os.environ.get("ATOTA_TEST_NRFUTIL", "")
V1_1_0 = 0x010100


def image(version: str = "V1.1.0", size: int = 9000) -> bytes:
    return build_application(version, base=BANK_0, size=size, ram=0x10000)


def escaped(data: bytes) -> bytes:
    return data.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


def ask(link: SimLink, request: bytes, seconds: float = 5.0) -> bytes:
    """Send a request; return the answer behind its three bytes, or from the result on if it is not 1."""
    link.write(escaped(request))
    answer = until(link, b"\xc0", seconds)[:-1].replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
    if not answer:
        return b""
    assert answer[:2] == bytes([0x60, request[0]])
    return answer[3:] if answer[2] == 1 else answer[2:]


def loader(query: str = "") -> SimLink:
    link = opened(f"sim://nrf52832?protocol=nordic-secure&{query}")
    enter_loader(link)
    link.clock.sleep(0.1)
    return link


def create(link: SimLink, kind: int, size: int) -> bytes:
    return ask(link, struct.pack("<BBI", 1, kind, size))


def write(link: SimLink, data: bytes) -> None:
    for at in range(0, len(data), 64):
        link.write(escaped(b"\x08" + data[at : at + 64]))


def checked(link: SimLink) -> tuple[int, int]:
    offset, crc = struct.unpack("<II", ask(link, b"\x03"))
    return offset, crc


def send_init(link: SimLink, packet: bytes) -> bytes:
    """Send an init packet; return the result of its execution."""
    assert ask(link, b"\x06\x01")[:4] == (512).to_bytes(4, "little")
    assert create(link, 1, len(packet)) == b""
    write(link, packet)
    assert checked(link) == (len(packet), zlib.crc32(packet))
    return ask(link, b"\x04")


def send_image(link: SimLink, data: bytes, start: int = 0) -> bytes:
    """Send the objects of an image from an offset on; return the result of the last execution."""
    result = b""
    for at in range(start, len(data), 4096):
        piece = data[at : at + 4096]
        assert create(link, 2, len(piece)) == b""
        write(link, piece)
        assert checked(link) == (at + len(piece), zlib.crc32(data[: at + len(piece)]))
        result = ask(link, b"\x04")
    return result


def test_ping_mtu_and_select_are_as_documented() -> None:
    link = loader()
    link.write(b"\x09\x05\xc0")
    assert listen(link, 5) == bytes.fromhex("60 09 01 05 c0")
    link.write(b"\x07\xc0")
    assert listen(link, 6) == bytes.fromhex("60 07 01 83 00 c0")
    link.write(b"\x06\x01\xc0")
    assert listen(link, 16) == bytes.fromhex("60 06 01 00 02 00 00 00 00 00 00 00 00 00 00 c0")


def test_an_image_is_taken_checked_and_started() -> None:
    link = loader()
    data = image()
    assert send_init(link, build_init_packet(data, V1_1_0)) == b""
    assert send_image(link, data) == b""
    assert until(link, b"fw V1.1.0\r\n") == b"\r\nfw V1.1.0\r\n"
    assert link.chip.flash.misuses == 0
    enter_loader(link)
    assert ask(link, b"\x0b\x02") == struct.pack("<BIII", 1, V1_1_0, BANK_0, 9000)


def test_the_images_are_listed_until_there_is_none() -> None:
    link = loader()
    kinds = [ask(link, bytes([0x0B, number]))[0] for number in range(4)]
    assert kinds == [2, 0, 1, 0xFF]
    assert ask(loader("fault=no-version"), b"\x0b\x00") == b"\x02"


def test_the_chip_tells_its_hardware() -> None:
    assert ask(loader(), b"\x0a")[:4] == struct.pack("<I", 0x52832)


@pytest.mark.parametrize(
    ("packet", "result"),
    [
        (build_init_packet(image(), V1_1_0, key=None), b"\x0b\x08"),
        (build_init_packet(image(), V1_1_0, key=VENDOR_KEY + 1), b"\x05"),
        (build_init_packet(image(), V1_1_0, hardware=51), b"\x0b\x06"),
        (build_init_packet(image(), V1_1_0, softdevices=(0x99,)), b"\x0b\x07"),
        (build_init_packet(image(), 0xFFFF), b"\x0b\x05"),
        (build_init_packet(image(), V1_1_0, size=1_000_000), b"\x0b\x0d"),
        (b"\x0a\x05hello", b"\x0b\x04"),
    ],
    ids=["unsigned", "another key", "hardware", "SoftDevice", "older", "too big", "garbage"],
)
def test_an_init_packet_that_does_not_fit_is_refused(packet: bytes, result: bytes) -> None:
    link = loader()
    assert send_init(link, packet) == result
    assert create(link, 2, 4096) == b"\x08"
    assert link.chip.stored == "V1.0.0"


def test_a_tampered_init_packet_has_no_valid_signature() -> None:
    packet = bytearray(build_init_packet(image(), V1_1_0))
    packet[30] ^= 1
    assert send_init(loader(), bytes(packet)) in (b"\x05", b"\x0b\x04")


def test_a_tampered_image_is_found_by_its_hash_and_the_old_one_stays() -> None:
    link = loader()
    data = image()
    assert send_init(link, build_init_packet(data, V1_1_0)) == b""
    bad = data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]
    assert send_image(link, bad) == b"\x0b\x0c"
    leave_loader(link)
    assert until(link, b"fw V1.0.0\r\n") == b"\r\nfw V1.0.0\r\n"


def test_the_order_of_the_requests_is_enforced() -> None:
    link = loader()
    assert ask(link, b"\x03") == b"\x08"
    assert create(link, 2, 4096) == b"\x08"
    assert create(link, 3, 10) == b"\x07"
    assert create(link, 1, 513) == b"\x04"
    assert create(link, 1, 0) == b"\x03"
    assert ask(link, b"\x06") == b"\x03"
    assert ask(link, b"\x05") == b"\x02"
    assert create(link, 1, 100) == b""
    write(link, bytes(50))
    assert ask(link, b"\x04") == b"\x08"


def test_only_the_last_object_may_be_no_whole_page() -> None:
    link = loader()
    send_init(link, build_init_packet(image(), V1_1_0))
    assert create(link, 2, 4000) == b"\x03"
    assert create(link, 2, 8192) == b"\x04"
    assert create(link, 2, 4096) == b""
    write(link, bytes(4096 + 64))
    assert checked(link)[0] == 4096


def test_a_receipt_comes_after_so_many_writes() -> None:
    link = loader()
    assert ask(link, b"\x02\x02\x00") == b""
    create(link, 1, 200)
    write(link, bytes(128))
    assert listen(link, 12) == b"\x60\x03\x01" + struct.pack("<II", 128, zlib.crc32(bytes(128))) + b"\xc0"


def test_executed_objects_survive_a_reset_and_the_rest_does_not() -> None:
    link = loader()
    data = image()
    send_init(link, build_init_packet(data, V1_1_0))
    send_image(link, data[:4096])
    create(link, 2, 4096)
    write(link, data[4096:5000])
    assert checked(link)[0] == 5000
    enter_loader(link)
    link.clock.sleep(0.1)
    assert struct.unpack("<III", ask(link, b"\x06\x02")) == (4096, 4096, zlib.crc32(data[:4096]))
    assert create(link, 2, 4096) == b"\x08"  # the init packet was not executed since the reset
    ask(link, b"\x06\x01")
    assert ask(link, b"\x04") == b""
    ask(link, b"\x06\x02")
    assert send_image(link, data, start=4096) == b""
    assert until(link, b"fw V1.1.0\r\n") == b"\r\nfw V1.1.0\r\n"


def test_a_frame_beyond_the_mtu_gets_no_answer() -> None:
    link = loader()
    create(link, 1, 512)
    link.write(escaped(b"\x08" + bytes(131)))
    assert checked(link)[0] == 0


def test_a_power_cut_leaves_the_old_application() -> None:
    link = loader("fault=power-cut:4500")
    data = image()
    send_init(link, build_init_packet(data, V1_1_0))
    with pytest.raises((AssertionError, struct.error)):
        send_image(link, data)
    listen(link, 100, 1.0)
    assert (link.chip.mode, link.chip.version) == ("app", "V1.0.0")


def test_a_power_cut_in_the_copy_is_made_up_for() -> None:
    link = loader("fault=power-cut:12000")
    data = image()
    send_init(link, build_init_packet(data, V1_1_0))
    send_image(link, data)
    assert until(link, b"fw V1.1.0\r\n") == b"\r\nfw V1.1.0\r\n"
    assert link.chip.resets > 3


def test_each_request_can_be_refused_and_each_answer_lost() -> None:
    assert ask(loader("fault=nack:select"), b"\x06\x01") == b"\x0a"
    link = loader("fault=lose-reply:create")
    assert create(link, 1, 100) == b""
    assert struct.unpack("<I", ask(link, b"\x06\x01")[:4]) == (512,)


def test_the_signature_is_right_for_another_library() -> None:
    ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
    hashes = pytest.importorskip("cryptography.hazmat.primitives.hashes")
    utils = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.utils")
    private = ec.derive_private_key(VENDOR_KEY, ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    assert (numbers.x, numbers.y) == p256.public_key(VENDOR_KEY)
    signature = utils.encode_dss_signature(*p256.sign(VENDOR_KEY, b"message"))
    private.public_key().verify(signature, b"message", ec.ECDSA(hashes.SHA256()))
    r, s = utils.decode_dss_signature(private.sign(b"message", ec.ECDSA(hashes.SHA256())))
    assert p256.is_signed((numbers.x, numbers.y), b"message", r, s)
    assert not p256.is_signed((numbers.x, numbers.y), b"massage", r, s)


@given(st.binary(max_size=100))
def test_reading_an_init_packet_never_raises(data: bytes) -> None:
    packet = read_init_packet(data)
    assert packet is None or isinstance(packet, init_packet.InitPacket)


@pytest.mark.skipif(
    not NRFUTIL or not judges.IS_POSIX,
    reason="ATOTA_TEST_NRFUTIL does not name the source of nrfutil 6.1.7: nrfutil did not judge the chip",
)
def test_nrfutil_writes_an_application(tmp_path: Path) -> None:
    (tmp_path / "app.bin").write_bytes(image())
    (tmp_path / "app.dat").write_bytes(build_init_packet(image(), V1_1_0))
    made = make_chip("nrf52832", ChipOptions(protocol="nordic-secure", boot="loader"))
    script = Path(__file__).with_name("nrfutil_judge.py")
    with on_pty(made, ScaledClock(4)) as port:
        done = subprocess.run(
            [
                sys.executable,
                "-W",
                "ignore",
                script,
                NRFUTIL,
                port,
                tmp_path / "app.dat",
                tmp_path / "app.bin",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=50,
            check=False,
        )
    assert done.returncode == 0, done.stdout
    made.press(0.0, boot=False)
    made.tick(20.0)
    assert made.stored == "V1.1.0"
