"""The raw stream, byte by byte (ME3616 AT manual V1.5, 5.4 and 18; tests/traces/me3616)."""

from pathlib import Path

import pytest

from atota.errors import SlotLost, WriteFailed
from tests.fota.wire import ERROR, OK, Answer, Talk

DATA = b"AT\r\n> \x00OK\r\n"  # everything in it looks like something else
OPEN, START = b"AT+ZCOMWRT=11\r", b"AT+ZRST\r"
SIGNS: Answer = [(0.01, b"\r\n> "), (2.5, b"\r\nCONNECT\r\n")]
BOOT = b"\r\n*MATREADY: 1\r\n\r\n+CFUN: 1\r\n"


def talk(folder: Path, *script: tuple[bytes, Answer]) -> Talk:
    return Talk("gosuncn-me3616", script, folder, DATA)


def test_a_whole_update(tmp_path: Path) -> None:
    whole = talk(tmp_path, (OPEN, SIGNS), (DATA, OK), (START, OK + b"\x00"))
    assert whole.update() is True
    assert whole.progress == [11]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ([(OPEN, ERROR)], "the module does not take the package: ERROR"),
        ([(OPEN, b"\r\nCONNECT\r\n")], "got no '>' and 'CONNECT' within 30 s"),
        ([(OPEN, b"\r\n> ")], "got no 'CONNECT' within 30 s"),
        ([(OPEN, BOOT)], "rebooted while it was sent the package (cause not given)"),
        ([(OPEN, SIGNS), (DATA, ERROR)], "the module did not store the package: ERROR"),
        ([(OPEN, SIGNS), (DATA, b"")], "the payload got no result within 60"),
        ([(OPEN, SIGNS), (DATA, BOOT)], "rebooted while it was sent the package (cause not given)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_write_that_fails(tmp_path: Path, script: list[tuple[bytes, Answer]], message: str) -> None:
    assert message in talk(tmp_path, *script).failure(SlotLost)


def test_a_start_that_is_refused(tmp_path: Path) -> None:
    refused = talk(tmp_path, (OPEN, SIGNS), (DATA, OK), (START, ERROR))
    assert refused.failure(WriteFailed) == "the module refused to restart: ERROR"
