"""The hex blocks in literal conversations: every rule as the host of a real module meets it."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import pytest

from atota.dialects import loader
from atota.dialects.methods.nfwupd import BlockRule
from atota.errors import NoAnswer, PackageError, Refused, SlotLost, WriteFailed
from atota.fota.nfwupd import Nfwupd
from atota.fota.nfwupd_commands import lengths
from atota.fota.registry import method_for
from atota.module.session import Session

Converse = Callable[..., Any]
OK = b"\r\nOK\r\n"
E50 = b"\r\n+CME ERROR: 50\r\n"
E51 = b"\r\n+CME ERROR: 51\r\n"
E529 = b"\r\n+CME ERROR: 529\r\n"
TEST = (b"AT+NFWUPD=?", b"\r\n+NFWUPD:(0-5)\r\n\r\nOK\r\n")
TEST_1 = (b"AT+NFWUPD=?", b"\r\n+NFWUPD: (1-5)\r\n\r\nOK\r\n")
ERASE = (b"AT+NFWUPD=0", OK)
ALIVE = (b"AT", OK)
FENCE = (b"AT+CMEE=?", b"\r\n+CMEE:(0,1)\r\n\r\nOK\r\n")
REBOOT = b"\r\nREBOOT_CAUSE_%s\r\nNeul \r\nOK\r\n"
# Twelve bytes in blocks of four, with their XOR worked out by hand.
DATA = bytes.fromhex("01020304 A0B0C0D0 FF00FF05")
B0 = b"AT+NFWUPD=1,0,4,01020304,04"
B1 = b"AT+NFWUPD=1,1,4,A0B0C0D0,00"
B2 = b"AT+NFWUPD=1,2,4,FF00FF05,05"


class Talk:
    """A method and a session on a conversation."""

    def __init__(self, link: Any, dialect: str, folder: Path, data: bytes, block: int | None) -> None:
        profile = loader.load(dialect)
        self.link = link
        self.method = method_for(profile, block=block)
        self.session = Session(link, profile)
        self.package = folder / "p.bin"
        self.package.write_bytes(data)
        self.progress: list[tuple[int, int]] = []

    def write(self) -> str | None:
        return self.method.write(self.session, self.package, lambda *done: self.progress.append(done))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.link.done()


@pytest.fixture
def talk(conversation: Converse, tmp_path: Path) -> Callable[..., Talk]:
    def make(
        *script: tuple[bytes, Any], dialect: str = "hi2115", data: bytes = DATA, block: int | None = 4
    ) -> Talk:
        return Talk(conversation(script), dialect, tmp_path, data, block)

    return make


Make = Callable[..., Talk]


def test_a_whole_write(talk: Make) -> None:
    with talk(TEST, ERASE, (B0, OK), (B1, OK), (B2, OK)) as t:
        t.method.check(t.package)
        t.method.prepare(t.session)
        assert t.write() == sha256(DATA).hexdigest()
        assert t.progress == [(4, 12), (8, 12), (12, 12)]
        assert (t.method.counters.blocks, t.method.counters.retries) == (3, 0)


def test_the_checksum_is_two_upper_case_hex_digits_of_the_xor(talk: Make) -> None:
    data = bytes.fromhex("00000000 AB000000 0A0B0C0D")
    lines = (b"1,0,4,00000000,00", b"1,1,4,AB000000,AB", b"1,2,4,0A0B0C0D,00")
    with talk(*((b"AT+NFWUPD=" + line, OK) for line in lines), data=data) as t:
        t.write()


# -- lengths -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "block", "rule", "plan"),
    [
        (1024, 512, {"largest": 512, "multiple": 4}, [512, 512]),
        (1028, 512, {"largest": 512, "multiple": 4}, [512, 512, 4]),
        (1027, 512, {"largest": 512, "multiple": 4}, None),
        (1027, 256, {"largest": 256}, [256, 256, 256, 256, 3]),
        (100, 256, {"largest": 256, "multiple": 4}, [100]),
        (1000, 512, {"largest": 512, "only": (32, 64, 128, 256, 512)}, None),
        (992, 512, {"largest": 512, "only": (32, 64, 128, 256, 512)}, [512, 256, 128, 64, 32]),
        (96, 32, {"largest": 512, "only": (32, 64)}, [32, 32, 32]),
        (4, 256, {"largest": 256, "multiple": 4}, [4]),
    ],
)
def test_blocks_and_tail(size: int, block: int, rule: dict[str, Any], plan: list[int] | None) -> None:
    assert lengths(size, block, BlockRule(default=block, source="x", **rule)) == plan


@pytest.mark.parametrize("block", [0, 2, 511, 516, 513])
def test_a_block_length_that_the_firmware_refuses_is_refused_by_us(block: int) -> None:
    if block == 0:
        assert method_for(loader.load("hi2115"), block=0).spec.validates  # none given: the profile's own
        return
    with pytest.raises(Refused, match=f"blocks of {block} bytes"):
        method_for(loader.load("hi2115"), block=block)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b"Firmware chunks" + bytes(49), "UEUpdater"),
        (bytes(1026), "multiples of 4"),
    ],
)
def test_a_wrong_package_is_refused_before_anything_is_sent(talk: Make, data: bytes, why: str) -> None:
    with talk(data=data, block=None) as t, pytest.raises(PackageError, match=why):
        t.method.check(t.package)


def test_a_missing_package(talk: Make, tmp_path: Path) -> None:
    with talk() as t, pytest.raises(PackageError, match="cannot be read"):
        t.method.check(tmp_path / "none.bin")


def test_numbers_that_would_wrap_are_refused(talk: Make) -> None:
    with talk(data=bytes(4 * 65536 + 4)) as t, pytest.raises(PackageError, match="65537 blocks"):
        t.method.check(t.package)
    with talk(data=bytes(4 * 65536)) as t:
        t.method.check(t.package)


def test_a_package_that_shrinks_during_the_write(talk: Make) -> None:
    with talk((B0, OK)) as t:

        def cut(done: int, _total: int) -> None:
            if done == 4:
                t.package.write_bytes(DATA[:6])

        # The file is small enough to be buffered whole, so cut it before it is opened for the second run.
        t.package.write_bytes(DATA[:10])
        with pytest.raises(PackageError):
            t.method.write(t.session, t.package, cut)
        t.link.left.clear()


# -- the test form ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        b"\r\nERROR\r\n",
        b"\r\n+CME ERROR: 4\r\n",
        OK,
        b"\r\n+NFWUPD:(0,2,5)\r\n\r\nOK\r\n",
        b"\r\n+NFWUPD:(0-4)\r\n\r\nOK\r\n",
        b"\r\n+NFWUPD:(0,1,5)\r\n\r\nOK\r\n",
    ],
)
def test_a_module_without_the_command_or_its_codes_is_refused(talk: Make, answer: bytes) -> None:
    """Firmware before B657SP1, SARA-N200-01B, a clone with fewer codes."""
    with talk((b"AT+NFWUPD=?", answer)) as t, pytest.raises(Refused, match="no usable AT"):
        t.method.probe(t.session)


def test_erase_is_sent_only_where_it_is_offered(talk: Make) -> None:
    with talk(TEST_1, dialect="ublox-sara-n2") as t:
        t.method.prepare(t.session)
    with talk(TEST, ERASE, dialect="ublox-sara-n2") as t:
        t.method.prepare(t.session)
    with talk(TEST_1, dialect="quectel-hi2115") as t, pytest.raises(Refused, match="should offer an erase"):
        t.method.probe(t.session)
    with talk((b"AT+NFWUPD=?", b"\r\n+NFWUPD:(0,1,2,5)\r\n\r\nOK\r\n")) as t:
        t.method.probe(t.session)


# -- erase ---------------------------------------------------------------------------------------


def test_an_erase_may_be_slow_busy_and_asked_again(talk: Make) -> None:
    slow = (b"AT+NFWUPD=0", [(45.0, OK)])
    with talk(TEST, (b"AT+NFWUPD=0", E529), (b"AT+NFWUPD=0", E51), (b"AT+NFWUPD=0", E50), slow) as t:
        t.method.prepare(t.session)
        assert t.method.counters.retries == 3


def test_a_failed_erase_is_told_with_the_vendors_words(talk: Make) -> None:
    failed = (b"AT+NFWUPD=0", b"\r\n+CME ERROR: 4\r\n")
    with talk(TEST, failed, failed, failed) as t, pytest.raises(WriteFailed, match="not supported or failed"):
        t.method.prepare(t.session)


def test_a_reboot_during_the_erase_loses_the_slot(talk: Make) -> None:
    with (
        talk(TEST, (b"AT+NFWUPD=0", REBOOT % b"SECURITY_PMU_POWER_ON_RESET")) as t,
        pytest.raises(SlotLost, match="SECURITY_PMU_POWER_ON_RESET"),
    ):
        t.method.prepare(t.session)


# -- sequence ------------------------------------------------------------------------------------


def test_a_refused_block_is_sent_again_as_it_was(talk: Make) -> None:
    with talk((B0, OK), (B1, E50), (B1, b"\r\n+CME ERROR: 522\r\n"), (B1, OK), (B2, OK)) as t:
        t.write()
        assert t.method.counters.retries == 2


def test_a_block_refused_three_times_ends_the_write(talk: Make) -> None:
    with talk((B0, OK), (B1, E50), (B1, E50), (B1, E50)) as t, pytest.raises(WriteFailed) as caught:
        t.write()
    assert "block 1 3 times" in caught.value.message
    assert "incorrect parameters" in caught.value.message


@pytest.mark.parametrize("busy", [E51, E529])
def test_busy_is_waited_out_and_is_no_refusal(talk: Make, busy: bytes) -> None:
    with talk((B0, OK), *[(B1, busy)] * 9, (B1, OK), (B2, OK)) as t:
        t.write()
        assert t.link.clock.monotonic() > 9


def test_busy_for_ever_is_a_failure(talk: Make) -> None:
    with talk((B0, OK), *[(B1, E51)] * 61 * 3) as t, pytest.raises(WriteFailed):
        t.write()


def test_an_error_after_a_lost_ok_is_settled_by_the_next_block(talk: Make) -> None:
    """Block 2 was stored, its OK was lost: the same block is refused, the next one is taken."""
    data = DATA + bytes(4)
    b3 = b"AT+NFWUPD=1,3,4,00000000,00"
    with talk((B0, OK), (B1, OK), (B2, []), ALIVE, FENCE, (B2, E50), (B2, E50), (b3, OK), data=data) as t:
        t.write()
        assert t.method.counters.blocks == 4


def test_an_error_after_a_silence_is_settled_against_us_if_the_next_block_is_refused(talk: Make) -> None:
    data = DATA + bytes(4)
    b3 = b"AT+NFWUPD=1,3,4,00000000,00"
    script = [
        (B0, OK),
        (B1, OK),
        (B2, []),
        ALIVE,
        FENCE,
        (B2, E50),
        (B2, E50),
        (b3, E50),
        (b3, E50),
        (b3, E50),
    ]
    with talk(*script, data=data) as t, pytest.raises(SlotLost, match="block 2 was lost"):
        t.write()


def test_a_lost_command_is_simply_sent_again(talk: Make) -> None:
    with talk((B0, OK), (B1, OK), (B2, []), ALIVE, FENCE, (B2, OK)) as t:
        t.write()


@pytest.mark.parametrize("script", [[(B0, [])], [(B0, OK), (B1, [])]])
def test_while_block_0_or_1_is_in_doubt_nothing_is_concluded(talk: Make, script: list[Any]) -> None:
    """Right after an erase block 1 is taken as the first too, and lands at offset 0."""
    with talk(*script) as t, pytest.raises(SlotLost, match="got no response"):
        t.write()


def test_noise_around_block_1_is_as_bad_as_a_reboot(talk: Make) -> None:
    noisy = [(0.01, OK), (0.02, b"\xf8\x00\x80\x80\r\n")]
    with talk((B0, noisy), (B1, OK)) as t, pytest.raises(SlotLost, match="noise"):
        t.write()


def test_a_last_block_in_doubt_is_not_called_written(talk: Make) -> None:
    script = [(B0, OK), (B1, OK), (B2, []), ALIVE, FENCE, (B2, E50), (B2, E50)]
    with talk(*script) as t, pytest.raises(SlotLost, match="last block was lost"):
        t.write()


def test_three_silences_lose_the_slot(talk: Make) -> None:
    script = [(B0, OK), (B1, OK), *[(B2, []), ALIVE, FENCE] * 2, (B2, [])]
    with talk(*script) as t, pytest.raises(SlotLost, match="no response"):
        t.write()


def test_a_late_ok_is_not_taken_for_the_next_answer(talk: Make) -> None:
    """The OK of block 2 comes 12 s late, just as the line is being settled."""
    script = [(B0, OK), (B1, OK), (B2, [(10.9, OK)]), (b"AT", [(0.02, OK)]), (B2, E50), (B2, E50)]
    data = DATA + bytes(4)
    with talk(*script, (B2, E50), data=data) as t:
        with pytest.raises((SlotLost, WriteFailed)):
            t.write()
        t.link.left.clear()
        t.link.wrong.clear()
        assert t.method.counters.blocks == 3


@pytest.mark.parametrize("cause", [b"APPLICATION_WATCHDOG", b"SECURITY_PMU_POWER_ON_RESET"])
def test_a_reboot_at_a_block_loses_the_slot_and_its_ok_is_not_the_blocks(talk: Make, cause: bytes) -> None:
    with talk((B0, OK), (B1, REBOOT % cause)) as t, pytest.raises(SlotLost, match=cause.decode()):
        t.write()


def test_a_reboot_between_two_blocks_loses_the_slot(talk: Make) -> None:
    script = [(B0, OK), (B1, [(0.01, OK), (0.012, REBOOT % b"APPLICATION_WATCHDOG")]), (B2, OK)]
    with talk(*script) as t, pytest.raises(SlotLost, match="rebooted before block 2"):
        t.write()


BARE_BOOT = b"\r\nREBOOTING\r\nOK\r\n"


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ([TEST, (b"AT+NFWUPD=0", BARE_BOOT)], "the module rebooted during the erase"),
        ([TEST, ERASE, (B0, BARE_BOOT)], "the module rebooted at block 0"),
        (
            [TEST, ERASE, (B0, OK), (B1, [(0.01, OK), (0.012, BARE_BOOT)]), (B2, OK)],
            "the module rebooted before block 2",
        ),
        (
            [TEST, ERASE, (B0, OK), (B1, OK), (B2, OK), (b"AT+NFWUPD=2", BARE_BOOT)],
            "the module rebooted during the validation",
        ),
    ],
)
def test_a_reboot_without_a_cause_is_told_as_such(talk: Make, script: list[Any], what: str) -> None:
    with talk(*script) as t:
        with pytest.raises(SlotLost) as raised:
            t.method.prepare(t.session)
            t.write()
            t.method.validate(t.session)
        assert raised.value.message == f"{what} (cause not given)"


# -- the verdict -------------------------------------------------------------------------------------


def status(text: bytes) -> tuple[bytes, bytes]:
    return (b"AT+NFWUPD=2", b"\r\n+NFWUPD:" + text + b"\r\n\r\nOK\r\n")


@pytest.mark.parametrize(
    "text", [b"PACKAGE_OK", b" PACKAGE_OK", b"PACKAGE_OK ", b"PACKAGE_VALIDATION_SUCCESS"]
)
def test_a_good_verdict(talk: Make, text: bytes) -> None:
    with talk(status(text)) as t:
        t.method.validate(t.session)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"PACKAGE_VALIDATION_FAILURE", "signature of the package is wrong"),
        (b"PACKAGE_VERSION_MISMATCHED", "another base version"),
        (b"PACKAGE_SIGNATURE_OR_HASH_LACKE", "no signature or hash"),
        (b"PACKAGE_CORRUPT", "cannot be decoded"),
        (b"SOMETHING_NEW", "SOMETHING_NEW"),
    ],
)
def test_a_bad_verdict_comes_with_ok_and_is_told_in_words(talk: Make, text: bytes, words: str) -> None:
    with talk(status(text)) as t, pytest.raises(WriteFailed, match=words):
        t.method.validate(t.session)


def test_not_processed_is_asked_about_by_the_name_and_again(talk: Make) -> None:
    name = (b"AT+NFWUPD=3", b"\r\n+NFWUPD:A_TO_B\r\n\r\nOK\r\n")
    with talk(TEST, status(b"PACKAGE_NOT_PROCESSED"), name, status(b"PACKAGE_OK")) as t:
        t.method.probe(t.session)
        t.method.validate(t.session)


@pytest.mark.parametrize("text", [b"PACKAGE_NOT_DOWNLOADED", b"PACKAGE_REGION_LOST"])
def test_a_slot_that_lost_the_package_is_written_again(talk: Make, text: bytes) -> None:
    with talk(status(text)) as t, pytest.raises(SlotLost, match="the module has lost the package"):
        t.method.validate(t.session)


def test_not_processed_for_ever_is_no_verdict(talk: Make) -> None:
    script = [status(b"PACKAGE_NOT_PROCESSED")] * 5
    with talk(*script, dialect="hi2110") as t, pytest.raises(WriteFailed, match="not been looked at"):
        t.method.validate(t.session)


def test_a_code_2_that_only_reads_leaves_the_check_to_the_boot(talk: Make) -> None:
    """The order of the BC35-G & BC28 manual on a module whose profile has the other one."""
    script = [status(b"PACKAGE_NOT_PROCESSED")] * 5
    with talk(*script, (START, OK), dialect="cmcc-hi2115") as t:
        warnings: list[str] = []
        t.method.warn = warnings.append
        t.method.validate(t.session)
        assert t.method.activate(t.session) is True
    assert len(warnings) == 1
    assert "PACKAGE_NOT_PROCESSED" in warnings[0]


@pytest.mark.parametrize("dialect", ["hi2115", "hi2110", "quectel-hi2110", "cmcc-hi2115"])
def test_a_bare_ok_is_no_verdict(talk: Make, dialect: str) -> None:
    with talk((b"AT+NFWUPD=2", OK), dialect=dialect) as t, pytest.raises(WriteFailed, match="no verdict"):
        t.method.validate(t.session)


def test_a_bare_ok_is_the_verdict_of_a_u_blox(talk: Make) -> None:
    with talk((b"AT+NFWUPD=2", [(90.0, OK)]), dialect="ublox-sara-n2") as t:
        t.method.validate(t.session)
    with (
        talk((b"AT+NFWUPD=2", E50), dialect="ublox-sara-n2") as t,
        pytest.raises(WriteFailed, match="refused"),
    ):
        t.method.validate(t.session)


def test_a_lost_verdict_is_asked_for_again(talk: Make) -> None:
    with talk((b"AT+NFWUPD=2", []), ALIVE, FENCE, status(b"PACKAGE_OK")) as t:
        t.method.validate(t.session)


def test_a_reboot_in_the_validation_loses_the_slot(talk: Make) -> None:
    with talk((b"AT+NFWUPD=2", REBOOT % b"APPLICATION_WATCHDOG")) as t, pytest.raises(SlotLost):
        t.method.validate(t.session)


# -- the start -------------------------------------------------------------------------------------

START = b"AT+NFWUPD=5"


def test_the_start_is_acknowledged_by_ok_or_by_the_reboot(talk: Make) -> None:
    with talk((START, OK)) as t:
        assert t.method.activate(t.session) is True
    with talk((START, REBOOT % b"SECURITY_FOTA_UPGRADE")) as t:
        assert t.method.activate(t.session) is True


def test_silence_is_no_acknowledgement(talk: Make) -> None:
    with talk((START, []), (b"AT", [])) as t:
        assert t.method.activate(t.session) is False


def test_a_start_that_was_lost_is_sent_again(talk: Make) -> None:
    with talk((START, []), ALIVE, ALIVE, FENCE, (START, OK)) as t:
        assert t.method.activate(t.session) is True


def test_a_start_that_is_never_answered_is_a_failure(talk: Make) -> None:
    script = [(START, []), ALIVE, ALIVE, FENCE, (START, []), ALIVE]
    with talk(*script) as t, pytest.raises(WriteFailed, match="did not answer the start"):
        t.method.activate(t.session)


def test_another_reboot_is_no_start(talk: Make) -> None:
    with (
        talk((START, REBOOT % b"SECURITY_PMU_POWER_ON_RESET")) as t,
        pytest.raises(SlotLost, match="instead of starting"),
    ):
        t.method.activate(t.session)


def refused(text: bytes) -> tuple[bytes, bytes]:
    return (START, b"\r\n+NFWUPD:" + text + b"\r\n" + E50)


@pytest.mark.parametrize("dialect", ["quectel-hi2115", "cmcc-hi2115", "hi2110"])
@pytest.mark.parametrize(
    "text",
    [b"PACKAGE_NOT_VALIDATION", b"PACKAGE_NOT_PROCESSED", b"PACKAGE_DOWNLOADING", b"PACKAGE_VALIDATING"],
)
def test_a_start_that_wants_a_validation_first_gets_it(talk: Make, dialect: str, text: bytes) -> None:
    with talk(refused(text), status(b"PACKAGE_OK"), (START, OK), dialect=dialect) as t:
        warnings: list[str] = []
        t.method.warn = warnings.append
        assert t.method.activate(t.session) is True
    assert len(warnings) == 1
    assert "validated before the start" in warnings[0]
    assert text.decode() in warnings[0]


def test_a_package_that_is_not_valid_is_not_started_by_that_order_either(talk: Make) -> None:
    script = (refused(b"PACKAGE_NOT_VALIDATION"), status(b"PACKAGE_VALIDATION_FAILURE"))
    with talk(*script, dialect="quectel-hi2115") as t, pytest.raises(WriteFailed, match="signature"):
        t.method.activate(t.session)


def test_a_start_that_is_refused_after_the_validation_tells_why(talk: Make) -> None:
    script = (refused(b"PACKAGE_NOT_VALIDATION"), status(b"PACKAGE_OK"), refused(b"PACKAGE_NOT_VALIDATION"))
    with talk(*script) as t, pytest.raises(WriteFailed, match="was not validated"):
        t.method.activate(t.session)


def test_a_start_that_already_runs_is_a_start(talk: Make) -> None:
    with talk((START, []), ALIVE, ALIVE, FENCE, refused(b"PACKAGE_UPGRADING")) as t:
        assert t.method.activate(t.session) is True


# -- lengths and room --------------------------------------------------------------------------------


def block(number: int, data: bytes) -> bytes:
    crc = 0
    for byte in data:
        crc ^= byte
    return b"AT+NFWUPD=1,%d,%d,%s,%02X" % (number, len(data), data.hex().upper().encode(), crc)


def test_a_length_that_is_refused_at_block_0_is_shortened(talk: Make) -> None:
    data = bytes(range(256)) * 3
    refusals = [(block(0, data[:512]), E50)] * 3 + [(block(0, data[:256]), E50)]
    taken = [(block(n, data[n * 128 : n * 128 + 128]), OK) for n in range(6)]
    with talk(*refusals, *taken, data=data, block=512) as t:
        warnings: list[str] = []
        t.method.warn = warnings.append
        assert t.write() == sha256(data).hexdigest()
        assert t.method.block == 128
    assert [one.split(";")[0] for one in warnings] == [
        "the module refuses pieces of 512 bytes",
        "the module refuses pieces of 256 bytes",
    ]


def test_a_length_is_shortened_only_to_one_that_the_manual_lists(talk: Make) -> None:
    data = bytes(512)
    lines = [line.replace(b"+NFWUPD", b"^SNFWPUPDS") for line in (block(0, data), block(0, data[:256]))]
    rest = block(1, data[256:]).replace(b"+NFWUPD", b"^SNFWPUPDS")
    script = [(lines[0], E50)] * 3 + [(lines[1], OK), (rest, OK)]
    with talk(*script, data=data, block=512, dialect="cinterion-ens22") as t:
        t.write()


def test_a_package_shorter_than_a_block_is_cut_into_blocks_that_are_shorter_than_it(talk: Make) -> None:
    data = bytes(64)
    taken = [(block(n, data[:32]), OK) for n in range(2)]
    with talk(*[(block(0, data), E50)] * 3, *taken, data=data, block=512) as t:
        assert t.write() == sha256(data).hexdigest()
        assert t.method.block == 32


def test_a_block_0_that_is_refused_in_every_length_ends_the_write(talk: Make) -> None:
    data = bytes(64)
    script = [(block(0, data), E50)] * 3 + [(block(0, data[:32]), E50)]
    with talk(*script, data=data, block=64) as t, pytest.raises(WriteFailed, match="refused block 0"):
        t.write()


@pytest.mark.parametrize(("count", "full"), [(8, True), (7, False)])
def test_a_refusal_where_the_flash_ends_says_that_the_slot_may_end_there(
    talk: Make, count: int, full: bool
) -> None:
    """4096 bytes are a page; block 8 of 512 bytes would be the first behind it."""
    data = bytes(512 * 10)
    script = [(block(n, data[:512]), OK) for n in range(count)] + [(block(count, data[:512]), E50)] * 3
    with talk(*script, data=data, block=512) as t, pytest.raises(WriteFailed) as caught:
        t.write()
    assert f"after it took {count * 512} bytes" in caught.value.message
    assert ("slot seems to end there" in caught.value.message) is full
    assert ("a package that is smaller" in caught.value.hint) is full


def test_a_package_larger_than_a_documented_slot_is_refused_before_the_first_byte(talk: Make) -> None:
    with (
        talk(data=bytes(491_524), block=256, dialect="ec616") as t,
        pytest.raises(PackageError, match="the module's FOTA slot holds 491520"),
    ):
        t.method.check(t.package)
    with talk(data=bytes(491_520), block=256, dialect="ec616") as t:
        t.method.check(t.package)


# -- afterwards --------------------------------------------------------------------------------------


def test_the_result_of_the_last_update_in_words(talk: Make) -> None:
    with talk(status(b"PACKAGE_VALIDATION_FAILURE")) as t:
        said = t.method.result(t.session)
        assert said == "PACKAGE_VALIDATION_FAILURE (the signature of the package is wrong)"
    with talk((b"AT+NFWUPD=2", OK)) as t:
        assert t.method.result(t.session) is None
    with talk((b"AT+NFWUPD=2", REBOOT % b"APPLICATION_WATCHDOG")) as t:
        assert t.method.result(t.session) is None


def test_the_registry_knows_it_and_refuses_dialects_without_a_method() -> None:
    assert isinstance(method_for(loader.load("quectel-hi2115")), Nfwupd)
    with pytest.raises(Refused, match="no known way"):
        method_for(loader.load("3gpp"))


def test_a_mute_module_raises_what_the_caller_recovers_from(talk: Make) -> None:
    with talk() as t:
        with pytest.raises(NoAnswer):
            t.method.validate(t.session)
        assert t.link.wrong[0] == b"AT+NFWUPD=2"
        t.link.wrong.clear()
