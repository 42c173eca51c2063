"""MCUboot by SMP: lines and CRC as the specification has them, both modes, and an end that proves nothing."""

import base64
import binascii
import hashlib
import struct
from collections.abc import Callable

import pytest

from atota.clock import Clock, SimulatedClock
from atota.link.base import Parity
from atota.sota.cbor import Value, decode, encode
from atota.update.events import JobResult
from tests.sota.scripted import Desk, bits

# RFC 8949, appendix A.
EXAMPLES: list[tuple[Value, str]] = [
    (0, "00"),
    (23, "17"),
    (24, "18 18"),
    (1000, "19 03 e8"),
    (1_000_000, "1a 00 0f 42 40"),
    (-1, "20"),
    (-100, "38 63"),
    (True, "f5"),
    (False, "f4"),
    (None, "f6"),
    (bits("01 02 03 04"), "44 01 02 03 04"),
    ("IETF", "64 49 45 54 46"),
    ([1, [2, 3], [4, 5]], "83 01 82 02 03 82 04 05"),
    ({"a": 1, "b": [2, 3]}, "a2 61 61 01 61 62 82 02 03"),
]


@pytest.mark.parametrize(("value", "text"), EXAMPLES)
def test_the_codec_agrees_with_the_examples_of_the_rfc(value: Value, text: str) -> None:
    assert encode(value) == bits(text)
    assert decode(bits(text)) == value


def test_maps_and_arrays_of_indefinite_length_are_read() -> None:
    assert decode(bits("bf 61 61 01 61 62 9f 02 03 ff ff")) == {"a": 1, "b": [2, 3]}


@pytest.mark.parametrize(
    "text", ["", "19 03", "44 01", "bf 61 61", "a1 61", "ff", "9b ff ff ff ff ff ff ff ff", "1c"]
)
def test_cut_and_foreign_values_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(bits(text))


def image(version: tuple[int, int, int, int], size: int = 700) -> bytes:
    """An image of MCUboot with its SHA-256 behind it."""
    body = bytes(index % 255 for index in range(size))
    head = struct.pack("<IIHHIIBBHII", 0x96F3B83D, 0, 32, 0, size, 0, *version, 0)
    digest = hashlib.sha256(head + body).digest()
    return head + body + struct.pack("<HHHH", 0x6907, 40, 0x10, 32) + digest


def hash_of(data: bytes) -> bytes:
    return data[-32:]


OLD, NEW = image((1, 0, 0, 0)), image((1, 1, 0, 0))


