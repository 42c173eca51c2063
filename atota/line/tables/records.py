"""The cursor: the records of a journal, applied in order, once.

A batch is applied in one transaction under the lock of its journal's row, and ``next_seq`` moves with it. So
an answer that is lost, a request that is doubled and requests that overtake each other change nothing. Known
records are compared and passed over, and records that leave a gap are refused.

A batch takes few round trips to the database, however many records it has::

    journal's row, locked  →  COPY of all records  →  cursor, units, conflicts, claims and COMMIT

Lock order: journal, then the line's state, which is held from the count of changes to the end. So units and
conflicts of two stations are written one after the other, in the order of their numbers. The lock is held
without a round trip in between: the other stations wait for it.
"""

import datetime as dt
import hashlib
from collections.abc import Sequence

import msgspec

from atota.errors import LimitReached
from atota.journal import chain
from atota.line import reading
from atota.line.protocol import Batch, Cursor
from atota.line.reading import BadRecord, Columns
from atota.line.store import BadData, Row, Session, Statement

# The fields of `Columns` but the last. An INSERT from one JSON text took half as long again.
_COPY = f"COPY line.record ({', '.join(Columns.__struct_fields__[:-1])}) FROM STDIN"
_MOVE = (
    "UPDATE line.journal SET next_seq = %(next)s, head = %(head)s, last_at = %(last_at)s WHERE id = %(id)s"
)
_SMALL_OFFSET = dt.timedelta(seconds=2)  # less is the way of the request, not a wrong clock


class GapFound(LimitReached):
    """Records of a journal are missing before the ones that came."""

    code = "line.gap"
    default_hint = "The station sends from the number that the answer names."

    def __init__(self, message: str, next_seq: int, head: str) -> None:
        super().__init__(message)
        self.next_seq = next_seq
        self.head = head


class ForkFound(LimitReached):
    """Another history of a journal is known already."""

    code = "line.fork"
    default_hint = "The station opens a new journal; find the cloned or restored disk."

    def __init__(self, message: str, next_seq: int, head: str) -> None:
        super().__init__(message)
        self.next_seq = next_seq
        self.head = head


class _Bad(msgspec.Struct):
    """A record for the quarantine."""

    seq: int
    digest: str
    reason: str
    body: bytes


def lock(journal: str) -> Statement:
    """Return the query that locks a journal's row; `apply` takes what it returns."""
    query = (
        "SELECT next_seq, head, greatest(last_at, '0001-01-01 00:00:00Z'::timestamptz), now()"
        " FROM line.journal WHERE id = %(id)s FOR UPDATE"
    )
    return query, {"id": journal}


def apply(session: Session, station: str, journal: str, batch: Batch, locked: list[Row]) -> Cursor:
    """Apply a batch of a journal's records, and commit it; ``locked`` holds the row of `lock`, if any.

    Raises:
        GapFound: records before them are missing; nothing is stored.
        ForkFound: the journal has another history; nothing is stored.
    """
    next_seq, known_head, last_at, now = (locked or _opened(session, station, journal))[0]
    if batch.first_seq > next_seq:
        raise GapFound(f"record {next_seq} of the journal {journal} is missing", next_seq, known_head)
    known, fresh = batch.records[: next_seq - batch.first_seq], batch.records[next_seq - batch.first_seq :]
    if not _agree(session, journal, batch, known):
        raise ForkFound(f"the journal {journal} has another record there", next_seq, known_head)
    if not fresh:
        return Cursor(next_seq=next_seq, head=known_head)
    head = known_head
    if next_seq == 1:
        head = batch.previous or reading.previous_of(fresh[0]) or ""
    elif not known and batch.previous not in (None, head):
        raise ForkFound(f"the journal {journal} has another record {next_seq - 1}", next_seq, head)
    offset = _offset(batch, now)
    rows: list[Columns] = []
    bad: list[_Bad] = []
    for seq, raw in enumerate(fresh, next_seq):
        previous, head = head, _digest(head, raw)
        try:
            row = reading.columns(
                raw, journal=journal, seq=seq, digest=head, station=station, now=now, offset=offset
            )
        except BadRecord as problem:
            carried = reading.previous_of(raw)
            bad.append(_Bad(seq, head, str(problem), bytes(raw)))
        else:
            carried = row.previous
            row.at = last_at = max(row.at, last_at)
            rows.append(row)
        if carried is not None and carried != previous:
            raise ForkFound(f"record {seq} follows another record {seq - 1}", next_seq, known_head)
    rows, refused = _insert(session, rows)
    bad = sorted([*bad, *refused], key=lambda one: one.seq)
    moved = {"next": next_seq + len(fresh), "head": head, "last_at": last_at, "id": journal}
    session.together(
        *(_quarantined(journal, one) for one in bad),
        (_MOVE, moved),
        *_note_units(station, journal, rows),
        is_last=True,
    )
    return Cursor(next_seq=next_seq + len(fresh), head=head, quarantined=[one.seq for one in bad])


