"""Finding a module at its rate, knowing it by its answers, changing its rate, and waiting for its return."""

from collections.abc import Callable
from typing import Any

import pytest

from atota.clock import Deadline
from atota.dialects import loader
from atota.errors import ConfigError, LineUnavailable, LinkLost, NoAnswer, RebootTimeout, Refused, UsageError
from atota.module.baud import find_baud, raise_baud
from atota.module.identify import Findings, identify, recognise, require_consistent
from atota.module.module import Module, expected_row, open_module
from atota.module.reboot import await_return
from atota.module.session import Session
from atota.settings.board import Board, Power, Reset, Serial
from atota.settings.steps import Step

Scripted = Callable[..., Any]
OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"


def response(*lines: bytes) -> bytes:
    return b"".join(b"\r\n" + line + b"\r\n" for line in lines) + OK


def table(answers: dict[bytes, bytes]) -> Callable[[bytes, int], Any]:
    known = {b"AT": OK, b"AT+CMEE=1": OK, **answers}
    return lambda line, _number: [(0.01, known.get(line, ERROR))]


def session(link: Any, dialect: str = "3gpp") -> Session:
    return Session(link, loader.load(dialect) if dialect != "stranger" else loader.stranger())


# -- the rate ------------------------------------------------------------------------------------


@pytest.mark.parametrize("baud", [9600, 115200, 57600, 4800, 921600])
def test_every_usual_rate_is_found(scripted: Scripted, baud: int) -> None:
    link = scripted(table({}), baud=baud)
    assert find_baud(session(link)) == baud
    assert link.baud == baud


def test_the_rate_given_first_is_tried_first(scripted: Scripted) -> None:
    link = scripted(table({}), baud=57600)
    assert find_baud(session(link), first=57600) == 57600
    assert link.rates == [57600]


def test_only_the_given_rate_is_tried(scripted: Scripted) -> None:
    link = scripted(table({}), baud=115200)
    with pytest.raises(NoAnswer) as caught:
        find_baud(session(link), only=9600)
    assert caught.value.tried == ("9600 baud: silence",)
    assert set(link.rates) <= {9600}


def test_what_came_at_each_rate_is_told(scripted: Scripted) -> None:
    link = scripted(lambda _line, _number: [], baud=38400)
    link.say(b"\xf8\x00\x80", 1.0)
    with pytest.raises(NoAnswer) as caught:
        find_baud(session(link))
    assert any("bytes of noise" in line for line in caught.value.tried) or all(
        "silence" in line for line in caught.value.tried
    )
    assert len(caught.value.tried) == 9
    assert "TX/RX" in caught.value.hint


def test_a_rate_that_the_port_cannot_run_at_is_passed_over(scripted: Scripted) -> None:
    link = scripted(table({}), baud=57600, refused=(115200,))
    assert find_baud(session(link)) == 57600
    link = scripted(lambda _line, _number: [], baud=57600, refused=(921600,))
    with pytest.raises(NoAnswer) as caught:
        find_baud(session(link))
    assert any("921600 baud: scripted can't run" in line for line in caught.value.tried)


def test_a_sleeping_module_is_woken(scripted: Scripted) -> None:
    """It loses the first two lines."""
    link = scripted(lambda _line, number: [(0.01, OK)] if number > 2 else [])
    assert find_baud(session(link)) == 9600


def test_an_error_is_an_answer_too(scripted: Scripted) -> None:
    link = scripted(lambda _line, _number: [(0.01, ERROR)])
    assert find_baud(session(link)) == 9600


def test_a_module_in_its_boot_is_waited_for(scripted: Scripted) -> None:
    state = {"up": False}
    link = scripted(lambda _line, _number: [(0.01, OK)] if state["up"] else [])
    for second in range(1, 8):
        link.say(b"\r\nApps A...... Verified\r\n", second / 2)
    conversation = session(link, "stranger")
    original = link.read

    def read(timeout_s: float) -> bytes:
        state["up"] = link.clock.monotonic() > 5.0
        data: bytes = original(timeout_s)
        return data

    link.read = read
    assert find_baud(conversation) == 9600
    assert set(link.rates) <= {9600}, "it was heard at this rate: no other is needed"


