"""The simulated esptool of `scripts/simulate`: each fault happens, and has the end that it must have."""

from pathlib import Path
from typing import Any

import pytest

from scripts.simulate_parts.chip_world import ChipWorld
from scripts.simulate_parts.runs import folder, simulate
from scripts.simulate_parts.scenario import Scenario, draw

ENDS = {
    "": "updated",
    "lazy:9": "old-version",
    "dies:1": "updated",
    "dies:9": "write-failed",
    "other:1": "updated",
    "other:9": "refused",
    "no-data:1": "updated",
    "no-data:50": "no-answer",
    "md5:1": "updated",
    "md5:9": "write-failed",
    "unsaid:9": "write-failed",
}


@pytest.mark.parametrize("fault", ENDS)
def test_a_fault_of_the_program_has_its_end(fault: str) -> None:
    faults = (f"h/esptool-{fault}",) if fault else ()
    run = simulate(Scenario(seed=3, model="esp32", size=9000, faults=faults))
    assert run.broken is None
    assert run.outcomes[0] == ENDS[fault]


def test_the_flash_holds_the_package_in_the_other_slot() -> None:
    world = ChipWorld(Scenario(seed=1, model="esp32", size=20_000), folder())
    try:
        result = world.attempt()
        assert result is not None
        assert result.outcome == "updated"
        assert world.chip.flash.read(0x110000, len(world.package)) == world.package
        assert world.chip.version == "V1.1.0"
    finally:
        world.close()


def test_esp32_is_drawn_with_faults_of_its_program() -> None:
    drawn = [draw(seed, is_chip=True) for seed in range(300)]
    faults: list[Any] = [fault for one in drawn if one.model == "esp32" for fault in one.faults]
    assert any(fault.startswith("h/esptool-") for fault in faults)
    assert any(fault.startswith("m/") for fault in faults)


def test_it_shares_no_code_with_the_flasher() -> None:
    """But for the struct of a program's end, which the seam between them hands over."""
    text = Path("scripts/simulate_parts/esptool.py").read_text()
    imports = [line for line in text.splitlines() if line.startswith("from atota.sota")]
    assert imports == ["from atota.sota.program import Ended"]
