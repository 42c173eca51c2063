"""The line's PostgreSQL: a pool of connections, transactions with limits, and errors translated.

The only door of psycopg. Nothing waits without a limit: connecting, a free connection, a lock, a statement,
an idle transaction, a dead network. A client cannot tell a stopped or cut-off database from a slow one.
So a watchdog cuts a connection that one transaction has held for longer than all of these limits together.
"""

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import urlsplit

import psycopg
import psycopg_pool
from psycopg import conninfo, errors, sql

from atota.clock import Clock
from atota.errors import ConfigError, LimitReached, ServerError, ServerUnreachable

POOL = 8  # ours: two cores are busy with four
CONNECT_S = 5
LOCK_MS, STATEMENT_MS, IDLE_MS, NETWORK_MS = 4_000, 8_000, 10_000, 5_000
HELD_S = 12.0  # longer than any statement may take
POOL_WAIT_S = 5.0
_TICK_S = 0.5

Row = tuple[Any, ...]
Values = dict[str, Any]
Statement = tuple[str, Values]


class StoreBusy(ServerUnreachable):
    """The database does not answer in time; the same call may be made again."""

    code = "line.busy"
    default_hint = "Wait a moment: the station sends it again by itself. `systemctl status postgresql` helps."


class BadData(ServerError):
    """PostgreSQL cannot store a value; the same call fails again."""

    code = "line.bad-data"
    default_hint = "Look at the value that is named; the station keeps it in its journal."


class Session:
    """One transaction."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection

    def rows(self, query: str, values: Values | None = None) -> list[Row]:
        """Run a query and return its rows."""
        return self._connection.execute(cast("Any", query), values).fetchall()

    def row(self, query: str, values: Values | None = None) -> Row | None:
        """Run a query and return its first row."""
        return self._connection.execute(cast("Any", query), values).fetchone()

    def value(self, query: str, values: Values | None = None) -> Any:
        """Run a query and return the first column of its only row."""
        row = self.row(query, values)
        assert row is not None
        return row[0]

    def run(self, query: str, values: Values | None = None) -> int:
        """Run a statement and return the number of rows that it touched."""
        return self._connection.execute(cast("Any", query), values).rowcount

    def together(self, *statements: Statement, is_last: bool = False) -> list[list[Row]]:
        """Run statements in one round trip and return the rows of each; ``is_last`` commits with them."""
        with self._connection.pipeline():
            cursors = [self._connection.execute(cast("Any", query), values) for query, values in statements]
            if is_last:
                self._connection.commit()
        return [[] if cursor.description is None else cursor.fetchall() for cursor in cursors]

    def stream(self, query: str, values: Values | None = None) -> Iterator[Row]:
        """Run a query and yield its rows without holding all of them in memory."""
        with self._connection.cursor(name="stream") as cursor:
            cursor.itersize = 2000
            cursor.execute(cast("Any", query), values)
            yield from cursor

    def copy(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Load rows by a COPY statement; if one of them fails, none is loaded, and the transaction goes on.

        Raises:
            BadData: PostgreSQL cannot store a value.
        """
        self.run("SAVEPOINT copy")
        try:
            with self._connection.cursor() as cursor, cursor.copy(cast("Any", statement)) as copy:
                for row in rows:
                    copy.write_row(row)
        except (psycopg.DataError, errors.IntegrityError, errors.StatementTooComplex) as error:
            problem = _first_line(error)
        else:
            return
        self.run("ROLLBACK TO copy")
        raise BadData(problem)