@pytest.mark.parametrize("baud", [9600, 115200, 57600])
def test_a_boot_in_silence_that_ends_behind_the_search_is_looked_for_again(
    scripted: Scripted, baud: int
) -> None:
    link: Any = scripted(
        lambda _line, _number: [(0.01, OK)] if link.clock.monotonic() > 8.0 else [], baud=baud
    )
    assert find_baud(session(link)) == baud
    assert 921600 in link.rates, "all three had had their turn, and others after them"


def test_a_lost_port_ends_the_search(scripted: Scripted) -> None:
    link = scripted(lambda _line, _number: [])
    link.lost_at = 2.0
    with pytest.raises(LinkLost):
        find_baud(session(link))


# -- who it is -------------------------------------------------------------------------------------

HI2115 = [b"SSB,V150R100C10B200SP1", b"SECURITY_A,V150R100C20B300SP5", b"PROTOCOL_A,V150R100C20B300SP5"]
HI2115 += [b"APPLICATION_A,V150R100C20B300SP5", b"SECURITY_B,V150R100C20B300SP5", b"RADIO,Hi2115_RF0"]


def hi2110(version: bytes, radio: bytes) -> list[bytes]:
    parts = (b"SECURITY", b"PROTOCOL", b"APPLICATION", b"SEC_UPDATER", b"APP_UPDATER")
    return [*(part + b"," + version for part in parts), b"RADIO," + radio]


# Answers as drivers, logs and manuals have them; then the dialect, the row, and the version that is sent.
ANSWERS: list[tuple[str, dict[bytes, bytes], str, str, str]] = [
    (
        "BC28",
        {
            b"AT+CGMI": response(b"Quectel"),
            b"AT+CGMM": response(b"BC28"),
            b"ATI": response(b"Quectel", b"BC28", b"Revision:BC28JAR01A03"),
            b"AT+CGMR": response(*HI2115),
            b"AT+CGSN=1": response(b"+CGSN:867726031076062"),
            b"AT+CSQ": response(b"+CSQ:20,99"),
        },
        "quectel-hi2115",
        "01401",
        "BC28JAR01A03",
    ),
    (
        "BC35-G",
        {
            b"AT+CGMI": response(b"Quectel"),
            b"AT+CGMM": response(b"BC35GJB-02-STD"),
            b"ATI": response(b"Quectel", b"BC35-G", b"Revision:BC35GJBR01A01"),
            b"AT+CGMR": response(*HI2115),
        },
        "quectel-hi2115",
        "01403",
        "BC35GJBR01A01",
    ),
    (
        "BC68",
        {
            b"AT+CGMI": response(b"Quectel"),
            b"ATI": response(b"Quectel", b"BC68", b"Revision:BC68JAR01A10"),
            b"AT+CGMR": response(*HI2115),
        },
        "quectel-hi2115",
        "01402",
        "BC68JAR01A10",
    ),
    (
        "BC95-B8",
        {
            b"AT+CGMI": response(b"Quectel"),
            b"AT+CGMM": response(b"BC95HB-02-STD_850"),
            b"AT+CGMR": response(*hi2110(b"V100R100C10B657SP3", b"BC95HB-02-STD_850")),
        },
        "quectel-hi2110",
        "01406",
        "V100R100C10B657SP3",
    ),
    (
        "M5310-A",
        {
            b"AT+CGMI": response(b"CMIOT"),
            b"AT+CGMM": response(b"M5310-A"),
            b"AT+CGMR": response(b"M5310-A-MONH0S00"),
        },
        "cmcc-hi2115",
        "00106",
        "M5310-A-MONH0S00",
    ),
    (
        "SARA-N200",
        {
            b"AT+CGMI": response(b"u-blox"),
            b"AT+CGMM": response(b"N200-02B-00"),
            b"ATI": response(b"SARA-N200-02B-00"),
            b"AT+CGMR": response(*hi2110(b"V100R100C10B657SP2", b"sara-N200-02B-00")),
            b"AT+CGSN=1": response(b"+CGSN: 357518080013535"),
        },
        "ublox-sara-n2",
        "00401",
        "V100R100C10B657SP2",
    ),
    (
        "NB08-01",
        {
            b"AT+CGMI": response(b"Lierda"),
            b"AT+CGMM": response(b"LSD4NBN-LB08000002"),
            b"AT+CGMR": response(
                b"SECURITY,V100R100C10B657SP5",
                b"PROTOCOL,V100R100C10B657SP5",
                b"APPLICATION,B657R5Lierda1200203",
                b"RADIO,LSD4NBN-LB08000002_02",
            ),
        },
        "hi2110",
        "00302",
        "B657R5Lierda1200203",
    ),
    (
        "BC95-G",
        {
            b"AT+CGMI": response(b"Quectel"),
            b"AT+CGMM": response(b"BC95-G"),
            b"ATI": response(b"Quectel", b"BC95-G", b"Revision:BC95GJBR02A02"),
            b"AT+CGMR": response(*HI2115),
        },
        "quectel-hi2115",
        "01404",
        "BC95GJBR02A02",
    ),
    (
        "NB86-G",
        {
            b"AT+CGMI": response(b"Lierda"),
            b"AT+CGMM": response(b"NB86-G"),
            b"AT+CGMR": response(*HI2115),
        },
        "lierda-hi2115",
        "00301",
        "V150R100C20B300SP5",
    ),
]


