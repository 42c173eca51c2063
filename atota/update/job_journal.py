"""One job's entry in the journal: its stages as they pass, and the facts that the next run needs.

Nothing is written until the target is known: the run that a job belongs to depends on what the journal has of
that target. Until then stages and facts are kept, with their times, and written at `begin`.

A journal that cannot be written ends a job that has not started anything. Once the update may have begun, and
when the job ends, it is only a warning: the target has to be seen through to its end.

`prior_run` is the way back: an earlier job of the journal in, its remains for the next run out.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from atota.clock import Clock
from atota.dialects import loader
from atota.dialects.model import DEFAULT_REBOOT
from atota.errors import AtotaError, PackageError, SameName
from atota.journal.facts import (
    CountersFact,
    ErrorFact,
    Fact,
    JobState,
    LineFact,
    PackageFact,
    PriorRun,
    StateFact,
    TaskFact,
    TranscriptFact,
    UndoFact,
    VersionsFact,
    WarningFact,
    WrittenFact,
    line_subject,
)
from atota.journal.model import FactRow, Opened, PastJob
from atota.journal.store import JobEntry, Journal
from atota.link.ports import PortInfo
from atota.link.state import LineState
from atota.ota.package import digests_of
from atota.settings.spec import JobSpec
from atota.update.events import JobEvent, JobResult, Note, StageEvent
from atota.update.state import MEANINGS, AfterCrash
from atota.values import Identity

NOTE_EVERY_S = 2.0
"""Seconds between two notes of a write's progress: the most that a crash may cost."""
_ENDED = frozenset({JobState.CONFIRMED, JobState.ENDED_OLD, JobState.ENDED_UNKNOWN})


