"""AT+NFWUPD byte for byte, refusals above all."""

import pytest

from atota.sim.options import Options
from atota.sim.package import build_package
from tests.sim.hosts import OK, TimeHost

BAD = b"\r\n+CME ERROR: 50\r\n"
BLOCK_0 = b"AT+NFWUPD=1,0,4,01020304,04"
BLOCK_1 = b"AT+NFWUPD=1,1,4,10203040,40"


class Bench(TimeHost):
    """A host that waits a minute before each command, so that it never meets a busy module."""

    def __init__(self, model: str, *faults: str, options: Options | None = None) -> None:
        super().__init__(model, *faults, options=options, before=60.0)
        self.say(b"AT+CMEE=1")

    def load(self, package: bytes, size: int = 256) -> None:
        if self.module.persona.name in HI2115:
            assert self.say(b"AT+NFWUPD=0") == OK
        self.segments(package, size)


def package_for(bench: Bench, target: str = "NEW1", size: int = 1024) -> bytes:
    module = bench.module
    return build_package(model=module.persona.name, base=module.version, target=target, size=size)


HI2115 = ("BC28", "M5310-A")


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        ("BC28", b"\r\n+NFWUPD:(0-5)\r\n\r\nOK\r\n"),
        ("M5310-A", b"\r\n+NFWUPD:(0-5)\r\n\r\nOK\r\n"),
        ("BC95-B8", b"\r\n+NFWUPD:(1-5)\r\n\r\nOK\r\n"),
        ("SARA-N200", b"\r\n+NFWUPD: (1-5)\r\n\r\nOK\r\n"),
    ],
)
def test_the_test_form_tells_whether_there_is_an_erase_code(model: str, answer: bytes) -> None:
    assert Bench(model).say(b"AT+NFWUPD=?") == answer


@pytest.mark.parametrize("model", ["BC95-B8", "SARA-N200"])
def test_erase_is_refused_where_the_range_begins_at_one(model: str) -> None:
    assert Bench(model).say(b"AT+NFWUPD=0") == BAD


@pytest.mark.parametrize("model", ["BC28", "M5310-A", "BC95-B8", "SARA-N200"])
@pytest.mark.parametrize("form", [b"AT+NFWUPD", b"AT+NFWUPD?"])
def test_there_is_no_read_and_no_execute_form(model: str, form: bytes) -> None:
    assert Bench(model).say(form) == b"\r\n+CME ERROR: 4\r\n"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"AT+NFWUPD=6", BAD),
        (b"AT+NFWUPD=x", BAD),
        (b"AT+NFWUPD=", b"\r\n+CME ERROR: 514\r\n"),
        (b"AT+NFWUPD=1,,4,01020304,04", b"\r\n+CME ERROR: 514\r\n"),
        (b"AT+NFWUPD=1,0,4,01020304,04,1", b"\r\n+CME ERROR: 514\r\n"),
        (b"AT+NFWUPD=1,0,4,01020304", BAD),
        (b"AT+NFWUPD=1,0", BAD),
        (b"AT+NFWUPD=1", BAD),
        (b"AT+NFWUPD=2,0", BAD),
        (b"AT+NFWUPD=1,0,4,01020304,05", BAD),
        (b"AT+NFWUPD=1,0,4,01020304,4", BAD),
        (b"AT+NFWUPD=1,0,4,01020304,004", BAD),
        (b"AT+NFWUPD=1,0,4,01020304,0x04", BAD),
        (b"AT+NFWUPD=1,0,8,01020304,04", BAD),
        (b"AT+NFWUPD=1,0,4,0102030,04", BAD),
        (b"AT+NFWUPD=1,0,4,010203zz,04", BAD),
        (b"AT+NFWUPD=1,0,4,01 02 03 4,04", BAD),
        (b"AT+NFWUPD=1,0,4, 01020304,04", BAD),
        (b"AT+NFWUPD=1,0,0,,00", b"\r\n+CME ERROR: 514\r\n"),
        (b"AT+NFWUPD=1,-1,4,01020304,04", BAD),
        (b"AT+NFWUPD=1,65536,4,01020304,04", BAD),
        (b"AT+NFWUPD=1,2,4,01020304,04", BAD),
        (b"AT+NFWUPD=1,0,2,0102,03", BAD),
        (b"AT+NFWUPD=1,0,516," + b"00" * 516 + b",00", BAD),
    ],
)
@pytest.mark.parametrize("model", HI2115)
def test_a_refused_line_changes_nothing(model: str, line: bytes, answer: bytes) -> None:
    bench = Bench(model)
    bench.say(b"AT+NFWUPD=0")
    assert bench.say(line) == answer
    assert bench.module.slot == b""
    assert bench.say(BLOCK_0) == OK
    assert bench.say(BLOCK_1) == OK
    assert bench.module.slot == bytes.fromhex("0102030410203040")


