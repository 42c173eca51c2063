"""A database that was lost, or restored from a backup, is filled from the stations' journals.

It gets a new identity, so every station asks for all its cursors again, sends what is missing and settles its
grants. Nothing is granted meanwhile. It is whole when each station has said, of this identity, that nothing
waits.
"""

import msgspec

from atota.line.store import Session
from atota.line.tables import stations

_HOLD = "the line is being rebuilt"


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A station's part of the rebuilding."""

    station: str
    records: int
    is_complete: bool


def begin(session: Session, names: list[str]) -> None:
    """Begin: stations that the database has lost may bring the keys that they have, once."""
    stations.expect(session, names)
    session.run(
        "UPDATE line.state SET identity = gen_random_uuid(), hold = %(why)s WHERE hold <> %(why)s",
        {"why": _HOLD},
    )


def progress(session: Session) -> list[Progress]:
    """Return the progress of each station that is not revoked."""
    rows = session.rows(
        "SELECT s.name, coalesce((SELECT sum(next_seq - 1) FROM line.journal j WHERE j.station = s.name), 0)"
        "::bigint, coalesce(p.identity = state.identity::text AND p.backlog = 0, false)"
        " FROM line.state CROSS JOIN line.station s LEFT JOIN line.presence p ON p.station = s.name"
        " WHERE s.revoked_at IS NULL ORDER BY s.name"
    )
    return [
        Progress(station=name, records=records, is_complete=is_complete)
        for name, records, is_complete in rows
    ]


def end(session: Session) -> None:
    """End: grants are given again; stations that never came may not bring a key any more."""
    session.run("DELETE FROM line.station WHERE key_sha256 IS NULL")
    session.run("UPDATE line.state SET hold = '' WHERE hold = %(why)s", {"why": _HOLD})
