"""Real programs in the runner: stm32flash on a simulated GD32 behind a pty."""

import shutil
from pathlib import Path

import pytest

from atota.settings.board import decode_board
from atota.settings.spec import JobSpec, LocalPackage
from atota.sim.chips.application import build_application
from atota.sim.chips.catalogue import make_chip
from atota.sim.chips.options import ChipOptions
from atota.update.job import Job
from atota.values import Digests
from tests.sim.serving import on_pty

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
