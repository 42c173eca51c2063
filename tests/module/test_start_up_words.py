"""A module that has just started speaks between question and answer; a word of its own is not the answer."""

from collections.abc import Callable
from typing import Any

import pytest

from atota.dialects import loader
from atota.module.baud import find_baud
from atota.module.identify import Findings, identify, recognise
from atota.module.session import Session

Scripted = Callable[..., Any]
OK = b"\r\nOK\r\n"
BG96 = {
    b"AT": b"",
    b"AT+CMEE=1": b"",
    b"AT+CGMI": b"\r\nQuectel\r\n",
    b"AT+CGMM": b"\r\nBG96\r\n",
    b"ATI": b"\r\nQuectel\r\nBG96\r\nRevision: BG96MAR02A07M1G\r\n",
    b"AT+CGMR": b"\r\nBG96MAR02A07M1G\r\n",
    b"AT+CGSN": b"\r\n866425030000015\r\n",
    b"AT+QFUPL=?": b"",
    b"AT+CMEE=?": b"\r\n+CMEE: (0-2)\r\n",
}
KNOWN = ["RDY", "APP RDY", "+CFUN: 1", "+CPIN: READY", "+QUSIM: 1", "+QIND: SMS DONE", "+QIND: PB DONE"]
KNOWN += ["SMS Ready", "Call Ready", "SMS DONE", "PB DONE", "*ATREADY: 1", "*MATREADY: 1", "^SYSSTART"]
KNOWN += ["REGISTERNOTIFY", "+IP: 10.0.0.7", "NORMAL POWER DOWN"]
UNKNOWN = ["M2M Ready", "STARTUP", "System is up", "^MODE: 17,17", "+E_UTRAN Service"]


def answering(word: bytes, command: bytes, times: int, *, echo: bool = True) -> Callable[[bytes, int], Any]:
    """A module that says a start-up word between a command and its response, so many times."""
    left = {command: times}

    def answer(line: bytes, _number: int) -> list[tuple[float, bytes]]:
        said = line + b"\r" if echo else b""
        if left.get(line, 0) > 0:
            left[line] -= 1
            said += b"\r\n" + word + b"\r\n"
        body = BG96.get(line)
        return [(0.01, said + (b"\r\nERROR\r\n" if body is None else body + OK))]

    return answer


def identified(link: Any) -> tuple[Findings, float]:
    session = Session(link, loader.stranger())
    find_baud(session)
    return identify(session), link.clock.monotonic()


@pytest.mark.parametrize("command", [b"AT", b"AT+CGMI", b"AT+CGMM", b"ATI", b"AT+CGMR"])
@pytest.mark.parametrize("word", [*KNOWN, *UNKNOWN])
def test_a_start_up_word_is_never_the_answer(scripted: Scripted, word: str, command: bytes) -> None:
    for echo in (True, False):
        findings, took_s = identified(scripted(answering(word.encode(), command, 1, echo=echo)))
        identity = findings.identity
        assert (identity.manufacturer, identity.model) == ("Quectel", "BG96")
        assert str(identity.dialect).startswith("quectel")
        assert identity.revision == "BG96MAR02A07M1G"
        assert took_s < 6.0


@pytest.mark.parametrize("word", KNOWN)
def test_a_known_word_is_a_urc_every_time(scripted: Scripted, word: str) -> None:
    for command in (b"AT+CGMM", b"AT+CGMR"):
        findings, _ = identified(scripted(answering(word.encode(), command, 9)))
        assert (findings.identity.model, findings.identity.revision) == ("BG96", "BG96MAR02A07M1G")


def test_two_different_answers_are_asked_a_third_time(scripted: Scripted) -> None:
    answers = iter([b"\r\nBG95\r\n", b"\r\nBG96\r\n", b"\r\nBG96\r\n"])

    def answer(line: bytes, _number: int) -> list[tuple[float, bytes]]:
        body = next(answers) if line == b"AT+CGMM" else BG96.get(line)
        return [(0.01, b"\r\nERROR\r\n" if body is None else body + OK)]

    link = scripted(answer)
    assert identified(link)[0].identity.model == "BG96"
    assert link.written.count(b"AT+CGMM") == 3


