"""Commands that ask the platform: check, download."""

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atota.cli.command import Call, command
from atota.cli.options import LINK, PLATFORM, SHOW, option
from atota.errors import UsageError

if TYPE_CHECKING:
    from atota.ota.base import CheckQuery, Platform, Task
    from atota.values import Identity

_GIVEN = (
    option("signals", int | None, "--signals", metavar="CSQ", help="Signal to send, 0-31."),
    option("powers", int | None, "--powers", metavar="PERCENT", help="Battery to send."),
)


def declare(app: typer.Typer) -> None:
    """Add the commands to the application."""
    command(
        app,
        "check",
        LINK,
        PLATFORM,
        _GIVEN,
        SHOW,
        example="ATOTA_ACCESS_KEY=… atota check -p /dev/ttyUSB0 --product-id 123 --dev-id 6523 --dry-run",
    )(check)
    command(
        app,
        "download",
        LINK,
        PLATFORM,
        _GIVEN,
        SHOW,
        example="ATOTA_ACCESS_KEY=… atota download -p /dev/ttyUSB0 --product-id 123 --dev-id 6523 -o new.bin",
    )(download)


def check(
    call: Call,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the request, secrets masked; send nothing.")
    ] = False,
) -> None:
    """Ask the platform for a task, and show it. Not harmless: the platform stores the version it is sent."""
    from atota.cli.wiring import opened_platform

    call.out.begin()
    with opened_platform(call) as platform:
        query = _query(call, platform)
        if dry_run:
            request = platform.dry_run(query)
            if not call.out.json:
                _show_request(call, request)
            call.done(request=request)
            return
        task = platform.check(query)
    if task is None:
        call.out.show("no task: the platform wants nothing of this device")
        call.done(outcome="no-task", task=None)
        return
    if not call.out.json:
        _show_task(call, query, task)
    call.done(outcome="task", task=task_fields(task))


def _show_request(call: Call, request: dict[str, Any]) -> None:
    call.out.show(f"{request['method']} {request['url']}")
    for name, value in request["headers"].items():
        call.out.show(f"{name}: {value}")


def _show_task(call: Call, query: "CheckQuery", task: "Task") -> None:
    call.out.show(f"task        {query.version} → {task.target} ({task.kind})")
    call.out.show(f"package     {task.size} bytes, md5 {task.md5}")
    call.out.show(f"conditions  signal above {task.signal}, battery above {task.power} % (0: none)")
    call.out.show(f"retries     {task.retry}, {task.interval} s apart")


def task_fields(task: "Task") -> dict[str, Any]:
    """A task as JSON has it: everything but the token."""
    import msgspec

    fields: dict[str, Any] = msgspec.to_builtins(task)
    del fields["token"]
    return fields


def _query(call: Call, platform: "Platform") -> "CheckQuery":
    """The question, from the module if a port is given, else from the options alone."""
    from atota.settings.spec import JobSpec
    from atota.update.package import task_query

    settings = call.settings
    if settings.dev_id is None:
        raise UsageError(
            "the platform's device id is missing", hint="Give --dev-id, as the console shows it."
        )
    identity = _identity_on_port(call) if settings.port is not None else _identity_given(call)
    spec = JobSpec(
        port=settings.port or "",
        dev_id=settings.dev_id,
        task_type=settings.type,
        fw_version=settings.fw_version,
        cdn=bool(call.options.get("cdn")),
    )
    return task_query(spec, identity, platform.capabilities)


def _identity_on_port(call: Call) -> "Identity":
    from atota.cli.wiring import opened_module
    from atota.module.identify import require_consistent

    with opened_module(call) as module:
        identity = module.identify()
        if module.findings is not None:
            require_consistent(module.findings)
    return _overridden(call, identity)


def _identity_given(call: Call) -> "Identity":
    from atota.module.module import expected_row
    from atota.values import Identity

    settings = call.settings
    if settings.model is None or settings.fw_version is None:
        raise UsageError(
            "without a port, the model and the version must be given",
            hint="Give -p PORT, or --model MODEL and --fw-version TEXT.",
        )
    row = expected_row(settings.model, settings.type)
    identity = Identity(
        model=row.model, version=settings.fw_version, manuf_code=row.manuf_code, model_code=row.model_code
    )
    return _overridden(call, identity)


def _overridden(call: Call, identity: "Identity") -> "Identity":
    import msgspec

    given = {"signal": call.options.get("signals"), "battery_percent": call.options.get("powers")}
    return msgspec.structs.replace(
        identity, **{name: value for name, value in given.items() if value is not None}
    )


def download(
    call: Call,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Copy the verified package to FILE.")
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(metavar="HEX", help="A SHA-256 that the package must have, too.")
    ] = None,
) -> None:
    """Ask for a task, then fetch and verify its package: into the cache that all ports share, or FILE."""
    from atota.cli.progress import transfer_bar
    from atota.cli.wiring import opened_platform
    from atota.clock import SystemClock
    from atota.errors import ConfigError
    from atota.ota.cache import Cache
    from atota.ota.download import Downloader

    call.out.begin()
    with opened_platform(call) as platform, ExitStack() as stack:
        query = _query(call, platform)
        task = platform.check(query)
        if task is None:
            call.out.show("no task: the platform wants nothing of this device")
            call.done(outcome="no-task", task=None)
            return
        bar = stack.enter_context(transfer_bar(call.out, "download", task.size))
        package = Downloader(platform, SystemClock(), Cache()).fetch(
            task,
            query.dev_id,
            sha256=sha256,
            stop=call.stop,
            on_progress=bar,
            on_wait=lambda why, seconds: call.out.say(f"{why}; waiting {seconds:g} s"),
        )
    path = package.path
    if output is not None:
        try:
            shutil.copyfile(path, output)
        except OSError as error:
            raise ConfigError(f"{output} cannot be written: {error.strerror}") from error
        path = output
    digests = package.digests
    if not call.out.json:
        call.out.show(f"{path}  {digests.size} bytes  md5 {digests.md5}")
    fields = {"path": str(path), "size": digests.size, "md5": digests.md5, "sha256": digests.sha256}
    call.done(task=task_fields(task), package=fields)
