"""The cursor: the records of a journal, applied in order, once.

A batch is applied in one transaction under the lock of its journal's row, and ``next_seq`` moves with it. So
an answer that is lost, a request that is doubled and requests that overtake each other change nothing. Known
records are compared and passed over, and records that leave a gap are refused.

Lock order: journal, then the line's state, which is held from the count of changes to the end. So units and
conflicts of two stations are written one after the other, in the order of their numbers.
"""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Sequence

import msgspec

from atota.errors import LimitReached
from atota.journal import chain
from atota.line import reading
from atota.line.protocol import Batch, Cursor
from atota.line.reading import BadRecord, Columns
from atota.line.store import BadData, Session

_NAMES = tuple(name for name in Columns.__struct_fields__ if name != "version_target")
_COPY = f"COPY line.record ({', '.join(_NAMES)}) FROM STDIN"
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


def apply(session: Session, station: str, journal: str, batch: Batch) -> Cursor:
    """Apply a batch of a journal's records.

    Raises:
        GapFound: records before them are missing; nothing is stored.
        ForkFound: the journal has another history; nothing is stored.
    """
    next_seq, head, last_at, now = _locked(session, station, journal)
    if batch.first_seq > next_seq:
        raise GapFound(f"record {next_seq} of the journal {journal} is missing", next_seq, head)
    known, fresh = batch.records[: next_seq - batch.first_seq], batch.records[next_seq - batch.first_seq :]
    if not _agree(session, journal, batch, known):
        raise ForkFound(f"the journal {journal} has another record there", next_seq, head)
    if not fresh:
        return Cursor(next_seq=next_seq, head=head)
    if next_seq == 1:
        head = batch.previous or reading.previous_of(fresh[0]) or ""
    elif not known and batch.previous not in (None, head):
        raise ForkFound(f"the journal {journal} has another record {next_seq - 1}", next_seq, head)
    offset = _offset(batch, now)
    rows: list[Columns] = []
    bad: list[tuple[int, str, str, bytes]] = []
    for seq, raw in enumerate(fresh, next_seq):
        carried = reading.previous_of(raw)
        if carried is not None and carried != head:
            raise ForkFound(f"record {seq} follows another record {seq - 1}", next_seq, head)
        head = _digest(head, raw)
        try:
            row = reading.columns(
                raw, journal=journal, seq=seq, digest=head, station=station, now=now, offset=offset
            )
        except BadRecord as problem:
            bad.append((seq, head, str(problem), bytes(raw)))
        else:
            row.at = last_at = max(row.at, last_at)
            rows.append(row)
    rows, bad = _insert(session, journal, rows, bad)
    session.run(
        "UPDATE line.journal SET next_seq = %(next)s, head = %(head)s, last_at = %(last_at)s"
        " WHERE id = %(id)s",
        {"next": next_seq + len(fresh), "head": head, "last_at": last_at, "id": journal},
    )
    _note_units(session, station, journal, rows)
    return Cursor(next_seq=next_seq + len(fresh), head=head, quarantined=[seq for seq, *_ in bad])


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


def _locked(session: Session, station: str, journal: str) -> tuple[int, str, dt.datetime, dt.datetime]:
    """Lock the journal's row, which is made where it is missing; return it with the server's time."""
    query = (
        "SELECT next_seq, head, greatest(last_at, '0001-01-01 00:00:00Z'::timestamptz), now()"
        " FROM line.journal WHERE id = %(id)s FOR UPDATE"
    )
    row = session.row(query, {"id": journal})
    if row is None:
        session.run(
            "INSERT INTO line.journal (id, station) VALUES (%(id)s, %(station)s) ON CONFLICT DO NOTHING",
            {"id": journal, "station": station},
        )
        row = session.row(query, {"id": journal})
    assert row is not None
    return row[0], row[1], row[2], row[3]


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


def _insert(
    session: Session, journal: str, rows: list[Columns], bad: list[tuple[int, str, str, bytes]]
) -> tuple[list[Columns], list[tuple[int, str, str, bytes]]]:
    """Insert rows; one that PostgreSQL cannot store joins the bad ones, which go into quarantine."""
    try:
        stored = _insert_all(session, rows)
    except BadData:
        stored = []
        for row in rows:
            try:
                stored += _insert_all(session, [row])
            except BadData as problem:
                bad.append((row.seq, row.digest, problem.message, bytes(row.document)))
    for seq, digest, reason, body in bad:
        session.run(
            "INSERT INTO line.quarantine (journal, seq, digest, reason, body)"
            " VALUES (%(journal)s, %(seq)s, %(digest)s, %(reason)s, %(body)s)",
            {
                "journal": journal,
                "seq": seq,
                "digest": digest,
                "reason": reason.replace("\0", "\\0")[:500],
                "body": body,
            },
        )
    return stored, sorted(bad)


def _insert_all(session: Session, rows: list[Columns]) -> list[Columns]:
    if rows:
        with session.part():
            session.copy(_COPY, (_values(row) for row in rows))
    return rows


def _values(row: Columns) -> list[object]:
    return [bytes(row.document).decode() if name == "document" else getattr(row, name) for name in _NAMES]


