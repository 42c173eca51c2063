"""The options of one simulated chip."""

import secrets
from dataclasses import dataclass, replace
from typing import Literal, Self

from atota.sim.options import WIRE_OPTIONS, kinds_of

BootPin = Literal["app", "loader"]
CHIP_OPTIONS = kinds_of(
    (
        *WIRE_OPTIONS,
        ("version=TEXT", "the version of the application that runs (V1.0.0)"),
        ("serial=HEX", "its unique number, twelve hexadecimal digits; without it each one has its own"),
        ("part=NAME", "another part of the family"),
        ("protocol=NAME", "the protocol of its bootloader, where there are several"),
        ("boot=app|loader", "loader: its boot pin is strapped, and every reset starts the loader (app)"),
        ("lines=0|1", "0: DTR and RTS are not wired to its pins (1)"),
    )
)
"""The options of a simulated chip."""


@dataclass(frozen=True, slots=True)
class ChipOptions:
    """The differences between two chips of one kind.

    Attributes:
        version: of the application that runs; at most 31 characters, as in ESP-IDF's descriptor.
        serial: twelve hexadecimal digits that no other chip has: a MAC address, or a part of a unique id.
        part: the part of the family.
        protocol: of its bootloader.
        boot: what the boot pin's strap chooses at a reset.
        lines: DTR and RTS of the adapter are wired to its pins.
        image: bytes in flash in place of the application that the simulator would put there.
    """

    version: str = "V1.0.0"
    serial: str | None = None
    part: str = ""
    protocol: str = ""
    boot: BootPin = "app"
    lines: bool = True
    image: bytes | None = None
    seed: int = 0

    def as_a_chip_of_its_own(self) -> Self:
        """Return these options with a serial number that no other simulated chip has, where they give none.

        Its first byte is that of a locally administered MAC address (IEEE 802), so it belongs to no vendor.
        """
        return self if self.serial else replace(self, serial="02" + secrets.token_hex(5))