@pytest.mark.parametrize("model", HI2115)
@pytest.mark.parametrize(
    "line",
    [
        b"AT+NFWUPD=1,0,4,0A0B0C0D,00",
        b"AT+NFWUPD=1,0,4,0a0b0c0d,00",
        b'AT+NFWUPD=1,0,4,"0A0B0C0D","00"',
        b"at+nfwupd=1,0,4,0a0b0c0d,00",
    ],
)
def test_case_and_quotes_do_not_matter(model: str, line: bytes) -> None:
    bench = Bench(model)
    bench.say(b"AT+NFWUPD=0")
    assert bench.say(line) == OK
    assert bench.module.slot == bytes.fromhex("0a0b0c0d")


@pytest.mark.parametrize("length", [4, 32, 256, 500, 508, 512])
def test_hi2115_takes_multiples_of_four_up_to_512(length: int) -> None:
    bench = Bench("BC28")
    bench.say(b"AT+NFWUPD=0")
    assert bench.say(b"AT+NFWUPD=1,0,%d,%s,00" % (length, b"00" * length)) == OK


@pytest.mark.parametrize(
    ("model", "length", "answer"),
    [
        ("SARA-N200", 256, OK),
        ("SARA-N200", 10, OK),
        ("SARA-N200", 257, BAD),
        ("BC95-B8", 7, OK),
        ("BC95-B8", 600, OK),
    ],
)
def test_lengths_on_the_hi2110(model: str, length: int, answer: bytes) -> None:
    assert Bench(model).say(b"AT+NFWUPD=1,0,%d,%s,00" % (length, b"00" * length)) == answer


def test_a_stored_segment_is_refused_when_it_comes_again_and_the_next_one_is_not() -> None:
    bench = Bench("BC28")
    bench.say(b"AT+NFWUPD=0")
    assert [bench.say(line) for line in (BLOCK_0, BLOCK_1, BLOCK_1)] == [OK, OK, BAD]
    assert bench.say(b"AT+NFWUPD=1,2,4,00000000,00") == OK


def test_segment_zero_starts_again_without_an_erase() -> None:
    bench = Bench("BC28")
    bench.say(b"AT+NFWUPD=0")
    assert [bench.say(line) for line in (BLOCK_0, BLOCK_1, BLOCK_0)] == [OK, OK, OK]
    assert bench.module.slot == bytes.fromhex("0102030410203040")
    assert bench.say(b"AT+NFWUPD=1,2,4,00000000,00") == BAD
    assert bench.say(BLOCK_1) == OK
    assert not bench.module.flash.spoiled


def test_after_an_erase_segment_one_is_taken_first_and_lands_at_the_beginning() -> None:
    bench = Bench("BC28")
    bench.say(b"AT+NFWUPD=0")
    assert bench.say(BLOCK_1) == OK
    assert bench.module.slot == bytes.fromhex("10203040")


def test_segment_numbers_go_on_with_zero_after_65535() -> None:
    bench = Bench("BC28")
    bench.say(b"AT+NFWUPD=0")
    bench.wait(60)
    for number in range(65536):
        bench.now += 1
        bench.module.feed(b"AT+NFWUPD=1,%d,4,01020304,04\r" % number, bench.now)
    assert len(bench.module.slot) == 65536 * 4
    assert bench.say(BLOCK_0) == OK
    assert len(bench.module.slot) == 65537 * 4


def test_a_download_without_an_erase_is_taken_and_found_bad() -> None:
    bench = Bench("M5310-A")
    package = package_for(bench)
    for number, start in enumerate(range(0, len(package), 256)):
        data = package[start : start + 256]
        crc = 0
        for byte in data:
            crc ^= byte
        assert bench.say(b"AT+NFWUPD=1,%d,256,%s,%02x" % (number, data.hex().encode(), crc)) == OK
    assert bench.module.flash.spoiled
    assert bench.say(b"AT+NFWUPD=2") == b"\r\n+NFWUPD:PACKAGE_CORRUPT\r\n\r\nOK\r\n"


