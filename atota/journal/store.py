"""The journal: an append-only database of all jobs. What a call has written is on the disk when it returns.

One file, many processes: each writes its own jobs. A job whose process died has no verdict; whoever runs the
next job gives it one (`Journal.recover`).
"""

import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import platformdirs

from atota._version import __version__
from atota.clock import Clock
from atota.errors import Interrupted, LimitReached
from atota.journal import connect, rows, search
from atota.journal.connect import Database
from atota.journal.model import Opened, Past, QueuedReport, Record, Verdict
from atota.journal.owners import ToldOwners
from atota.journal.records import compose
from atota.journal.trouble import translated

Hook = Callable[[str], None]
Writing = Callable[[str], AbstractContextManager[sqlite3.Connection]]


def default_path() -> Path:
    """Where the journal is if nobody names another place."""
    return platformdirs.user_data_path("atota", appauthor=False) / "journal.sqlite3"


def _nothing(_table: str) -> None:
    """Do nothing round a write."""


class Journal:
    """A journal, open. A context manager; the threads of one process may share it.

    Any call may raise `ConfigError` (it is damaged, or cannot be used) or `LimitReached` (the disk is full,
    or another process does not let go of it).

    Args:
        path: its file, made if there is none; None: `default_path`.
        clock: what the times in it are taken from.
        after_write: called with the table's name after each durable write; "verdict" for a verdict and its
            record, which are one write.
        before_write: called with it before each.
        database: an open one instead of ``path``; see `on` and `reading`.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        clock: Clock,
        after_write: Hook = _nothing,
        before_write: Hook = _nothing,
        database: Database | None = None,
    ) -> None:
        self._database = database or connect.for_writing(path or default_path(), clock)
        self.path = self._database.path
        self._db = self._database.connection
        self._owners = self._database.owners
        self._clock = clock
        self._after_write = after_write
        self._before_write = before_write
        self._lock = threading.RLock()
        self._owner: str | None = None

    @classmethod
    def on(
        cls,
        connection: sqlite3.Connection,
        *,
        clock: Clock,
        owner_alive: Callable[[str], bool] = lambda _owner: False,
        owner: str | None = None,
        after_write: Hook = _nothing,
        before_write: Hook = _nothing,
    ) -> Self:
        """A journal on a connection of the caller's own, who closes it, too.

        Args:
            connection: a database, often in memory.
            clock: as for the journal itself.
            owner_alive: whether the process of that owner still runs; nobody's does, if not given. It is not
                asked about this journal itself.
            owner: this one's name; made up if not given.
            after_write: as for the journal itself.
            before_write: as for the journal itself.
        """
        database = connect.given(connection, ToldOwners(owner_alive, owner))
        return cls(clock=clock, after_write=after_write, before_write=before_write, database=database)

    @classmethod
    def reading(cls, path: Path | None = None, *, clock: Clock) -> Self | None:
        """A journal to look at, which is neither made nor locked nor changed; None if there is none."""
        database = connect.for_reading(path or default_path(), clock)
        return None if database is None else cls(clock=clock, database=database)

    def close(self) -> None:
        """Let go of it. A job of this journal without a verdict is a dead one's from now on."""
        with self._lock:
            if self._database.ours:
                self._db.close()
            self._owners.leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- writing ----------------------------------------------------------------------------

    def open_job(self, opened: Opened, *, at: float | None = None) -> "JobBook":
        """Begin a job, now or at a time before.

        Raises:
            LimitReached: this attempt of this run has been begun already, perhaps by another process.
        """
        job = rows.text(f"{opened.run}-{opened.attempt}")
        with self._writing("job") as db:
            if db.execute("SELECT 1 FROM job WHERE id = ?", (job,)).fetchone() is not None:
                raise LimitReached(
                    f"the job {job} has been begun already",
                    hint="Another atota has taken up the same run; look at it with `atota records list`.",
                )
            rows.insert_job(
                db,
                id=job,
                run=opened.run,
                attempt=opened.attempt,
                owner=self._me,
                opened_at=self._clock.time() if at is None else at,
                command=opened.command,
                port=opened.port,
                adapter=None if opened.adapter is None else rows.encoded(opened.adapter),
                adapter_serial=rows.serial_of(opened.adapter),
                board=opened.board,
                resumes=opened.resumes,
                tool_version=__version__,
                host=socket.gethostname(),
                pid=os.getpid(),
            )
        return JobBook(job, opened, self._adding, self._writing, self._clock)

    def recover(self) -> list[Past]:
        """Close the jobs whose process died: interrupted, with a record of what is there. The closed ones."""
        found = self._read(
            "SELECT id, owner FROM job WHERE id NOT IN (SELECT job FROM verdict) ORDER BY number"
        )
        closed = [self._close_dead(job) for job, owner in found if not self._alive(owner)]
        with translated(self.path):
            self._owners.tidy()
        return [past for past in closed if past is not None]

    def _close_dead(self, job: str) -> Past | None:
        with self._writing("verdict") as db:
            past = rows.load(db, job, self._alive)
            if past.verdict is not None:  # another process was faster
                return None
            verdict = Verdict(Interrupted.outcome, Interrupted.exit_code, self._clock.time())
            rows.insert_verdict(db, verdict, compose(past, verdict, cut_off=True), past.last_seen)
            return rows.load(db, job, self._alive)

    def queue(self, job: str, document: dict[str, Any]) -> int:
        """Keep what the platform could not be told about a job; its number in the outbox."""
        with self._adding("report") as db:
            row = db.execute(
                "INSERT INTO report (job, at, document) VALUES (?, ?, ?)",
                (job, self._clock.time(), rows.encoded(document)),
            )
            return int(row.lastrowid or 0)

    def settle(self, report: int, how: Literal["delivered", "obsolete"], detail: str = "") -> None:
        """Note that a report is out of the outbox; once."""
        with self._adding("report_end") as db:
            db.execute(
                "INSERT INTO report_end (report, at, how, detail) VALUES (?, ?, ?, ?)",
                (report, self._clock.time(), how, rows.text(detail)),
            )

    @contextmanager
    def _adding(self, table: str) -> Iterator[sqlite3.Connection]:
        """One statement, which the database carries out whole or not at all by itself."""
        self._before_write(table)
        with self._lock, translated(self.path):
            yield self._db
        self._after_write(table)

    @contextmanager
    def _writing(self, table: str) -> Iterator[sqlite3.Connection]:
        """Several statements: one durable write, whole or not at all."""
        with self._adding(table) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    @property
    def _me(self) -> str:
        if self._owner is None:
            self._owner = self._owners.enter()
        return self._owner

    def _alive(self, owner: str) -> bool:
        return owner == self._owner or self._owners.alive(owner)

    # -- reading ----------------------------------------------------------------------------

    def past(
        self,
        *,
        run: str | None = None,
        id: str | None = None,  # noqa: A002 - the name that a job's id has everywhere
        imei: str | None = None,
        port: str | None = None,
        adapter: str | None = None,
    ) -> Past | None:
        """The newest job that fits all that is given; ``adapter`` is an adapter's serial number."""
        wanted = {"run": run, "id": id, "imei": imei, "port": port, "adapter": adapter}
        query, values = search.newest_job(wanted)
        with self._lock, translated(self.path):
            row = self._db.execute(query, values).fetchone()
            return None if row is None else rows.load(self._db, row[0], self._alive)

    def records(
        self,
        *,
        imei: str | None = None,
        outcome: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int | None = None,
    ) -> list[Record]:
        """Records, the newest first; those that ended at ``since`` or later and before ``until``."""
        wanted = {"imei": imei, "outcome": outcome, "since": since, "until": until}
        query, values = search.records(wanted, limit)
        with translated(self.path):
            return [rows.record_of(document) for (document,) in self._read(query, values)]

    def record(self, id_or_beginning: str) -> Record:
        """The one record whose id is this or begins so; ``1a2b3c4d-2`` is attempt 2 of run ``1a2b3c4d…``.

        Raises:
            UsageError: there is none, or more than one; the near ones are named.
        """
        document = search.document_named(self._read, id_or_beginning.strip())
        with translated(self.path):
            return rows.record_of(document)

    def pending(self) -> list[QueuedReport]:
        """The outbox, the oldest report first."""
        found = self._read(
            "SELECT id, job, at, document FROM report"
            " WHERE NOT EXISTS (SELECT 1 FROM report_end WHERE report = report.id) ORDER BY id"
        )
        with translated(self.path):
            return [rows.report_of(row) for row in found]

    def _read(self, query: str, values: search.Values | None = None) -> list[tuple[Any, ...]]:
        with self._lock, translated(self.path):
            return self._db.execute(query, values or {}).fetchall()


