"""Open the journal's database, for writing or for reading only."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from atota.clock import Clock, Deadline
from atota.journal import schema
from atota.journal.owners import GivenOwners, Owners
from atota.journal.translate import translated

BUSY_S = 10.0  # ours: another process needs milliseconds for a write
_AGAIN_S = 0.02
_SETTINGS = (("synchronous", 2), ("foreign_keys", 1), ("recursive_triggers", 1))  # 2: FULL


@dataclass(frozen=True)
class Database:
    """An open database: its path, its connection, its owners; ``ours``: the journal closes it."""

    path: Path
    connection: sqlite3.Connection
    owners: Owners | GivenOwners
    ours: bool = True


def given(connection: sqlite3.Connection, owners: GivenOwners) -> Database:
    """Prepare a connection that the caller has opened."""
    path = Path(":memory:")
    if connection.isolation_level is not None:  # setting it commits what the caller has begun
        connection.isolation_level = None
    with translated(path):
        prepare(connection, path)
    return Database(path, connection, owners, ours=False)


def for_writing(path: Path, clock: Clock) -> Database:
    """Open a journal's database, of the newest version; create it if it is missing."""
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            _wait_for_log(db, path, clock)
            prepare(db, path)
        except BaseException:
            db.close()
            raise
    return Database(path, db, _owners(path))


def for_reading(path: Path, clock: Clock) -> Database | None:
    """Open the database for reading; None if it is missing. An older one is migrated."""
    with translated(path):
        if not path.exists():
            return None
        db = _read_only(path)
        try:
            version = schema.version_of(db, path)
        except BaseException:
            db.close()
            raise
    if version == len(schema.MIGRATIONS):
        return Database(path, db, _owners(path))
    db.close()
    return for_writing(path, clock)


def prepare(db: sqlite3.Connection, path: Path) -> None:
    """Make a connection safe against power cuts, and migrate its database."""
    version = schema.version_of(db, path)  # raises before anything is changed in another program's file
    if db.execute("PRAGMA journal_mode").fetchone()[0] == "delete":
        db.execute("PRAGMA journal_mode = WAL")
    for name, value in _SETTINGS:
        # Setting one makes the connection compile all of its statements anew.
        if db.execute(f"PRAGMA {name}").fetchone()[0] != value:
            db.execute(f"PRAGMA {name} = {value}")
    if version < len(schema.MIGRATIONS):
        schema.migrate(db, path)


def _owners(path: Path) -> Owners:
    return Owners(path.with_name(path.name + ".owners"))


def _wait_for_log(db: sqlite3.Connection, path: Path, clock: Clock) -> None:
    """Turn the write-ahead log on; the database itself does not wait for another process here."""
    limit = Deadline(clock, BUSY_S)
    while True:
        try:
            schema.version_of(db, path)
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or limit.expired:
                raise
            clock.sleep(_AGAIN_S)


def _read_only(path: Path) -> sqlite3.Connection:
    address = path.resolve().as_uri() + "?mode=ro"
    db = _reader(address)
    try:
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        db.close()
        log = path.with_name(path.name + "-wal")
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CANTOPEN or log.exists():
            raise
        return _reader(address + "&immutable=1")  # a medium on which no log can be made is read-only
    except BaseException:
        db.close()
        raise
    return db


def _reader(address: str) -> sqlite3.Connection:
    return sqlite3.connect(address, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
