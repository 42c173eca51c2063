"""The options of one simulated chip."""

import secrets
from dataclasses import dataclass, replace
from typing import Literal, Self

BootPin = Literal["app", "loader"]


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
