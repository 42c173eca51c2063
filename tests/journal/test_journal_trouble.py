"""Trouble with the file: named, with what to do; and all that was there before is still there."""

import sqlite3
from pathlib import Path

import pytest

from atota.clock import SimulatedClock
from atota.errors import AtotaError, ConfigError, LimitReached, Outcome
from atota.journal import connect, translate
from atota.journal.facts import WarningFact
from atota.journal.schema import MIGRATIONS
from atota.journal.store import Journal
from tests.journal.making import filled, opened, write_job


def refused(path: Path, kind: type[AtotaError]) -> AtotaError:
    with pytest.raises(kind) as caught:
        Journal(path, clock=SimulatedClock()).close()
    assert str(path) in caught.value.message
    assert len(caught.value.hint.split()) > 4
    return caught.value


def changed(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        db.execute(statement)
    db.close()


def test_a_full_disk_is_a_limit_and_loses_nothing(path: Path, clock: SimulatedClock) -> None:
    with Journal(path, clock=clock) as journal:
        done = write_job(journal, "done", clock).verdict(Outcome.UPDATED)
        entry = write_job(journal, "open", clock)
        pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
        journal._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        count = 0
        with pytest.raises(LimitReached, match="the disk is full") as caught:
            while True:
                entry.fact(WarningFact(text="x" * 1000))
                count += 1
        assert str(path) in caught.value.message
        assert count > 0
        with pytest.raises(LimitReached):
            entry.verdict(Outcome.UPDATED)
        journal._db.execute(f"PRAGMA max_page_count = {pages + 1000}")
        entry.stage("write", "done")  # there is room again: the order has no gap
        past = journal.past(id="open-1")
        assert past is not None
        assert len(past.all_of(WarningFact)) == count
        places = [step.seq for step in past.stages] + [fact.seq for fact in past.facts]
        assert sorted(places) == list(range(1, len(places) + 1))
    with Journal(path, clock=clock) as journal:
        journal.recover()
        assert journal.record("done") == done
        assert len(journal.record("open").warnings) == count


def test_a_lock_that_is_not_given_back_is_a_limit(
    path: Path, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "BUSY_S", 0.01)
    with Journal(path, clock=clock) as journal:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LimitReached, match="another program holds the journal"):
            journal.open_job(opened())
        other.close()
        assert journal.open_job(opened()).id == "run1-1"


@pytest.mark.parametrize(
    "content", [b"no database, but long enough to be one " * 30, b"SQLite format 3\0" * 100]
)
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(folder: Path, content: bytes) -> None:
    path = folder / "notes.txt"
    path.write_bytes(content)
    assert "is not a journal, or it is damaged" in refused(path, ConfigError).message
    with pytest.raises(ConfigError):
        Journal.reading(path, clock=SimulatedClock())
    assert path.read_bytes() == content


def test_the_database_of_another_program_is_refused_and_left_as_it_is(folder: Path) -> None:
    path = folder / "places.sqlite3"
    changed(path, "CREATE TABLE bookmark (url TEXT)")
    before = path.read_bytes()
    assert "of another program" in refused(path, ConfigError).message
    assert path.read_bytes() == before
    changed(path, "DROP TABLE bookmark", "PRAGMA user_version = 3")
    refused(path, ConfigError)


