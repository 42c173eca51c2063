"""The platform's names of the units: a list by IMEI or serial number, or a template.

The list is a CSV file with a head line: ``imei,serial,dev_id,product_id,device_name``, in any order, with
commas, semicolons or tabs, with or without a byte-order mark. Each unit has an IMEI or a serial number, and a
``dev_id`` or a ``device_name``.
"""

import csv
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

import msgspec

from atota.errors import ConfigError, LimitReached
from atota.station.config import DevicesTable

COLUMNS = ("imei", "serial", "dev_id", "product_id", "device_name")
_DELIMITERS = (",", ";", "\t")


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """The names of one unit on the platform; empty: not given."""

    imei: str = ""
    serial: str = ""
    dev_id: str = ""
    product_id: str = ""
    device_name: str = ""


class Devices:
    """The devices that a station may work on.

    Args:
        table: the station file's table.
        rows: the rows of its list; None: there is no list.
    """

    def __init__(self, table: DevicesTable, rows: list[Device] | None = None) -> None:
        self._table = table
        self._rows = rows
        self._by_imei = {row.imei: row for row in rows or () if row.imei}
        self._by_serial = {row.serial: row for row in rows or () if row.serial}

    def __len__(self) -> int:
        return len(self._rows or ())

    def named(self, imei: str | None, *serials: str | None) -> Device:
        """Return the names of a unit.

        Args:
            imei: the module's IMEI.
            serials: the serial numbers of its label and of the module, as far as they are known.

        Raises:
            LimitReached: the station has a list, and the unit is not in it.
        """
        if self._rows is None:
            return self._from_template(imei, *serials)
        row = self._by_imei.get(imei or "")
        for serial in serials:
            row = row or self._by_serial.get(serial or "")
        if row is None:
            raise LimitReached(
                f"the unit {imei or next(filter(None, serials), '?')} is not in {self._table.file}",
                hint="Put it aside, or have the list of devices completed; nothing was changed.",
            )
        return row

    def owner_of(self, serial: str) -> Device | None:
        """Return the unit that the list gives a serial number to."""
        return self._by_serial.get(serial)

    def _from_template(self, imei: str | None, *serials: str | None) -> Device:
        fields = {"imei": imei or "", "serial": next(filter(None, serials), "")}
        table = self._table
        return Device(
            dev_id=(table.dev_id or "").format(**fields),
            product_id=(table.product_id or "").format(**fields),
            device_name=(table.device_name or "").format(**fields),
        )


def load_devices(table: DevicesTable, folder: Path) -> Devices:
    """Read the list of the station file, if it names one.

    Raises:
        ConfigError: it is missing or wrong; the text names the line.
    """
    return Devices(table) if table.file is None else Devices(table, read_list(folder / table.file))


def read_list(path: Path) -> list[Device]:
    """Read a list of devices.

    Raises:
        ConfigError: it is missing or wrong; the text names the line.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="Correct `file` in [devices].") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: Not UTF-8", hint="Save the list as CSV UTF-8.") from error
    lines = text.splitlines()
    head = lines[0] if lines else ""
    delimiter = max(_DELIMITERS, key=head.count)
    names = [name.strip().lower() for name in next(csv.reader([head], delimiter=delimiter), [])]
    _check_head(path, names)
    devices: list[Device] = []
    lines_of: dict[tuple[str, str], int] = {}
    for number, cells in enumerate(csv.reader(lines[1:], delimiter=delimiter), 2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            raise ConfigError(
                f"{path}: line {number} has {len(cells)} cells, the head line has {len(names)}",
                hint="Give every line a cell for each column, empty ones too.",
            )
        device = Device(**dict(zip(names, (cell.strip() for cell in cells), strict=True)))
        _check_row(path, number, device)
        for key in _keys(device):
            if key in lines_of:
                raise ConfigError(
                    f"{path}: lines {lines_of[key]} and {number} have one {key[0]}: {key[1]}",
                    hint="Delete the line that is wrong: each unit stands in the list once.",
                )
            lines_of[key] = number
        devices.append(device)
    return devices


def _keys(device: Device) -> Iterator[tuple[str, str]]:
    for column in ("imei", "serial", "dev_id"):
        value = getattr(device, column)
        if value:
            yield column, value
    if device.device_name:
        yield "device_name", f"{device.product_id}/{device.device_name}".lstrip("/")


def _check_head(path: Path, names: list[str]) -> None:
    for name in names:
        if name not in COLUMNS:
            near = get_close_matches(name, COLUMNS, 1)
            hint = f"Did you mean `{near[0]}`? " if near else ""
            raise ConfigError(
                f"{path}: line 1: unknown column {name!r}", hint=f"{hint}Use {', '.join(COLUMNS)}."
            )
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ConfigError(f"{path}: line 1: two columns are named {doubled[0]!r}")
    for needed in (("imei", "serial"), ("dev_id", "device_name")):
        if not set(needed) & set(names):
            raise ConfigError(
                f"{path}: line 1: neither {needed[0]!r} nor {needed[1]!r} is a column",
                hint=f"Begin the list with a head line, such as {','.join(COLUMNS)}.",
            )


def _check_row(path: Path, number: int, device: Device) -> None:
    if device.imei and not (device.imei.isascii() and device.imei.isdigit() and len(device.imei) == 15):
        raise ConfigError(
            f"{path}: line {number}: {device.imei!r} is not an IMEI: it has fifteen digits",
            hint="Format the column as text: a spreadsheet rounds such numbers.",
        )
    if not (device.imei or device.serial):
        raise ConfigError(f"{path}: line {number} has neither an IMEI nor a serial number")
    if not (device.dev_id or device.device_name):
        raise ConfigError(f"{path}: line {number} has neither a dev_id nor a device_name")