class JobBook:
    """One open job's pages. Made by `Journal.open_job`.

    Attributes:
        id: the job's id, ``RUN-ATTEMPT``.
        run: the run that it belongs to.
        attempt: which attempt of the run it is.
    """

    def __init__(self, job: str, opened: Opened, adding: Writing, writing: Writing, clock: Clock) -> None:
        self.id = job
        self.run = opened.run
        self.attempt = opened.attempt
        self._adding = adding
        self._writing = writing
        self._clock = clock

    def stage(
        self,
        stage: str,
        state: str,
        detail: str = "",
        elapsed_ms: int | None = None,
        *,
        at: float | None = None,
    ) -> None:
        """Write down that a stage began, ended, or did not apply; ``at`` if that was not just now."""
        when = self._clock.time() if at is None else at
        with self._adding("stage") as db:
            rows.insert_step(db, self.id, when, stage, state, detail, elapsed_ms)

    def fact(self, kind: str, data: dict[str, Any], *, at: float | None = None) -> None:
        """Write down what the job learned or did; ``at`` if that was not just now."""
        when = self._clock.time() if at is None else at
        with self._adding("fact") as db:
            rows.insert_fact(db, self.id, when, kind, data)

    def verdict(self, outcome: str, exit_code: int) -> Record:
        """End the job: its verdict and its record, in one write. Nothing can be added to it afterwards.

        Raises:
            AssertionError: it has a verdict already.
        """
        verdict = Verdict(outcome, exit_code, self._clock.time())
        with self._writing("verdict") as db:
            past = rows.load(db, self.id, lambda _owner: True)
            if past.verdict is not None:
                raise AssertionError(f"the job {self.id} has its verdict already: {past.verdict.outcome}")
            record = compose(past, verdict)
            rows.insert_verdict(db, verdict, record, verdict.at)
        return record
