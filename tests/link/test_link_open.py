"""Opening: what is said when a port is busy, forbidden, missing or no port at all."""

import os
import select
import signal
import subprocess
import sys
import threading
import types
from pathlib import Path

import msgspec
import pytest

from atota.clock import Clock, SystemClock
from atota.errors import LinkError, LinkLost, PortBusy, PortForbidden, PortNotFound, UsageError
from atota.link import open as opening
from atota.link import translate
from atota.link.base import Link
from atota.link.holders import Holder, holders, modem_manager
from atota.link.open import open_link
from atota.link.pipes import DescriptorPipe, PollingPipe
from atota.link.ports import PortInfo, rate_doubt
from atota.link.serial import SerialLink
from atota.testing.memory import memory_pair
from tests.ptys import Pty

HOLD = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
if sys.argv[2] == "lock":
    fcntl.flock(fd, fcntl.LOCK_EX)
print("ready", flush=True)
sys.stdin.read()
"""


class Program:
    """Another program that has a port open until the test ends."""

    def __init__(self, python: str, device: str, *, lock: bool) -> None:
        args = [python, "-c", HOLD, device, "lock" if lock else "share"]
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def __enter__(self) -> int:
        return self.process.pid

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


@pytest.fixture
def manager_python(tmp_path: Path) -> str:
    """A Python that the system knows as ModemManager."""
    link = tmp_path / "ModemManager"
    link.symlink_to(sys.executable)
    return str(link)


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


@linux
def test_a_port_that_another_program_locks_is_busy_and_the_program_is_named(pty: Pty) -> None:
    with Program(sys.executable, pty.device, lock=True) as pid, pytest.raises(PortBusy) as caught:
        open_link(pty.device)
    assert pty.device in caught.value.message
    assert f"pid {pid}" in caught.value.message
    assert "python" in caught.value.message


@linux
def test_modem_manager_on_the_port_is_named_with_the_way_to_be_rid_of_it(
    pty: Pty, manager_python: str
) -> None:
    with Program(manager_python, pty.device, lock=True) as pid:
        assert modem_manager() == Holder(pid, "ModemManager")
        with pytest.raises(PortBusy) as caught:
            open_link(pty.device)
    assert f"ModemManager (pid {pid})" in caught.value.message
    assert caught.value.hint is not None
    assert "systemctl stop ModemManager" in caught.value.hint
    assert "ID_MM_DEVICE_IGNORE" in caught.value.hint


@linux
def test_holders_tells_of_a_program_that_does_not_lock(pty: Pty) -> None:
    assert holders(pty.device) == []
    with Program(sys.executable, pty.device, lock=False) as pid:
        assert [holder.pid for holder in holders(pty.device)] == [pid]
        open_link(pty.device).close()
    assert holders(pty.device) == []


@linux
def test_a_port_that_we_have_open_ourselves_is_busy(pty: Pty) -> None:
    first = open_link(pty.device)
    with pytest.raises(PortBusy, match="this program"):
        open_link(pty.device)
    first.close()
    open_link(pty.device).close()


@linux
def test_a_lock_dies_with_its_program(pty: Pty) -> None:
    program = Program(sys.executable, pty.device, lock=True)
    os.kill(program.process.pid, signal.SIGKILL)
    program.process.communicate()
    open_link(pty.device).close()


def test_a_busy_port_whose_holder_is_hidden_says_how_to_find_it() -> None:
    error = translate.busy("/dev/ttyUSB0", [], None)
    assert "sudo fuser -v /dev/ttyUSB0" in str(error.hint)
    assert "ModemManager" in str(translate.busy("/dev/ttyUSB0", [], Holder(7, "ModemManager")).hint)


def test_modem_manager_is_not_blamed_when_another_program_holds_the_port() -> None:
    error = translate.busy("/dev/ttyUSB0", [Holder(5, "minicom")], Holder(7, "ModemManager"))
    assert "minicom (pid 5)" in error.message
    assert "ModemManager" not in error.message + str(error.hint)


def test_a_forbidden_port_names_its_group_and_mode(pty: Pty) -> None:
    import grp  # not on every system

    os.chmod(pty.device, 0)  # noqa: PTH101 (a device, not a file of ours)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(PortForbidden) as caught:
            open_link(pty.device)
    finally:
        if root:
            os.seteuid(0)
    group = grp.getgrgid(os.stat(pty.device).st_gid).gr_name  # noqa: PTH116
    assert f"group {group}, mode 0000" in caught.value.message
    assert "udev" in str(caught.value.hint)


@as_root
def test_a_forbidden_port_says_how_to_join_its_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import grp

    group = next(entry for entry in grp.getgrall() if entry.gr_gid and entry.gr_gid not in os.getgroups())
    device = tmp_path / "ttyUSB0"
    device.touch()
    device.chmod(0o660)
    os.chown(device, 0, group.gr_gid)
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setenv("USER", "ada")
    error = translate.forbidden(str(device))
    assert f"belongs to group {group.gr_name}" in error.message
    assert f"sudo usermod -aG {group.gr_name} ada" in str(error.hint)


def test_a_missing_port_tells_which_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translate, "port_names", lambda: ["/dev/ttyUSB3", "/dev/ttyUSB7"])
    monkeypatch.setattr(translate, "stable_names", lambda: ["/dev/serial/by-id/usb-FTDI_A5-if00"])
    with pytest.raises(PortNotFound) as caught:
        open_link("/dev/ttyUSB0")
    assert "/dev/ttyUSB0" in caught.value.message
    assert "/dev/ttyUSB3, /dev/ttyUSB7" in str(caught.value.hint)
    assert "/dev/serial/by-id/usb-FTDI_A5-if00" in str(caught.value.hint)


def test_a_missing_port_on_a_machine_without_ports_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translate, "port_names", list)
    with pytest.raises(PortNotFound) as caught:
        open_link("/dev/ttyUSB0")
    assert "This machine has no serial port" in str(caught.value.hint)


def test_a_name_without_its_folder_is_corrected() -> None:
    with pytest.raises(PortNotFound) as caught:
        open_link("null")
    assert "Did you mean /dev/null?" in str(caught.value.hint)


def test_a_file_is_no_serial_port(tmp_path: Path) -> None:
    file = tmp_path / "firmware.bin"
    file.touch()
    for path in (file, tmp_path):
        with pytest.raises(PortNotFound, match="is not a serial port"):
            open_link(str(path))


def test_a_server_that_is_not_there_is_a_missing_port() -> None:
    for url in ("socket://127.0.0.1:1", "rfc2217://127.0.0.1:1"):
        with pytest.raises(PortNotFound, match="refused"):
            open_link(url)


@pytest.mark.parametrize(
    "url", ["socket://host", "rfc2217://host:port", "rfc2217://:7", "socket://host:99999", ""]
)
def test_an_incomplete_address_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError):
        open_link(url)


@pytest.mark.parametrize("baud", [0, -9600, 2**31])
def test_an_impossible_rate_is_a_usage_error(pty: Pty, baud: int) -> None:
    with pytest.raises(UsageError):
        open_link(pty.device, baud=baud)
    link = open_link(pty.device, baud=115200)
    with pytest.raises(UsageError):
        link.set_baud(baud)
    assert link.baud == 115200
    link.close()


def test_an_unknown_scheme_is_a_usage_error_that_names_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        open_link("ftp://module")
    for known in ("rfc2217://", "socket://", "sim://"):
        assert known in str(caught.value.hint)


def test_a_scheme_is_opened_by_the_function_its_table_names(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int, Clock | None]] = []

    def opener(url: str, *, baud: int = 9600, clock: Clock | None = None) -> Link:
        calls.append((url, baud, clock))
        return memory_pair(clock or SystemClock())[0]

    module = types.ModuleType("a_plugged_in_module")
    module.open_it = opener  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_plugged_in_module", module)
    monkeypatch.setitem(opening._BUILT_IN, "made-up", "a_plugged_in_module:open_it")
    clock = SystemClock()
    link = open_link("MADE-UP://BC28?seed=1", baud=57600, clock=clock)
    assert calls == [("MADE-UP://BC28?seed=1", 57600, clock)]
    link.close()


def test_naming_ports_loads_no_pyserial() -> None:
    code = "import sys, atota.link.open, atota.link.ports; print('serial' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_pty_has_no_low_latency_mode_and_opens_all_the_same(pty: Pty) -> None:
    with SerialLink(pty.device, low_latency=True) as link:
        assert not link.low_latency


def test_a_port_that_takes_nothing_is_lost_with_a_hint_about_flow_control(pty: Pty) -> None:
    with SerialLink(pty.device, stall_s=0.05) as link:
        with pytest.raises(LinkLost, match="no byte was accepted") as caught:
            link.write(bytes(2**20))
        assert "flow control" in str(caught.value.hint)


def test_a_write_waits_for_a_slow_reader_and_loses_nothing(pty: Pty) -> None:
    data = os.urandom(200_000)
    got = bytearray()

    def read_slowly() -> None:
        while len(got) < len(data):
            select.select([pty.master], [], [])
            got.extend(os.read(pty.master, 1000))

    thread = threading.Thread(target=read_slowly, daemon=True)
    thread.start()
    with SerialLink(pty.device) as link:
        link.write(data)
        thread.join(10)
    assert bytes(got) == data


def test_bytes_that_another_program_took_are_silence_not_a_loss(pty: Pty) -> None:
    taken: list[bytes] = []

    def thief(size: int) -> bytes:
        taken.append(os.read(pty.slave, size))
        return b""

    pipe = DescriptorPipe(
        pty.slave, take=thief, give=lambda view: len(view), clock=SystemClock(), empty_is_end=False
    )
    os.write(pty.master, b"OK")
    assert pipe.read(0.01) == b""
    assert taken == [b"OK"]


def test_a_port_that_can_only_be_polled_waits_and_takes_everything() -> None:
    arrived = bytearray()

    def take(size: int) -> bytes:
        if not arrived:
            arrived.extend(b"\r\nOK\r\n")  # as if it came while pyserial waited for one byte
        data = bytes(arrived[:size])
        del arrived[:size]
        return data

    written: list[bytes] = []
    pipe = PollingPipe(
        waiting=lambda: len(arrived), take=take, write=written.append, piece=4, clock=SystemClock()
    )
    assert pipe.read(0) == b""
    assert pipe.read(0.001) == b""
    assert pipe.read(5) == b"\r\nOK\r\n"
    pipe.write(b"AT+CSQ\r", 1)
    assert written == [b"AT+C", b"SQ\r"]


def test_an_error_of_the_system_keeps_its_words() -> None:
    error = translate.open_fault("/dev/ttyUSB0", OSError(24, "Too many open files"))
    assert type(error) is LinkError
    assert "Too many open files" in error.message


def test_a_windows_error_without_a_number_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translate, "port_names", lambda: ["COM3"])
    text = "could not open port 'COM9': FileNotFoundError(2, 'The system cannot find the file.', None, 2)"
    assert type(translate.open_fault("COM9", OSError(text))) is PortNotFound


@pytest.mark.parametrize(
    ("info", "rule"),
    [
        (
            PortInfo(device="ttyUSB0", usb_id="1a86:7523"),
            'SUBSYSTEM=="tty", ATTRS{idVendor}=="1a86", ATTRS{idProduct}=="7523", GROUP="dialout"',
        ),
        (PortInfo(device="ttyUSB0"), 'KERNEL=="ttyUSB0", GROUP="dialout"'),
    ],
)
def test_the_udev_rule_fits_the_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, info: PortInfo, rule: str
) -> None:
    device = tmp_path / "ttyUSB0"
    device.touch(mode=0o600)
    device.chmod(0o600)
    known = msgspec.structs.replace(info, device=str(device))
    monkeypatch.setattr(translate, "list_ports", lambda: [known])
    assert rule in str(translate.forbidden(str(device)).hint)


@pytest.mark.parametrize(
    ("name", "info", "words"),
    [
        ("socket://host:1", None, "the far end has a rate of its own"),
        ("rfc2217://host:1", None, None),
        ("sim://BC28", None, None),
        ("/dev/ttyUSB0", PortInfo(device="x", usb_id="1a86:7523", driver="ch341-uart"), None),
        ("/dev/ttyACM0", PortInfo(device="x", usb_id="1a86:55d4", driver="cdc_acm"), None),
        ("/dev/ttyACM0", PortInfo(device="x", usb_id="2341:0043", driver="cdc_acm"), "the speed of USB"),
        ("/dev/ttyUSB2", PortInfo(device="x", usb_id="2c7c:0125", driver="option"), "the speed of USB"),
        ("/dev/ttyS0", PortInfo(device="x"), None),
    ],
)
def test_a_port_whose_rate_is_not_that_of_a_wire_is_known(
    name: str, info: PortInfo | None, words: str | None
) -> None:
    doubt = rate_doubt(name, info)
    assert (doubt is None) if words is None else (doubt is not None and words in doubt)


def test_a_pseudo_terminal_has_no_wire(pty: Pty) -> None:
    assert rate_doubt(pty.device, PortInfo(device=pty.device)) is not None
