"""The life of a lane, as a pure function: ``step(lane, event, now)`` returns the next lane and the actions.

Theory of operation
-------------------
::

    off -> empty -> appeared -> settling -> identifying -> [wanting-scan] -> running
                                                                |
        empty <- remove-unit <- passed | failed | station-error <'
    from any: lost (while at work), blocked (while not at work)

A lane is told four kinds of things. `Looked` comes four times a second and says what is in the lane now: a
*token* of the thing, or None. A replug between two looks is seen, since the token differs. `Wanted`,
`Admitted` and `Ended` come from the job; `Block`, `Release`, `Switch` and `Again` from interlocks and people.
One event makes one transition at most, so every state is seen by those who watch.

Invariants, each one proven by the state machine in ``tests/station/test_lane_machine.py``:

- No verdict without a record on the disk: a job that ended without one is a station error, and blocks.
- No job without an empty lane before it. ``held`` is the token of the thing that a job has worked on; as
  long as that very thing is in the lane, nothing starts.
- A block never ends a job that is at work; the lane is blocked once it is idle.
- A unit that was done before is shown so (`Ended` without a verdict), and runs only on purpose (`Again`).

While a job is at work, an empty look only makes the lane ``lost``: the job itself waits for the adapter, and
a module with a USB port of its own goes away at each reboot. So at its end the thing that is in the lane
then is the one that it has worked on, unless the port was lost for good.

Example: ``Looked("a")`` in `empty` gives `appeared`; the next look `settling`; after 1.5 s `identifying` and
the action `Start`. ``Ended(Ending(Verdict.PASS, record_id="…"))`` gives `passed`, then `remove-unit`;
``Looked(None)`` gives `empty`.
"""

import enum

import msgspec

SETTLE_S = 1.5
"""Seconds from the plug to the first byte: contacts bounce, and udev sets up the port."""
SHOWN_S = 2.0
"""Seconds for which a verdict stands alone before the operator is asked to remove the unit."""
FLAPS = 3
FLAP_WINDOW_S = 10.0
FLAP_SETTLE_S = 4.0
"""A unit that appears three times in ten seconds sits badly; it has to stay for longer."""


class LaneState(enum.StrEnum):
    """The state of a lane, by the names of the contract."""

    OFF = "off"
    EMPTY = "empty"
    APPEARED = "appeared"
    SETTLING = "settling"
    IDENTIFYING = "identifying"
    WANTING_SCAN = "wanting-scan"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    STATION_ERROR = "station-error"
    REMOVE_UNIT = "remove-unit"
    LOST = "lost"
    BLOCKED = "blocked"


class Verdict(enum.StrEnum):
    """The verdict on a unit; ``station-error`` says nothing about it."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    STATION_ERROR = "station-error"


AT_WORK = frozenset({LaneState.IDENTIFYING, LaneState.WANTING_SCAN, LaneState.RUNNING, LaneState.LOST})
"""A job has the lane."""
JUDGED = frozenset({LaneState.PASSED, LaneState.FAILED, LaneState.STATION_ERROR})
"""A verdict stands, and the unit may still be in the lane."""
_VACANT = frozenset({LaneState.EMPTY, LaneState.APPEARED, LaneState.SETTLING})
_OF_VERDICT = {
    Verdict.PASS: LaneState.PASSED,
    Verdict.FAIL: LaneState.FAILED,
    Verdict.STATION_ERROR: LaneState.STATION_ERROR,
}


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a job. ``verdict`` of None: the unit was done before, and nothing was run.

    ``record_id`` is set once the record is on the disk. ``is_lost``: the port went away for good.
    """

    verdict: Verdict | None
    record_id: str | None = None
    is_lost: bool = False


class Looked(msgspec.Struct, frozen=True):
    """A look at the lane; ``token`` is the thing that is in it."""

    token: str | None


class Wanted(msgspec.Struct, frozen=True):
    """The job waits for the scan of a label."""


class Admitted(msgspec.Struct, frozen=True):
    """The job knows the unit, and goes on."""


class Ended(msgspec.Struct, frozen=True):
    """The job is over."""

    ending: Ending


class Block(msgspec.Struct, frozen=True):
    """An interlock stops the lane."""

    reason: str


class Release(msgspec.Struct, frozen=True):
    """A person, or the end of its cause, lifts every block."""


class Switch(msgspec.Struct, frozen=True):
    """A person switches the lane on or off."""

    on: bool


class Again(msgspec.Struct, frozen=True):
    """A person wants the unit in the lane to be run although it was done before."""


Event = Looked | Wanted | Admitted | Ended | Block | Release | Switch | Again


class Action(enum.Enum):
    """The duty of the caller after a step."""

    START = enum.auto()
    """Begin a job."""
    START_AGAIN = enum.auto()
    """Begin a job with a unit that was done before."""
    PERMIT = enum.auto()
    """Let this unit run once more when it is put in again."""


Actions = tuple[Action, ...]


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """A lane between two events.

    Attributes:
        state: the state.
        since: when it began, monotonic seconds.
        seen: the token at the last look.
        held: the token of the thing that a job has worked on.
        verdict: the last verdict, until the unit was removed.
        is_on: False if a person has switched it off.
        work: the state of its job, which it comes back to once it is not lost any more.
        block: the reason of the first interlock that stops it.
        appearances: when something appeared lately.
    """

    state: LaneState = LaneState.OFF
    since: float = 0.0
    seen: str | None = None
    held: str | None = None
    verdict: Verdict | None = None
    is_on: bool = True
    work: LaneState = LaneState.IDENTIFYING
    block: str | None = None
    appearances: tuple[float, ...] = ()

    @property
    def is_at_work(self) -> bool:
        """True if a job has it."""
        return self.state in AT_WORK

    @property
    def is_vacant(self) -> bool:
        """True if neither a job nor a verdict has it."""
        return self.state in _VACANT or self.state in (LaneState.OFF, LaneState.BLOCKED)

    def flaps(self, now: float) -> bool:
        """True if its unit sits badly."""
        return len([at for at in self.appearances if now - at <= FLAP_WINDOW_S]) >= FLAPS