class JobJournal:
    """The journal as one job sees it. Without a journal it does nothing.

    Args:
        journal: the journal.
        opened: the beginning of the job; run and attempt are set by `begin`.
        clock: the journal's time.
        may_fail: True once a journal that fails must not end the job.
        warn: gets the reason if the journal fails then.
    """

    def __init__(
        self,
        journal: Journal | None,
        opened: Opened,
        *,
        clock: Clock,
        may_fail: Callable[[], bool],
        warn: Callable[[str], None],
    ) -> None:
        self.opened = opened
        self._journal = journal
        self._clock = clock
        self._may_fail = may_fail
        self._warn = warn
        self._entry: JobEntry | None = None
        self._kept: list[Callable[[JobEntry], object]] = []
        self._is_broken = False
        self._is_closing = False
        self._noted_at: float | None = None
        self._line_since: float | None = None

    @property
    def id(self) -> str:
        """The job's id, and its record's."""
        return self.opened.id

    def begin(
        self, spec: JobSpec, identity: Identity, adapter: PortInfo | None, prior: PriorRun | None
    ) -> None:
        """Open the entry as the next attempt of ``prior``, or as a new run, and write what was kept."""
        board = spec.board.name if spec.board is not None else None
        opened = msgspec.structs.replace(self.opened, adapter=adapter, board=board)
        if prior is not None:
            opened = msgspec.structs.replace(
                opened, run=prior.run, attempt=self._last_attempt(prior) + 1, resumes=prior.id
            )
        self._open(opened)
        self.fact(identity)
        if prior is not None:
            self.fact(prior)

    def _last_attempt(self, prior: PriorRun) -> int:
        """Return the last attempt of a run; it comes after ``prior`` if it died before it knew its module."""
        last = None if self._journal is None else self._journal.past(run=prior.run)
        return prior.attempt if last is None or last.is_alive else last.attempt

    def _open(self, opened: Opened) -> None:
        self.opened = opened
        journal = self._journal
        if journal is None:
            return

        def open_entry() -> None:
            self._entry = journal.open_job(opened)

        self._attempt(open_entry)
        kept, self._kept = self._kept, []
        for write in kept:
            self._write(write)

    def on_event(self, event: JobEvent) -> None:
        """Write down a stage or a warning."""
        if isinstance(event, StageEvent):
            stage, at = event, self._clock.time()
            self._write(
                lambda entry: entry.stage(stage.stage, stage.state, stage.detail, stage.elapsed_ms, at=at)
            )
        elif isinstance(event, Note) and event.level == "warning":
            self.fact(WarningFact(event.text))

    def fact(self, fact: Fact) -> None:
        """Write down a fact; the newest of a kind counts."""
        at = self._clock.time()
        self._write(lambda entry: entry.fact(fact, at=at))

    def state(self, state: JobState) -> None:
        """Write down a transition of the job's state; after FAILED only the end of the job follows."""
        self._is_closing = self._is_closing or state is JobState.FAILED
        self.fact(StateFact(state))

    def written(self, done: int, total: int, clock: Clock, *, block: int | None = None) -> None:
        """Write down the progress of the write, every `NOTE_EVERY_S` and at its end."""
        now = clock.monotonic()
        if self._noted_at is None or now - self._noted_at >= NOTE_EVERY_S or done == total:
            self._noted_at = now
            self.fact(WrittenFact(done=done, total=total, block=block or msgspec.UNSET))

    def known_line(self) -> LineState | None:
        """Return the state of the line in the newest job on the same adapter and board; None if not known."""
        if self._journal is None or self._is_broken:
            return None
        subject = line_subject(self._serial, self._port, self.opened.board)
        fact = self._journal.line(subject)
        self._line_since = None if fact is None else fact.since
        return None if fact is None else fact.state

    def line(self, state: LineState) -> None:
        """Write down the state of the line."""
        self.fact(
            LineFact(
                rate=state.rate,
                block=state.block,
                bad=state.bad,
                block_s=state.block_s,
                adapter=self._serial,
                port=self._port,
                board=self.opened.board,
                since=self._line_since if self._line_since is not None else self._clock.time(),
            )
        )

    @property
    def _serial(self) -> str | None:
        adapter = self.opened.adapter
        return adapter.serial_number if adapter is not None else None

    @property
    def _port(self) -> str:
        return self.opened.port or ""

    def end(self, spec: JobSpec, result: JobResult) -> None:
        """Write the end of the job: counters, error, kept transcript, verdict. Nothing follows."""
        self._is_closing = True
        self.fact(
            CountersFact(
                blocks=result.blocks,
                retries=result.retries,
                longest_silence_ms=result.longest_silence_ms,
                boots=result.boots,
            )
        )
        if result.error is not None:
            self.fact(ErrorFact.of(result.error))
        sha256 = _sha256_of(spec.transcript)
        if sha256 is not None and (result.error is not None or spec.keeps_transcript):
            self.fact(TranscriptFact(path=str(spec.transcript), sha256=sha256))
        if self._entry is None and self._journal is not None:
            self._open(self.opened)
        self._write(lambda entry: entry.verdict(result.outcome))
        if self._is_broken and self._journal is not None:
            self._journal.abandon(self.id)

    def _write(self, write: Callable[[JobEntry], object]) -> None:
        if self._journal is None or self._is_broken:
            return
        if self._entry is None:
            self._kept.append(write)
            return
        entry = self._entry
        self._attempt(lambda: write(entry))

    def _attempt(self, write: Callable[[], object]) -> None:
        try:
            write()
        except AtotaError as error:
            self._is_broken = True
            if not (self._is_closing or self._may_fail()):
                raise
            self._warn(f"this job's record ends here: {error.message}")


def _sha256_of(path: Path | None) -> str | None:
    """The SHA-256 of a transcript, or None if it cannot be read."""
    if path is None or not path.is_file():  # a device may have no end
        return None
    try:
        return digests_of(path).sha256
    except PackageError:
        return None


