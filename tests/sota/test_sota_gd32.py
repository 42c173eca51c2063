"""The ROM bootloader of GD32: the bytes of AN3155, and every refusal by name."""

import pytest

from tests.sota.scripted import Desk, Reply, Scripted, bits, lost

ASK, OLD, NEW = b"AT+VER\r\n", b"VER:V1.0\r\n", b"VER:V2.0\r\n"
CHIP = "version = { send = \"AT+VER\\r\\n\", expect = 'VER:(\\S+)', within_s = 4 }"
VECTORS = bits("00 50 00 20 01 01 00 08")  # stack 0x20005000, reset 0x08000101
APP = VECTORS + bytes(range(256)) + b"\x11" * 36  # 300 bytes: one page, two blocks
A = b"\x79"

Script = list[tuple[bytes, Reply]]
ASKED: Script = [(ASK, OLD)] * 2
IN_STEP: Script = [
    (b"\x7f", A),
    (bits("00 FF"), bits("79 0B 22 00 01 02 11 21 31 43 63 73 82 92 79")),
]
IDENTIFIED: Script = [
    *IN_STEP,
    (bits("02 FD"), bits("79 01 04 10 79")),
    (bits("11 EE"), A),
    (bits("1F FF F7 E0 F7"), A),
    (bits("01 FE"), bits("79 80 00")),
]
ERASED: Script = [(bits("43 BC"), A), (bits("00 00 00"), A)]


def checked(data: bytes) -> bytes:
    """Return the bytes with the XOR of all behind."""
    value = 0
    for byte in data:
        value ^= byte
    return data + bytes((value,))


WRITTEN: Script = [
    (bits("31 CE"), A),
    (bits("08 00 01 00 09"), A),
    (checked(b"\x2b" + APP[256:]), A),
    (bits("31 CE"), A),
    (bits("08 00 00 00 08"), A),
    (checked(b"\xff" + APP[:256]), A),
]
READ_BACK: Script = [
    (bits("11 EE"), A),
    (bits("08 00 00 00 08"), A),
    (bits("FF 00"), A + APP[:256]),
    (bits("11 EE"), A),
    (bits("08 00 01 00 09"), A),
    (bits("2B D4"), A + APP[256:]),
]


def test_the_whole_conversation_is_that_of_an3155(desk: Desk) -> None:
    link = Scripted([*ASKED, *IDENTIFIED, *ERASED, *WRITTEN, *READ_BACK, (ASK, NEW)])
    result = desk.flash(link, APP, target="V2.0", chip=CHIP)
    assert (result.outcome, result.error) == ("updated", None)
    assert not link.script
    assert result.blocks == 2
    # BOOT0 high and reset; then BOOT0 low and reset. The bootloader speaks 8E1, the application 8N1.
    assert "".join(link.lines) == "D0R0D0R1D1R0D0D0R1R0"
    assert link.settings == [(115200, "E"), (115200, "N")]


def test_a_bootloader_with_wide_page_numbers_is_erased_by_them(desk: Desk) -> None:
    get = (bits("00 FF"), bits("79 0B 31 00 01 02 11 21 31 44 63 73 82 92 79"))
    erase: Script = [(bits("44 BB"), A), (bits("00 00 00 00 00"), A)]
    link = Scripted([*ASKED, IN_STEP[0], get, *IDENTIFIED[2:], *erase, *WRITTEN, *READ_BACK, (ASK, NEW)])
    assert desk.flash(link, APP, target="V2.0", chip=CHIP).outcome == "updated"


def test_a_chip_in_step_already_answers_7f_with_a_refusal(desk: Desk) -> None:
    link = Scripted([*ASKED, (b"\x7f", b"\x1f"), *IDENTIFIED[1:], *ERASED, *WRITTEN, *READ_BACK, (ASK, NEW)])
    assert desk.flash(link, APP, target="V2.0", chip=CHIP).outcome == "updated"


