"""Port discovery: what is listed, and that an adapter which comes back is the one that went."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.link import ports
from atota.link.holders import Holder
from atota.link.ports import PortInfo, chip_of, describe, find_again, list_ports, match_port


def raw(**fields: Any) -> Any:
    empty = dict.fromkeys(("vid", "pid", "serial_number", "manufacturer", "location"))
    return SimpleNamespace(device="/dev/ttyUSB0", description="n/a", **{**empty, **fields})


def port(device: str, usb_id: str | None, serial: str | None, location: str | None) -> PortInfo:
    return PortInfo(device=device, usb_id=usb_id, serial_number=serial, location=location)


def test_the_ports_of_this_machine_are_listed_in_natural_order() -> None:
    listed = list_ports()
    assert [found.device for found in listed] == sorted((found.device for found in listed), key=ports.natural)
    assert msgspec.json.decode(msgspec.json.encode(listed), type=list[PortInfo]) == listed


def test_a_machine_without_ports_has_an_empty_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atota.link.ports.comports", list)
    assert list_ports() == []
    assert find_again(port("/dev/ttyUSB0", "0403:6001", "A5", "1-1")) is None


def test_natural_order_counts() -> None:
    names = ["/dev/ttyUSB10", "/dev/ttyUSB2", "/dev/ttyACM1", "COM3"]
    assert sorted(names, key=ports.natural) == ["/dev/ttyACM1", "/dev/ttyUSB2", "/dev/ttyUSB10", "COM3"]


@given(st.lists(st.text(max_size=8)))
def test_natural_order_takes_any_names(names: list[str]) -> None:
    assert sorted(sorted(names, key=ports.natural)) == sorted(names)


def test_a_usb_adapter_is_described_whole() -> None:
    info = describe(
        raw(vid=0x0403, pid=0x6001, serial_number="A5", manufacturer="FTDI", location="1-4.2"),
        by_id="/dev/serial/by-id/x",
        by_path="/dev/serial/by-path/y",
        holders=[Holder(7, "minicom")],
    )
    assert info.usb_id == "0403:6001"
    assert info.chip == "FTDI FT232R"
    assert (info.serial_number, info.manufacturer, info.location) == ("A5", "FTDI", "1-4.2")
    assert (info.by_id, info.by_path) == ("/dev/serial/by-id/x", "/dev/serial/by-path/y")
    assert info.holders == (Holder(7, "minicom"),)
    assert str(info.holders[0]) == "minicom (pid 7)"


def test_a_port_that_is_no_usb_adapter_has_no_identity() -> None:
    info = describe(raw())
    assert (info.usb_id, info.chip, info.description, info.serial_number) == (None, None, None, None)


@pytest.mark.parametrize(
    ("usb_id", "chip"),
    [
        ("10c4:ea60", "CP210x"),
        ("1a86:7523", "CH340"),
        ("1a86:55d4", "CH9102"),
        ("067b:2303", "PL2303"),
        ("0403:1234", "FTDI"),
        ("dead:beef", None),
        (None, None),
    ],
)
def test_the_chip_is_guessed_from_the_usb_id(usb_id: str | None, chip: str | None) -> None:
    assert chip_of(usb_id) == chip


LOST = port("/dev/ttyUSB0", "0403:6001", "A50285BI", "1-4.2")
LOST_TWIN = port("/dev/ttyUSB0", "10c4:ea60", "0001", "1-4.2")
LOST_NAMELESS = port("/dev/ttyUSB0", "1a86:7523", None, "1-4.2")
LOST_OF_FOUR = port("/dev/ttyUSB2", "0403:6011", "FT7", "1-4.2:1.2")


@pytest.mark.parametrize(
    ("lost", "here", "found"),
    [
        pytest.param(LOST, [], None, id="gone"),
        pytest.param(LOST, [LOST], "/dev/ttyUSB0", id="never went"),
        pytest.param(
            LOST, [port("/dev/ttyUSB1", "0403:6001", "A50285BI", "1-4.2")], "/dev/ttyUSB1", id="renumbered"
        ),
        pytest.param(
            LOST, [port("/dev/ttyUSB1", "0403:6001", "A50285BI", "1-3")], "/dev/ttyUSB1", id="other socket"
        ),
        pytest.param(LOST, [port("/dev/ttyUSB0", "0403:6001", "OTHER", "1-4.2")], None, id="swapped"),
        pytest.param(LOST, [port("/dev/ttyUSB0", "10c4:ea60", "A50285BI", "1-4.2")], None, id="other chip"),
        pytest.param(
            LOST_TWIN,
            [port("/dev/ttyUSB1", "10c4:ea60", "0001", "1-4.3")],
            None,
            id="twin with common serial",
        ),
        pytest.param(
            LOST_TWIN,
            [
                port("/dev/ttyUSB1", "10c4:ea60", "0001", "1-4.3"),
                port("/dev/ttyUSB5", "10c4:ea60", "0001", "1-4.2"),
            ],
            "/dev/ttyUSB5",
            id="common serial in its place",
        ),
        pytest.param(
            LOST_NAMELESS, [port("/dev/ttyUSB4", "1a86:7523", None, "1-4.2")], "/dev/ttyUSB4", id="by place"
        ),
        pytest.param(
            LOST_NAMELESS,
            [port("/dev/ttyUSB0", "1a86:7523", None, "1-4.1")],
            None,
            id="same name, other place",
        ),
        pytest.param(
            LOST_OF_FOUR,
            [port(f"/dev/ttyUSB{4 + n}", "0403:6011", "FT7", f"1-4.2:1.{n}") for n in range(4)],
            "/dev/ttyUSB6",
            id="third port of four",
        ),
        pytest.param(
            port("/dev/ttyUSB0", "1a86:7523", None, None),
            [port("/dev/ttyUSB0", "1a86:7523", None, None)],
            None,
            id="nothing to know it by",
        ),
        pytest.param(
            port("/dev/ttyS0", None, None, None),
            [port("/dev/ttyS0", None, None, None)],
            "/dev/ttyS0",
            id="no USB",
        ),
    ],
)
def test_an_adapter_is_found_again_only_if_it_is_the_same(
    lost: PortInfo, here: list[PortInfo], found: str | None
) -> None:
    assert match_port(lost, here) == found
    assert match_port(lost, reversed(here)) == found


def test_ports_of_other_lanes_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "list_ports", lambda: [LOST])
    assert find_again(LOST) == "/dev/ttyUSB0"
    assert find_again(LOST, exclude={"/dev/ttyUSB0"}) is None


def test_names_for_uarts_that_are_not_there_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, kind in (("ttyS0", "4"), ("ttyS1", "0")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "type").write_text(f"{kind}\n")
    monkeypatch.setattr(ports, "_SYS_TTY", tmp_path)
    monkeypatch.setattr(
        "atota.link.ports.comports",
        lambda: [SimpleNamespace(**{**vars(raw()), "device": f"/dev/ttyS{n}"}) for n in (1, 0)],
    )
    assert [each.device for each in list_ports()] == ["/dev/ttyS0"]


def test_the_latency_timer_and_the_driver_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "ttyUSB0" / "device"
    device.mkdir(parents=True)
    (device / "latency_timer").write_text("16\n")
    (device / "driver").symlink_to("/sys/bus/usb-serial/drivers/ftdi_sio")
    monkeypatch.setattr(ports, "_SYS_TTY", tmp_path)
    info = describe(raw(vid=0x0403, pid=0x6001))
    assert (info.latency_timer_ms, info.driver) == (16, "ftdi_sio")


def test_stable_names_follow_their_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tmp_path / "ttyUSB0"
    real.touch()
    by_id, by_path = tmp_path / "by-id", tmp_path / "by-path"
    for folder, name in ((by_id, "usb-FTDI_A5"), (by_path, "pci-usb-0:4"), (by_path, "pci-usbv2-0:4")):
        folder.mkdir(exist_ok=True)
        (folder / name).symlink_to("../ttyUSB0")
    monkeypatch.setattr(ports, "_BY_ID", by_id)
    monkeypatch.setattr(ports, "_BY_PATH", by_path)
    monkeypatch.setattr(
        "atota.link.ports.comports", lambda: [SimpleNamespace(**{**vars(raw()), "device": str(real)})]
    )
    (info,) = list_ports()
    assert info.by_id == str(by_id / "usb-FTDI_A5")
    assert info.by_path == str(by_path / "pci-usb-0:4")
    assert ports.stable_names() == [str(by_id / "usb-FTDI_A5")]
