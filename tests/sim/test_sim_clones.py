"""NFWUPD outside HiSilicon and under other names: EC616, XY1100, ENS22, NB86-G, unknown modules."""

import pytest

from atota.sim.link import make_module
from atota.sim.package import build_package
from tests.sim.hosts import ERROR, OK, TimeHost

INVALID = b"\r\n+NFWUPD ERROR: PARAM INVALID\r\n"
BLOCK_0 = b"AT+NFWUPD=1,0,4,01020304,04"
BLOCK_1 = b"AT+NFWUPD=1,1,4,10203040,40"


class Bench(TimeHost):
    """A host that waits half a minute before each command."""

    def load(self, package: bytes, size: int, command: bytes = b"AT+NFWUPD") -> None:
        assert self.say(command + b"=0") == OK
        self.segments(package, size, command)


def package_for(bench: Bench, target: str, size: int = 1024) -> bytes:
    module = bench.module
    return build_package(model=module.persona.name, base=module.version, target=target, size=size)


# --- EC616 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"AT+NFWUPD", b"\r\n+NFWUPD ERROR: OPER UNSUPPORTED\r\n"),
        (b"AT+NFWUPD?", b"\r\n+NFWUPD ERROR: OPER UNSUPPORTED\r\n"),
        (b"AT+NFWUPD=", INVALID),
        (b"AT+NFWUPD=8", INVALID),
        (b"AT+NFWUPD=x", INVALID),
        (b"AT+NFWUPD=1,65536,4,01020304,04", INVALID),
        (b"AT+NFWUPD=1,0,3,010203,00", INVALID),
        (b"AT+NFWUPD=1,0,260," + b"00" * 260 + b",00", INVALID),
        (b"AT+NFWUPD=1,0,8,01020304,04", INVALID),
        (b"AT+NFWUPD=1,0,4,0102030,04", INVALID),
        (b"AT+NFWUPD=1,0,4,01020304,4", INVALID),
        (b"AT+NFWUPD=1,0,4,01020304,G4", INVALID),
        (b"AT+NFWUPD=1,0,4,01020304,04,1", INVALID),
        (b"AT+NFWUPD=1,0", ERROR),
        (b"AT+NFWUPD=1,0,6,010203040506,07", ERROR),
        (b"AT+NFWUPD=1,1,4,01020304,04", ERROR),
        (b"AT+NFWUPD=1,0,4,01020304,05", ERROR),
    ],
)
def test_ec616_refuses_parameters_with_words_and_all_else_without(line: bytes, answer: bytes) -> None:
    bench = Bench("EC616")
    bench.say(b"AT+CMEE=1")
    bench.say(b"AT+NFWUPD=0")
    assert bench.say(line) == answer
    assert bench.module.slot == b""
    assert bench.say(BLOCK_0) == OK


def test_ec616_takes_nothing_without_an_erase() -> None:
    bench = Bench("EC616")
    assert bench.say(BLOCK_0) == ERROR
    bench.say(b"AT+NFWUPD=0")
    assert bench.say(BLOCK_0) == OK


def test_ec616_takes_neither_a_repeat_nor_a_new_beginning() -> None:
    bench = Bench("EC616")
    bench.say(b"AT+NFWUPD=0")
    assert [bench.say(BLOCK_0), bench.say(BLOCK_1)] == [OK, OK]
    assert [bench.say(BLOCK_1), bench.say(BLOCK_0)] == [ERROR, ERROR]
    assert bench.module.slot == bytes.fromhex("0102030410203040")


def test_the_erase_of_an_ec616_takes_a_pause_for_each_block() -> None:
    module = make_module("EC616")
    [(when, text)] = module.feed(b"AT+NFWUPD=0\r", 100.0)
    assert text == OK
    assert when - 100.0 == pytest.approx(12 * 0.3, abs=0.1)


def test_ec616_says_verified_although_nothing_was_written() -> None:
    bench = Bench("EC616")
    assert bench.say(b"AT+NFWUPD=2") == b"\r\n+NFWUPD: FWUPD_PS_PKG_VERIFIED\r\n" + OK


def test_three_idle_minutes_drop_the_session_of_an_ec616() -> None:
    bench = Bench("EC616")
    bench.say(b"AT+NFWUPD=0")
    assert bench.say(BLOCK_0) == OK
    assert bench.say(BLOCK_1, after=179) == OK
    assert bench.say(b"AT+NFWUPD=1,2,4,01020304,04", after=182) == ERROR
    assert "session dropped" in bench.changes
    assert bench.say(b"AT+NFWUPD=2") == b"\r\n+NFWUPD: FWUPD_PS_PKG_VERIFIED\r\n" + OK


def test_ec616_updates_without_a_word_and_says_so_afterwards() -> None:
    bench = Bench("EC616")
    bench.load(package_for(bench, "V0040_BASELINE_0011"), 256)
    assert bench.say(b"AT+NFWUPD=5") == b""
    assert bench.wait(60) == b""
    assert bench.module.starts == ["PACKAGE_OK"]
    assert bench.say(b"AT+CGMR") == b"\r\nV0040_BASELINE_0011\r\n" + OK
    assert bench.say(b"AT+NFWUPD=2") == b"\r\n+NFWUPD: FWUPD_PS_PKG_UPGRADED\r\n" + OK


