"""The budget of the USB, on trees as sysfs shows them."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from atota.doctor.findings import Finding
from atota.station.usb import budget, read_tree


class Sysfs:
    """A synthetic /sys/bus/usb/devices, with the controllers behind it."""

    def __init__(self, root: Path, vendor: str = "0x8086") -> None:
        self.folder = root / "bus"
        self.pci = root / "pci" / "0000:00:14.0"
        self.folder.mkdir(parents=True)
        self.pci.mkdir(parents=True)
        (self.pci / "vendor").write_text(f"{vendor}\n")
        self._real("usb1", {})

    def _real(self, name: str, files: dict[str, str]) -> None:
        real = self.pci / name
        real.mkdir()
        for file, text in files.items():
            (real / file).write_text(f"{text}\n")
        (self.folder / name).symlink_to(real)

    def hub(self, name: str, *, tt: str = "02", speed: str = "480") -> None:
        self._real(name, {"speed": speed, "bDeviceClass": "09", "bDeviceProtocol": tt})
        self._real(f"{name}:1.0", {"bNumEndpoints": "01"})

    def adapter(self, name: str, *, endpoints: Iterable[str] = ("02",), speed: str = "12") -> None:
        self._real(name, {"speed": speed, "bDeviceClass": "00", "bDeviceProtocol": "00"})
        for index, count in enumerate(endpoints):
            self._real(f"{name}:1.{index}", {"bNumEndpoints": count})

    def judge(self, *lanes: str, baud: int = 115_200, each: int = 1) -> list[Finding]:
        return list(budget(read_tree(self.folder), {name: [baud] * each for name in lanes}))


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    return Sysfs(tmp_path)


def states(findings: list[Finding], check: str) -> list[str]:
    return [finding.state for finding in findings if finding.check == check]


def test_endpoints_are_counted_with_the_control_one(sysfs: Sysfs) -> None:
    sysfs.hub("1-1")
    sysfs.adapter("1-1.1")  # FT232R: 3
    sysfs.adapter("1-1.2", endpoints=("03",))  # CH340: 4
    sysfs.adapter("1-1.3", endpoints=("02",) * 4, speed="480")  # FT4232H: 9
    assert [device.endpoints for device in read_tree(sysfs.folder)] == [2, 3, 4, 9]


def test_32_adapters_and_their_hubs_are_too_many_for_an_intel_controller(sysfs: Sysfs) -> None:
    sysfs.hub("1-1")
    names = []
    for hub in range(1, 6):
        sysfs.hub(f"1-1.{hub}")
        for port in range(1, 8):
            names.append(f"1-1.{hub}.{port}")
    for name in names[:26]:
        sysfs.adapter(name)
    assert states(sysfs.judge(*names[:26]), "controller") == ["ok"]
    for name in names[26:]:
        sysfs.adapter(name)
    (finding,) = [one for one in sysfs.judge(*names) if one.check == "controller"]
    assert finding.state == "bad"
    assert finding.says == "0000:00:14.0: 35 lanes, 41 devices of 127, 117 endpoints of 96"
    assert "another controller" in finding.next


def test_a_raspberry_pi_4_takes_32_devices(tmp_path: Path) -> None:
    pi = Sysfs(tmp_path, vendor="0x1106")
    for port in range(1, 33):
        pi.adapter(f"1-{port}")
    assert states(pi.judge("1-1"), "controller") == ["ok"]
    pi.adapter("1-33")
    assert states(pi.judge("1-1"), "controller") == ["bad"]


def test_lanes_of_a_single_tt_hub_share_one_translator(sysfs: Sysfs) -> None:
    sysfs.hub("1-1", tt="01")
    names = [f"1-1.{port}" for port in range(1, 14)]
    for name in names:
        sysfs.adapter(name)
    assert states(sysfs.judge(*names, baud=115_200), "translator") == ["ok"]
    (finding,) = [one for one in sysfs.judge(*names, baud=921_600) if one.check == "translator"]
    assert (finding.state, finding.says) == (
        "bad",
        "hub 1-1: 13 lanes share one transaction translator, 99% of its time",
    )


def test_lanes_of_a_multi_tt_hub_have_a_translator_each(sysfs: Sysfs) -> None:
    sysfs.hub("1-1", tt="02")
    names = [f"1-1.{port}" for port in range(1, 14)]
    for name in names:
        sysfs.adapter(name)
    assert states(sysfs.judge(*names, baud=921_600), "translator") == ["ok"] * 13


def test_adapters_of_480_mbits_need_no_translator(sysfs: Sysfs) -> None:
    sysfs.hub("1-1", tt="01")
    sysfs.adapter("1-1.1", endpoints=("02",) * 4, speed="480")
    findings = sysfs.judge("1-1.1", baud=921_600, each=4)
    assert states(findings, "translator") == []
    assert findings[0].says.startswith("0000:00:14.0: 4 lanes")


def test_six_hubs_in_a_row_are_one_too_many(sysfs: Sysfs) -> None:
    way = "1-1"
    for _ in range(5):
        sysfs.hub(way)
        way += ".1"
    sysfs.adapter(way)
    assert states(sysfs.judge(way), "hubs") == []
    sysfs.hub(f"{way[:-2]}.2")
    sysfs.adapter(f"{way[:-2]}.2.1")
    assert states(sysfs.judge(f"{way[:-2]}.2.1"), "hubs") == ["bad"]


def test_a_system_without_such_a_tree_has_no_findings(tmp_path: Path) -> None:
    assert list(budget(read_tree(tmp_path / "nowhere"), {})) == []