def cursor(session: Session, journal: str, at: int | None = None) -> Cursor:
    """Return a journal's cursor, and the digest of record ``at``."""
    row = session.row("SELECT next_seq, head FROM line.journal WHERE id = %(id)s", {"id": journal})
    digest = None
    if at is not None:
        digests = _digests(session, journal, at, at)
        digest = digests.get(at)
    next_seq, head = row or (1, "")
    return Cursor(next_seq=next_seq, head=head, digest=digest)


def note_fork(session: Session, journal: str) -> None:
    """Write down that another history of a journal was refused."""
    session.run(
        "UPDATE line.journal SET forks = forks + 1, forked_at = now() WHERE id = %(id)s", {"id": journal}
    )


def _opened(session: Session, station: str, journal: str) -> list[Row]:
    """Make the row of a journal, and lock it."""
    made = "INSERT INTO line.journal (id, station) VALUES (%(id)s, %(station)s) ON CONFLICT DO NOTHING"
    return session.together((made, {"id": journal, "station": station}), lock(journal))[-1]


def _agree(session: Session, journal: str, batch: Batch, known: Sequence[msgspec.Raw]) -> bool:
    """True if the records that are known already are the ones that came again."""
    if not known:
        return True
    last = batch.first_seq + len(known) - 1
    digests = _digests(session, journal, batch.first_seq - 1, last)
    previous = digests.get(batch.first_seq - 1)
    if previous is None:  # the first of a journal may follow a record of the journal before it
        previous = batch.previous or reading.previous_of(known[0]) or ""
    for seq, raw in enumerate(known, batch.first_seq):
        previous = _digest(previous, raw)
        if previous != digests.get(seq):
            return False
    return True


def _digests(session: Session, journal: str, first: int, last: int) -> dict[int, str]:
    query = "SELECT seq, digest FROM line.{} WHERE journal = %(id)s AND seq BETWEEN %(first)s AND %(last)s"
    values = {"id": journal, "first": first, "last": last}
    rows = session.rows(query.format("record"), values)
    if len(rows) < last - first + 1:
        rows += session.rows(query.format("quarantine"), values)
    return dict(rows)


def _digest(previous: str, raw: msgspec.Raw) -> str:
    try:
        return chain.digest(previous, bytes(raw))
    except (
        msgspec.MsgspecError,
        UnicodeError,
        RecursionError,
    ):  # it is not JSON of ours, and has a digest still
        return hashlib.sha256(previous.encode() + bytes(raw)).hexdigest()


