"""The budget of the USB: devices, endpoints, hubs in a row and the share of full-speed time, from sysfs.

Sixty-four adapters do not fit one controller. An xHCI controller has a limited number of endpoint contexts
(Intel: about 96, mvp/uhubctl issue 276) or of devices (VL805 of the Raspberry Pi 4: 32, raspberrypi/linux
issue 3366). Adapters of 12 Mbit/s behind a hub of 480 Mbit/s go through a transaction translator: a single-TT
hub has one for all its ports, a multi-TT hub one for each. One translator carries at most 19 bulk packets of
64 bytes in a frame of 1 ms (USB 2.0 section 5.8.4), that is 1.2 MB/s one way.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from atota.doctor.findings import Finding, State

SYSFS = Path("/sys/bus/usb/devices")
MOST_HUBS = 5
"""Hubs in a row (USB 2.0 section 4.1.1)."""
TT_BYTES_S = 19 * 64 * 1000
FULL_SHARE = 0.8
"""Beyond this share of a translator bursts of one lane delay the others."""
_HUB = "09"
_SINGLE_TT = "01"
_ENDPOINTS = {"0x8086": 96}
_DEVICES = {"0x1106": 32}
_ADDRESSES = 127


class UsbDevice(msgspec.Struct, frozen=True, kw_only=True):
    """One device. ``ports`` is its way from the root hub; ``endpoints`` counts the control one, too."""

    name: str
    controller: str
    controller_vendor: str
    ports: tuple[str, ...]
    speed: str
    is_hub: bool
    protocol: str
    endpoints: int


def read_tree(folder: Path = SYSFS) -> list[UsbDevice]:
    """Return all devices of the system; empty where there is no such tree."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:
        return []
    controllers = {name: _controller(folder / name) for name in names if name.startswith("usb")}
    devices = []
    for name in names:
        bus, _, way = name.partition("-")
        if not way or ":" in way or f"usb{bus}" not in controllers:
            continue
        path = folder / name
        interfaces = [other for other in names if other.startswith(f"{name}:")]
        controller, vendor = controllers[f"usb{bus}"]
        devices.append(
            UsbDevice(
                name=name,
                controller=controller,
                controller_vendor=vendor,
                ports=tuple(way.split(".")),
                speed=_text(path / "speed"),
                is_hub=_text(path / "bDeviceClass") == _HUB,
                protocol=_text(path / "bDeviceProtocol"),
                endpoints=1 + sum(_number(folder / one / "bNumEndpoints") for one in interfaces),
            )
        )
    return devices


def budget(tree: list[UsbDevice], lanes: dict[str, list[int]]) -> Iterator[Finding]:
    """Judge a tree.

    Args:
        tree: the devices.
        lanes: the devices that have lanes, by name (``1-4.2``), and the rate of each lane in bit/s.
    """
    for controller in sorted({device.controller for device in tree}):
        yield _controller_finding(controller, [one for one in tree if one.controller == controller], lanes)
    for device in tree:
        if device.name in lanes and len(device.ports) - 1 > MOST_HUBS:
            says = f"{device.name} is behind {len(device.ports) - 1} hubs in a row; USB allows {MOST_HUBS}"
            yield _finding("hubs", "bad", says, "Plug its hub in nearer to the PC; a 10-port hub is three.")
    yield from _translators(tree, lanes)


def _controller_finding(controller: str, devices: list[UsbDevice], lanes: dict[str, list[int]]) -> Finding:
    endpoints = sum(device.endpoints for device in devices)
    vendor = devices[0].controller_vendor
    most_endpoints, most_devices = _ENDPOINTS.get(vendor), _DEVICES.get(vendor, _ADDRESSES)
    count = sum(len(lanes.get(device.name, ())) for device in devices)
    of = f" of {most_endpoints}" if most_endpoints is not None else ""
    says = f"{controller}: {count} lanes, {len(devices)} devices of {most_devices}, {endpoints} endpoints{of}"
    is_full = len(devices) > most_devices or (most_endpoints is not None and endpoints > most_endpoints)
    if not is_full:
        return _finding("controller", "ok", says)
    next_ = "Move hubs to another controller: a PCIe card with more of them, or adapters of four lanes each."
    return _finding("controller", "bad", says, next_)


def _translators(tree: list[UsbDevice], lanes: dict[str, list[int]]) -> Iterator[Finding]:
    by_name = {device.name: device for device in tree}
    loads: dict[str, list[int]] = {}
    for name, rates in lanes.items():
        device = by_name.get(name)
        hub = _translator(device, by_name) if device is not None and device.speed == "12" else None
        if device is not None and hub is not None:
            port = "" if hub.protocol == _SINGLE_TT else f" port {device.ports[len(hub.ports)]}"
            loads.setdefault(f"{hub.name}{port}", []).extend(rates)
    for name, rates in sorted(loads.items()):
        share = sum(rates) / 10 / TT_BYTES_S  # 8N1: ten bits a byte
        says = f"hub {name}: {len(rates)} lanes share one transaction translator, {share:.0%} of its time"
        if share <= FULL_SHARE:
            yield _finding("translator", "ok", says)
        else:
            next_ = "Use a multi-TT hub or adapters of 480 Mbit/s, or a lower transfer rate."
            yield _finding("translator", "bad", says, next_)


def _translator(device: UsbDevice, by_name: dict[str, UsbDevice]) -> UsbDevice | None:
    """Return the nearest hub of 480 Mbit/s above a device; None at the root, which has no translator."""
    bus = device.name.partition("-")[0]
    for length in range(len(device.ports) - 1, 0, -1):
        hub = by_name.get(f"{bus}-{'.'.join(device.ports[:length])}")
        if hub is not None and hub.speed == "480":
            return hub
    return None


def _finding(check: str, state: State, says: str, next_: str = "") -> Finding:
    return Finding(group="station", check=check, state=state, says=says, next=next_)


def _controller(root: Path) -> tuple[str, str]:
    """Return the name and the vendor of the controller of a root hub."""
    parent = root.resolve().parent
    return parent.name, _text(parent / "vendor")


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _text(path)
    try:
        return int(text, 16)
    except ValueError:
        return 0
