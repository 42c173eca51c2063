"""Real processes: several at once, and some that are killed in the middle of a write."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from atota.clock import SystemClock
from atota.journal.facts import WrittenFact
from atota.journal.store import Journal
from tests.journal.making import opened
from tests.meta.sources import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it kills by signal")

_HEAD = """
import os, signal, sys
from pathlib import Path
from atota.clock import SystemClock
from atota.errors import Outcome
from atota.journal.facts import WrittenFact
from atota.journal.model import Opened
from atota.journal.store import Journal
from atota.values import Identity

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def opened(run):
    return Opened(run=run, attempt=1, command="update", port="/dev/ttyUSB0")

path = Path(sys.argv[1])
"""

_WRITES_UNTIL_KILLED = """
journal = Journal(path, clock=SystemClock())
for run in ("one", "two"):
    entry = journal.open_job(opened(run))
    entry.fact(Identity(imei='490154203237518'))
journal.open_job(opened("ended")).verdict(Outcome.UPDATED)
for done in range(10_000_000):
    entry.fact(WrittenFact(done=done, total=10000000))
    print(done, flush=True)
"""

_DIES_IN_THE_COMMIT = """
journal = Journal(path, clock=SystemClock())
entry = journal.open_job(opened("one"))
entry.fact(WrittenFact(done=0, total=1))
print(0, flush=True)
journal._db.set_trace_callback(lambda sql: die() if sql.startswith("COMMIT") else None)
entry.verdict(Outcome.UPDATED)
"""

_DIES_AFTER_THE_VERDICT = """
journal = Journal(path, clock=SystemClock(), after_write=lambda table: table == "verdict" and die())
journal.open_job(opened("one")).verdict(Outcome.UPDATED)
"""

_WRITES_BESIDE_OTHERS = """
sys.stdin.readline()
for turn in range(15):
    with Journal(path / str(turn) / "j.sqlite3", clock=SystemClock()) as journal:
        entry = journal.open_job(opened(sys.argv[2]))
        for done in range(10):
            entry.fact(WrittenFact(done=done, total=10))
        journal.recover()
        entry.verdict(Outcome.UPDATED)
"""


@contextmanager
def child(script: str, *words: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HEAD + script, *map(str, words)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("count", [1, 47, 300])
def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(path: Path, count: int) -> None:
    with Journal(path, clock=SystemClock()) as journal:
        journal.open_job(opened("mine"))
        with child(_WRITES_UNTIL_KILLED, path) as process:
            assert process.stdout is not None
            for _ in range(count):
                process.stdout.readline()
            assert journal.recover() == []
            process.send_signal(signal.SIGKILL)
            acknowledged = count + len(process.stdout.readlines())
            process.wait()
        closed = {past.id: past for past in journal.recover()}
        assert set(closed) == {"one-1", "two-1"}
        written = [fact.done for fact in closed["two-1"].all_of(WrittenFact)]
        assert written == list(range(len(written)))
        assert len(written) in (acknowledged, acknowledged + 1)
        outcomes = {record.id: record.outcome for record in journal.records()}
        assert outcomes == {"one-1": "interrupted", "two-1": "interrupted", "ended-1": "updated"}
        mine = journal.past(run="mine")
        assert mine is not None
        assert mine.is_alive


def test_a_kill_within_a_write_leaves_nothing_of_it(path: Path) -> None:
    with child(_DIES_IN_THE_COMMIT, path) as process:
        assert process.wait(30) == -signal.SIGKILL
    with Journal(path, clock=SystemClock()) as journal:
        (past,) = journal.recover()
        assert past.all_of(WrittenFact) == [WrittenFact(done=0, total=1)]
        assert [record.outcome for record in journal.records()] == ["interrupted"]


def test_a_kill_right_after_the_verdict_leaves_the_verdict_and_its_record(path: Path) -> None:
    with child(_DIES_AFTER_THE_VERDICT, path) as process:
        assert process.wait(30) == -signal.SIGKILL
    with Journal(path, clock=SystemClock()) as journal:
        assert journal.recover() == []
        assert [record.outcome for record in journal.records()] == ["updated"]


def test_processes_that_begin_a_journal_together_all_write_into_it(path: Path) -> None:
    runs = ("first", "second", "third")
    running = [child(_WRITES_BESIDE_OTHERS, path, run) for run in runs]
    processes = [one.__enter__() for one in running]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    codes = [process.wait(30) for process in processes]
    for one in running:
        one.__exit__(None, None, None)
    assert codes == [0, 0, 0]
    for turn in range(15):
        with Journal(path / str(turn) / "j.sqlite3", clock=SystemClock()) as journal:
            outcomes = {record.id: record.outcome for record in journal.records()}
            assert outcomes == {f"{run}-1": "updated" for run in runs}
            for run in runs:
                past = journal.past(run=run)
                assert past is not None
                assert [fact.done for fact in past.all_of(WrittenFact)] == list(range(10))
            assert journal.recover() == []
