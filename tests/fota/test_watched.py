"""A login whose platform pushes, byte by byte (China Mobile M5311 AT interface v2.4; tests/traces/m5311)."""

from pathlib import Path

import pytest

from atota.errors import SlotLost, WriteFailed
from tests.fota.wire import ERROR, OK, Answer, Talk

CREATE = (b"AT+MIPLCREATE\r", b"\r\n+MIPLCREATE:0\r\n\r\nOK\r\n")
ADD = (b'AT+MIPLADDOBJ=0,3200,1,"1",0,1\r', OK)
OPEN = b"AT+MIPLOPEN=0,3000,30\r"
LEFT = ((b"AT+MIPLCLOSE=0\r", ERROR), (b"AT+MIPLDELETE=0\r", OK))
BUSY = (b"AT+MIPLCREATE\r", b"\r\n+CIS ERROR: 653\r\n")


def event(number: int) -> bytes:
    return b"\r\n+MIPLEVENT:0,%d\r\n" % number


def pushed(*numbers: int) -> Answer:
    """OK, the login at 2 s, and one event a minute."""
    return [(0.01, OK), (2.0, event(6)), *((60.0 * n, event(one)) for n, one in enumerate(numbers, 1))]


def talk(folder: Path, *script: tuple[bytes, Answer]) -> Talk:
    return Talk("cmcc-mt2625", script, folder, b"package")


def test_a_whole_update(tmp_path: Path) -> None:
    whole = talk(tmp_path, CREATE, ADD, (OPEN, pushed(40, 42, 43)))
    notes: list[str] = []
    whole.method.note = notes.append
    assert whole.update() is True
    assert [one for one in notes if one in ("download starts", "download complete")] == [
        "download starts", "download complete"
    ]  # fmt: skip


def test_what_an_earlier_login_left_is_removed_once(tmp_path: Path) -> None:
    assert talk(tmp_path, BUSY, *LEFT, CREATE, ADD, (OPEN, pushed(43))).update() is True
    message = talk(tmp_path, BUSY, *LEFT, BUSY, (b"AT\r", OK)).failure(WriteFailed)
    assert "not logged in at the platform: AT+MIPLCREATE was refused" in message
    assert "+CIS ERROR: 653 (not explained by its documents)" in message


def test_11_8_a_refusal_by_the_platforms_client_has_words(tmp_path: Path) -> None:
    refused = (ADD[0], b"\r\n+CIS ERROR: 601\r\n")
    script = (CREATE, refused, *LEFT, CREATE, refused, (b"AT\r", OK))
    assert "+CIS ERROR: 601 (wrong parameter)" in talk(tmp_path, *script).failure(WriteFailed)


@pytest.mark.parametrize(
    ("script", "kind", "message"),
    [
        (
            [CREATE, ADD, (OPEN, pushed(40, 41))],
            SlotLost,
            "push failed: +MIPLEVENT:0,41: the download fail",
        ),
        ([CREATE, ADD, (OPEN, pushed())], WriteFailed, "no package was pushed within 1800 s"),
        (
            [CREATE, ADD, (OPEN, OK), *LEFT, CREATE, ADD, (OPEN, b"\r\nREBOOTING..\r\n"), (b"AT\r", OK)],
            WriteFailed,
            "no line like",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_update_that_fails(
    tmp_path: Path, script: list[tuple[bytes, Answer]], kind: type[SlotLost], message: str
) -> None:
    assert message in talk(tmp_path, *script).failure(kind)


def test_a_module_that_reboots_or_has_loaded_is_left_to_its_version(tmp_path: Path) -> None:
    rebooted: Answer = [(0.01, OK), (2.0, event(6)), (9.0, b"\r\nREBOOTING..\r\n\r\n*ATREADY: 1\r\n")]
    assert talk(tmp_path, CREATE, ADD, (OPEN, rebooted)).update() is False
    assert talk(tmp_path, CREATE, ADD, (OPEN, pushed(40, 42))).update() is False