@pytest.mark.parametrize("fault", ["rollback", "fail-update", "refuse-validate"])
def test_an_ec616_whose_update_failed_says_invalid(fault: str) -> None:
    bench = Bench("EC616", fault)
    bench.load(package_for(bench, "V0040_BASELINE_0011"), 256)
    bench.say(b"AT+NFWUPD=5")
    bench.wait(60)
    assert bench.module.version == "V0040_BASELINE_0010"
    assert bench.say(b"AT+NFWUPD=2") == b"\r\n+NFWUPD: FWUPD_PS_PKG_INVALID\r\n" + OK


def test_an_ec616_that_is_started_with_nothing_in_it_only_reboots() -> None:
    bench = Bench("EC616")
    bench.say(b"AT+NFWUPD=0")
    assert bench.say(b"AT+NFWUPD=5") == b""
    bench.wait(60)
    assert bench.module.version == "V0040_BASELINE_0010"
    assert bench.say(b"AT+NFWUPD=7") == b"\r\n+NFWUPD: 0, 0, 0, 0, 6, 0\r\n" + OK


# --- XY1100 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b"AT+NFWUPD=1,1,4,01020304,04",
        b"AT+NFWUPD=1,0,0,,00",
        b"AT+NFWUPD=1,0,513," + b"00" * 513 + b",00",
        b"AT+NFWUPD=1,0,4,01020304,05",
        b"AT+NFWUPD=1,0,4,01020304",
        b"AT+NFWUPD=1,0,4,0102030,04",
        b"AT+NFWUPD=1,0,4,010203xx,04",
        b"AT+NFWUPD=6",
        b"AT+NFWUPD?",
    ],
)
@pytest.mark.parametrize("model", ["XY1100", "BC28-CLONE"])
def test_an_xy1100_refuses_with_its_own_number(model: str, line: bytes) -> None:
    bench = Bench(model)
    bench.say(b"AT+CMEE=1")
    bench.say(b"AT+NFWUPD=0")
    assert bench.say(line) == b"\r\n+CME ERROR: 8002\r\n"
    assert bench.say(b"AT+NFWUPD=1,0,1,FF,FF") == OK


@pytest.mark.parametrize("length", [1, 3, 255, 512])
def test_an_xy1100_takes_any_length_up_to_512(length: int) -> None:
    bench = Bench("XY1100")
    bench.say(b"AT+NFWUPD=0")
    assert bench.say(b"AT+NFWUPD=1,0,%d,%s,00" % (length, b"00" * length)) == OK


def test_an_xy1100_says_downloaded_once_and_starts_only_then() -> None:
    bench = Bench("XY1100")
    bench.load(package_for(bench, "XY1100_V1.0.4"), 500)
    assert bench.say(b"AT+NFWUPD=5") == ERROR
    assert bench.say(b"AT+NFWUPD=2") == b"\r\n+NFWUPD:PACKAGE_OK \r\n" + OK
    assert bench.say(b"AT+NFWUPD=2") == b"\r\n+NFWUPD:PACKAGE_NOT_DOWNLOADED\r\n" + OK
    assert bench.say(b"AT+NFWUPD=5") == b"\r\n+FIRMWARE UPDATING\r\n"
    assert bench.wait(60).endswith(b"\r\nREBOOT_CAUSE_SECURITY_FOTA_UPGRADE\r\nOK\r\n")
    assert bench.say(b"AT+CGMR") == b"\r\nXY1100_V1.0.4\r\n" + OK


@pytest.mark.parametrize(
    ("model", "answer"),
    [("XY1100", b"\r\n+NFWUPD:PACKAGE_VALIDATION_FAILURE\r\n" + OK), ("BC28-CLONE", ERROR)],
)
def test_an_xy1100_starts_no_package_that_is_not_whole(model: str, answer: bytes) -> None:
    bench = Bench(model)
    bench.load(package_for(bench, "NEW1")[:-32], 256)
    assert bench.say(b"AT+NFWUPD=2") == answer
    assert bench.say(b"AT+NFWUPD=5") == ERROR
    assert bench.module.starts == []


def test_a_reboot_makes_an_xy1100_forget_its_counter() -> None:
    bench = Bench("XY1100", "brownout-at-block:1")
    bench.say(b"AT+NFWUPD=0")
    assert bench.say(BLOCK_0) == OK
    bench.say(BLOCK_1)
    bench.wait(10)
    assert bench.say(BLOCK_1) == ERROR
    assert bench.say(b"AT+NFWUPD=2") == b"\r\n+NFWUPD:PACKAGE_NOT_DOWNLOADED\r\n" + OK


def test_the_clone_says_bc28_and_answers_like_an_xy1100() -> None:
    bench = Bench("BC28-CLONE")
    assert bench.say(b"ATI") == b"\r\nQuectel\r\nBC28\r\nRevision:BC28CNVR01A02\r\n" + OK
    assert bench.say(b"AT+CGMR") == b"\r\nBC28CNVR01A02\r\n" + OK
    assert bench.say(b"AT+NFWUPD=?") == b"\r\n+NFWUPD:(0,1,2,5)\r\n" + OK


