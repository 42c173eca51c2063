"""The events of a job, as its listeners get them, their sum, and its result. One stream, many readers."""

from collections.abc import Callable
from typing import Literal

import msgspec

from atota.errors import AtotaError, Outcome
from atota.journal.facts import TaskFact
from atota.update.plan import Proposal
from atota.values import STAGES as STAGES
from atota.values import Digests, Identity
from atota.values import Stage as Stage

StageState = Literal["started", "done", "failed", "skipped"]


class StageEvent(msgspec.Struct, frozen=True):
    """A stage began, ended, or does not apply. ``detail`` is one sentence for people."""

    stage: Stage
    state: StageState
    detail: str = ""
    elapsed_ms: int | None = None


class Progress(msgspec.Struct, frozen=True):
    """The progress of a stage: bytes in ``download`` and ``write``, percent elsewhere."""

    stage: Stage
    done: int
    total: int
    unit: Literal["bytes", "percent"] = "bytes"


class Note(msgspec.Struct, frozen=True):
    """A sentence for people that ends nothing."""

    text: str
    level: Literal["info", "warning"] = "info"


class UrcEvent(msgspec.Struct, frozen=True):
    """An unsolicited line of the target."""

    text: str


class StageShares(msgspec.Struct, frozen=True):
    """The share of each stage in the time of a job, from the profile, for an honest progress bar."""

    shares: dict[str, float]


JobEvent = StageShares | StageEvent | Progress | Note | UrcEvent | Proposal
Listener = Callable[[JobEvent], None]
"""Gets every event of a job as it happens."""


# Shares where a profile names none, in the same unit as its own: roughly percent of the time of a job.
_DEFAULT_SHARES = {
    "open": 0.5,
    "identify": 1.5,
    "check": 0.5,
    "plan": 0.5,
    "download": 2.0,
    "verify": 0.5,
    "prepare": 3.0,
    "write": 25.0,
    "validate": 5.0,
    "activate": 1.0,
    "reboot": 55.0,
    "confirm": 3.0,
    "report": 1.0,
}


class JobMeter:
    """The progress of a whole job, from its events: each stage weighs what the profile says it takes."""

    def __init__(self) -> None:
        self.stage = ""
        self.state = "waiting"
        self._shares = dict(_DEFAULT_SHARES)
        self._done: dict[str, float] = {}

    def take(self, event: JobEvent) -> None:
        """Count one event."""
        if isinstance(event, StageShares):
            self._shares.update(event.shares)
        elif isinstance(event, Progress):
            self._done[event.stage] = event.done / event.total if event.total else 1.0
        elif isinstance(event, StageEvent):
            if event.state == "started":
                self.stage, self.state = event.stage, "running"
                for earlier in STAGES[: STAGES.index(event.stage)]:
                    self._done[earlier] = 1.0
            elif event.state == "failed":
                self.state = "failed"
            else:
                self._done[event.stage] = 1.0

    @property
    def percent(self) -> float:
        """0 to 100."""
        total = sum(self._shares[stage] for stage in STAGES)
        done = sum(self._shares[stage] * min(1.0, self._done.get(stage, 0.0)) for stage in STAGES)
        return 100 * done / total


class JobResult(msgspec.Struct, kw_only=True):
    """The result of a job. ``error`` is the error that ended it, if one did.

    ``record_id`` names its record in the journal; ``resumes`` the job that it continued; ``proposal`` is what
    was to be done, once it was planned.
    """

    outcome: Outcome = Outcome.ERROR
    exit_code: int = 1
    record_id: str = ""
    identity: Identity | None = None
    task: TaskFact | None = None
    proposal: Proposal | None = None
    package: Digests | None = None
    version_before: str | None = None
    version_after: str | None = None
    stages_ms: dict[Stage, int] = {}
    blocks: int = 0
    retries: int = 0
    longest_silence_ms: int = 0
    boots: int = 0
    told: list[str] = []
    resumes: str | None = None
    warnings: list[str] = []
    error: AtotaError | None = None

    @property
    def ok(self) -> bool:
        """True if the job ended as wanted: updated, or nothing to do."""
        return self.exit_code == 0
