"""The chain of the journal's records, and the histories that a line knows them by.

Every record carries the digest of the one before it (``previous``), so a record that is changed, left out or
put in shows in all digests after it. The digest of a record covers its document in a form that spelling does
not change: JSON with sorted keys and without blanks.

A *history* is the name under which a line counts records: 1, 2, 3 … without gaps. A journal begins with one.
When the line knows another history under that name (the disk was cloned, or restored from a backup), the
journal opens a new one behind the last record that both have, and goes on counting from 1 there::

    number  1 2 3 4 5 6 7 8          history a: after 0       a/1 … a/5
    head            ^ common         history b: after 5       b/1 … b/3
"""

import hashlib
import sqlite3
import uuid

import msgspec

TABLES = (
    # why: a history is opened once by the journal itself, then for a reason that people are told
    """CREATE TABLE history (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        after INTEGER NOT NULL,
        opened_at REAL NOT NULL,
        why TEXT NOT NULL)""",
)
_OLD = uuid.UUID("61746f74-0000-5000-8000-6a6f75726e61")


class History(msgspec.Struct, frozen=True, kw_only=True):
    """One history: records ``after`` + 1 to ``last``, which the line knows as 1, 2, 3 … of ``id``.

    ``last`` is None for the history that is still written; ``why`` is empty for the first.
    """

    id: str
    after: int
    last: int | None
    opened_at: float
    why: str = ""

    @property
    def is_open(self) -> bool:
        """True if new records belong to it."""
        return self.last is None


class Link(msgspec.Struct, frozen=True):
    """A record as a link of the chain: its number, its document as stored, its digest."""

    number: int
    document: str
    digest: str


def digest(previous: str, document: bytes | str) -> str:
    """Return the digest of a record behind ``previous``; empty before the first.

    Raises:
        msgspec.DecodeError: the document is not JSON.
    """
    canonical = msgspec.json.encode(msgspec.json.decode(document), order="sorted")
    return hashlib.sha256(previous.encode() + canonical).hexdigest()


def head(db: sqlite3.Connection) -> str:
    """Return the digest of the last record; empty if there is none."""
    row = db.execute("SELECT digest FROM record ORDER BY number DESC LIMIT 1").fetchone()
    return "" if row is None else str(row[0])


def add_chain(db: sqlite3.Connection) -> None:
    """Give the records of an older journal their digests, and the journal its first history."""
    previous = ""
    for number, document in db.execute("SELECT number, document FROM record ORDER BY number").fetchall():
        previous = digest(previous, document)
        db.execute("UPDATE record SET digest = ? WHERE number = ?", (previous, number))
    # Two copies of one old journal are one history, whichever is migrated first.
    name = uuid.uuid5(_OLD, previous) if previous else uuid.uuid4()
    insert_history(db, str(name), after=0, at=0.0, why="")


def insert_history(db: sqlite3.Connection, name: str, *, after: int, at: float, why: str) -> None:
    """Open a history behind record ``after``."""
    values = (name, after, at, why)
    db.execute("INSERT INTO history (id, after, opened_at, why) VALUES (?, ?, ?, ?)", values)


def histories(rows: list[tuple[str, int, float, str]]) -> list[History]:
    """Return the histories from their rows (id, after, opened at, why), the oldest first."""
    ends = [after for _, after, _, _ in rows[1:]]
    return [
        History(id=name, after=after, last=last, opened_at=at, why=why)
        for (name, after, at, why), last in zip(rows, [*ends, None], strict=True)
    ]
