"""MCUboot's serial recovery and an application with mcumgr, in literal bytes, and judged by smpclient."""

import base64
import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.clock import ScaledClock
from atota.sim.chips import cbor, mcuboot
from atota.sim.chips.catalogue import make_chip
from atota.sim.chips.options import ChipOptions
from atota.sim.chips.smp import Mcuboot, crc16
from atota.sim.link import SimLink
from tests.sim.chips import judges
from tests.sim.chips.hosts import ask, enter_loader, leave_loader, listen, opened, until
from tests.sim.serving import on_pty

cbor2 = pytest.importorskip("cbor2")

READ, WRITE = 0, 2
OS, IMAGE = 0, 1
FAST = 60.0


def lines(message: bytes, length: int = 127) -> bytes:
    body = struct.pack(">H", len(message) + 2) + message + struct.pack(">H", crc16(message))
    text = base64.b64encode(body)
    step = (length - 3) // 4 * 4
    pieces = [text[at : at + step] for at in range(0, len(text), step)]
    return b"".join((b"\x04\x14" if n else b"\x06\x09") + piece + b"\n" for n, piece in enumerate(pieces))


def send(link: SimLink, op: int, group: int, command: int, body: dict[str, Any], *, version: int = 0) -> None:
    data = cbor2.dumps(body)
    head = struct.pack(">BBHHBB", op | version << 3, 0, len(data), group, 7, command)
    link.write(lines(head + data))


def answer(link: SimLink, seconds: float = FAST) -> dict[str, Any] | None:
    """Return the map of the next message, or None."""
    end = link.clock.monotonic() + seconds
    text, body = b"", b""
    while (remaining := end - link.clock.monotonic()) > 0:
        text += link.read(remaining)
        while b"\n" in text:
            line, _, text = text.partition(b"\n")
            if line[:2] in (b"\x06\x09", b"\x04\x14"):
                body += base64.b64decode(line[2:])
        if len(body) > 2 and len(body) == 2 + int.from_bytes(body[:2], "big"):
            assert crc16(body[2:-2]) == int.from_bytes(body[-2:], "big")
            assert body[2] & 1
            return dict(cbor2.loads(body[10:-2]))
    return None


def request(link: SimLink, *how: Any, version: int = 0, seconds: float = FAST) -> dict[str, Any] | None:
    send(link, *how, version=version)
    return answer(link, seconds)


def recovery(query: str = "") -> SimLink:
    link = opened(f"sim://nrf52832?{query}")
    enter_loader(link)
    link.clock.sleep(0.1)
    return link


def upload(link: SimLink, data: bytes, step: int = 256) -> dict[str, Any] | None:
    """Upload from the offsets that are answered; return the last answer."""
    offset, told = 0, None
    while offset < len(data):
        body: dict[str, Any] = {"off": offset, "data": data[offset : offset + step]}
        if offset == 0:
            body |= {"image": 0, "len": len(data), "sha": bytes(32)}
        told = request(link, WRITE, IMAGE, 1, body)
        if told is None or "off" not in told or told["off"] <= offset:
            return told
        offset = told["off"]
    return told


def loader_of(link: SimLink) -> Mcuboot:
    assert isinstance(link.chip.loader, Mcuboot)  # type: ignore[attr-defined]
    return link.chip.loader  # type: ignore[attr-defined]


def test_an_echo_of_the_application_is_this_line() -> None:
    link = opened("sim://nrf52832")
    question = lines(bytes.fromhex("02 00 0007 0000 07 00 a1 61 64 63 68 69 21"))
    assert question == b"\x06\x09ABECAAAHAAAHAKFhZGNoaSF2AA==\n"
    assert ask(link, question, 200, 0.5) == lines(
        bytes.fromhex("03 00 0008 0000 07 00 bf 61 72 63 68 69 21 ff")
    )


def test_the_recovery_lists_and_does_not_echo() -> None:
    link = recovery()
    assert request(link, WRITE, OS, 0, {"d": "hi"}) == {"rc": 8}
    assert request(link, READ, OS, 6, {}) == {"buf_size": 1024, "buf_count": 1}
    told = request(link, READ, IMAGE, 0, {})
    digest = mcuboot.build_image("V1.0.0")[-32:]
    assert told == {"images": [{"slot": 0, "version": "1.0.0.0", "hash": digest}]}


def test_an_old_recovery_has_no_parameters() -> None:
    assert request(recovery("fault=old-recovery"), READ, OS, 6, {}) == {"rc": 8}


def test_the_recovery_writes_slot_0_and_the_application_runs_after_its_reset() -> None:
    link = recovery()
    image = mcuboot.build_image("V1.1.0")
    assert upload(link, image) == {"rc": 0, "off": len(image)}
    assert request(link, WRITE, OS, 5, {}) == {"rc": 0}
    assert until(link, b"fw V1.1.0\r\n").endswith(b"*** Booting Zephyr OS build v3.5.0 ***\r\nfw V1.1.0\r\n")
    assert (link.chip.version, link.chip.flash.misuses) == ("V1.1.0", 0)
    assert ask(link, b"AT+VER\r\n", 25) == b"\r\nVER:V1.1.0\r\n\r\nOK\r\n"


