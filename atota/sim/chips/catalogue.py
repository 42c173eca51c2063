"""The simulated chips by name."""

from collections.abc import Callable, Iterable

from atota.sim.chips.chip import SimChip
from atota.sim.chips.esp32 import Esp32
from atota.sim.chips.gd32 import Gd32
from atota.sim.chips.nrf52 import Nrf52832
from atota.sim.chips.options import ChipOptions

CHIPS: dict[str, type[SimChip]] = {"ESP32": Esp32, "nrf52832": Nrf52832, "GD32": Gd32, "other": Gd32}
"""By the platform's names. "other" stands for a chip with a program of its vendor: it is one that
``stm32flash`` can write."""


def find_chip(name: str) -> str | None:
    """Return the chip's own spelling of a name in any case of letters; None: it is not a chip."""
    return next((known for known in CHIPS if known.casefold() == name.casefold()), None)


def make_chip(
    name: str,
    options: ChipOptions | None = None,
    *,
    faults: Iterable[str] = (),
    on_change: Callable[[str], None] | None = None,
) -> SimChip:
    """Make a simulated chip by its name in `CHIPS`.

    Raises:
        UsageError: a fault is unknown.
    """
    return CHIPS[name](name, options, faults=faults, on_change=on_change)
