"""The list of devices, as spreadsheets write it."""

from pathlib import Path

import pytest

from atota.errors import ConfigError, LimitReached
from atota.station.config import DevicesTable
from atota.station.devices import Devices, load_devices, read_list

IMEI, OTHER = "490154203237518", "490154203237526"
HEAD = "imei,serial,dev_id,product_id,device_name\n"


def written(folder: Path, data: str | bytes) -> Path:
    path = folder / "devices.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize(
    "data",
    [
        f"{HEAD}{IMEI},SN1,6523,,\r\n",
        f"\ufeff{HEAD}{IMEI},SN1,6523,,\n\n",
        f"{HEAD}{IMEI},SN1,6523,,\n".replace(",", ";"),
        f"{HEAD}{IMEI},SN1,6523,,\n".replace(",", "\t"),
        f"dev_id,IMEI,serial\n6523,{IMEI},SN1\n",
    ],
    ids=["plain", "bom", "semicolons", "tabs", "other order"],
)
def test_a_list_is_read_however_a_spreadsheet_writes_it(tmp_path: Path, data: str) -> None:
    (device,) = read_list(written(tmp_path, data))
    assert (device.imei, device.serial, device.dev_id) == (IMEI, "SN1", "6523")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (f"{HEAD}{IMEI},,1,,\n{OTHER},,2,,\n{IMEI},,3,,\n", f"lines 2 and 4 have one imei: {IMEI}"),
        (f"{HEAD}{IMEI},,1,,\n{OTHER},,1,,\n", "lines 2 and 3 have one dev_id: 1"),
        ("imei,devid\n", "line 1: unknown column 'devid'"),
        ("imei,imei,dev_id\n", "two columns are named 'imei'"),
        ("imei,product_id\n", "neither 'dev_id' nor 'device_name' is a column"),
        ("", "neither 'imei' nor 'serial' is a column"),
        (f"{HEAD}{IMEI},,1\n", "line 2 has 3 cells, the head line has 5"),
        (f"{HEAD}4.90154E+14,,1,,\n", "'4.90154E+14' is not an IMEI"),
        (f"{HEAD},,1,,\n", "line 2 has neither an IMEI nor a serial number"),
        (f"{HEAD}{IMEI},,,,\n", "line 2 has neither a dev_id nor a device_name"),
        ("imei,名字\n".encode("gb18030"), "Not UTF-8"),
    ],
)
def test_a_mistake_in_a_list_is_named_with_its_line(tmp_path: Path, data: str | bytes, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_list(written(tmp_path, data))
    assert expected in caught.value.message
    assert "devices.csv" in caught.value.message


def test_a_near_column_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_list(written(tmp_path, "imei,devid\n"))
    assert "Did you mean `dev_id`?" in caught.value.hint


def test_a_unit_that_is_not_in_the_list_is_refused(tmp_path: Path) -> None:
    written(tmp_path, f"{HEAD}{IMEI},SN1,6523,,\n")
    devices = load_devices(DevicesTable(file="devices.csv"), tmp_path)
    assert devices.named(IMEI).dev_id == "6523"
    assert devices.named(None, "SN1").dev_id == "6523"
    with pytest.raises(LimitReached, match="is not in devices"):
        devices.named(OTHER)


def test_a_template_makes_the_names_of_a_unit() -> None:
    devices = Devices(DevicesTable(device_name="dev-{imei}", product_id="P1"))
    assert devices.named(IMEI).device_name == f"dev-{IMEI}"
    assert devices.named(IMEI).product_id == "P1"
