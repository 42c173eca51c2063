"""The pushed stream, byte by byte (a sample of Quectel for Cat.1; tests/traces/ec800m)."""

from pathlib import Path

import pytest

from atota.errors import SlotLost
from tests.fota.wire import ERROR, OK, Answer, Talk

DATA = bytes(range(0x40, 0x40 + 34)) + b"\r"
OPEN = b'AT+QFOTADL="FILE:35",1,100,100\r'
READY = OK + b'\r\n+QIND: "FOTA","FILESTART"\r\n'
FIRST, SECOND, LAST = DATA[:32], DATA[32:34], DATA[34:]
ENDED = b'\r\n+QIND: "FOTA","FILEEND",%d\r\n'


def talk(folder: Path, *script: tuple[bytes, Answer]) -> Talk:
    return Talk("quectel-cat1", script, folder, DATA)


def test_a_whole_update_whose_last_byte_is_its_start(tmp_path: Path) -> None:
    whole = talk(tmp_path, (OPEN, READY), (FIRST, b""), (SECOND, b""), (LAST, ENDED % 0))
    whole.write()
    assert [expected for expected, _ in whole.link.script] == [LAST]
    assert whole.progress == [32, 34]
    assert whole.method.activate(whole.session) is True


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ([(OPEN, ERROR)], "the module does not take the package: ERROR"),
        ([(OPEN, OK + b'\r\n+QIND: "FOTA","HTTPSTART"\r\n')], "no line like"),
        ([(OPEN, b"\r\nRDY\r\n")], "rebooted while it was sent the package (cause not given)"),
        (
            [(OPEN, READY), (FIRST, b"\r\nRDY\r\n")],
            "rebooted while it was sent the package (cause not given)",
        ),
        ([(OPEN, READY), (FIRST, ENDED % 5)], 'the module gave up: +QIND: "FOTA","FILEEND",5'),
        ([(OPEN, READY), (FIRST, b'\r\n+QIND: "FOTA","END",502\r\n')], "gave up: +QIND"),
        (
            [(OPEN, READY), (FIRST, b""), (SECOND, b""), (LAST, ENDED % 7)],
            "the module did not store the package: code 7",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_update_that_fails(tmp_path: Path, script: list[tuple[bytes, Answer]], message: str) -> None:
    assert message in talk(tmp_path, *script).failure(SlotLost)


def test_silence_or_a_boot_after_the_last_byte_leaves_it_to_the_version(tmp_path: Path) -> None:
    for end in (b"", b"\r\nRDY\r\n"):
        assert talk(tmp_path, (OPEN, READY), (FIRST, b""), (SECOND, b""), (LAST, end)).update() is False
