"""The check of a station: each line with a bench that is right and with one that is broken."""

import socket
import sys
import threading
from pathlib import Path

import pytest

from atota.clock import SystemClock, is_kept_by_network
from atota.doctor import port as port_module
from atota.doctor.findings import Finding
from atota.link.holders import Holder
from atota.link.ports import PortInfo
from atota.station.check import Machine, examine_station
from atota.station.config import load_station
from atota.station.sockets import LinkFolder

TAIL = "usb-0:1.2.1:1.0-port0"
NAME = f"pci-0000:00:14.0-{TAIL}"


class Desk:
    """A bench of files: by-path links to files that stand for devices."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.links = folder / "by-path"
        self.links.mkdir()
        self.ports: list[PortInfo] = []
        self.is_kept: bool | None = True

    def plug(self, tail: str = TAIL, *, pci: str = "0000:00:14.0", **info: object) -> Path:
        """Plug an adapter in, and return its device."""
        device = self.folder / f"tty-{len(list(self.links.iterdir()))}"
        device.touch()
        (self.links / f"pci-{pci}-{tail}").symlink_to(device)
        facts = {"usb_id": "10c4:ea60", "chip": "CP210x", "driver": "cp210x", "serial_number": "0001"}
        self.ports.append(PortInfo(device=str(device), **(facts | info)))  # type: ignore[arg-type]
        return device

    def findings(self, lanes: str, more: str = "") -> list[Finding]:
        path = self.folder / "station.toml"
        text = (
            f'name = "x"\n{more}\n'
            if "[page]" in more
            else f'name = "x"\n[page]\nlisten = "127.0.0.1:0"\n{more}\n'
        )
        path.write_text(text + lanes)
        machine = Machine(
            links=LinkFolder(self.links),
            clock=SystemClock(),
            sysfs=self.folder / "no-usb",
            ports=lambda: self.ports,
            is_kept=lambda: self.is_kept,
        )
        journal = self.folder / "journal.sqlite3"
        return list(examine_station(load_station(path), machine, rate=lambda _lane: None, journal=journal))

    def checked(self, lanes: str, more: str = "") -> dict[str, tuple[str, str]]:
        return {one.check: (one.state, one.says) for one in self.findings(lanes, more)}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def lane(place: str, number: int = 1) -> str:
    return f"[[lane]]\nnumber = {number}\n{place}\n"


SIM = lane('port = "sim://BC28"')


def test_a_bench_that_is_complete_has_nothing_to_mend(desk: Desk) -> None:
    desk.plug()
    findings = desk.checked(lane(f'path = "{TAIL}"'))
    assert {state for state, _ in findings.values()} == {"ok"}
    assert {"file", "adapter", "clock", "disk", "page"} == findings.keys()
    assert findings["adapter"][1].startswith("lane 1: CP210x, USB 10c4:ea60")


def test_each_bad_finding_says_the_next_thing_to_do(desk: Desk) -> None:
    (desk.folder / "u.zpl").write_text("^XA{imei}^XZ")
    desk.is_kept = False
    more = '[label]\ntemplate = "u.zpl"\nprinter = "/dev/usb/lp99"\n[scan]\nreader = "/dev/scanner99"\n'
    more += '[stop]\nmin_free_mb = 90000000\n[hooks]\nrecord = ["no-such-program"]\n'
    findings = desk.findings(lane(f'path = "{TAIL}"') + lane('port = "/dev/ttyUSB99"', 2), more)
    wrong = {one.check: one for one in findings if one.state != "ok"}
    assert wrong.keys() == {"lane", "clock", "printer", "scanner", "disk", "hooks"}
    assert all(one.next.endswith((".", "`.")) for one in wrong.values())
    assert wrong["printer"].says == "the printer /dev/usb/lp99 is not there"
    assert wrong["scanner"].says == "the scanner /dev/scanner99 is not there"


def test_a_lane_whose_adapter_is_missing_is_told(desk: Desk) -> None:
    assert desk.checked(lane(f'path = "{TAIL}"'))["lane"] == ("bad", f"lane 1: no adapter is at {TAIL}")
    assert desk.checked(lane('port = "/dev/ttyUSB99"'))["lane"][0] == "bad"


def test_adapters_that_cannot_be_told_apart_are_told(desk: Desk) -> None:
    desk.plug()
    desk.plug(pci="0000:05:00.0")
    state, says = desk.checked(lane(f'path = "{TAIL}"'))["lane"]
    assert state == "bad"
    assert "2 adapters are at" in says


def test_an_adapter_that_has_two_lanes_is_told(desk: Desk) -> None:
    device = desk.plug()
    state, says = desk.checked(lane(f'path = "{TAIL}"') + lane(f'port = "{device}"', 2))["lane"]
    assert (state, says) == ("bad", f"lane 2: it has the adapter of lane 1: {device}")


def test_equal_serial_numbers_are_normal_and_an_adapter_without_a_lane_is_named(desk: Desk) -> None:
    desk.plug()
    desk.plug("usb-0:1.2.2:1.0-port0")
    desk.plug("usb-0:1.2.3:1.0-port0")
    lanes = lane(f'path = "{TAIL}"') + lane('path = "usb-0:1.2.2:1.0-port0"', 2)
    findings = desk.findings(lanes)
    assert {one.state for one in findings} == {"ok"}
    (spare,) = [one.says for one in findings if one.check == "spare"]
    assert spare == "1 adapter without a lane: pci-0000:00:14.0-usb-0:1.2.3:1.0-port0"


def test_the_trouble_of_several_lanes_is_said_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_module, "modem_manager", lambda: Holder(7, "ModemManager"))
    lanes = ""
    for number in (1, 2, 3, 5):
        tail = f"usb-0:1.2.{number}:1.0-port0"
        desk.plug(tail)
        lanes += lane(f'path = "{tail}"', number)
    told = [one for one in desk.findings(lanes) if one.check == "ModemManager"]
    assert [(one.state, one.says.partition(": ")[0]) for one in told] == [("warning", "lanes 1-3, 5")]
    assert "ID_MM_DEVICE_IGNORE" in told[0].next


@pytest.mark.skipif(sys.platform == "win32", reason="ports have no permissions there")
def test_a_port_that_is_forbidden_or_held_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    device = desk.plug()
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    assert desk.checked(lane(f'path = "{TAIL}"'))["permission"][0] == "bad"
    monkeypatch.undo()
    held = {str(device): [Holder(9, "minicom")]}
    monkeypatch.setattr(port_module, "holders_of", lambda _devices: held)
    state, says = desk.checked(lane(f'path = "{TAIL}"'))["holders"]
    assert state == "bad"
    assert "minicom" in says


def test_a_latency_timer_counts_where_the_board_leaves_it_as_it_is(desk: Desk) -> None:
    desk.plug(latency_timer_ms=16, usb_id="0403:6001", chip="FTDI FT232R", driver="ftdi_sio")
    assert "latency" not in desk.checked(lane(f'path = "{TAIL}"'))
    (desk.folder / "b.toml").write_text('name = "b"\n[serial]\nlow_latency = false\n')
    state, says = desk.checked(lane(f'path = "{TAIL}"\nboard = "b.toml"'))["latency"]
    assert state == "warning"
    assert says.startswith("lane 1: the driver holds back received bytes for up to 16 ms")


@pytest.mark.parametrize(("is_kept", "state"), [(True, "ok"), (None, "ok"), (False, "warning")])
def test_a_clock_that_drifts_is_told(desk: Desk, is_kept: bool | None, state: str) -> None:
    desk.is_kept = is_kept
    assert desk.checked(SIM)["clock"][0] == state


@pytest.mark.skipif(sys.platform != "linux", reason="adjtimex(2) is Linux")
def test_the_kernel_tells_if_its_clock_is_kept() -> None:
    assert is_kept_by_network() in (True, False)


def test_a_page_whose_port_is_taken_is_told(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        state, says = desk.checked(SIM, f'[page]\nlisten = "{listen}"')["page"]
    assert state == "bad"
    assert listen in says


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"\x02030,0,0,1245,000\x03", "is ready"),
        (b"\x02030,1,0,1245,000\x03", "is out of paper"),
        (b"\x02030,0,1,1245,000\x03", "is paused"),
    ],
)
def test_a_printer_is_asked_for_its_state(desk: Desk, answer: bytes, told: str) -> None:
    (desk.folder / "u.zpl").write_text("^XA{imei}^XZ")
    with socket.create_server(("127.0.0.1", 0)) as printer:

        def serve() -> None:
            connection, _ = printer.accept()
            with connection:
                connection.recv(10)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        more = f'[label]\ntemplate = "u.zpl"\nprinter = "tcp://127.0.0.1:{printer.getsockname()[1]}"'
        state, says = desk.checked(SIM, more)["printer"]
        thread.join()
    assert state == ("ok" if told == "is ready" else "bad")
    assert says.endswith(told)


def test_what_cannot_be_read_is_a_finding_and_the_others_follow(desk: Desk) -> None:
    (desk.folder / "d.csv").write_text("imei,nothing\n1,2\n")
    (desk.folder / "p.bin").write_bytes(b"package")
    (desk.folder / "journal.sqlite3").write_bytes(b"not a database" * 100)
    more = f'[work]\ncommand = "flash"\npackage = "p.bin"\nmd5 = "{"0" * 32}"\ntarget = "V2"\n'
    findings = desk.checked(SIM, more + '[devices]\nfile = "d.csv"')
    assert {check for check, (state, _) in findings.items() if state == "bad"} == {
        "package",
        "devices",
        "clock",
    }
    assert findings["disk"][0] == "ok"
    assert findings["lane"] == ("ok", "lane 1: sim://BC28")
