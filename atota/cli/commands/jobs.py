"""Commands that change a module: flash, update."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from atota.cli.call import Call
from atota.cli.platforms import opened_platform
from atota.cli.transcripts import tidy_transcript, transcript_path
from atota.cli.view.job import end_job
from atota.cli.view.output import plain
from atota.cli.view.progress import JobView, job_view
from atota.cli.view.prompt import confirm
from atota.cli.wiring import chip_opener, module_opener, opened_journal
from atota.clock import SystemClock
from atota.errors import UsageError
from atota.ota.base import Platform
from atota.ota.cache import Cache
from atota.ota.download import Downloader
from atota.settings.spec import JobSpec, LocalPackage, job_spec
from atota.update.job import Job
from atota.update.plan import Goal
from atota.values import Identity, checked_md5, checked_sha256


def flash(
    call: Call,
    package: Annotated[Path, typer.Argument(metavar="PACKAGE", help="The package file.")],
    md5: Annotated[str, typer.Option(metavar="HEX", help="The MD5 that the package must have.")],
    target: Annotated[str, typer.Option(metavar="TEXT", help="The version that the module will print.")],
    sha256: Annotated[str | None, typer.Option(metavar="HEX", help="A SHA-256 it must have, too.")] = None,
) -> int:
    """Run a job with a package of this machine; return the exit code."""
    digest = checked_sha256(sha256) if sha256 is not None else None
    local = LocalPackage(package, checked_md5(md5), _target(target), digest)
    return _run(call, job_spec(call.settings, call.board, port=call.port, package=local), None)


def _target(text: str) -> str:
    target = text.strip()
    if not target:
        raise UsageError(
            "--target is empty", hint="Give the version that the module prints after the update."
        )
    return target


def update(
    call: Call,
    register: Annotated[
        bool, typer.Option("--register", help="Report the version before the check (a device's first time).")
    ] = False,
    report_refusals: Annotated[
        bool, typer.Option("--report-refusals", help="Report it to the platform when thresholds are not met.")
    ] = False,
    sha256: Annotated[
        str | None, typer.Option(metavar="HEX", help="A SHA-256 that the package must have.")
    ] = None,
) -> int:
    """Run a job with the platform's task; return the exit code."""
    spec = job_spec(
        call.settings,
        call.board,
        port=call.port,
        register=register,
        report_refusals=report_refusals,
        sha256=sha256,
    )
    with opened_platform(call) as platform:
        return _run(call, spec, platform)


def _run(call: Call, spec: JobSpec, platform: Platform | None) -> int:
    call.out.begin(port=spec.port)
    is_wanted = spec.transcript is not None
    spec = replace(spec, transcript=transcript_path(call), keeps_transcript=is_wanted)
    with ExitStack() as stack:
        journal = stack.enter_context(opened_journal(call))
        view = stack.enter_context(job_view(call.out, spec.port))
        job = Job(
            spec,
            platform=platform,
            downloader=_downloader(call, platform),
            listener=view.listener,
            stop=call.stop,
            opener=module_opener(call, spec, stack),
            targets=chip_opener(call, spec, stack) if spec.task_type == "sota" else None,
            approve=_Approval(view) if _may_ask(call) else None,
            journal=journal,
        )
        result = job.run()
    tidy_transcript(call, spec.transcript, result)
    return end_job(call, result, spec.transcript)


def _downloader(call: Call, platform: Platform | None) -> Downloader | None:
    return None if platform is None else Downloader(platform, SystemClock(), Cache(call.settings.cache))


def _may_ask(call: Call) -> bool:
    """True if the user is there to be asked before the first change."""
    return not (call.settings.yes or call.out.json) and sys.stdin.isatty() and sys.stderr.isatty()


class _Approval:
    """The question before the first change, on the terminal that otherwise shows the job."""

    def __init__(self, view: JobView) -> None:
        self._view = view

    def __call__(self, identity: Identity, goal: Goal, /) -> bool:
        change = f"{identity.model or 'the module'}: {identity.version or '?'} → {goal.target}"
        with self._view.paused():
            return confirm(f"Update {plain(change)}?")