@pytest.mark.parametrize(
    ("name", "answers", "dialect", "code", "version"), ANSWERS, ids=[a[0] for a in ANSWERS]
)
def test_a_module_is_known_by_its_answers(
    scripted: Scripted, name: str, answers: dict[bytes, bytes], dialect: str, code: str, version: str
) -> None:
    s = session(scripted(table(answers)), "stranger")
    findings = identify(s)
    assert findings.dialect.name == s.dialect.name == dialect
    assert findings.identity.model_code == code
    assert findings.identity.version == version
    assert findings.identity.method == "nfwupd"
    assert findings.mismatch is None
    if b"AT+CGSN=1" in answers:
        assert findings.identity.imei in ("867726031076062", "357518080013535")
    again = identify(session(scripted(table(answers)), "stranger"), expected=expected_row(name))
    assert again.mismatch is None


def test_each_command_is_sent_once_or_twice_if_refused_or_free_text(scripted: Scripted) -> None:
    """Only harmless ones are sent; the version is read once more in the end, from where Quectel tells it."""
    link = scripted(table(ANSWERS[0][1]))
    identify(session(link, "stranger"))
    queries = [line for line in link.written if line not in (b"AT", b"AT+CMEE=1")]
    refused = {line for line in queries if line not in ANSWERS[0][1]}
    twice = refused - {b"AT+CGSN=0"} | {b"AT+CGMI", b"AT+CGMM", b"AT+CGMR"}
    times = {line: queries.count(line) for line in queries if line != b"ATI"}
    assert times == {line: 2 if line in twice else 1 for line in times}
    assert queries.count(b"ATI") == 3
    assert all(
        b"=" not in line or line in (b"AT+CGSN=1", b"AT+CGSN=0", b"AT+NCHIPINFO=VBAT") for line in queries
    )


def test_a_stranger_is_met_in_3gpp(scripted: Scripted) -> None:
    answers = {
        b"AT+CGMI": response(b"ACME"),
        b"AT+CGMM": response(b"X1"),
        b"AT+CGMR": response(b"Revision: X1_R2.0"),
    }
    findings = identify(session(scripted(table(answers)), "stranger"))
    assert (findings.dialect.name, findings.row, findings.identity.method) == ("3gpp", None, "none")
    assert (findings.identity.model, findings.identity.version) == ("X1", "X1_R2.0")


def test_a_clone_of_the_commands_is_not_taken_for_the_chip(scripted: Scripted) -> None:
    """RDA8908A answers AT+NRB and its like too; its CGMR has one line."""
    answers = {
        b"AT+CGMI": response(b"CMCC"),
        b"AT+CGMM": response(b"M5312"),
        b"AT+CGMR": response(b"M5312-PBRH0S00"),
    }
    findings = identify(session(scripted(table(answers)), "stranger"))
    assert "hi21xx" not in loader.ancestry(findings.dialect)


def test_only_the_chip_is_recognised_where_the_vendor_is_unknown() -> None:
    dialect = recognise("SomeVendor", "XX1", "APPLICATION_A,V150R100C10B300\nRADIO,Hi2115_RF1")
    assert dialect is not None
    assert dialect.name == "hi2115"
    dialect = recognise("", "", "SECURITY,V100R100C10B657SP5\nAPPLICATION,B657R5Lierda1200203")
    assert dialect is not None
    assert dialect.name == "hi2110"
    assert recognise("ACME", "X1", "X1_R2.0") is None


