"""The simulated chips of the draw, each by the name of its protocol, and their faults."""

import io
import random
import zipfile
from typing import Any

import msgspec

from atota.sim.chips import gd32, legacy_dfu, mcuboot, secure_dfu
from atota.sim.chips.package import build_chip_package
from scripts.simulate_parts import esptool


class ChipKind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of chip with one protocol.

    Attributes:
        model: its name in the platform's table and in ``sim://``.
        protocol: of its bootloader, where the model has several.
        row: the platform's codes, the version that runs and the one that shall run.
        address: of the running application in flash.
        piece: bytes of an image that its loader takes at once, about.
        commands: the names of its loader's commands, for the positions of faults.
        own: faults that only this kind has.
        is_named_by_image: the version is that of the image's header, without the letter.
    """

    model: str
    protocol: str = ""
    row: tuple[str, str, str, str]
    address: int
    piece: int
    commands: tuple[str, ...]
    own: tuple[str, ...] = ()
    is_named_by_image: bool = False

    def pieces(self, size: int) -> int:
        return size // self.piece + 1

    def package(self, size: int) -> bytes:
        return build_chip_package(self.model, "V1.1.0", protocol=self.protocol, size=max(size, _LEAST))

    def image(self, package: bytes) -> bytes:
        """Return the bytes of a package that end in flash."""
        if not package.startswith(b"PK"):
            return package
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            return archive.read("app.bin")

    @property
    def board(self) -> str:
        """The board file that names its protocol."""
        return f"name = 'bench'\n[chip]\nprotocol = '{self.protocol}'\n" if self.protocol else ""


_LEAST = 1200
"""Bytes of an image that has all its parts."""
_NRF = ("102", "10201", "V1.0.0", "V1.1.0")
CHIPS = {
    "esp32": ChipKind(
        model="ESP32",
        row=("101", "10101", "V1.0.0", "V1.1.0"),
        address=0x110000,
        piece=0x4000,
        commands=("sync", "read-reg", "read-flash", "begin", "data", "md5"),
        own=(
            "old-app",
            "encrypted",
            "encrypted-release",
            "secure-boot",
            "secure-boot-v2",
            "no-download",
            "corrupt-otadata",
            "stale-otadata",
            "factory-only",
            "no-table",
        ),
    ),
    "gd32": ChipKind(
        model="GD32",
        row=("103", "10301", "V1.0.0", "V1.1.0"),
        address=gd32.FLASH,
        piece=256,
        commands=("sync", "get", "get-id", "read", "write", "erase"),
        own=("protected", "old-app"),
    ),
    "smp": ChipKind(
        model="nrf52832",
        protocol="smp",
        row=("102", "10201", "1.0.0", "1.1.0"),
        address=mcuboot.SLOT_0,
        piece=200,
        commands=("params", "state", "upload", "reset"),
        own=("old-recovery", "old-app"),
        is_named_by_image=True,
    ),
    "nordic-secure": ChipKind(
        model="nrf52832",
        protocol="nordic-secure",
        row=_NRF,
        address=secure_dfu.BANK_0,
        piece=60,
        commands=("ping", "select", "create", "write", "crc", "execute"),
        own=("no-version", "old-app"),
    ),
    "nordic-legacy": ChipKind(
        model="nrf52832",
        protocol="nordic-legacy",
        row=_NRF,
        address=legacy_dfu.BANK_0,
        piece=512,
        commands=("start", "init", "data", "stop"),
        own=("old-app",),
    ),
}

_PLACED = ("lose-command", "lose-reply", "nack", "reset-at", "silent-at", "unplug-at")
_REPEATED = ("lose-command", "lose-reply", "nack")
_BYTES = ("drop-byte", "flip-byte", "double-byte", "drop-back", "flip-back", "double-back")
_STORED = ("power-cut", "flip-flash")
_PLAIN = (
    "mute", "cut-erase", "ignore-writes", "ignore-writes:1", "boot-mode", "no-reset", "dead-app", "quiet-app",
    "boot-garbage",
)  # fmt: skip


def faults_of(name: str) -> dict[str, Any]:
    """Return the faults of a chip, each with how its arguments are drawn."""
    kind = CHIPS[name]

    def position(rng: random.Random, blocks: int) -> str:
        chance = rng.random()
        if chance < 0.35:
            return str(rng.randrange(blocks + 1))
        return rng.choice(kind.commands) if chance < 0.75 else f"c{rng.randint(1, 30)}"

    def placed(fault: str) -> Any:
        def draw(rng: random.Random, blocks: int) -> str:
            times = rng.choice(("", "", ":2", ":4")) if fault in _REPEATED else ""
            return f"m/{fault}:{position(rng, blocks)}{times}"

        return draw

    def at_byte(fault: str, more: int) -> Any:
        return lambda rng, blocks: f"m/{fault}:{rng.randint(1, more + kind.piece * (blocks + 1))}"

    def late(rng: random.Random, blocks: int) -> str:
        return f"m/late-reply:{position(rng, blocks)}:{rng.choice((0.2, 1.0, 3.0, 6.0, 25.0))}"

    return {
        **{fault: placed(fault) for fault in _PLACED},
        **{fault: at_byte(fault, 400) for fault in _BYTES},
        **{fault: at_byte(fault, 0) for fault in _STORED},
        **{fault: lambda _rng, _blocks, fault=fault: f"m/{fault}" for fault in (*_PLAIN, *kind.own)},
        "late-reply": late,
        "mute-after": lambda rng, blocks: f"m/mute-after:{rng.randint(1, 20 + blocks)}",
    }


def program_faults(name: str) -> dict[str, Any]:
    """Return the faults of the program that writes a chip, each with how its arguments are drawn."""
    if name != "esp32":
        return {}
    return {
        f"esptool-{fault}": lambda rng, _blocks, fault=fault: f"h/esptool-{fault}:{rng.choice((1, 1, 2, 9))}"
        for fault in esptool.FAULTS
    }