class SmpChip:
    """A chip with two slots that answers SMP requests, in its application or in recovery."""

    name = "smp"

    def __init__(self, *, recovery: bool = False) -> None:
        self.clock: Clock = SimulatedClock()
        self.baud = 115200
        self.slots: list[bytes] = [b"" if recovery else OLD, b""]
        self.version = None if recovery else "1.0.0"
        self.is_confirmed = True
        self.test = b""
        self.sizes: list[int] = []
        self.requests: list[tuple[int, int, int]] = []
        self.offset = 0
        self.refuses = -1
        self.drops: Callable[[int], bool] = lambda _: False
        self.holds: Callable[[int], bool] = lambda _: False
        self.rolls_back = False
        self._held = b""
        self.cannot_confirm = False
        self._heard = b""
        self._packet = b""
        self._arrived = b""

    @property
    def is_recovery(self) -> bool:
        return self.version is None

    def read(self, timeout_s: float) -> bytes:
        data, self._arrived = self._arrived, b""
        if not data:
            self.clock.sleep(timeout_s)
        return data

    def write(self, data: bytes) -> None:
        self._heard += data
        while b"\n" in self._heard:
            line, _, self._heard = self._heard.partition(b"\n")
            assert len(line) < 128
            self._packet = (b"" if line[:2] == b"\x06\x09" else self._packet) + base64.b64decode(
                line[2:], validate=True
            )
            length = int.from_bytes(self._packet[:2], "big")
            if len(self._packet) == length + 2:
                message = self._packet[2:-2]
                assert binascii.crc_hqx(message, 0) == int.from_bytes(self._packet[-2:], "big")
                self.sizes.append(len(self._packet))
                self._answer(message)

    def _answer(self, message: bytes) -> None:
        operation, _, length, group, sequence, command = struct.unpack_from(">BBHHBB", message)
        assert length == len(message) - 8
        value = decode(message[8:])
        assert isinstance(value, dict)
        self.requests.append((operation, group, command))
        reply = self._reply(operation, group, command, value)
        if self.drops(len(self.requests)):
            return
        before = len(self._arrived)
        body = encode(reply)
        answer = struct.pack(">BBHHBB", operation + 1, 0, len(body), group, sequence, command) + body
        packet = struct.pack(">H", len(answer) + 2) + answer + struct.pack(">H", binascii.crc_hqx(answer, 0))
        text = base64.b64encode(packet)
        self._arrived += b"*** console noise ***\r\n"
        for at in range(0, len(text), 124):
            self._arrived += (b"\x06\x09" if not at else b"\x04\x14") + text[at : at + 124] + b"\n"
        if self.holds(len(self.requests)):
            self._held, self._arrived = self._arrived[before:], self._arrived[:before]
        else:
            self._arrived, self._held = self._held + self._arrived, b""

    def _reply(self, operation: int, group: int, command: int, value: dict[str, Value]) -> dict[str, Value]:
        if (group, command) == (0, 6):
            return {"rc": 8} if self.is_recovery else {"buf_size": 384, "buf_count": 4}
        if (group, command) == (0, 5):
            self._reset()
            return {"rc": 0}
        if (group, command) == (1, 1):
            return self._upload(value)
        if operation == 2:
            if value.get("confirm"):
                self.is_confirmed = not self.cannot_confirm
            else:
                self.test = value["hash"] if isinstance(value["hash"], bytes) else b""
        return {"images": self._listed()}

    def _listed(self) -> list[Value]:
        images: list[Value] = []
        for slot, data in enumerate(self.slots):
            if data:
                version = f"{data[20]}.{data[21]}.{data[22]}"
                row: dict[str, Value] = {"slot": slot, "version": version, "hash": hash_of(data)}
                if not self.is_recovery:
                    row |= {"active": slot == 0, "confirmed": slot == 0 and self.is_confirmed}
                images.append(row)
        return images

    def _upload(self, value: dict[str, Value]) -> dict[str, Value]:
        data, offset = value["data"], value["off"]
        assert isinstance(data, bytes)
        slot = 0 if self.is_recovery else 1
        if offset == self.refuses:
            return {"rc": 2}
        if offset == 0:
            assert value["len"] == len(NEW)
            self.slots[slot], self.offset = b"", 0
        if offset == self.offset:
            self.slots[slot] += data
            self.offset += len(data)
        return {"rc": 0, "off": self.offset}

    def _reset(self) -> None:
        if self.is_recovery:
            is_whole = hash_of(self.slots[0]) == hashlib.sha256(self.slots[0][:-40]).digest()
            self.version = "1.1.0" if is_whole else None
            self.slots[0] = self.slots[0] if is_whole else b""
        elif self.test and not self.rolls_back:
            self.slots.reverse()
            self.version, self.is_confirmed, self.test = "1.1.0", False, b""

    def set_baud(self, baud: int) -> None:
        self.baud = baud

    def set_parity(self, parity: Parity) -> None: ...

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None: ...

    def close(self) -> None: ...


def flash(desk: Desk, chip: SmpChip, package: bytes = NEW, target: str = "1.1.0") -> JobResult:
    return desk.flash(chip, package, target=target, chip="", model="nrf52832")


def test_the_application_takes_an_upload_that_is_tested_and_then_confirmed(desk: Desk) -> None:
    chip = SmpChip()
    result = flash(desk, chip)
    assert (result.outcome, result.error) == ("updated", None)
    assert (result.version_before, result.version_after) == ("1.0.0", "1.1.0")
    assert chip.is_confirmed
    assert chip.slots[0] == NEW
    assert max(chip.sizes) <= 384


