"""The command that explains why a link is bad: doctor."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from atota.cli.call import Call
from atota.cli.platforms import opened_platform
from atota.cli.view.findings import findings_page
from atota.cli.wiring import opened_chip, opened_journal, opened_module
from atota.clock import Deadline, SystemClock
from atota.doctor.chip import examine_chip
from atota.doctor.examine import Request, examine_port, examine_unopened
from atota.doctor.findings import Finding, ending, summary
from atota.doctor.platform import PlatformSettings, examine_platform
from atota.doctor.timing import parse_size
from atota.errors import AtotaError, Interrupted, JobTimeout
from atota.journal.facts import line_subject
from atota.link import ports
from atota.link.state import LineState
from atota.module.reconnect import UsbAdapters
from atota.ota.base import Versions
from atota.ota.http import reach
from atota.ota.probe import Reached
from atota.ota.registry import chosen
from atota.settings.spec import job_spec

_REACH_S = 10.0


def doctor(
    call: Call,
    exchanges: Annotated[
        int,
        typer.Option("--exchanges", metavar="N", min=1, max=10_000, help="Commands to send to the module."),
    ] = 50,
    size: Annotated[
        str, typer.Option("--size", metavar="BYTES", help="Estimate the time of an update of so many bytes.")
    ] = "200k",
) -> int:
    """Print the findings; return the exit code of the worst."""
    settings = call.settings
    request = Request(
        exchanges=exchanges,
        size=parse_size(size),
        baud=settings.baud,
        transfer_baud=settings.transfer_baud,
        known=_known_line(call),
    )
    call.out.begin(port=call.port if call.names_port else None)
    findings: list[Finding] = []
    cut_off: AtotaError | None = None
    try:
        for finding in _examined(call, request):
            findings.append(finding)  # noqa: PERF402 - so that an interruption keeps the findings before it
    except (Interrupted, JobTimeout) as stopped:
        cut_off = stopped
    if findings:
        call.out.page(
            partial(findings_page, findings, summary(findings) if cut_off is None else "not finished")
        )
    error = cut_off or ending(findings)
    fields = msgspec.to_builtins(findings)
    if error is None:
        call.done(findings=fields)
        return 0
    return call.out.failure(error, findings=fields)


def _known_line(call: Call) -> LineState | None:
    """Return the state of the line in the last job on this port; None if the journal knows none."""
    settings = call.settings
    if settings.port is None or settings.journal is None or not settings.journal.exists():
        return None
    adapter = UsbAdapters().remember(settings.port)
    try:
        with opened_journal(call) as journal:
            fact = journal.line(
                line_subject(
                    adapter.serial_number if adapter is not None else None,
                    settings.port,
                    call.board.name if call.board is not None else None,
                )
            )
    except AtotaError:
        return None
    return None if fact is None else fact.state


def _examined(call: Call, request: Request) -> Iterator[Finding]:
    """Yield every finding, in the order of its making."""
    limit = Deadline(SystemClock(), call.settings.timeout_s)
    if call.settings.task_type == "sota" and call.names_port:
        yield from examine_chip(
            call.port, partial(opened_chip, call), note=lambda text: call.out.say(f"  {text} …")
        )
    elif not call.names_port:
        yield from _all_ports(request)
    else:
        yield from examine_port(
            call.port, partial(opened_module, call), request, note=lambda text: call.out.say(f"  {text} …")
        )
    if call.stop.is_set:
        raise Interrupted("stopped by the user")
    if limit.expired:
        raise JobTimeout("the time limit of the command is over")
    yield from examine_platform(
        _asked_platform(call), clock=limit.clock, look=partial(_look, limit, call.settings.ca_file)
    )


def _all_ports(request: Request) -> Iterator[Finding]:
    """Yield the findings of every serial port that need no opening."""
    infos = ports.list_ports()
    for info in infos:
        yield from examine_unopened(info, request)
    if not infos:
        next_ = "Check the cable, the adapter and its driver; `sim://BC28` is a port without hardware."
        yield Finding(
            group="port", check="ports", state="warning", says="this machine has no serial port", next=next_
        )
    else:
        next_ = "Give -p PORT: then the port is opened and the module behind it is asked."
        yield Finding(group="line", check="answer", state="unknown", says="no port was opened", next=next_)


def _look(limit: Deadline, ca_file: Path | None, server: str) -> Reached:
    timeout_s = max(0.1, min(_REACH_S, limit.remaining))
    return reach(server, clock=limit.clock, timeout_s=timeout_s, ca_file=ca_file)


def _asked_platform(call: Call) -> PlatformSettings | None:
    """Return the platform to examine; None if the user has set nothing of it."""
    settings = call.settings
    key, header = settings.access_key, settings.authorization
    if key is None and header is None and settings.server is None and settings.api is None:
        return None
    _, server = chosen(settings.api, settings.server)
    return PlatformSettings(
        server=server,
        product_id=settings.product_id,
        device_name=settings.device_name,
        user_id=settings.user_id,
        key_level=settings.key_level,
        ttl_s=settings.auth_ttl_s,
        key=key.read if key is not None else None,
        authorization=header.read if header is not None else None,
        versions=partial(_versions, call),
    )


def _versions(call: Call) -> Versions | None:
    """Return the versions that the platform has of the device; None if its API has no such query."""
    with opened_platform(call) as platform:
        if not platform.capabilities.has_version_query:
            return None
        spec = job_spec(call.settings, call.board, port="")
        return platform.versions(spec.device(platform.capabilities.naming))
