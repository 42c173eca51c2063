"""One chip in place of the module, and its judge: what else its promises are, against its true state."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from atota.errors import LinkError
from atota.link.base import Link
from atota.settings.board import decode_board
from atota.sim.chips.catalogue import make_chip
from atota.sim.chips.chip import SimChip
from atota.sim.chips.options import ChipOptions
from atota.sim.faults import FaultPlan
from atota.sim.link import SimLink
from atota.sim.options import Options
from atota.sota import esp32
from atota.sota.opening import open_chip
from atota.update.events import JobResult
from scripts.simulate_parts.chips import CHIPS, ChipKind
from scripts.simulate_parts.esptool import Esptool
from scripts.simulate_parts.judge import GOOD, UNTOUCHED, Broken, Judge
from scripts.simulate_parts.scenario import Scenario
from scripts.simulate_parts.world import World


class ChipState:
    """The true state of a chip in the words of a module's.

    A chip decides itself if it starts what is in its flash, so a start is an erase here: with the first one
    the old application may be gone.
    """

    updating = False

    def __init__(self, chip: SimChip, kind: ChipKind) -> None:
        self.chip = chip
        self._kind = kind

    @property
    def version(self) -> str:
        """The version of the running application; while the loader runs, of the one in flash."""
        chip = self.chip
        version = chip.version if chip.mode in ("app", "hung") else chip.stored or ""
        return version.removeprefix("V") if self._kind.is_named_by_image else version

    @property
    def starts(self) -> range:
        return range(self.chip.flash.erases)

    @property
    def updates(self) -> int:
        return int(self.chip.flash.taken > 0)

    @property
    def faults(self) -> FaultPlan:
        return self.chip.faults

    @property
    def silent(self) -> bool:
        return self.chip.silent

    @property
    def dead(self) -> bool:
        return self.chip.mode == "hung"

    @property
    def unplugged(self) -> bool:
        return self.chip.unplugged

    def heal(self, now: float) -> None:
        self.chip.heal(now)


class ChipWorld(World):
    """A bench with a chip."""

    module: ChipState  # type: ignore[assignment]

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.kind = CHIPS[scenario.model]
        super().__init__(scenario, folder)
        self.ran = {self.module.version}
        self.esptool = Esptool(self)
        for name, stand_in in (
            ("run_program", self.esptool.run),
            ("version_problem", lambda: None),
            ("command_of", lambda program: (program,)),
        ):
            self._stack.enter_context(patch.object(esp32, name, stand_in))

    def furnish(
        self,
        model: str,
        options: Options | None,  # noqa: ARG002 - those of a module
        faults: str,
        *,
        size: int,
        **_more: object,
    ) -> None:
        """Make the chip and its package."""
        kind = self.kind
        chip = ChipOptions(protocol=kind.protocol, serial="02" + "0" * 9 + "1", seed=self.scenario.seed)
        self.chip = make_chip(kind.model, chip, faults=faults and (faults,), on_change=self._on_change)
        self.model = model
        _manuf, _code, self.base, self.target = kind.row
        self.package = kind.package(size)
        self.module = ChipState(self.chip, kind)

    def _on_change(self, change: str) -> None:
        if change.startswith("now runs"):
            self.ran.add(self.module.version)

    def open_link(self, baud: int | None) -> Link:
        """Open the chip's port."""
        if self.link is None:
            self.link = SimLink(
                self.chip, self.clock, baud=baud or self.chip.app_baud, timer_s=self._timer_s, latency_s=0.0
            )
            return self._wrap(self.link)
        return super().open_link(baud)

    def heal(self, *, power_cycle: bool) -> None:
        """Repair the program that writes the chip, too."""
        super().heal(power_cycle=power_cycle)
        self.esptool.left.clear()

    @property
    def runs_target(self) -> bool:
        """True if the application runs: what the loader leaves in flash may be unproven."""
        return super().runs_target and self.chip.mode == "app"

    def catch_up(self) -> None:
        """Let the chip do what was due while no process looked: a bootloader copies by itself."""
        if self.link is not None:
            self.link._wire.advance(self.clock.monotonic())  # noqa: SLF001 - no time passes

    def opening(self) -> Callable[[str, int], Link]:
        """Return the opener of the ports of one process: an adapter that is not there cannot be opened."""
        is_first = True

        def opened(port: str, baud: int) -> Link:
            nonlocal is_first
            self.alive()
            is_gone = is_first or port == "/dev/ttyUSB0"
            if is_gone and self.chip.unplugged and not self.healed:
                raise LinkError("the port is not there")
            is_first = False
            return self.open_link(baud)

        return opened

    def options(self) -> dict[str, Any]:
        """Return the fields of a job's spec."""
        self.targets = partial(open_chip, adapters=self.adapters, opener=self.opening())
        board = decode_board(self.kind.board, name="b.toml") if self.kind.board else None
        return super().options() | {"task_type": "sota", "model": self.kind.model, "board": board}

    def _weigh_query(self, query: Mapping[str, str]) -> None:
        """Check that a query is for a version that the chip runs, or ran before it was cut."""
        codes = (query["manuf"], query["model"]) if "manuf" in query else self.codes
        if query["version"] not in self.ran or codes != self.codes:
            self.false_words.append(f"{query['version']}, and the chip ran {self.ran}")


class ChipJudge(Judge):
    """The judge of a chip."""

    _world: ChipWorld

    def begin(self) -> None:
        """Note the flash at the beginning of a job, too."""
        self._world.catch_up()
        super().begin()
        flash = self._world.chip.flash
        self._flash = (flash.erases, flash.taken)

    def _verdict(self, result: JobResult) -> None:
        chip, kind, outcome = self._world.chip, self._world.kind, result.outcome
        if outcome in UNTOUCHED and (chip.flash.erases, chip.flash.taken) != self._flash:
            raise Broken(f"{outcome}, and the flash was touched")
        if outcome in GOOD:
            image = kind.image(self._world.package)
            address = {"ota_0": 0x10000, "factory": 0x10000}.get(getattr(chip, "slot", ""), kind.address)
            if chip.flash.read(address, len(image)) != image:
                raise Broken(f"{outcome}, and the flash does not hold the package")
            if chip.flash.misuses:
                raise Broken("written over cells that were not erased")
        super()._verdict(result)

    @property
    def _is_struck(self) -> bool:
        """A program that writes the chip may be the one that failed."""
        return super()._is_struck or bool(self._world.esptool.struck)

    @property
    def _ended(self) -> tuple[str, ...]:
        """After 206 was told rightly, the chip is mended, and runs what is in its flash."""
        return (*super()._ended, "failed") if "old-app" in self._scenario.of("m") else super()._ended
