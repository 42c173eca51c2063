"""Units: done elsewhere, in work elsewhere, bound to another serial number."""

import datetime as dt

from atota.clock import utc_iso
from atota.line.protocol import DELTA, Claim, Claimed, Unit, Units
from atota.line.store import Row, Session

_COLUMNS = "imei, serial, station, lane, batch, outcome, version, done_at, record"


def unit(session: Session, imei: str) -> Unit:
    """Return all that is known of a unit."""
    row = session.row(f"SELECT {_COLUMNS} FROM line.unit WHERE imei = %(imei)s", {"imei": imei})  # noqa: S608
    claim = session.row(
        "SELECT station, lane, job FROM line.claim WHERE imei = %(imei)s AND until > now()", {"imei": imei}
    )
    known = Unit(imei=imei) if row is None else _unit(row)
    if claim is None or known.state == "done":
        return known
    return Unit(
        imei=imei, state="in-work", serial=known.serial, station=claim[0], lane=claim[1], record=claim[2]
    )


def changed(session: Session, after: int) -> Units:
    """Return the units that changed after a change: one page of the delta.

    Changes are counted in the order of their commits, and those of one batch together: a page ends at such an
    end, so that the next one begins with whole changes.
    """
    rows = session.rows(
        f"SELECT {_COLUMNS}, change FROM line.unit WHERE change > %(after)s"  # noqa: S608 - our own words
        " ORDER BY change, imei LIMIT %(limit)s",
        {"after": after, "limit": DELTA + 1},
    )
    identity, changes = session.rows("SELECT identity::text, changes FROM line.state")[0]
    if len(rows) <= DELTA:
        return Units(units=[_unit(row) for row in rows], next=changes, identity=identity)
    last = rows[-1][-1]
    whole = [row for row in rows if row[-1] < last] or session.rows(
        f"SELECT {_COLUMNS}, change FROM line.unit WHERE change = %(last)s",  # noqa: S608 - our own words
        {"last": last},
    )
    return Units(units=[_unit(row) for row in whole], next=whole[-1][-1], more=True, identity=identity)


def claim(session: Session, station: str, wish: Claim) -> Claimed:
    """Reserve a unit for a lane; it is advice, and lasts by the server's clock.

    Refused: it is done, it is in work elsewhere, or it is bound to another serial number.
    """
    session.run("SELECT pg_advisory_xact_lock(hashtext(%(imei)s))", {"imei": wish.imei})
    known = unit(session, wish.imei)
    refusal = _bound_elsewhere(session, wish, known)
    if refusal is not None:
        return refusal
    if known.state == "done" and not wish.again:
        return Claimed(
            ok=False,
            why=f"the module {_tail(wish.imei)} was done by the station {known.station} on {known.done_at}",
            hint="Remove it; a lead may run it again on purpose.",
            unit=known,
        )
    values = {
        "imei": wish.imei,
        "station": station,
        "lane": wish.lane,
        "job": wish.job,
        "seconds": max(1, min(wish.seconds, 86_400)),
    }
    taken = session.row(
        "INSERT INTO line.claim AS old (imei, station, lane, job, until)"
        " VALUES (%(imei)s, %(station)s, %(lane)s, %(job)s, now() + make_interval(secs => %(seconds)s))"
        " ON CONFLICT (imei) DO UPDATE SET station = excluded.station, lane = excluded.lane,"
        " job = excluded.job, until = excluded.until"
        " WHERE old.until <= now() OR old.job = excluded.job RETURNING imei",
        values,
    )
    if taken is None:
        where = (
            f"lane {known.lane} of the station {known.station}"
            if known.lane
            else f"the station {known.station}"
        )
        return Claimed(
            ok=False,
            why=f"the module {_tail(wish.imei)} is in work on {where}",
            hint="Two modules with one IMEI are clones: put both aside and tell the lead.",
            unit=known,
        )
    device = session.row(
        "SELECT id FROM line.device WHERE product = %(product)s AND imei = %(imei)s",
        {"product": wish.product, "imei": wish.imei},
    )
    return Claimed(ok=True, unit=known, device=None if device is None else str(device[0]))


def release(session: Session, station: str, imei: str, job: str) -> None:
    """End a claim."""
    session.run(
        "DELETE FROM line.claim WHERE imei = %(imei)s AND station = %(station)s AND job = %(job)s",
        {"imei": imei, "station": station, "job": job},
    )


def _bound_elsewhere(session: Session, wish: Claim, known: Unit) -> Claimed | None:
    if wish.serial is None:
        return None
    if known.serial is not None and known.serial != wish.serial:
        why = f"the module {_tail(wish.imei)} is bound to the serial number {known.serial}, not {wish.serial}"
        return Claimed(ok=False, why=why, hint="Check the label of the unit.", unit=known)
    other = session.row(
        "SELECT imei FROM line.unit WHERE serial = %(serial)s AND imei <> %(imei)s LIMIT 1",
        {"serial": wish.serial, "imei": wish.imei},
    )
    if other is None:
        return None
    why = f"the serial number {wish.serial} is bound to the module {_tail(other[0])}"
    return Claimed(ok=False, why=why, hint="Check the label of the unit.", unit=known)


def _unit(row: Row) -> Unit:
    imei, serial, station, lane, batch, outcome, version, done_at, record = row[:9]
    return Unit(
        imei=imei,
        state="unknown" if done_at is None else "done",
        serial=serial,
        station=station,
        lane=lane,
        batch=batch,
        outcome=outcome,
        version=version,
        done_at=_iso(done_at),
        record=record,
    )


def _iso(moment: dt.datetime | None) -> str | None:
    return None if moment is None else utc_iso(moment.timestamp())


def _tail(imei: str) -> str:
    return f"…{imei[-6:]}"