def test_the_answers_win_over_what_the_user_says(scripted: Scripted) -> None:
    findings = identify(session(scripted(table(ANSWERS[0][1])), "stranger"), expected=expected_row("M5310-A"))
    assert findings.mismatch is not None
    assert "BC28" in findings.mismatch
    with pytest.raises(Refused):
        require_consistent(findings)


def test_the_chip_contradicts_too(scripted: Scripted) -> None:
    answers = {b"AT+CGMR": response(*hi2110(b"V100R100C10B657SP3", b"x"))}
    findings = identify(session(scripted(table(answers)), "stranger"), expected=expected_row("BC28"))
    assert isinstance(findings, Findings)
    assert findings.mismatch is not None
    assert "Hi2110" in findings.mismatch


def test_a_boot_in_the_middle_is_not_taken_for_an_answer(scripted: Scripted) -> None:
    banner = b"\r\nBoot: Unsigned\r\nApps A...... Verified\r\n"
    banner += b"\r\nREBOOT_CAUSE_SECURITY_RESET_PIN\r\nNeul \r\nOK\r\n"
    answers = ANSWERS[0][1]
    first = iter([[(0.2, banner)]])
    known = {b"AT": OK, b"AT+CMEE=1": OK, **answers}

    def answer(line: bytes, _number: int) -> Any:
        if line == b"AT+CGMI":
            return next(first, [(0.01, known[line])])
        return [(0.01, known.get(line, ERROR))]

    findings = identify(session(scripted(answer), "stranger"))
    assert findings.identity.manufacturer == "Quectel"
    assert findings.dialect.name == "quectel-hi2115"


def test_a_module_that_is_busy_with_a_validation_is_waited_for(scripted: Scripted) -> None:
    known = {b"AT": OK, b"AT+CMEE=1": OK, **ANSWERS[3][1]}

    def answer(line: bytes, _number: int) -> Any:
        if link.clock.monotonic() < 8.0:
            return [(0.01, b"\r\n+CME ERROR: 51\r\n")]
        return [(0.01, known.get(line, ERROR))]

    link = scripted(answer)
    assert identify(session(link, "stranger")).identity.model_code == "01406"


def test_a_command_that_gets_no_answer_is_left_out_unless_it_decides(scripted: Scripted) -> None:
    answers = {b"AT": OK, b"AT+CMEE=1": OK, b"AT+CMEE=?": response(b"+CMEE:(0,1)"), **ANSWERS[0][1]}

    def silent(mute: bytes) -> Callable[[bytes, int], Any]:
        return lambda line, _number: [] if line == mute else [(0.01, answers.get(line, ERROR))]

    findings = identify(session(scripted(silent(b"AT+CSQ")), "stranger"))
    assert (findings.identity.signal, findings.identity.model_code) == (None, "01401")
    with pytest.raises(NoAnswer, match="cannot be identified"):
        identify(session(scripted(silent(b"AT+CGMI")), "stranger"))


# -- another rate --------------------------------------------------------------------------------


class Natspeed:
    """A module whose rate can be changed: it goes back after ten seconds without a line."""

    def __init__(self, *, answers: bool = True, switches: bool = True, dies: bool = False) -> None:
        self.answers = answers
        self.switches = switches
        self.dies = dies
        self.link: Any = None
        self.heard_at_new = False

    def __call__(self, line: bytes, _number: int) -> Any:
        if line.startswith(b"AT+NATSPEED="):
            if self.switches:
                self.link.due = (self.link.clock.monotonic() + 0.05, 115200)
            return [(0.01, OK)] if self.answers else []
        if self.link.module_baud == 115200:
            self.heard_at_new = True
        return [(0.01, OK)]


def natspeed(scripted: Scripted, **how: Any) -> Any:
    module = Natspeed(**how)
    link = scripted(module, baud=9600)
    module.link = link
    link.due = None
    read, write = link.read, link.write

    def tick() -> None:
        now = link.clock.monotonic()
        if link.due is not None and now >= link.due[0]:
            link.module_baud = 300 if module.dies else link.due[1]
            link.back, link.due = link.due[0] + 3.0, None
        if link.module_baud == 115200 and not module.heard_at_new and now >= link.back:
            link.module_baud = 9600

    def ticking_read(timeout_s: float) -> bytes:
        tick()
        data: bytes = read(timeout_s)
        tick()
        return data

    def ticking_write(data: bytes) -> None:
        tick()
        write(data)

    link.read, link.write = ticking_read, ticking_write
    return link


