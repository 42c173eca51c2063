"""The states of the jobs of a version 1 journal, which derived them from stages and facts."""

import sqlite3
from typing import Any

import msgspec

from atota.journal.facts import JobState, PriorRun, StateFact

_OF_STAGE = {
    "prepare": JobState.CHANGED,
    "write": JobState.WRITING,
    "activate": JobState.MAY_HAVE_STARTED,
}
_STARTS_ITSELF = "watched"
_NEXT_SEQ = (
    "SELECT 1 + max(ifnull((SELECT max(seq) FROM stage WHERE job = ?1), 0),"
    " ifnull((SELECT max(seq) FROM fact WHERE job = ?1), 0))"
)


def add_states(db: sqlite3.Connection) -> None:
    """Append to every job the state that it was left in and what it had inherited, as version 2 has it."""
    for job, run, attempt in db.execute("SELECT id, run, attempt FROM job").fetchall():
        rows = _rows(db, job)
        state = _last_state(rows)
        earlier = [data for _, kind, data in rows if kind == "earlier"][-1:]
        if earlier and earlier[0] and state is None:
            _append(db, job, "prior-run", _prior_run(earlier[0], job, run, attempt))
        if state is not None:
            _append(db, job, "state", StateFact(state))


def _rows(db: sqlite3.Connection, job: str) -> list[tuple[int, str, dict[str, Any]]]:
    """The stages that began (kind ``stage:NAME``) and the facts of a job, in their order."""
    stages = db.execute("SELECT seq, stage FROM stage WHERE job = ? AND state = 'started'", (job,))
    facts = db.execute("SELECT seq, kind, data FROM fact WHERE job = ?", (job,))
    rows: list[tuple[int, str, dict[str, Any]]] = [(seq, f"stage:{stage}", {}) for seq, stage in stages]
    rows += [(seq, kind, msgspec.json.decode(data, type=dict[str, Any])) for seq, kind, data in facts]
    return sorted(rows, key=lambda row: row[0])


def _last_state(rows: list[tuple[int, str, dict[str, Any]]]) -> JobState | None:
    state, starts_itself = None, False
    for _, kind, data in rows:
        if kind == "dialect":
            starts_itself = data.get("method") == _STARTS_ITSELF
        elif kind.startswith("stage:"):
            state = _OF_STAGE.get(kind.removeprefix("stage:"), state)
        elif kind == "started" and data.get("certain"):
            state = JobState.STARTED
        elif kind == "start-lost":
            state = JobState.CHANGED
    if state is not None and starts_itself and state is not JobState.STARTED:
        return JobState.MAY_HAVE_STARTED
    return state


def _prior_run(earlier: dict[str, Any], job: str, run: str, attempt: int) -> PriorRun:
    has_started, is_certain = earlier.get("standing") == "started", bool(earlier.get("certain"))
    if has_started:
        state = JobState.STARTED if is_certain else JobState.MAY_HAVE_STARTED
    else:
        state = JobState.WRITING if earlier.get("window_s") else JobState.CHANGED
    facts, slot = earlier.get("facts", {}), earlier.get("left", {})
    document = {
        "id": job,
        "run": run,
        "attempt": attempt,
        "state": state,
        "is_certain": is_certain,
        "command": earlier.get("command", ""),
        "versions": facts.get("target", {}),
        "package": facts.get("package", {}),
        "task": facts.get("task"),
        "method": facts.get("dialect", {}),
        "undo": slot.get("undo", ()),
        "written": slot.get("written", 0),
    }
    return msgspec.convert(document, PriorRun)


def _append(db: sqlite3.Connection, job: str, kind: str, fact: msgspec.Struct) -> None:
    ((seq,),) = db.execute(_NEXT_SEQ, (job,)).fetchall()
    (at,) = db.execute(
        "SELECT max(opened_at, ifnull((SELECT max(at) FROM stage WHERE job = ?1), 0),"
        " ifnull((SELECT max(at) FROM fact WHERE job = ?1), 0)) FROM job WHERE id = ?1",
        (job,),
    ).fetchone()
    data = msgspec.json.encode(fact).decode()
    db.execute(
        "INSERT INTO fact (job, seq, at, kind, data) VALUES (?, ?, ?, ?, ?)", (job, seq, at, kind, data)
    )
