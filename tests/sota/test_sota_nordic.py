"""Nordic's two DFU protocols: literal frames, resumption, repetition, and an end that proves nothing."""

import binascii
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable

import pytest

from atota.clock import Clock, SimulatedClock
from atota.link.base import Parity
from atota.sota.nordic_package import slip, unslip
from atota.update.events import JobResult
from tests.sota.scripted import Desk, bits

APP = bytes(index % 256 for index in range(9000))
SIGNED = bytes(range(60, 200))
CRC16 = struct.pack("<H", binascii.crc_hqx(APP, 0xFFFF))
UNSIGNED = struct.pack("<HHIHH", 0x52, 0xFFFF, 2, 1, 0xFFFE) + CRC16


def package(init: bytes, **more: object) -> bytes:
    """A DFU package with the application."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        entry = {"bin_file": "app.bin", "dat_file": "app.dat"}
        archive.writestr("manifest.json", json.dumps({"manifest": {"application": entry, **more}}))
        archive.writestr("app.bin", APP)
        archive.writestr("app.dat", init)
    return data.getvalue()


class Board:
    """A chip whose lines start its bootloader, and whose application answers AT+VER."""

    name = "nordic"

    def __init__(self) -> None:
        self.clock: Clock = SimulatedClock()
        self.baud = 115200
        self.version = b"V1.0"
        self.in_loader = False
        self.is_dead = False
        self.arrived = b""
        self.text = b""
        self._dtr = self._rts = False

    def read(self, timeout_s: float) -> bytes:
        data, self.arrived = self.arrived, b""
        if not data:
            self.clock.sleep(timeout_s)
        return data

    def write(self, data: bytes) -> None:
        if self.in_loader:
            self.feed(data)
            return
        self.text += data
        if self.text.endswith(b"AT+VER\r\n"):
            self.text = b""
            self.arrived += b"" if self.is_dead else b"VER:" + self.version + b"\r\n"

    def feed(self, data: bytes) -> None:
        raise NotImplementedError

    def begin(self) -> None:
        """Start the bootloader."""

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        before = self._dtr
        self._dtr = self._dtr if dtr is None else dtr
        self._rts = self._rts if rts is None else rts
        if before and not self._dtr and not self._rts and not self.in_loader:
            self.in_loader = True
            self.begin()

    def set_baud(self, baud: int) -> None:
        self.baud = baud

    def set_parity(self, parity: Parity) -> None: ...

    def close(self) -> None: ...


class SecureChip(Board):
    """A bootloader of Secure DFU, by the table of its operations."""

    def __init__(self) -> None:
        super().__init__()
        self.stored = {1: b"", 2: b""}
        self.room = {1: 256, 2: 4096}
        self.executed = {1: 0, 2: 0}
        self.kind, self.created = 1, 0
        self.refusal = b""
        self.flips = 0
        self.is_tampered = False
        self.dies_at = 0
        self.is_last_mute = False
        self.requests: list[int] = []
        self._heard = b""

    def begin(self) -> None:
        self._heard = b""

    def feed(self, data: bytes) -> None:
        self._heard += data
        while b"\xc0" in self._heard:
            frame, _, self._heard = self._heard.partition(b"\xc0")
            assert len(frame) + 1 <= 131
            answer = self._answer(unslip(frame))
            if answer is not None:
                self.arrived += slip(answer)

    def _answer(self, request: bytes) -> bytes | None:
        op, values = request[0], request[1:]
        self.requests.append(op)
        head = bytes((0x60, op, 1))
        if op == 9:
            return head + values
        if op == 2:
            return head
        if op == 7:
            return head + struct.pack("<H", 131)
        if op == 6:
            self.kind = values[0]
            stored = self.stored[self.kind]
            return head + struct.pack("<III", self.room[self.kind], len(stored), zlib.crc32(stored))
        if op == 1:
            self.kind, self.created = values[0], int.from_bytes(values[1:5], "little")
            self.stored[self.kind] = self.stored[self.kind][: self.executed[self.kind]]
            return head
        if op == 8:
            if self.dies_at and len(self.stored[2]) >= self.dies_at:
                return None
            if self.kind == 2 and self.flips:
                self.flips -= 1
                values = bytes((values[0] ^ 1,)) + values[1:]
            self.stored[self.kind] += values
            return None
        if self.dies_at and len(self.stored[2]) >= self.dies_at:
            return None
        if op == 3:
            return head + struct.pack("<II", len(self.stored[self.kind]), zlib.crc32(self.stored[self.kind]))
        assert op == 4
        if self.refusal and self.kind == 1:
            return bytes((0x60, op)) + self.refusal
        self.executed[self.kind] = len(self.stored[self.kind])
        if self.kind == 2 and len(self.stored[2]) == len(APP):
            if self.is_tampered:
                return bytes((0x60, op, 0x0B, 0x0C))
            self.in_loader, self.version = False, b"V2.0" if self.stored[2] == APP else b"V1.0"
            return None if self.is_last_mute else head
        return head


def flash(desk: Desk, chip: Board, data: bytes, protocol: str) -> JobResult:
    return desk.flash(chip, data, target="V2.0", chip=f"protocol = '{protocol}'", model="nrf52832")


def secure(desk: Desk, chip: SecureChip) -> JobResult:
    return flash(desk, chip, package(SIGNED), "nordic-secure")


def test_frames_of_slip_end_with_a_marker_and_escape_it() -> None:
    assert slip(bits("08 C0 DB 01")) == bits("08 DB DC DB DD 01 C0")
    assert unslip(bits("08 DB DC DB DD 01 C0")) == bits("08 C0 DB 01")


def test_a_signed_package_is_sent_object_by_object(desk: Desk) -> None:
    chip = SecureChip()
    result = secure(desk, chip)
    assert (result.outcome, result.error) == ("updated", None)
    assert chip.stored == {1: SIGNED, 2: APP}
    assert [op for op in chip.requests if op != 8] == [9, 2, 7, 6, 1, 3, 4, 6, *[1, 3, 4] * 3]


def test_an_object_whose_crc_differs_is_sent_again(desk: Desk) -> None:
    chip = SecureChip()
    chip.flips = 1
    result = secure(desk, chip)
    assert (result.outcome, result.retries) == ("updated", 1)


def test_bytes_that_never_arrive_whole_are_given_up(desk: Desk) -> None:
    chip = SecureChip()
    chip.flips = 10_000
    result = secure(desk, chip)
    assert (result.outcome, result.exit_code) == ("write-failed", 9)


def test_a_transfer_that_was_cut_goes_on_where_its_crc_proves_it(desk: Desk) -> None:
    chip = SecureChip()
    chip.dies_at = 5000
    result = secure(desk, chip)
    assert result.outcome in ("no-answer", "write-failed")
    chip.dies_at, chip.in_loader = 0, False
    sent = len(chip.requests)
    assert secure(desk, chip).outcome == "updated"
    assert chip.requests[sent:].count(1) < 4  # the first object was not sent again
    assert any("already" in str(event) for event in desk.events)


def test_an_offset_of_other_bytes_is_not_trusted(desk: Desk) -> None:
    chip = SecureChip()
    chip.stored[2] = b"\x55" * 4096
    assert secure(desk, chip).outcome == "updated"
    assert chip.stored[2] == APP


REFUSALS = {
    "the version is too low": bytes((0x0B, 5)),
    "the hardware version does not fit": bytes((0x0B, 6)),
    "the signature is missing": bytes((0x0B, 8)),
    "the firmware is already present": bytes((0x0B, 14)),
    "it has not enough memory": bytes((4,)),
}


@pytest.mark.parametrize("words", REFUSALS)
def test_a_refused_init_packet_fails_with_the_bootloaders_reason(desk: Desk, words: str) -> None:
    chip = SecureChip()
    chip.refusal = REFUSALS[words]
    result = secure(desk, chip)
    assert (result.outcome, result.exit_code) == ("write-failed", 9)
    assert result.error is not None
    assert words in result.error.message
    assert chip.stored[2] == b""


def test_a_tampered_signed_image_fails(desk: Desk) -> None:
    chip = SecureChip()
    chip.is_tampered = True
    result = secure(desk, chip)
    assert (result.outcome, result.exit_code) == ("write-failed", 9)
    assert result.error is not None
    assert "the hash does not fit" in result.error.message


def test_a_lost_last_response_leaves_the_verdict_to_the_application(desk: Desk) -> None:
    chip = SecureChip()
    chip.is_last_mute = True
    assert secure(desk, chip).outcome == "updated"


class LegacyChip(Board):
    """A bootloader of the legacy DFU: it drops a frame out of sequence, and says which one it expects."""

    def __init__(self) -> None:
        super().__init__()
        self.expected = 1
        self.frames: list[int] = []
        self.data = b""
        self.size = 0
        self.loses: Callable[[int], bool] = lambda _: False
        self.is_old = False
        self._heard = b""

    def begin(self) -> None:
        self.expected, self.data, self._heard = 1, b"", b""

    def feed(self, data: bytes) -> None:
        self._heard += data
        while self._heard.count(b"\xc0") >= 2:
            _, frame, self._heard = self._heard.split(b"\xc0", 2)
            self._take(unslip(frame))

    def _take(self, packet: bytes) -> None:
        assert sum(packet[:4]) % 256 == 0
        assert binascii.crc_hqx(packet[:-2], 0xFFFF) == int.from_bytes(packet[-2:], "little")
        length = packet[1] >> 4 | packet[2] << 4
        assert packet[1] & 15 == 14
        payload = packet[4:-2]
        assert length == len(payload)
        if packet[0] & 7 == self.expected:
            self.expected = (self.expected + 1) % 8
            self._carry_out(payload)
        if not self.loses(len(self.frames)):
            head = bytes((self.expected << 3, 0, 0))
            self.arrived += b"\xc0" + slip(head + bytes((-sum(head) % 256,)))

    def _carry_out(self, payload: bytes) -> None:
        op = int.from_bytes(payload[:4], "little")
        self.frames.append(op)
        if op == 3:
            assert struct.unpack("<IIII", payload[4:]) == (4, 0, 0, len(APP))
        elif op == 1:
            assert payload[4:] == UNSIGNED + b"\0\0"
        elif op == 4:
            self.data += payload[4:]
        elif op == 5:
            self.in_loader = False
            self.version = b"V2.0" if self.data == APP and not self.is_old else self.version


def legacy(desk: Desk, chip: LegacyChip) -> JobResult:
    return flash(desk, chip, package(UNSIGNED), "nordic-legacy")


def test_a_legacy_package_is_sent_frame_by_frame(desk: Desk) -> None:
    chip = LegacyChip()
    result = legacy(desk, chip)
    assert (result.outcome, result.error) == ("updated", None)
    assert chip.frames == [3, 1, *[4] * 18, 5]
    assert chip.data == APP


def test_lost_acknowledgements_cost_a_repetition_and_no_byte(desk: Desk) -> None:
    chip = LegacyChip()
    dropped: set[int] = set()

    def loses(number: int) -> bool:
        if number in (1, 6, 20) and number not in dropped:
            dropped.add(number)
            return True
        return False

    chip.loses = loses
    result = legacy(desk, chip)
    assert (result.outcome, result.retries) == ("updated", 3)
    assert chip.data == APP


def test_a_whole_transfer_that_boots_the_old_application_is_never_success(desk: Desk) -> None:
    chip = LegacyChip()
    chip.is_old = True
    result = legacy(desk, chip)
    assert (result.outcome, result.exit_code) == ("old-version", 12)


def test_a_bootloader_that_does_not_answer_is_silent_and_untouched(desk: Desk) -> None:
    chip = LegacyChip()
    chip.loses = lambda _: True
    result = legacy(desk, chip)
    assert (result.outcome, result.exit_code) == ("no-answer", 5)
    assert chip.frames == []


WRONG = {
    "no zip": (b"\x00" * 100, "nordic-legacy", "not a DFU package"),
    "no manifest": (b"PK\x05\x06" + bytes(18), "nordic-secure", "not a DFU package"),
    "a signed package": (package(SIGNED), "nordic-legacy", "legacy DFU"),
    "a wrong CRC": (package(UNSIGNED[:-1] + b"\x00"), "nordic-legacy", "CRC does not fit"),
    "a SoftDevice": (
        package(SIGNED, softdevice={"bin_file": "app.bin", "dat_file": "app.dat"}),
        "nordic-secure",
        "not for the application alone",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_package_is_refused_before_the_chip_is_met(desk: Desk, name: str) -> None:
    data, protocol, word = WRONG[name]
    chip = SecureChip()
    result = flash(desk, chip, data, protocol)
    assert (result.outcome, result.exit_code) == ("bad-package", 7)
    assert result.error is not None
    assert word in result.error.message
    assert not chip.in_loader