def test_the_rate_is_raised_unstored_and_with_a_way_back(scripted: Scripted) -> None:
    link = natspeed(scripted)
    assert raise_baud(session(link, "hi2115"), 115200)
    assert link.baud == 115200
    assert link.written[0] == b"AT+NATSPEED=115200,3,0,2,1"


def test_a_lost_answer_to_the_change_is_found_out(scripted: Scripted) -> None:
    link = natspeed(scripted, answers=False)
    assert raise_baud(session(link, "hi2115"), 115200)
    link = natspeed(scripted, answers=False, switches=False)
    assert not raise_baud(session(link, "hi2115"), 115200)
    assert link.baud == 9600


def test_a_link_that_is_too_bad_for_the_new_rate_goes_back(scripted: Scripted) -> None:
    link = natspeed(scripted, switches=False)
    assert not raise_baud(session(link, "hi2115"), 115200)
    assert link.baud == 9600
    assert link.clock.monotonic() > 3.0


def test_a_module_that_is_lost_on_the_way_is_told(scripted: Scripted) -> None:
    with pytest.raises(NoAnswer) as caught:
        raise_baud(session(natspeed(scripted, dies=True), "hi2115"), 115200)
    assert len(caught.value.tried) == 2
    assert "--transfer-baud 0" in caught.value.hint


def test_a_refused_change_leaves_everything(scripted: Scripted) -> None:
    link = scripted(lambda _line, _number: [(0.01, b"\r\n+CME ERROR: 50\r\n")])
    assert not raise_baud(session(link, "hi2115"), 115200)
    assert link.rates == []


def test_a_rate_that_the_dialect_does_not_know_is_refused(scripted: Scripted) -> None:
    with pytest.raises(Refused, match="19200"):
        raise_baud(session(scripted(table({})), "hi2115"), 19200)
    with pytest.raises(Refused):
        raise_baud(session(scripted(table({})), "3gpp"), 115200)
    assert raise_baud(session(scripted(table({})), "3gpp"), 9600)


# -- the return ------------------------------------------------------------------------------------

BOOT = b"\r\nBoot: Unsigned\r\nSecurity B.. Verified\r\nApps A...... Verified\r\n"
GREETING = b"\r\nREBOOT_CAUSE_SECURITY_FOTA_UPGRADE\r\nM5310-A\r\nOK\r\n"


def returning(scripted: Scripted, up_at: float, baud: int = 9600, **how: Any) -> Any:
    link: Any
    """A module that is deaf until ``up_at`` and then there at ``baud``."""
    link = scripted(
        lambda _line, _n: [(0.01, OK)] if link.clock.monotonic() >= up_at else [], baud=baud, **how
    )
    return link


def test_it_waits_through_two_boots(scripted: Scripted) -> None:
    link = returning(scripted, 31.0)
    link.say(BOOT, 1.0)
    link.say(BOOT, 18.0)
    link.say(GREETING, 30.0)
    s = session(link, "cmcc-hi2115")
    ticks: list[float] = []
    await_return(
        s, rates=(9600,), limit=Deadline(link.clock, 600), tick=lambda: ticks.append(link.clock.monotonic())
    )
    assert s.last_boot_cause == "SECURITY_FOTA_UPGRADE"
    assert max(b - a for a, b in zip([0.0, *ticks], ticks, strict=False)) <= 3.0


def test_it_is_found_at_the_rate_to_which_it_fell_back(scripted: Scripted) -> None:
    link = returning(scripted, 100.0, baud=9600)
    link.set_baud(115200)
    limit = Deadline(link.clock, 600)
    await_return(session(link, "hi2115"), rates=(115200, 9600, 57600), limit=limit, tick=lambda: None)
    assert link.baud == 9600
    assert 100 <= link.clock.monotonic() < 112


def test_a_module_that_does_not_return_is_told_with_what_was_tried(scripted: Scripted) -> None:
    link = returning(scripted, 10_000.0, refused=(57600,))
    limit = Deadline(link.clock, 60)
    with pytest.raises(RebootTimeout) as caught:
        await_return(session(link, "hi2115"), rates=(9600, 115200, 57600), limit=limit, tick=lambda: None)
    assert len(caught.value.tried) == 3
    assert "can't run" in caught.value.tried[2]
    assert link.clock.monotonic() < 70


