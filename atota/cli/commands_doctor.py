"""The command that says why a link is bad: doctor."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from atota.cli.command import Call, command
from atota.cli.options import LINK, PLATFORM, SHOW

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from atota.clock import Deadline
    from atota.doctor.examine import Request
    from atota.doctor.findings import Finding
    from atota.doctor.platform import PlatformSettings
    from atota.errors import AtotaError
    from atota.module.module import Module
    from atota.ota.reached import Reached

_REACH_S = 10.0
_COLOURS = {"ok": "green", "warning": "yellow", "bad": "bold red", "unknown": "cyan"}


def declare(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(app, "doctor", LINK, PLATFORM, SHOW, example="atota doctor -p /dev/ttyUSB0 --size 200k")(doctor)


def doctor(
    call: Call,
    exchanges: Annotated[
        int, typer.Option("--exchanges", metavar="N", min=1, max=10_000, help="Questions to ask the module.")
    ] = 50,
    size: Annotated[
        str, typer.Option("--size", metavar="BYTES", help="Tell the time of an update of so many bytes.")
    ] = "200k",
) -> int:
    """Say why a link is bad, and what to do about it: port, line, module, platform. Changes nothing.

    Without a port every serial port is looked at, and none is opened.
    """
    import msgspec

    from atota.doctor.examine import Request
    from atota.doctor.findings import ending, summary
    from atota.doctor.timing import parse_size
    from atota.errors import Interrupted, JobTimeout

    settings = call.settings
    raised = call.board.serial.transfer_baud if call.board is not None else None
    request = Request(exchanges=exchanges, size=parse_size(size), baud=settings.baud, transfer_baud=raised)
    call.out.begin(port=settings.port)
    found: list[Finding] = []
    error: AtotaError | None = None
    try:
        for finding in _examined(call, request):
            found.append(finding)  # noqa: PERF402 - so that an interruption keeps what there is
    except (Interrupted, JobTimeout) as over:  # what was found so far is told all the same
        error = over
    error = error or ending(found)
    if not call.out.json and found:
        call.out.show(_page(found))
        call.out.show(summary(found) if not isinstance(error, Interrupted | JobTimeout) else "not finished")
    told = msgspec.to_builtins(found)
    if error is None:
        call.done(findings=told)
        return 0
    call.out.failure(error, findings=told)
    return error.exit_code


def _examined(call: Call, request: "Request") -> "Iterator[Finding]":
    """Everything there is to find, in the order of its making."""
    from atota.clock import Deadline, SystemClock
    from atota.doctor.examine import examine_port
    from atota.doctor.platform import examine_platform
    from atota.errors import Interrupted, JobTimeout

    limit = Deadline(SystemClock(), call.settings.timeout_s)
    if call.settings.port is None:
        yield from _all_ports(request)
    else:
        yield from examine_port(
            call.port, partial(_opened, call), request, note=lambda text: call.out.say(f"  {text} …")
        )
    if call.stop.is_set:
        raise Interrupted("stopped by the user")
    if limit.expired:
        raise JobTimeout("the time limit of the command is over")
    yield from examine_platform(_asked(call), clock=limit.clock, look=partial(_look, limit))


def _all_ports(request: "Request") -> "Iterator[Finding]":
    """Every serial port, as far as it can be told without opening it."""
    from atota.doctor.examine import examine_unopened
    from atota.doctor.findings import Finding
    from atota.link.ports import list_ports

    ports = list_ports()
    for info in ports:
        yield from examine_unopened(info, request)
    if not ports:
        next_ = "Check the cable, the adapter and its driver; `sim://BC28` is a port without hardware."
        yield Finding(
            group="port", check="ports", state="warning", says="no serial port is here at all", next=next_
        )
    else:
        next_ = "Give -p PORT: then the port is opened and the module behind it is asked."
        yield Finding(group="line", check="answer", state="unknown", says="no port was opened", next=next_)


def _opened(call: Call) -> "AbstractContextManager[Module]":
    from atota.cli.wiring import opened_module

    return opened_module(call)


def _look(limit: "Deadline", server: str) -> "Reached":
    from atota.ota.client import reach

    return reach(server, clock=limit.clock, timeout_s=max(0.1, min(_REACH_S, limit.remaining)))


def _asked(call: Call) -> "PlatformSettings | None":
    """What the settings say of the platform; None if the user has set nothing of it."""
    from atota.doctor.platform import PlatformSettings

    settings = call.settings
    key, header = settings.access_key, settings.authorization
    if key is None and header is None and settings.origin["server"] == "built-in":
        return None
    return PlatformSettings(
        server=settings.server,
        product_id=settings.product_id,
        device_name=settings.device_name,
        ttl_s=settings.auth_ttl_s,
        key=key.read if key is not None else None,
        authorization=header.read if header is not None else None,
    )


def _page(findings: "Sequence[Finding]") -> "RenderableType":
    """The findings as people read them: by group, each with its mark, and what to do."""
    from rich.console import Group

    from atota.cli.output import styled
    from atota.doctor.findings import GROUPS

    width = max(len(finding.check) for finding in findings)
    parts: list[RenderableType] = []
    for group in GROUPS:
        here = [finding for finding in findings if finding.group == group]
        for name in dict.fromkeys(finding.port for finding in here):
            parts.append(styled("[bold]{}[/]{}", group, f"  {name}" if group == "port" and name else ""))
            parts.append(_table([finding for finding in here if finding.port == name], width))
    return Group(*parts)


def _table(findings: "Sequence[Finding]", width: int) -> "Table":
    from rich.table import Table
    from rich.text import Text

    from atota.cli.output import plain

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(width=2 + len("warning"), no_wrap=True)
    table.add_column(width=width, no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        mark = Text(f"  {finding.state}", _COLOURS[finding.state])
        table.add_row(mark, finding.check, plain(finding.says))
        if finding.next:
            table.add_row("", "", Text.assemble(("next: ", "bold"), plain(finding.next)))
    return table
