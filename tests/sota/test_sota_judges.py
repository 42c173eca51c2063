"""Real programs and bootloaders: stm32flash on a simulated GD32, MCUboot in QEMU, parity by RFC 2217."""

import shutil
from pathlib import Path

import pytest

from atota.settings.board import decode_board
from atota.settings.spec import JobSpec, LocalPackage
from atota.sim.chips.application import build_application
from atota.sim.chips.catalogue import make_chip
from atota.sim.chips.options import ChipOptions
from atota.sota.smp import parse_mcuboot
from atota.update.job import Job
from atota.values import Digests
from tests.sim.chips.qemu import fixture, recovery
from tests.sim.serving import on_pty, on_tcp

BOARD = r"""
name = "bench"
model = "other"
[chip]
identify = "none"  # a bootloader would take a question for the rate of its first byte
flash = [
  "stm32flash", "-b", "115200", "-m", "8n1", "-w", "{package}", "-v", "-S", "{address}",
  "-g", "{address}", "{port}",
]
need = 'Starting execution at address 0x08000000\.\.\. done'
percent = '\(([0-9.]+)%\)'
version = { send = "AT+VER\r\n", expect = 'VER:(\S+)', within_s = 5 }
"""


@pytest.mark.skipif(shutil.which("stm32flash") is None, reason="stm32flash is not installed")
def test_stm32flash_by_a_board_file_alone_updates_a_chip(tmp_path: Path) -> None:
    package = tmp_path / "app.bin"
    package.write_bytes(build_application("V1.1.0", base=0x08000000, size=5000))
    digest = Digests.of(package.read_bytes()).md5
    chip = make_chip("GD32", ChipOptions(boot="loader"))
    with on_pty(chip) as port:
        spec = JobSpec(
            port=port,
            task_type="sota",
            board=decode_board(BOARD, name="bench.toml"),
            package=LocalPackage(package, digest, "V1.1.0"),
        )
        result = Job(spec).run()
    assert (result.outcome, result.error) == ("updated", None)
    assert chip.version == "V1.1.0"


def test_a_gd32_behind_a_network_port_is_spoken_to_with_even_parity(tmp_path: Path) -> None:
    """The simulated wire makes noise of characters with a wrong parity, and RFC 2217 carries the setting."""
    package = tmp_path / "app.bin"
    package.write_bytes(build_application("V1.1.0", base=0x08000000, size=2000))
    chip = make_chip("GD32", ChipOptions())
    with on_tcp(chip, rfc2217=True) as port:
        spec = JobSpec(
            port=port,
            task_type="sota",
            model="GD32",
            package=LocalPackage(package, Digests.of(package.read_bytes()).md5, "V1.1.0"),
        )
        result = Job(spec).run()
    assert (result.outcome, result.error) == ("updated", None)
    assert chip.version == "V1.1.0"


@pytest.mark.timeout(150)
def test_real_mcuboot_is_updated_by_its_serial_recovery(tmp_path: Path) -> None:
    """Set ATOTA_TEST_MCUBOOT to try it; `tests.sim.chips.qemu` says how."""
    package = tmp_path / "app.signed.bin"
    package.write_bytes(fixture(".signed.bin").read_bytes())
    image = parse_mcuboot(package.read_bytes())
    with recovery() as port:
        spec = JobSpec(
            port=port,
            task_type="sota",
            model="nrf52832",
            package=LocalPackage(package, Digests.of(package.read_bytes()).md5, image.version),
        )
        result = Job(spec).run()
    assert (result.outcome, result.error) == ("updated", None)
