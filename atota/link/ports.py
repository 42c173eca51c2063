"""The serial ports of this machine, and the one that an adapter has after it came back."""

import os
import re
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Protocol

import msgspec

from atota.link.holders import Holder, holders_of

_BY_ID = Path("/dev/serial/by-id")
_BY_PATH = Path("/dev/serial/by-path")
_SYS_TTY = Path("/sys/class/tty")
# Names of ports, by system. /dev/cu.* on macOS: opening /dev/tty.* waits for carrier detect.
_PATTERNS = {
    "linux": ("ttyUSB*", "ttyACM*", "ttyXRUSB*", "ttyAMA*", "ttyAP*", "rfcomm*", "ttyS*"),
    "darwin": ("cu.*",),
}
# USB vendor numbers as in the Linux drivers ftdi_sio, cp210x, ch341, pl2303, xr_serial, option and cdc-acm.
_CHIPS = {
    "0403": "FTDI",
    "10c4": "CP210x",
    "1a86": "CH340",
    "067b": "PL2303",
    "04e2": "XR21V",
    "0483": "STM32",
    "1366": "J-Link",
    "2c7c": "Quectel module",
    "1bc7": "Telit module",
    "1e0e": "SIMCom module",
}
# The same ids more closely; QinHeng, ftdi_sio_ids.h.
_CHIPS_EXACT = {
    "0403:6001": "FTDI FT232R",
    "0403:6010": "FTDI FT2232",
    "0403:6011": "FTDI FT4232",
    "0403:6014": "FTDI FT232H",
    "0403:6015": "FTDI FT-X",
    "1a86:5523": "CH341",
    "1a86:55d3": "CH343",
    "1a86:55d4": "CH9102",
}
_CDC_DRIVERS = ("cdc_acm",)
_MODEM_DRIVERS = ("option", "qcserial", "sierra", "usb_wwan")
"""The drivers of the modules' own USB ports (drivers/usb/serial in Linux)."""
_BRIDGES = ("04e2", "0483", "1366", "1a86")
"""Vendors of adapters that have a UART behind cdc_acm: XR21V, ST-Link, J-Link, CH343 and CH9102."""
# Serial numbers that chips carry as delivered (CP2102: 0001): many adapters have the same one, so it does
# not identify the adapter.
_COMMON_SERIAL = re.compile(r"0*[01]?|1234(56(78(90?)?)?)?|0123456789(abcdef)?", re.IGNORECASE)


class PortInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The system's description of one serial port.

    ``usb_id`` is "vid:pid" in lower-case hex; ``location`` the USB path ("1-4.2", "1-4.2:1.1" where one
    adapter has several ports); ``chip`` a guess from the id; ``latency_timer_ms`` the FTDI driver's
    read delay; ``by_id`` and ``by_path`` names that survive renumbering; ``holders`` the
    programs that have it open.
    """

    device: str
    description: str | None = None
    usb_id: str | None = None
    serial_number: str | None = None
    manufacturer: str | None = None
    location: str | None = None
    chip: str | None = None
    driver: str | None = None
    latency_timer_ms: int | None = None
    by_id: str | None = None
    by_path: str | None = None
    holders: tuple[Holder, ...] = ()


class RawPort(Protocol):
    """A port as pyserial describes it."""

    @property
    def device(self) -> str: ...  # noqa: D102
    @property
    def description(self) -> str: ...  # noqa: D102
    @property
    def vid(self) -> int | None: ...  # noqa: D102
    @property
    def pid(self) -> int | None: ...  # noqa: D102
    @property
    def serial_number(self) -> str | None: ...  # noqa: D102
    @property
    def manufacturer(self) -> str | None: ...  # noqa: D102
    @property
    def location(self) -> str | None: ...  # noqa: D102


def comports() -> Iterable[RawPort]:
    """List the serial ports as pyserial sees them."""
    from serial.tools import list_ports as tools  # pyserial takes time to load; most commands do without it

    return tools.comports()


def list_ports() -> list[PortInfo]:
    """List the serial ports that have hardware behind them, in natural order (ttyUSB2 before ttyUSB10)."""
    raw = [port for port in comports() if not _is_phantom(port.device)]
    holders = holders_of({os.path.realpath(port.device) for port in raw})
    by_id, by_path = _links(_BY_ID), _links(_BY_PATH)
    ports = [
        describe(
            port,
            by_id=by_id.get(os.path.realpath(port.device)),
            by_path=by_path.get(os.path.realpath(port.device)),
            holders=holders[os.path.realpath(port.device)],
        )
        for port in raw
    ]
    return sorted(ports, key=lambda port: natural(port.device))


def describe(
    raw: RawPort, *, by_id: str | None = None, by_path: str | None = None, holders: Iterable[Holder] = ()
) -> PortInfo:
    """Make a `PortInfo` from the descriptions of pyserial and of the system."""
    usb_id = f"{raw.vid:04x}:{raw.pid:04x}" if raw.vid is not None and raw.pid is not None else None
    return PortInfo(
        device=raw.device,
        description=None if raw.description in ("", "n/a") else raw.description,
        usb_id=usb_id,
        serial_number=raw.serial_number or None,
        manufacturer=raw.manufacturer or None,
        location=raw.location or None,
        chip=chip_of(usb_id),
        driver=_driver(raw.device),
        latency_timer_ms=latency_timer_ms(raw.device),
        by_id=by_id,
        by_path=by_path,
        holders=tuple(holders),
    )


def chip_of(usb_id: str | None) -> str | None:
    """Guess the adapter's chip from "vid:pid"."""
    if usb_id is None:
        return None
    return _CHIPS_EXACT.get(usb_id) or _CHIPS.get(usb_id.partition(":")[0])


