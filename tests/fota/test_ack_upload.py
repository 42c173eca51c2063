"""The acknowledged upload, byte by byte (Quectel EC2x FILE AT Commands Manual V1.0; tests/traces/ec21)."""

from pathlib import Path

import pytest

from atota.errors import AtotaError, PackageError, Refused, SlotLost, WriteFailed
from atota.fota.ack_upload import xor16
from tests.fota.wire import ERROR, OK, Answer, Talk

DATA = b"A" * 1024 + b"\x12\x34\x56"
DELETE = (b'AT+QFDEL="dfota_update.bin"\r', OK)
OPEN = b'AT+QFUPL="dfota_update.bin",1027,5,1\r'
FREE = (b'AT+QFLDS="UFS"\r', b"\r\n+QFLDS: 12987840,14483456\r\n\r\nOK\r\n")
CONNECT = b"\r\nCONNECT\r\n"
WHOLE, REST = b"A" * 1024, b"\x12\x34\x56"
STORED = b"\r\n+QFUPL: 1027,4434\r\n\r\nOK\r\n"
START = b'AT+QFOTADL="/data/ufs/dfota_update.bin"\r'


def talk(folder: Path, *script: tuple[bytes, Answer]) -> Talk:
    return Talk("quectel-dfota", script, folder, DATA)


@pytest.mark.parametrize(
    ("data", "checksum"), [(b"", 0), (b"\x12", 0x1200), (b"\x12\x34\x56", 0x4434), (b"AT\r\0", 0x4C54)]
)
def test_the_checksum_is_the_xor_of_big_endian_words(data: bytes, checksum: int) -> None:
    assert xor16(data) == checksum


def test_a_whole_update(tmp_path: Path) -> None:
    script = (DELETE, FREE, (OPEN, CONNECT), (WHOLE, b"A"), (REST, STORED), (START, OK))
    whole = talk(tmp_path, *script)
    assert whole.update() is True
    assert whole.progress == [1024, 1027]
    assert whole.method.counters.blocks == 2


def test_that_there_is_nothing_to_delete_is_passed_over(tmp_path: Path) -> None:
    missing = (DELETE[0], b"\r\n+CME ERROR: 405\r\n")
    rest = ((OPEN, CONNECT), (WHOLE, b"A"), (REST, STORED), (START, OK))
    assert talk(tmp_path, missing, FREE, *rest).update()


def test_a_file_that_is_still_there_is_deleted_and_the_package_uploaded(tmp_path: Path) -> None:
    exists = (OPEN, b"\r\n+CME ERROR: 407\r\n")
    not_deleted = (DELETE[0], b"\r\n+CME ERROR: 418\r\n")
    rest = ((OPEN, CONNECT), (WHOLE, b"A"), (REST, STORED), (START, OK))
    again = talk(tmp_path, not_deleted, FREE, exists, DELETE, *rest)
    warnings: list[str] = []
    again.method.warn = warnings.append
    assert again.update() is True
    assert warnings == ["the module still has a file of that name (+CME ERROR: 407): deleting it"]
    failing = talk(tmp_path, DELETE, FREE, exists, DELETE, exists)
    assert "does not take the file: +CME ERROR: 407" in failing.failure(WriteFailed)


@pytest.mark.parametrize(
    ("script", "kind", "message"),
    [
        (
            [(FREE[0], b"\r\n+QFLDS: 1026,14483456\r\n" + OK)] * 2,
            Refused,
            "has 1026 bytes free; 1027 are needed",
        ),
        ([(FREE[0], b"\r\n+QFLDS: 1026,1026\r\n" + OK)] * 2, PackageError, "whole file system holds 1026"),
        (
            [(FREE[0], ERROR), (OPEN, b"\r\n+CME ERROR: 420\r\n")],
            Refused,
            "does not take the file: +CME ERROR: 420",
        ),
        ([FREE, (OPEN, b"\r\n+CME ERROR: 423\r\n")], Refused, "does not take the file: +CME ERROR: 423"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_package_without_room_is_refused_before_its_first_byte(
    tmp_path: Path, script: list[tuple[bytes, Answer]], kind: type[AtotaError], message: str
) -> None:
    assert message in talk(tmp_path, DELETE, *script).failure(kind)


def test_one_answer_that_lost_a_digit_refuses_no_package(tmp_path: Path) -> None:
    lost = (FREE[0], b"\r\n+QFLDS: 1448345,1\r\n" + OK)
    refused = talk(tmp_path, DELETE, lost, FREE, (OPEN, b"\r\n+CME ERROR: 423\r\n"))
    assert "does not take the file: +CME ERROR: 423" in refused.failure(Refused)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ([(OPEN, b"\r\n+CME ERROR: 409\r\n")], "the module does not take the file: +CME ERROR: 409"),
        ([(OPEN, b"\r\nDOWNLOAD\r\n")], "got no 'CONNECT' within 20 s"),
        ([(OPEN, b"\r\nCONNECTED\r\n")], "got no 'CONNECT' within 20 s"),
        ([(OPEN, CONNECT), (WHOLE, ERROR)], "the module did not store the file: ERROR"),
        ([(OPEN, CONNECT), (WHOLE, b"")], "the module acknowledged nothing within 20"),
        ([(OPEN, CONNECT), (WHOLE, b"\r\nRDY\r\n")], "rebooted during the upload (cause not given)"),
        ([(OPEN, CONNECT), (WHOLE, b"A"), (REST, OK)], "did not report the size and checksum"),
        (
            [(OPEN, CONNECT), (WHOLE, b"A"), (REST, b"\r\n+QFUPL: 1027,4435\r\n" + OK)],
            "the module stored 1027 bytes with checksum 4435; the package has 1027 with 4434",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_write_that_fails(tmp_path: Path, script: list[tuple[bytes, Answer]], message: str) -> None:
    assert message in talk(tmp_path, DELETE, FREE, *script).failure(SlotLost)
