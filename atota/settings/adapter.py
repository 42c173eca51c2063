"""The check that a board file is used on the adapter that it names."""

import os
import sys

from atota.errors import BoardMismatch, PortNotFound
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
    if fits(board, info):
        return None
    raise BoardMismatch(
        f"{port}: board {board.name} names the adapter {board.adapter}, but this port has {_described(info)}"
    )


def fits(board: Board, info: PortInfo) -> bool:
    """True if a port has the board's adapter, or the board names none."""
    return not board.adapter.given or board.adapter.matches(
        usb_id=info.usb_id, serial=info.serial_number, location=info.location, by_path=info.by_path
    )


def port_of(board: Board) -> str:
    """Return the port with the adapter that the board names.

    Raises:
        PortNotFound: no port has it, or more than one.
    """
    all_ports = ports.list_ports()
    devices = [info.device for info in all_ports if fits(board, info)]
    if len(devices) == 1:
        return devices[0]
    here = tuple(f"{info.device}: {_described(info)}" for info in all_ports)
    adapter = f"the adapter of board {board.name} ({board.adapter})"
    if not devices:
        raise PortNotFound(
            f"no port has {adapter}",
            tried=here,
            hint="Plug the adapter in, or correct the board's [adapter].",
        )
    raise PortNotFound(
        f"{len(devices)} ports have {adapter}: {', '.join(devices)}",
        hint="Name one with -p PORT, or give the board's [adapter] a serial number or a location.",
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
