"""The journal: an append-only database of all jobs. A call returns once its rows are on the disk.

One file, many processes: each writes its own jobs. A job whose process died has no verdict; the next job on
the machine gives it one (`Journal.recover`).
"""

import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, Unpack
from uuid import uuid4

import msgspec
import platformdirs

from atota._version import __version__
from atota.clock import Clock
from atota.errors import LimitReached, Outcome
from atota.journal import chain, connect, rows, search
from atota.journal.chain import History, Link
from atota.journal.connect import Database
from atota.journal.facts import KNOWN_FOR_S, Fact, LineFact
from atota.journal.model import Opened, PastJob, QueuedReport, Record, SentReport, Verdict
from atota.journal.owners import GivenOwners
from atota.journal.records import compose
from atota.journal.translate import translated
from atota.values import Nature

Hook = Callable[[str], None]
Writing = Callable[[str], AbstractContextManager[sqlite3.Connection]]


def default_path(nature: Nature = "real") -> Path:
    """Return the path of the journal if no other is named: real modules have it to themselves."""
    name = "journal.sqlite3" if nature == "real" else f"journal-{nature}.sqlite3"
    return platformdirs.user_data_path("atota", appauthor=False) / name


def _nothing(_table: str) -> None:
    """Do nothing before and after a write."""


