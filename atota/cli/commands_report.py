"""The command that tells the platform what it could not be told before: report."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from atota.cli.command import Call, command
from atota.cli.options import JOURNAL, PLATFORM, SHOW
from atota.errors import UsageError

if TYPE_CHECKING:
    from atota.journal.store import Journal
    from atota.update.report import Delivery, Report


def declare(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(app, "report", PLATFORM, JOURNAL, SHOW, example="ATOTA_ACCESS_KEY=… atota report --pending")(
        report
    )


def report(
    call: Call,
    pending: Annotated[bool, typer.Option("--pending", help="Send all that waits, in order.")] = False,
) -> int:
    """Show the verdicts that the platform could not be told; with --pending, tell them now."""
    from atota.cli.keeping import opened_journal
    from atota.cli.wiring import opened_platform
    from atota.update.report import deliver_waiting, waiting

    call.out.begin()
    with opened_journal(call) as journal:
        if not pending:
            return _show(call, journal)
        if not waiting(journal):
            if not call.out.json:
                call.out.show("nothing waits to be told")
            call.done(told=[], waiting=0)
            return 0
        with opened_platform(call) as platform:
            deliveries = deliver_waiting(journal, platform)
        return _end(call, deliveries, len(waiting(journal)))


def _show(call: Call, journal: "Journal") -> int:
    from atota.update.report import waiting

    found = waiting(journal)
    if not call.out.json:
        for one, report in found:
            call.out.show(f"{one.job}  device {report.device}  {_words(report)}  for {report.server}")
        call.out.say(f"{len(found)} waiting; --pending sends them" if found else "nothing waits to be told")
    call.done(told=[], waiting=len(found), reports=[_fields(one.job, report) for one, report in found])
    return 0


def _end(call: Call, deliveries: "list[Delivery]", left: int) -> int:
    stuck = next((one for one in deliveries if one.how is None), None)
    if not call.out.json:
        for one in deliveries:
            mark = one.how or "still waits"
            call.out.show(
                f"{one.job}  device {one.report.device}  {_words(one.report)}  {mark}: {one.detail}"
            )
    fields = {"told": [_fields(one.job, one.report, one) for one in deliveries], "waiting": left}
    if stuck is not None:
        from atota.errors import ServerError

        error = ServerError(
            f"the platform could not be told everything: {stuck.detail}",
            hint="What waits is kept. Run `atota report --pending` again later.",
        )
        call.out.failure(error, **fields)
        return error.exit_code
    if left and not deliveries:
        raise UsageError(
            "what waits is for another platform",
            hint="Name it with --server; `atota report` shows what waits.",
        )
    call.done(**fields)
    return 0


def _words(report: "Report") -> str:
    status = [f"status {report.status}"] if report.status is not None else []
    return " and ".join([*status, *([f"version {report.version}"] if report.version is not None else [])])


def _fields(job: str, report: "Report", delivery: "Delivery | None" = None) -> dict[str, Any]:
    import msgspec

    fields = {"job": job, **msgspec.to_builtins(report)}
    return fields if delivery is None else {**fields, "how": delivery.how, "detail": delivery.detail}
