"""Processes that are killed, stopped or doubled: the line's server, a backend, a whole station at work."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from atota.clock import SystemClock
from atota.errors import AtotaError
from atota.journal.store import Journal
from atota.line import client
from atota.line.client import LineClient, LineKey
from atota.line.outbox import Outbox
from atota.line.store import Store
from atota.line.tables import figures, quota, stations
from atota.sim.package import build_package
from tests.line.postgres import Postgres
from tests.line.servers import ROOT, Line, LineProcess, sent, stored
from tests.line.stations import documents, journal_in, write

KILLS = 4


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    with journal_in(folder) as opened:
        yield opened


def test_a_stopped_line_server_makes_the_station_offline_and_gets_everything_when_it_goes_on(
    server: LineProcess, store: Store, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGSTOP: the connection stays open and nothing answers, as on a machine that swaps or hangs."""
    monkeypatch.setattr(client, "CONNECT_AND_READ_S", 0.5)
    with store.transaction() as session:
        key = LineKey(stations.add(session, "st-1"))
    server.start()
    caller = LineClient(f"http://127.0.0.1:{server.port}", key, clock=SystemClock())
    outbox = Outbox(caller, journal, clock=SystemClock())
    write(journal, 1)
    sent(outbox)
    server.signal(signal.SIGSTOP)
    try:
        for number in (2, 3):
            write(journal, number)
            outbox.step()
        assert (outbox.status.is_online, outbox.status.waiting) == (False, 2)
    finally:
        server.signal(signal.SIGCONT)
    sent(outbox)
    caller.close()
    assert stored(store) == documents(journal)


def test_a_backend_is_killed_by_signal_9_in_the_middle_of_a_transaction(
    line: Line, postgres: Postgres, journal: Journal
) -> None:
    """The postmaster then restarts all backends; the answer is an error, and nothing of it stays."""
    for number in range(10):
        write(journal, number)
    outbox = line.outbox(journal, line.key())
    thread = threading.Thread(target=outbox.step)
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' LIMIT 1"
    try:
        with line.store.transaction() as session:
            session.run("LOCK TABLE line.record IN EXCLUSIVE MODE")
            thread.start()
            while not (pid := postgres.sql(waiting)):
                assert thread.is_alive()
            os.kill(int(pid), signal.SIGKILL)
            thread.join()
    except AtotaError:
        thread.join()  # the session that held the lock was ended, too
    assert not outbox.status.is_online
    sent(outbox)
    assert line.rows == documents(journal)


class StationProcess:
    """`atota station run` with two simulated lanes, again and again on one disk."""

    def __init__(self, folder: Path, url: str, key: str) -> None:
        package = build_package(model="BC28", base="BC28JAR01A03", target="BC28JAR01A05", size=4096)
        (folder / "package.bin").write_bytes(package)
        (folder / "line.key").write_text(key, encoding="utf-8")
        md5 = hashlib.md5(package, usedforsecurity=False).hexdigest()
        work = f'command = "flash"\npackage = "package.bin"\nmd5 = "{md5}"\ntarget = "BC28JAR01A05"'
        lanes = "".join(f'[[lane]]\nnumber = {n}\nport = "sim://BC28?speed=100"\n' for n in (1, 2))
        (folder / "station.toml").write_text(
            f'name = "st-1"\n[work]\n{work}\nbatch = "B-1"\n'
            f'[line]\nurl = "{url}"\nkey_file = "line.key"\n{lanes}',
            encoding="utf-8",
        )
        self.journal = folder / "journal.sqlite3"
        self._words = ("station", "run", str(folder / "station.toml"))
        self._environment = {
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "PATH": "/usr/bin:/bin",
            "ATOTA_JOURNAL": str(self.journal),
        }

    def start(self, *options: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "atota", *self._words, "--no-page", "--json", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment,
        )


@pytest.mark.timeout(300)
def test_a_station_killed_at_any_moment_of_its_work_loses_and_doubles_nothing(
    line: Line, folder: Path
) -> None:
    """Between its facts, its records, its tickets and its requests; a second one is kept away meanwhile."""
    with line.store.transaction() as session:
        quota.new_batch(session, "B-1", 400)
    station = StationProcess(folder, line.url, line.key("st-1"))
    for number in range(KILLS):
        process = station.start()
        assert process.stdout is not None
        for event in map(json.loads, process.stdout):  # a kill in each part of a unit's life
            if event["event"] == "verdict":
                break
        if number == 0:
            second = station.start("--units", "1")
            assert "running already" in second.communicate(timeout=60)[1]
            assert second.returncode == 13
        threading.Event().wait(0.07 * number)
        process.kill()
        process.communicate()
    last = station.start("--units", "2")
    errors = last.communicate(timeout=90)[1]
    assert last.returncode == 0, errors
    with Journal(station.journal, clock=SystemClock()) as journal:
        expected = documents(journal)
        assert len(journal.histories()) == 1
    assert len(expected) > KILLS
    assert line.rows == expected
    with line.store.transaction() as session:
        (state,) = figures.batches(session, "B-1")
    started = [one for *_, one in expected if one["outcome"] != "port"]
    assert 0 < state.spent <= len(started) <= state.granted <= state.quota