class Journal:
    """A journal, open. A context manager; the threads of one process may share it.

    Any call may raise `ConfigError` (it is damaged, or cannot be used) or `LimitReached` (the disk is full,
    or another process does not release it).

    Args:
        path: its file, created if it is missing; None: `default_path`.
        clock: the clock of its times.
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
        self.delivering = threading.Lock()  # held by the thread that delivers the outbox
        self._lock = threading.RLock()
        self._owner: str | None = None
        self._abandoned: set[str] = set()

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
        """Return a journal on a connection of the caller, who closes it, too.

        Args:
            connection: a database, often in memory.
            clock: as for the journal itself.
            owner_alive: True if the process of that owner still runs; always false if not given. It is not
                asked about this journal itself.
            owner: the name of this one; random if not given.
            after_write: as for the journal itself.
            before_write: as for the journal itself.
        """
        database = connect.given(connection, GivenOwners(owner_alive, owner))
        return cls(clock=clock, after_write=after_write, before_write=before_write, database=database)

    @classmethod
    def reading(cls, path: Path | None = None, *, clock: Clock) -> Self | None:
        """Return a journal for reading, which is not created, locked or changed; None if it is missing."""
        database = connect.for_reading(path or default_path(), clock)
        return None if database is None else cls(clock=clock, database=database)

    def close(self) -> None:
        """Close it. A job of this journal without a verdict counts as cut off from now on."""
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

    def open_job(self, opened: Opened, *, at: float | None = None) -> "JobEntry":
        """Begin a job, at ``at`` or now.

        Raises:
            LimitReached: this attempt of this run has been begun already, perhaps by another process.
        """
        job = rows.text(opened.id)
        with self._writing("job") as db:
            if db.execute("SELECT 1 FROM job WHERE id = ?", (job,)).fetchone() is not None:
                raise LimitReached(
                    f"the job {job} was begun already",
                    hint="Another atota continues the same run; `atota records list` shows it.",
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
                adapter_serial=opened.adapter.serial_number if opened.adapter is not None else None,
                board=opened.board,
                resumes=opened.resumes,
                tool_version=__version__,
                host=socket.gethostname(),
                pid=os.getpid(),
            )
        return JobEntry(job, opened, self._adding, self._writing, self._clock)

    def recover(self) -> list[PastJob]:
        """Close the jobs whose process died as interrupted, each with its record; return them."""
        closed = [self._close_dead(past.id) for past in self.unended() if not past.is_alive]
        with translated(self.path):
            self._owners.tidy()
        return [past for past in closed if past is not None]

    def unended(self) -> list[PastJob]:
        """Return the jobs without a verdict, the oldest first: they run, or their process died."""
        with self._lock, translated(self.path):
            return [self._seen(past) for past in rows.unended(self._db, self._alive)]

    def abandon(self, job: str) -> None:
        """Count a job of this process as dead: it has ended, and its verdict could not be written."""
        self._abandoned.add(job)

    def _seen(self, past: PastJob) -> PastJob:
        return msgspec.structs.replace(past, is_alive=False) if past.id in self._abandoned else past

    def _close_dead(self, job: str) -> PastJob | None:
        with self._writing("verdict") as db:
            past = rows.load(db, job, self._alive)
            if past.verdict is not None:  # another process was faster
                return None
            verdict = Verdict(Outcome.INTERRUPTED, self._clock.time())
            rows.insert_verdict(db, verdict, compose(past, verdict, is_cut_off=True), past.last_seen)
            return rows.load(db, job, self._alive)

    def queue(self, job: str, document: dict[str, Any]) -> int:
        """Queue a report about a job; return its number in the outbox."""
        with self._adding("report") as db:
            return rows.insert_report(db, job, self._clock.time(), document)

    def settle(self, report: int, how: Literal["delivered", "obsolete"], detail: str = "") -> None:
        """Take a report out of the outbox, once."""
        with self._adding("report_end") as db:
            db.execute(
                "INSERT INTO report_end (report, at, how, detail) VALUES (?, ?, ?, ?)",
                (report, self._clock.time(), how, rows.text(detail)),
            )

    @contextmanager
    def _adding(self, table: str) -> Iterator[sqlite3.Connection]:
        """Run one statement, which the database by itself carries out whole or not at all."""
        self._before_write(table)
        with self._lock, translated(self.path):
            yield self._db
        self._after_write(table)

    @contextmanager
    def _writing(self, table: str) -> Iterator[sqlite3.Connection]:
        """Run several statements as one durable write, whole or not at all."""
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
        has_touched: bool | None = None,
    ) -> PastJob | None:
        """Return the newest job that fits all arguments.

        ``imei`` is the number of a target (`Identity.number`), ``adapter`` an adapter's serial number; with
        ``has_touched`` the job changed its target, or found that there was nothing to do.
        """
        filters = {
            "run": run, "id": id, "imei": imei, "port": port, "adapter": adapter, "has_touched": has_touched,
        }  # fmt: skip
        query, values = search.newest_job(filters)
        with self._lock, translated(self.path):
            row = self._db.execute(query, values).fetchone()
            return None if row is None else self._seen(rows.load(self._db, row[0], self._alive))

    def line(self, subject: str) -> LineFact | None:
        """Return the newest fact about a line (`LineFact.subject`), as long as the line is known."""
        with self._lock, translated(self.path):
            fact = rows.line(self._db, subject)
        return fact if fact is not None and self._clock.time() - fact.since < KNOWN_FOR_S else None

    def records(self, *, limit: int | None = None, **filters: Unpack[search.Filters]) -> list[Record]:
        """Return the records that fit all filters that are not None, the newest first, and at most ``limit``.

        `atota.journal.search.Filters` says what each means.
        """
        query, values = search.records({**filters}, limit)
        with translated(self.path):
            return [rows.record_of(document) for (document,) in self._read(query, values)]

    def record(self, id_or_beginning: str) -> Record:
        """Return the one record whose id begins so; ``1a2b3c4d-2`` is attempt 2 of run ``1a2b3c4d…``.

        Raises:
            UsageError: there is none, or more than one; the near ones are named.
        """
        document = search.document_named(self._read, id_or_beginning.strip())
        with translated(self.path):
            return rows.record_of(document)

    def pending(self, topic: str | None = None) -> list[QueuedReport]:
        """Return the outbox, the oldest first; ``topic`` names another receiver than the platform."""
        queued = self._read(
            "SELECT id, job, at, document FROM report WHERE json_extract(document, '$.topic') IS :topic"
            " AND NOT EXISTS (SELECT 1 FROM report_end WHERE report = report.id) ORDER BY id",
            {"topic": topic},
        )
        with translated(self.path):
            return [rows.report_of(row) for row in queued]

    def reports_of(self, job: str, topic: str | None = None) -> list[SentReport]:
        """Return all reports of a job, the oldest first, each with its end; see `pending` for ``topic``."""
        sent = self._read(
            "SELECT report.at, document, report_end.at, how, detail FROM report LEFT JOIN report_end"
            " ON report = report.id WHERE job = :job AND document ->> '$.topic' IS :topic ORDER BY report.id",
            {"job": job, "topic": topic},
        )
        with translated(self.path):
            return [rows.sent_report_of(row) for row in sent]

    # -- the chain --------------------------------------------------------------------------

    def histories(self) -> list[History]:
        """Return the histories that a line counts the records in, the oldest first."""
        return chain.histories(self._read("SELECT id, after, opened_at, why FROM history ORDER BY number"))

    def open_history(self, *, after: int, why: str) -> History:
        """Open a new history behind record ``after``; ``why`` is for people."""
        with self._adding("history") as db:
            chain.insert_history(db, str(uuid4()), after=after, at=self._clock.time(), why=why)
        return self.histories()[-1]

    def links(self, after: int, limit: int) -> list[Link]:
        """Return the ``limit`` records behind record ``after``, the oldest first."""
        query = (
            "SELECT number, document, digest FROM record WHERE number > :after ORDER BY number LIMIT :limit"
        )
        return [Link(*row) for row in self._read(query, {"after": after, "limit": limit})]

    def digest_at(self, number: int) -> str:
        """Return the digest of a record; empty if there is no such record."""
        digests = self._read("SELECT digest FROM record WHERE number = :number", {"number": number})
        return str(digests[0][0]) if digests else ""

    def last_number(self) -> int:
        """Return the number of the last record; 0 if there is none."""
        return int(self._read("SELECT ifnull(max(number), 0) FROM record")[0][0])

    def _read(self, query: str, values: search.Values | None = None) -> list[tuple[Any, ...]]:
        with self._lock, translated(self.path):
            return self._db.execute(query, values or {}).fetchall()


class JobEntry:
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
        """Write down that a stage began, ended, or did not apply, at ``at`` or now."""
        when = self._clock.time() if at is None else at
        with self._adding("stage") as db:
            rows.insert_stage(db, self.id, when, stage, state, detail, elapsed_ms)

    def fact(self, fact: Fact, *, at: float | None = None) -> None:
        """Write down a fact, at ``at`` or now."""
        when = self._clock.time() if at is None else at
        with self._adding("fact") as db:
            rows.insert_fact(db, self.id, when, fact)

    def verdict(self, outcome: Outcome) -> Record:
        """End the job with its verdict and its record, in one write. Nothing can be added afterwards.

        Raises:
            AssertionError: it has a verdict already.
        """
        verdict = Verdict(outcome, self._clock.time())
        with self._writing("verdict") as db:
            past = rows.load(db, self.id, lambda _owner: True)
            if past.verdict is not None:
                raise AssertionError(f"the job {self.id} has its verdict already: {past.verdict.outcome}")
            return rows.insert_verdict(db, verdict, compose(past, verdict), verdict.at)