def test_a_journal_of_a_newer_atota_is_refused_and_left_as_it_is(path: Path) -> None:
    filled(path)
    changed(path, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = path.read_bytes()
    assert "made by a newer atota" in refused(path, ConfigError).message
    with pytest.raises(ConfigError):
        Journal.reading(path, clock=SimulatedClock())
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_journal(path: Path, clock: SimulatedClock) -> None:
    path.parent.mkdir()
    path.touch()
    with Journal(path, clock=clock) as journal:
        assert journal.records() == []


def test_an_older_journal_is_brought_up_to_date_with_all_that_is_in_it(
    path: Path, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = filled(path)
    monkeypatch.setattr(
        "atota.journal.schema.MIGRATIONS", (*MIGRATIONS, ("ALTER TABLE job ADD COLUMN lane TEXT",))
    )
    reader = Journal.reading(path, clock=clock)  # also if it is only looked at
    assert reader is not None
    with reader:
        assert reader.records() == records[::-1]
        assert reader._db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
        assert reader._db.execute("SELECT lane FROM job").fetchall() == [(None,)] * 3


def test_a_migration_that_breaks_off_has_done_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = filled(path)
    broken = ("ALTER TABLE job ADD COLUMN lane TEXT", "CREATE TABLE job (id TEXT)")
    with monkeypatch.context() as patch:
        patch.setattr("atota.journal.schema.MIGRATIONS", (*MIGRATIONS, broken))
        refused(path, AtotaError)
    with Journal(path, clock=SimulatedClock()) as journal:
        assert journal.records() == records[::-1]
        assert (
            "lane"
            not in journal._db.execute("SELECT sql FROM sqlite_master WHERE name = 'job'").fetchone()[0]
        )


def test_a_damaged_journal_says_so_wherever_the_damage_is(path: Path) -> None:
    filled(path)
    whole = path.read_bytes()
    told = []
    for page in range(1, len(whole) // 4096):
        path.write_bytes(whole[: page * 4096] + b"\xa5" * 4096 + whole[(page + 1) * 4096 :])
        try:
            with Journal(path, clock=SimulatedClock()) as journal:
                journal.recover()
                assert len(journal.records()) == 3
                assert journal.past(run="3f9c2a71aaaa4d6f8f0b0c1d2e3f4a5b") is not None
        except ConfigError as error:
            told.append(error.message)
    assert len(told) > 3
    assert all("damaged" in text and str(path) in text for text in told)


def test_a_document_that_is_damaged_is_told_as_that(path: Path) -> None:
    filled(path)
    changed(path, "DROP TRIGGER record_update", "UPDATE record SET document = substr(document, 9)")
    with Journal(path, clock=SimulatedClock()) as journal, pytest.raises(ConfigError, match="damaged"):
        journal.records()


def test_a_place_that_cannot_be_is_a_wrong_file(folder: Path) -> None:
    (folder / "file").touch()
    refused(folder / "file" / "journal.sqlite3", ConfigError)
    refused(folder, ConfigError)
    with pytest.raises(ConfigError):
        Journal.reading(folder, clock=SimulatedClock())


def test_a_journal_on_a_medium_that_cannot_be_written_is_read(
    path: Path, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What such a medium answers is played: whoever runs the tests may be allowed to write everywhere."""
    records = filled(path)
    opened_as: list[str] = []
    reader = connect._reader

    class NoLogHere(sqlite3.Connection):
        def execute(self, *_: object) -> sqlite3.Cursor:
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise error

    def read(address: str) -> sqlite3.Connection:
        opened_as.append(address.partition("?")[2])
        return reader(address) if "immutable" in address else NoLogHere(":memory:")

    monkeypatch.setattr(connect, "_reader", read)
    journal = Journal.reading(path, clock=clock)
    assert journal is not None
    with journal:
        assert journal.records() == records[::-1]
    assert opened_as == ["mode=ro", "mode=ro&immutable=1"]


@pytest.mark.parametrize(
    ("code", "free", "kind"),
    [
        (sqlite3.SQLITE_FULL, 10**9, LimitReached),
        (sqlite3.SQLITE_IOERR_SHMSIZE, 10**9, LimitReached),
        (sqlite3.SQLITE_IOERR_WRITE, 0, LimitReached),
        (sqlite3.SQLITE_IOERR_WRITE, 10**9, ConfigError),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, 10**9, LimitReached),
        (sqlite3.SQLITE_LOCKED, 10**9, LimitReached),
        (sqlite3.SQLITE_READONLY_DIRECTORY, 10**9, ConfigError),
        (sqlite3.SQLITE_CORRUPT_VTAB, 10**9, ConfigError),
        (sqlite3.SQLITE_CONSTRAINT_CHECK, 10**9, AtotaError),
    ],
)
def test_every_answer_of_the_database_becomes_one_of_our_errors(
    folder: Path, monkeypatch: pytest.MonkeyPatch, code: int, free: int, kind: type[AtotaError]
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("", (), {"free": free}))
    error = sqlite3.OperationalError("as the database says it")
    error.sqlite_errorcode = code
    with pytest.raises(AtotaError) as caught, translate.translated(folder / "j"):
        raise error
    assert type(caught.value) is kind
    assert str(folder / "j") in caught.value.message
