"""ESP32: the slot, the entry that selects it, and everything that esptool lets pass and atota does not."""

import sqlite3
import struct
from pathlib import Path

import pytest

from atota.clock import SystemClock
from atota.journal.store import Journal
from atota.update.events import JobEvent, JobResult, StageEvent
from tests.sota.espressif import FACTORY, OPEN, TWO, Esp, entry, image, table
from tests.sota.scripted import Desk

OLD, NEW = image("1.0.0"), image("1.1.0")


@pytest.fixture
def esp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Esp:
    return made(tmp_path, monkeypatch)


def made(folder: Path, monkeypatch: pytest.MonkeyPatch, **how: object) -> Esp:
    chip = Esp(folder, **how)  # type: ignore[arg-type]
    chip.put(0x10000, OLD)
    monkeypatch.setattr("atota.sota.esp32.command_of", chip.command)
    return chip


def flash(desk: Desk, esp: Esp, package: bytes = NEW, target: str = "1.1.0", chip: str = "") -> JobResult:
    return desk.flash(esp, package, target=target, chip=chip, model="ESP32")


def written(esp: Esp) -> list[str]:
    """The addresses that were written, in order."""
    return [call[call.index("write-flash") + 1] for call in esp.calls if "write-flash" in call]


def test_the_slot_that_does_not_boot_is_written_and_then_selected(desk: Desk, esp: Esp) -> None:
    result = flash(desk, esp)
    assert (result.outcome, result.error) == ("updated", None)
    assert (result.version_before, result.version_after) == ("1.0.0", "1.1.0")
    assert written(esp) == ["0x20000", "0xe000"]
    assert esp.flash[0x20000 : 0x20000 + len(NEW)] == NEW
    assert esp.flash[0x10000 : 0x10000 + len(OLD)] == OLD
    assert esp.flash[0xD000:0xD020] == entry(1)  # the other sector stays as it was
    assert esp.flash[0xE000:0xE020] == bytes.fromhex("02000000" + "ff" * 24 + "74370ff6")[:28] + entry(2)[28:]
    assert esp.flash[0xE020:0xF000] == b"\xff" * 0xFE0


def test_the_check_word_of_the_first_entry_is_the_published_one() -> None:
    from atota.sota.esp_image import selection_sector

    assert selection_sector(1)[:4] + selection_sector(1)[28:32] == bytes.fromhex("01000000 9a984347")


def test_esptool_gets_the_lines_of_the_board_and_leaves_the_chip_in_its_loader(desk: Desk, esp: Esp) -> None:
    assert flash(desk, esp).outcome == "updated"
    assert all("default-reset" in call for call in esp.calls)
    assert all(call[call.index("--after") + 1] == "no-reset" for call in esp.calls if call[0] == "esptool")


def test_after_two_updates_the_chip_is_back_in_its_first_slot(desk: Desk, esp: Esp) -> None:
    assert flash(desk, esp).outcome == "updated"
    assert flash(desk, esp, image("1.2.0"), "1.2.0").outcome == "updated"
    assert written(esp) == ["0x20000", "0xe000", "0x10000", "0xd000"]
    assert struct.unpack_from("<I", esp.flash, 0xD000)[0] == 3


CORRUPT = {
    "no entry": (b"\xff" * 32, b"\xff" * 32),
    "a check word that does not fit": (entry(7, crc=1), b"\xff" * 32),
    "a slot that was rolled back": (entry(2, state=4), b"\xff" * 32),
}


