"""Power cuts: whatever is left of the file and its log, what was acknowledged is there, and nothing half.

A history is written once, and after each write that has returned the database and its log are copied as they
lie on the disk. What a cut leaves between two of those copies is then put together: the log up to any byte,
the blocks of the next write in any mixture of old, new and rubbish; or the log whole and the database in the
middle of a checkpoint.
"""

import random
import sqlite3
import struct
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atota.clock import SimulatedClock
from atota.errors import Outcome
from atota.journal.schema import TABLES
from atota.journal.store import Journal
from tests.journal.making import OTHER, fail, finish, write_job

Rows = dict[str, list[tuple[object, ...]]]
SECTOR = 512
RAM = Path("/dev/shm")


@dataclass(frozen=True)
class Moment:
    """The disk and the journal when a write had returned."""

    database: bytes
    log: bytes
    rows: Rows

    @property
    def synced(self) -> int:
        """How much of the log is of the present round: its frames carry the salts of its head."""
        if len(self.log) < 32:
            return 0
        (page,) = struct.unpack_from(">I", self.log, 8)
        size, end = 24 + page, 32
        while end + size <= len(self.log) and self.log[end + 8 : end + 16] == self.log[16:24]:
            end += size
        return end


def rows_of(db: sqlite3.Connection) -> Rows:
    return {table: db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES}


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def lived(path: Path) -> list[Moment]:
    """Three jobs and a report, with the moment after each write; the log comes round several times."""
    moments: list[Moment] = []
    clock = SimulatedClock()

    def keep(_table: str) -> None:
        with closing(sqlite3.connect(path)) as reader:
            rows = rows_of(reader)
            moments.append(Moment(path.read_bytes(), log_of(path).read_bytes(), rows))

    with Journal(path, clock=clock, after_write=keep) as journal:
        journal._db.execute("PRAGMA wal_autocheckpoint = 40")
        finish(write_job(journal, "done", clock), clock)
        failed = fail(write_job(journal, "failed", clock, imei=OTHER))
        journal.settle(journal.queue(failed.id, {"code": 205}), "delivered")
        write_job(journal, "open", clock)
    return moments


@pytest.fixture(scope="module")
def history() -> list[Moment]:
    with tempfile.TemporaryDirectory() as folder:
        return lived(Path(folder) / "j.sqlite3")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=RAM if RAM.is_dir() else None) as folder:
        yield Path(folder) / "j.sqlite3"


def after(path: Path, database: bytes, log: bytes) -> Rows:
    """What a new process finds, and that it can go on from there."""
    for file in path.parent.glob("j.sqlite3*"):
        if file.is_file():
            file.unlink()
    path.write_bytes(database)
    log_of(path).write_bytes(log)
    with Journal(path, clock=SimulatedClock()) as journal:
        rows = rows_of(journal._db)
        assert journal._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        told = {record.id for record in journal.records()}
        closed = {past.id for past in journal.recover()}
        jobs = {str(row[1]) for row in rows["job"]}
        assert (told | closed, told & closed) == (jobs, set())
        assert {record.id for record in journal.records()} == jobs
        write_job(journal, "next", SimulatedClock()).verdict(Outcome.UPDATED)
    return rows


def test_the_history_has_what_the_cuts_need(history: list[Moment]) -> None:
    assert len(history) > 50
    shorter = [(a, b) for a, b in pairwise(history) if b.synced < a.synced]
    assert len(shorter) > 1, "the log never came round"
    assert any(a.database != b.database for a, b in pairwise(history))


def test_every_write_is_synced_before_its_call_returns(journal: Journal) -> None:
    assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_every_acknowledged_write_is_there_if_the_power_goes_right_after_it(
    history: list[Moment], place: Path
) -> None:
    for moment in history:
        assert after(place, moment.database, moment.log[: moment.synced]) == moment.rows


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_cut_within_a_write_leaves_all_before_it_and_the_write_whole_or_not_at_all(
    history: list[Moment], place: Path, data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, len(history) - 2), label="the last write that had returned")
    chance = random.Random(data.draw(st.integers(0, 2**32), label="seed"))
    before, then = history[number], history[number + 1]
    rows = after(place, before.database, torn(before, then, chance))
    assert rows in (before.rows, then.rows)


def torn(before: Moment, then: Moment, chance: random.Random) -> bytes:
    """The log in the middle of the next write: each block of it old, new, rubbish or not there."""
    came_round = then.log[16:24] != before.log[16:24]
    start = 0 if came_round else before.synced
    end = then.synced
    cut = chance.randint(start, end)
    log = bytearray(before.log.ljust(end, b"\0"))
    log[start:cut] = then.log[start:cut]
    for block in range(cut, end, SECTOR):
        stop = min(block + SECTOR, end)
        how = chance.randrange(3)
        if how == 1:
            log[block:stop] = then.log[block:stop]
        elif how == 2:
            log[block:stop] = chance.randbytes(stop - block)
    shortest = cut if not came_round else max(cut, before.synced)
    return bytes(log[: chance.randint(shortest, len(log))])


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_cut_within_a_checkpoint_loses_nothing(
    history: list[Moment], place: Path, data: st.DataObject
) -> None:
    """The log is whole by then; the pages of the database are old, new or rubbish."""
    moved = [n for n in range(1, len(history)) if history[n].database != history[n - 1].database]
    number = data.draw(st.sampled_from(moved))
    chance = random.Random(data.draw(st.integers(0, 2**32), label="seed"))
    before, then = history[number - 1], history[number]
    old, new = before.database.ljust(len(then.database), b"\0"), then.database
    pages = [
        chance.choice((old[at : at + 4096], new[at : at + 4096], chance.randbytes(4096)))
        if old[at : at + 4096] != new[at : at + 4096]
        else new[at : at + 4096]
        for at in range(0, len(new), 4096)
    ]
    whole = b"".join(pages)[: chance.choice((len(before.database), len(new)))]
    assert after(place, whole, then.log) == then.rows
