"""The program as a process: completion, broken pipes, terminals, and what a shell sees."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from atota.cli.completion import complete_dialects, complete_models, complete_ports
from atota.values import Digests
from tests.cli.running import KEY, PACKAGE, TARGET

ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-m", "atota")
LIMIT_S = 30


def environment(**more: str) -> Mapping[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ATOTA_", "_ATOTA"))}
    return clean | {"COLUMNS": "100", "TERM": "xterm"} | more


def atota(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *words], cwd=ROOT, env=environment(**env), capture_output=True, text=True, timeout=LIMIT_S
    )


def test_python_m_atota_is_atota() -> None:
    ran = atota("identify", "-p", "sim://BC28", "--json")
    assert ran.returncode == 0
    assert json.loads(ran.stdout.splitlines()[-1])["outcome"] == "done"


def complete(line: str) -> list[str]:
    words = line.split()
    index = len(words) if line.endswith(" ") else len(words) - 1
    ran = atota(_ATOTA_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(index))
    return ran.stdout.split()


def test_the_shell_completes_dialects_and_models() -> None:
    assert "quectel-hi2115" in complete("atota identify --dialect quectel")
    assert sorted(complete("atota update --model BC2")) == ["BC26", "BC28"]


def test_completion_knows_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atota.link.ports.port_names", lambda: ["/dev/ttyUSB0", "/dev/ttyUSB1", "COM3"])
    assert complete_ports("/dev/ttyU") == ["/dev/ttyUSB0", "/dev/ttyUSB1"]
    assert complete_ports("x") == []
    assert "3gpp" in complete_dialects("")
    assert complete_models("m5310-a")[0] == "M5310-A"


@pytest.mark.parametrize("stream", ["out", "err"])
def test_a_reader_that_goes_away_does_not_end_the_work(tmp_path: Path, stream: str) -> None:
    """A pipe that is closed at once, as by ``| head -1``: the module is updated all the same."""
    package = tmp_path / "p.bin"
    package.write_bytes(PACKAGE)
    transcript = tmp_path / "t.txt"
    read, write = os.pipe()
    os.close(read)
    target = ("--md5", Digests.of(PACKAGE).md5, "--target", TARGET, "--transcript", str(transcript))
    more = ("--json",) if stream == "out" else ("--yes",)
    words = ("flash", str(package), *target, "-p", "sim://BC28", *more)
    ran = subprocess.Popen(
        [*PROGRAM, *words],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=write if stream == "out" else subprocess.PIPE,
        stderr=write if stream == "err" else subprocess.PIPE,
        text=True,
    )
    os.close(write)
    out, err = ran.communicate(timeout=LIMIT_S)
    assert ran.returncode == 0, err
    assert "Traceback" not in (err or "")
    assert "Exception ignored" not in (err or "")
    assert f"Revision:{TARGET}" in transcript.read_text() or TARGET in transcript.read_text()
    if stream == "err":
        assert "updated" in out


def test_a_list_into_head_ends_without_complaint() -> None:
    ran = subprocess.run(
        ["bash", "-c", f"set -o pipefail; '{sys.executable}' -m atota modules | head -n 1"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert ran.stdout.split()[:2] == ["vendor", "model"]
    assert "Traceback" not in ran.stderr
    assert "Broken" not in ran.stderr


def test_a_terminal_that_knows_no_arrows_gets_something_else() -> None:
    ran = atota("modules", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert ran.returncode == 0, ran.stderr
    json_lines = atota("modules", "--json", PYTHONIOENCODING="ascii", LC_ALL="C").stdout.splitlines()
    assert json.loads(json_lines[-1])["ok"] is True


def on_terminal(
    words: tuple[str, ...], answer: bytes = b"", *, until: bytes = b"", **env: str
) -> tuple[int, str]:
    """Run on a pseudo-terminal; ``answer`` is typed once ``until`` was seen. Exit code and what was shown.

    It is typed again if nothing comes of it: a signal just before a read is not seen until the next one.
    """
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen(
            [*PROGRAM, *words],
            cwd=ROOT,
            env=environment(**env),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_own_terminal,
        )
    finally:
        os.close(slave)
    shown = b""
    try:
        waits = iter(range(LIMIT_S))
        while True:
            if not select.select([master], [], [], 1.0)[0]:
                next(waits)
                if until and until in shown:
                    os.write(master, answer)
                continue
            try:
                data = os.read(master, 4096)
            except OSError:  # the other side is closed
                break
            if not data:
                break
            shown += data
            if until and until in shown and until not in shown[: -len(data)]:
                os.write(master, answer)
        return process.wait(LIMIT_S), shown.decode()
    finally:
        process.kill()
        process.wait()
        os.close(master)


def _own_terminal() -> None:
    """Make standard input the process's terminal, so that a typed Ctrl-C is a signal."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def flash(tmp_path: Path) -> tuple[str, ...]:
    package = tmp_path / "p.bin"
    package.write_bytes(PACKAGE)
    return ("flash", str(package), "--md5", Digests.of(PACKAGE).md5, "--target", TARGET, "-p", "sim://BC28")


ASKS = b"[y/N]:"


def test_on_a_terminal_the_update_is_asked_for_and_drawn(flash: tuple[str, ...]) -> None:
    code, shown = on_terminal(flash, b"y\n", until=ASKS)
    assert code == 0, shown
    assert "\x1b[" in shown
    assert "updated" in shown
    assert "━" in shown


@pytest.mark.parametrize(
    ("answer", "code", "outcome"),
    [(b"n\n", 6, "refused"), (b"\x03", 130, "interrupted"), (b"\x04", 130, "interrupted")],
    ids=["no", "ctrl-c", "ctrl-d"],
)
def test_the_question_can_be_answered_otherwise(
    flash: tuple[str, ...], answer: bytes, code: int, outcome: str
) -> None:
    ended, shown = on_terminal(flash, answer, until=ASKS)
    assert ended == code, shown
    assert f"({outcome}, exit {code})" in shown.replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert "Traceback" not in shown


@pytest.mark.parametrize("more", [("--yes",), ("-y", "--no-progress"), ("--json",)], ids=" ".join)
def test_nobody_is_asked_who_does_not_want_to_be(flash: tuple[str, ...], more: tuple[str, ...]) -> None:
    code, shown = on_terminal((*flash, *more))
    assert code == 0, shown
    assert "Update BC28" not in shown
    if more != ("--yes",):
        assert "━" not in shown


def test_ctrl_c_does_not_stand_before_the_error() -> None:
    words = ("identify", "-p", "sim://BC28?fault=mute&speed=1")
    code, shown = on_terminal(words, b"\x03", until=b"no answer at", NO_COLOR="1")
    assert code == 130, shown
    assert "^C\n" in shown.replace("\r", "")
    assert "stopped by the user" in shown


def test_no_color_is_honoured_on_a_terminal() -> None:
    code, shown = on_terminal(("identify", "-p", "sim://BC28"), NO_COLOR="1")
    assert code == 0
    assert "\x1b[3" not in shown
    assert "BC28JAR01A03" in shown


def test_a_key_is_nowhere_on_the_terminal() -> None:
    words = ("check", "--dry-run", "--model", "BC28", "--fw-version", "V1", "--dev-id", "1")
    code, shown = on_terminal((*words, "--product-id", "1", "-vv"), ATOTA_ACCESS_KEY=KEY)
    assert code == 0
    assert KEY not in shown
