"""A simulated chip in a process of its own, for programs of others."""

import sys
from pathlib import Path

import pytest

from atota.sim.chips.application import build_application
from tests.e2e.processes import Atota
from tests.sim.chips import judges

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals here")


def test_stm32flash_writes_a_chip_that_sim_module_serves(tmp_path: Path) -> None:
    (tmp_path / "app.bin").write_bytes(build_application("V1.1.0", base=0x0800_0000))
    with Atota(tmp_path, "sim", "module", "GD32", "--options", "boot=loader", "--speed", "10") as chip:
        port = chip.wait_for(lambda event: event["event"] == "ready")["port"]
        how = ("-b", "115200", "-m", "8n1", "-w", "app.bin", "-v", "-g", "0x08000000", port)
        assert judges.run(tmp_path, "stm32flash", *how).returncode == 0
        change = chip.wait_for(lambda event: event.get("change", "").startswith("now runs"))
        assert change["change"] == "now runs V1.1.0"
