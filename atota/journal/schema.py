"""The journal's tables, and how an older journal becomes a new one.

Everything is appended: the database itself refuses to change or delete a row, to replace one, and to add
anything to a job that has its verdict.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from atota.errors import ConfigError
from atota.journal import chain, version1

APPLICATION_ID = 0x61746F74  # "atot": tells a journal from other programs' databases

_TABLES = (
    """CREATE TABLE job (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        run TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        owner TEXT NOT NULL,
        opened_at REAL NOT NULL,
        command TEXT NOT NULL,
        port TEXT NOT NULL,
        adapter TEXT,
        adapter_serial TEXT,
        board TEXT,
        resumes TEXT,
        tool_version TEXT NOT NULL,
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        UNIQUE (run, attempt))""",
    "CREATE INDEX job_port ON job (port)",
    "CREATE INDEX job_adapter ON job (adapter_serial) WHERE adapter_serial IS NOT NULL",
    """CREATE TABLE stage (
        job TEXT NOT NULL REFERENCES job (id),
        seq INTEGER NOT NULL,
        at REAL NOT NULL,
        stage TEXT NOT NULL,
        state TEXT NOT NULL,
        detail TEXT NOT NULL,
        elapsed_ms INTEGER,
        PRIMARY KEY (job, seq)) WITHOUT ROWID""",
    # about: what jobs are looked up by: the number of a target, the serial number of an adapter
    """CREATE TABLE fact (
        job TEXT NOT NULL REFERENCES job (id),
        seq INTEGER NOT NULL,
        at REAL NOT NULL,
        kind TEXT NOT NULL,
        about TEXT,
        data TEXT NOT NULL,
        PRIMARY KEY (job, seq)) WITHOUT ROWID""",
    "CREATE INDEX fact_about ON fact (about, kind) WHERE about IS NOT NULL",
    """CREATE TABLE verdict (
        job TEXT NOT NULL PRIMARY KEY REFERENCES job (id),
        outcome TEXT NOT NULL,
        exit_code INTEGER NOT NULL,
        at REAL NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE record (
        number INTEGER PRIMARY KEY,
        job TEXT NOT NULL UNIQUE REFERENCES verdict (job),
        imei TEXT,
        outcome TEXT NOT NULL,
        ended_at REAL NOT NULL,
        document TEXT NOT NULL)""",
    "CREATE INDEX record_imei ON record (imei)",
    "CREATE INDEX record_ended_at ON record (ended_at)",
    """CREATE TABLE report (
        id INTEGER PRIMARY KEY,
        job TEXT NOT NULL REFERENCES job (id),
        at REAL NOT NULL,
        document TEXT NOT NULL)""",
    """CREATE TABLE report_end (
        report INTEGER NOT NULL PRIMARY KEY REFERENCES report (id),
        at REAL NOT NULL,
        how TEXT NOT NULL CHECK (how IN ('delivered', 'obsolete')),
        detail TEXT NOT NULL)""",
)
TABLES = ("job", "stage", "fact", "verdict", "record", "report", "report_end", "history")
_FIRST = TABLES[:-1]
"""The tables of version 1."""

# An INSERT OR REPLACE deletes without asking the triggers for deletion, so a row that is there is told here.
_KEYS = {
    "job": "id = NEW.id OR number = NEW.number OR (run = NEW.run AND attempt = NEW.attempt)",
    "stage": "job = NEW.job AND seq = NEW.seq",
    "fact": "job = NEW.job AND seq = NEW.seq",
    "verdict": "job = NEW.job",
    "record": "job = NEW.job OR number = NEW.number",
    "report": "id = NEW.id",
    "report_end": "report = NEW.report",
    "history": "id = NEW.id OR number = NEW.number",
}


def _trigger(name: str, event: str, table: str, when: str = "", why: str = "append-only") -> str:
    refuse = f"SELECT RAISE(ABORT, 'the journal refuses this: {why}')"
    return f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} {when} BEGIN {refuse}; END"


def _guards(table: str) -> tuple[str, ...]:
    there = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {_KEYS[table]})"  # noqa: S608 - our own words
    return (
        _trigger("update", "UPDATE", table),
        _trigger("delete", "DELETE", table),
        _trigger("replace", "INSERT", table, there, "it is there already"),
    )


def _sealed(table: str) -> str:
    ended = "WHEN EXISTS (SELECT 1 FROM verdict WHERE job = NEW.job)"
    return _trigger("sealed", "INSERT", table, ended, "the job has its verdict")


def in_document(path: str) -> str:
    """Return the SQL expression of a value in a record's document; NULL in one that is damaged."""
    return f"iif(json_valid(document), json_extract(document, '$.{path}'), NULL)"


def _index_of_documents(name: str, path: str) -> str:
    value = in_document(path)
    return f"CREATE INDEX record_{name} ON record ({value}) WHERE {value} IS NOT NULL"


MIGRATIONS: tuple[tuple[str | Callable[[sqlite3.Connection], None], ...], ...] = (
    (
        *_TABLES,
        *(guard for table in _FIRST for guard in _guards(table)),
        _sealed("stage"),
        _sealed("fact"),
        f"PRAGMA application_id = {APPLICATION_ID}",
    ),
    # Version 2: a job's state is a fact of its own. Ended jobs get theirs, too, so the seal is lifted for it.
    ("DROP TRIGGER fact_sealed", version1.add_states, _sealed("fact")),
    # Version 3: records are looked up by a station's batch, and by the serial number of label or module.
    tuple(
        _index_of_documents(name, path)
        for name, path in (("batch", "station.batch"), ("label", "station.serial"), ("serial", "serial"))
    ),
    # Version 4: records are a chain, counted for the line. The old ones get their digests under lifted guard.
    (
        *chain.TABLES,
        *_guards("history"),
        "ALTER TABLE record ADD COLUMN digest TEXT NOT NULL DEFAULT ''",
        "DROP TRIGGER record_update",
        chain.add_chain,
        _trigger("update", "UPDATE", "record"),
    ),
)
"""The steps from version N to version N+1: SQL statements and functions."""


def _head(db: sqlite3.Connection) -> tuple[int, int, bool]:
    """Version, application id, and whether there is nothing in it: all three of one moment."""
    own = not db.in_transaction
    if own:
        db.execute("BEGIN")
    try:
        (count,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (owner,) = db.execute("PRAGMA application_id").fetchone()
    finally:
        if own and db.in_transaction:
            db.execute("COMMIT")
    return version, owner, count == 0


def version_of(db: sqlite3.Connection, path: Path) -> int:
    """A journal's version; 0 where there is nothing in it yet.

    Raises:
        ConfigError: it is another program's, or made by a newer atota.
    """
    version, owner, empty = _head(db)
    if owner != APPLICATION_ID and not (empty and version == 0):
        raise ConfigError(
            f"{path} is the database of another program, not a journal",
            hint="Name another file with --journal FILE or ATOTA_JOURNAL.",
        )
    if version > len(MIGRATIONS):
        raise ConfigError(
            f"the journal {path} was made by a newer atota: its version is {version},"
            f" this one knows up to {len(MIGRATIONS)}",
            hint="Install the newer atota again, or name another file with --journal FILE.",
        )
    return version


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring a journal to the version that this atota writes; each step whole or not at all."""
    while version_of(db, path) < len(MIGRATIONS):
        db.execute("BEGIN IMMEDIATE")
        try:
            version = version_of(db, path)  # another process may have been faster
            for step in MIGRATIONS[version] if version < len(MIGRATIONS) else ():
                if callable(step):
                    step(db)
                else:
                    db.execute(step)
            db.execute(f"PRAGMA user_version = {min(version + 1, len(MIGRATIONS))}")
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
