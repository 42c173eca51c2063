"""Programs of others as flashers: what they print and how they end is never the verdict."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from atota.clock import StopToken, SystemClock
from atota.journal.store import Journal
from atota.settings.board import load_board
from atota.settings.spec import JobSpec, LocalPackage
from atota.update.events import JobEvent, JobResult, Progress, StageEvent, UrcEvent
from atota.update.job import Job
from atota.values import Digests
from tests.sota.benches import GOOD, PtyChip

pytestmark = pytest.mark.skipif(os.name == "nt", reason="ptys")


Run = Callable[..., JobResult]


@pytest.fixture
def run(chip: PtyChip, tmp_path: Path) -> Run:
    events: list[JobEvent] = []

    def job(script: str, more: str = "", *, stop: StopToken | None = None, **spec: object) -> JobResult:
        package = tmp_path / "app.hex"
        package.write_text("V2.0")
        local = LocalPackage(package, Digests.of(b"V2.0").md5, "V2.0")
        made = JobSpec(
            port=chip.pty.device,
            task_type="sota",
            board=load_board(chip.board(script, more)),
            package=local,
            **spec,  # type: ignore[arg-type]
        )
        events.clear()
        return Job(made, listener=events.append, stop=stop).run()

    job.events = events  # type: ignore[attr-defined]
    return job


def test_a_program_of_a_board_file_updates_the_chip(run: Run, chip: PtyChip) -> None:
    result = run(GOOD)
    assert (result.outcome, result.error) == ("updated", None)
    assert (result.version_before, result.version_after) == ("V1.0", "V2.0")
    assert chip.flash.read_text() == "V2.0"
    events = run.events  # type: ignore[attr-defined]
    shown = [
        (event.done, event.total)
        for event in events
        if isinstance(event, Progress) and event.stage == "write"
    ]
    assert shown[-1] == (4, 4)
    assert {e.stage for e in events if isinstance(e, StageEvent) and e.state == "done"} >= {
        "identify",
        "prepare",
        "write",
        "activate",
        "reboot",
        "confirm",
    }
    assert any("Done" in event.text for event in events if isinstance(event, UrcEvent))


def test_the_package_is_a_private_copy_that_keeps_its_suffix(run: Run, tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    script = f"""
open({str(noted)!r}, "w").write(repr((os.path.basename(package), oct(os.stat(package).st_mode & 0o777),
    os.listdir("."), sorted(name for name in os.environ if name.startswith("ATOTA")))))
{GOOD}"""
    os.environ["ATOTA_ACCESS_KEY"] = "c2VjcmV0"
    try:
        assert run(script).outcome == "updated"
    finally:
        del os.environ["ATOTA_ACCESS_KEY"]
    assert noted.read_text() == repr(("package.hex", "0o400", [], []))


def test_a_program_that_exits_0_and_did_nothing_leaves_the_old_version(run: Run) -> None:
    result = run('print("(100.00%) Done")')
    assert (result.outcome, result.exit_code) == ("old-version", 12)
    assert result.error is not None
    assert "V1.0" in result.error.message


def test_an_exit_code_fails_the_write(run: Run) -> None:
    result = run('print("no such chip"); sys.exit(3)')
    assert (result.outcome, result.exit_code) == ("write-failed", 9)
    assert result.error is not None
    assert "exit code 3: no such chip" in result.error.message
    assert result.error.tried == ("no such chip",)


def test_an_exit_code_is_no_verdict_where_the_new_version_runs(run: Run) -> None:
    assert run(GOOD + "sys.exit(1)").outcome == "updated"


def test_a_text_that_must_not_appear_fails_the_write(run: Run) -> None:
    result = run('print("Error: verify"); print("Done")', "fail = ['^Error']")
    assert result.outcome == "write-failed"
    assert result.error is not None
    assert "Error: verify" in result.error.message


def test_a_text_that_must_appear_fails_the_write_when_it_is_missing(run: Run) -> None:
    result = run('print("bye")', "need = 'Verified'")
    assert result.outcome == "write-failed"
    assert result.error is not None
    assert "does not say 'Verified'" in result.error.message


def test_a_silent_program_is_killed_and_the_chip_is_unknown(run: Run, tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    script = f"""
import subprocess
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(noted)!r}, "w").write(str(child.pid))
print("begin", flush=True); time.sleep(60)"""
    result = run(script, "quiet_s = 1.0")
    assert (result.outcome, result.exit_code) == ("unknown-after-reboot", 11)
    assert result.error is not None
    assert "printed nothing for 1 s" in result.error.message
    assert _is_gone(int(noted.read_text()))


def _is_gone(pid: int) -> bool:
    """True if a process has ended; one that nobody has waited for yet counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_an_endless_program_is_killed_at_its_limit(run: Run) -> None:
    script = """
while True:
    print("busy", flush=True); time.sleep(0.1)"""
    result = run(script, "limit_s = 1.0")
    assert result.outcome == "unknown-after-reboot"
    assert result.error is not None
    assert "did not end within 1 s" in result.error.message


