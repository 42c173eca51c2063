"""Quotas and device ids, handed out beforehand, so that a station spends them without any network.

Tickets move one way: quota → granted → spent. What a station gives back is no longer granted. What a lost
station held stays granted, also after an engineer has written it off: it may have been spent.
So spent ≤ granted ≤ quota at every moment, whatever is lost. Nothing comes back because time has passed.

A database that was restored from a backup has forgotten grants. Then nothing is granted until an engineer has
looked (`atota line rebuild`); it is noticed by the count of grants, which stations and server remember.
"""

import msgspec

from atota.errors import LimitReached, UsageError
from atota.line.protocol import DELTA, NAME, Binding, Bindings, Grant, GrantRequest, Settlement
from atota.line.store import Row, Session

_BATCH = "SELECT quota, granted, state FROM line.batch WHERE id = %(batch)s FOR UPDATE"


def new_batch(
    session: Session, batch: str, quota: int, *, product: str | None = None, target: str | None = None
) -> None:
    """Make a batch, or change the quota of one.

    Raises:
        UsageError: the name is wrong.
        LimitReached: more was granted already.
    """
    if not NAME.fullmatch(batch):
        raise UsageError(
            f"{batch!r} is not a batch's name", hint="Use letters, digits, '.', '_' and '-', 64 at most."
        )
    row = session.row(_BATCH, {"batch": batch})
    if row is not None and row[1] > quota:
        raise LimitReached(
            f"of the batch {batch}, {row[1]} are granted already: its quota cannot be {quota}",
            hint=f"Give --quota {row[1]} or more.",
        )
    session.run(
        "INSERT INTO line.batch (id, quota, product, target)"
        " VALUES (%(batch)s, %(quota)s, %(product)s, %(target)s)"
        " ON CONFLICT (id) DO UPDATE SET quota = excluded.quota,"
        " product = coalesce(excluded.product, batch.product),"
        " target = coalesce(excluded.target, batch.target)",
        {"batch": batch, "quota": quota, "product": product, "target": target},
    )


def set_state(session: Session, batch: str, state: str) -> None:
    """Open or close a batch.

    Raises:
        UsageError: there is no such batch.
    """
    if not session.run(
        "UPDATE line.batch SET state = %(state)s WHERE id = %(batch)s", {"batch": batch, "state": state}
    ):
        raise unknown_batch(session, batch)


def unknown_batch(session: Session, batch: str) -> UsageError:
    """Return the error for a batch that is not there; it names the newest ones."""
    rows = session.rows("SELECT id FROM line.batch ORDER BY created_at DESC LIMIT 10")
    names = ", ".join(row[0] for row in rows)
    hint = f"The newest ones: {names}." if names else "Make it: `atota line batch new B --quota N`."
    return UsageError(f"there is no batch {batch!r}", hint=hint)


def grant(session: Session, station: str, request: GrantRequest) -> Grant:
    """Grant tickets and device ids, or fewer; a repeated request gets the same answer.

    Raises:
        LimitReached: the request's id is another station's.
    """
    check_count(session, request.identity, request.seen)
    hold = str(session.value("SELECT hold FROM line.state"))
    granted, rest, why = 0, 0, hold
    is_limited = request.batch is None or session.row(_BATCH, {"batch": request.batch}) is not None
    if request.batch is not None and is_limited:
        granted, rest, refusal = _grant_tickets(session, station, request, hold=hold)
        why = hold or refusal
    devices = _lease(session, station, request, hold=hold)
    return Grant(
        id=request.id,
        batch=request.batch,
        granted=granted,
        left=rest,
        product=request.product,
        device_ids=devices,
        identity=str(session.value("SELECT identity::text FROM line.state")),
        number=_count(session) if granted or devices else 0,
        why="" if granted or devices else why,
        is_limited=is_limited,
    )


