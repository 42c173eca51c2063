"""SIM7020C and SIM7030: the FOTA partition behind ``>``, and AT+CFOTA=5 with length and MD5."""

import hashlib

import pytest

from atota.sim.package import build_package
from tests.sim.hosts import ERROR, OK, LinkHost

PROMPT = b"\r\n>"
PACKAGE = build_package(model="SIM7020C", base="1752B06SIM7020C", target="NEW", size=5000)


class Talk(LinkHost):
    """A host at 115200, echo off, error numbers on."""

    def __init__(self, faults: str = "", model: str = "SIM7020C", options: str = "") -> None:
        super().__init__(model, faults, f"baud=115200{options}")

    def piece(self, offset: int, data: bytes, window: int = 10) -> bytes:
        self.link.write(b"AT+CFLW=0,0,%d,%d,%d\r" % (len(data), offset, window))
        prompt = self.read_until(60.0, PROMPT, b"ERROR\r\n", b"0\r\n", b"3\r\n")
        if prompt != PROMPT:
            return prompt
        self.link.write(data)
        return self.read_until()

    def load(self, package: bytes = PACKAGE) -> list[bytes]:
        assert self.say(b"AT+CFLE=0,0,%d" % (-(-len(package) // 4096))) == OK
        return [self.piece(at, package[at : at + 512]) for at in range(0, len(package), 512)]

    def start(self, package: bytes = PACKAGE) -> bytes:
        return self.say(b"AT+CFOTA=5,%d,%s" % (len(package), hashlib.md5(package).hexdigest().encode()))


def test_a_whole_update() -> None:
    talk = Talk()
    assert set(talk.load()) == {OK}
    assert talk.module.slot == PACKAGE
    assert talk.start() == OK
    before = talk.link.clock.monotonic()
    text = talk.read_until(900.0, b"Update successfully\r\n")
    assert text.startswith(
        b"\r\n+CFOTA: Package check success\r\n\r\n+CFOTA: Start to update,please wait for reset\r\n"
    )
    assert b"Leaving the BROM\n\r\n\r\r\n*MATREADY: 1\r\n\r\n+CFUN: 1\r\n\r\n+CPIN: READY\r\n" in text
    assert b"%" not in text
    assert talk.link.clock.monotonic() - before > 120
    assert b"\r\nNEW\r\n" in talk.say(b"AT+CGMR")
    assert (talk.module.version, talk.module.updates, talk.module.starts) == ("NEW", 1, ["PACKAGE_OK"])


@pytest.mark.parametrize(
    "line",
    [
        b"AT+CFLE=0,0,0",
        b"AT+CFLE=0,0,146",
        b"AT+CFLE=1,0,1",
        b"AT+CFLE=0,4096,1",
        b"AT+CFLW=0,0,0,0,10",
        b"AT+CFLW=0,0,513,0,10",
        b"AT+CFLW=0,0,512,593409,10",
        b"AT+CFLW=0,0,512,0,0",
        b"AT+CFLW=0,0,512,0,101",
        b"AT+CFLW=1,0,512,0,10",
        b"AT+CFOTA=5,593921,d41d8cd98f00b204e9800998ecf8427e",
        b"AT+CFOTA=5,0,d41d8cd98f00b204e9800998ecf8427e",
        b"AT+CFOTA=5,100,d41d8cd98f00b204e9800998ecf842",
        b"AT+CFOTA=5,100",
    ],
)
def test_what_is_out_of_range_is_an_error(line: bytes) -> None:
    talk = Talk()
    assert talk.say(line) == b"\r\n+CME ERROR: 50\r\n"
    assert talk.say(b"AT") == OK


def test_the_last_byte_of_the_partition_can_be_written() -> None:
    talk = Talk()
    talk.say(b"AT+CFLE=0,0,145")
    assert talk.piece(593408, b"x" * 512) == OK


def test_the_partition_cannot_be_read_back() -> None:
    assert Talk().say(b"AT+CFLR=0,0,512,0") == b"\r\n+CME ERROR: 3\r\n"


@pytest.mark.parametrize("blocks", [0, 1])
def test_what_was_not_erased_is_taken_and_has_another_md5(blocks: int) -> None:
    talk = Talk()
    if blocks:
        assert talk.say(b"AT+CFLE=0,0,%d" % blocks) == OK
    assert {talk.piece(at, PACKAGE[at : at + 512]) for at in range(0, len(PACKAGE), 512)} == {OK}
    assert talk.start() == OK
    assert talk.read_until(30.0, b"\r\n+CFOTA: Update fail\r\n") == b"\r\n+CFOTA: Update fail\r\n"
    assert talk.module.slot != PACKAGE
    assert (talk.module.starts, talk.module.reboots) == ([], 0)


def test_erasing_takes_longer_for_more_blocks() -> None:
    talk = Talk()
    times = []
    for blocks in (1, 145):
        before = talk.link.clock.monotonic()
        assert talk.say(b"AT+CFLE=0,0,%d" % blocks) == OK
        times.append(talk.link.clock.monotonic() - before)
    assert times[1] > 20 * times[0]


def test_late_bytes_are_an_error_without_a_number_and_nothing_is_written() -> None:
    talk = Talk()
    talk.say(b"AT+CFLE=0,0,1")
    talk.link.write(b"AT+CFLW=0,0,8,0,1\r")
    assert talk.read_until(5.0, PROMPT) == PROMPT
    talk.link.write(b"1234567")
    assert talk.read_until() == ERROR
    assert talk.module.slot == b""


@pytest.mark.parametrize("form", ["{}", '"{}"'])
@pytest.mark.parametrize("upper", [False, True])
def test_md5_is_taken_with_and_without_quotes_in_either_case(form: str, upper: bool) -> None:
    talk = Talk(options="&accept=any&becomes=V")
    talk.say(b"AT+CFLE=0,0,1")
    talk.piece(0, b"abc")
    digest = hashlib.md5(b"abc").hexdigest()
    text = form.format(digest.upper() if upper else digest)
    assert talk.say(b"AT+CFOTA=5,3,%s" % text.encode()) == OK
    talk.read_until(900.0, b"Update successfully\r\n")
    assert talk.module.version == "V"


def test_a_package_for_another_version_fails_after_the_reboot() -> None:
    talk = Talk()
    other = build_package(model="SIM7020C", base="OTHER", target="NEW", size=512)
    talk.load(other)
    assert talk.start(other) == OK
    assert talk.read_until(900.0, b"Update fail\r\n").endswith(b"+CPIN: READY\r\n\r\n+CFOTA: Update fail\r\n")
    assert (talk.module.version, talk.module.reboots) == ("1752B06SIM7020C", 1)


def test_sleep_mode_2_loses_what_wakes_the_module() -> None:
    talk = Talk()
    assert talk.say(b"AT+CSCLK=2") == OK
    talk.link.clock.sleep(60)
    talk.link.write(b"A")
    talk.link.clock.sleep(0.2)
    assert talk.say(b"AT") == OK


def test_sim7030_knows_two_sleep_modes_and_its_own_name() -> None:
    talk = Talk(model="SIM7030")
    assert talk.say(b"AT+CSCLK=1") == b"\r\n+CME ERROR: 50\r\n"
    assert talk.say(b"AT+CSCLK=2") == OK
    assert talk.say(b"AT+CGMM") == b"\r\nSIM7030\r\n\r\nOK\r\n"


def test_error_texts_with_cmee_2() -> None:
    talk = Talk()
    talk.say(b"AT+CMEE=2")
    assert talk.say(b"AT+CFLE=0,0,0", ERROR, b"parameters\r\n") == b"\r\n+CME ERROR: incorrect parameters\r\n"


def test_the_server_modes_find_no_package() -> None:
    talk = Talk()
    assert talk.say(b"AT+CFOTA=1") == OK
    assert talk.read_until(10.0, b"package\r\n") == b"\r\n+CFOTA: No update package\r\n"


# --- faults -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ("no-prompt:3", b"\r\nERROR\r\n"),
        ("close-window:3", b"\r\nERROR\r\n"),
        ("refuse-data:3", b"\r\n+CME ERROR: 23\r\n"),
        ("refuse-block:3", b"\r\n+CME ERROR: 23\r\n"),
    ],
)
def test_a_piece_that_failed_is_taken_when_it_comes_again(fault: str, answer: bytes) -> None:
    talk = Talk(fault)
    talk.say(b"AT+CFLE=0,0,2")
    for at in (0, 512, 1024):
        assert talk.piece(at, PACKAGE[at : at + 512]) == OK
    assert talk.piece(1536, PACKAGE[1536:2048]) == answer
    assert talk.module.slot == PACKAGE[:1536]
    talk.read_until(15.0)
    assert talk.piece(1536, PACKAGE[1536:2048]) == OK
    assert talk.module.slot == PACKAGE[:2048]


@pytest.mark.parametrize("fault", ["refuse-md5:1", "short-write:9"])
def test_a_digest_that_differs_is_told_and_nothing_is_started(fault: str) -> None:
    talk = Talk(fault)
    assert set(talk.load()) == {OK}
    assert talk.start() == OK
    assert talk.read_until(30.0, b"fail\r\n") == b"\r\n+CFOTA: Update fail\r\n"
    assert talk.module.starts == []


def test_a_refused_erase_and_a_refused_start() -> None:
    talk = Talk("refuse-erase:1+refuse-start")
    assert talk.say(b"AT+CFLE=0,0,2") == b"\r\n+CME ERROR: 23\r\n"
    assert set(talk.load()) == {OK}
    assert talk.start() == b"\r\n+CME ERROR: 3\r\n"


def test_a_reboot_amid_the_bytes_keeps_what_was_written() -> None:
    talk = Talk("reboot-in-data:2")
    talk.say(b"AT+CFLE=0,0,2")
    talk.piece(0, PACKAGE[:512])
    talk.piece(512, PACKAGE[512:1024])
    assert b"*MATREADY: 1" in talk.piece(1024, PACKAGE[1024:1536])
    assert talk.module.slot == PACKAGE[:1024]


@pytest.mark.parametrize(
    ("fault", "answer", "version"),
    [
        ("fail-update", b"Update fail", "1752B06SIM7020C"),
        ("rollback", b"Update successfully", "1752B06SIM7020C"),
        ("quiet-update", b"+CPIN: READY", "NEW"),
        ("stay-dead-after-update", b"Start to update", "NEW"),
    ],
)
def test_an_update_that_goes_another_way(fault: str, answer: bytes, version: str) -> None:
    talk = Talk(fault)
    talk.load()
    assert talk.start() == OK
    text = talk.read_until(900.0, b"never")
    assert answer in text
    assert talk.module.version == version
