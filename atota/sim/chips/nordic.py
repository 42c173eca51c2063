"""The base of the three bootloaders of an nRF52832: a place in its flash, and an application."""

import re
from abc import ABC, abstractmethod
from collections.abc import Generator

from atota.sim.chips.application import talk
from atota.sim.chips.chip import Program, SimChip

PAGE = 4096
ERASE_S = 0.0897  # of a page: nRF52832 product specification v1.4, table NVMC, the longest
WORD_S = 67.5e-6  # of a word, the same table
RAM = 0x10000
_FIFO = 6  # bytes of the UART: product specification, UART, "Reception"


class Bootloader(ABC):
    """A bootloader in protected pages of the flash, and the application behind it."""

    def __init__(self, chip: SimChip) -> None:
        self.chip = chip

    @abstractmethod
    def factory(self) -> None:
        """Put the first application into the flash."""

    @abstractmethod
    def application(self) -> str | None:
        """Return the version of the application that starts now, or None if none can run."""

    def stored(self) -> str | None:
        """Return the version of the application that would run after a reset, or None."""
        return self.application()

    @abstractmethod
    def boot(self) -> Program:
        """Start: run the loader if there is a reason, else return "app"."""

    def run_application(self, version: str) -> Program:
        """Run the application."""
        return talk(self.chip, version)

    def erase(self, start: int, size: int) -> Generator[float, bytes, None]:
        """Erase every page that a region touches.

        The core stands still meanwhile (product specification, NVMC), so the UART overruns; between the words
        of a write it does not.
        """
        kept, self.chip.fifo = self.chip.fifo, _FIFO
        try:
            for page in range(start - start % PAGE, start + size, PAGE):
                yield ERASE_S
                self.chip.flash.erase(page, PAGE)
        finally:
            self.chip.fifo = kept

    def write(self, at: int, data: bytes) -> Generator[float, bytes, None]:
        """Write whole words."""
        yield len(data) / 4 * WORD_S
        self.chip.flash.write(at, data)

    may_run_old = True
    """The fault ``old-app`` has the core run the old application, whatever is in flash."""
    resets_by_dtr = False
    """A capacitor between DTR and the reset pin makes a pulse when DTR is asserted; RTS is not wired."""


def numbers_of(version: str) -> tuple[int, int, int]:
    """Return the first three numbers of a version; those that are missing are 0."""
    numbers = [int(number) for number in re.findall(r"\d{1,4}", version)][:3]
    major, minor, revision = [*numbers, 0, 0, 0][:3]
    return major, minor, revision
