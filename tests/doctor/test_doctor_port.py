"""The port: permission, holders, adapter, driver and latency timer, judged from what the system says."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atota.doctor import port
from atota.doctor.findings import Finding
from atota.doctor.port import PortFacts, gather, judge, judge_latency, judge_url
from atota.link.holders import Holder
from atota.link.ports import PortInfo
from atota.link.translate import forbidden, missing
from tests.ptys import Pty

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
MANAGER = Holder(812, "ModemManager")
FTDI = PortInfo(
    device="/dev/ttyUSB0",
    usb_id="0403:6001",
    chip="FTDI FT232R",
    serial_number="A50285BI",
    location="1-4.2",
    driver="ftdi_sio",
    latency_timer_ms=16,
)


def facts(**fields: Any) -> PortFacts:
    return PortFacts(**{"name": "/dev/ttyUSB0", "info": FTDI, **fields})


def by_check(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def test_a_good_port_has_nothing_but_good_findings() -> None:
    found = by_check(judge(facts()))
    assert {one.state for one in found.values()} == {"ok"}
    assert list(found) == ["permission", "holders", "adapter", "driver"]
    assert found["adapter"].says == "FTDI FT232R, USB 0403:6001, serial number A50285BI, at 1-4.2"
    assert found["driver"].says == "ftdi_sio"


def test_a_missing_port_is_the_only_finding() -> None:
    (only,) = judge(facts(trouble=missing("/dev/no-such-port")))
    assert (only.check, only.state) == ("there", "bad")
    assert "no serial port" in only.says
    assert only.next


def test_a_forbidden_port_says_what_to_do_and_the_rest_is_still_told() -> None:
    found = by_check(judge(facts(trouble=forbidden("/dev/null"))))
    assert found["permission"].state == "bad"
    assert "belongs to group" in found["permission"].says
    assert found["permission"].next
    assert found["adapter"].state == "ok"


def test_a_holder_is_named_with_what_to_do() -> None:
    found = by_check(judge(facts(holders=(Holder(77, "minicom"),))))
    assert found["holders"].state == "bad"
    assert "minicom (pid 77)" in found["holders"].says
    assert found["holders"].next == "Close minicom and run the command again."


def test_modem_manager_on_the_port_is_bad_and_how_to_stop_it_is_told() -> None:
    found = by_check(judge(facts(holders=(MANAGER,), manager=MANAGER)))
    assert found["holders"].state == "bad"
    assert "systemctl stop ModemManager" in found["holders"].next
    assert "ID_MM_DEVICE_IGNORE" in found["holders"].next
    assert "ModemManager" not in found


@pytest.mark.parametrize(("ignored", "state"), [(False, "warning"), (True, "ok")])
def test_modem_manager_that_only_runs_is_a_warning_unless_udev_keeps_it_off(
    ignored: bool, state: str
) -> None:
    found = by_check(judge(facts(manager=MANAGER, ignored=ignored)))
    assert found["ModemManager"].state == state
    assert ('idVendor}=="0403"' in found["ModemManager"].next) is not ignored
    assert "put the vendor" not in found["ModemManager"].next


def test_modem_manager_does_not_matter_to_a_port_that_is_not_on_usb() -> None:
    assert "ModemManager" not in by_check(judge(facts(info=PortInfo(device="/dev/ttyS0"), manager=MANAGER)))


def test_who_is_not_root_is_told_that_some_programs_are_not_seen() -> None:
    assert "not seen" in by_check(judge(facts(sees_all=False)))["holders"].says


@pytest.mark.parametrize(
    ("info", "adapter", "driver"),
    [
        (PortInfo(device="/dev/ttyS0"), "a port of the machine's own, not on USB", None),
        (PortInfo(device="/dev/pts/7"), "none: this is a pseudo-terminal, another program's", None),
        (PortInfo(device="x", usb_id="dead:beef"), "an unknown chip, USB dead:beef", "unknown"),
    ],
)
def test_other_adapters_are_told_as_far_as_they_are_known(
    info: PortInfo, adapter: str, driver: str | None
) -> None:
    found = by_check(judge(PortFacts(name=info.device, info=info)))
    assert found["adapter"].says == adapter
    assert (found["driver"].state if "driver" in found else None) == driver


@pytest.mark.parametrize(
    ("timer", "opened", "state", "words"),
    [
        (None, None, None, ()),
        (1, None, "ok", ("1 ms",)),
        (1, 1, "ok", ("1 ms",)),
        (16, 1, "ok", ("16 ms", "1 ms while atota has the port")),
        (16, 16, "warning", ("up to 16 ms", "12 s more", "800 blocks")),
        (16, None, "warning", ("up to 16 ms",)),
        (255, 255, "warning", ("203 s more",)),
    ],
)
def test_the_latency_timer_is_judged_by_what_it_costs(
    timer: int | None, opened: int | None, state: str | None, words: tuple[str, ...]
) -> None:
    found = judge_latency("/dev/ttyUSB3", timer, opened_ms=opened, size=204800)
    assert (found.state if found else None) == state
    if found is not None:
        assert all(word in found.says for word in words)
        lower = "echo 1 | sudo tee /sys/bus/usb-serial/devices/ttyUSB3/latency_timer"
        assert (lower in found.next) is (state == "warning")


@pytest.mark.parametrize("name", ["socket://host:5000", "rfc2217://host:5000"])
def test_of_a_network_port_it_is_said_what_cannot_be_seen(name: str) -> None:
    found = judge_url(name)
    assert found.state == "unknown"
    assert "latency timer" in found.says
    assert "on the machine" in found.next


@pytest.mark.parametrize("name", ["sim://BC28", "replay://a.transcript"])
def test_a_played_module_has_no_adapter(name: str) -> None:
    found = judge_url(name)
    assert (found.state, found.says.split(":")[0]) == ("ok", "none")


MAKE = """
import os, sys
master, slave = os.openpty()
print(os.ttyname(slave), flush=True)
sys.stdin.read()
"""
HOLD = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
print("ready", flush=True)
sys.stdin.read()
"""


