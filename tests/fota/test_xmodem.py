"""XMODEM, byte by byte (u-blox UBX-17003787 R16, 14.1 and 14.2; Forsberg, 1988; tests/traces/sara-r410)."""

import binascii
from pathlib import Path

import pytest

from atota.errors import SlotLost, WriteFailed
from tests.fota.wire import ERROR, OK, Answer, Talk

DATA = b"firmware" * 129  # 1032 bytes
OPEN, START = b"AT+UFWUPD=3\r", b"AT+UFWINSTALL\r"
READY: Answer = [(0.01, b"\r\n+UFWUPD: ONGOING\r\n"), (1.0, b"C")]
ACK, NAK, EOT, CAN = b"\x06", b"\x15", b"\x04", b"\x18"


def packet(number: int, data: bytes) -> bytes:
    """STX, number, its complement, 1024 bytes padded with SUB, CRC-16 by the standard library."""
    block = data.ljust(1024, b"\x1a")
    return bytes((2, number, 255 - number)) + block + binascii.crc_hqx(block, 0).to_bytes(2, "big")


FIRST, SECOND = packet(1, DATA[:1024]), packet(2, DATA[1024:])


def talk(folder: Path, *script: tuple[bytes, Answer]) -> Talk:
    return Talk("ublox-sara-r4", script, folder, DATA)


def test_a_whole_update(tmp_path: Path) -> None:
    whole = talk(tmp_path, (OPEN, READY), (FIRST, ACK), (SECOND, ACK), (EOT, ACK + OK), (START, OK))
    assert whole.update() is True
    assert whole.progress[-1] == 1032
    assert whole.method.counters.blocks == 2


def test_a_packet_that_is_refused_is_sent_again_and_a_line_between_is_passed_over(tmp_path: Path) -> None:
    script = ((OPEN, READY), (FIRST, NAK), (FIRST, ACK), (SECOND, b"\r\n+CREG: 1\r\n" + ACK))
    assert talk(tmp_path, *script, (EOT, ACK + OK), (START, OK)).update() is True


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ([(OPEN, ERROR)], "the module does not take the package: ERROR"),
        ([(OPEN, b"\r\n+UFWUPD: FINISHED\r\nC")], "got no '+UFWUPD: ONGOING' within 20 s"),
        (
            [(OPEN, READY), (FIRST, ACK), (SECOND, ACK), (EOT, ACK + ERROR)],
            "did not store the package: ERROR",
        ),
        ([(OPEN, b"\r\nERROR1\r\n")], "does not take the package: ERROR1 (no data came, so the module left"),
        (
            [(OPEN, READY), *[(FIRST, NAK)] * 11, (CAN + CAN, b"")],
            "the module broke the XMODEM transfer off",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_write_that_fails(tmp_path: Path, script: list[tuple[bytes, Answer]], message: str) -> None:
    assert message in talk(tmp_path, *script).failure(SlotLost)


def test_an_installation_that_is_refused(tmp_path: Path) -> None:
    script = ((OPEN, READY), (FIRST, ACK), (SECOND, ACK), (EOT, ACK + OK), (START, ERROR))
    assert "refused to install the package: ERROR" in talk(tmp_path, *script).failure(WriteFailed)