def test_ctrl_c_kills_the_program_and_says_that_the_application_may_be_cut(run: Run) -> None:
    result = run("time.sleep(60)", stop=_SetLater())
    assert result.outcome == "interrupted"
    assert result.error is not None
    assert "may not be whole" in result.error.hint


class _SetLater(StopToken):
    """A stop token that is set at a later look, when the program surely runs."""

    def __init__(self) -> None:
        super().__init__()
        self._looks = 0

    @property
    def is_set(self) -> bool:
        self._looks += 1
        return self._looks > 16


def test_a_missing_program_is_refused_before_anything_is_touched(chip: PtyChip, tmp_path: Path) -> None:
    board = chip.board(GOOD)
    board.write_text(board.read_text().replace("flash = [", 'flash = ["no-such-flasher", '))
    package = tmp_path / "app.bin"
    package.write_text("V2.0")
    local = LocalPackage(package, Digests.of(b"V2.0").md5, "V2.0")
    result = Job(
        JobSpec(port=chip.pty.device, task_type="sota", board=load_board(board), package=local)
    ).run()
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert result.error is not None
    assert "no-such-flasher is not installed" in result.error.message
    assert "prepare" not in result.stages_ms


def test_a_silent_application_ends_unconfirmed_and_the_next_run_writes_anew(
    chip: PtyChip, tmp_path: Path
) -> None:
    package = tmp_path / "app.bin"
    package.write_text("V2.0")
    local = LocalPackage(package, Digests.of(b"V2.0").md5, "V2.0")
    spec = JobSpec(port=chip.pty.device, task_type="sota", board=load_board(chip.board(GOOD)), package=local)
    with Journal(tmp_path / "journal", clock=SystemClock()) as journal:
        chip.is_silent = True
        first = Job(spec, journal=journal).run()
        assert (first.outcome, first.exit_code) == ("unknown-after-reboot", 11)
        chip.flash.write_text("broken")
        second = Job(spec, journal=journal).run()
        assert second.outcome == "unknown-after-reboot"
        assert chip.flash.read_text() == "V2.0"
        chip.is_silent = False
        assert Job(spec, journal=journal).run().outcome in ("updated", "already-current")


def test_bytes_that_are_read_back_are_compared(run: Run, chip: PtyChip, tmp_path: Path) -> None:
    reader = tmp_path / "reader.py"
    reader.write_text("import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])")
    verify = f'verify = ["{sys.executable}", "{reader}", "{chip.flash}", "{{readback}}"]'
    assert run(GOOD, verify).outcome == "updated"
    chip.flash.write_text("V1.0")
    result = run('print("(100.00%) Done")', verify)
    assert (result.outcome, result.exit_code) == ("write-failed", 9)
