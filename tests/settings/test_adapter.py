"""A board is used on the adapter that it names, or not at all."""

from pathlib import Path

import pytest

from atota.errors import BoardMismatch
from atota.link.ports import PortInfo
from atota.module.module import open_module
from atota.settings.adapter import check_adapter
from atota.settings.board import Adapter, Board
from atota.values import Digests
from tests.cli.running import Cli

CP2102 = PortInfo(device="/dev/ttyUSB0", usb_id="10c4:ea60", serial_number="0001", location="1-4.2:1.0")
UART = PortInfo(device="/dev/ttyAMA0")
NAMED = Board(name="bench", adapter=Adapter(vid="10C4", pid="ea60"))
OTHER = Board(name="bench", adapter=Adapter(vid="0403", serial="A9"))


@pytest.fixture(autouse=True)
def ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atota.link.ports.list_ports", lambda: [CP2102, UART])


def test_the_adapter_that_the_board_names_is_taken() -> None:
    assert check_adapter(NAMED, "/dev/ttyUSB0") is None


def test_a_board_without_adapter_takes_any_port() -> None:
    for port in ("/dev/ttyUSB0", "/dev/ttyAMA0", "socket://127.0.0.1:5000", "COM9"):
        assert check_adapter(Board(name="b"), port) is None


def test_a_link_to_the_port_is_the_port(tmp_path: Path) -> None:
    link = tmp_path / "modem"
    link.symlink_to("/dev/ttyUSB0")
    assert check_adapter(NAMED, str(link)) is None
    with pytest.raises(BoardMismatch):
        check_adapter(OTHER, str(link))


def test_another_adapter_is_refused_and_both_are_named() -> None:
    with pytest.raises(BoardMismatch) as caught:
        check_adapter(OTHER, "/dev/ttyUSB0")
    assert caught.value.message == (
        "/dev/ttyUSB0: board bench names the adapter vid=0403 serial=A9, "
        "but this port has vid=10c4 pid=ea60 serial=0001 location=1-4.2:1.0"
    )
    assert caught.value.exit_code == 4


def test_an_on_board_uart_is_another_adapter() -> None:
    with pytest.raises(BoardMismatch, match="but this port has no USB adapter"):
        check_adapter(NAMED, "/dev/ttyAMA0")


@pytest.mark.parametrize("port", ["socket://127.0.0.1:5000", "rfc2217://host:1", "/dev/null"])
def test_a_port_without_usb_identity_is_taken_with_a_warning(port: str) -> None:
    assert check_adapter(OTHER, port) == f"{port}: the adapter of board bench cannot be checked on this port"


@pytest.mark.parametrize("port", ["sim://BC28", "SIM://BC28", "replay://x.transcript", "/dev/no-such-port"])
def test_a_simulated_port_and_one_that_is_missing_are_left_alone(port: str) -> None:
    assert check_adapter(OTHER, port) is None


def test_the_port_is_not_opened_before_its_adapter_was_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atota.module.module.open_link", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(BoardMismatch):
        open_module("/dev/ttyUSB0", board=OTHER)


BOARD = 'name = "bench"\n[adapter]\nvid = "0403"\n'


def test_every_command_ends_with_exit_4_on_another_adapter(cli: Cli, tmp_path: Path, package: Path) -> None:
    board = tmp_path / "b.toml"
    board.write_text(BOARD)
    md5 = Digests.of(package.read_bytes()).md5
    flash = ("flash", package, "--md5", md5, "--target", "V2")
    for words in (("identify",), flash):
        ran = cli(*words, "-p", "/dev/ttyUSB0", "--board", board, "--json")
        assert (ran.code, ran.result["outcome"]) == (4, "port")
        assert ran.result["error"]["code"] == "link.board-mismatch"
        assert "vid=0403" in ran.result["error"]["message"]
        assert "vid=10c4" in ran.result["error"]["message"]
        assert "atota ports" in ran.result["error"]["hint"]


def test_a_simulated_module_is_identified_with_any_board(cli: Cli, tmp_path: Path) -> None:
    board = tmp_path / "b.toml"
    board.write_text(BOARD)
    ran = cli("identify", "-p", "sim://BC28", "--board", board)
    assert (ran.code, ran.err) == (0, "")


def test_a_network_port_is_used_with_a_warning(cli: Cli, tmp_path: Path) -> None:
    board = tmp_path / "b.toml"
    board.write_text(BOARD)
    ran = cli("identify", "-p", "socket://127.0.0.1:1", "--board", board)
    assert ran.code == 4
    assert "cannot be checked" in ran.err
    assert "Connection refused" in ran.err or "refused" in ran.err
