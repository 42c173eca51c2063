"""Make the line's tables, and bring older ones up to date: numbered files, each applied once and whole."""

import hashlib
from importlib import resources

from atota.errors import ConfigError
from atota.line.store import Session, Store

_LOCK = 0x61746F7461  # "atota": two that migrate at the same time are one after the other
_LIMIT_MS = 600_000  # an index on ten million rows takes minutes

_BOOK = """
CREATE SCHEMA IF NOT EXISTS line;
CREATE TABLE IF NOT EXISTS line.migration (
    version int PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())
"""


def steps() -> list[str]:
    """Return the SQL of all migrations, in their order."""
    folder = resources.files("atota.line.tables") / "migrations"
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda f: f.name)
    return [file.read_text(encoding="utf-8") for file in files]


def migrate(store: Store) -> tuple[int, int]:
    """Bring the tables to the newest version; return the versions before and after.

    Raises:
        ConfigError: the tables were made by a newer atota, or a migration was changed afterwards.
    """
    scripts = steps()
    with store.transaction(limit_ms=_LIMIT_MS) as session:
        session.run("SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": _LOCK})
        for statement in _BOOK.split(";"):
            session.run(statement)
        before = _checked(session, scripts)
        for version, script in enumerate(scripts[before:], before + 1):
            session.run(script)
            session.run(
                "INSERT INTO line.migration (version, sha256) VALUES (%(version)s, %(sha256)s)",
                {"version": version, "sha256": _digest(script)},
            )
    return before, len(scripts)


def check(store: Store) -> None:
    """Check that the tables are those of this atota.

    Raises:
        ConfigError: they are missing, older or newer.
    """
    scripts = steps()
    with store.transaction() as session:
        version = _checked(session, scripts)
    if version < len(scripts):
        raise ConfigError(
            f"{store.shown}: the tables of the line have version {version}, this atota needs {len(scripts)}",
            hint="Run `atota line migrate` with the same --database.",
        )


def _checked(session: Session, scripts: list[str]) -> int:
    applied = session.rows("SELECT version, sha256 FROM line.migration ORDER BY version")
    if len(applied) > len(scripts):
        raise ConfigError(
            f"the tables of the line were made by a newer atota: their version is {len(applied)},"
            f" this one knows up to {len(scripts)}",
            hint="Install the newer atota on this server.",
        )
    for (version, sha256), script in zip(applied, scripts, strict=False):
        if sha256 != _digest(script):
            raise ConfigError(
                f"migration {version} of the line's tables differs from the one of this atota",
                hint="Install the atota that made the tables, and ask its developers.",
            )
    return len(applied)


def _digest(script: str) -> str:
    return hashlib.sha256(script.encode()).hexdigest()
