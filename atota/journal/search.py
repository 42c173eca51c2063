"""Queries for jobs and records of the journal."""

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, TypedDict

from atota.errors import UsageError
from atota.journal.schema import in_document

_SHOWN = 5
Values = dict[str, Any]
Read = Callable[[str, Values], list[tuple[Any, ...]]]

_JOB = {
    "run": "run = :run",
    "id": "id = :id",
    "port": "port = :port",
    "imei": "id IN (SELECT job FROM fact WHERE kind = 'module' AND about = :imei)",
    "adapter": "adapter_serial = :adapter",
    "has_touched": "(id IN (SELECT job FROM fact WHERE kind = 'state')"
    " OR id IN (SELECT job FROM verdict WHERE outcome IN ('already-current', 'no-task')))",
}
_RECORD = {
    "imei": "imei = :imei",
    "imei_end": "substr(imei, -length(:imei_end)) = :imei_end",
    "model": f"lower({in_document('model')}) GLOB :model",
    "board": f"lower({in_document('board')}) GLOB :board",
    "port": f"(lower({in_document('port')}) GLOB :port OR lower({in_document('port')}) GLOB '*/' || :port)",
    "version": " OR ".join(
        f"lower({in_document(name)}) GLOB :version"
        for name in ("version_before", "version_target", "version_after")
    ).join(("(", ")")),
    "outcome": "outcome = :outcome",
    "since": "ended_at >= :since",
    "until": "ended_at < :until",
    "batch": f"{in_document('station.batch')} = :batch",
    "lane": f"{in_document('station.lane')} = :lane",
    "station": f"{in_document('station.name')} = :station",
    "serial": f"({in_document('station.serial')} = :serial OR {in_document('serial')} = :serial)",
}


class Filters(TypedDict, total=False):
    """A choice of records.

    They ended at ``since`` or later and before ``until``, in seconds since the epoch. ``imei_end`` is the
    last digits of the IMEI, ``version`` the one before, the target's or the one after, and ``serial`` the
    serial number of the unit's label, or the module's own. ``model``, ``version``, ``port`` and ``board`` are
    compared in any case of letters, and ``*`` in them stands for any text; a port may be named without its
    folder.
    """

    imei: str | None
    imei_end: str | None
    outcome: str | None
    model: str | None
    version: str | None
    port: str | None
    board: str | None
    since: float | None
    until: float | None
    batch: str | None
    lane: int | None
    station: str | None
    serial: str | None


def newest_job(filters: Values) -> tuple[str, Values]:
    """Return the query for the id of the newest job that fits all ``filters`` that are not None."""
    where, values = _where(_JOB, filters)
    return f"SELECT id FROM job{where} ORDER BY number DESC LIMIT 1", values  # noqa: S608 - our own words


def records(filters: Values, limit: int | None) -> tuple[str, Values]:
    """Return the query for the documents that fit all ``filters`` that are not None, the newest first."""
    where, values = _where(_RECORD, filters)
    values |= {name: _pattern(values[name]) for name in _PATTERNS & values.keys()}
    values["limit"] = -1 if limit is None else max(limit, 0)
    return f"SELECT document FROM record{where} ORDER BY number DESC LIMIT :limit", values  # noqa: S608


_PATTERNS = {"model", "board", "port", "version"}
"""The filters that compare in any case of letters, and in which ``*`` stands for any characters."""


def _pattern(text: str) -> str:
    """Return the pattern of GLOB (sqlite.org/lang_expr.html) in which only ``*`` is special."""
    return re.sub(r"[\[?]", r"[\g<0>]", text.lower())


def _where(conditions: dict[str, str], filters: Values) -> tuple[str, Values]:
    values = {name: value for name, value in filters.items() if value is not None}
    clause = " AND ".join(conditions[name] for name in values)
    return (f" WHERE {clause}" if clause else ""), values


def document_named(read: Read, name: str) -> str:
    """Return the document of the one record whose id is ``name`` or begins with it.

    Raises:
        UsageError: there is none, or more than one.
    """
    run, _, attempt = name.rpartition("-")
    matches = read("SELECT job, document FROM record WHERE job = :name", {"name": name}) or read(
        "SELECT record.job, document FROM record JOIN job ON job.id = record.job"
        " WHERE substr(record.job, 1, length(:name)) = :name AND :name != ''"
        " OR substr(run, 1, length(:run)) = :run AND :run != '' AND attempt = :attempt"
        " ORDER BY record.number DESC",
        {"name": name, "run": run, "attempt": int(attempt) if attempt.isdecimal() else -1},
    )
    if len(matches) == 1:
        return str(matches[0][1])
    if not matches:
        raise _unknown(read, name)
    near = [str(job) for job, _ in matches]
    more = f" and {len(near) - _SHOWN} more" if len(near) > _SHOWN else ""
    raise UsageError(
        f"{len(near)} records begin with {name!r}",
        hint=f"Give more of the id: {', '.join(near[:_SHOWN])}{more}.",
    )


def _unknown(read: Read, name: str) -> UsageError:
    open_job = read(
        "SELECT id FROM job WHERE substr(id, 1, length(:name)) = :name AND :name != ''"
        " AND id NOT IN (SELECT job FROM verdict)",
        {"name": name},
    )
    if open_job:
        return UsageError(
            f"the job {open_job[0][0]} has no record yet: it has not ended",
            hint="Wait for it; if its process died, the next job on this machine closes it.",
        )
    jobs = [str(job) for (job,) in read("SELECT job FROM record ORDER BY number DESC LIMIT 1000", {})]
    near = get_close_matches(name, jobs, _SHOWN, 0.5) or jobs[:_SHOWN]
    return UsageError(
        f"there is no record {name!r}",
        hint=f"Near ones: {', '.join(near)}." if near else "The journal holds no records yet.",
    )
