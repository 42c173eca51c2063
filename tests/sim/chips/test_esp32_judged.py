"""The simulated ESP32, judged by esptool and espefuse."""

import json
from pathlib import Path

import pytest

from atota.clock import ScaledClock
from atota.sim.chips import esp_image
from atota.sim.chips.catalogue import make_chip
from atota.sim.chips.esp32 import Esp32
from atota.sim.chips.options import ChipOptions
from tests.sim.chips import judges
from tests.sim.serving import on_pty, on_tcp

SLOT_1 = 0x110000


def chip(*faults: str) -> Esp32:
    made = make_chip("ESP32", ChipOptions(boot="loader", serial="02aabbccddee"), faults=faults)
    assert isinstance(made, Esp32)
    return made


def esptool(made: Esp32, folder: Path, *args: str, tool: str = "esptool") -> tuple[int, str]:
    """Run esptool against a chip that stays in its loader; return its exit code and its output."""
    how = ("--chip", "esp32", "--before", "no-reset", *(("--after", "no-reset") if tool == "esptool" else ()))
    with on_tcp(made, ScaledClock(10)) as port:
        done = judges.run(folder, tool, *how, "--port", port, *args)
    return done.returncode, done.stdout


def restarted(made: Esp32) -> str:
    """Reset a chip with its boot pin let go; return the version that runs."""
    made.press(0.0, boot=False)
    made.tick(1.0)
    return made.version


def files(folder: Path) -> tuple[str, str]:
    (folder / "app.bin").write_bytes(esp_image.build_image("V1.1.0", size=30_000))
    (folder / "otadata.bin").write_bytes(esp_image.build_entry(2))
    return "app.bin", "otadata.bin"


@pytest.mark.parametrize("stub", [(), ("--no-stub",)], ids=["stub", "ROM"])
def test_esptool_writes_and_verifies_an_application_and_switches(
    tmp_path: Path, stub: tuple[str, ...]
) -> None:
    made, (app, entry) = chip(), files(tmp_path)
    code, out = esptool(made, tmp_path, *stub, "write-flash", hex(SLOT_1), app, "0xe000", entry)
    assert (code, out.count("Hash of data verified.")) == (0, 2)
    assert made.flash.misuses == 0
    assert restarted(made) == "V1.1.0"
    assert made.slot == "ota_1"


def test_esptool_takes_the_image_for_an_esp_idf_application(tmp_path: Path) -> None:
    done = judges.run(tmp_path, "esptool", "--chip", "esp32", "image-info", files(tmp_path)[0])
    assert done.returncode == 0
    assert "App version: V1.1.0" in done.stdout
    assert done.stdout.count("(valid)") == 2  # the checksum and the digest


@pytest.mark.parametrize("stub", [(), ("--no-stub",)], ids=["stub", "ROM"])
def test_esptool_reads_the_partition_table(tmp_path: Path, stub: tuple[str, ...]) -> None:
    code, _out = esptool(chip(), tmp_path, *stub, "read-flash", "0x8000", "0xc00", "table.bin")
    assert (code, (tmp_path / "table.bin").read_bytes()) == (0, esp_image.build_table(esp_image.TWO_SLOTS))


def test_esptool_sees_a_bad_cell(tmp_path: Path) -> None:
    made, (app, _entry) = chip("flip-flash:20000"), files(tmp_path)
    code, out = esptool(made, tmp_path, "write-flash", hex(SLOT_1), app)
    assert (code, "MD5 of file does not match data in flash!" in out) == (2, True)


@pytest.mark.parametrize(
    ("fault", "code"), [("encrypted", 0), ("encrypted-release", 2)], ids=["development", "release"]
)
def test_esptool_writes_a_plain_image_to_an_encrypted_chip_only_in_development_mode(
    tmp_path: Path, fault: str, code: int
) -> None:
    made, (app, entry) = chip(fault), files(tmp_path)
    words = ("write-flash", hex(SLOT_1), app, "0x10000", app, "0xe000", entry)
    assert esptool(made, tmp_path, *words)[0] == code
    assert restarted(made) == ("" if code == 0 else "V1.0.0")  # what it wrote does not boot


def test_esptool_does_not_get_security_info_of_an_esp32(tmp_path: Path) -> None:
    code, out = esptool(chip(), tmp_path, "--no-stub", "get-security-info")
    assert (code, "Failed to get security info" in out) == (2, True)


def test_espefuse_reads_the_security_state(tmp_path: Path) -> None:
    summary = ("summary", "--format", "json", "--file", "efuses.json")
    code, _out = esptool(chip("encrypted+secure-boot"), tmp_path, *summary, tool="espefuse")
    fuses = json.loads((tmp_path / "efuses.json").read_text())
    assert code == 0
    shown = [fuses[name]["value"] for name in ("FLASH_CRYPT_CNT", "ABS_DONE_0", "ABS_DONE_1")]
    assert shown == [1, True, False]
    assert fuses["UART_DOWNLOAD_DIS"]["value"] is False
    assert fuses["MAC"]["value"].startswith("02:aa:bb:cc:dd:ee (CRC 0x2a OK)")


def test_esptool_enters_and_leaves_the_loader_by_the_lines_of_an_rfc_2217_port(tmp_path: Path) -> None:
    made = make_chip("ESP32", ChipOptions(serial="02aabbccddee"))
    with on_tcp(made, ScaledClock(1), rfc2217=True) as port:
        done = judges.run(tmp_path, "esptool", "--chip", "esp32", "--port", port, "--no-stub", "read-mac")
    assert (done.returncode, "02:aa:bb:cc:dd:ee" in done.stdout) == (0, True)
    assert [change for change in made.history if change != "held in reset"] == [
        "now runs V1.0.0",
        "the loader runs",
        "now runs V1.0.0",
    ]


@pytest.mark.skipif(not judges.IS_POSIX, reason="there are no pseudo-terminals here")
def test_esptool_changes_the_rate_on_a_pty(tmp_path: Path) -> None:
    made, (app, _entry) = chip(), files(tmp_path)
    how = ("--chip", "esp32", "--before", "no-reset", "--after", "no-reset", "--baud", "460800")
    with on_pty(made, ScaledClock(10)) as port:
        done = judges.run(tmp_path, "esptool", *how, "--port", port, "write-flash", hex(SLOT_1), app)
    assert (done.returncode, "at 460800 baud" in made.history) == (0, True)
    assert made.flash.read(SLOT_1, 100) == (tmp_path / app).read_bytes()[:100]
