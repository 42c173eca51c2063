"""`atota replay` as a process: any program talks to the recording and is told where it leaves it."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from atota.errors import LinkLost
from atota.link.serial import SerialLink
from atota.module.module import open_module
from atota.testing.recorded import Ending, replayed
from atota.transcript.head import parse_head
from atota.transcript.masking import Masker
from atota.transcript.recording import read_recording
from atota.transcript.writer import TranscriptLink
from atota.values import Digests
from tests.cli.running import BASE, PACKAGE, TARGET, Cli
from tests.e2e.processes import Atota

termios = pytest.importorskip("termios")

HEAD = "# atota transcript 1\n# link x\n# started 2026-01-01T00:00:00.000Z\n0.000 ! baud 9600\n"
TALK = "0.100 > AT\\r\n0.110 < AT\\r\\r\\nOK\\r\\n\n0.200 > AT+CSQ\\r\n0.210 < OK\\r\\n\n0.300 ! closed\n"


@pytest.fixture
def transcript(tmp_path: Path) -> Callable[[str], Path]:
    """A file with these lines."""

    def made(body: str) -> Path:
        path = tmp_path / "t.transcript"
        path.write_text(HEAD + body, encoding="ascii")
        return path

    return made


def test_a_module_is_identified_from_its_recording_on_a_pty(tmp_path: Path) -> None:
    path = tmp_path / "bc28.transcript"
    with (
        path.open("w", encoding="ascii") as file,
        open_module("sim://BC28", wrap=lambda link: TranscriptLink(link, file, masker=Masker())) as module,
    ):
        known = module.identify()
    with Atota(tmp_path, "replay", path.name, "--speed", "20") as replay:
        ready = replay.wait_for(lambda event: event["event"] == "ready")
        with open_module(ready["port"]) as module:
            assert module.identify() == known
        code, result = replay.end()
    assert (code, result["ok"], result["outcome"]) == (0, True, "done")
    assert result["played"] == result["of"] > 20
    assert result["diverged"] is None


def test_a_program_that_says_something_else_is_told_where(
    tmp_path: Path, transcript: Callable[[str], Path]
) -> None:
    path = transcript(TALK)
    with Atota(tmp_path, "replay", path.name) as replay:
        ready = replay.wait_for(lambda event: event["event"] == "ready")
        fd = os.open(ready["port"], os.O_RDWR | os.O_NOCTTY)
        try:
            os.write(fd, b"AT\rAT+CGMR\r")
            code, result = replay.end()
        finally:
            os.close(fd)
    assert (code, result["ok"], result["outcome"]) == (4, False, "port")
    assert (result["played"], result["of"]) == (3, 6)
    assert result["diverged"] == {"line": 7, "expected": r"> AT+CSQ\r", "got": r"> AT+CGMR\r"}
    assert result["error"]["code"] == "link.replay"
    assert result["error"]["tried"][-1] == r"0.110 < AT\r\r\nOK\r\n"
    assert "continues with `> AT+CSQ" in replay.errors.replace("\n", " ")


def test_a_program_at_another_rate_is_told_so(tmp_path: Path, transcript: Callable[[str], Path]) -> None:
    with Atota(tmp_path, "replay", transcript(TALK).name) as replay:
        ready = replay.wait_for(lambda event: event["event"] == "ready")
        link = SerialLink(ready["port"], baud=115200)
        link.write(b"AT\r")
        code, result = replay.end()
        link.close()
    assert code == 4
    assert result["diverged"]["got"] == "! baud 115200"


def test_a_recording_on_a_tcp_port_ends_when_the_program_goes(
    tmp_path: Path, transcript: Callable[[str], Path]
) -> None:
    with Atota(tmp_path, "replay", transcript(TALK).name, "--tcp", "0") as replay:
        ready = replay.wait_for(lambda event: event["event"] == "ready")
        host, port = ready["port"].removeprefix("socket://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(b"AT\r")
            assert client.recv(100).startswith(b"AT\r")
            client.sendall(b"AT+CSQ\r")
            assert client.recv(100)
        code, result = replay.end()
    assert (code, result["played"], result["of"]) == (0, 6, 6)


def test_a_port_that_was_lost_is_lost_again_and_comes_back_under_another_name(
    tmp_path: Path, transcript: Callable[[str], Path]
) -> None:
    lost = "0.500 ! link.lost gone\n0.500 ! closed\n"
    again = lost + "2.000 ! opened x\n2.000 ! baud 9600\n2.100 > AT\\r\n2.200 < OK\n"
    with Atota(tmp_path, "replay", transcript(TALK.replace("0.300 ! closed\n", again)).name) as replay:
        for command in (b"AT\rAT+CSQ\r", b"AT\r"):
            ready = replay.wait_for(lambda event: event["event"] == "ready")
            link = SerialLink(ready["port"])
            link.write(command)
            with pytest.raises(LinkLost):
                for _ in range(100):
                    link.read(10)
            link.close()
        code, result = replay.end()
    assert (code, result["played"], result["of"]) == (0, 11, 11)


@pytest.mark.parametrize(
    ("words", "code"),
    [(("no-such-file",), 3), (("t", "--tcp", "nowhere"), 2), (("t", "--speed", "0"), 2), ((), 2)],
)
def test_what_cannot_be_replayed_is_said(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t").write_text(HEAD, encoding="ascii")
    ran = cli("replay", *words, "--json")
    assert ran.code == code
    assert ran.result["ok"] is False


def test_a_recording_is_a_port_of_every_command(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "t.transcript"
    first = cli("identify", "-p", "sim://BC28", "--transcript", path, "--json")
    second = cli("identify", "-p", f"replay://{path}", "--json")
    assert second.result["module"] == first.result["module"]
    parted = cli("identify", "-p", f"replay://{path}", "-b", "115200", "--json")
    assert (parted.code, parted.result["error"]["code"]) == (4, "link.replay")
    assert "# command identify\n" in path.read_text(encoding="ascii")


def test_identifying_a_module_is_done_again(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "t.transcript"
    ran = cli("identify", "-p", "sim://M5310-A", "--transcript", path, "--model", "M5310-A", "--json")
    assert ran.code == 0
    version = ran.result["module"]["version"]
    assert replayed(path) == Ending(outcome="done", exit_code=0, version_before=version)


def test_a_flash_of_the_command_line_tells_what_it_was_about(cli: Cli, tmp_path: Path) -> None:
    package, path = tmp_path / "new one.bin", tmp_path / "t.transcript"
    package.write_bytes(PACKAGE)
    md5 = Digests.of(PACKAGE).md5
    words = ("--md5", md5, "--target", TARGET, "--transcript", path, "-p", "sim://BC28", "--yes")
    assert cli("flash", package, *words).code == 0
    recording = read_recording(path)
    assert recording.head[2:] == (
        ("command", "flash"),
        ("package", f"new one.bin {len(PACKAGE)} {md5}"),
        ("target", TARGET),
    )
    named = parse_head(recording.head).package
    assert named is not None
    assert (named.name, named.size, named.md5) == ("new one.bin", len(PACKAGE), md5)
    assert replayed(path) == Ending(outcome="updated", exit_code=0, version_before=BASE, version_after=TARGET)