SARA_R410 = {
    b"AT": (b"",),
    b"AT+CMEE=1": (b"",),
    b"AT+CGMI": (b"u-blox",),
    b"AT+CGMM": (b"SARA-R410M-02B",),
    b"ATI": (b"Model: SARA-R410M-02B",),
    b"AT+CGMR": (b"L0.0.00.00.05.06 [Feb 03 2018 13:00:41]",),
    b"ATI9": (b"L0.0.00.00.05.06,A.02.00",),
    b"AT+CGSN": (b"866425030000015",),
}
DECISIVE = {b"AT+CGMR": "version", b"ATI9": "full_version", b"AT+CGSN": "imei"}


@pytest.mark.parametrize("damage", ["lost", "doubled", "another"])
@pytest.mark.parametrize("turn", range(3))
@pytest.mark.parametrize("command", DECISIVE)
def test_one_damaged_answer_does_not_decide(
    scripted: Scripted, command: bytes, turn: int, damage: str
) -> None:
    """A byte that is lost in one answer makes another version, or an unknown module of a known one."""
    asked = {command: 0}

    def answer(line: bytes, _number: int) -> list[tuple[float, bytes]]:
        body = b"".join(b"\r\n" + text + b"\r\n" for text in SARA_R410.get(line, ()))
        if line == command:
            asked[command] += 1
            if asked[command] == turn + 1:
                digit = body[6:7]
                middle = {"lost": b"", "doubled": digit * 2, "another": b"9"}[damage]
                body = body[:6] + middle + body[7:]
        return [(0.01, body + OK if line in SARA_R410 else b"\r\nERROR\r\n")]

    identity = identified(scripted(answer))[0].identity
    assert (identity.version, identity.full_version, identity.imei) == (
        "L0.0.00.00.05.06",
        "L0.0.00.00.05.06,A.02.00",
        "866425030000015",
    )


@pytest.mark.parametrize(
    ("imei", "times"), [("866425030000014", 1), ("866425030000015", 2), ("000000000000000", 2)]
)
def test_an_imei_without_its_check_digit_is_believed_when_it_comes_twice(
    scripted: Scripted, imei: str, times: int
) -> None:
    answers = BG96 | {b"AT+CGSN": b"\r\n%s\r\n" % imei.encode()}
    link = scripted(
        lambda line, _number: [(0.01, answers[line] + OK if line in answers else b"\r\nERROR\r\n")]
    )
    assert identified(link)[0].identity.imei == imei
    assert link.written.count(b"AT+CGSN") == times


def test_recognition_looks_at_every_line() -> None:
    dialect = recognise("Hello\nQuectel", "M2M Ready\nBG96", "BG96MAR02A07M1G")
    assert dialect is not None
    assert dialect.name.startswith("quectel")


def test_a_bare_rdy_costs_identification_no_more_than_two_seconds(scripted: Scripted) -> None:
    plain = identified(scripted(answering(b"", b"", 0)))[1]
    for after_s in (0.0, 0.2, 0.5, 0.9):
        link = scripted(answering(b"", b"", 0))
        link.say(b"\r\nRDY\r\n", after_s)
        assert identified(link)[1] - plain < 2.0


def test_a_module_that_is_deaf_until_its_last_start_up_word_is_waited_for(scripted: Scripted) -> None:
    table = answering(b"", b"", 0)
    link: Any = scripted(lambda line, number: table(line, number) if link.clock.monotonic() > 6.5 else [])
    for second, word in enumerate((b"RDY", b"+CFUN: 1", b"+CPIN: READY", b"APP RDY"), start=1):
        link.say(b"\r\n" + word + b"\r\n", 1.5 * second - 1)
    findings, took_s = identified(link)
    assert findings.identity.model == "BG96"
    assert took_s < 12.0
    assert set(link.rates) <= {9600}, "its words were readable: no other rate was tried"