def test_a_piece_is_cut_to_whole_words_and_an_offset_that_is_not_next_is_corrected() -> None:
    link = recovery()
    image = mcuboot.build_image("V1.1.0")
    first = {"off": 0, "data": image[:101], "len": len(image)}
    assert request(link, WRITE, IMAGE, 1, first) == {"rc": 0, "off": 100}
    assert request(link, WRITE, IMAGE, 1, {"off": 101, "data": image[101:200]}) == {"rc": 0, "off": 100}
    assert request(link, WRITE, IMAGE, 1, {"off": 100, "data": image[100:200]}) == {"rc": 0, "off": 200}


def test_a_tampered_image_is_taken_and_listed_and_the_recovery_comes_back_empty() -> None:
    link = recovery()
    image = bytearray(mcuboot.build_image("V1.1.0"))
    image[2000] ^= 1
    assert upload(link, bytes(image)) == {"rc": 0, "off": len(image)}
    assert request(link, READ, IMAGE, 0, {}) == {"images": [{"slot": 0, "version": "1.1.0.0"}]}
    assert request(link, WRITE, OS, 5, {}) == {"rc": 0}
    link.clock.sleep(1.0)
    assert request(link, READ, IMAGE, 0, {}) == {"images": []}
    assert (link.chip.mode, link.chip.stored) == ("loader", None)


def test_a_message_beyond_the_buffer_gets_no_answer() -> None:
    link = recovery()
    image = mcuboot.build_image("V1.1.0")
    assert request(link, WRITE, IMAGE, 1, {"off": 0, "len": 9000, "data": image[:1024]}, seconds=3.0) is None
    assert request(link, READ, OS, 6, {}) == {"buf_size": 1024, "buf_count": 1}
    assert link.chip.flash.erases == 0


@pytest.mark.parametrize("spoil", [0, 3, 20], ids=["start", "text", "CRC"])
def test_a_broken_line_gets_no_answer(spoil: int) -> None:
    link = recovery()
    data = bytearray(lines(bytes.fromhex("0000000100010700a0")))
    data[spoil] ^= 2
    link.write(bytes(data))
    assert answer(link, 2.0) is None


def test_an_image_too_big_for_its_slot_is_refused() -> None:
    link = recovery()
    first = {"off": 0, "data": bytes(64), "len": mcuboot.SLOT_SIZE + 1}
    assert request(link, WRITE, IMAGE, 1, first) == {"rc": 3}
    assert request(link, WRITE, IMAGE, 1, {"off": 64, "data": bytes(64)}) == {"rc": 0, "off": 0}
    assert link.chip.flash.erases == 0


def test_a_test_is_swapped_in_and_swapped_back_unless_it_is_confirmed() -> None:
    link = opened("sim://nrf52832")
    image = mcuboot.build_image("V1.1.0")
    assert upload(link, image) == {"off": len(image)}
    assert link.chip.stored == "V1.0.0"
    told = request(link, WRITE, IMAGE, 0, {"hash": image[-32:], "confirm": False})
    assert told is not None
    assert [(row["slot"], row["version"], row["pending"]) for row in told["images"]] == [
        (0, "1.0.0", False),
        (1, "1.1.0", True),
    ]
    assert request(link, WRITE, OS, 5, {}) == {}
    assert until(link, b"fw V1.1.0\r\n", FAST).endswith(b"fw V1.1.0\r\n")
    assert (link.chip.version, loader_of(link).confirmed) == ("V1.1.0", False)
    leave_loader(link)
    assert until(link, b"fw V1.0.0\r\n", FAST).endswith(b"fw V1.0.0\r\n")


def test_a_confirmed_test_stays() -> None:
    link = opened("sim://nrf52832")
    image = mcuboot.build_image("V1.1.0")
    upload(link, image)
    request(link, WRITE, IMAGE, 0, {"hash": image[-32:]})
    request(link, WRITE, OS, 5, {})
    until(link, b"fw V1.1.0\r\n", FAST)
    told = request(link, WRITE, IMAGE, 0, {"confirm": True})
    assert told is not None
    assert [row["confirmed"] for row in told["images"]] == [True, False]
    leave_loader(link)
    assert until(link, b"fw V1.1.0\r\n", FAST).endswith(b"fw V1.1.0\r\n")


def test_a_bad_image_in_slot_1_is_not_swapped() -> None:
    link = opened("sim://nrf52832")
    image = bytearray(mcuboot.build_image("V1.1.0"))
    image[5000] ^= 1
    upload(link, bytes(image))
    assert request(link, WRITE, IMAGE, 0, {"hash": bytes(image[-32:])}) == {"rc": 3}
    assert request(link, WRITE, IMAGE, 0, {"hash": b"x" * 32}, version=1) == {"err": {"group": 1, "rc": 3}}
    request(link, WRITE, OS, 5, {})
    assert until(link, b"fw V1.0.0\r\n", FAST).endswith(b"fw V1.0.0\r\n")