def test_without_lines_the_user_is_asked_for_the_buttons_and_go_starts_it(desk: Desk) -> None:
    go: Script = [(bits("21 DE"), A), (bits("08 00 00 00 08"), A)]
    link = Scripted(
        [
            *ASKED,
            (b"\x7f", None),
            (b"\x7f", None),
            *IDENTIFIED,
            *ERASED,
            *WRITTEN,
            *READ_BACK,
            *go,
            (ASK, NEW),
        ],
        has_lines=False,
    )
    assert desk.flash(link, APP, target="V2.0", chip=CHIP).outcome == "updated"
    assert any("hold BOOT and press RESET" in str(event) for event in desk.events)


def test_a_version_that_was_damaged_on_the_wire_is_asked_for_until_it_is_told_twice(desk: Desk) -> None:
    damaged = [(ASK, b"VER:W1.0\r\n"), *ASKED]
    link = Scripted([*damaged, *IDENTIFIED, *ERASED, *WRITTEN, *READ_BACK, (ASK, NEW)])
    result = desk.flash(link, APP, target="V2.0", chip=CHIP)
    assert (result.outcome, result.version_before) == ("updated", "V1.0")


def test_the_old_version_behind_a_whole_write_is_never_success(desk: Desk) -> None:
    link = Scripted([*ASKED, *IDENTIFIED, *ERASED, *WRITTEN, *READ_BACK, *ASKED])
    result = desk.flash(link, APP, target="V2.0", chip=CHIP)
    assert (result.outcome, result.exit_code) == ("old-version", 12)


def test_a_silent_application_is_written_but_not_confirmed(desk: Desk) -> None:
    link = Scripted([*ASKED, *IDENTIFIED, *ERASED, *WRITTEN, *READ_BACK, *[(ASK, None)] * 3])
    result = desk.flash(link, APP, target="V2.0", chip=CHIP)
    assert (result.outcome, result.exit_code) == ("unknown-after-reboot", 11)


def test_a_banner_that_does_not_come_is_not_confirmed(desk: Desk) -> None:
    link = Scripted([*IDENTIFIED, *ERASED, *WRITTEN, *READ_BACK])
    result = desk.flash(link, APP, target="V2.0", chip="version = { banner = 'fw (x)', within_s = 1 }")
    assert (result.outcome, result.exit_code) == ("unknown-after-reboot", 11)
    assert result.error is not None
    assert "within 1 s" in result.error.message


def test_a_clone_that_ignores_writes_is_caught_by_reading_back(desk: Desk) -> None:
    blank = (bits("FF 00"), A + b"\xff" * 256)
    round_: Script = [*ERASED, *WRITTEN, *[READ_BACK[0], READ_BACK[1], blank] * 2]
    link = Scripted([*ASKED, *(IDENTIFIED + round_) * 3, *IN_STEP])
    result = desk.flash(link, APP, target="V2.0", chip=CHIP)
    assert (result.outcome, result.exit_code) == ("write-failed", 9)
    assert result.error is not None
    assert "0x08000000" in result.error.message
    assert "bootloader still takes a new one" in result.error.hint


def test_another_chip_is_refused_before_the_first_erase(desk: Desk) -> None:
    other: Script = [(bits("02 FD"), bits("79 01 04 13 79"))]
    link = Scripted([*ASKED, *IN_STEP, *other, *other])
    result = desk.flash(link, APP, target="V2.0", chip=CHIP)
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert result.error is not None
    assert "0x413" in result.error.message
    assert link.lines[-3:] == ["D0", "R1", "R0"]  # the old application runs again


def test_pages_of_another_size_are_refused(desk: Desk) -> None:
    link = Scripted([*ASKED, *IDENTIFIED[:-1], (bits("01 FE"), bits("79 00 02"))])
    result = desk.flash(link, APP, target="V2.0", chip=CHIP)
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert result.error is not None
    assert "2048" in result.error.message