def test_a_reboot_loses_the_counter_and_keeps_the_slot() -> None:
    bench = Bench("BC28")
    bench.say(b"AT+NFWUPD=0")
    bench.say(BLOCK_0)
    bench.say(BLOCK_1)
    bench.say(b"AT+NRB")
    bench.wait(30)
    bench.say(b"AT+CMEE=1")
    assert bench.say(b"AT+NFWUPD=1,2,4,00000000,00") == BAD
    assert bench.module.slot == bytes.fromhex("0102030410203040")


def test_start_without_validation_is_refused_with_its_reason() -> None:
    bench = Bench("M5310-A")
    bench.load(package_for(bench))
    assert bench.say(b"AT+NFWUPD=5") == b"\r\n+NFWUPD:PACKAGE_NOT_VALIDATION\r\n\r\n+CME ERROR: 50\r\n"
    bench.say(b"AT+CMEE=0")
    assert bench.say(b"AT+NFWUPD=5") == b"\r\n+NFWUPD:PACKAGE_NOT_VALIDATION\r\n\r\nERROR\r\n"
    assert bench.module.starts == []


def test_sara_refuses_a_start_without_saying_why() -> None:
    bench = Bench("SARA-N200")
    bench.load(package_for(bench))
    assert bench.say(b"AT+NFWUPD=5") == BAD


@pytest.mark.parametrize("model", ["M5310-A", "BC95-B8"])
def test_a_bad_package_is_told_in_the_text_and_the_final_result_is_ok(model: str) -> None:
    bench = Bench(model)
    bench.load(b"no package at all, but a file of 64 bytes".ljust(64))
    assert bench.say(b"AT+NFWUPD=2") == b"\r\n+NFWUPD:PACKAGE_CORRUPT\r\n\r\nOK\r\n"
    assert bench.say(b"AT+NFWUPD=5") == b"\r\n+NFWUPD:PACKAGE_NOT_VALIDATION\r\n\r\n+CME ERROR: 50\r\n"


def test_sara_says_ok_of_a_bad_package_and_comes_back_with_the_old_version() -> None:
    bench = Bench("SARA-N200")
    bench.load(b"\x00" * 64)
    assert bench.say(b"AT+NFWUPD=2") == OK
    assert bench.say(b"AT+NFWUPD=5") == OK
    bench.wait(200)
    assert bench.module.version == "V100R100C10B657SP2"
    assert bench.module.starts == ["PACKAGE_CORRUPT"]


@pytest.mark.parametrize("model", ["M5310-A", "BC95-B8", "BC28"])
def test_an_empty_slot_is_told(model: str) -> None:
    bench = Bench(model)
    assert bench.say(b"AT+NFWUPD=2") == b"\r\n+NFWUPD:PACKAGE_NOT_DOWNLOADED\r\n\r\nOK\r\n"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, b"PACKAGE_OK"),
        ({"base": "OTHER"}, b"PACKAGE_VERSION_MISMATCHED"),
        ({"model": "BC28"}, b"PACKAGE_VERSION_MISMATCHED"),
    ],
)
def test_the_package_decides(change: dict[str, str], status: bytes) -> None:
    bench = Bench("M5310-A")
    arguments = {"model": "M5310-A", "base": "M5310-A-MONH0S00", "target": "NEW1"} | change
    bench.load(build_package(**arguments))  # type: ignore[arg-type]
    assert bench.say(b"AT+NFWUPD=2") == b"\r\n+NFWUPD:%s\r\n\r\nOK\r\n" % status


def test_a_short_package_is_only_found_by_validation() -> None:
    bench = Bench("M5310-A")
    bench.load(package_for(bench)[:768])
    assert bench.say(b"AT+NFWUPD=2") == b"\r\n+NFWUPD:PACKAGE_VALIDATION_FAILURE\r\n\r\nOK\r\n"


def test_the_longest_status_loses_its_last_letter() -> None:
    bench = Bench("M5310-A", "refuse-validate:PACKAGE_SIGNATURE_OR_HASH_LACKED")
    bench.load(package_for(bench))
    assert bench.say(b"AT+NFWUPD=2") == b"\r\n+NFWUPD:PACKAGE_SIGNATURE_OR_HASH_LACKE\r\n\r\nOK\r\n"


