"""`atota demo` as somebody runs it who has just installed atota."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import LIMIT_S, ROOT, Bench, environment

pytestmark = pytest.mark.timeout(120)
FAST = ("--speed", "60")


def test_the_demo_updates_four_modules_and_explains_the_fifth(bench: Bench) -> None:
    demo = bench.start("demo", *FAST)
    code, result = demo.end()
    assert (code, result["ok"]) == (0, True), demo.errors
    assert [lane["outcome"] for lane in result["modules"]] == ["updated"] * 4 + ["write-failed"]
    lanes = {event["lane"] for event in demo.events if event["event"] == "stage"}
    assert lanes == {"1", "2", "3", "4", "5"}


def test_the_demo_on_a_terminal_draws_its_lanes_and_ends_with_a_table(tmp_path: Path) -> None:
    code, shown = on_terminal(tmp_path)
    assert code == 0, shown
    assert "lane 1  BC28" in shown
    assert "━" in shown
    assert "\x1b[" in shown
    last = shown[shown.rindex("outcome") :]
    assert last.count("updated") == 4
    assert "write-failed" in last
    assert "(this one fails on purpose)" in last
    assert "next:" in last
    assert list((tmp_path / "tmp").iterdir()) == []


def test_ctrl_c_in_the_demo_ends_it_at_once_and_tidily(tmp_path: Path) -> None:
    code, shown = on_terminal(tmp_path, interrupt_at="write")
    assert code == 130, shown
    assert "Traceback" not in shown
    assert "interrupted" in shown
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_demo_that_is_told_to_end_leaves_nothing_behind(bench: Bench, tmp_path: Path) -> None:
    demo = bench.start("demo", "--speed", "5")
    demo.wait_for_stage("write")
    demo.interrupt()
    code, result = demo.end()
    assert (code, result["outcome"]) == (130, "interrupted")
    assert len(result["modules"]) == 5


def on_terminal(folder: Path, interrupt_at: str = "") -> tuple[int, str]:
    """The demo on a pseudo-terminal; Ctrl-C once it shows a word. Exit code and what was shown."""
    pty = pytest.importorskip("pty")
    (folder / "tmp").mkdir()
    env = environment(folder) | {"TMPDIR": str(folder / "tmp"), "COLUMNS": "80", "TERM": "xterm"}
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "atota", "demo", *FAST],
        cwd=ROOT,
        env=env,
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    shown = b""
    try:
        while select.select([master], [], [], LIMIT_S)[0]:
            try:
                shown += os.read(master, 65536)
            except OSError:  # the other side is closed
                break
            if interrupt_at and interrupt_at.encode() in shown:
                process.send_signal(signal.SIGINT)
                interrupt_at = ""
        return process.wait(LIMIT_S), shown.decode()
    finally:
        process.kill()
        process.wait()
        os.close(master)