_UNITS = """
INSERT INTO line.unit AS old
    (imei, serial, change, station, lane, batch, outcome, version, done_at, record)
SELECT DISTINCT ON (imei) imei, label, %(change)s, station, lane, batch,
    CASE WHEN is_passed THEN outcome END, CASE WHEN is_passed THEN version_after END,
    CASE WHEN is_passed THEN at END, id
FROM line.record
WHERE journal = %(journal)s AND seq = ANY(%(seqs)s)
ORDER BY imei, is_passed DESC, seq DESC
ON CONFLICT (imei) DO UPDATE SET
    serial = coalesce(excluded.serial, old.serial), change = excluded.change,
    station = excluded.station, lane = excluded.lane, batch = coalesce(excluded.batch, old.batch),
    outcome = coalesce(excluded.outcome, old.outcome), version = coalesce(excluded.version, old.version),
    done_at = coalesce(excluded.done_at, old.done_at), record = coalesce(excluded.record, old.record)
"""
_OTHERS = """
SELECT unit FROM line.record
WHERE unit = ANY(%(units)s) AND NOT (journal = %(journal)s AND seq = ANY(%(seqs)s))
UNION
SELECT label FROM line.record
WHERE label = ANY(%(labels)s) AND NOT (journal = %(journal)s AND seq = ANY(%(seqs)s))
"""
_CONFLICTS = """
INSERT INTO line.conflict (kind, imei, serial, first_journal, first_seq, second_journal, second_seq)
SELECT kind, imei, serial, first_journal, first_seq, second_journal, second_seq FROM (
    SELECT 'updated-twice' AS kind, n.imei, n.label AS serial, o.journal AS first_journal, o.seq AS first_seq,
        n.journal AS second_journal, n.seq AS second_seq
    FROM line.record n CROSS JOIN LATERAL (
        SELECT journal, seq, version_after FROM line.record o
        WHERE o.unit = n.unit AND (o.journal, o.seq) <> (n.journal, n.seq) AND o.journal <> n.journal
          AND o.outcome IN ('updated', 'updated-unreported')
        ORDER BY at DESC LIMIT 1) o
    WHERE n.journal = %(journal)s AND n.seq = ANY(%(seqs)s) AND n.imei IS NOT NULL
      AND n.outcome IN ('updated', 'updated-unreported')
      AND o.version_after IS NOT DISTINCT FROM n.version_after
  UNION ALL
    SELECT 'two-serials', n.imei, n.label, o.journal, o.seq, n.journal, n.seq
    FROM line.record n CROSS JOIN LATERAL (
        SELECT journal, seq FROM line.record o
        WHERE o.unit = n.unit AND o.label <> n.label AND (o.lane IS NULL) = (n.lane IS NULL)
        ORDER BY at DESC LIMIT 1) o
    WHERE n.journal = %(journal)s AND n.seq = ANY(%(seqs)s) AND n.imei IS NOT NULL AND n.label IS NOT NULL
  UNION ALL
    SELECT 'two-modules', n.imei, n.label, o.journal, o.seq, n.journal, n.seq
    FROM line.record n CROSS JOIN LATERAL (
        SELECT journal, seq FROM line.record o
        WHERE o.label = n.label AND o.imei <> n.imei AND (o.lane IS NULL) = (n.lane IS NULL)
        ORDER BY at DESC LIMIT 1) o
    WHERE n.journal = %(journal)s AND n.seq = ANY(%(seqs)s) AND n.imei IS NOT NULL AND n.label IS NOT NULL
  UNION ALL
    SELECT 'same-time', n.imei, n.label, o.journal, o.seq, n.journal, n.seq
    FROM line.record n CROSS JOIN LATERAL (
        SELECT journal, seq FROM line.record o
        WHERE o.unit = n.unit AND o.station <> n.station AND o.at > n.started_at + (n.at - n.ended_at)
          AND o.started_at + (o.at - o.ended_at) < n.at
        ORDER BY at DESC LIMIT 1) o
    WHERE n.journal = %(journal)s AND n.seq = ANY(%(seqs)s) AND n.imei IS NOT NULL
) pairs ON CONFLICT DO NOTHING
"""


def _note_units(session: Session, station: str, journal: str, rows: list[Columns]) -> None:
    """Note the units of new records, and the conflicts that show with them; end their claims."""
    seqs = [row.seq for row in rows if row.imei is not None]
    if not seqs:
        return
    change = count_change(session)
    values = {"journal": journal, "seqs": seqs, "change": change}
    session.run(_UNITS, values)
    _note_conflicts(session, journal, rows)
    session.run(
        "DELETE FROM line.claim WHERE imei = ANY(%(imeis)s) AND station = %(station)s",
        {"imeis": [row.imei for row in rows if row.imei is not None], "station": station},
    )


def _note_conflicts(session: Session, journal: str, rows: list[Columns]) -> None:
    """Compare new records with others of the same unit or label, if there are any: most have none."""
    units, labels = [row.unit for row in rows], [row.label for row in rows if row.label is not None]
    seqs = [row.seq for row in rows]
    values = {"journal": journal, "units": units, "labels": labels, "seqs": seqs}
    known = {row[0] for row in session.rows(_OTHERS, values)}
    twins = {name for name, count in Counter([*units, *labels]).items() if count > 1}
    doubtful = [row.seq for row in rows if {row.unit, row.label} & (known | twins)]
    if doubtful:
        session.run(_CONFLICTS, {"journal": journal, "seqs": doubtful})


def count_change(session: Session) -> int:
    """Count a change of units or grants, and keep others from counting until this transaction ends."""
    return int(session.value("UPDATE line.state SET changes = changes + 1 RETURNING changes"))
