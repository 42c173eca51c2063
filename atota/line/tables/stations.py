"""Stations: their keys, stored as digests, and their signs of life."""

import hashlib
import hmac
import secrets
from typing import Literal

import msgspec

from atota.errors import PlatformRefused, UsageError
from atota.line.protocol import NAME, Here, Presence
from atota.line.store import Row, Session, Statement

LIVE_S = 15.0
"""A station says that it is there every five seconds."""


class StationState(msgspec.Struct, frozen=True, kw_only=True):
    """A station, and its last sign of life: None where there was none."""

    name: str
    is_revoked: bool = False
    seen_s_ago: float | None = None
    tool_version: str | None = None
    clock_offset_ms: int | None = None
    backlog: int | None = None
    lanes: int | None = None
    running: int | None = None
    note: str | None = None
    forked_journals: int = 0

    @property
    def state(self) -> Literal["live", "silent", "never", "revoked"]:
        """The presence of the station, in one word."""
        if self.is_revoked:
            return "revoked"
        if self.seen_s_ago is None:
            return "never"
        return "live" if self.seen_s_ago < LIVE_S else "silent"


class KeyRefused(PlatformRefused):
    """The key is not that of a station of this line, or it was revoked."""

    code = "line.key-refused"
    default_hint = "Make a key with `atota line station add NAME`, and put it into the station's key file."


def add(session: Session, name: str) -> str:
    """Add a station, or give it a new key; return the key, which is stored nowhere.

    Raises:
        UsageError: the name has characters that it must not have.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a station's name", hint="Use letters, digits, '.', '_' and '-', 64 at most."
        )
    key = f"{name}:{secrets.token_urlsafe(32)}"
    session.run(
        "INSERT INTO line.station (name, key_sha256) VALUES (%(name)s, %(digest)s)"
        " ON CONFLICT (name) DO UPDATE SET key_sha256 = excluded.key_sha256, revoked_at = NULL",
        {"name": name, "digest": _digest(key)},
    )
    return key


def revoke(session: Session, name: str) -> None:
    """Refuse a station's key from now on.

    Raises:
        UsageError: there is no such station.
    """
    if not session.run("UPDATE line.station SET revoked_at = now() WHERE name = %(name)s", {"name": name}):
        raise unknown(session, name)


def unknown(session: Session, name: str) -> UsageError:
    """Return the error for a station that is not there; it names the ones that are."""
    names = [row[0] for row in session.rows("SELECT name FROM line.station ORDER BY name LIMIT 20")]
    known = f"Known ones: {', '.join(names)}." if names else "Add one with `atota line station add NAME`."
    return UsageError(f"there is no station {name!r}", hint=known)


def expect(session: Session, names: list[str]) -> None:
    """Let each of the stations bring the key that it has, once: the database has lost them."""
    for name in names:
        if not NAME.fullmatch(name):
            raise UsageError(f"{name!r} is not a station's name")
        session.run(
            "INSERT INTO line.station (name) VALUES (%(name)s) ON CONFLICT DO NOTHING", {"name": name}
        )


def of_key(session: Session, key: str) -> str:
    """Return the station that a key belongs to.

    Raises:
        KeyRefused: it belongs to none.
    """
    return checked(session, key, session.rows(*known(key)))


def known(key: str) -> Statement:
    """Return the query for what is known of a key's station; `checked` takes what it returns."""
    query = "SELECT key_sha256, revoked_at FROM line.station WHERE name = %(name)s"
    return query, {"name": key.partition(":")[0][:64]}


def checked(session: Session, key: str, rows: list[Row]) -> str:
    """Return the station that a key belongs to, by the rows of `known`.

    Raises:
        KeyRefused: it belongs to none.
    """
    name = key.partition(":")[0]
    if not rows:
        raise KeyRefused("the key belongs to no station of this line")
    digest, revoked_at = rows[0]
    if revoked_at is not None:
        raise KeyRefused(f"the key of the station {name} was revoked")
    if digest is None:
        session.run(
            "UPDATE line.station SET key_sha256 = %(digest)s WHERE name = %(name)s AND key_sha256 IS NULL",
            {"name": name, "digest": _digest(key)},
        )
    elif not hmac.compare_digest(digest, _digest(key)):
        raise KeyRefused(f"the key is not the one of the station {name}")
    return name


def note_presence(session: Session, station: str, presence: Presence) -> Here:
    """Write down a sign of life; return the line's."""
    session.run(
        "INSERT INTO line.presence"
        " (station, seen_at, tool_version, clock_offset_ms, backlog, lanes, running, note, identity)"
        " VALUES (%(station)s, now(), %(tool_version)s,"
        " 1000 * (%(time)s::float8 - extract(epoch FROM clock_timestamp())),"
        " %(backlog)s, %(lanes)s, %(running)s, %(note)s, %(identity)s)"
        " ON CONFLICT (station) DO UPDATE SET seen_at = now(), tool_version = excluded.tool_version,"
        " clock_offset_ms = excluded.clock_offset_ms, backlog = excluded.backlog, lanes = excluded.lanes,"
        " running = excluded.running, note = excluded.note, identity = excluded.identity",
        {
            "station": station,
            "tool_version": presence.tool_version[:64],
            "time": presence.time,
            "backlog": presence.backlog,
            "lanes": presence.lanes,
            "running": presence.running,
            "note": presence.note[:200].replace("\0", ""),
            "identity": presence.identity[:64] if presence.is_told else "",
        },
    )
    return here(session)


def here(session: Session) -> Here:
    """Return the database's identity, time and count of changes."""
    row = session.row(
        "SELECT identity::text, extract(epoch FROM clock_timestamp())::float8, changes FROM line.state"
    )
    assert row is not None
    return Here(identity=row[0], time=row[1], changes=row[2])


def overview(session: Session) -> list[StationState]:
    """Return all stations, by their names."""
    rows = session.rows(
        "SELECT s.name, s.revoked_at IS NOT NULL, extract(epoch FROM now() - p.seen_at)::float8,"
        " p.tool_version, p.clock_offset_ms, p.backlog, p.lanes, p.running, p.note,"
        " (SELECT count(*) FROM line.journal j WHERE j.station = s.name AND j.forked_at IS NOT NULL)"
        " FROM line.station s LEFT JOIN line.presence p ON p.station = s.name ORDER BY s.name"
    )
    names = StationState.__struct_fields__
    return [StationState(**dict(zip(names, row, strict=True))) for row in rows]


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "backslashreplace")).hexdigest()
