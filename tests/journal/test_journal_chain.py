"""The chain of a journal's records: each carries the digest of the one before it, from 1 without gaps."""

import json
import shutil
import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atota.clock import SimulatedClock
from atota.journal import chain
from atota.journal.store import Journal
from tests.journal.making import filled

OLD = Path(__file__).with_name("version1.sqlite3")


def canonical(document: str) -> bytes:
    return json.dumps(
        json.loads(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()


def test_each_record_carries_the_digest_of_the_one_before_it(path: Path, clock: SimulatedClock) -> None:
    filled(path)
    with Journal(path, clock=clock) as journal:
        links = journal.links(0, 10)
        records = journal.records()[::-1]
    assert [link.number for link in links] == [1, 2, 3]
    previous = ""
    for link, record in zip(links, records, strict=True):
        assert record.previous == (previous or None)
        previous = sha256(previous.encode() + canonical(link.document)).hexdigest()
        assert link.digest == previous
        assert json.loads(link.document).get("previous") == record.previous


def test_the_record_that_ends_a_job_is_the_one_that_is_stored(path: Path, clock: SimulatedClock) -> None:
    done, failed, cut_off = filled(path)
    with Journal(path, clock=clock) as journal:
        assert journal.records() == [cut_off, failed, done]
        assert failed.previous == journal.digest_at(1)
        assert journal.digest_at(4) == ""
        assert journal.last_number() == 3
        assert [link.number for link in journal.links(1, 1)] == [2]


def test_an_old_journal_gets_a_chain_and_a_history_that_its_copies_share(
    folder: Path, clock: SimulatedClock
) -> None:
    names = set()
    for copy in ("a.sqlite3", "b.sqlite3"):
        with Journal(Path(shutil.copy(OLD, folder / copy)), clock=clock) as journal:
            (history,) = journal.histories()
            names.add(history.id)
            links = journal.links(0, 10)
            assert (history.after, history.last, history.is_open) == (0, None, True)
    previous = ""
    for link in links:
        previous = sha256(previous.encode() + canonical(link.document)).hexdigest()
        assert link.digest == previous
    assert len(links) == 2
    assert len(names) == 1


def test_new_journals_have_histories_of_their_own(folder: Path, clock: SimulatedClock) -> None:
    names = set()
    for name in ("a.sqlite3", "b.sqlite3"):
        with Journal(folder / name, clock=clock) as journal:
            names |= {history.id for history in journal.histories()}
    assert len(names) == 2


def test_a_new_history_begins_behind_a_record_and_ends_the_one_before(
    path: Path, clock: SimulatedClock
) -> None:
    filled(path)
    with Journal(path, clock=clock) as journal:
        opened = journal.open_history(after=2, why="the disk was cloned")
        first, second = journal.histories()
    assert second == opened
    assert (first.after, first.last) == (0, 2)
    assert (second.after, second.last, second.why) == (2, None, "the disk was cloned")


def test_the_database_refuses_to_change_a_digest_or_a_history(path: Path, clock: SimulatedClock) -> None:
    filled(path)
    db = sqlite3.connect(path)
    for statement in (
        "UPDATE record SET digest = ''",
        "UPDATE history SET after = 1",
        "DELETE FROM history",
        "INSERT OR REPLACE INTO history SELECT * FROM history",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="the journal refuses this"):
            db.execute(statement)
    db.close()


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(-(2**60), 2**60) | st.none()))
def test_a_digest_does_not_depend_on_spelling(document: dict[str, object]) -> None:
    spelled = json.dumps(dict(reversed(document.items())), indent=2)
    plain = json.dumps(document, ensure_ascii=False)
    try:
        plain.encode()
    except UnicodeEncodeError:
        return
    assert chain.digest("a", spelled) == chain.digest("a", plain)
    assert chain.digest("a", spelled) != chain.digest("b", spelled)
