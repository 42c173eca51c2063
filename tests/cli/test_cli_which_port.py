"""The port that nothing names: by the board's adapter, or by the only module that answers."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from atota.clock import StopToken, clock_at
from atota.link.ports import PortInfo
from atota.sim.link import make_module, parse_sim_url
from atota.sim.serve import serve_pty
from tests.cli.running import Cli
from tests.ptys import Pty

HERE = PortInfo(device="/dev/ttyUSB0", usb_id="10c4:ea60", serial_number="A1", location="1-4.2:1.0")
THERE = PortInfo(device="/dev/ttyUSB1", usb_id="10c4:ea60", serial_number="A2", location="1-4.3:1.0")
UART = PortInfo(device="/dev/ttyAMA0")


@pytest.fixture
def have(monkeypatch: pytest.MonkeyPatch) -> list[PortInfo]:
    """The ports of this machine."""
    ports: list[PortInfo] = []
    for place in ("atota.link.ports.list_ports", "atota.module.search.list_ports"):
        monkeypatch.setattr(place, lambda: ports)
    return ports


@pytest.fixture
def modules() -> Iterator[list[str]]:
    """Two simulated modules on ptys."""
    stop, ready = StopToken(), threading.Semaphore(0)
    ports: list[str] = []

    def serve(model: str) -> None:
        def on_ready(port: str) -> None:
            ports.append(port)
            ready.release()

        url = parse_sim_url(f"sim://{model}")
        serve_pty(make_module(url.model, url.options, faults=""), clock_at(20), on_ready, stop)

    threads = [threading.Thread(target=serve, args=(model,)) for model in ("BC28", "M5310-A")]
    for thread in threads:
        thread.start()
        assert ready.acquire(timeout=20)
    yield ports
    stop.set()
    for thread in threads:
        thread.join(20)


def board(folder: Path, adapter: str) -> Path:
    file = folder / "bench.toml"
    file.write_text(f'name = "bench"\n[adapter]\n{adapter}\n')
    return file


def test_the_boards_adapter_finds_its_port(cli: Cli, have: list[PortInfo], tmp_path: Path) -> None:
    have += [UART, HERE, THERE]
    ran = cli("identify", "--board", board(tmp_path, 'serial = "A2"'), "--json")
    assert ran.lines[0]["port"] == "/dev/ttyUSB1"
    assert "port: /dev/ttyUSB1" in ran.err


def test_an_adapter_that_is_not_there_is_named_with_those_that_are(
    cli: Cli, have: list[PortInfo], tmp_path: Path
) -> None:
    have += [UART, HERE]
    ran = cli("identify", "--board", board(tmp_path, 'serial = "A9"'))
    assert ran.code == 4
    assert "no port has the adapter of board bench (serial=A9)" in ran.err
    assert "/dev/ttyUSB0: vid=10c4 pid=ea60 serial=A1" in ran.err


def test_a_board_that_fits_two_ports_is_not_guessed(cli: Cli, have: list[PortInfo], tmp_path: Path) -> None:
    have += [HERE, THERE]
    ran = cli("identify", "--board", board(tmp_path, 'vid = "10C4"'))
    assert ran.code == 4
    assert "2 ports have the adapter" in ran.err
    assert "/dev/ttyUSB0, /dev/ttyUSB1" in ran.err


def test_a_port_that_is_given_wins_over_the_board(cli: Cli, have: list[PortInfo], tmp_path: Path) -> None:
    have += [HERE]
    ran = cli("identify", "-p", "sim://BC28?speed=max", "--board", board(tmp_path, 'serial = "A1"'), "--json")
    assert (ran.code, ran.lines[0]["port"]) == (0, "sim://BC28?speed=max")


def test_without_port_and_adapter_the_port_is_asked_for(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "b.toml"
    file.write_text('name = "b"\n')
    assert cli("identify").code == 2
    assert cli("identify", "--board", file).code == 2


def test_auto_takes_the_only_port_whose_module_answers(
    cli: Cli, have: list[PortInfo], modules: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atota.module.baud._ROUNDS", 1)
    mute = Pty()
    have += [PortInfo(device=mute.device), PortInfo(device=modules[0])]
    ran = cli("identify", "-p", "auto", "-b", "9600", "--json")
    mute.close()
    assert ran.code == 0, ran.err
    assert (ran.lines[0]["port"], ran.result["module"]["model"]) == (modules[0], "BC28")


def test_auto_lists_several_modules_and_takes_none(
    cli: Cli, have: list[PortInfo], modules: list[str]
) -> None:
    have += [PortInfo(device=port) for port in modules]
    ran = cli("identify", "-p", "auto", "-b", "9600")
    assert ran.code == 4
    assert "2 modules answer, and one must be meant" in ran.err
    assert f"{modules[0]}: BC28, IMEI" in ran.err
    assert f"{modules[1]}: M5310-A, IMEI" in ran.err


def test_auto_says_what_each_port_said_if_none_answers(cli: Cli, have: list[PortInfo]) -> None:
    assert cli("identify", "-p", "auto").code == 4
    mute = Pty()
    have += [PortInfo(device=mute.device)]
    ran = cli("identify", "-p", "auto", "-b", "9600")
    mute.close()
    assert ran.code == 5
    assert f"{mute.device}: no readable response from the module" in ran.err
