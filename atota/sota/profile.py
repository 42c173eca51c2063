"""The whole description of a chip: the board's ``[chip]`` over the profile of its protocol."""

import functools
import hashlib
from importlib import resources

import msgspec

from atota.dialects import catalogue
from atota.errors import ConfigError, UsageError
from atota.files import decode_toml
from atota.module.module import expected_row
from atota.settings.board import Board
from atota.settings.chip import Chip
from atota.settings.steps import decode_step

_NEEDS: dict[str, tuple[str, ...]] = {"tool": ("flash",), "gd32": ("page", "flash_size", "address")}
"""The fields without which a protocol cannot work."""


@functools.cache
def profile_of(protocol: str) -> Chip:
    """Return the profile of a protocol."""
    name = f"{protocol}.toml"
    text = resources.files("atota.sota").joinpath("profiles", name).read_bytes()
    return decode_toml(text, Chip, name=name, hook=decode_step)


def described(model: str | None, board: Board | None) -> tuple[catalogue.Row, Chip]:
    """Return the row of a chip's model, and its whole description.

    Raises:
        UsageError: the model is missing or unknown.
        ConfigError: the board file says too little of the chip.
    """
    if model is None:
        raise UsageError(
            "the chip is not named",
            hint="Give --model ESP32, nrf52832, GD32 or other; `atota modules` lists the rows.",
        )
    row = expected_row(model, "sota")
    own = board.chip if board is not None and board.chip is not None else Chip()
    protocol = own.protocol or row.method
    chip = own.over(profile_of(protocol))
    missing = [name for name in _NEEDS.get(protocol, ()) if getattr(chip, name) is None]
    if missing:
        where = f"board {board.name}" if board is not None else "the job"
        raise ConfigError(
            f"{where}: [chip] says nothing of {', '.join(missing)}, which protocol {protocol!r} needs",
            hint="Name a board file whose [chip] has them: boards/README.md shows one.",
        )
    return row, chip


def digest_of(chip: Chip) -> str:
    """Return the SHA-256 of a description, for the record."""
    return hashlib.sha256(msgspec.json.encode(chip, enc_hook=str, order="sorted")).hexdigest()
