"""The stations' last signs of life, in memory: the page shows them also while the database takes nothing."""

import hashlib
import threading
from collections.abc import Sequence

from msgspec.structs import replace

from atota.clock import Clock
from atota.line.protocol import Presence
from atota.line.tables.stations import StationState


class Living:
    """The signs of life that this server has heard. Threads may share it.

    Args:
        clock: the server's time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._names: dict[bytes, str] = {}
        self._heard: dict[str, tuple[float, StationState]] = {}

    def note(self, station: str, key: str, presence: Presence) -> None:
        """Take the sign of life of a station whose key is right."""
        offset_ms = None if presence.time is None else round(1000 * (presence.time - self._clock.time()))
        state = StationState(
            name=station,
            tool_version=presence.tool_version[:64],
            clock_offset_ms=offset_ms,
            backlog=presence.backlog,
            lanes=presence.lanes,
            running=presence.running,
            note=presence.note[:200],
        )
        with self._lock:
            self._names[_digest(key)] = station
            self._heard[station] = self._clock.monotonic(), state

    def note_by_key(self, key: str, presence: Presence) -> None:
        """Take a sign of life while no key can be looked up: of a key that was right before."""
        station = self._names.get(_digest(key))
        if station is not None:
            self.note(station, key, presence)

    def forget(self, key: str) -> None:
        """Forget a key that is refused now."""
        with self._lock:
            self._names.pop(_digest(key), None)

    def newest(self, stored: Sequence[StationState]) -> list[StationState]:
        """Return the stations of the database, each with the newer of its two signs of life."""
        return [self._newer(one) for one in stored]

    def all(self) -> list[StationState]:
        """Return all stations that were heard of."""
        with self._lock:
            names = sorted(self._heard)
        return [self._newer(StationState(name=name)) for name in names]

    def _newer(self, stored: StationState) -> StationState:
        with self._lock:
            at, state = self._heard.get(stored.name, (0.0, stored))
        age_s = self._clock.monotonic() - at
        if state is stored or (stored.seen_s_ago is not None and stored.seen_s_ago <= age_s):
            return stored
        return replace(
            state, seen_s_ago=age_s, is_revoked=stored.is_revoked, forked_journals=stored.forked_journals
        )


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "backslashreplace")).digest()