def test_a_package_behind_the_end_of_the_flash_does_not_fit(desk: Desk) -> None:
    big = VECTORS + b"\x11" * 70_000
    link = Scripted([*ASKED, *IDENTIFIED[:-1], (bits("01 FE"), bits("79 40 00"))])
    result = desk.flash(link, big, target="V2.0", chip=CHIP)
    assert (result.outcome, result.exit_code) == ("bad-package", 7)


def test_a_damaged_product_id_is_asked_for_again(desk: Desk) -> None:
    damaged: Script = [(bits("02 FD"), bits("79 01 04 13 79"))]
    link = Scripted([*ASKED, *IN_STEP, *damaged, *IDENTIFIED[2:], *ERASED, *WRITTEN, *READ_BACK, (ASK, NEW)])
    assert desk.flash(link, APP, target="V2.0", chip=CHIP).outcome == "updated"


REFUSED: Script = [(bits("11 EE"), b"\x1f")]
PROTECTED: Script = [*IDENTIFIED[:3], *REFUSED, *REFUSED]


def test_one_refused_read_does_not_have_a_whole_chip_erased(desk: Desk) -> None:
    """Noise makes another command of READ, and the user allows the erase of a protected chip."""
    link = Scripted(
        [*ASKED, *IDENTIFIED[:3], *REFUSED, *IDENTIFIED[3:], *ERASED, *WRITTEN, *READ_BACK, (ASK, NEW)]
    )
    assert desk.flash(link, APP, target="V2.0", chip=CHIP, erase=True).outcome == "updated"


def test_a_protected_chip_is_refused(desk: Desk) -> None:
    result = desk.flash(Scripted([*ASKED, *PROTECTED]), APP, target="V2.0", chip=CHIP)
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert result.error is not None
    assert "--allow-erase" in result.error.hint


def test_a_protected_chip_is_erased_with_consent(desk: Desk) -> None:
    lift: Script = [(bits("92 6D"), A + A), (b"\x7f", None), (b"\x7f", A), IN_STEP[1]]
    link = Scripted([*ASKED, *PROTECTED, *lift, *ERASED, *WRITTEN, *READ_BACK, (ASK, NEW)])
    assert desk.flash(link, APP, target="V2.0", chip=CHIP, erase=True).outcome == "updated"
    assert not link.script


NACKS: dict[str, Script] = {
    "erase command": [(bits("43 BC"), b"\x1f")],
    "erase pages": [(bits("43 BC"), A), (bits("00 00 00"), b"\x1f")],
    "write command": [*ERASED, (bits("31 CE"), b"\x1f")],
    "write address": [*ERASED, (bits("31 CE"), A), (bits("08 00 01 00 09"), b"\x1f")],
    "write data twice": [
        *ERASED,
        *[WRITTEN[0], WRITTEN[1], (checked(b"\x2b" + APP[256:]), b"\x1f")] * 2,
    ],
    "read command twice": [*ERASED, *WRITTEN, *REFUSED, *REFUSED],
    "read address": [*ERASED, *WRITTEN, (bits("11 EE"), A), (bits("08 00 00 00 08"), b"\x1f")],
    "read length": [*ERASED, *WRITTEN, READ_BACK[0], READ_BACK[1], (bits("FF 00"), b"\x1f")],
}


@pytest.mark.parametrize("name", NACKS)
def test_a_lasting_refusal_fails_the_write_and_tells_the_state(desk: Desk, name: str) -> None:
    link = Scripted([*ASKED, *(IDENTIFIED + NACKS[name]) * 3, *IN_STEP])
    result = desk.flash(link, APP, target="V2.0", chip=CHIP)
    assert (result.outcome, result.exit_code) == ("write-failed", 9)
    assert result.error is not None
    assert "bootloader still takes a new one" in result.error.hint