class Store:
    """The line's database, open. A context manager; threads may share it.

    Args:
        url: ``postgresql://…``, as libpq reads it.
        clock: the clock of the watchdog.
        size: connections at most.

    Raises:
        ConfigError: the address cannot be read, or the database refuses us.
        ServerUnreachable: it does not answer.
    """

    def __init__(self, url: str, *, clock: Clock, size: int = POOL) -> None:
        logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # it logs each try to connect
        self.shown = shown(url)
        self._clock = clock
        self._held: dict[psycopg.Connection[Row], float] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        settings = _settings(url)
        with translated(self.shown):
            psycopg.connect(**settings).close()  # the pool would retry for ever and name no reason
        self._pool = psycopg_pool.ConnectionPool(
            kwargs=settings,
            min_size=1,
            max_size=size,
            timeout=POOL_WAIT_S,
            reconnect_timeout=POOL_WAIT_S,
            max_idle=600.0,
            open=True,
        )
        self._watchdog = threading.Thread(target=self._watch, name="line-watchdog", daemon=True)
        self._watchdog.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._ended.set()
        self._watchdog.join()
        self._pool.close(timeout=POOL_WAIT_S)

    @contextmanager
    def transaction(self, *, limit_ms: int | None = None) -> Iterator[Session]:
        """Run statements whole or not at all, each for ``limit_ms`` at most.

        Raises:
            StoreBusy: the database does not answer in time, or has just been restarted.
            BadData: it cannot store a value.
            ConfigError: it has no tables of ours, or refuses us.
        """
        with translated(self.shown), self._pool.connection() as connection:
            with self._lock:
                patience = HELD_S if limit_ms is None else HELD_S + limit_ms / 1000
                self._held[connection] = self._clock.monotonic() + patience
            try:
                if limit_ms is not None:
                    connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(limit_ms))
                yield Session(connection)
                connection.commit()
            finally:
                with self._lock:
                    self._held.pop(connection, None)

    def _watch(self) -> None:
        while not self._ended.wait(_TICK_S):
            now = self._clock.monotonic()
            with self._lock:
                late = [connection for connection, until in self._held.items() if until < now]
                for connection in late:
                    self._held.pop(connection)
                    _cut(connection)


def _cut(connection: psycopg.Connection[Row]) -> None:
    """End both directions of a connection, so that the thread that reads from it wakes up."""
    with (
        contextlib.suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.fileno())) as wire,
    ):
        wire.shutdown(socket.SHUT_RDWR)


def _settings(url: str) -> dict[str, Any]:
    try:
        given = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise _no_address(url) from None
    limits = f"-c lock_timeout={LOCK_MS} -c statement_timeout={STATEMENT_MS}"
    limits += f" -c idle_in_transaction_session_timeout={IDLE_MS} -c timezone=UTC"
    limits += " -c jit=off"  # compiling took half of the time of a batch's yield
    return {
        "connect_timeout": CONNECT_S,
        "tcp_user_timeout": NETWORK_MS,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "application_name": "atota-line",
        "options": f"{given.pop('options', '')} {limits}".strip(),
        **given,
    }


def shown(url: str) -> str:
    """Return a database's address without its password."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or "localhost"
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the database"
    if parts.scheme not in ("postgresql", "postgres"):
        return "the database"
    user = f"{parts.username}@" if parts.username else ""
    return f"postgresql://{user}{host}{port}{parts.path}"


def _no_address(url: str) -> ConfigError:
    return ConfigError(
        f"{shown(url)}: not an address of a PostgreSQL database",
        hint="Write it as postgresql://USER@HOST:5432/NAME, in --database or ATOTA_DATABASE.",
    )


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise the exceptions of psycopg as ours; none holds a password."""
    try:
        yield
        return
    except (psycopg.Error, psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed, UnicodeError) as error:
        foreign = error
    raise _ours(foreign, where)


def _ours(error: Exception, where: str) -> Exception:
    problem = f"{where}: {_first_line(error)}"
    if isinstance(error, errors.UndefinedTable | errors.InvalidSchemaName | errors.UndefinedColumn):
        return ConfigError(
            f"{where}: the tables of the line are not there or old",
            hint="Run `atota line init --database URL`; it makes the tables, or brings them up to date.",
        )
    if isinstance(error, errors.InvalidCatalogName) or "does not exist" in str(error):
        return ConfigError(problem, hint="Create it first: `sudo -u postgres createdb --owner USER NAME`.")
    if isinstance(error, errors.InvalidAuthorizationSpecification | errors.InsufficientPrivilege) or (
        "authentication failed" in str(error) or "no password supplied" in str(error)
    ):
        return ConfigError(problem, hint="Check user and password: ~/.pgpass, or PGPASSWORD.")
    if isinstance(error, errors.DiskFull | errors.OutOfMemory | errors.ReadOnlySqlTransaction):
        return StoreFull(problem)
    if isinstance(error, errors.CheckViolation | errors.UniqueViolation | errors.ForeignKeyViolation):
        return LimitReached(problem, hint="Look at the batch, the grant or the device that is named.")
    if isinstance(error, psycopg.DataError | UnicodeError):
        return BadData(problem)
    if isinstance(
        error,
        psycopg.OperationalError
        | psycopg.InterfaceError
        | psycopg_pool.PoolTimeout
        | psycopg_pool.PoolClosed,
    ):
        return StoreBusy(problem)
    return ServerError(problem, hint="Look into the log of PostgreSQL for the reason.")


class StoreFull(StoreBusy):
    """The database has no room; nothing was stored."""

    code = "line.full"
    default_hint = "Make room on the disk of the database; the stations send everything again by themselves."


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
