"""The command that sends the reports which the platform has not received: report."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer

from atota.cli.call import Call
from atota.cli.platforms import platform_of
from atota.cli.wiring import opened_journal
from atota.errors import ServerError, UsageError
from atota.journal.store import Journal
from atota.settings.table import Settings
from atota.update.report import Delivery, Report, deliver_waiting, waiting
from atota.values import parse_server

_NOTHING = "nothing waits to be reported"


def report(
    call: Call,
    pending: Annotated[bool, typer.Option("--pending", help="Send all that wait, in order.")] = False,
) -> int:
    """Print the waiting reports, or send them; return the exit code."""
    call.out.begin()
    with opened_journal(call) as journal:
        if not pending:
            return _list(call, journal)
        reports = [report for _, report in waiting(journal)]
        if not reports:
            call.done(_NOTHING, told=[], waiting=0)
            return 0
        deliveries: list[Delivery] = []
        for settings in _platforms(call.settings, reports):
            with platform_of(settings, call.out, call.stop) as platform:
                deliveries += deliver_waiting(journal, platform)
        return _end(call, deliveries, len(waiting(journal)))


def _platforms(settings: Settings, reports: Sequence[Report]) -> list[Settings]:
    """Return the settings of each platform that reports wait for; the user's own, if they name one.

    The journal knows server, API and device of each: only the key has to be given.
    """
    if settings.server is not None or settings.api is not None:
        return [settings]
    platforms: list[Settings] = []
    for report in reports:
        product, _, name = report.device.rpartition("/")
        named = msgspec.structs.replace(
            settings,
            server=parse_server(report.server),
            api=report.api or None,
            product_id=settings.product_id or product or report.product or None,
            device_name=settings.device_name or (name if product else None),
        )
        if named not in platforms:
            platforms.append(named)
    return platforms


def _list(call: Call, journal: Journal) -> int:
    reports = waiting(journal)
    lines = [
        f"{one.job}  device {report.device}  {_words(report)}  for {_platform_name(report)}"
        for one, report in reports
    ]
    call.done(
        "\n".join(lines) if lines else None,
        told=[],
        waiting=len(reports),
        reports=[_fields(one.job, report) for one, report in reports],
    )
    call.out.say(f"{len(reports)} waiting; --pending sends them" if reports else _NOTHING)
    return 0


def _end(call: Call, deliveries: Sequence[Delivery], still_waiting: int) -> int:
    for one in deliveries:
        mark = one.how or "still waits"
        call.out.page(f"{one.job}  device {one.report.device}  {_words(one.report)}  {mark}: {one.detail}")
    fields: dict[str, Any] = {
        "told": [_fields(one.job, one.report) | {"how": one.how, "detail": one.detail} for one in deliveries],
        "waiting": still_waiting,
    }
    stuck = next((one for one in deliveries if one.how is None), None)
    if stuck is not None:
        error = ServerError(
            f"not every report was sent: {stuck.detail}",
            hint="The other reports are kept. Run `atota report --pending` again later.",
        )
        return call.out.failure(error, **fields)
    if still_waiting and not deliveries:
        raise UsageError(
            "the waiting reports are for another platform",
            hint="Name it with --server and --api, and the device if the key is a device's; `atota report` "
            "shows what waits.",
        )
    call.done(**fields)
    return 0


def _words(report: Report) -> str:
    status = [f"status {report.status}"] if report.status is not None else []
    return " and ".join([*status, *([f"version {report.version}"] if report.version is not None else [])])


def _platform_name(report: Report) -> str:
    return f"{report.server} ({report.api})" if report.api else report.server


def _fields(job: str, report: Report) -> dict[str, Any]:
    return {"job": job, **msgspec.to_builtins(report)}
