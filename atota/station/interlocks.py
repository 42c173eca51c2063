"""The interlocks of a station, as a pure function of its limits and its state.

Each interlock that holds is a `Stop`, of one lane or of all. A stop ends when its cause does; one that counts
failures ends when a person releases it, which begins the count anew. Jobs that ended by the station's fault
count neither as a failure nor as a pass.
"""

import msgspec

from atota.station.config import StopTable
from atota.station.lane import Verdict

CLOCK_BACK_S = 60.0
"""A clock that is further back than the newest record is wrong: records are evidence."""


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """One interlock that holds. ``lane`` of None: all lanes."""

    key: str
    text: str
    hint: str
    lane: int | None = None
    may_release: bool = False


class Streaks(msgspec.Struct, frozen=True):
    """The failures in a row, on each lane and on the station."""

    lanes: dict[int, int] = {}
    station: int = 0

    def after(self, lane: int, verdict: Verdict) -> "Streaks":
        """Return them after a verdict."""
        if verdict is Verdict.STATION_ERROR:
            return self
        if verdict is Verdict.PASS:
            return Streaks({**self.lanes, lane: 0}, 0)
        return Streaks({**self.lanes, lane: self.lanes.get(lane, 0) + 1}, self.station + 1)

    def released(self, lane: int | None) -> "Streaks":
        """Return them after the release of a lane, or of the station."""
        return Streaks({}, 0) if lane is None else Streaks({**self.lanes, lane: 0}, self.station)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a station that interlocks look at.

    Attributes:
        streaks: failures in a row.
        quota, passed: units of the batch that may pass (0: no limit), and that did.
        free_mb: room on the disk of the journal.
        journal_problem: the reason for which a record could not be written.
        now, newest_record_at: seconds since the epoch.
    """

    streaks: Streaks = Streaks()
    quota: int = 0
    passed: int = 0
    free_mb: float | None = None
    journal_problem: str | None = None
    now: float = 0.0
    newest_record_at: float | None = None


def stops(limits: StopTable, standing: Standing) -> tuple[Stop, ...]:
    """Return the interlocks that hold, the gravest first."""
    all_stops = [*_machine_stops(limits, standing), *_work_stops(limits, standing)]
    if limits.failures_lane:
        all_stops += [
            Stop(
                key=f"failures-lane-{lane}",
                text=f"lane {lane}: {count} units in a row failed",
                hint="Look at the lane's contacts and its adapter; a lead releases it with the reason.",
                lane=lane,
                may_release=True,
            )
            for lane, count in sorted(standing.streaks.lanes.items())
            if count >= limits.failures_lane
        ]
    return tuple(all_stops)


def _machine_stops(limits: StopTable, standing: Standing) -> list[Stop]:
    found_stops = []
    if standing.journal_problem is not None:
        found_stops.append(
            Stop(
                key="journal",
                text=f"the journal takes no records: {standing.journal_problem}",
                hint="Make room or mend the journal; then a lead releases the station.",
                may_release=True,
            )
        )
    if limits.min_free_mb and standing.free_mb is not None and standing.free_mb < limits.min_free_mb:
        found_stops.append(
            Stop(
                key="disk",
                text=f"the disk is nearly full: {standing.free_mb:.0f} MB are free,"
                f" {limits.min_free_mb} are needed",
                hint="Make room on the disk; the lanes go on by themselves.",
            )
        )
    newest = standing.newest_record_at
    if newest is not None and standing.now < newest - CLOCK_BACK_S:
        found_stops.append(
            Stop(
                key="clock",
                text=f"the clock of this PC is {newest - standing.now:.0f} s behind the newest record",
                hint="Set the clock; the lanes go on by themselves.",
            )
        )
    return found_stops


def _work_stops(limits: StopTable, standing: Standing) -> list[Stop]:
    found_stops = []
    if standing.quota and standing.passed >= standing.quota:
        found_stops.append(
            Stop(
                key="quota",
                text=f"the quota of the batch is used up: {standing.passed} of {standing.quota} units passed",
                hint="Begin the next batch, or have the quota raised in the station file.",
            )
        )
    if limits.failures_station and standing.streaks.station >= limits.failures_station:
        found_stops.append(
            Stop(
                key="failures-station",
                text=f"{standing.streaks.station} units in a row failed on this station",
                hint="Find the common cause (package, fixture, supply); a lead releases it with the reason.",
                may_release=True,
            )
        )
    return found_stops
