"""The line's calls for stations: bytes of a request in, a struct of the answer out. Knows no HTTP library."""

import json
import threading
import uuid
from pathlib import Path
from typing import TypeVar

import msgspec
import platformdirs

from atota.clock import Clock
from atota.errors import LimitReached, UsageError
from atota.files import prepared
from atota.line.living import Living
from atota.line.protocol import (
    JOURNAL,
    MAX_RECORDS,
    PROTOCOL,
    Batch,
    Bindings,
    Claim,
    Claimed,
    Cursor,
    Grant,
    GrantRequest,
    Here,
    Presence,
    Settlements,
    Unit,
    Units,
)
from atota.line.store import Session, Statement, Store, StoreBusy
from atota.line.tables import quota, records, stations, units
from atota.line.tables.records import ForkFound
from atota.values import is_imei

T = TypeVar("T")
_IDENTITY: Statement = ("SELECT identity::text FROM line.state", {})


class BadRequest(UsageError):
    """A request that is not of this protocol."""

    code = "line.bad-request"
    default_hint = "Compare it with the protocol in the README: `Many stations`."


class ProtocolTooNew(UsageError):
    """The station is newer than the server."""

    code = "line.protocol-too-new"
    default_hint = "Install the newer atota on the line's server first, then on the stations."


class GrantMemory:
    """The count of grants that this server gave, outside of the database.

    A database that knows fewer was restored from a backup, and would grant the same tickets again.

    Args:
        folder: holds one small file for each database; None: the user's folder for such states.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or platformdirs.user_state_path("atota", appauthor=False)
        self._lock = threading.Lock()
        self._known: dict[str, int] = {}

    def known(self, identity: str) -> int:
        """Return the count that was reached."""
        with self._lock:
            if identity not in self._known:
                try:
                    self._known[identity] = int(self._file(identity).read_text(encoding="ascii"))
                except (OSError, ValueError):
                    self._known[identity] = 0
            return self._known[identity]

    def note(self, identity: str, count: int) -> None:
        """Remember a count, before the station hears of the grant."""
        if count <= self.known(identity):
            return
        with self._lock:
            self._known[identity] = count
            file = self._file(identity)
            file.parent.mkdir(parents=True, exist_ok=True)
            new = file.with_suffix(".new")
            new.write_text(str(count), encoding="ascii")
            new.replace(file)

    def _file(self, identity: str) -> Path:
        return self._folder / f"line-{identity}.grants"


class LineService:
    """The calls of one line.

    Args:
        store: its database.
        clock: the clock of the answers' times.
        memory: see `GrantMemory`.
    """

    def __init__(self, store: Store, *, clock: Clock, memory: GrantMemory | None = None) -> None:
        self.store = store
        self.clock = clock
        self.living = Living(clock)
        self._memory = memory or GrantMemory()
        self._identity = ""

    def post_records(self, key: str, journal: str, body: bytes) -> Cursor:
        """Apply a batch of records."""
        if not JOURNAL.fullmatch(journal):
            raise BadRequest(f"{journal[:64]!r} is not a journal's name")
        batch = _batch(body)
        if batch.first_seq < 1 or not 0 < len(batch.records) <= MAX_RECORDS:
            raise BadRequest(f"a batch has 1 to {MAX_RECORDS} records, and the first has the number 1")
        try:
            with self.store.transaction() as session:
                known, ((identity,),), locked = session.together(
                    stations.known(key), _IDENTITY, records.lock(journal)
                )
                station = stations.checked(session, key, known)
                answer = records.apply(session, station, journal, batch, locked)
        except ForkFound:
            with self.store.transaction() as session:
                records.note_fork(session, journal)
            raise
        return msgspec.structs.replace(answer, identity=identity, time=self.clock.time())

    def get_journal(self, key: str, journal: str, at: int | None) -> Cursor:
        """Return the cursor of a journal."""
        with self.store.transaction() as session:
            stations.of_key(session, key)
            identity = self._database(session)
            answer = records.cursor(session, journal, at)
        return msgspec.structs.replace(answer, identity=identity, time=self.clock.time())

    def post_presence(self, key: str, body: bytes) -> Here:
        """Take a sign of life."""
        presence = read(body, Presence)
        try:
            with self.store.transaction() as session:
                station = stations.of_key(session, key)
                self.living.note(station, key, presence)
                quota.check_count(session, presence.identity, presence.seen)
                return stations.note_presence(session, station, presence)
        except stations.KeyRefused:
            self.living.forget(key)
            raise
        except StoreBusy:
            self.living.note_by_key(key, presence)
            raise

    def post_grants(self, key: str, body: bytes) -> Grant:
        """Grant tickets and device ids."""
        request = read(body, GrantRequest)
        if not request.id:
            request = msgspec.structs.replace(request, id=str(uuid.uuid4()))
        with self.store.transaction() as session:
            station = stations.of_key(session, key)
            quota.lock(session)
            identity = self._database(session)
            quota.check_count(session, identity, self._memory.known(identity))
            answer = quota.grant(session, station, request)
        self._memory.note(answer.identity, answer.number)
        return answer

    def post_settlements(self, key: str, body: bytes) -> Here:
        """Take a station's word about its grants."""
        word = read(body, Settlements)
        with self.store.transaction() as session:
            station = stations.of_key(session, key)
            quota.lock(session)
            for settlement in word.settlements:
                quota.settle(session, station, settlement)
            return stations.here(session)

    def post_device(self, key: str, body: bytes) -> Here:
        """Bind a device id to a module; without an IMEI: the station holds it."""
        binding = read(body, _Binding)
        imei = binding.imei and _imei(binding.imei)
        with self.store.transaction() as session:
            station = stations.of_key(session, key)
        try:
            with self.store.transaction() as session:
                quota.bind(session, station, binding.product, binding.device, imei)
                return stations.here(session)
        except LimitReached:
            with self.store.transaction() as session:
                quota.audit(session, station, "bind-refused", msgspec.to_builtins(binding))
            raise

    def get_devices(self, key: str, product: str, after: int) -> Bindings:
        """Return a page of the device ids that were bound."""
        with self.store.transaction() as session:
            stations.of_key(session, key)
            return quota.bindings(session, product.replace("\0", ""), after)

    def get_unit(self, key: str, imei: str) -> Unit:
        """Return what is known of a unit."""
        with self.store.transaction() as session:
            stations.of_key(session, key)
            return units.unit(session, _imei(imei))

    def get_units(self, key: str, after: int) -> Units:
        """Return a page of the units that changed."""
        with self.store.transaction() as session:
            stations.of_key(session, key)
            return units.changed(session, after)

    def post_claim(self, key: str, body: bytes) -> Claimed:
        """Reserve a unit for a lane."""
        wish = read(body, Claim)
        _imei(wish.imei)
        with self.store.transaction() as session:
            station = stations.of_key(session, key)
            return units.claim(session, station, wish)

    def post_release(self, key: str, body: bytes) -> Here:
        """End a claim."""
        wish = read(body, Claim)
        with self.store.transaction() as session:
            station = stations.of_key(session, key)
            units.release(session, station, wish.imei, wish.job)
            return stations.here(session)

    def _database(self, session: Session) -> str:
        """Return the identity of the database that this transaction speaks with: it may be another one."""
        return str(session.value(*_IDENTITY))


