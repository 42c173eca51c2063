"""Commands that ask the platform: check, download."""

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from atota.cli.call import Call
from atota.cli.platforms import opened_platform
from atota.cli.view.progress import transfer_bar
from atota.cli.wiring import opened_chip, opened_module
from atota.clock import SystemClock
from atota.errors import ConfigError, Outcome, UsageError
from atota.module.identify import CONDITIONS, require_consistent
from atota.module.module import expected_row
from atota.ota.base import Capabilities, CheckQuery, Platform, Task
from atota.ota.cache import Cache
from atota.ota.download import Downloader
from atota.settings.spec import job_spec
from atota.update.package import task_query
from atota.values import Identity

_NO_TASK = "no task: the platform has none for this device"
_Signals = Annotated[int | None, typer.Option("--signals", metavar="CSQ", help="Signal to send, 0-31.")]
_Powers = Annotated[int | None, typer.Option("--powers", metavar="PERCENT", help="Battery to send.")]


def check(
    call: Call,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the request, secrets masked; send nothing.")
    ] = False,
    signals: _Signals = None,
    powers: _Powers = None,
) -> None:
    """Print the platform's task for the device, or the request that would ask for it."""
    call.out.begin()
    with opened_platform(call) as platform:
        query = _query(call, platform, signals, powers)
        if dry_run:
            request = platform.dry_run(query)
            call.done(_request_page(request), request=request)
            return
        task = platform.check(query)
    if task is None:
        call.done(_NO_TASK, outcome=Outcome.NO_TASK, task=None)
    else:
        page = _task_page(query, task, platform.capabilities)
        call.done(page, outcome=Outcome.TASK, task=task_fields(task))


def _request_page(request: Mapping[str, Any]) -> str:
    headers = (f"{name}: {value}" for name, value in request["headers"].items())
    return "\n".join([f"{request['method']} {request['url']}", *headers])


def _task_page(query: CheckQuery, task: Task, capabilities: Capabilities) -> str:
    lines = (
        f"task        {query.version} → {task.target} ({capabilities.words(task.kind)})",
        f"package     {task.size} bytes, md5 {task.md5}",
    )
    if not capabilities.has_thresholds:
        return "\n".join(lines)
    return "\n".join(
        (
            *lines,
            f"conditions  signal above {task.signal}, battery above {task.power} % (0: none)",
            f"retries     {task.retry}, {task.interval} s apart",
        )
    )


def task_fields(task: Task) -> dict[str, Any]:
    """Return a task as JSON has it: everything but the token."""
    fields: dict[str, Any] = msgspec.to_builtins(task)
    del fields["token"]
    return fields


def _query(call: Call, platform: Platform, signals: int | None, powers: int | None) -> CheckQuery:
    """Return the check request: of the module if a port is given, else of the options alone."""
    settings, capabilities = call.settings, platform.capabilities
    spec = job_spec(settings, call.board, port=settings.port or "")
    spec.device(capabilities.naming)  # before the port is opened
    if settings.port is not None or (call.names_port and settings.fw_version is None):
        identity = _identity_on_port(call, capabilities)
    else:
        identity = _identity_given(call, capabilities)
    if signals is not None:
        identity = msgspec.structs.replace(identity, signal=signals)
    if powers is not None:
        identity = msgspec.structs.replace(identity, battery_percent=powers)
    return task_query(spec, identity, capabilities)


def _identity_on_port(call: Call, capabilities: Capabilities) -> Identity:
    if call.settings.task_type == "sota":
        with opened_chip(call) as chip:
            return chip.identify()
    with opened_module(call) as module:
        identity = module.identify(without=() if capabilities.has_thresholds else CONDITIONS)
        if module.findings is not None:
            require_consistent(module.findings)
    return identity


def _identity_given(call: Call, capabilities: Capabilities) -> Identity:
    settings = call.settings
    if not capabilities.needs_codes:
        if settings.fw_version is None:
            raise UsageError(
                "without a port, the version must be given", hint="Give -p PORT, or --fw-version TEXT."
            )
        return Identity(model=settings.model, version=settings.fw_version)
    if settings.model is None or settings.fw_version is None:
        raise UsageError(
            "without a port, the model and the version must be given",
            hint="Give -p PORT, or --model MODEL and --fw-version TEXT.",
        )
    row = expected_row(settings.model, settings.task_type)
    return Identity(
        model=row.model, version=settings.fw_version, manuf_code=row.manuf_code, model_code=row.model_code
    )


def download(
    call: Call,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Copy the verified package to FILE.")
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(metavar="HEX", help="A SHA-256 that the package must have, too.")
    ] = None,
    signals: _Signals = None,
    powers: _Powers = None,
) -> None:
    """Fetch and verify the package of the platform's task."""
    call.out.begin()
    with opened_platform(call) as platform, ExitStack() as stack:
        query = _query(call, platform, signals, powers)
        task = platform.check(query)
        if task is None:
            call.done(_NO_TASK, outcome=Outcome.NO_TASK, task=None)
            return
        bar = stack.enter_context(transfer_bar(call.out, "download", task.size))
        package = Downloader(platform, SystemClock(), Cache(call.settings.cache)).fetch(
            task,
            query.dev_id,
            sha256=sha256,
            stop=call.stop,
            on_progress=bar,
            on_wait=lambda why, seconds: call.out.say(f"{why}; waiting {seconds:g} s"),
        )
    if output is not None:
        call.out.warn_if_replaced(output)
    path = package.path if output is None else _copy(package.path, output)
    digests = package.digests
    fields = {"path": str(path), "size": digests.size, "md5": digests.md5, "sha256": digests.sha256}
    call.done(f"{path}  {digests.size} bytes  md5 {digests.md5}", task=task_fields(task), package=fields)


def _copy(path: Path, output: Path) -> Path:
    try:
        shutil.copyfile(path, output)
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}") from error
    return output