@pytest.mark.parametrize("name", CORRUPT)
def test_otadata_without_a_valid_entry_means_the_first_slot_boots(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    esp = made(tmp_path, monkeypatch, selected=CORRUPT[name])
    result = flash(desk, esp)
    assert (result.outcome, result.error) == ("updated", None)
    assert written(esp) == ["0x20000", "0xd000"]


def test_a_factory_only_table_is_overwritten_in_place(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    esp = made(tmp_path, monkeypatch, layout=FACTORY)
    result = flash(desk, esp)
    assert (result.outcome, result.error) == ("updated", None)
    assert written(esp) == ["0x10000"]
    assert any("one place" in str(event) for event in desk.events)


def test_the_old_slot_that_boots_is_never_success(desk: Desk, esp: Esp) -> None:
    esp.is_stubborn = True
    result = flash(desk, esp)
    assert (result.outcome, result.exit_code) == ("old-version", 12)
    assert result.error is not None
    assert "from 0x10000; 0x20000 was written" in result.error.message


def test_a_console_that_is_silent_is_not_confirmed(desk: Desk, esp: Esp) -> None:
    esp.is_quiet = True
    result = flash(desk, esp)
    assert (result.outcome, result.exit_code) == ("unknown-after-reboot", 11)


IMAGES = {
    "an image for the ESP32-C3": (image("1.1.0", chip=5), "esp32c3"),
    "random bytes": (bytes(range(1, 256)) * 20, "not an ESP-IDF image"),
    "a merged image": (b"\xff" * 0x1000 + image("1.1.0"), "merged image"),
    "a flipped bit": (NEW[:700] + bytes((NEW[700] ^ 1,)) + NEW[701:], "checksum"),
    "a wrong digest": (NEW[:-1] + bytes((NEW[-1] ^ 1,)), "SHA-256"),
    "a cut image": (NEW[:1500], "cut off"),
    "no descriptor": (NEW[:0x20] + bytes(4) + NEW[0x24:], "descriptor"),
    "another version": (image("1.3.0"), "'1.3.0', and not 1.1.0"),
    "bytes behind the application": (NEW + b"more", "behind the application"),
}


@pytest.mark.parametrize("name", IMAGES)
def test_a_wrong_package_is_refused_before_the_chip_is_met(desk: Desk, esp: Esp, name: str) -> None:
    package, word = IMAGES[name]
    result = flash(desk, esp, package)
    assert (result.outcome, result.exit_code) == ("bad-package", 7)
    assert result.error is not None
    assert word in result.error.message
    assert esp.calls == []


def test_a_package_one_byte_larger_than_the_slot_is_refused(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(NEW) - 1
    small = table(
        (1, 0, 0xD000, 0x2000, "otadata"),
        (0, 0x10, 0x10000, 0x10000, "ota_0"),
        (0, 0x11, 0x20000, size, "ota_1"),
    )
    esp = made(tmp_path, monkeypatch, layout=small)
    result = flash(desk, esp)
    assert (result.outcome, result.exit_code) == ("bad-package", 7)
    assert written(esp) == []
    assert result.error is not None
    assert f"only {size}" in result.error.message


FUSES: dict[str, dict[str, dict[str, object]]] = {
    "flash encryption": {"FLASH_CRYPT_CNT": {"value": 1}},
    "flash encryption after three changes": {"FLASH_CRYPT_CNT": {"value": 7}},
    "flash encryption of newer chips": {"SPI_BOOT_CRYPT_CNT": {"value": "Enable"}},
    "secure boot 1": {"ABS_DONE_0": {"value": True}},
    "secure boot 2": {"ABS_DONE_1": {"value": True}},
}


@pytest.mark.parametrize("name", FUSES)
def test_a_protected_chip_is_refused_before_the_first_erase(desk: Desk, esp: Esp, name: str) -> None:
    esp.fuses = {**OPEN, **FUSES[name]} if "newer" not in name else dict(FUSES[name])
    esp.behave()
    result = flash(desk, esp)
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert written(esp) == []


def signed(package: bytes) -> bytes:
    """The package with a signature sector of secure boot V2 behind it, at the next 4 KiB."""
    return package + b"\xff" * (-len(package) % 0x1000) + b"\xe7\x02" + b"\x5a" * 0xFFE


@pytest.mark.parametrize(
    ("package", "chip", "outcome"),
    [
        (signed(NEW), "secure_boot = 'signed'", "updated"),
        (signed(NEW), "", "refused"),
        (NEW, "secure_boot = 'signed'", "refused"),
    ],
    ids=["signed and declared", "signed and not declared", "declared and not signed"],
)
def test_secure_boot_takes_a_signed_package_of_a_board_that_says_so(
    desk: Desk, esp: Esp, package: bytes, chip: str, outcome: str
) -> None:
    esp.fuses = {**OPEN, "ABS_DONE_1": {"value": True}}
    esp.behave()
    assert flash(desk, esp, package, chip=chip).outcome == outcome
    assert bool(written(esp)) == (outcome == "updated")


def test_an_application_partition_below_the_table_is_never_written(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secure boot V1 and a plain chip alike: the second-stage bootloader is there."""
    layout = table((0, 0, 0x1000, 0x7000, "factory"))
    esp = made(tmp_path, monkeypatch, layout=layout)
    result = flash(desk, esp)
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert result.error is not None
    assert "below the partition table" in result.error.message
    assert written(esp) == []


def test_a_table_without_an_application_is_refused(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    esp = made(tmp_path, monkeypatch, layout=table((1, 2, 0x9000, 0x4000, "nvs")))
    assert flash(desk, esp).outcome == "refused"
    assert written(esp) == []


def test_encryption_that_was_switched_off_again_is_not_encryption(desk: Desk, esp: Esp) -> None:
    esp.fuses = {**OPEN, "FLASH_CRYPT_CNT": {"value": 3}}
    esp.behave()
    assert flash(desk, esp).outcome == "updated"


def test_fuses_that_cannot_be_read_are_a_refusal(desk: Desk, esp: Esp) -> None:
    esp.fuses = {"FLASH_CRYPT_CNT": 5}
    esp.behave()
    result = flash(desk, esp)
    assert result.outcome == "refused"
    assert written(esp) == []


@pytest.mark.parametrize(("layout", "word"), [(b"", "no partition table"), (TWO[:-1] + b"\0", "damaged")])
def test_a_table_that_cannot_be_trusted_is_a_refusal(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: bytes, word: str
) -> None:
    esp = made(tmp_path, monkeypatch, layout=layout)
    result = flash(desk, esp)
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert result.error is not None
    assert word in result.error.message
    assert written(esp) == []


def test_flash_that_differs_once_is_written_again_slowly(desk: Desk, esp: Esp) -> None:
    esp.behave(sabotage=1)
    assert flash(desk, esp).outcome == "updated"
    rates = [call[call.index("--baud") + 1] for call in esp.calls if "write-flash" in call]
    assert rates == ["460800", "115200", "115200"]


def test_flash_that_differs_twice_is_given_up(desk: Desk, esp: Esp) -> None:
    esp.behave(sabotage=9)
    result = flash(desk, esp)
    assert (result.outcome, result.exit_code) == ("write-failed", 9)
    assert len(written(esp)) == 2
    assert result.error is not None
    assert "old application" in result.error.hint


def test_a_tool_that_exits_0_and_did_nothing_leaves_the_old_version(desk: Desk, esp: Esp) -> None:
    esp.behave(lazy=True)
    assert flash(desk, esp).outcome == "old-version"


def test_a_write_without_a_digest_is_not_activated(desk: Desk, esp: Esp) -> None:
    esp.behave(unverified=True)
    result = flash(desk, esp)
    assert (result.outcome, result.exit_code) == ("write-failed", 9)
    assert written(esp) == ["0x20000"]


def test_a_chip_that_did_not_enter_its_bootloader_is_told_with_the_buttons(desk: Desk, esp: Esp) -> None:
    esp.behave(mute=True)
    result = flash(desk, esp)
    assert (result.outcome, result.exit_code) == ("no-answer", 5)
    assert result.error is not None
    assert "0x13" in result.error.message
    assert "BOOT" in result.error.hint


def test_another_chip_on_the_board_is_refused(desk: Desk, esp: Esp) -> None:
    esp.behave(other=99)
    result = flash(desk, esp)
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert result.error is not None
    assert "ESP32-C3" in result.error.message


def test_a_chip_that_is_misread_once_is_read_again(desk: Desk, esp: Esp) -> None:
    esp.behave(other=1)
    assert flash(desk, esp).outcome == "updated"


def test_noise_on_the_wire_is_given_up_after_the_retries(desk: Desk, esp: Esp) -> None:
    esp.behave(broken=True)
    result = flash(desk, esp)
    assert (result.outcome, result.exit_code) == ("write-failed", 9)


class Killed(Exception):
    """The process ends here."""


@pytest.mark.parametrize("stage", ["prepare", "write", "validate", "activate", "reboot", "confirm"])
def test_a_process_killed_at_any_stage_ends_updated_when_it_is_run_again(
    desk: Desk, esp: Esp, stage: str
) -> None:
    disk = sqlite3.connect(":memory:")

    def kill(event: JobEvent) -> None:
        if isinstance(event, StageEvent) and (event.stage, event.state) == (stage, "started"):
            raise Killed

    desk.on_event, desk.journal = kill, Journal.on(disk, clock=SystemClock(), owner="1")
    with pytest.raises(Killed):
        flash(desk, esp)
    desk.on_event, desk.journal = lambda _: None, Journal.on(disk, clock=SystemClock(), owner="2")
    assert flash(desk, esp).outcome in ("updated", "already-current")
    assert flash(desk, esp).outcome == "already-current"
    assert esp.flash[0x10000 : 0x10000 + len(OLD)] == OLD


def test_arduino_builds_need_a_version_of_their_own(desk: Desk, esp: Esp) -> None:
    package = image("esp-idf: v4.4.7 38eeba213a", project="arduino-lib-builder")
    result = flash(desk, esp, package)
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert result.error is not None
    assert "Arduino" in result.error.message
    own = "version = { banner = 'fw (\\S+)' }"
    assert flash(desk, esp, package, chip=own).outcome == "unknown-after-reboot"


def test_a_missing_esptool_is_refused_with_the_way_to_install_it(
    desk: Desk, esp: Esp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atota.sota.esptool.importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr("atota.sota.esptool.find_program", lambda _name: None)
    result = flash(desk, esp)
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert result.error is not None
    assert "pip install 'atota[esp32]'" in result.error.hint


def test_an_esptool_that_is_too_old_is_refused(desk: Desk, esp: Esp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atota.sota.esptool.version", lambda _name: "4.8.1")
    result = flash(desk, esp)
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert result.error is not None
    assert "4.8.1 is too old" in result.error.message