class _Binding(msgspec.Struct, frozen=True, kw_only=True):
    product: str
    device: str
    imei: str = ""


def check_protocol(header: str | None) -> None:
    """Check the protocol that a station speaks.

    Raises:
        ProtocolTooNew: it is newer than this server.
        BadRequest: it is older than the one before this server's, or not a number.
    """
    if header is None:
        return
    if not header.isdecimal() or len(header) > 6 or int(header) < max(1, PROTOCOL - 1):
        raise BadRequest(
            f"protocol {header[:10]!r} is not spoken here any more",
            hint="Install a newer atota on the station.",
        )
    if int(header) > PROTOCOL:
        raise ProtocolTooNew(f"the station speaks protocol {header}, this server up to {PROTOCOL}")


def read(body: bytes, kind: type[T]) -> T:
    """Return the struct of a request's body.

    Raises:
        BadRequest: it has another form.
    """
    try:
        return msgspec.json.decode(body, type=prepared(kind))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        problem = str(error)
    raise BadRequest(f"the request cannot be read: {problem}")


def _batch(body: bytes) -> Batch:
    """Return a batch. One record that is JSON only by a wide reading must not stop the others.

    Raises:
        BadRequest: it is not a batch.
    """
    try:
        return read(body, Batch)
    except BadRequest as error:
        refusal = error
    try:
        loose = json.loads(body)
        records = [msgspec.Raw(json.dumps(record).encode()) for record in loose.pop("records")]
        return msgspec.convert({**loose, "records": records}, Batch)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise refusal from None


def _imei(text: str) -> str:
    if not is_imei(text):
        raise BadRequest(f"{text[:20]!r} is not an IMEI: it has fifteen digits")
    return text
