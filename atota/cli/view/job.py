"""The end of a job: as JSON has it, and for people."""

import shlex
from typing import Any

import msgspec
from rich.text import Text

from atota.cli.call import Call
from atota.cli.view.output import plural, styled
from atota.cli.view.proposal import proposal_fields, proposal_text
from atota.cli.wiring import journal_option
from atota.errors import Outcome
from atota.settings.spec import JobSpec
from atota.update.events import JobResult

_NOTHING_TO_DO = frozenset({Outcome.ALREADY_CURRENT, Outcome.NO_TASK})
DETAILED = 10
"""Exit code of "nothing to do" with --detailed-exit-code."""


def end_job(call: Call, spec: JobSpec, result: JobResult) -> int:
    """Print the end of a job; return the exit code."""
    kept = str(spec.transcript) if spec.transcript is not None and spec.transcript.is_file() else None
    fields = result_fields(result) | {"transcript": kept}
    if result.proposal is not None:
        fields["proposal"] = proposal_fields(result.proposal, spec)
    if result.error is not None:
        code = call.out.failure(result.error, **fields)
        if result.record_id:
            call.out.say(f"  record:      atota records show {result.record_id}{journal_option(call)}")
        if kept is not None:
            call.out.say(f"  transcript:  {kept}")
        return code
    code = result.exit_code
    if call.settings.detailed_exit_code and result.outcome in _NOTHING_TO_DO:
        code = DETAILED
    ok = code in (0, DETAILED)
    page = _sentence(result)
    if spec.dry_run and result.proposal is not None:
        page.append_text(Text("\n")).append_text(proposal_text(result.proposal, spec))
    call.out.result(page, ok=ok, outcome=result.outcome, exit_code=code, **fields)
    if result.outcome == Outcome.UPDATED_UNREPORTED and not call.out.json:
        call.out.say("next: once the platform can be reached, the next job reports it, or this command does:")
        call.out.say(f"  atota report --pending{_platform_options(call)}{journal_option(call)}")
    return code


def _platform_options(call: Call) -> str:
    """Return the options that name the job's platform; only the key is still needed."""
    settings = call.settings
    named = (
        ("--api", settings.api),
        ("--server", settings.server),
        ("--product-id", settings.product_id),
        ("--device-name", settings.device_name),
        ("--user-id", settings.user_id),
        ("--key-level", settings.key_level),
    )
    return "".join(f" {flag} {shlex.quote(value)}" for flag, value in named if value is not None)


def _sentence(result: JobResult) -> Text:
    name = (result.identity.model if result.identity is not None else None) or "the module"
    if result.outcome == Outcome.NO_TASK:
        return styled("[bold]no-task[/]  the platform has no task for {}", name)
    if result.outcome == Outcome.ALREADY_CURRENT:
        return styled("[bold green]already-current[/]  {} runs {} already", name, result.version_after)
    if result.outcome == Outcome.REFUSED:
        sentence = "[bold]not updated[/]  {} stays as it is, as you said[dim]  ({}, exit {})[/]"
        return styled(sentence, name, result.outcome, result.exit_code)
    if result.outcome == Outcome.DONE:
        return styled("[bold]dry run[/]  nothing stands against it, and nothing was written")
    seconds = sum(result.stages_ms.values()) / 1000
    change = f"{result.version_before} → {result.version_after}"
    blocks = f"{plural(result.blocks, 'block')} " if result.blocks else ""
    done = f"{name}: {change}, {blocks}in {seconds:.0f} s"
    return styled("[bold green]{}[/]  {}", result.outcome, done)


def result_fields(result: JobResult) -> dict[str, Any]:
    """Return a job's result as JSON has it."""
    return {
        "module": msgspec.to_builtins(result.identity),
        "task": result.task,
        "package": msgspec.to_builtins(result.package),
        "version_before": result.version_before,
        "version_after": result.version_after,
        "stages_ms": result.stages_ms,
        "blocks": result.blocks,
        "retries": result.retries,
        "record_id": result.record_id,
        "told": result.told,
        "resumes": result.resumes,
        "warnings": result.warnings,
    }
