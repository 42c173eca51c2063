"""esptool and espefuse as they behave, in simulated time, on the flash of a simulated ESP32.

The real program lives in real time, so thousands of jobs cannot run it; tests hold it against the same
simulated chip (`tests/sim/chips/test_esp32_judged.py`). The behaviour and the words here are those of
esptool 5.6: its documentation, and the output of the real one. It shares no code with `atota.sota`.

Faults of the program, ``h/esptool-NAME:TIMES``:

    lazy      it ends with 0 and wrote nothing
    dies      it ends in the middle of a write: "Serial data stream stopped"
    other     the chip is taken for another one, as noise does it
    no-data   "No serial data received"
    md5       the flash does not hold what was written
    unsaid    it ends with 0, and does not say that it verified
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from atota.sim.chips.chip import Interrupted
from atota.sim.chips.esp32 import Esp32
from atota.sim.chips.memory import PowerCut
from atota.sota.program import Ended

if TYPE_CHECKING:
    from scripts.simulate_parts.chip_world import ChipWorld

FAULTS = ("lazy", "dies", "other", "no-data", "md5", "unsaid")
_START_S = 0.5
"""Time of a call until it speaks to the chip: sota.md, section 1."""
_SECTOR, _BLOCK = 0x1000, 0x4000
_ERASE_S = 0.045
_STEP = re.compile(r"([DRW])([0-9.]+)")


class _Fatal(Exception):
    """The reason with which a call ends."""


class Esptool:
    """The program on one bench.

    Attributes:
        struck: the faults of the program that occurred.
    """

    def __init__(self, world: "ChipWorld") -> None:
        self._world = world
        self.struck: list[str] = []
        self.left = {
            name.removeprefix("esptool-"): int(times)
            for name, _, times in (fault.partition(":") for fault in world.scenario.of("h"))
            if name.startswith("esptool-")
        }

    def run(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,  # noqa: ARG002 - it writes nothing there
        limit_s: float,  # noqa: ARG002 - it is never so slow
        quiet_s: float,  # noqa: ARG002
        check: Callable[[], None],
        on_line: Callable[[str], None],
        more: dict[str, str] | None = None,
    ) -> Ended:
        """Run one call, as `atota.sota.program.run_program` does."""
        self._check, self._lines = check, list[str]()
        self._on_line = on_line
        program, *words = arguments
        options: dict[str, str] = {}
        while words and words[0].startswith("--"):
            name, value, *words = words
            options[name] = value
        try:
            self._pass(_START_S)
            self._connect(Path((more or {})["ESPTOOL_CFGFILE"]).read_text(encoding="utf-8"))
            self._carry_out(program, words, int(options.get("--baud", "115200")))
        except _Fatal as fatal:
            self._say(f"A fatal error occurred: {fatal}")
            return Ended(2, tuple(self._lines))
        finally:
            if self._world.link is not None:
                self._world.link.close()
        return Ended(0, tuple(self._lines))

    def _strikes(self, name: str) -> bool:
        """Return True if a fault of the program occurs now."""
        if self.left.get(name, 0) <= 0:
            return False
        self.left[name] -= 1
        self.struck.append(name)
        return True

    def _say(self, line: str) -> None:
        self._lines.append(line)
        self._on_line(line)

    def _pass(self, seconds: float) -> None:
        self._world.alive()
        self._check()
        self._world.clock.sleep(seconds)
        self._world.catch_up()

    # -- the chip ------------------------------------------------------------------------------------

    def _connect(self, config: str) -> None:
        """Drive the lines as the configuration file says, and meet the loader."""
        world, chip = self._world, self._world.chip
        assert world.link is not None
        if chip.unplugged and not world.healed:
            raise _Fatal("Could not open /dev/ttyUSB0, the port is busy or doesn't exist.")
        if not world.link.in_use:
            world.link = world.link.replug(115200)
        for name, value in _STEP.findall(config.partition("=")[2]):
            if name == "W":
                self._pass(float(value))
            else:
                is_on = value == "1"
                world.link.set_lines(dtr=is_on if name == "D" else None, rts=is_on if name == "R" else None)
        self._pass(0.1)
        if self._strikes("no-data") or chip.silent:
            raise _Fatal("Failed to connect to ESP32: No serial data received.")
        if chip.mode != "loader":
            raise _Fatal("Failed to connect to ESP32: Wrong boot mode detected (0x13)!")
        self._meet("sync")
        if self._strikes("other"):
            raise _Fatal("This chip is ESP32-S2, not ESP32. Wrong chip argument?")
        self._say("Connected to ESP32 on /dev/ttyUSB0:")

    def _meet(self, command: str, piece: int | None = None) -> None:
        """Have the loader take one command, which the faults of the chip may strike."""
        self._world.after("command")
        chip = self._world.chip
        try:
            verdict = chip.meet(command, piece)
        except Interrupted:
            chip.restart(self._world.clock.monotonic())
            raise _Fatal("The chip stopped responding.") from None
        if chip.unplugged:
            raise _Fatal("Could not configure port: (5, 'Input/output error')")
        if verdict == "unheard":
            raise _Fatal("Serial data stream stopped: Possible serial noise or corruption.")
        if verdict == "nack":
            raise _Fatal("Failed to write to target flash after seq 0 (result was 0106: Operation failed)")

    def _carry_out(self, program: str, words: list[str], baud: int) -> None:
        if program == "espefuse":
            self._meet("read-reg")
            Path(words[words.index("--file") + 1]).write_text(json.dumps(self._fuses()), encoding="utf-8")
        elif words[0] == "read-flash":
            address, size = int(words[1], 16), int(words[2], 16)
            self._meet("read-flash")
            self._pass(size * 10 / baud)
            Path(words[3]).write_bytes(self._world.chip.flash.read(address, size))
        else:
            self._write(int(words[1], 16), Path(words[2]).read_bytes(), baud)

    def _fuses(self) -> dict[str, dict[str, object]]:
        chip = self._world.chip
        assert isinstance(chip, Esp32)
        return {
            "FLASH_CRYPT_CNT": {"value": int(chip.is_encrypted)},
            "ABS_DONE_0": {"value": chip.faults.lasts("secure-boot") is not None},
            "ABS_DONE_1": {"value": chip.needs_signature},
        }

    def _write(self, address: int, data: bytes, baud: int) -> None:
        """Erase, write block by block, and compare by MD5."""
        if not self._strikes("lazy"):
            try:
                self._store(address, data, baud)
            except PowerCut:
                self._world.chip.restart(self._world.clock.monotonic())
                raise _Fatal("Serial data stream stopped: Possible serial noise or corruption.") from None
            self._meet("md5")
            if self._strikes("md5") or self._world.chip.flash.read(address, len(data)) != data:
                raise _Fatal("MD5 of file does not match data in flash!")
        if not self._strikes("unsaid"):
            self._say("Hash of data verified.")

    def _store(self, address: int, data: bytes, baud: int) -> None:
        flash = self._world.chip.flash
        self._meet("begin")
        for at in range(address, address + len(data), _SECTOR):
            self._pass(_ERASE_S)
            flash.erase(at, _SECTOR)
        dies_at = len(data) // 2 if self._strikes("dies") else len(data) + 1
        for at in range(0, len(data), _BLOCK):
            block = data[at : at + _BLOCK]
            if at + len(block) >= dies_at:
                flash.write(address + at, block[: dies_at - at])
                raise _Fatal("Serial data stream stopped: Possible serial noise or corruption.")
            self._meet("data", self._world.chip.pieces)
            self._pass(len(block) * 10 / baud)
            flash.write(address + at, block)
            self._world.chip.pieces += 1
            done = min(len(data), at + _BLOCK)
            self._say(f"Writing at 0x{address + at:08x} [===>] {100 * done / len(data):.1f}% [0s]")
