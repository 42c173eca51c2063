"""The raw flash, byte by byte (SIM7020 Series AT manual V1.05, chapter 19; tests/traces/sim7020c)."""

import hashlib
from pathlib import Path

import pytest

from atota.errors import PackageError, SlotLost, WriteFailed
from tests.fota.wire import ERROR, OK, Answer, Talk

DATA = b"\x00\r\n>ATOK"
ERASE = (b"AT+CFLE=0,0,1\r", OK)
FIRST, SECOND = b"AT+CFLW=0,0,4,0,10\r", b"AT+CFLW=0,0,4,4,10\r"
PROMPT = b"\r\n>"
WRITTEN = ((FIRST, PROMPT), (DATA[:4], OK), (SECOND, PROMPT), (DATA[4:], OK))
START = b"AT+CFOTA=5,8,d69329cd420b23c67aa75996c2c2a076\r"
BEGINS: Answer = [
    (0.01, OK),
    (1.0, b"\r\n+CFOTA: Package check success\r\n"),
    (1.5, b"\r\n+CFOTA: Start to update,please wait for reset\r\n"),
]
BOOT = b"\r\n*MATREADY: 1\r\n"


def talk(folder: Path, *script: tuple[bytes, Answer], data: bytes = DATA) -> Talk:
    return Talk("simcom-sim7020", script, folder, data, block=4)


def test_a_whole_update(tmp_path: Path) -> None:
    whole = talk(tmp_path, ERASE, *WRITTEN, (START, BEGINS))
    assert whole.update() is True
    assert whole.progress == [4, 8]


@pytest.mark.parametrize(("size", "blocks"), [(1, 1), (4096, 1), (4097, 2)])
def test_just_the_blocks_of_the_package_are_erased(tmp_path: Path, size: int, blocks: int) -> None:
    one = talk(tmp_path, (b"AT+CFLE=0,0,%d\r" % blocks, OK), data=bytes(size))
    one.method.check(one.package)
    one.method.prepare(one.session)
    assert not one.link.script


def test_pieces_that_are_refused_at_the_first_byte_are_shortened(tmp_path: Path) -> None:
    data = bytes(range(256))
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest().encode()
    refusals = [(b"AT+CFLW=0,0,256,0,10\r", b"\r\n+CME ERROR: 50\r\n")] * 3
    pieces = [
        (b"AT+CFLW=0,0,128,0,10\r", PROMPT),
        (data[:128], OK),
        (b"AT+CFLW=0,0,128,128,10\r", PROMPT),
        (data[128:], OK),
    ]
    start = (b"AT+CFOTA=5,256,%s\r" % digest, BEGINS)
    short = Talk("simcom-sim7020", (ERASE, *refusals, *pieces, start), tmp_path, data)
    warnings: list[str] = []
    short.method.warn = warnings.append
    assert short.update() is True
    assert warnings == ["the module refuses pieces of 256 bytes; sending pieces of 128 bytes instead"]


@pytest.mark.parametrize(
    ("script", "kind", "message"),
    [
        ([(ERASE[0], ERROR)], WriteFailed, "the module refused to erase its FOTA partition: ERROR"),
        ([(ERASE[0], BOOT)], SlotLost, "the module rebooted during the erase (cause not given)"),
        ([ERASE, *[(FIRST, ERROR)] * 3], WriteFailed, "the module refused the piece at byte 0: ERROR"),
        (
            [ERASE, *WRITTEN[:2], (SECOND, PROMPT), (DATA[4:], BOOT)],
            SlotLost,
            "the module rebooted at byte 4 (cause not given)",
        ),
        (
            [ERASE, *WRITTEN, (START, [(0.01, OK), (2.0, b"\r\n+CFOTA: Update fail\r\n")])],
            SlotLost,
            "the module found that its partition does not hold the package: +CFOTA: Update fail",
        ),
        ([ERASE, *WRITTEN, (START, ERROR)], WriteFailed, "the module refused to start the update: ERROR"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_update_that_fails(
    tmp_path: Path, script: list[tuple[bytes, Answer]], kind: type[SlotLost], message: str
) -> None:
    assert message in talk(tmp_path, *script).failure(kind)


def test_not_a_byte_is_sent_behind_another_prompt(tmp_path: Path) -> None:
    wrong = talk(tmp_path, ERASE, (FIRST, [(0.01, b"\r\nCONNECT\r\n"), (25.0, ERROR)]), *[(FIRST, ERROR)] * 2)
    assert "the module refused the piece at byte 0" in wrong.failure(WriteFailed)


def test_a_package_that_the_partition_cannot_hold_is_refused(tmp_path: Path) -> None:
    large = talk(tmp_path, data=bytes(145 * 4096 + 1))
    with pytest.raises(PackageError, match="FOTA slot holds 593920"):
        large.method.check(large.package)