@pytest.mark.parametrize("name", NACKS)
def test_one_refusal_is_noise_and_the_write_begins_again(desk: Desk, name: str) -> None:
    again = [*IDENTIFIED, *ERASED, *WRITTEN, *READ_BACK]
    link = Scripted([*ASKED, *IDENTIFIED, *NACKS[name], *again, (ASK, NEW)])
    assert desk.flash(link, APP, target="V2.0", chip=CHIP).outcome == "updated"


NOISE: dict[str, Script] = {
    "a byte too many": [*READ_BACK[:2], (bits("FF 00"), A + b"\x00" + APP[:256])],
    "a byte too few": [*READ_BACK[:2], (bits("FF 00"), A + APP[1:256])],
    "another byte": [*READ_BACK[:2], (bits("FF 00"), A + b"\x01" + APP[1:256])],
    "another command": REFUSED,
}


@pytest.mark.parametrize("name", NOISE)
def test_noise_in_one_block_that_is_read_back_costs_one_more_read(desk: Desk, name: str) -> None:
    noisy = NOISE[name]
    link = Scripted([*ASKED, *IDENTIFIED, *ERASED, *WRITTEN, *noisy, *READ_BACK, (ASK, NEW)])
    assert desk.flash(link, APP, target="V2.0", chip=CHIP).outcome == "updated"


def test_noise_in_one_block_costs_one_repetition(desk: Desk) -> None:
    noisy = [WRITTEN[0], WRITTEN[1], (checked(b"\x2b" + APP[256:]), b"\x1f")]
    link = Scripted([*ASKED, *IDENTIFIED, *ERASED, *noisy, *WRITTEN, *READ_BACK, (ASK, NEW)])
    result = desk.flash(link, APP, target="V2.0", chip=CHIP)
    assert (result.outcome, result.retries) == ("updated", 1)


def test_a_bootloader_that_stops_answering_is_met_again(desk: Desk) -> None:
    stops: Script = [*ERASED, (bits("31 CE"), None)]
    link = Scripted([*ASKED, *IDENTIFIED, *stops, *IDENTIFIED, *ERASED, *WRITTEN, *READ_BACK, (ASK, NEW)])
    assert desk.flash(link, APP, target="V2.0", chip=CHIP).outcome == "updated"


def test_a_lost_port_leaves_the_write_to_the_next_run(desk: Desk) -> None:
    link = Scripted([*ASKED, *IDENTIFIED, *ERASED, (bits("31 CE"), lost())])
    result = desk.flash(link, APP, target="V2.0", chip=CHIP)
    assert (result.outcome, result.exit_code) == ("port", 4)


def test_a_chip_that_never_answers_is_silent_and_untouched(desk: Desk) -> None:
    link = Scripted([*ASKED, *[(b"\x7f", None)] * 60])
    result = desk.flash(link, APP, target="V2.0", chip=CHIP)
    assert (result.outcome, result.exit_code) == ("no-answer", 5)
    assert result.error is not None
    assert "BOOT0" in result.error.hint


@pytest.mark.parametrize(
    ("package", "word"),
    [
        (b"\x7fELF" + bytes(60), "ELF"),
        (b":10000000" + bytes(60), "HEX"),
        (b"PK\x03\x04" + bytes(60), "zip"),
        (b"\xff" * 64, "vector table"),
        (bits("00 50 00 20 00 01 00 08") + bytes(300), "vector table"),  # an even reset vector
        (bits("00 50 00 20 01 01 00 20") + bytes(300), "vector table"),  # a reset vector in SRAM
        (VECTORS + bytes(131_072), "region"),
    ],
)
def test_a_file_that_is_not_an_image_is_refused(desk: Desk, package: bytes, word: str) -> None:
    result = desk.flash(Scripted(ASKED), package, target="V2.0", chip=CHIP)
    assert (result.outcome, result.exit_code) == ("bad-package", 7)
    assert result.error is not None
    assert word in result.error.message
