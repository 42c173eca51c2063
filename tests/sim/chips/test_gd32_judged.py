"""The simulated GD32, judged by stm32flash. A pseudo-terminal carries no parity, so it is told 8N1."""

from pathlib import Path

import pytest

from atota.clock import ScaledClock
from atota.sim.chips.application import build_application
from atota.sim.chips.catalogue import make_chip
from atota.sim.chips.gd32 import FLASH, Gd32
from atota.sim.chips.options import ChipOptions
from tests.sim.chips import judges
from tests.sim.serving import on_pty

pytestmark = pytest.mark.skipif(not judges.IS_POSIX, reason="stm32flash needs a pseudo-terminal")


def chip(part: str = "GD32F103CB", *faults: str) -> Gd32:
    made = make_chip("GD32", ChipOptions(part=part, boot="loader"), faults=faults)
    assert isinstance(made, Gd32)
    return made


def flash(made: Gd32, folder: Path, *args: str) -> tuple[int, str]:
    """Run stm32flash against a chip; return its exit code and its output."""
    with on_pty(made, ScaledClock(10)) as port:
        done = judges.run(folder, "stm32flash", "-b", "115200", "-m", "8n1", *args, port)
    return done.returncode, done.stdout


def image(folder: Path, version: str = "V1.1.0", size: int = 20_000) -> Path:
    path = folder / "app.bin"
    path.write_bytes(build_application(version, base=FLASH, size=size))
    return path


@pytest.mark.parametrize("part", ["GD32F103CB", "GD32F303CC"])
def test_stm32flash_writes_verifies_and_starts_the_application(tmp_path: Path, part: str) -> None:
    made, path = chip(part), image(tmp_path)
    code, out = flash(made, tmp_path, "-w", str(path), "-v", "-g", "0x08000000")
    assert (code, "(100.00%) Done." in out, "Starting execution" in out) == (0, True, True)
    assert made.flash.read(FLASH, 20_000) == path.read_bytes()
    assert (made.mode, made.version, made.flash.misuses) == ("app", "V1.1.0", 0)


def test_stm32flash_reads_back_the_bytes_that_are_there(tmp_path: Path) -> None:
    made, copy = chip(), tmp_path / "copy.bin"
    code, _out = flash(made, tmp_path, "-r", str(copy), "-S", "0x08000000:8192")
    assert code == 0, (_out, made.history)
    assert (code, copy.read_bytes()) == (0, build_application("V1.0.0", base=FLASH))


def test_stm32flash_names_the_part(tmp_path: Path) -> None:
    code, out = flash(chip(), tmp_path)
    assert code == 0
    assert "Device ID    : 0x0410 (STM32F10xxx Medium-density)" in out


def test_stm32flash_sees_a_bad_cell(tmp_path: Path) -> None:
    made = chip("GD32F103CB", "flip-flash:5000")
    code, out = flash(made, tmp_path, "-w", str(image(tmp_path)), "-v")
    assert (code, "Failed to verify" in out) == (1, True)


def test_stm32flash_sees_a_clone_that_ignores_writes(tmp_path: Path) -> None:
    made = chip("GD32F103CB", "ignore-writes")
    assert flash(made, tmp_path, "-w", str(image(tmp_path)), "-v")[0] == 1


def test_stm32flash_is_refused_by_a_protected_chip_and_frees_it_by_a_mass_erase(tmp_path: Path) -> None:
    made = chip("GD32F103CB", "protected")
    assert flash(made, tmp_path, "-w", str(image(tmp_path)))[0] == 1
    assert made.stored == "V1.0.0"
    made.press(0.0, boot=True)
    made.tick(1.0)
    assert flash(made, tmp_path, "-k")[0] == 0
    assert not made.protected
    assert made.flash.read(FLASH, 1024) == b"\xff" * 1024
