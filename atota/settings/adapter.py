"""The check that a board file is used on the adapter that it names."""

import os
import sys

from atota.errors import BoardMismatch
from atota.link import ports
from atota.link.ports import PortInfo
from atota.settings.board import Board

_SIMULATED = ("sim://", "replay://")


def check_adapter(board: Board, port: str) -> str | None:
    """Compare the port's adapter with the board's `[adapter]`, without opening the port.

    A network port and a pty have no adapter that could be compared. They are not refused: such a name does
    not move to another device by itself, as ``/dev/ttyUSB0`` does.

    Returns:
        A warning if the port's adapter is unknown, else None. A simulated port needs none.

    Raises:
        BoardMismatch: the port has another adapter.
    """
    if not board.adapter.given or port.lower().startswith(_SIMULATED):
        return None
    info = _port_info(port)
    if info is None:
        if is_missing(port):
            return None
        return f"{port}: the adapter of board {board.name} cannot be checked on this port"
    if board.adapter.matches(
        usb_id=info.usb_id, serial=info.serial_number, location=info.location, by_path=info.by_path
    ):
        return None
    raise BoardMismatch(
        f"{port}: board {board.name} names the adapter {board.adapter}, but this port has {_described(info)}"
    )


def is_missing(port: str) -> bool:
    """True if a port of this machine is not there; a URL's far end cannot be known before it is opened."""
    is_name = "://" not in port and sys.platform != "win32"  # ports have no files on Windows
    return is_name and not os.path.exists(port)  # noqa: PTH110 - a name, not a path


def _port_info(port: str) -> PortInfo | None:
    if "://" in port:
        return None
    device = os.path.realpath(port)
    return next((info for info in ports.list_ports() if os.path.realpath(info.device) == device), None)


def _described(info: PortInfo) -> str:
    vid, _, pid = (info.usb_id or "").partition(":")
    pairs = (("vid", vid), ("pid", pid), ("serial", info.serial_number), ("location", info.location))
    return " ".join(f"{name}={value}" for name, value in pairs if value) or "no USB adapter"