# --- ENS22 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "taken"),
    [(32, 1), (64, 1), (128, 1), (256, 1), (512, 1), (4, 0), (96, 0), (500, 0), (1024, 0)],
)
def test_ens22_takes_five_lengths_only(length: int, taken: int) -> None:
    bench = Bench("ENS22")
    bench.say(b"ATE0")
    bench.say(b"AT^SNFWPUPDS=0")
    answer = bench.say(b'AT^SNFWPUPDS=1,0,%d,"%s","00"' % (length, b"00" * length))
    assert answer == (OK if taken else ERROR)


def test_ens22_does_not_know_the_word_of_the_others() -> None:
    bench = Bench("ENS22")
    bench.say(b"ATE0")
    assert bench.say(b"AT+NFWUPD=?") == ERROR


def test_ens22_echoes_until_it_is_told_not_to() -> None:
    bench = Bench("ENS22")
    assert bench.say(b"AT") == b"AT\r" + OK
    bench.say(b"ATE0")
    assert bench.say(b"AT") == OK


def test_ens22_does_not_hear_a_command_within_100_ms() -> None:
    module = make_module("ENS22")
    module.feed(b"ATE0\r", 1.0)
    [(when, text)] = module.feed(b"AT\r", 3.0)
    sent = when + len(text) * 10 / 115200
    assert module.feed(b"AT\r", sent + 0.095) == []
    assert [data for _, data in module.feed(b"AT\r", sent + 0.105)] == [OK]


def test_an_unfinished_line_is_an_error_of_ens22_after_30_seconds() -> None:
    module = make_module("ENS22")
    module.feed(b"ATE0\r", 0.0)
    assert module.feed(b"AT+CS", 10.0) == []
    assert module.tick(39.9) == []
    assert [sent.data for sent in module.tick(40.1)] == [ERROR]
    assert [data for _, data in module.feed(b"AT\r", 50.0)] == [OK]


def test_a_finished_line_is_answered_once() -> None:
    module = make_module("ENS22")
    module.feed(b"ATE0\r", 0.0)
    module.feed(b"A", 10.0)
    assert [data for _, data in module.feed(b"T\r\n", 11.0)] == [OK]
    assert module.tick(100.0) == []


def test_the_stored_rate_of_ens22_survives_its_update() -> None:
    bench = Bench("ENS22")
    bench.say(b"ATE0")
    assert bench.say(b"AT+IPR=9600") == OK
    bench.wait(1)
    bench.load(package_for(bench, "ENS22-E_02.000"), 128, b"AT^SNFWPUPDS")
    assert bench.say(b"AT^SNFWPUPDS=2") == b"\r\n^SNFWPUPDS: PACKAGE_OK\r\n" + OK
    assert bench.say(b"AT^SNFWPUPDS=5") == OK
    bench.wait(120)
    assert (bench.module.version, bench.module.rate.stored, bench.module.baud) == (
        "ENS22-E_02.000",
        9600,
        9600,
    )


def test_a_fault_finds_the_segment_of_ens22() -> None:
    bench = Bench("ENS22", "refuse-block:0")
    bench.say(b"ATE0")
    bench.say(b"AT^SNFWPUPDS=0")
    line = b"AT^SNFWPUPDS=1,0,32," + b"00" * 32 + b",00"
    assert [bench.say(line), bench.say(line)] == [ERROR, OK]


# --- NB86-G and the unknown --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "target", "greeting"),
    [
        ("NB86-G", "V150R100C20B500SP2", b"Lierda \r\nOK\r\n"),
        ("RG-NB6118", "RG6118_V1.03", b"Neul \r\nOK\r\n"),
    ],
)
def test_a_plain_hi2115_validates_then_starts(model: str, target: str, greeting: bytes) -> None:
    bench = Bench(model)
    bench.load(package_for(bench, target), 512)
    assert bench.say(b"AT+NFWUPD=5") == b"\r\n+NFWUPD:PACKAGE_NOT_VALIDATION\r\n" + ERROR
    assert bench.say(b"AT+NFWUPD=2") == b"\r\n+NFWUPD:PACKAGE_OK\r\n" + OK
    assert bench.say(b"AT+NFWUPD=5") == OK
    assert bench.wait(60).endswith(b"\r\nREBOOT_CAUSE_SECURITY_FOTA_UPGRADE\r\n" + greeting)
    assert bench.module.version == target


@pytest.mark.parametrize(
    "probe",
    [
        b"AT+NFWUPD=?",
        b"AT+QFOTADL=?",
        b"AT+CFSWFILE=?",
        b"AT+ZCOMWRT=?",
        b'AT+TUESTATS="ALL"',
        b"AT+NUESTATS",
    ],
)
def test_a_module_without_any_way_answers_every_probe_with_an_error(probe: bytes) -> None:
    bench = Bench("N20")
    bench.say(b"ATE0")
    assert bench.say(probe) == ERROR
