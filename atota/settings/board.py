"""Board files: the bench hardware round a module, as TOML that people write."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from atota.dialects import catalogue, loader
from atota.dialects.common import pattern_problem
from atota.errors import ConfigError, UsageError
from atota.files import decode_toml, load_toml
from atota.settings.chip import Chip
from atota.settings.kinds import Baud, Text, TransferBaud
from atota.settings.steps import Sequence, Step, decode_step
from atota.settings.table import board_table, in_board

HexId = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{4}\Z")]

_EMPTY = Step("wait:2")  # ours: the capacitors of a supply that was switched off get empty


class Adapter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The USB adapter that the board hangs on; every field given must fit.

    ``vid`` and ``pid`` are four hex digits as ``lsusb`` prints them; ``location`` is the USB path ("1-4.2").
    """

    vid: HexId | None = None
    pid: HexId | None = None
    serial: Text | None = None
    location: Text | None = None
    by_path: Text | None = None

    @property
    def given(self) -> bool:
        """True if the board names an adapter at all."""
        return self != Adapter()

    def __str__(self) -> str:
        pairs = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return " ".join(f"{name}={value}" for name, value in pairs if value is not None)

    def matches(
        self, *, usb_id: str | None, serial: str | None, location: str | None, by_path: str | None
    ) -> bool:
        """True if a port with these properties is the board's adapter; never, if the board names none.

        Args:
            usb_id: "vid:pid" in hex.
            serial: the adapter's serial number.
            location: the USB path; the interface (":1.0") counts only if the board gives it too.
            by_path: a name under /dev/serial/by-path, with or without its folder.
        """
        vid, _, pid = (usb_id or "").lower().partition(":")
        usb_path = location if self.location and ":" in self.location else (location or "").partition(":")[0]
        pairs = (
            (self.vid and self.vid.lower(), vid),
            (self.pid and self.pid.lower(), pid),
            (self.serial, serial),
            (self.location, usb_path),
            (self.by_path and _base(self.by_path), _base(by_path or "")),
        )
        return self.given and all(named == seen for named, seen in pairs if named is not None)


class Serial(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The line to the module; None leaves the choice to the dialect or the adapter.

    ``baud`` is the rate to begin with, ``transfer_baud`` the one to raise to for the transfer (0: never).
    """

    baud: Baud | None = None
    transfer_baud: TransferBaud | None = None
    flow: Literal["none", "rts-cts", "xon-xoff"] = "none"
    low_latency: bool | None = None


class Reset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The steps of the control lines that reset the module."""

    sequence: Annotated[Sequence, msgspec.Meta(min_length=1)]


class Power(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The steps of the control lines that switch the module's supply.

    A job switches it off only as the last step of recovery, and never once an update may have begun.
    """

    on: Annotated[Sequence, msgspec.Meta(min_length=1)]
    off: Annotated[Sequence, msgspec.Meta(min_length=1)] | None = None


class Ota(board_table("ota")):  # type: ignore[misc] # its fields are the rows
    """The settings of the platform. The access key never stands in a board file."""


class Limits(board_table("limits")):  # type: ignore[misc] # its fields are the rows
    """Time limits: of the wait for the reboot, and of the whole job."""


class Accept(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The modules and versions that the board accepts.

    ``model`` is a regular expression that the module's own model name must contain, in any case.
    """

    model: Text | None = None
    downgrade: bool = False

    def __post_init__(self) -> None:
        if problem := pattern_problem(self.model or ""):
            raise ValueError(problem)

    def fits(self, model: str | None) -> bool:
        """True if a module that calls itself ``model`` may be updated on this board."""
        return self.model is None or re.search(self.model, model or "", re.IGNORECASE) is not None


class Board(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One board: the adapter, the control lines, and the usual settings of the module on it."""

    name: Text
    model: Text | None = None
    dialect: Text | None = None
    adapter: Adapter = Adapter()
    serial: Serial = Serial()
    reset: Reset | None = None
    power: Power | None = None
    ota: Ota = Ota()
    limits: Limits = Limits()
    accept: Accept = Accept()
    chip: Chip | None = None

    @property
    def start_steps(self) -> Sequence:
        """The steps that start the module: its supply first, then its reset."""
        return (*(self.power.on if self.power else ()), *(self.reset.sequence if self.reset else ()))

    @property
    def restarts(self) -> tuple[tuple[str, Sequence], ...]:
        """The ways to restart the module by its lines, each with its name, the gentlest first."""
        ways = []
        if self.reset is not None:
            ways.append(("reset", self.reset.sequence))
        if self.power is not None and self.power.off is not None:
            ways.append(("power cycle", (*self.power.off, _EMPTY, *self.start_steps)))
        return tuple(ways)

    @property
    def untouched(self) -> "Board":
        """The board for a module that must not be restarted: its lines get the levels that they have."""
        power = Power(on=self.end_levels) if self.end_levels else None
        return msgspec.structs.replace(self, power=power, reset=None)

    @property
    def end_levels(self) -> Sequence:
        """The levels of the control lines after `start_steps`, without the steps to them."""
        return tuple({step.line: step for step in self.start_steps if step.line is not None}.values())

    def __post_init__(self) -> None:
        if self.model is None or catalogue.by_name(self.model) or catalogue.by_name(self.model, "sota"):
            return
        near = catalogue.suggestions(self.model)
        advice = f"did you mean {' or '.join(near)}?" if near else "`atota modules` lists them all"
        raise ValueError(f"The catalogue has no model {self.model!r}: {advice}")


def board_values(board: Board) -> dict[str, Any]:
    """Return the settings that the board gives, by the names of `atota.settings.table.Settings`."""
    values = {}
    for path, row in in_board().items():
        value: Any = board
        for part in path.split("."):
            value = getattr(value, part)
        if value is not None and value is not False:
            values[row.name] = row.parse(value)
    return values


def load_board(path: str | Path) -> Board:
    """Read the board file at ``path``.

    Raises:
        ConfigError: it is missing, unreadable, or wrong; the text is ``FILE: what, and where``.
    """
    board = load_toml(path, Board, hook=decode_step)
    require_dialect(board.dialect, str(path), "$.dialect")
    require_supported(board, str(path))
    return board


def require_dialect(name: str | None, file: str, path: str) -> None:
    """Refuse a ``file`` that names a dialect which cannot be used.

    Raises:
        ConfigError: there is no such dialect, or its own file is wrong.
    """
    if name is None:
        return
    try:
        loader.load(name)
    except UsageError as error:
        raise ConfigError(f"{file}: {error.message} - at `{path}`", hint=error.hint) from error


def require_supported(board: Board, name: str) -> None:
    """Refuse a board that asks for more than this program has; ``name`` is its name in the error.

    Raises:
        ConfigError: it does.
    """
    if board.serial.flow == "xon-xoff":
        raise ConfigError(
            f'{name}: flow = "xon-xoff" is not supported - at `$.serial.flow`',
            hint='Use "none" or "rts-cts": AT links of this kind are acknowledged line by line.',
        )


def decode_board(text: str | bytes, *, name: str) -> Board:
    """Read a board from TOML ``text``; errors call it ``name``.

    Raises:
        ConfigError: it is wrong; the text is ``NAME: what, and where``.
    """
    return decode_toml(text, Board, name=name, hook=decode_step)


def _base(path: str) -> str:
    return path.rpartition("/")[2]
