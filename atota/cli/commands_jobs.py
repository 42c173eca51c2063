"""Commands that change a module: flash, update."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atota.cli.command import Call, command
from atota.cli.options import JOURNAL, LINK, PLATFORM, SHOW, WRITE, option

if TYPE_CHECKING:
    from rich.text import Text

    from atota.cli.progress import JobView
    from atota.settings.spec import JobSpec
    from atota.update.events import JobResult
    from atota.update.plan import Goal
    from atota.values import Identity

_ANY_BASE = (
    option(
        "any_base",
        bool,
        "--any-base",
        default=False,
        help="The base version in the package's name does not count.",
    ),
)
_RESUME = (
    option(
        "resume",
        str | None,
        "--resume",
        metavar="RUN",
        help="Go on with this run; the module's newest one is found by itself.",
        rich_help_panel="Journal",
    ),
)
_NOTHING_TO_DO = frozenset({"already-current", "no-task"})
DETAILED = 10
"""Exit code of "nothing to do" with --detailed-exit-code."""


def declare(app: typer.Typer) -> None:
    """Add the commands to the application."""
    command(
        app,
        "flash",
        LINK,
        WRITE,
        _ANY_BASE,
        _RESUME,
        JOURNAL,
        SHOW,
        example="atota flash package.bin --md5 MD5 --target BC28JAR01A05 -p /dev/ttyUSB0",
    )(flash)
    command(
        app,
        "update",
        LINK,
        PLATFORM,
        WRITE,
        _RESUME,
        JOURNAL,
        SHOW,
        example="ATOTA_ACCESS_KEY=… atota update -p /dev/ttyUSB0 --product-id 123 --dev-id 6523",
    )(update)


def flash(
    call: Call,
    package: Annotated[Path, typer.Argument(metavar="PACKAGE", help="The package file.")],
    md5: Annotated[str, typer.Option(metavar="HEX", help="The MD5 that the package must have.")],
    target: Annotated[str, typer.Option(metavar="TEXT", help="The version that the module will print.")],
    sha256: Annotated[str | None, typer.Option(metavar="HEX", help="A SHA-256 it must have, too.")] = None,
) -> int:
    """Stream a local package into the module, start it, and confirm the new version. No platform is asked."""
    from atota.cli.wiring import job_spec
    from atota.settings.spec import LocalPackage
    from atota.values import checked_md5, checked_sha256

    digest = checked_sha256(sha256) if sha256 is not None else None
    spec = job_spec(call, package=LocalPackage(package, checked_md5(md5), target, digest))
    return _run(call, spec, None)


def update(
    call: Call,
    register: Annotated[
        bool, typer.Option("--register", help="Report the version before the check (a device's first time).")
    ] = False,
    report_refusals: Annotated[
        bool, typer.Option("--report-refusals", help="Tell the platform when thresholds are not met.")
    ] = False,
    sha256: Annotated[
        str | None, typer.Option(metavar="HEX", help="A SHA-256 that the package must have.")
    ] = None,
) -> int:
    """Do the whole job: ask, download, verify, write, start, survive the reboot, confirm, report."""
    from atota.cli.wiring import job_spec, opened_platform

    spec = job_spec(call, register=register, report_refusals=report_refusals, sha256=sha256)
    with opened_platform(call) as platform:
        return _run(call, spec, platform)


def _run(call: Call, spec: "JobSpec", platform: Any) -> int:
    from msgspec.structs import replace

    from atota.cli.keeping import opened_journal, tidy_transcript, transcript_path
    from atota.cli.progress import job_view
    from atota.cli.wiring import module_opener
    from atota.clock import SystemClock
    from atota.ota.cache import Cache
    from atota.ota.download import Downloader
    from atota.update.job import Job

    call.out.begin(port=spec.port)
    asked_for = call.settings.transcript is not None
    spec = replace(spec, transcript=transcript_path(call), keeps_transcript=asked_for)
    with ExitStack() as stack:
        journal = stack.enter_context(opened_journal(call))
        view = stack.enter_context(job_view(call.out, spec.port))
        job = Job(
            spec,
            platform=platform,
            downloader=Downloader(platform, SystemClock(), Cache()) if platform is not None else None,
            listener=view.listener,
            stop=call.stop,
            opener=module_opener(call, stack, spec),
            approve=_approver(call, view),
            journal=journal,
        )
        result = job.run()
    tidy_transcript(call, spec.transcript, result)
    return end_job(call, result, spec.transcript)


def _approver(call: Call, view: "JobView") -> Any:
    """Ask on a terminal, before the first change; nobody is there to ask otherwise."""
    import sys

    if call.options.get("yes") or call.out.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    from atota.cli.output import plain
    from atota.cli.prompt import asked

    def approve(identity: "Identity", wanted: "Goal") -> bool:
        what = f"{identity.model or 'the module'}: {identity.version or '?'} → {wanted.target}"
        with view.paused():
            return asked(f"Update {plain(what)}?")

    return approve


def end_job(call: Call, result: "JobResult", transcript: Path | None = None) -> int:
    """Tell what came of a job; return the exit code."""
    code = result.exit_code
    if call.options.get("detailed_exit_code") and result.outcome in _NOTHING_TO_DO:
        code = DETAILED
    fields = result_fields(result)
    fields["transcript"] = str(transcript) if transcript is not None and transcript.is_file() else None
    if result.error is not None:
        call.out.failure(result.error, **fields)
        _point_to(call, result, fields["transcript"])
        return code
    call.out.result(ok=code in (0, DETAILED), outcome=result.outcome, exit_code=code, **fields)
    if not call.out.json:
        call.out.show(_sentence(result))
        if result.outcome == "updated-unreported":
            call.out.say(
                "next: `atota report --pending` tells it, or the next job, once the platform can be reached."
            )
    return code


def _point_to(call: Call, result: "JobResult", transcript: str | None) -> None:
    """Where what happened is written down."""
    if result.record_id:
        call.out.say(f"  record:      atota records show {result.record_id}")
    if transcript is not None:
        call.out.say(f"  transcript:  {transcript}")


def _sentence(result: "JobResult") -> "Text":
    from atota.cli.output import styled

    name = (result.identity.model if result.identity is not None else None) or "the module"
    seconds = sum(result.stages_ms.values()) / 1000
    if result.outcome == "no-task":
        return styled("[bold]no-task[/]  the platform wants nothing of {}", name)
    if result.outcome == "already-current":
        return styled("[bold green]already-current[/]  {} runs {} already", name, result.version_after)
    change = f"{result.version_before} → {result.version_after}"
    done = f"{name}: {change}, {result.blocks} blocks in {seconds:.0f} s"
    return styled("[bold green]{}[/]  {}", result.outcome, done)


def result_fields(result: "JobResult") -> dict[str, Any]:
    """A job's result as JSON has it."""
    import msgspec

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
        "resumes": result.resumes,
        "warnings": result.warnings,
    }
