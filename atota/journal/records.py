"""Makes the record of a job from what the journal holds of it, and nothing else.

So a job that ended by itself and one that was closed after its process died are told the same way.
"""

from typing import Any

from atota.clock import utc_iso
from atota.errors import Interrupted
from atota.journal.model import Past, Record, RecordStage, Verdict


def compose(past: Past, verdict: Verdict, *, cut_off: bool = False) -> Record:
    """The record of a job that ends with ``verdict``.

    Args:
        past: all that was written down of the job.
        verdict: how it ends.
        cut_off: its process died: the job ended when it was last seen, not when that was found out.
    """
    ended_at = past.last_seen if cut_off else verdict.at
    # What passed before the module was known may have been written down later, with its own time.
    started_at = min(past.opened_at, past.first_seen)
    elapsed = round(1000 * (ended_at - started_at))
    opened = past.opened
    return Record(
        id=past.id,
        run=past.run,
        attempt=past.attempt,
        outcome=verdict.outcome,
        exit_code=verdict.exit_code,
        started_at=utc_iso(started_at),
        ended_at=utc_iso(ended_at),
        duration_ms=elapsed if elapsed >= 0 else None,  # the machine's time was set back meanwhile
        resumes=opened.resumes,
        command=opened.command,
        port=opened.port,
        board=opened.board,
        adapter=past.fact("adapter") or opened.adapter,
        tool_version=past.tool_version or None,
        host=past.host or None,
        stages=_stages(past),
        error=past.fact("error") or (_cut_off(past) if cut_off else None),
        warnings=[str(fact["text"]) for fact in past.facts_of("warning") if "text" in fact],
        told=[str(fact["what"]) for fact in past.facts_of("told") if "what" in fact],
        task=past.fact("task"),
        package=past.fact("package"),
        written=past.fact("written"),
        transcript=past.fact("transcript"),
        **_module(past),
        **_versions(past, verdict),
        **_tally(past),
    )


def _module(past: Past) -> dict[str, Any]:
    module, dialect = past.fact("module") or {}, past.fact("dialect") or {}
    return {
        "imei": _text(module.get("imei")),
        "serial": _text(module.get("serial")),
        "manufacturer": _text(module.get("manufacturer")),
        "model": _text(module.get("model")),
        "revision": _text(module.get("revision")),
        "evidence": _text(module.get("evidence")),
        "dialect": _text(dialect.get("name") or module.get("dialect")),
        "dialect_digest": _text(dialect.get("digest")),
        "method": _text(dialect.get("method") or module.get("method")),
        "block": _whole(dialect.get("block")),
    }


def _versions(past: Past, verdict: Verdict) -> dict[str, Any]:
    module, target = past.fact("module") or {}, past.fact("target") or {}
    task, confirmed = past.fact("task") or {}, past.fact("confirmed") or {}
    after = confirmed.get("version")
    if after is None and verdict.outcome == "already-current":
        after = module.get("version")
    return {
        "version_before": _text(target.get("before") or module.get("version")),
        "version_target": _text(target.get("target") or task.get("target")),
        "version_after": _text(after),
    }


def _tally(past: Past) -> dict[str, Any]:
    tally = past.fact("tally") or {}
    return {name: _whole(tally.get(name)) for name in ("blocks", "retries", "longest_silence_ms", "boots")}


def _stages(past: Past) -> list[RecordStage]:
    """One line for each time that a stage was gone through: its beginning and its end together."""
    told: list[RecordStage] = []
    begun: dict[str, tuple[int, float]] = {}
    for step in past.steps:
        place, since = begun.pop(step.stage, (len(told), step.at))
        elapsed = step.elapsed_ms
        if elapsed is None and since < step.at:
            elapsed = round(1000 * (step.at - since))
        line = RecordStage(
            stage=step.stage, state=step.state, at=utc_iso(since), elapsed_ms=elapsed, detail=step.detail
        )
        if step.state == "started":
            begun[step.stage] = (len(told), step.at)
            told.append(line)
        else:
            told[place : place + 1] = [line]
    return told


def _cut_off(past: Past) -> dict[str, Any]:
    where = f"in the stage {past.steps[-1].stage}" if past.steps else "before its first stage"
    return {
        "code": Interrupted.code,
        "message": f"the program ended {where}, without a word: killed, or the power went",
        "hint": "Run the same command again: it goes on from what the journal and the module say.",
        "tried": [],
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
