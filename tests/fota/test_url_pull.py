"""The address that a module fetches from, byte by byte (Quectel BC26 DFOTA User Guide V1.0; traces/bc26)."""

from pathlib import Path

import pytest

from atota.errors import Refused, SlotLost, WriteFailed
from tests.fota.wire import ALIVE, ERROR, FENCE, OK, Answer, Talk

URL = "http://10.0.0.9:1/a.bin"
ATTACHED = (b"AT+CEREG?\r", b"\r\n+CEREG: 0,1\r\n\r\nOK\r\n")
START = b'AT+QFOTADL="http://10.0.0.9:1/a.bin"\r'
FETCHES = b'\r\n+QIND: "FOTA","HTTPSTART"\r\n'
END = b'\r\n+QIND: "FOTA","HTTPEND",%d\r\n'


def talk(folder: Path, *script: tuple[bytes, Answer], url: str = URL) -> Talk:
    made = Talk("quectel-bc26", script, folder, b"package")
    made.method.set_url(url)
    return made


def test_a_whole_update(tmp_path: Path) -> None:
    whole = talk(tmp_path, ATTACHED, (START, [(0.01, OK + FETCHES), (60.0, END % 0)]))
    assert whole.update() is True
    assert whole.progress == []


@pytest.mark.parametrize(
    ("script", "kind", "message"),
    [
        ([ATTACHED, (START, ERROR)], WriteFailed, "the module refused the address: ERROR"),
        ([ATTACHED, (START, [(0.01, OK), (9.0, END % 12)])], SlotLost, ": the download failed"),
        (
            [ATTACHED, (START, [(0.01, OK), (9.0, END % 0), (10.0, b'\r\n+QIND: "FOTA","END",254\r\n')])],
            WriteFailed,
            'does not accept the package: +QIND: "FOTA","END",254: the package does not match',
        ),
        ([(ATTACHED[0], b"\r\n+CEREG: 0,2\r\n\r\nOK\r\n")] * 21, WriteFailed, "'+CEREG: 0,2'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_update_that_fails(
    tmp_path: Path, script: list[tuple[bytes, Answer]], kind: type[SlotLost], message: str
) -> None:
    told = talk(tmp_path, *script).failure(kind)
    assert message in told
    assert "10.0.0.9" not in told  # the address may hold a download token


def test_a_module_that_falls_silent_or_reboots_is_left_to_its_version(tmp_path: Path) -> None:
    assert talk(tmp_path, ATTACHED, (START, [(0.01, OK), (5.0, b"\r\n*MATREADY: 1\r\n")])).update() is False
    assert talk(tmp_path, ATTACHED, (START, OK)).update() is False


def test_a_start_without_a_response_that_is_refused_the_second_time_was_taken(tmp_path: Path) -> None:
    script = (ATTACHED, (START, b""), ALIVE, ALIVE, FENCE, (START, ERROR))
    assert talk(tmp_path, *script).update() is False


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "it has been given no address"),
        ("https://10.0.0.9/a.bin", "this module cannot fetch over https: only http"),
        ("http://10.0.0.9/" + "a" * 240, "takes addresses of up to 255 plain characters; this one has 256"),
        ('http://10.0.0.9/"', "plain characters"),
        ("http://10.0.0.9/ü", "plain characters"),
    ],
)
def test_an_address_that_the_module_cannot_use_is_refused(tmp_path: Path, url: str, message: str) -> None:
    one = talk(tmp_path, url=url)
    with pytest.raises(Refused) as raised:
        one.method.check(one.package)
    assert message in raised.value.message