# -- opening ---------------------------------------------------------------------------------------


def test_a_board_stands_in_for_model_and_dialect() -> None:
    board = Board(name="bench", model="BC28", dialect="quectel-hi2115", serial=Serial(baud=57600))
    with open_module("sim://BC28?baud=57600", board=board) as module:
        assert module.session.link.baud == 57600
        assert module.identify().model_code == "01401"
    with open_module("sim://M5310-A", board=Board(name="b", model="BC28")) as module:
        module.identify()
        assert module.findings is not None
        assert module.findings.mismatch is not None


def test_a_flow_control_that_does_not_exist_is_refused_clearly() -> None:
    with pytest.raises(ConfigError, match="xon-xoff"):
        open_module("sim://BC28", board=Board(name="b", serial=Serial(flow="xon-xoff")))


def test_the_reset_line_is_pulsed_when_opening_and_only_its_end_when_opening_again() -> None:
    seen: list[tuple[str, Any]] = []

    class Recorder:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def set_lines(self, **lines: Any) -> None:
            seen.append(next(iter(lines.items())))
            self.inner.set_lines(**lines)

    board = Board(
        name="b",
        reset=Reset(sequence=(Step("rts:1"), Step("wait:0.1"), Step("rts:0"))),
        power=Power(on=(Step("dtr:1"),)),
    )
    with open_module("sim://BC28?reset=rts", board=board, wrap=Recorder) as module:
        assert seen == [("dtr", True), ("rts", True), ("rts", False)]
        seen.clear()
        module.reopen("sim://BC28?reset=rts")
        assert sorted(seen) == [("dtr", True), ("rts", False)]


def test_a_line_that_the_port_has_not_is_told_with_the_board(scripted: Scripted) -> None:
    from atota.module.module import pulse

    with pytest.raises(LineUnavailable, match="RTS line, which the board"):
        pulse(scripted(table({})), (Step("rts:1"),))


def test_an_unknown_model_is_told_with_its_neighbours() -> None:
    with pytest.raises(UsageError) as caught:
        open_module("sim://BC28", model="BC82")
    assert "BC28" in caught.value.hint


def test_a_module_made_by_hand_cannot_be_opened_again(scripted: Scripted) -> None:
    with Module(scripted(table({}))) as module, pytest.raises(LinkLost):
        module.reopen("/dev/ttyUSB1")


# -- undocumented modules --------------------------------------------------------------


def test_a_test_form_finds_what_an_unknown_module_can_do_and_proves_nothing(scripted: Scripted) -> None:
    """It names itself like nothing we know; only the range of the test form shows the method."""
    answers = {
        b"AT+CGMI": response(b"NOBODY"),
        b"AT+CGMM": response(b"X1"),
        b"AT+CGMR": response(b"X1_V1.0"),
        b"AT+NFWUPD=?": response(b"+NFWUPD:(0-5)"),
    }
    link = scripted(table(answers))
    findings = identify(session(link))
    assert (findings.dialect.name, findings.identity.method) == ("hi21xx", "nfwupd")
    assert findings.identity.evidence == "none"
    queries = [line for line in link.written if b"NFWUPD" in line or b"CFSWFILE" in line]
    assert queries
    assert all(line.endswith(b"=?") for line in queries)


def test_a_module_that_answers_no_test_form_has_no_method(scripted: Scripted) -> None:
    answers = {b"AT+CGMI": response(b"NOBODY"), b"AT+CGMM": response(b"X2"), b"AT+CGMR": response(b"X2_V1.0")}
    findings = identify(session(scripted(table(answers))))
    assert (findings.dialect.name, findings.identity.method) == ("3gpp", "none")


@pytest.mark.parametrize(
    ("answer", "serial"),
    [
        (b"+CGSN:7A5F04C1D2E3B4A5968778695A4B3C2D", "7A5F04C1D2E3B4A5968778695A4B3C2D"),
        (b"+CGSN:" + 32 * b"0", None),
        (b"490154203237518", None),
    ],
    ids=["own", "not programmed", "imei"],
)
def test_a_serial_number_is_one_that_tells_modules_apart(
    scripted: Scripted, answer: bytes, serial: str | None
) -> None:
    findings = identify(
        session(scripted(table({**ANSWERS[0][1], b"AT+CGSN=0": response(answer)})), "stranger")
    )
    assert findings.identity.serial == serial
