"""Compose the record of a job from the journal's rows, and from nothing else.

A job that ended by itself and one that was closed after its process died have records of the same form.
"""

from atota.clock import utc_iso
from atota.errors import Interrupted, Outcome
from atota.journal.facts import (
    ConfirmedFact,
    CountersFact,
    ErrorFact,
    LineFact,
    PackageFact,
    ReleaseFact,
    StationFact,
    TaskFact,
    Told,
    TranscriptFact,
    VersionsFact,
    WarningFact,
    WrittenFact,
)
from atota.journal.model import PastJob, Record, RecordStage, Verdict
from atota.values import Identity, nature_of


def compose(past: PastJob, verdict: Verdict, *, is_cut_off: bool = False) -> Record:
    """Return the record of a job that ends with ``verdict``.

    ``is_cut_off``: its process died, so the job ended when it was last seen, not when it is closed.
    """
    started_at, ended_at = _span(past, verdict, is_cut_off=is_cut_off)
    elapsed_ms = round(1000 * (ended_at - started_at))
    opened, module, method = past.opened, past.latest(Identity) or Identity(), past.method
    versions = past.latest(VersionsFact) or VersionsFact()
    counters = past.latest(CountersFact) or CountersFact()
    return Record(
        id=past.id,
        run=past.run,
        attempt=past.attempt,
        outcome=verdict.outcome,
        exit_code=verdict.outcome.exit_code,
        state=past.states[-1] if past.states else None,
        started_at=utc_iso(started_at),
        ended_at=utc_iso(ended_at),
        duration_ms=elapsed_ms if elapsed_ms >= 0 else None,  # the machine's clock was set back meanwhile
        resumes=opened.resumes,
        command=opened.command,
        nature=nature_of(opened.port),
        imei=module.imei,
        serial=module.serial,
        manufacturer=module.manufacturer,
        model=module.model,
        revision=module.revision,
        full_version=module.full_version,
        adapter=opened.adapter,
        port=opened.port,
        board=opened.board,
        dialect=method.name or module.dialect,
        dialect_digest=method.digest,
        method=method.method or module.method,
        evidence=module.evidence,
        block=method.block,
        line=past.latest(LineFact),
        package=past.latest(PackageFact),
        task=past.latest(TaskFact),
        version_before=versions.before or module.version,
        version_target=_version_target(past),
        version_after=_version_after(past, verdict, module),
        full_version_after=(past.latest(ConfirmedFact) or ConfirmedFact()).full,
        stages=_stages(past),
        blocks=counters.blocks,
        retries=counters.retries,
        longest_silence_ms=counters.longest_silence_ms,
        boots=counters.boots,
        written=past.latest(WrittenFact),
        told=[fact.what for fact in past.all_of(Told)],
        error=past.latest(ErrorFact) or (_cut_off(past) if is_cut_off else None),
        warnings=[fact.text for fact in past.all_of(WarningFact)],
        transcript=past.latest(TranscriptFact),
        station=past.latest(StationFact),
        release=past.latest(ReleaseFact),
        tool_version=past.tool_version or None,
        host=past.host or None,
    )


def _span(past: PastJob, verdict: Verdict, *, is_cut_off: bool) -> tuple[float, float]:
    """Return the beginning and the end of a job, seconds since the epoch."""
    # Rows from before the module was known may have been written later, with their own times.
    return min(past.opened_at, past.first_seen), past.last_seen if is_cut_off else verdict.at


def _version_target(past: PastJob) -> str | None:
    versions = past.latest(VersionsFact) or VersionsFact()
    task = past.latest(TaskFact)
    return versions.target or (task.target if task is not None else None)


def _version_after(past: PastJob, verdict: Verdict, module: Identity) -> str | None:
    confirmed = past.latest(ConfirmedFact)
    if confirmed is not None and confirmed.version is not None:
        return confirmed.version
    if verdict.outcome is not Outcome.ALREADY_CURRENT:
        return None
    return (past.latest(VersionsFact) or VersionsFact()).expected or module.version


def _stages(past: PastJob) -> list[RecordStage]:
    """Return one entry for each pass of a stage: its beginning and its end together."""
    stages: list[RecordStage] = []
    begun: dict[str, tuple[int, float]] = {}
    for row in past.stages:
        index, since = begun.pop(row.stage, (len(stages), row.at))
        elapsed_ms = row.elapsed_ms
        if elapsed_ms is None and since < row.at:
            elapsed_ms = round(1000 * (row.at - since))
        entry = RecordStage(
            stage=row.stage, state=row.state, at=utc_iso(since), elapsed_ms=elapsed_ms, detail=row.detail
        )
        if row.state == "started":
            begun[row.stage] = (len(stages), row.at)
            stages.append(entry)
        else:
            stages[index : index + 1] = [entry]
    return stages


def _cut_off(past: PastJob) -> ErrorFact:
    where = f"in the stage {past.stages[-1].stage}" if past.stages else "before its first stage"
    return ErrorFact(
        code=Interrupted.code,
        message=f"the program was killed {where}, or the power failed",
        hint="Run the same command again: it continues from the journal and the state of the module.",
    )
