"""Figures of batches and units: yield, Pareto, cycle times, conflicts, a unit's history, an export."""

import datetime as dt
from collections.abc import Iterator

import msgspec

from atota.clock import utc_iso
from atota.line.store import Row, Session


class Cause(msgspec.Struct, frozen=True):
    """A failure key ``stage:outcome:code``, and its number of attempts."""

    key: str
    count: int


class BatchFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The yield of a batch.

    ``units`` have a countable attempt; ``passed`` and ``failed`` go by the last one, ``first_pass_yield`` by
    the first; ``retested`` have more than one. Yields are parts of 1, None without units; times in ms.
    """

    batch: str
    units: int = 0
    passed: int = 0
    failed: int = 0
    first_pass_yield: float | None = None
    final_yield: float | None = None
    retested: int = 0
    attempts: int = 0
    station_endings: int = 0
    cycle_median_ms: int | None = None
    cycle_p95_ms: int | None = None
    pareto: list[Cause] = []


class LaneHour(msgspec.Struct, frozen=True, kw_only=True):
    """Passed units of one lane in one hour."""

    station: str
    lane: int | None
    hour: str
    passed: int
    attempts: int


class BatchState(msgspec.Struct, frozen=True, kw_only=True):
    """A batch's quota: granted tickets, and how many of them were spent or written off."""

    batch: str
    product: str | None
    target: str | None
    state: str
    quota: int
    granted: int
    spent: int
    written_off: int


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Two records that cannot both be right."""

    number: int
    kind: str
    imei: str | None
    serial: str | None
    noticed_at: str
    first: str | None
    second: str | None
    stations: list[str]


# The order of a unit's attempts is looked up only where some passed and some failed: most have one attempt.
_YIELD = """
WITH unit AS (
    SELECT unit, count(*) AS attempts, bool_and(is_passed) AS all_passed, bool_or(is_passed) AS one_passed
    FROM line.record WHERE batch = %(batch)s AND is_countable GROUP BY unit),
mixed AS (
    SELECT first.is_passed AS first_passed, last.is_passed AS last_passed
    FROM unit CROSS JOIN LATERAL (
        SELECT is_passed FROM line.record r WHERE batch = %(batch)s AND is_countable AND r.unit = unit.unit
        ORDER BY at, journal, seq LIMIT 1) first
    CROSS JOIN LATERAL (
        SELECT is_passed FROM line.record r WHERE batch = %(batch)s AND is_countable AND r.unit = unit.unit
        ORDER BY at DESC, journal DESC, seq DESC LIMIT 1) last
    WHERE one_passed AND NOT all_passed)
SELECT count(*),
    count(*) FILTER (WHERE all_passed) + (SELECT count(*) FROM mixed WHERE last_passed),
    count(*) FILTER (WHERE all_passed) + (SELECT count(*) FROM mixed WHERE first_passed),
    count(*) FILTER (WHERE attempts > 1),
    coalesce(sum(attempts), 0)::bigint
FROM unit
"""
_PARETO = """
SELECT failure, count(*) FROM line.record WHERE batch = %(batch)s AND is_countable AND NOT is_passed
GROUP BY failure ORDER BY count(*) DESC, failure
"""
_CYCLES = """
SELECT count(*) FILTER (WHERE NOT is_countable),
    percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY duration_ms) FILTER (WHERE is_countable)
FROM line.record WHERE batch = %(batch)s
"""
_HOURS = """
SELECT station, lane, date_trunc('hour', at) AS hour, count(DISTINCT unit) FILTER (WHERE is_passed), count(*)
FROM line.record WHERE batch = %(batch)s AND is_countable
GROUP BY station, lane, hour ORDER BY hour DESC, station, lane LIMIT %(limit)s
"""
_BATCHES = """
SELECT b.id, b.product, b.target, b.state, b.quota, b.granted,
    coalesce(sum(a.spent), 0)::bigint, coalesce(sum(a.written_off), 0)::bigint
