"""A module in the middle of its own update is told from a dead one, left powered, and waited for if asked."""

from collections.abc import Callable
from typing import Any

import pytest

from atota.clock import Deadline
from atota.dialects import loader
from atota.errors import NoAnswer, RebootTimeout, SelfUpdating
from atota.module.baud import find_baud
from atota.module.module import Module
from atota.module.reboot import await_return
from atota.module.session import Session

Scripted = Callable[..., Any]
OK = b"\r\nOK\r\n"
# A line, as sources have it; then the percentage that it states.
LINES: list[tuple[str, int | None]] = [
    ('+QIND: "FOTA","RESTORE",41%', 41),  # Quectel BG96 DFOTA User Guide, p. 10
    ('+QIND: "FOTA","Last upgrade was not finished,continue upgrade"', None),  # the same
    ('+QIND: "FOTA","UPDATING",7', 7),  # EC2x
    ('+QIND: "FOTA","UPDATING", 15%', 15),  # BG96
    ('+QIND: "FOTA","START"', None),
    ("+FOTAIND: UPDATING", None),  # ME3616
    ('+CFOTA: "Updating",33', 33),  # SIM7000
    ("FIRMWARE UPDATING", None),  # Hi21xx, pushed by a platform
    ("+MIPLEVENT: 0,43", None),  # M5311
]


def updating(link: Any, line: str, *, until_s: float = 1e9, every_s: float = 4.0) -> None:
    """Have the module print a line again and again, from the first second on."""
    at = 0.3
    while at < min(until_s, 2000.0):
        link.say(b"\r\n" + line.encode() + b"\r\n", at)
        at += every_s


@pytest.mark.parametrize(("line", "percent"), LINES)
def test_an_update_is_told_and_not_taken_for_silence(
    scripted: Scripted, line: str, percent: int | None
) -> None:
    link = scripted(lambda _line, _number: [], baud=115200)
    updating(link, line)
    with pytest.raises(SelfUpdating) as caught:
        find_baud(Session(link, loader.stranger()))
    assert caught.value.code == "module.self-updating"
    assert caught.value.exit_code == 5
    shown = f"({percent} %)" if percent is not None else "updating itself and"
    assert shown in caught.value.message
    assert line.replace("'", "\\'") in " ".join(caught.value.tried)
    assert "115200" in caught.value.tried[0]
    assert "powered" in caught.value.hint
    assert "reset" not in caught.value.hint.lower()
    assert link.clock.monotonic() < 30.0


def test_the_end_of_the_update_is_waited_for_if_asked(scripted: Scripted) -> None:
    link: Any = scripted(
        lambda _line, _number: [(0.01, OK)] if link.clock.monotonic() > 130.0 else [], baud=115200
    )
    for percent in range(41, 101, 10):
        link.say(b'\r\n+QIND: "FOTA","RESTORE",%d%%\r\n' % percent, 0.3 + 2 * (percent - 41))
    link.say(b'\r\n+QIND: "FOTA","END",0\r\n', 122.0)
    link.say(b"\r\nRDY\r\n", 128.0)
    shown: list[tuple[int | None, str]] = []
    baud = find_baud(
        Session(link, loader.stranger()),
        first=115200,
        on_update=lambda percent, line: shown.append((percent, line)),
    )
    assert baud == 115200
    assert [percent for percent, _ in shown][:6] == [41, 51, 61, 71, 81, 91]
    assert link.clock.monotonic() < 145.0


def test_a_module_that_came_back_at_another_rate_is_found(scripted: Scripted) -> None:
    link: Any = scripted(lambda _line, _number: [(0.01, OK)], baud=115200)
    original = link.read

    def read(timeout_s: float) -> bytes:
        if link.clock.monotonic() > 60.0:
            link.module_baud = 9600
        data: bytes = original(timeout_s)
        return data

    def write(data: bytes) -> None:
        if link.clock.monotonic() > 60.0:
            type(link).write(link, data)

    link.read, link.write = read, write
    updating(link, '+QIND: "FOTA","UPDATING",7', until_s=50.0)
    baud = find_baud(Session(link, loader.stranger()), first=115200, on_update=lambda *_: None)
    assert baud == 9600


def test_a_download_that_leaves_the_module_answering_is_not_in_the_way(scripted: Scripted) -> None:
    link = scripted(lambda _line, _number: [(0.01, OK)])
    updating(link, '+QIND: "FOTA","UPDATING",7')
    assert find_baud(Session(link, loader.stranger())) == 9600


def test_identify_does_not_search_twice_for_a_module_that_updates_itself(scripted: Scripted) -> None:
    link = scripted(lambda _line, _number: [], baud=9600)
    updating(link, '+QIND: "FOTA","RESTORE",41%')
    with pytest.raises(SelfUpdating):
        Module(link).identify()


def test_what_came_is_in_the_error(scripted: Scripted) -> None:
    link = scripted(lambda _line, _number: [], baud=9600)
    for second in range(40):
        link.say(b"\r\n*PSUTTZ: 26/11/28\r\n\r\nHello\r\n", second + 0.2)
    with pytest.raises(NoAnswer) as caught:
        find_baud(Session(link, loader.stranger()), only=9600)
    assert "'Hello'" in caught.value.tried[0]
    assert "'*PSUTTZ: 26/11/28'" in caught.value.tried[0]
    assert "reset" not in caught.value.hint


def test_the_lines_that_came_instead_of_a_response_are_in_its_error(scripted: Scripted) -> None:
    link = scripted(lambda _line, _number: [(0.1, b"\r\n+CSQ: 18,99\r\n"), (0.2, b"\r\n+CEREG: 1\r\n")])
    with pytest.raises(NoAnswer) as caught:
        Session(link, loader.load("3gpp")).command("AT+CSQ")
    assert caught.value.tried == ("AT+CSQ: '+CSQ: 18,99', '+CEREG: 1'",)


def test_what_came_after_an_update_is_in_the_error_too(scripted: Scripted) -> None:
    link = scripted(lambda _line, _number: [], baud=9600)
    updating(link, '+QIND: "FOTA","UPDATING",7', until_s=400.0)
    session = Session(link, loader.load("quectel-dfota"))
    with pytest.raises(RebootTimeout) as caught:
        await_return(session, rates=(9600,), limit=Deadline(link.clock, 60.0), tick=lambda: None)
    assert 'bytes of text, but no answer: \'+QIND: "FOTA","UPDATING",7\'' in caught.value.tried[0]
