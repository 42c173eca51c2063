"""Structs of the journal: a job's beginning, its stages and facts, its verdict, its record."""

from typing import Any, TypeVar

import msgspec

from atota.errors import Outcome
from atota.journal.facts import (
    ErrorFact,
    Fact,
    JobState,
    LineFact,
    MethodFact,
    PackageFact,
    ReleaseFact,
    StateFact,
    StationFact,
    TaskFact,
    TranscriptFact,
    WrittenFact,
)
from atota.link.ports import PortInfo
from atota.values import Nature

F = TypeVar("F", bound=Fact)


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of a job.

    ``run`` stays the same when a job continues another, ``attempt`` counts. ``adapter`` is the adapter as the
    system describes it. ``resumes`` is the id of the job that this one continues.
    """

    run: str
    attempt: int
    command: str
    port: str
    adapter: PortInfo | None = None
    board: str | None = None
    resumes: str | None = None

    @property
    def id(self) -> str:
        """The job's id, and its record's."""
        return f"{self.run}-{self.attempt}"


class StageRow(msgspec.Struct, frozen=True):
    """A stage that began, ended, or did not apply. ``at`` in seconds since the epoch, UTC."""

    seq: int
    at: float
    stage: str
    state: str
    detail: str
    elapsed_ms: int | None


class FactRow(msgspec.Struct, frozen=True):
    """A fact and its time. ``seq`` orders the stages and facts of a job together."""

    seq: int
    at: float
    fact: Fact


class Verdict(msgspec.Struct, frozen=True):
    """The end of a job."""

    outcome: Outcome
    at: float


class PastJob(msgspec.Struct, frozen=True, kw_only=True):
    """One job as the journal has it. ``is_alive``: it has no verdict, and its process still runs."""

    id: str
    run: str
    attempt: int
    opened: Opened
    opened_at: float
    is_alive: bool
    stages: tuple[StageRow, ...] = ()
    facts: tuple[FactRow, ...] = ()
    verdict: Verdict | None = None
    tool_version: str = ""
    host: str = ""
    pid: int = 0

    def latest(self, kind: type[F]) -> F | None:
        """Return the latest fact of a kind."""
        return next((fact for fact in reversed(self.all_of(kind))), None)

    def all_of(self, kind: type[F]) -> list[F]:
        """Return the facts of a kind, the oldest first."""
        return [row.fact for row in self.facts if isinstance(row.fact, kind)]

    @property
    def method(self) -> MethodFact:
        """The way in which the target was written, with the length of the blocks that were sent last."""
        method, line = self.latest(MethodFact) or MethodFact(), self.latest(LineFact)
        return method if line is None else msgspec.structs.replace(method, block=line.block)

    @property
    def states(self) -> list[JobState]:
        """The states that the job was in, in order; `UNTOUCHED` is not written at the beginning."""
        return [fact.state for fact in self.all_of(StateFact)]

    @property
    def first_seen(self) -> float:
        """The time of the first stage or fact, seconds since the epoch."""
        rows = self._ends(0)
        return min(rows, key=lambda row: row.seq).at if rows else self.opened_at

    @property
    def last_seen(self) -> float:
        """The time of the last stage or fact, seconds since the epoch."""
        rows = self._ends(-1)
        return max(rows, key=lambda row: row.seq).at if rows else self.opened_at

    def _ends(self, index: int) -> list[StageRow | FactRow]:
        lists: tuple[tuple[StageRow | FactRow, ...], ...] = (self.stages, self.facts)
        return [rows[index] for rows in lists if rows]


class RecordStage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage in a record. ``at`` is its beginning, UTC; the state ``started`` says that it never ended."""

    stage: str
    state: str
    at: str
    elapsed_ms: int | None = None
    detail: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The traceability document of one job: all that proves what happened to one module.

    Times are UTC, ISO 8601; durations are in milliseconds. ``told`` lists what the platform took;
    ``written`` is how far the write came; ``state`` is the last state of the job. ``nature`` says if the
    module was a real one; None in records from before it was written. ``line`` is the rate that the line
    proved, and the length of the blocks that the module took. ``previous`` is the digest of the record
    before it in its journal (`atota.journal.chain`).
    """

    id: str
    run: str
    attempt: int
    outcome: str
    exit_code: int
    state: JobState | None = None
    started_at: str
    ended_at: str
    duration_ms: int | None = None
    resumes: str | None = None
    command: str | None = None
    nature: Nature | None = None
    imei: str | None = None
    serial: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    revision: str | None = None
    full_version: str | None = None
    adapter: PortInfo | None = None
    port: str | None = None
    board: str | None = None
    dialect: str | None = None
    dialect_digest: str | None = None
    method: str | None = None
    evidence: str | None = None
    block: int | None = None
    line: LineFact | None = None
    package: PackageFact | None = None
    task: TaskFact | None = None
    version_before: str | None = None
    version_target: str | None = None
    version_after: str | None = None
    full_version_after: str | None = None
    stages: list[RecordStage] = []
    blocks: int | None = None
    retries: int | None = None
    longest_silence_ms: int | None = None
    boots: int | None = None
    written: WrittenFact | None = None
    told: list[str] = []
    error: ErrorFact | None = None
    warnings: list[str] = []
    transcript: TranscriptFact | None = None
    station: StationFact | None = None
    release: ReleaseFact | None = None
    tool_version: str | None = None
    host: str | None = None
    previous: str | None = None


class QueuedReport(msgspec.Struct, frozen=True):
    """A report that the platform has not taken yet. ``id`` is its number in the order of the outbox."""

    id: int
    job: str
    at: float
    document: dict[str, Any]


class SentReport(msgspec.Struct, frozen=True):
    """A report of one job, and its end: ``how`` is None while it waits. Times in seconds since the epoch."""

    at: float
    document: dict[str, Any]
    ended_at: float | None = None
    how: str | None = None
    detail: str = ""
