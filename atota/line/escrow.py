"""A station's purse: tickets and device ids that the line has granted, and the units that are done elsewhere.

All of it is on the station's disk, so it works without any network. A ticket has three lives::

    granted ──take(job)──► taken ──spend(job)──► spent          before the job starts the update in the module
       │                     └──put_back(job)──► granted       the job ended, and nothing was started
       └──give_up(batch)──► returned to the line                the station goes on to another batch

A ticket that was taken when the power failed stays taken until its job's end is known. Spent and returned
numbers only grow, so a word that the line hears twice or late changes nothing. When this disk turns out to be
a copy, what is left is forfeited: another station may spend the same tickets.
"""

import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from atota.errors import LimitReached
from atota.journal.translate import translated
from atota.line.client import LineClient
from atota.line.protocol import Binding, Grant, GrantRequest, Settlement, Unit

BUSY_S = 10.0
_PAGES = 20  # of the delta at once; the rest comes with the next sign of life
_TABLES = """
CREATE TABLE IF NOT EXISTS held (
    id TEXT PRIMARY KEY, batch TEXT NOT NULL, size INTEGER NOT NULL, returned INTEGER NOT NULL DEFAULT 0,
    forfeited INTEGER NOT NULL DEFAULT 0, is_told INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS ticket (
    job TEXT PRIMARY KEY, held TEXT NOT NULL REFERENCES held (id), is_spent INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS ticket_held ON ticket (held);
CREATE TABLE IF NOT EXISTS device (
    product TEXT NOT NULL, id TEXT NOT NULL, imei TEXT, is_told INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (product, id));
CREATE UNIQUE INDEX IF NOT EXISTS device_imei ON device (product, imei) WHERE imei IS NOT NULL;
CREATE TABLE IF NOT EXISTS done (imei TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_OPEN = (
    "held.size - held.returned - held.forfeited - (SELECT count(*) FROM ticket WHERE ticket.held = held.id)"
)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """The stock that a station wants: tickets of a batch, device ids of a product; asked for at half."""

    batch: str | None = None
    tickets: int = 0
    product: str | None = None
    devices: int = 0


def purse_of(journal: Path) -> Path:
    """Return the file of the purse that belongs to a journal."""
    return journal.with_name(f"{journal.name}.line")


class Escrow:
    """The purse of one station. A context manager; threads may share it.

    Args:
        path: its file, beside the journal.

    Any call may raise `ConfigError` (it is damaged) or `LimitReached` (the disk is full).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        with translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._db.close()

    # -- tickets ----------------------------------------------------------------------------

    def held(self, batch: str) -> int:
        """Return the number of tickets that may still be taken."""
        rows = self._rows(f"SELECT coalesce(sum({_OPEN}), 0) FROM held WHERE batch = ?", batch)  # noqa: S608
        return int(rows[0][0])

    def is_limited(self, batch: str) -> bool:
        """False for a batch that the line does not know: it has no quota there, and needs no tickets."""
        return not self._note(f"unlimited:{batch}")

    def take(self, batch: str, job: str) -> bool:
        """Take a ticket for a job; False: none is left. A job takes one, however often it asks."""
        with self._changing() as db:
            if db.execute("SELECT 1 FROM ticket WHERE job = ?", (job,)).fetchone() is not None:
                return True
            if not self.is_limited(batch):
                return True
            row = db.execute(
                f"SELECT id FROM held WHERE batch = ? AND {_OPEN} > 0 ORDER BY rowid LIMIT 1",  # noqa: S608
                (batch,),
            ).fetchone()
            if row is not None:
                db.execute("INSERT INTO ticket (job, held) VALUES (?, ?)", (job, row[0]))
            return row is not None

    def spend(self, job: str) -> None:
        """Spend a job's ticket: from now on the module may have been changed."""
        with self._changing() as db:
            db.execute("UPDATE ticket SET is_spent = 1 WHERE job = ?", (job,))
            db.execute(
                "UPDATE held SET is_told = 0 WHERE id = (SELECT held FROM ticket WHERE job = ?)", (job,)
            )

    def put_back(self, job: str) -> None:
        """Put a job's ticket back, which was not spent."""
        with self._changing() as db:
            db.execute("DELETE FROM ticket WHERE job = ? AND NOT is_spent", (job,))

    def taken(self) -> list[str]:
        """Return the jobs whose tickets are neither spent nor put back: after a crash, their ends tell."""
        return [str(row[0]) for row in self._rows("SELECT job FROM ticket WHERE NOT is_spent ORDER BY rowid")]

    def give_up(self, batch: str) -> None:
        """Return the tickets of a batch to the line; those that are taken stay."""
        with self._changing() as db:
            db.execute(
                f"UPDATE held SET returned = returned + ({_OPEN}), is_told = 0"  # noqa: S608 - our own words
                f" WHERE batch = ? AND {_OPEN} > 0",
                (batch,),
            )

    def forfeit(self) -> None:
        """Give up all that is left without returning it: a copy of this disk may spend it, too."""
        with self._changing() as db:
            db.execute(f"UPDATE held SET forfeited = forfeited + ({_OPEN})")  # noqa: S608 - our own words
            db.execute("DELETE FROM device WHERE imei IS NULL")
            db.execute("DELETE FROM note WHERE name = 'request'")

    # -- device ids -------------------------------------------------------------------------

    def device(self, product: str, imei: str) -> str | None:
        """Return the device id of a module, which is bound to it for ever; None: none is left."""
        with self._changing() as db:
            row = db.execute(
                "SELECT id FROM device WHERE product = ? AND imei = ?", (product, imei)
            ).fetchone()
            if row is None:
                row = db.execute(
                    "UPDATE device SET imei = ?, is_told = 0 WHERE (product, id) ="
                    " (SELECT product, id FROM device WHERE product = ?"
                    " AND imei IS NULL ORDER BY id LIMIT 1) RETURNING id",
                    (imei, product),
                ).fetchone()
            return None if row is None else str(row[0])

    def adopt(self, product: str, bindings: Iterable[Binding]) -> None:
        """Take over device ids that the line has bound to modules, on whichever stations that was."""
        with self._changing() as db:
            for one in bindings:
                db.execute(
                    "INSERT OR IGNORE INTO device (product, id, imei, is_told) VALUES (?, ?, ?, 1)",
                    (product, one.device, one.imei),
                )
                db.execute(
                    "UPDATE OR IGNORE device SET imei = ?, is_told = 1"
                    " WHERE product = ? AND id = ? AND imei IS NULL",
                    (one.imei, product, one.device),
                )

    def free_devices(self, product: str) -> int:
        """Return the number of device ids that are not bound yet."""
        rows = self._rows("SELECT count(*) FROM device WHERE product = ? AND imei IS NULL", product)
        return int(rows[0][0])

    # -- units ------------------------------------------------------------------------------

    def done(self, imei: str) -> Unit | None:
        """Return a unit that a station of the line has done; None: this station does not know of it."""
        rows = self._rows("SELECT document FROM done WHERE imei = ?", imei)
        return msgspec.json.decode(str(rows[0][0]), type=Unit) if rows else None

    # -- with the line ----------------------------------------------------------------------

    def sync(self, client: LineClient, identity: str, wish: Wish) -> None:
        """Tell the line what was spent and bound, fill the stock up, hear of units that are done.

        Each part may be cut off at any moment, and is then said or asked for again.
        """
        if identity != self._note("identity"):
            with self._changing() as db:
                db.execute("UPDATE held SET is_told = 0")
                db.execute("UPDATE device SET is_told = 0")
                self._set_note("identity", identity)
                db.execute("UPDATE note SET value = '0' WHERE name = 'units' OR name GLOB 'bindings:*'")
                self._set_note("grant", "0")
        self._settle(client)
        self._bind(client)
        self._fill(client, identity, wish)
        self._learn(client)
        if wish.product is not None:
            self._learn_bindings(client, wish.product)

    @property
    def newest_grant(self) -> int:
        """The number of the newest grant that the line's database has given this station."""
        return int(self._note("grant") or 0)

    def is_told(self, identity: str) -> bool:
        """True if a database knows all that was spent, bound and is held here."""
        untold = self._rows(
            "SELECT 1 FROM held WHERE NOT is_told UNION ALL SELECT 1 FROM device WHERE NOT is_told LIMIT 1"
        )
        return identity == self._note("identity") and not untold

    def _settle(self, client: LineClient) -> None:
        settlements = [
            Settlement(id=name, batch=batch, size=size, spent=spent, returned=returned)
            for name, batch, size, spent, returned in self._rows(
                "SELECT id, batch, size, (SELECT count(*) FROM ticket WHERE held = held.id AND is_spent),"
                " returned FROM held WHERE NOT is_told LIMIT 100"
            )
        ]
        if not settlements:
            return
        client.settle(settlements)
        with self._changing() as db:
            for one in settlements:
                db.execute(
                    "UPDATE held SET is_told = 1 WHERE id = ? AND returned = ?"
                    " AND (SELECT count(*) FROM ticket WHERE held = held.id AND is_spent) = ?",
                    (one.id, one.returned, one.spent),
                )

    def _bind(self, client: LineClient) -> None:
        """Tell the ids that were bound; to a database that has forgotten them, also those that are held."""
        for product, device, imei in self._rows(
            "SELECT product, id, coalesce(imei, '') FROM device WHERE NOT is_told LIMIT 1000"
        ):
            is_ours = True
            try:
                client.bind(product, device, imei)
            except LimitReached:
                # A copy of this disk has it, or the line gave it to another station, and keeps an audit row.
                is_ours = bool(imei)
            with self._changing() as db:
                db.execute(
                    "UPDATE device SET is_told = 1 WHERE product = ? AND id = ? AND coalesce(imei, '') = ?"
                    if is_ours
                    else "DELETE FROM device WHERE product = ? AND id = ? AND coalesce(imei, '') = ?",
                    (product, device, imei),
                )

    def _fill(self, client: LineClient, identity: str, wish: Wish) -> None:
        request = self._request(wish)
        if request is None:
            return
        request = msgspec.structs.replace(request, identity=identity, seen=self.newest_grant)
        self._take_in(client.grant(request), request)

    def _request(self, wish: Wish) -> GrantRequest | None:
        """Return the request that is under way, or a new one if the stock is low."""
        saved = self._note("request")
        if saved:
            return msgspec.json.decode(saved, type=GrantRequest)
        tickets = wish.tickets - self.held(wish.batch) if wish.batch is not None else 0
        devices = wish.devices - self.free_devices(wish.product) if wish.product is not None else 0
        if 2 * tickets < wish.tickets or not tickets:
            tickets = 0
        if 2 * devices < wish.devices or not devices:
            devices = 0
        if not tickets and not devices:
            return None
        request = GrantRequest(
            id=str(uuid.uuid4()),
            batch=wish.batch if tickets else None,
            count=tickets,
            product=wish.product if devices else None,
            devices=devices,
        )
        with self._changing():
            self._set_note("request", msgspec.json.encode(request).decode())
        return request

    def _take_in(self, grant: Grant, request: GrantRequest) -> None:
        with self._changing() as db:
            if grant.granted and request.batch is not None:
                db.execute(
                    "INSERT OR IGNORE INTO held (id, batch, size) VALUES (?, ?, ?)",
                    (grant.id, request.batch, grant.granted),
                )
            for device in grant.device_ids:
                db.execute(
                    "INSERT OR IGNORE INTO device (product, id, is_told) VALUES (?, ?, 1)",
                    (request.product, device),
                )
            db.execute("DELETE FROM note WHERE name = 'request'")
            if request.batch is not None:
                self._set_note(f"unlimited:{request.batch}", "" if grant.is_limited else "1")
            self._set_note("grant", str(max(self.newest_grant, grant.number)))

    def _learn(self, client: LineClient) -> None:
        for _ in range(_PAGES):
            page = client.units(int(self._note("units") or 0))
            done = [unit for unit in page.units if unit.state == "done"]
            with self._changing() as db:
                db.executemany(
                    "INSERT OR REPLACE INTO done (imei, document) VALUES (?, ?)",
                    [(unit.imei, msgspec.json.encode(unit).decode()) for unit in done],
                )
                self._set_note("units", str(page.next))
            if not page.more:
                return

    def _learn_bindings(self, client: LineClient, product: str) -> None:
        """Hear of the device ids that other stations have bound: a module keeps its own wherever it goes."""
        for _ in range(_PAGES):
            page = client.bindings(product, int(self._note(f"bindings:{product}") or 0))
            self.adopt(product, page.bindings)
            with self._changing():
                self._set_note(f"bindings:{product}", str(page.next))
            if not page.more:
                return

    # -- the file ---------------------------------------------------------------------------

    def _note(self, name: str) -> str:
        rows = self._rows("SELECT value FROM note WHERE name = ?", name)
        return str(rows[0][0]) if rows else ""

    def _set_note(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO note (name, value) VALUES (?, ?)", (name, value))

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with self._lock, translated(self.path):
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """Run statements as one durable write, whole or not at all."""
        with self._lock, translated(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
