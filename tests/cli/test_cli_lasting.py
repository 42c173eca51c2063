"""A full disk, a closed stream and a lost terminal change no verdict, no record and no exit code."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from atota.values import Digests
from tests.cli.running import PACKAGE, TARGET, Cli

ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-m", "atota")
LIMIT_S = 60
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.is_char_device(), reason="the system has no /dev/full")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty home."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ATOTA_", "XDG_"))}
    return clean | {"HOME": str(tmp_path), "COLUMNS": "100", "TERM": "xterm", "PYTHONPATH": str(ROOT)}


@pytest.fixture
def flash(tmp_path: Path) -> tuple[str, ...]:
    """The words that update a simulated module."""
    package = tmp_path / "p.bin"
    package.write_bytes(PACKAGE)
    digest = Digests.of(PACKAGE).md5
    return ("flash", str(package), "--md5", digest, "--target", TARGET, "-y", "-p", "sim://BC28?speed=max")


def shell(words: tuple[str, ...], redirection: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    script = f'exec "$@" {redirection}'
    return subprocess.run(
        ["bash", "-c", script, "sh", *PROGRAM, *words],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )


def outcomes(env: dict[str, str], words: tuple[str, ...] = ()) -> list[str]:
    ran = shell(("records", "list", "--json", *words), "", env)
    assert ran.returncode == 0, ran.stderr
    return [record["outcome"] for record in json.loads(ran.stdout.splitlines()[-1])["records"]]


@pytest.mark.parametrize(
    "redirection",
    [
        pytest.param(">/dev/full", marks=needs_full),
        pytest.param("2>/dev/full", marks=needs_full),
        pytest.param(">/dev/full 2>&1", marks=needs_full),
        ">&-",
        "2>&-",
        ">&- 2>&- <&-",
    ],
)
@pytest.mark.parametrize("more", [(), ("--json",), ("-vv",)], ids=["text", "json", "conversation"])
def test_a_stream_that_cannot_be_written_changes_no_verdict(
    flash: tuple[str, ...], home: dict[str, str], tmp_path: Path, redirection: str, more: tuple[str, ...]
) -> None:
    journal = ("--journal", str(tmp_path / "j.sqlite3"))
    ran = shell((*flash, *journal, *more), redirection, home)
    assert ran.returncode == 0, ran.stderr
    assert outcomes(home, journal) == ["updated"]
    assert "Traceback" not in ran.stderr
    assert "Exception ignored" not in ran.stderr
    if redirection == ">/dev/full":
        assert "stdout cannot be written (No space left on device)" in ran.stderr


@needs_full
@pytest.mark.parametrize("command", [("modules",), ("modules", "--json"), ("dialects", "list")], ids=" ".join)
def test_a_command_whose_answer_is_lost_says_so(home: dict[str, str], command: tuple[str, ...]) -> None:
    ran = shell(command, ">/dev/full", home)
    assert ran.returncode == 3, ran.stderr
    assert "stdout cannot be written: No space left on device" in ran.stderr
    assert "Traceback" not in ran.stderr


@needs_full
def test_a_transcript_on_a_full_disk_is_a_warning(cli: Cli, flash: tuple[str, ...], tmp_path: Path) -> None:
    ran = cli(*flash, "--journal", tmp_path / "j.sqlite3", "--transcript", FULL)
    assert ran.code == 0, ran.err
    assert "warning: the transcript ends here: No space left on device" in ran.err
    assert ran.err.count("No space left") == 1


def test_a_transcript_of_the_tool_s_own_that_cannot_be_made_is_a_warning(
    cli: Cli, flash: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(*_: object) -> Path:
        return tmp_path / "missing" / "t.transcript"

    monkeypatch.setattr("atota.cli.commands.jobs.transcript_path", nowhere)
    ran = cli(*flash, "--journal", tmp_path / "j.sqlite3")
    assert ran.code == 0, ran.err
    assert "warning: no transcript is kept" in ran.err


def test_a_hang_up_ends_a_job_with_its_verdict(
    flash: tuple[str, ...], home: dict[str, str], tmp_path: Path
) -> None:
    journal = ("--journal", str(tmp_path / "j.sqlite3"))
    words = (*flash[:-1], "sim://BC28?speed=2", *journal, "--json")
    with subprocess.Popen(
        [*PROGRAM, *words], cwd=ROOT, env=home, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line).get("stage") == "write":
                for _ in range(3):
                    process.send_signal(signal.SIGHUP)
                break
        rest = [json.loads(line) for line in process.stdout]
        assert process.wait(LIMIT_S) == 130
    assert rest[-1]["outcome"] == "interrupted"
    assert outcomes(home, journal) == ["interrupted"]


def test_under_nohup_a_hang_up_is_ignored(home: dict[str, str]) -> None:
    program = (
        "import os, signal\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from atota.cli.call import Call, _interruptible\n"
        "from atota.cli.view.output import Output\n"
        "call = Call({}, Output('x', json=True))\n"
        "with _interruptible(call):\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "print(call.stop.is_noted)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], env=home, capture_output=True, text=True, timeout=30
    )
    assert ran.stdout.strip() == "False", ran.stderr


def test_completion_that_cannot_be_installed_is_an_error_with_the_file(
    home: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / ".bashrc").mkdir()  # a file without the right to write would do for all but root
    env = home | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    ran = shell(("--install-completion", "bash"), "", env)
    assert ran.returncode == 3
    assert str(tmp_path / ".bashrc") in ran.stderr
    assert "--show-completion" in ran.stderr
    assert "Traceback" not in ran.stderr
