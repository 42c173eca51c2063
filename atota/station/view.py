"""The picture of a station that pages and terminals show, and the operator's wishes that they send.

All of it is frozen, so any thread may read it. Texts that came from a module, a scanner or a file are
hostile: the place that shows them escapes them. Times are seconds since the epoch, UTC.
"""

from typing import Literal

import msgspec

from atota.station.lane import LaneState, Verdict

Language = Literal["en", "zh"]
SoundName = Literal["pass", "fail", "attention"]


class LaneView(msgspec.Struct, frozen=True, kw_only=True):
    """One lane.

    Attributes:
        number: the lane's number.
        state: the contract's state; ``data-state`` of its element.
        place: the USB path or the port.
        since: when the state began.
        verdict: ``data-verdict``; stays until the unit was removed.
        outcome, exit_code: of the verdict's job.
        sentence: one sentence for the operator: the problem, or what goes on.
        hint: the next thing to do.
        stage: the stage of the running job.
        progress: the share of the whole job that is done, 0 to 1.
        waiting_for: the thing that is being waited for, such as "the module's reboot"; empty: nothing.
        limit_at: when the job's hard limit strikes.
        imei, serial: the unit; ``serial`` is the label's, else the module's own.
        model: the module's model.
        version_before, version_after: the versions of the job.
        record_id: the record of the verdict.
        problem: the reason for which nothing is seen here, such as a port that is taken; None: none.
        blocked: the reason for which nothing starts here; None: not blocked.
        wanted_scan: the code that is asked for; None: none.
        label: the state of the unit's label: ``queued``, ``printed``, ``failed``; None: no label.
        is_retest: True if the unit was run before in this batch.
        done_before: a sentence about the earlier verdict on a unit that was put in again; None: it is new.
    """

    number: int
    state: LaneState
    place: str = ""
    since: float = 0.0
    verdict: Verdict | None = None
    outcome: str | None = None
    exit_code: int | None = None
    sentence: str = ""
    hint: str = ""
    stage: str | None = None
    progress: float = 0.0
    waiting_for: str = ""
    limit_at: float | None = None
    imei: str | None = None
    serial: str | None = None
    model: str | None = None
    version_before: str | None = None
    version_after: str | None = None
    record_id: str | None = None
    problem: str | None = None
    blocked: str | None = None
    wanted_scan: str | None = None
    label: Literal["queued", "printed", "failed"] | None = None
    is_retest: bool = False
    done_before: str | None = None


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """The header's numbers. ``passed``, ``failed``, ``station_error`` and ``retested`` are ``data-counter``s.

    Attributes:
        passed, failed: units of the batch by their last verdict.
        station_error: jobs that ended by the station's fault.
        retested: units that were run more than once.
        quota: units of the batch that may pass; 0: no limit.
        first_pass_yield: the share of units that passed at once, 0 to 1; None: there are no units.
        units_an_hour: units that passed in the last 15 minutes, as a rate.
        is_online: False while the line server is out of reach; None: the station has none.
        line_since: since when the line is so.
        waiting_records: records that the line server does not have yet.
        tickets_left: units that may be started before the line grants more; None: it limits nothing.
    """

    passed: int = 0
    failed: int = 0
    station_error: int = 0
    retested: int = 0
    quota: int = 0
    first_pass_yield: float | None = None
    units_an_hour: float = 0.0
    is_online: bool | None = None
    line_since: float = 0.0
    waiting_records: int = 0
    tickets_left: int | None = None


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A banner over all lanes.

    Attributes:
        key: the same key replaces the banner.
        level: how loud it is; ``stop``: no lane works.
        text, hint: the problem and the next thing to do; an empty text takes the banner away.
        may_release: True if a lead releases it with a reason.
        lane: the lane that it stops; None: the station.
    """

    key: str
    level: Literal["info", "warning", "stop"] = "info"
    text: str = ""
    hint: str = ""
    may_release: bool = False
    lane: int | None = None


class Sound(msgspec.Struct, frozen=True, kw_only=True):
    """A sound that is due now."""

    name: SoundName
    lane: int | None = None


class StationView(msgspec.Struct, frozen=True, kw_only=True):
    """The whole station.

    ``boot`` is another one after each start of the program, ``scanned`` the last code that was read.
    """

    name: str
    boot: str
    language: Language = "en"
    batch: str | None = None
    command: str = "update"
    operator: str | None = None
    scanned: str = ""
    counters: Counters = Counters()
    notices: tuple[Notice, ...] = ()
    lanes: tuple[LaneView, ...] = ()


Kind = Literal["snapshot", "lane", "counters", "notice", "sound"]


class HubEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One change of the picture. ``number`` counts the events of this run of the program.

    ``data`` is a `StationView` for ``snapshot``, else the struct of the kind's own name.
    """

    number: int
    kind: Kind
    data: StationView | LaneView | Counters | Notice | Sound


class ScanCommand(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="scan"):
    """A code that a scanner has read; ``lane`` if the page knows which lane it is for."""

    text: str
    lane: int | None = None


class ReleaseCommand(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="release"):
    """The release of a stop, with its reason; ``lane`` of None: of the whole station."""

    reason: str
    lane: int | None = None
    by: str | None = None


class AgainCommand(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="again"):
    """The wish to run the unit in a lane although it was done before."""

    lane: int
    reason: str = ""


class SwitchCommand(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="switch"):
    """The wish to switch a lane on or off."""

    lane: int
    on: bool


class RemovedCommand(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="removed"):
    """The operator's word that the unit is out of a lane that cannot see it."""

    lane: int


Command = ScanCommand | ReleaseCommand | AgainCommand | SwitchCommand | RemovedCommand


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a command: a sentence for the operator, and whether it was carried out."""

    ok: bool
    sentence: str