class Program:
    """Another program, until the test ends; its first line is what it said."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


@linux
def test_another_program_on_a_real_port_is_found(pty: Pty) -> None:
    assert gather(pty.device).holders == ()
    holder = Program(HOLD, pty.device)
    with holder as said:
        assert said == "ready"
        assert [one.pid for one in gather(pty.device).holders] == [holder.process.pid]


@linux
def test_the_program_that_makes_a_pty_does_not_hold_it() -> None:
    with Program(MAKE) as device:
        assert gather(device).holders == ()


@linux
def test_a_real_port_is_gathered(pty: Pty) -> None:
    found = by_check(judge(gather(pty.device)))
    assert {one.state for one in found.values()} == {"ok"}
    assert "pseudo-terminal" in found["adapter"].says


@pytest.mark.skipif(sys.platform == "win32", reason="ports are no files there")
def test_a_file_that_may_not_be_opened_is_forbidden(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atota.doctor.port.os.access", lambda *_: False)
    assert by_check(judge(gather(pty.device)))["permission"].state == "bad"


@pytest.mark.skipif(sys.platform == "win32", reason="ports are no files there")
def test_a_name_that_is_no_file_is_missing() -> None:
    assert [one.check for one in judge(gather("/dev/no-such-port"))] == ["there"]


@pytest.mark.parametrize(
    ("text", "ignored"),
    [("E:ID_MM_DEVICE_IGNORE=1\n", True), ("E:ID_MM_PORT_IGNORE=1", True), ("E:ID_BUS=usb\n", False)],
)
def test_udev_s_database_tells_whether_modem_manager_keeps_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, ignored: bool
) -> None:
    number = Path("/dev/null").stat().st_rdev
    (tmp_path / f"c{os.major(number)}:{os.minor(number)}").write_text(f"S:null\n{text}")
    monkeypatch.setattr(port, "_UDEV_DATA", tmp_path)
    assert port._is_ignored("/dev/null") is ignored
    assert port._is_ignored("/dev/no-such-port") is False