def test_codes_three_and_four_tell_name_and_number_or_the_status() -> None:
    bench = Bench("BC28")
    bad = b"\r\n+NFWUPD:PACKAGE_NOT_DOWNLOADED\r\n\r\n+CME ERROR: 4\r\n"
    assert [bench.say(b"AT+NFWUPD=3"), bench.say(b"AT+NFWUPD=4")] == [bad, bad]
    bench.load(package_for(bench))
    assert bench.say(b"AT+NFWUPD=2") == b"\r\n+NFWUPD:PACKAGE_NOT_PROCESSED\r\n\r\nOK\r\n"
    assert bench.say(b"AT+NFWUPD=3") == b"\r\n+NFWUPD:BC28JAR01A03_TO_NEW1\r\n\r\nOK\r\n"
    number = bench.say(b"AT+NFWUPD=4")
    assert number[:10] == b"\r\n+NFWUPD:"
    assert number[10:-8].isdigit()
    assert bench.say(b"AT+NFWUPD=2") == b"\r\n+NFWUPD:PACKAGE_OK\r\n\r\nOK\r\n"


@pytest.mark.parametrize("code", [b"3", b"4"])
def test_sara_knows_neither_name_nor_number(code: bytes) -> None:
    assert Bench("SARA-N200").say(b"AT+NFWUPD=" + code) == b"\r\n+CME ERROR: 4\r\n"


def test_on_the_bc28_the_boot_validates_and_code_two_tells_the_last_result() -> None:
    bench = Bench("BC28")
    package = build_package(model="BC28", base="OTHER", target="NEW1")
    bench.load(package)
    assert bench.say(b"AT+NFWUPD=5") == OK
    banner = bench.wait(60)
    assert banner.endswith(b"\r\nREBOOT_CAUSE_SECURITY_FOTA_UPGRADE\r\nNeul \r\nOK\r\n")
    assert bench.module.version == "BC28JAR01A03"
    assert bench.say(b"AT+NFWUPD=2") == b"\r\n+NFWUPD:PACKAGE_VERSION_MISMATCHED\r\n\r\nOK\r\n"


def test_the_bc28_refuses_to_start_an_empty_slot() -> None:
    bench = Bench("BC28")
    bench.say(b"AT+NFWUPD=0")
    assert bench.say(b"AT+NFWUPD=5") == b"\r\n+NFWUPD:PACKAGE_NOT_DOWNLOADED\r\n\r\n+CME ERROR: 50\r\n"


@pytest.mark.parametrize("model", ["BC28", "M5310-A", "BC95-B8", "SARA-N200"])
def test_a_good_package_makes_the_module_run_the_target(model: str) -> None:
    bench = Bench(model)
    bench.load(package_for(bench, "TARGET-2"))
    if model != "BC28":
        assert bench.say(b"AT+NFWUPD=2").endswith(OK)
    assert bench.say(b"AT+NFWUPD=5") == OK
    assert bench.module.version != "TARGET-2"
    bench.wait(200)
    assert (bench.module.version, bench.module.updates) == ("TARGET-2", 1)
    assert bench.module.starts == ["PACKAGE_OK"]
    shown = bench.say(b"AT+QGMR" if model == "BC28" else b"AT+CGMR")
    assert b"TARGET-2\r\n" in shown


def test_any_bytes_are_a_package_if_the_option_says_so() -> None:
    bench = Bench("BC28", options=Options(accept_any=True, becomes="V9"))
    bench.load(b"\x01\x02\x03\x04")
    assert bench.say(b"AT+NFWUPD=5") == OK
    bench.wait(60)
    assert bench.module.version == "V9"


def test_a_slot_that_is_too_small_refuses_the_block() -> None:
    bench = Bench("BC28")
    bench.say(b"AT+NFWUPD=0")
    bench.module.flash.capacity = 4
    assert [bench.say(BLOCK_0), bench.say(BLOCK_1)] == [OK, BAD]


def test_other_commands_are_refused_while_a_bc95_validates() -> None:
    bench = Bench("BC95-B8")
    bench.load(package_for(bench))
    bench.say(b"AT")
    bench.wait(60)
    validation = bench.module.feed(b"AT+NFWUPD=2\r", bench.now)
    assert [data for _, data in bench.module.feed(b"AT\r", bench.now + 1)] == [b"\r\n+CME ERROR: 51\r\n"]
    assert [data for _, data in validation] == [b"\r\n+NFWUPD:PACKAGE_OK\r\n\r\nOK\r\n"]
    assert validation[0][0] > bench.now + 5


def test_the_hi2115_does_not_hear_what_comes_while_it_erases() -> None:
    bench = Bench("BC28")
    bench.wait(60)
    erase = bench.module.feed(b"AT+NFWUPD=0\r", bench.now)
    assert bench.module.feed(b"AT\r", bench.now + 1) == []
    assert erase[0][0] > bench.now + 1