def prior_run(past: PastJob | None) -> PriorRun | None:
    """Return what ``past`` left to be continued; None if it settled its task, or there is none."""
    if past is None or (past.verdict is not None and past.verdict.outcome.is_settled):
        return None
    if past.verdict is not None and (past.latest(ErrorFact) or ErrorFact()).code == SameName.code:
        return None  # asked once more, the target can tell no more than it did
    inherited = past.latest(PriorRun)
    if inherited is not None and _ENDED.issuperset(past.states):
        # It was cut off before its own first change, so it is still about the run that it inherited from.
        state, is_certain = _unfinished([inherited.state, *past.states])
        return msgspec.structs.replace(
            inherited, id=past.id, run=past.run, attempt=past.attempt, state=state, is_certain=is_certain
        )
    state, is_certain = _unfinished(past.states)
    changed = past.latest(UndoFact)
    undo = changed.undo if changed is not None else ()
    if changed is None and inherited is not None and _is_rewritten(inherited):
        undo = inherited.undo
    return PriorRun(
        id=past.id,
        run=past.run,
        attempt=past.attempt,
        state=state,
        is_certain=is_certain,
        command=past.opened.command,
        versions=past.latest(VersionsFact) or VersionsFact(),
        package=past.latest(PackageFact) or PackageFact(),
        task=past.latest(TaskFact),
        method=past.method,
        undo=undo,
        written=_written(past.facts),
        block=_block(past),
    )


def _is_rewritten(prior: PriorRun) -> bool:
    """True if the run after ``prior`` takes its changes over, and writes anew."""
    return MEANINGS[prior.state].after_crash is AfterCrash.WRITE_AGAIN


def _unfinished(states: list[JobState]) -> tuple[JobState, bool]:
    """The state to continue from, and True if the target itself had said that it starts."""
    state = states[-1] if states else JobState.UNTOUCHED
    if state not in _ENDED:
        return state, state is JobState.STARTED
    # It had come to its end, and was cut off before its report: the version is read once more.
    before = [earlier for earlier in states if earlier not in _ENDED][-1:]
    is_certain = state is not JobState.ENDED_UNKNOWN or before == [JobState.STARTED]
    return (JobState.STARTED if is_certain else JobState.MAY_HAVE_STARTED), is_certain


def _written(rows: tuple[FactRow, ...]) -> int:
    """Bytes that the target acknowledged since its slot was last made ready."""
    written = 0
    for row in rows:
        if isinstance(row.fact, WrittenFact):
            written = row.fact.done
        elif isinstance(row.fact, StateFact) and row.fact.state is JobState.CHANGED:
            written = 0
    return written


def _block(past: PastJob) -> int | None:
    """Bytes in one of the blocks that were sent last; None: they had several lengths, or there are none.

    The line is written down before each change of the length, so it is not older than what was written.
    """
    written = past.latest(WrittenFact)
    if past.latest(LineFact) is None and written is not None and written.block is not msgspec.UNSET:
        return written.block
    return past.method.block


def may_be_updating(past: PastJob | None, now: float) -> bool:
    """True if the module of this earlier job may be in the middle of its update.

    Once the longest reboot of its dialect is over, it has ended, or never will.

    Args:
        past: the newest job on a port, or of a module.
        now: seconds since the epoch.
    """
    prior = prior_run(past)
    if past is None or prior is None or MEANINGS[prior.state].after_crash is not AfterCrash.CONFIRM:
        return False
    try:
        reboot = loader.load(prior.method.name or "").reboot or DEFAULT_REBOOT
    except AtotaError:  # the dialect was a user's own
        reboot = DEFAULT_REBOOT
    return now - past.last_seen < max(reboot.limit_s, reboot.longest_s or 0.0, DEFAULT_REBOOT.limit_s)


def versions_left(past: PastJob | None) -> VersionsFact:
    """Return the versions of a job, if it was cut off or failed."""
    if past is None or (past.verdict is not None and not past.verdict.outcome.exit_code):
        return VersionsFact()
    return past.latest(VersionsFact) or VersionsFact()
