"""Commands that change a module: flash, update."""

import sys
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from atota.cli.call import Call
from atota.cli.known import known_of
from atota.cli.platforms import opened_platform
from atota.cli.transcripts import tidy_transcript, transcript_path
from atota.cli.view.job import end_job
from atota.cli.view.output import plain, write
from atota.cli.view.progress import JobView, job_view
from atota.cli.view.prompt import confirm
from atota.cli.view.proposal import proposal_text
from atota.cli.wiring import chip_opener, module_opener, opened_journal
from atota.clock import SystemClock
from atota.errors import UsageError
from atota.ota.base import Platform
from atota.ota.cache import Cache
from atota.ota.download import Downloader
from atota.ota.package import verify_file
from atota.ota.sidecar import stated_digests
from atota.settings.adapter import is_missing
from atota.settings.spec import JobSpec, LocalPackage, job_spec
from atota.update.events import JobEvent
from atota.update.job import Job, require_possible
from atota.update.plan import Goal, Proposal
from atota.values import Identity, checked_md5, checked_sha256

_DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show module, method, package and time; write nothing.")
]


def flash(
    call: Call,
    package: Annotated[Path, typer.Argument(metavar="PACKAGE", help="The package file.")],
    target: Annotated[str, typer.Option(metavar="TEXT", help="The version that the module will print.")],
    md5: Annotated[
        str | None,
        typer.Option(
            metavar="HEX",
            help="The MD5 that the package must have. Without it: PACKAGE.md5 or SHA256SUMS beside it.",
        ),
    ] = None,
    sha256: Annotated[str | None, typer.Option(metavar="HEX", help="A SHA-256 it must have, too.")] = None,
    dry_run: _DryRun = False,
) -> int:
    """Run a job with a package of this machine; return the exit code."""
    local = _local(call, package, md5, sha256, _target(target))
    spec = job_spec(call.settings, call.board, port=call.port, package=local, dry_run=dry_run)
    return _run(call, spec, None)


def _local(call: Call, package: Path, md5: str | None, sha256: str | None, target: str) -> LocalPackage:
    """Return the package with the digests that the user gave, else with those that lie beside it.

    Raises:
        UsageError: there are none.
    """
    sha256 = checked_sha256(sha256) if sha256 is not None else None
    if md5 is None and sha256 is None:
        stated = stated_digests(package)
        md5, sha256 = stated.md5, stated.sha256
        if not stated.files:
            raise UsageError(
                f"no digest of {package.name} was given",
                hint=f"Give --md5 HEX, or put {package.name}.md5 or SHA256SUMS beside the package.",
            )
        call.out.say(f"  the digest of the package is that of {', '.join(stated.files)}")
    if md5 is None:  # the SHA-256 vouches for it
        md5 = verify_file(package, sha256=sha256).md5
    return LocalPackage(package, checked_md5(md5), target, sha256)


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
    dry_run: _DryRun = False,
) -> int:
    """Run a job with the platform's task; return the exit code."""
    spec = job_spec(
        call.settings,
        call.board,
        port=call.port,
        register=register,
        report_refusals=report_refusals,
        sha256=sha256,
        dry_run=dry_run,
    )
    if dry_run and call.settings.access_key is None and call.settings.authorization is None:
        call.out.say("the platform is not asked: there is no access key")
        return _run(call, spec, None)
    with opened_platform(call) as platform:
        return _run(call, spec, platform)


def _run(call: Call, spec: JobSpec, platform: Platform | None) -> int:
    _require_word(call, spec, platform)
    call.out.begin(port=spec.port)
    if spec.dry_run and (known := known_of(call)) is not None:
        call.out.warn(known)
    is_wanted = spec.transcript is not None
    spec = replace(spec, transcript=transcript_path(call), keeps_transcript=is_wanted)
    with ExitStack() as stack:
        journal = stack.enter_context(nullcontext() if spec.dry_run else opened_journal(call))
        view = stack.enter_context(job_view(call.out, spec.port))
        approval = _Approval(view, spec)
        job = Job(
            spec,
            platform=platform,
            downloader=_downloader(call, platform),
            listener=approval.listen,
            stop=call.stop,
            **_opening(call, spec, stack),
            approve=approval if _may_ask(call) else None,
            journal=journal,
        )
        result = job.run()
    tidy_transcript(call, spec.transcript, result)
    return end_job(call, spec, result)


def _opening(call: Call, spec: JobSpec, stack: ExitStack) -> dict[str, Any]:
    """Return the openers of a job's target, as `Job` has them."""
    if spec.task_type == "sota":
        return {"targets": chip_opener(call, spec, stack)}
    return {"opener": module_opener(call, spec, stack)}


def _downloader(call: Call, platform: Platform | None) -> Downloader | None:
    return None if platform is None else Downloader(platform, SystemClock(), Cache(call.settings.cache))


def _may_ask(call: Call) -> bool:
    """True if the user is there to be asked before the first change."""
    return not (call.settings.yes or call.out.json) and sys.stdin.isatty() and sys.stderr.isatty()


def _require_word(call: Call, spec: JobSpec, platform: Platform | None) -> None:
    """Refuse to update without the user's word. A program that reads `--json` has given it by its call.

    A job that cannot begin at all fails by itself, with its own reason.

    Raises:
        UsageError: the word was not given, and cannot be asked for here.
    """
    if call.settings.yes or spec.dry_run or call.out.json or _may_ask(call):
        return
    require_possible(spec, platform)
    if is_missing(spec.port):
        return
    raise UsageError(
        f"{spec.port}: an update must be confirmed, and there is no terminal to ask on",
        hint="Give --yes to confirm it beforehand, or --dry-run to see what would be done.",
    )


class _Approval:
    """The question before the first change, on the terminal that otherwise shows the job."""

    def __init__(self, view: JobView, spec: JobSpec) -> None:
        self._view = view
        self._spec = spec
        self._proposal: Proposal | None = None

    def listen(self, event: JobEvent) -> None:
        """Keep what is to be asked, and show the event."""
        if isinstance(event, Proposal):
            self._proposal = event
        self._view.listener(event)

    def __call__(self, identity: Identity, goal: Goal, /) -> bool:
        change = f"{identity.model or 'the module'}: {identity.version or '?'} → {goal.target}"
        with self._view.paused():
            if self._proposal is not None:
                write(proposal_text(self._proposal, self._spec), stderr=True)
            return confirm(f"Update {plain(change)}?")
