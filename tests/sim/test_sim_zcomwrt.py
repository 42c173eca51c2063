"""ME3616: the whole package in one stream, NUL bytes, the result a minute after the restart."""

import pytest

from atota.sim.package import build_package
from tests.sim.hosts import ERROR, OK, LinkHost

CONNECT = b"\r\n> \r\nCONNECT\r\n"
OLD = "ME3616E1AV0.0B01"
PACKAGE = build_package(model="ME3616", base=OLD, target="NEW", size=4814)


class Talk(LinkHost):
    """A host at 115200, echo off."""

    def __init__(self, faults: str = "") -> None:
        super().__init__("ME3616", faults, "baud=115200", numbers=False)

    def load(self, package: bytes = PACKAGE) -> bytes:
        prompt = self.say(b"AT+ZCOMWRT=%d" % len(package), CONNECT, ERROR)
        if prompt != CONNECT:
            return prompt
        self.link.write(package)
        return self.read_until()

    def restart(self) -> bytes:
        return self.say(b"AT+ZRST", b"END\r\n\x00", b"+IP: 100.64.0.17\r\n")


def test_a_whole_update() -> None:
    talk = Talk()
    assert talk.load() == OK
    assert talk.module.slot == PACKAGE
    text = talk.restart()
    assert text.startswith(b"\r\nOK\r\n\x00")
    assert text.endswith(b"\r\n*MATREADY: 1\r\n\r\n+CFUN: 1\r\n\r\n+FOTAIND: SUCCESS_END\r\n\x00")
    assert (talk.module.version, talk.module.updates, talk.module.starts) == ("NEW", 1, ["PACKAGE_OK"])


def test_the_second_prompt_comes_seconds_after_the_first() -> None:
    talk = Talk()
    talk.link.write(b"AT+ZCOMWRT=10\r")
    assert talk.read_until(1.0, b"> ") == b"\r\n> "
    assert talk.read_until(2.0, b"CONNECT\r\n") == b""
    assert talk.read_until(5.0, b"CONNECT\r\n") == b"\r\nCONNECT\r\n"


@pytest.mark.parametrize("wait_for", [b"", b"> "])
def test_what_comes_before_connect_is_lost(wait_for: bytes) -> None:
    talk = Talk()
    talk.link.write(b"AT+ZCOMWRT=1000\r")
    if wait_for:
        talk.read_until(5.0, wait_for)
    talk.link.write(b"H" * 100 + b"rest" * 225)
    assert talk.read_until(60.0, ERROR).endswith(b"\r\nCONNECT\r\n\r\nERROR\r\n")
    assert talk.module.slot == b""


@pytest.mark.parametrize("line", [b"AT+ZCOMWRT=0", b"AT+ZCOMWRT=x", b"AT+ZCOMWRT=", b"AT+ZCOMWRT=99999999"])
def test_a_length_that_is_none_is_a_plain_error(line: bytes) -> None:
    talk = Talk()
    talk.say(b"AT+CMEE=1")
    assert talk.say(line) == ERROR


def test_the_test_form_is_a_bare_ok() -> None:
    assert Talk().say(b"AT+ZCOMWRT=?") == OK


def test_a_restart_without_a_package_is_a_plain_one() -> None:
    talk = Talk()
    text = talk.restart()
    assert b"FOTAIND" not in text
    assert text.endswith(b"+CFUN: 1\r\n\r\n+CPIN: READY\r\n\r\n+IP: 100.64.0.17\r\n")
    assert talk.module.starts == []


def test_a_bad_package_fails_and_is_not_tried_again() -> None:
    talk = Talk()
    assert talk.load(PACKAGE[:-1]) == OK
    assert talk.restart().endswith(b"\r\n+FOTAIND: FAIL_END\r\n\x00")
    talk.read_until(5.0, b"READY\r\n")
    assert b"FOTAIND" not in talk.restart()
    assert (talk.module.version, talk.module.starts) == (OLD, ["PACKAGE_VALIDATION_FAILURE"])


def test_a_new_stream_replaces_what_waited() -> None:
    talk = Talk()
    assert talk.load(b"old") == OK
    assert talk.load() == OK
    assert talk.module.slot == PACKAGE
    talk.say(b"AT+ZCOMWRT=5", CONNECT)
    assert talk.read_until() == ERROR
    assert b"FOTAIND" not in talk.restart()


def test_a_slow_host_is_waited_for() -> None:
    talk = Talk()
    talk.say(b"AT+ZCOMWRT=%d" % len(PACKAGE), CONNECT)
    for at in range(0, len(PACKAGE), 1000):
        talk.link.clock.sleep(15)
        talk.link.write(PACKAGE[at : at + 1000])
    assert talk.read_until() == OK
    assert talk.module.slot == PACKAGE


def test_a_rate_set_by_ipr_counts_from_the_next_start() -> None:
    talk = Talk()
    assert talk.say(b"AT+IPR=57600") == OK
    talk.link.clock.sleep(1.0)
    assert talk.say(b"AT") == OK
    assert talk.say(b"AT+ZRST", b"\x00").endswith(b"OK\r\n\x00")
    talk.link.set_baud(57600)
    assert b"*MATREADY: 1" in talk.read_until(30.0, b"+IP: 100.64.0.17\r\n")


# --- faults -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["close-window:0", "refuse-data:0", "refuse-block:0", "drop-byte:2500"])
def test_a_stream_that_failed_is_taken_when_it_comes_again(fault: str) -> None:
    talk = Talk(fault)
    assert talk.load() == ERROR
    assert talk.module.slot == b""
    talk.read_until(3.0, b"never")
    assert talk.load() == OK
    assert talk.module.slot == PACKAGE


def test_a_missing_prompt_ends_in_an_error() -> None:
    talk = Talk("no-prompt:0")
    assert talk.say(b"AT+ZCOMWRT=10", b"> ", ERROR) == ERROR


def test_a_byte_that_is_not_stored_is_only_found_by_the_update() -> None:
    talk = Talk("short-write:0")
    assert talk.load() == OK
    assert talk.module.slot == PACKAGE[:-1]
    assert talk.restart().endswith(b"FAIL_END\r\n\x00")


def test_a_reboot_amid_the_stream_shows_the_banner_and_nothing_waits() -> None:
    talk = Talk("reboot-in-data:0")
    talk.say(b"AT+ZCOMWRT=%d" % len(PACKAGE), CONNECT)
    talk.link.write(PACKAGE)
    assert b"*MATREADY: 1" in talk.read_until(30.0, b"+IP: 100.64.0.17\r\n")
    assert b"FOTAIND" not in talk.restart()


@pytest.mark.parametrize(
    ("fault", "end", "version"),
    [
        ("fail-update", b"+FOTAIND: FAIL_END\r\n\x00", OLD),
        ("rollback", b"+FOTAIND: SUCCESS_END\r\n\x00", OLD),
        ("quiet-update", b"+IP: 100.64.0.17\r\n", "NEW"),
        ("refuse-start", b"ERROR\r\n", OLD),
    ],
)
def test_an_update_that_goes_another_way(fault: str, end: bytes, version: str) -> None:
    talk = Talk(fault)
    assert talk.load() == OK
    assert talk.say(b"AT+ZRST", b"END\r\n\x00", b"17\r\n", ERROR).endswith(end)
    assert talk.module.version == version