@pytest.mark.parametrize("target", ["V1.1.0", "1.1.0.0"])
def test_a_version_may_be_written_with_a_v_or_a_build_number(desk: Desk, target: str) -> None:
    result = flash(desk, SmpChip(), target=target)
    assert (result.outcome, result.version_after) == ("updated", target)


def test_recovery_takes_an_upload_into_the_running_slot(desk: Desk) -> None:
    chip = SmpChip(recovery=True)
    result = flash(desk, chip)
    assert (result.outcome, result.error) == ("updated", None)
    assert chip.slots[0] == NEW
    assert max(chip.sizes) <= 512


def test_a_tampered_image_that_recovery_lists_is_never_success(desk: Desk) -> None:
    chip = SmpChip(recovery=True)
    original = chip._upload

    def tampering(value: dict[str, Value]) -> dict[str, Value]:
        data = value["data"]
        assert isinstance(data, bytes)
        return original({**value, "data": data[:-1] + b"\0"} if value["off"] else value)

    chip._upload = tampering  # type: ignore[method-assign]
    result = flash(desk, chip)
    assert (result.outcome, result.exit_code) == ("unknown-after-reboot", 11)
    assert result.error is not None
    assert "recovery" in result.error.message


def test_an_image_that_rolls_back_is_the_old_version(desk: Desk) -> None:
    chip = SmpChip()
    chip.rolls_back = True
    result = flash(desk, chip)
    assert (result.outcome, result.exit_code) == ("old-version", 12)


def test_a_new_application_that_cannot_be_confirmed_is_not_success(desk: Desk) -> None:
    chip = SmpChip()
    chip.cannot_confirm = True
    result = flash(desk, chip)
    assert (result.outcome, result.exit_code) == ("unknown-after-reboot", 11)
    assert result.error is not None
    assert "roll back" in result.error.message


def test_lost_replies_cost_a_repetition_and_no_byte(desk: Desk) -> None:
    chip = SmpChip()
    chip.drops = lambda number: number in (6, 8)
    result = flash(desk, chip)
    assert (result.outcome, chip.slots[0] == NEW) == ("updated", True)
    assert result.retries > 0


def test_a_reply_that_comes_late_is_not_taken_for_the_next(desk: Desk) -> None:
    chip = SmpChip()
    chip.holds = lambda number: number == 6
    assert flash(desk, chip).outcome == "updated"
    assert chip.slots[0] == NEW


def test_an_upload_that_is_refused_fails_the_write(desk: Desk) -> None:
    chip = SmpChip()
    chip.refuses = 0
    result = flash(desk, chip)
    assert (result.outcome, result.exit_code) == ("write-failed", 9)
    assert result.error is not None
    assert "error 2" in result.error.message


def test_a_chip_without_smp_is_silent_and_untouched(desk: Desk) -> None:
    chip = SmpChip()
    chip.drops = lambda _: True
    result = flash(desk, chip)
    assert (result.outcome, result.exit_code) == ("no-answer", 5)


WRONG = {
    "not an image": (b"\x00" * 800, "not an MCUboot image"),
    "a flipped bit": (NEW[:100] + b"\xfe" + NEW[101:], "SHA-256"),
    "a cut image": (NEW[:500], "cut off"),
    "no digest": (NEW[:-40] + struct.pack("<HH", 0x6907, 4), "no SHA-256"),
    "another version": (image((1, 2, 0, 0)), "1.2.0, and not 1.1.0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_package_is_refused_before_the_upload(desk: Desk, name: str) -> None:
    chip = SmpChip()
    package, word = WRONG[name]
    result = flash(desk, chip, package)
    assert (result.outcome, result.exit_code) == ("bad-package", 7)
    assert result.error is not None
    assert word in result.error.message
    assert (2, 1, 1) not in chip.requests