def _grant_tickets(
    session: Session, station: str, request: GrantRequest, *, hold: str
) -> tuple[int, int, str]:
    """Return the tickets granted, those left in the batch, and why there are none."""
    assert request.batch is not None
    quota, granted, state = session.rows(_BATCH, {"batch": request.batch})[0]
    before = session.row("SELECT station, size FROM line.allotment WHERE id = %(id)s", {"id": request.id})
    if before is not None:
        if before[0] != station:
            raise LimitReached(f"the grant {request.id} is the one of another station")
        return before[1], quota - granted, ""
    live = session.value("SELECT count(*) FROM line.presence WHERE seen_at > now() - interval '1 minute'")
    share = -(-(quota - granted) // max(1, live))  # near the end each station gets some
    size = max(0, min(request.count, share))
    if hold or state != "open" or size == 0:
        reason = (
            f"the batch {request.batch} is closed" if state != "open" else f"its quota of {quota} is granted"
        )
        return 0, quota - granted, hold or reason
    values = {"id": request.id, "batch": request.batch, "station": station, "size": size}
    session.run("UPDATE line.batch SET granted = granted + %(size)s WHERE id = %(batch)s", values)
    session.run(
        "INSERT INTO line.allotment (id, batch, station, size)"
        " VALUES (%(id)s, %(batch)s, %(station)s, %(size)s)",
        values,
    )
    return size, quota - granted - size, ""


def _lease(session: Session, station: str, request: GrantRequest, *, hold: str) -> list[str]:
    if request.product is None or request.devices <= 0:
        return []
    values = {
        "product": request.product,
        "request": f"{station}/{request.id}",
        "station": station,
        "count": request.devices,
    }
    same = "SELECT id FROM line.device WHERE request = %(request)s AND product = %(product)s ORDER BY id"
    rows = session.rows(same, values)
    if not rows and not hold:
        session.run(
            "UPDATE line.device SET state = 'leased', request = %(request)s, station = %(station)s"
            " WHERE (product, id) IN (SELECT product, id FROM line.device"
            " WHERE product = %(product)s AND state = 'free' ORDER BY id LIMIT %(count)s"
            " FOR UPDATE SKIP LOCKED)",
            values,
        )
        rows = session.rows(same, values)
    return [row[0] for row in rows]


def settle(session: Session, station: str, word: Settlement) -> None:
    """Take a station's word about one of its grants. Numbers never go back, whatever order they come in.

    A grant that the database has forgotten (it was restored, or is rebuilt) is written down again. Two copies
    of one disk may claim more than the grant together: what was spent goes before what was returned.

    Raises:
        LimitReached: the numbers contradict themselves, or the grant.
    """
    if word.spent < 0 or word.returned < 0 or word.spent + word.returned > word.size:
        raise LimitReached(
            f"the grant {word.id}: {word.spent} spent and {word.returned} returned of {word.size}"
        )
    values = {"id": word.id, "batch": word.batch, "station": station}
    batch = session.row(_BATCH, values)
    if batch is None:
        session.run("INSERT INTO line.batch (id, quota, state) VALUES (%(batch)s, 0, 'closed')", values)
        batch = (0, 0, "closed")
    quota, granted, _ = batch
    row = session.row(
        "SELECT size, spent, returned, written_off, station FROM line.allotment WHERE id = %(id)s", values
    )
    if row is None:
        size = word.size
        grown = granted + size - word.returned
        session.run(
            "UPDATE line.batch SET granted = %(granted)s, quota = greatest(quota, %(granted)s)"
            " WHERE id = %(batch)s",
            {**values, "granted": grown},
        )
        if grown > quota > 0:
            session.run(
                "UPDATE line.state SET hold = %(why)s WHERE hold = ''",
                {"why": f"{grown} of batch {word.batch} were granted, and its quota was {quota}"},
            )
        session.run(
            "INSERT INTO line.allotment (id, batch, station, size, spent, returned, settled_at)"
            " VALUES (%(id)s, %(batch)s, %(station)s, %(size)s, %(spent)s, %(returned)s, now())",
            {**values, "size": size, "spent": word.spent, "returned": word.returned},
        )
        _count(session)
        return
    size, spent, returned, written_off, owner = row
    if owner != station or size != word.size:
        raise LimitReached(f"the grant {word.id} is another one here: {size} tickets of the station {owner}")
    spent = min(max(spent, word.spent), size - returned)
    more = min(max(0, word.returned - returned), size - returned - spent)
    # What was written off and turns out to be spent or returned is no longer written off.
    written_off = min(written_off, size - spent - returned - more)
    session.run(
        "UPDATE line.allotment SET spent = %(spent)s, returned = returned + %(more)s,"
        " written_off = %(written_off)s, settled_at = now() WHERE id = %(id)s",
        {**values, "spent": spent, "more": more, "written_off": written_off},
    )
    if more:
        session.run(
            "UPDATE line.batch SET granted = granted - %(more)s WHERE id = %(batch)s",
            {**values, "more": more},
        )


def write_off(session: Session, allotment: str, reason: str, person: str) -> int:
    """Give the tickets up of which a station can say nothing any more; return their number.

    They stay granted: each may have been spent.

    Raises:
        UsageError: there is no such grant.
    """
    row = session.row(
        "SELECT size - spent - returned - written_off FROM line.allotment WHERE id = %(id)s FOR UPDATE",
        {"id": allotment},
    )
    if row is None:
        raise UsageError(
            f"there is no grant {allotment!r}", hint="`atota line batch show B` lists the grants of a batch."
        )
    session.run(
        "UPDATE line.allotment SET written_off = written_off + %(open)s, reason = %(reason)s"
        " WHERE id = %(id)s",
        {"id": allotment, "open": row[0], "reason": reason},
    )
    audit(session, person, "writeoff", {"grant": allotment, "tickets": row[0], "reason": reason})
    return int(row[0])


def audit(session: Session, person: str, action: str, detail: dict[str, object]) -> None:
    """Write down who did what."""
    session.run(
        "INSERT INTO line.audit (person, action, detail) VALUES (%(person)s, %(action)s, %(detail)s::jsonb)",
        {"person": person, "action": action, "detail": msgspec.json.encode(detail).decode()},
    )


def lock(session: Session) -> None:
    """Order all that grants and settles: the line's state is locked first, then a batch."""
    session.run("SELECT 1 FROM line.state FOR UPDATE")


def check_count(session: Session, identity: str, seen: int) -> None:
    """Hold all grants if this database gave grant ``seen`` and has forgotten it."""
    session.run(
        "UPDATE line.state SET hold = 'the database was restored from a backup and has forgotten grants:"
        " run `atota line rebuild`' WHERE identity::text = %(identity)s AND grants < %(seen)s AND hold = ''",
        {"identity": identity, "seen": seen},
    )


def _count(session: Session) -> int:
    return int(session.value("UPDATE line.state SET grants = grants + 1 RETURNING grants"))


def allotments(session: Session, batch: str) -> list[Row]:
    """Return the grants of a batch: id, station, size, spent, returned, written off, and two times."""
    return session.rows(
        "SELECT id, station, size, spent, returned, written_off, granted_at, settled_at"
        " FROM line.allotment WHERE batch = %(batch)s ORDER BY granted_at, id",
        {"batch": batch},
    )


def import_devices(session: Session, devices: list[tuple[str, str, str | None]]) -> int:
    """Add devices (product, id, IMEI it is bound to or None); return how many are new.

    Raises:
        LimitReached: one is bound to another module, or its module has another id of the product.
    """
    lock(session)
    given = (
        "WITH given AS (SELECT * FROM unnest(%(products)s::text[], %(ids)s::text[], %(imeis)s::text[])"
        " WITH ORDINALITY AS given (product, id, imei, place)) "
    )
    products, ids, imeis = (list(part) for part in zip(*devices, strict=True))
    values = {"products": products, "ids": ids, "imeis": imeis}
    added = session.run(
        given + "INSERT INTO line.device (product, id, imei, state, change)"  # noqa: S608 - our own words
        " SELECT product, id, imei, CASE WHEN imei IS NULL THEN 'free' ELSE 'bound' END,"
        " CASE WHEN imei IS NOT NULL THEN state.bindings + place END"
        " FROM given CROSS JOIN line.state ON CONFLICT DO NOTHING",
        values,
    )
    session.run("UPDATE line.state SET bindings = bindings + %(count)s", {"count": len(devices)})
    other = session.row(
        given + "SELECT product, id, given.imei FROM given"  # noqa: S608 - our own words
        " LEFT JOIN line.device AS known USING (product, id)"
        " WHERE known.state IS NULL OR given.imei <> coalesce(known.imei, '')"
        " ORDER BY place LIMIT 1",
        values,
    )
    if other is not None:
        raise LimitReached(
            f"the device {other[0]}/{other[1]} cannot be bound to {other[2]}: one of the two is bound,"
            " or a station holds the id",
            hint="Take the line out of the file; nothing of it was imported.",
        )
    return added


def bind(session: Session, station: str, product: str, device: str, imei: str) -> None:
    """Bind a device id to a module, once and for ever; without an ``imei``: the station holds the id.

    While the line holds all grants, because its database has forgotten some, a word about an id that
    is free or unknown there is taken: it was leased before.

    Raises:
        LimitReached: it is bound to another module, leased to another station, or the module has another.
    """
    lock(session)
    values = {"product": product, "id": device, "imei": imei or None, "station": station}
    if session.value("SELECT hold <> '' FROM line.state"):
        session.run(
            "INSERT INTO line.device AS known (product, id, state, station)"
            " VALUES (%(product)s, %(id)s, 'leased', %(station)s) ON CONFLICT (product, id)"
            " DO UPDATE SET state = 'leased', station = excluded.station WHERE known.state = 'free'",
            values,
        )
    row = session.row(
        "SELECT imei, state = 'leased' AND station = %(station)s FROM line.device"
        " WHERE product = %(product)s AND id = %(id)s",
        values,
    )
    bound, is_held = row or (None, False)
    has_other = imei and session.row(
        "SELECT 1 FROM line.device WHERE product = %(product)s AND imei = %(imei)s AND id <> %(id)s", values
    )
    if (bound is not None and bound == imei) or (is_held and not imei):
        return
    if not is_held or has_other:
        to = f"bind to {imei}" if imei else "hold"
        raise LimitReached(f"the device {product}/{device} is not one that this station may {to}")
    session.run(
        "UPDATE line.device SET state = 'bound', imei = %(imei)s,"
        " change = (SELECT bindings + 1 FROM line.state) WHERE product = %(product)s AND id = %(id)s",
        values,
    )
    session.run("UPDATE line.state SET bindings = bindings + 1")


def bindings(session: Session, product: str, after: int) -> Bindings:
    """Return the bindings of a product after a number: one page of the delta."""
    rows = session.rows(
        "SELECT id, imei, change FROM line.device WHERE product = %(product)s AND change > %(after)s"
        " ORDER BY change LIMIT %(limit)s",
        {"product": product, "after": after, "limit": DELTA},
    )
    identity, newest = session.rows("SELECT identity::text, bindings FROM line.state")[0]
    has_more = len(rows) == DELTA
    return Bindings(
        bindings=[Binding(device=device, imei=imei) for device, imei, _ in rows],
        next=rows[-1][2] if has_more else newest,
        more=has_more,
        identity=identity,
    )