def _offset(batch: Batch, now: dt.datetime) -> dt.timedelta:
    if batch.time is None:
        return dt.timedelta(0)
    try:
        offset = now - dt.datetime.fromtimestamp(batch.time, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return dt.timedelta(0)
    return offset if abs(offset) > _SMALL_OFFSET else dt.timedelta(0)


def _insert(session: Session, rows: list[Columns]) -> tuple[list[Columns], list[_Bad]]:
    """Insert rows; return those that are stored, and those that PostgreSQL cannot store."""
    if not rows:
        return [], []
    try:
        session.copy(_COPY, (msgspec.structs.astuple(row)[:-1] for row in rows))
    except BadData as problem:
        reason = problem.message
    else:
        return rows, []
    if len(rows) == 1:
        return [], [_Bad(rows[0].seq, rows[0].digest, reason, rows[0].document.encode())]
    parts = [_insert(session, [row]) for row in rows]
    return [row for stored, _ in parts for row in stored], [one for _, bad in parts for one in bad]


def _quarantined(journal: str, bad: _Bad) -> Statement:
    query = (
        "INSERT INTO line.quarantine (journal, seq, digest, reason, body)"
        " VALUES (%(journal)s, %(seq)s, %(digest)s, %(reason)s, %(body)s)"
    )
    reason = bad.reason.replace("\0", "\\0")[:500]
    values = {"seq": bad.seq, "digest": bad.digest, "reason": reason, "body": bad.body}
    return query, {"journal": journal, **values}


# The count of changes is that of this transaction, which holds its lock.
_UNITS = """
INSERT INTO line.unit AS old
    (imei, serial, change, station, lane, batch, outcome, version, done_at, record)
SELECT DISTINCT ON (imei) imei, label, (SELECT changes FROM line.state), station, lane, batch,
    CASE WHEN is_passed THEN outcome END, CASE WHEN is_passed THEN version_after END,
    CASE WHEN is_passed THEN at END, id
FROM line.record
WHERE journal = %(journal)s AND seq BETWEEN %(first)s AND %(last)s AND imei IS NOT NULL
ORDER BY imei, is_passed DESC, seq DESC
ON CONFLICT (imei) DO UPDATE SET
    serial = coalesce(excluded.serial, old.serial), change = excluded.change,
    station = excluded.station, lane = excluded.lane, batch = coalesce(excluded.batch, old.batch),
    outcome = coalesce(excluded.outcome, old.outcome), version = coalesce(excluded.version, old.version),
    done_at = coalesce(excluded.done_at, old.done_at), record = coalesce(excluded.record, old.record)
"""
# Most records have neither unit nor label in common with another one: those are looked at no further.
_CONFLICTS = """
WITH doubtful AS MATERIALIZED (
    SELECT journal, seq, imei, unit, label, lane, station, outcome, version_after, at, started_at, ended_at
    FROM line.record n
    WHERE n.journal = %(journal)s AND n.seq BETWEEN %(first)s AND %(last)s AND n.imei IS NOT NULL AND (
        EXISTS (SELECT FROM line.record o WHERE o.unit = n.unit AND (o.journal, o.seq) <> (n.journal, n.seq))
        OR EXISTS (
            SELECT FROM line.record o WHERE o.label = n.label AND (o.journal, o.seq) <> (n.journal, n.seq)))
)
INSERT INTO line.conflict (kind, imei, serial, first_journal, first_seq, second_journal, second_seq)
SELECT kind, imei, serial, first_journal, first_seq, second_journal, second_seq FROM (
    SELECT 'updated-twice' AS kind, n.imei, n.label AS serial, o.journal AS first_journal, o.seq AS first_seq,
        n.journal AS second_journal, n.seq AS second_seq
    FROM doubtful n CROSS JOIN LATERAL (
        SELECT journal, seq, version_after FROM line.record o
        WHERE o.unit = n.unit AND o.journal <> n.journal AND o.outcome IN ('updated', 'updated-unreported')
        ORDER BY at DESC LIMIT 1) o
    WHERE n.outcome IN ('updated', 'updated-unreported')
      AND o.version_after IS NOT DISTINCT FROM n.version_after
  UNION ALL
    SELECT 'two-serials', n.imei, n.label, o.journal, o.seq, n.journal, n.seq
    FROM doubtful n CROSS JOIN LATERAL (
        SELECT journal, seq FROM line.record o
        WHERE o.unit = n.unit AND o.label <> n.label AND (o.lane IS NULL) = (n.lane IS NULL)
        ORDER BY at DESC LIMIT 1) o
  UNION ALL
    SELECT 'two-modules', n.imei, n.label, o.journal, o.seq, n.journal, n.seq
    FROM doubtful n CROSS JOIN LATERAL (
        SELECT journal, seq FROM line.record o
        WHERE o.label = n.label AND o.imei <> n.imei AND (o.lane IS NULL) = (n.lane IS NULL)
        ORDER BY at DESC LIMIT 1) o
  UNION ALL
    SELECT 'same-time', n.imei, n.label, o.journal, o.seq, n.journal, n.seq
    FROM doubtful n CROSS JOIN LATERAL (
        SELECT journal, seq FROM line.record o
        WHERE o.unit = n.unit AND o.station <> n.station AND o.at > n.started_at + (n.at - n.ended_at)
          AND o.started_at + (o.at - o.ended_at) < n.at
        ORDER BY at DESC LIMIT 1) o
) pairs ON CONFLICT DO NOTHING
"""


_CLAIMS = """
DELETE FROM line.claim USING line.record n
WHERE n.journal = %(journal)s AND n.seq BETWEEN %(first)s AND %(last)s
  AND claim.imei = n.imei AND claim.station = %(station)s
"""


def _note_units(station: str, journal: str, rows: list[Columns]) -> list[Statement]:
    """Return the statements that note new records' units and the conflicts that show, and end claims."""
    if all(row.imei is None for row in rows):
        return []
    new = {"journal": journal, "first": rows[0].seq, "last": rows[-1].seq, "station": station}
    counted = "UPDATE line.state SET changes = changes + 1"
    return [(counted, {}), (_UNITS, new), (_CONFLICTS, new), (_CLAIMS, new)]
