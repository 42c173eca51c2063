"""What the journal holds of a job: how it began, its steps and facts, its verdict, its record."""

from typing import Any

import msgspec


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """How a job begins.

    ``run`` stays the same when a job is taken up again, ``attempt`` counts. ``adapter`` is the adapter as
    the system describes it, with its ``serial_number`` where it has one. ``resumes`` is the id of the job
    that this one goes on from.
    """

    run: str
    attempt: int
    command: str
    port: str
    adapter: dict[str, Any] | None = None
    board: str | None = None
    resumes: str | None = None


class Step(msgspec.Struct, frozen=True):
    """A stage began, ended, or did not apply. ``at`` in seconds since the epoch, UTC."""

    seq: int
    at: float
    stage: str
    state: str
    detail: str
    elapsed_ms: int | None


class Fact(msgspec.Struct, frozen=True):
    """Something that a job learned or did. ``seq`` orders a job's steps and facts together."""

    seq: int
    at: float
    kind: str
    data: dict[str, Any]


class Verdict(msgspec.Struct, frozen=True):
    """How a job ended."""

    outcome: str
    exit_code: int
    at: float


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """One job as the journal has it. ``alive``: it has no verdict, and its process still runs."""

    id: str
    run: str
    attempt: int
    opened: Opened
    opened_at: float
    alive: bool
    steps: tuple[Step, ...] = ()
    facts: tuple[Fact, ...] = ()
    verdict: Verdict | None = None
    tool_version: str = ""
    host: str = ""
    pid: int = 0

    def reached(self, stage: str, state: str = "started") -> bool:
        """Whether a stage was ever in that state."""
        return any(step.stage == stage and step.state == state for step in self.steps)

    def fact(self, kind: str) -> dict[str, Any] | None:
        """The latest fact of a kind."""
        return next((fact.data for fact in reversed(self.facts) if fact.kind == kind), None)

    def facts_of(self, kind: str) -> list[dict[str, Any]]:
        """All facts of a kind, the oldest first."""
        return [fact.data for fact in self.facts if fact.kind == kind]

    @property
    def first_seen(self) -> float:
        """When the first thing happened that is written down of the job."""
        rows: list[Step | Fact] = [*self.steps[:1], *self.facts[:1]]
        return min(rows, key=lambda row: row.seq).at if rows else self.opened_at

    @property
    def last_seen(self) -> float:
        """When the latest did."""
        rows: list[Step | Fact] = [*self.steps[-1:], *self.facts[-1:]]
        return max(rows, key=lambda row: row.seq).at if rows else self.opened_at


class RecordStage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage in a record. ``at`` is its beginning, UTC; ``started`` as its state: it never ended."""

    stage: str
    state: str
    at: str
    elapsed_ms: int | None = None
    detail: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The traceability document of one job: all that proves what happened to one module.

    Times are UTC, ISO 8601; durations are in milliseconds. ``adapter``, ``package`` (name, size, md5,
    sha256), ``task``, ``transcript`` (path, sha256) and ``error`` (code, message, hint, tried) are as the
    job wrote them down. ``written`` is how far the write came (done, total).
    """

    id: str
    run: str
    attempt: int
    outcome: str
    exit_code: int
    started_at: str
    ended_at: str
    duration_ms: int | None = None
    resumes: str | None = None
    command: str | None = None
    imei: str | None = None
    serial: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    revision: str | None = None
    adapter: dict[str, Any] | None = None
    port: str | None = None
    board: str | None = None
    dialect: str | None = None
    dialect_digest: str | None = None
    method: str | None = None
    evidence: str | None = None
    block: int | None = None
    package: dict[str, Any] | None = None
    task: dict[str, Any] | None = None
    version_before: str | None = None
    version_target: str | None = None
    version_after: str | None = None
    stages: list[RecordStage] = []
    blocks: int | None = None
    retries: int | None = None
    longest_silence_ms: int | None = None
    boots: int | None = None
    written: dict[str, Any] | None = None
    told: list[str] = []
    error: dict[str, Any] | None = None
    warnings: list[str] = []
    transcript: dict[str, Any] | None = None
    tool_version: str | None = None
    host: str | None = None


class QueuedReport(msgspec.Struct, frozen=True):
    """Something that the platform could not be told yet. ``id`` is its place in the order."""

    id: int
    job: str
    at: float
    document: dict[str, Any]
