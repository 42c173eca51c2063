"""atota reset and atota power, and the same lines as the last step of recovery in a job."""

import re
import sys
from pathlib import Path

import pytest

from atota.clock import SystemClock
from atota.journal.facts import JobState, MethodFact, StateFact
from atota.journal.model import Opened
from atota.journal.store import Journal, default_path
from atota.link.serial import SerialLink
from atota.values import Digests, Identity
from tests.cli.running import BASE, PACKAGE, TARGET, Cli
from tests.ptys import Pty

RESET = '[reset]\nsequence = ["rts:1", "wait:0.1", "rts:0", "wait:1"]\n'
POWER = '[power]\non = ["dtr:1", "wait:1"]\noff = ["dtr:0"]\n'


@pytest.fixture
def board(tmp_path: Path) -> Path:
    path = tmp_path / "b.toml"
    path.write_text(f'name = "b"\n{RESET}{POWER}')
    return path


@pytest.fixture
def flash(package: Path, board: Path) -> tuple[str, ...]:
    md5 = Digests.of(PACKAGE).md5
    return ("flash", str(package), "--md5", md5, "--target", TARGET, "--yes", "--board", str(board))


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        (("reset",), ["rts:1", "wait:0.1", "rts:0", "wait:1"]),
        (("power", "off"), ["dtr:0"]),
        (("power", "on"), ["dtr:1", "wait:1"]),
    ],
)
def test_the_lines_of_the_board_are_driven(
    cli: Cli, board: Path, tmp_path: Path, words: tuple[str, ...], steps: list[str]
) -> None:
    written = tmp_path / "t.transcript"
    ran = cli(*words, "-p", "sim://BC28?reset=rts", "--board", board, "--json", "--transcript", written)
    assert ran.code == 0, ran.err
    assert (ran.result["command"], ran.result["steps"], ran.result["board"]) == (words[0], steps, "b")
    driven = re.findall(r"! (dtr|rts) (on|off)", written.read_text())
    assert [f"{line}:{state == 'on':d}" for line, state in driven] == [s for s in steps if "wait" not in s]


def test_a_module_that_was_switched_off_is_silent_until_it_is_switched_on(cli: Cli, board: Path) -> None:
    port = "sim://BC28?id=switched&power=dtr"
    assert cli("at", "-p", port, "AT").code == 0
    assert cli("power", "off", "-p", port, "--board", board).code == 0
    assert cli("at", "-p", port, "AT").code == 5
    assert cli("power", "on", "-p", port, "--board", board).code == 0
    assert cli("at", "-p", port, "AT").code == 0


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("reset",), 2, "no board was given"),
        (("power", "of"), 2, "Did you mean off"),
        (("power",), 2, "on|off"),
    ],
)
def test_a_call_without_what_it_needs_is_wrong_usage(
    cli: Cli, words: tuple[str, ...], code: int, told: str
) -> None:
    ran = cli(*words, "-p", "sim://BC28", "--json")
    assert ran.code == code
    assert told in str(ran.result["error"])


@pytest.mark.parametrize(("words", "table"), [(("reset",), "[reset]"), (("power", "off"), "[power] off")])
def test_a_board_without_the_lines_is_a_wrong_file(
    cli: Cli, tmp_path: Path, words: tuple[str, ...], table: str
) -> None:
    board = tmp_path / "bare.toml"
    board.write_text('name = "bare"\n[power]\non = ["dtr:1"]\n')
    ran = cli(*words, "-p", "sim://BC28", "--board", board, "--json")
    assert (ran.code, ran.result["outcome"]) == (3, "bad-config")
    assert f"the board bare has no {table}" in ran.result["error"]["message"]


@pytest.mark.skipif(sys.platform == "win32", reason="ptys")
def test_a_port_without_lines_is_a_port_error(cli: Cli, board: Path) -> None:
    pty = Pty()
    try:
        ran = cli("reset", "-p", pty.device, "--board", board, "--json")
    finally:
        pty.close()
    assert (ran.code, ran.result["outcome"]) == (4, "port")
    assert "no RTS line" in ran.result["error"]["message"]


@pytest.mark.skipif(sys.platform == "win32", reason="termios")
def test_the_levels_stay_when_the_port_is_closed() -> None:
    import termios

    pty = Pty()
    try:
        attributes = termios.tcgetattr(pty.slave)
        attributes[2] |= termios.HUPCL
        termios.tcsetattr(pty.slave, termios.TCSANOW, attributes)
        with SerialLink(pty.device) as link:
            before = termios.tcgetattr(pty.slave)[2]
            link.keep_lines()
            after = termios.tcgetattr(pty.slave)[2]
    finally:
        pty.close()
    assert (before & termios.HUPCL, after & termios.HUPCL) == (termios.HUPCL, 0)