def step(lane: Lane, event: Event, now: float, *, settle_s: float = SETTLE_S) -> tuple[Lane, Actions]:
    """Return the lane after an event, and the actions that are due."""
    if isinstance(event, Looked):
        return _looked(_with(lane, seen=event.token), now, settle_s)
    if isinstance(event, Block):
        return _parked(_with(lane, block=event.reason), now), ()
    if isinstance(event, Release):
        return _parked(_with(lane, block=None), now), ()
    if isinstance(event, Switch):
        return _parked(_with(lane, is_on=event.on), now), ()
    if isinstance(event, Again):
        return _again(lane, now)
    if isinstance(event, Ended):
        return (_ended(lane, event.ending, now), ()) if lane.is_at_work else (lane, ())
    return _of_job(lane, event, now), ()


def _of_job(lane: Lane, event: Wanted | Admitted, now: float) -> Lane:
    if not lane.is_at_work:
        return lane
    lane = _with(lane, work=LaneState.WANTING_SCAN if isinstance(event, Wanted) else LaneState.RUNNING)
    return lane if lane.state is LaneState.LOST else _to(lane, lane.work, now)


def _looked(lane: Lane, now: float, settle_s: float) -> tuple[Lane, Actions]:
    state = lane.state
    if state in AT_WORK:
        return _watched(lane, now), ()
    if state in JUDGED:
        is_shown = now - lane.since >= SHOWN_S
        return (_to(lane, LaneState.REMOVE_UNIT, now) if is_shown or _is_gone(lane) else lane), ()
    if state is LaneState.REMOVE_UNIT:
        return (_idle(_with(lane, held=None, verdict=None), now) if _is_gone(lane) else lane), ()
    if state in (LaneState.BLOCKED, LaneState.OFF):
        lane = _with(lane, held=None, verdict=None) if _is_gone(lane) else lane
        return _parked(lane, now), ()
    return _settled(lane, now, settle_s)


def _watched(lane: Lane, now: float) -> Lane:
    """Return a lane at work after a look: lost while it is empty, and as before once it is not."""
    if lane.seen is None and lane.state is not LaneState.LOST:
        return _to(lane, LaneState.LOST, now)
    if lane.seen is not None and lane.state is LaneState.LOST:
        return _to(lane, lane.work, now)
    return lane


def _settled(lane: Lane, now: float, settle_s: float) -> tuple[Lane, Actions]:
    if lane.seen is None:
        return (lane if lane.state is LaneState.EMPTY else _to(lane, LaneState.EMPTY, now)), ()
    if lane.state is LaneState.EMPTY or lane.seen != lane.held:
        recent = tuple(at for at in lane.appearances if now - at <= FLAP_WINDOW_S)
        lane = _with(lane, held=lane.seen, appearances=(*recent, now))
        return _to(lane, LaneState.APPEARED, now), ()
    if lane.state is LaneState.APPEARED:
        return _to(lane, LaneState.SETTLING, now), ()
    if now - lane.since < (FLAP_SETTLE_S if lane.flaps(now) else settle_s):
        return lane, ()
    return _started(lane, now), (Action.START,)


def _ended(lane: Lane, ending: Ending, now: float) -> Lane:
    verdict = ending.verdict
    if not ending.is_lost and lane.seen is not None:
        lane = _with(lane, held=lane.seen)
    if verdict is None:
        return _to(lane, LaneState.REMOVE_UNIT, now)
    if ending.record_id is None:
        verdict = Verdict.STATION_ERROR
        lane = _with(lane, block=lane.block or "the journal has no record of this job")
    return _to(_with(lane, verdict=verdict), _OF_VERDICT[verdict], now)


def _again(lane: Lane, now: float) -> tuple[Lane, Actions]:
    if lane.state in JUDGED or (lane.state is LaneState.REMOVE_UNIT and lane.verdict is not None):
        return lane, (Action.PERMIT,)
    if lane.state is LaneState.REMOVE_UNIT and lane.seen == lane.held and lane.block is None and lane.is_on:
        return _started(lane, now), (Action.START_AGAIN,)
    return lane, ()


def _started(lane: Lane, now: float) -> Lane:
    return _to(_with(lane, work=LaneState.IDENTIFYING), LaneState.IDENTIFYING, now)


def _parked(lane: Lane, now: float) -> Lane:
    """Return an idle lane where its block and its switch want it; one with a unit to remove stays so."""
    if lane.state in _VACANT:
        return _idle(_with(lane, held=None), now) if lane.block is not None or not lane.is_on else lane
    if lane.state in (LaneState.BLOCKED, LaneState.OFF):
        return _idle(lane, now)
    return lane


def _idle(lane: Lane, now: float) -> Lane:
    if not lane.is_on:
        return _to(lane, LaneState.OFF, now)
    if lane.block is not None:
        return _to(lane, LaneState.BLOCKED, now)
    return _to(lane, LaneState.EMPTY if lane.held is None else LaneState.REMOVE_UNIT, now)


def _is_gone(lane: Lane) -> bool:
    """True if the thing that a job has worked on is not in the lane any more."""
    return lane.seen is None or lane.seen != lane.held


def _to(lane: Lane, state: LaneState, now: float) -> Lane:
    return lane if lane.state is state else _with(lane, state=state, since=now)


def _with(lane: Lane, **changes: object) -> Lane:
    return msgspec.structs.replace(lane, **changes)