def rate_doubt(name: str, info: PortInfo | None) -> str | None:
    """Return why the rate of a port is not the one of a wire; None where it is, as far as can be told.

    Args:
        name: the port.
        info: the system's description of it, if it is a port of this machine.
    """
    if name.lower().startswith("socket:"):
        return "a socket:// port carries bytes only; the far end has a rate of its own"
    if "://" in name:
        return None
    if os.path.realpath(name).startswith("/dev/pts/"):
        return "a pseudo-terminal has no wire: its bytes pass from program to program"
    if info is None or info.usb_id is None:
        return None
    is_bridge = info.usb_id.partition(":")[0] in _BRIDGES
    if info.driver in _MODEM_DRIVERS or (info.driver in _CDC_DRIVERS and not is_bridge):
        return "a USB port of the device itself has no wire: its bytes pass at the speed of USB"
    return None


def find_again(port: PortInfo, *, exclude: Collection[str] = ()) -> str | None:
    """Find the present device name of the adapter of ``port``, or None.

    Args:
        port: the adapter as `list_ports` described it before it went away.
        exclude: device names known to be other adapters (those of other lanes).
    """
    return match_port(port, [other for other in list_ports() if other.device not in exclude])


def match_port(port: PortInfo, candidates: Iterable[PortInfo]) -> str | None:
    """Choose the candidate that is the same adapter as ``port``, or None. Never guesses between two.

    The same USB id and serial number make it the same adapter, at any socket. Adapters without a serial
    number of their own (CH340, PL2303, unprogrammed CP210x) are known only by their location.
    """
    candidates = list(candidates)
    if port.usb_id is None:
        return next((other.device for other in candidates if other.device == port.device), None)
    alike = [other for other in candidates if other.usb_id == port.usb_id]
    if port.serial_number and not _COMMON_SERIAL.fullmatch(port.serial_number):
        alike = [
            other
            for other in alike
            if other.serial_number == port.serial_number and _interface(other) == _interface(port)
        ]
        if len(alike) == 1:
            return alike[0].device
    here = [other for other in alike if port.location is not None and other.location == port.location]
    return here[0].device if len(here) == 1 else None


def port_names() -> list[str]:
    """List device names without opening or describing them: for shell completion and hints."""
    patterns = _PATTERNS.get(sys.platform)
    if patterns is None:
        return [port.device for port in list_ports()]
    names = {str(path) for pattern in patterns for path in Path("/dev").glob(pattern)}
    return sorted((name for name in names if not _is_phantom(name)), key=natural)


def stable_names() -> list[str]:
    """List the names under /dev/serial/by-id (else by-path), which survive renumbering (Linux)."""
    return sorted(_links(_BY_ID).values()) or sorted(_links(_BY_PATH).values())


def latency_timer_ms(device: str) -> int | None:
    """Read how long the driver holds back received bytes (FTDI: 16 ms by default); None if it does not."""
    try:
        return int((_SYS_TTY / _kernel_name(device) / "device" / "latency_timer").read_text())
    except (OSError, ValueError):
        return None


def _is_phantom(device: str) -> bool:
    """True if the name has no hardware behind it: Linux makes up to 32 ttyS on every PC.

    pyserial 3.5 filters them by a kernel detail that changed in Linux 6.5; the type of the UART is reliable.
    """
    name = _kernel_name(device)
    if not name.startswith("ttyS"):
        return False
    try:
        return (_SYS_TTY / name / "type").read_text().strip() == "0"  # PORT_UNKNOWN, linux/serial.h
    except OSError:
        return False


def _driver(device: str) -> str | None:
    try:
        name = (_SYS_TTY / _kernel_name(device) / "device" / "driver").readlink().name
    except OSError:
        return None
    return None if name == "port" else name  # the serial core's own layer (Linux 6.5), not a driver


def _links(folder: Path) -> dict[str, str]:
    """Map real device names to the links in a folder; of two links to one device, the first."""
    links: dict[str, str] = {}
    try:
        for path in sorted(folder.iterdir()):
            links.setdefault(os.path.realpath(path), str(path))
    except OSError:
        return {}
    return links


def _interface(port: PortInfo) -> str:
    """Return the ":1.2" of a location, which differs between the ports of one adapter."""
    return (port.location or "").partition(":")[2]


def _kernel_name(device: str) -> str:
    return Path(os.path.realpath(device)).name


def natural(text: str) -> list[tuple[int, str]]:
    """Return the key that sorts names with numbers in them: COM9 before COM10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]