@pytest.mark.parametrize(
    ("port", "ways"),
    [
        ("sim://BC28?reset=rts&fault=silent-at:5", ["reset"]),
        ("sim://BC28?power=dtr&fault=silent-at:5", ["reset", "power cycle"]),
        ("sim://BC28?reset=rts&fault=silent-at:c3", ["reset"]),
        ("sim://M5310-A?reset=rts&fault=silent-at:validate", ["reset"]),
    ],
)
def test_a_module_that_falls_silent_is_restarted_by_the_lines_and_updated(
    cli: Cli, flash: tuple[str, ...], port: str, ways: list[str], package: Path
) -> None:
    if "M5310" in port:
        made = package.parent / "m.bin"
        versions = ("--from", "M5310-A-MONH0S00", "--to", "M5310-A-MONH0S01")
        assert cli("sim", "package", made, "--model", "M5310-A", *versions).code == 0
        md5 = Digests.of(made.read_bytes()).md5
        flash = ("flash", str(made), "--md5", md5, "--target", "M5310-A-MONH0S01", *flash[6:])
    ran = cli(*flash, "-p", port, "--json")
    assert (ran.code, ran.result["outcome"]) == (0, "updated"), ran.err
    said = [text for text in ran.result["warnings"] if "by the lines of the board" in text]
    assert [text.rpartition("; ")[2] for text in said] == [f"{way} by the lines of the board" for way in ways]


def test_lines_that_do_not_help_are_among_what_was_tried(cli: Cli, flash: tuple[str, ...]) -> None:
    ran = cli(*flash, "-p", "sim://BC28?reset=rts&fault=mute", "--json")
    assert (ran.code, ran.result["outcome"]) == (5, "no-answer")
    assert ran.result["error"]["tried"][-2:] == [
        "reset by the lines of the board: no answer",
        "power cycle by the lines of the board: no answer",
    ]


def test_without_lines_a_silent_module_ends_the_job_as_before(cli: Cli, flash: tuple[str, ...]) -> None:
    ran = cli(*flash[:-2], "-p", "sim://BC28?reset=rts&fault=silent-at:5", "--json")
    assert (ran.code, ran.result["outcome"]) == (5, "no-answer")


def test_once_the_update_may_have_started_no_line_is_touched(cli: Cli, flash: tuple[str, ...]) -> None:
    ran = cli(*flash, "-p", "sim://BC28?reset=rts&fault=silent-at:start", "--json")
    assert (ran.code, ran.result["outcome"]) == (11, "unknown-after-reboot")
    assert not any("by the lines" in text for text in ran.result["warnings"])


def _interrupted(port: str, seconds_ago: float) -> Path:
    """A journal in which a job on the port started an update, and did not see its end."""
    path = default_path("simulated")
    clock = SystemClock()
    at = clock.time() - seconds_ago
    with Journal(path, clock=clock) as journal:
        opened = Opened(run="a" * 12, attempt=1, command="flash", port=port)
        entry = journal.open_job(opened, at=at)
        entry.fact(Identity(imei="490154203237518", version=BASE), at=at)
        entry.fact(MethodFact(name="quectel-hi2115", method="nfwupd"), at=at)
        for state in (JobState.CHANGED, JobState.WRITING, JobState.WRITTEN, JobState.MAY_HAVE_STARTED):
            entry.fact(StateFact(state), at=at)
    return path


def test_a_module_in_mid_update_is_not_reset_unless_it_is_forced(cli: Cli, board: Path) -> None:
    port = "sim://BC28?reset=rts"
    _interrupted(port, 20)
    for words in (("reset",), ("power", "off")):
        ran = cli(*words, "-p", port, "--board", board, "--json")
        assert (ran.code, ran.result["outcome"]) == (6, "refused")
        assert "started an update here" in ran.result["error"]["message"]
        assert cli(*words, "-p", port, "--board", board, "--force").code == 0


def test_opening_the_port_of_a_module_in_mid_update_moves_no_line(
    cli: Cli, board: Path, flash: tuple[str, ...], tmp_path: Path
) -> None:
    port, written = "sim://BC28?reset=rts", tmp_path / "t.transcript"
    _interrupted(port, 20)
    for words in (("identify", "--board", str(board)), flash):
        ran = cli(*words, "-p", port, "--transcript", written)
        assert ran.code == 0, ran.err
        assert "lines" in ran.err
        assert "in the middle of an update" in ran.err
        assert "rts on" not in written.read_text()


def test_after_the_longest_reboot_the_lines_work_again(cli: Cli, board: Path) -> None:
    port = "sim://BC28?reset=rts"
    _interrupted(port, 3600)
    assert cli("reset", "-p", port, "--board", board).code == 0


@pytest.mark.parametrize("words", [("at", "AT+CSQ"), ("wait",)])
def test_a_command_that_only_talks_restarts_nothing(
    cli: Cli, board: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    written = tmp_path / "t.transcript"
    ran = cli(*words, "-p", "sim://BC28?reset=rts", "--board", board, "--transcript", written)
    assert ran.code == 0, ran.err
    assert "rts on" not in written.read_text()