FROM line.batch b LEFT JOIN line.allotment a ON a.batch = b.id
WHERE %(batch)s::text IS NULL OR b.id = %(batch)s
GROUP BY b.id ORDER BY b.created_at DESC LIMIT %(limit)s
"""
_CONFLICTS = """
SELECT c.number, c.kind, c.imei, c.serial, c.noticed_at, a.id, b.id, a.station, b.station
FROM line.conflict c
LEFT JOIN line.record a ON (a.journal, a.seq) = (c.first_journal, c.first_seq)
LEFT JOIN line.record b ON (b.journal, b.seq) = (c.second_journal, c.second_seq)
ORDER BY c.number DESC LIMIT %(limit)s
"""
_HISTORY = """
SELECT document FROM line.record WHERE unit = %(unit)s OR serial = %(unit)s OR label = %(unit)s
ORDER BY at, journal, seq LIMIT 200
"""
_EXPORT = """
SELECT document || jsonb_build_object('journal', journal, 'seq', seq, 'line_station', station)
FROM line.record WHERE %(batch)s::text IS NULL OR batch = %(batch)s ORDER BY at, journal, seq
"""


def batch_figures(session: Session, batch: str) -> BatchFigures:
    """Return the yield of a batch; one without records has zeros."""
    values = {"batch": batch}
    units, passed, first, retested, attempts = session.rows(_YIELD, values)[0]
    endings, cycles = session.rows(_CYCLES, values)[0]
    median, p95 = cycles or (None, None)
    return BatchFigures(
        batch=batch,
        units=units,
        passed=passed,
        failed=units - passed,
        first_pass_yield=first / units if units else None,
        final_yield=passed / units if units else None,
        retested=retested,
        attempts=attempts,
        station_endings=endings,
        cycle_median_ms=median,
        cycle_p95_ms=p95,
        pareto=[Cause(key, count) for key, count in session.rows(_PARETO, values)],
    )


def hours(session: Session, batch: str, limit: int = 200) -> list[LaneHour]:
    """Return the passed units of each lane and hour, the newest first."""
    return [
        LaneHour(station=station, lane=lane, hour=_iso(hour), passed=passed, attempts=attempts)
        for station, lane, hour, passed, attempts in session.rows(_HOURS, {"batch": batch, "limit": limit})
    ]


def batches(session: Session, batch: str | None = None, limit: int = 50) -> list[BatchState]:
    """Return the newest batches, or one."""
    rows = session.rows(_BATCHES, {"batch": batch, "limit": limit})
    names = BatchState.__struct_fields__
    return [BatchState(**dict(zip(names, row, strict=True))) for row in rows]


def batches_of_records(session: Session, limit: int = 50) -> list[str]:
    """Return the batches that have records, the last worked on first."""
    rows = session.rows(
        "SELECT batch FROM (SELECT batch, at FROM line.record WHERE batch IS NOT NULL"
        " ORDER BY at DESC LIMIT 20000) newest GROUP BY batch ORDER BY max(at) DESC LIMIT %(limit)s",
        {"limit": limit},
    )
    return [row[0] for row in rows]


def conflicts(session: Session, limit: int = 500) -> list[Conflict]:
    """Return the conflicts, the newest first."""
    return [
        Conflict(
            number=number,
            kind=kind,
            imei=imei,
            serial=serial,
            noticed_at=_iso(noticed),
            first=first,
            second=second,
            stations=[name for name in (one, other) if name is not None],
        )
        for number, kind, imei, serial, noticed, first, second, one, other in session.rows(
            _CONFLICTS, {"limit": limit}
        )
    ]


def history(session: Session, unit: str) -> list[dict[str, object]]:
    """Return all records of a unit, by IMEI or serial number, the oldest first."""
    return [row[0] for row in session.rows(_HISTORY, {"unit": unit})]


def documents(session: Session, batch: str | None) -> Iterator[dict[str, object]]:
    """Yield all records, or a batch's, each with its journal, number and station."""
    for (document,) in session.stream(_EXPORT, {"batch": batch}):
        yield document


def totals(session: Session) -> Row:
    """Return the counts of records, quarantined records, conflicts, forked journals and waiting records."""
    row = session.row(
        "SELECT coalesce((SELECT sum(next_seq - 1) FROM line.journal), 0)::bigint,"
        " (SELECT count(*) FROM line.quarantine), (SELECT count(*) FROM line.conflict),"
        " (SELECT count(*) FROM line.journal WHERE forked_at IS NOT NULL),"
        " coalesce((SELECT sum(backlog) FROM line.presence), 0)::bigint,"
        " (SELECT hold FROM line.state)"
    )
    assert row is not None
    return row


def quarantined(session: Session, limit: int = 50) -> list[Row]:
    """Return the newest bad records: journal, number, reason, the beginning of the text, received at."""
    return session.rows(
        "SELECT journal, seq, reason, convert_from(substring(body for 200), 'LATIN1'), received_at"
        " FROM line.quarantine ORDER BY received_at DESC LIMIT %(limit)s",
        {"limit": limit},
    )


def _iso(moment: dt.datetime) -> str:
    return utc_iso(moment.timestamp())
