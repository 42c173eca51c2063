"""The command that tells the platform what it could not be told before: report."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from atota.cli.command import Call, command
from atota.cli.options import JOURNAL, PLATFORM, SHOW
from atota.errors import UsageError

if TYPE_CHECKING:
    from atota.journal.store import Journal
    from atota.update.outbox import Told


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
    from atota.update.outbox import deliver, waiting

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
            told = deliver(journal, platform, platform.server)
        return _end(call, told, len(waiting(journal)))


def _show(call: Call, journal: "Journal") -> int:
    from atota.update.outbox import waiting

    found = waiting(journal)
    if not call.out.json:
        for one, verdict in found:
            call.out.show(f"{one.job}  device {verdict.dev_id}  {_words(verdict)}  for {verdict.place}")
        call.out.say(f"{len(found)} waiting; --pending sends them" if found else "nothing waits to be told")
    call.done(told=[], waiting=len(found), reports=[_fields(one.job, verdict) for one, verdict in found])
    return 0


def _end(call: Call, told: "list[Told]", left: int) -> int:
    stuck = next((one for one in told if one.how is None), None)
    if not call.out.json:
        for one in told:
            mark = one.how or "still waits"
            call.out.show(
                f"{one.job}  device {one.verdict.dev_id}  {_words(one.verdict)}  {mark}: {one.detail}"
            )
    fields = {"told": [_fields(one.job, one.verdict, one) for one in told], "waiting": left}
    if stuck is not None:
        from atota.errors import ServerError

        error = ServerError(
            f"the platform could not be told everything: {stuck.detail}",
            hint="What waits is kept. Run `atota report --pending` again later.",
        )
        call.out.failure(error, **fields)
        return error.exit_code
    if left and not told:
        raise UsageError(
            "what waits is for another platform",
            hint="Name it with --server; `atota report` shows what waits.",
        )
    call.done(**fields)
    return 0


def _words(verdict: Any) -> str:
    what = [f"status {verdict.status}"] if verdict.status is not None else []
    return " and ".join([*what, *([f"version {verdict.version}"] if verdict.version is not None else [])])


def _fields(job: str, verdict: Any, told: "Told | None" = None) -> dict[str, Any]:
    import msgspec

    fields = {"job": job, **msgspec.to_builtins(verdict)}
    return fields if told is None else {**fields, "how": told.how, "detail": told.detail}
