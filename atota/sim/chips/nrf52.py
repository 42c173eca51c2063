"""An nRF52832 behind one of three bootloaders: MCUboot, Nordic's secure one, Nordic's legacy one."""

from typing import ClassVar

from atota.sim.chips.chip import Program, SimChip
from atota.sim.chips.legacy_dfu import LegacyDfu
from atota.sim.chips.memory import ChipFlash
from atota.sim.chips.nordic import PAGE, Bootloader
from atota.sim.chips.secure_dfu import SecureDfu
from atota.sim.chips.smp import Mcuboot
from atota.sim.options import Sent

_SIZE = 512 * 1024
_BOOTLOADERS: dict[str, type[Bootloader]] = {
    "smp": Mcuboot,
    "nordic-secure": SecureDfu,
    "nordic-legacy": LegacyDfu,
}


class Nrf52832(SimChip):
    """An nRF52832. ``loader``: its bootloader, with the state that its kind has."""

    parts: ClassVar[tuple[str, ...]] = ("nRF52832",)
    protocols: ClassVar[tuple[str, ...]] = tuple(_BOOTLOADERS)
    fifo = 2048  # the buffers that a loader's interrupts fill

    def factory(self) -> ChipFlash:
        """Return its flash with the first application in it."""
        self._dtr = False
        self.flash = ChipFlash(0, _SIZE, PAGE, 4, "and", self.faults, self.tell)
        self.loader = _BOOTLOADERS[self.options.protocol or self.protocols[0]](self)
        self.loader.factory()
        return self.flash

    def application(self) -> str | None:
        """Return the version of the application that starts now, or None if none can run."""
        return self.loader.application()

    @property
    def stored(self) -> str | None:
        """The version of the application that would run after a reset; None: none would."""
        return self.loader.stored()

    @property
    def may_run_old(self) -> bool:
        """False with MCUboot, which lists the images that it runs: there the swap is not made."""
        return self.loader.may_run_old

    def boot(self) -> Program:
        """Run the bootloader."""
        return self.loader.boot()

    def run_application(self, version: str) -> Program:
        """Run the application."""
        return self.loader.run_application(version)

    def set_lines(self, now: float, *, dtr: bool, rts: bool) -> list[Sent] | None:
        """Learn the control lines; the legacy bootloader's board resets by DTR alone."""
        if not self.loader.resets_by_dtr:
            return super().set_lines(now, dtr=dtr, rts=rts)
        is_pulse, self._dtr = dtr and not self._dtr, dtr
        if not is_pulse or not self.options.lines or self.faults.lasts("no-reset"):
            return None
        return self.press(now, boot=False)