def test_an_image_that_is_not_swapped_in_is_erased_and_the_list_names_the_old_one() -> None:
    link = opened("sim://nrf52832?fault=old-app")
    image = mcuboot.build_image("V1.1.0")
    assert upload(link, image) == {"off": len(image)}
    request(link, WRITE, IMAGE, 0, {"hash": image[-32:], "confirm": False})
    assert request(link, WRITE, OS, 5, {}) == {}
    assert until(link, b"fw V1.0.0\r\n", FAST).endswith(b"fw V1.0.0\r\n")
    told = request(link, READ, IMAGE, 0, {})
    assert told is not None
    assert [(row["version"], row["active"]) for row in told["images"]] == [("1.0.0", True)]


def test_an_upgrade_only_takes_a_newer_version() -> None:
    link = opened("sim://nrf52832")
    image = mcuboot.build_image("V0.9.9")
    first = {"off": 0, "data": image[:128], "len": len(image), "upgrade": True}
    assert request(link, WRITE, IMAGE, 1, first) == {"rc": 3}


def test_the_application_enters_the_recovery_when_it_is_asked_to() -> None:
    link = opened("sim://nrf52832")
    assert request(link, WRITE, OS, 5, {"boot_mode": 1}) == {}
    link.clock.sleep(1.0)
    assert request(link, WRITE, OS, 0, {"d": "hi"}) == {"rc": 8}
    assert link.chip.mode == "loader"
    assert request(link, WRITE, OS, 5, {}) == {"rc": 0}
    assert until(link, b"fw V1.0.0\r\n").endswith(b"fw V1.0.0\r\n")


def test_a_power_cut_in_the_recovery_leaves_no_application_and_the_recovery_waits() -> None:
    link = recovery("fault=power-cut:3000")
    assert upload(link, mcuboot.build_image("V1.1.0")) is None
    listen(link, 100, 1.0)
    assert (link.chip.mode, link.chip.stored) == ("loader", None)


def test_a_power_cut_in_the_upload_of_the_application_leaves_the_old_one() -> None:
    link = opened("sim://nrf52832?fault=power-cut:3000")
    assert upload(link, mcuboot.build_image("V1.1.0")) is None
    listen(link, 100, 1.0)
    assert (link.chip.mode, link.chip.version) == ("app", "V1.0.0")


def test_a_lost_answer_leaves_the_piece_written() -> None:
    link = recovery("fault=lose-reply:1")
    image = mcuboot.build_image("V1.1.0")
    request(link, WRITE, IMAGE, 1, {"off": 0, "data": image[:128], "len": len(image)})
    assert request(link, WRITE, IMAGE, 1, {"off": 128, "data": image[128:256]}, seconds=2.0) is None
    assert request(link, WRITE, IMAGE, 1, {"off": 128, "data": image[128:256]}) == {"rc": 0, "off": 256}


ITEMS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), ITEMS, max_size=5))
def test_cbor_is_understood_by_cbor2_and_the_other_way_round(body: dict[str, Any]) -> None:
    assert cbor2.loads(cbor.encode(body)) == body
    assert cbor.decode_map(cbor2.dumps(body)) == body
    assert cbor.decode_map(cbor.encode(body)) == body


@given(st.binary(max_size=40))
def test_no_bytes_raise(data: bytes) -> None:
    decoded = cbor.decode_map(data)
    assert decoded is None or isinstance(decoded, dict)


@pytest.mark.skipif(not judges.IS_POSIX, reason="there are no pseudo-terminals here")
@pytest.mark.parametrize("boot", ["loader", "app"])
def test_smpclient_uploads_an_image(tmp_path: Path, boot: str) -> None:
    pytest.importorskip("smpclient", reason="smpclient is not installed: the chip was not judged by it")
    image = mcuboot.build_image("V1.1.0", size=12_000)
    (tmp_path / "image.bin").write_bytes(image)
    made = make_chip("nrf52832", ChipOptions(boot=boot))  # type: ignore[arg-type]
    script = Path(__file__).with_name("smp_judge.py")
    with on_pty(made, ScaledClock(4)) as port:
        done = subprocess.run(
            [sys.executable, str(script), port, str(tmp_path / "image.bin")],
            capture_output=True,
            text=True,
            timeout=50,
            check=True,
        )
    told = json.loads(done.stdout)
    is_app = boot == "app"
    assert told["params"] == ([384, 4] if is_app else [1024, 1])
    assert told["echo"] == ("hello" if is_app else "refused")
    assert (told["offset"], told["reset"]) == (len(image), True)
    rows = [(row["slot"], row["version"]) for row in told["images"]]
    assert rows == ([(0, "1.0.0"), (1, "1.1.0")] if is_app else [(0, "1.1.0.0")])
    assert told["images"][-1]["hash"] == image[-32:].hex()
    assert told.get("pending") == ([False, True] if is_app else None)
    assert made.stored == "V1.1.0"
