"""Between the journal's rows and its structs."""

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from atota.errors import Outcome
from atota.files import prepared
from atota.journal import chain
from atota.journal.facts import Fact, LineFact, kind_of, read_fact
from atota.journal.model import FactRow, Opened, PastJob, QueuedReport, Record, SentReport, StageRow, Verdict
from atota.link.ports import PortInfo
from atota.values import Identity

_JOB = "id, run, attempt, opened_at, command, port, adapter, board, resumes, tool_version, host, pid, owner"
# One counter for a job's steps and facts; in the database, so that it is right whatever went before.
_NEXT = (
    "1 + max(ifnull((SELECT max(seq) FROM stage WHERE job = ?1), 0),"
    " ifnull((SELECT max(seq) FROM fact WHERE job = ?1), 0))"
)


def encoded(data: object) -> str:
    """JSON of anything: what JSON has no form for is written as text, a broken character as its number."""
    try:
        return msgspec.json.encode(data, enc_hook=str).decode()
    except UnicodeEncodeError:  # the name of a file or a port that is not Unicode text
        return msgspec.json.encode(_whole_text(data), enc_hook=str).decode()


def text(value: str) -> str:
    """Text that the database takes."""
    return value.encode("utf-8", "backslashreplace").decode()


def _whole_text(data: object) -> object:
    if isinstance(data, str):
        return text(data)
    if isinstance(data, dict):
        return {text(str(key)): _whole_text(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_whole_text(value) for value in data]
    return _whole_text(msgspec.to_builtins(data)) if isinstance(data, msgspec.Struct) else data


def record_of(document: str) -> Record:
    """A record from its JSON."""
    return msgspec.json.decode(document, type=prepared(Record))


def report_of(row: tuple[Any, ...]) -> QueuedReport:
    """A report of the outbox from (id, job, at, document)."""
    return QueuedReport(row[0], row[1], row[2], _object(row[3]))


def sent_report_of(row: tuple[Any, ...]) -> SentReport:
    """A report with its end from (at, document, ended at, how, detail)."""
    return SentReport(row[0], _object(row[1]), row[2], row[3], row[4] or "")


def load(db: sqlite3.Connection, job: str, is_alive: Callable[[str], bool]) -> PastJob:
    """Return the rows of one job, which must exist."""
    row = db.execute(f"SELECT {_JOB} FROM job WHERE id = ?", (job,)).fetchone()  # noqa: S608 - our own words
    opened = Opened(
        run=row[1],
        attempt=row[2],
        command=row[4],
        port=row[5],
        adapter=None if row[6] is None else msgspec.json.decode(row[6], type=prepared(PortInfo)),
        board=row[7],
        resumes=row[8],
    )
    stages = db.execute(
        "SELECT seq, at, stage, state, detail, elapsed_ms FROM stage WHERE job = ? ORDER BY seq", (job,)
    )
    facts = db.execute("SELECT seq, at, kind, data FROM fact WHERE job = ? ORDER BY seq", (job,))
    verdict = db.execute("SELECT outcome, at FROM verdict WHERE job = ?", (job,)).fetchone()
    return PastJob(
        id=row[0],
        run=row[1],
        attempt=row[2],
        opened=opened,
        opened_at=row[3],
        is_alive=verdict is None and is_alive(row[12]),
        stages=tuple(StageRow(*stage) for stage in stages),
        facts=tuple(
            FactRow(seq, at, fact)
            for seq, at, kind, data in facts
            if (fact := read_fact(kind, _object(data))) is not None
        ),
        verdict=Verdict(Outcome(verdict[0]), verdict[1]) if verdict is not None else None,
        tool_version=row[9],
        host=row[10],
        pid=row[11],
    )


def unended(db: sqlite3.Connection, is_alive: Callable[[str], bool]) -> list[PastJob]:
    """The jobs without a verdict, the oldest first."""
    jobs = db.execute("SELECT id FROM job WHERE id NOT IN (SELECT job FROM verdict) ORDER BY number")
    return [load(db, job, is_alive) for (job,) in jobs.fetchall()]


def _object(document: str) -> dict[str, Any]:
    return msgspec.json.decode(document, type=dict[str, Any])


def line(db: sqlite3.Connection, subject: str) -> LineFact | None:
    """Return the newest fact about a line."""
    row = db.execute(
        "SELECT data FROM fact JOIN job ON job.id = fact.job WHERE about = ? AND kind = 'line'"
        " ORDER BY job.number DESC, seq DESC LIMIT 1",
        (text(subject),),
    ).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=prepared(LineFact))


def insert_job(db: sqlite3.Connection, **values: Any) -> None:
    """A row of a new job; text is cleaned."""
    names = ", ".join(values)
    marks = ", ".join("?" * len(values))
    cleaned = [text(value) if isinstance(value, str) else value for value in values.values()]
    db.execute(f"INSERT INTO job ({names}) VALUES ({marks})", cleaned)  # noqa: S608 - our own words


def insert_stage(
    db: sqlite3.Connection, job: str, at: float, stage: str, state: str, detail: str, elapsed_ms: int | None
) -> None:
    """A row of a stage."""
    db.execute(
        f"INSERT INTO stage (job, seq, at, stage, state, detail, elapsed_ms)"  # noqa: S608 - our own words
        f" VALUES (?1, {_NEXT}, ?2, ?3, ?4, ?5, ?6)",
        (job, at, text(stage), text(state), text(detail), elapsed_ms),
    )


def insert_fact(db: sqlite3.Connection, job: str, at: float, fact: Fact) -> None:
    """Insert a fact; a target's identity is found again by its number, a line by its adapter and board."""
    subject = (fact.number or fact.imei) if isinstance(fact, Identity) else None
    if isinstance(fact, LineFact):
        subject = fact.subject
    db.execute(
        f"INSERT INTO fact (job, seq, at, kind, about, data)"  # noqa: S608 - our own words
        f" VALUES (?1, {_NEXT}, ?2, ?3, ?4, ?5)",
        (job, at, kind_of(fact), text(subject) if subject else None, encoded(fact)),
    )


def insert_report(db: sqlite3.Connection, job: str, at: float, document: dict[str, Any]) -> int:
    """A queued report; its number in the outbox."""
    values = (job, at, encoded(document))
    row = db.execute("INSERT INTO report (job, at, document) VALUES (?, ?, ?)", values)
    return int(row.lastrowid or 0)


def insert_verdict(db: sqlite3.Connection, verdict: Verdict, record: Record, ended_at: float) -> Record:
    """Insert a job's verdict and its record, which is returned as a link of the chain."""
    db.execute(
        "INSERT INTO verdict (job, outcome, exit_code, at) VALUES (?, ?, ?, ?)",
        (record.id, verdict.outcome.value, verdict.outcome.exit_code, verdict.at),
    )
    imei = record.imei if record.imei is None else text(record.imei)
    previous = chain.head(db)
    linked = msgspec.structs.replace(record, previous=previous or None)
    document = encoded(linked)
    db.execute(
        "INSERT INTO record (job, imei, outcome, ended_at, document, digest) VALUES (?, ?, ?, ?, ?, ?)",
        (record.id, imei, text(record.outcome), ended_at, document, chain.digest(previous, document)),
    )
    return linked
