"""Commands about the journal: records list, records show, records export. They change nothing in it."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from atota.cli.command import Call, command
from atota.cli.options import JOURNAL, SHOW, option

if TYPE_CHECKING:
    from atota.journal.store import Journal

_FILTERS = "Which records"
_ANY = (
    option("imei", str | None, "--imei", metavar="DIGITS", help="Of this module.", rich_help_panel=_FILTERS),
    option(
        "outcome",
        str | None,
        "--outcome",
        metavar="OUTCOME",
        help="With this outcome, such as updated or write-failed.",
        rich_help_panel=_FILTERS,
    ),
    option(
        "since",
        str | None,
        "--since",
        metavar="DATE",
        help="Ended on this day or later; a day or a time such as 2026-07-01T08:00, UTC.",
        rich_help_panel=_FILTERS,
    ),
    option(
        "until",
        str | None,
        "--until",
        metavar="DATE",
        help="Ended on this day or before, or before this time.",
        rich_help_panel=_FILTERS,
    ),
    option(
        "limit",
        int | None,
        "--limit",
        min=1,
        metavar="N",
        help="The newest N. [list: 20, unless with --json]",
        rich_help_panel=_FILTERS,
    ),
)
_SHOWN = 20


def declare(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for name, groups, example, body in (
        ("list", (_ANY,), "atota records list --outcome updated --since 2026-07-01", list_records),
        ("show", (), "atota records show 3f9c2a71", show_record),
        ("export", (_ANY,), "atota records export -o records.csv", export_records),
    ):
        command(app, name, *groups, JOURNAL, SHOW, example=example, shown_as=f"records {name}")(body)


def list_records(call: Call) -> None:
    """List what came of the jobs of this machine, the newest first."""
    import msgspec

    from atota.cli.record_page import list_table

    call.out.begin()
    wanted = _wanted(call)
    with _journal(call) as (journal, path):
        if wanted["limit"] is None and not call.out.json:
            wanted["limit"] = _SHOWN + 1
        found = journal.records(**wanted) if journal is not None else []
    cut = call.options["limit"] is None and not call.out.json and len(found) > _SHOWN
    if not call.out.json and found:
        call.out.show(list_table(found[:_SHOWN] if cut else found))
    if cut:
        call.out.say(f"  these are the newest {_SHOWN}; --limit N shows more")
    if journal is None:
        call.out.say(_none_yet(path))
    elif not found:
        call.out.say("no record fits")
    call.done(journal=str(path), records=msgspec.to_builtins(found))


def show_record(
    call: Call,
    record: Annotated[str, typer.Argument(metavar="ID", help="A record, or how its id begins.")],
) -> None:
    """Show all that proves what happened to one module; its IMEI is whole."""
    import msgspec

    from atota.cli.record_page import page
    from atota.errors import UsageError

    call.out.begin()
    with _journal(call) as (journal, path):
        if journal is None:
            raise UsageError(_none_yet(path), hint="Name the journal with --journal FILE.")
        found = journal.record(record)
    if not call.out.json:
        call.out.show(page(found))
    call.done(record=msgspec.to_builtins(found))


def export_records(
    call: Call,
    format_: Annotated[
        str | None,
        typer.Option("--format", metavar="json|csv", help="JSON Lines or CSV [default: by FILE's ending]."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to, instead of stdout.")
    ] = None,
) -> None:
    """Write records for other programs, the newest first, IMEIs whole."""
    import msgspec

    from atota.errors import UsageError
    from atota.journal.export import as_csv, json_lines

    form = _format(format_, output)
    if form == "csv" and output is None and call.out.json:
        raise UsageError("with --json, stdout is for JSON Lines", hint="Give -o FILE for the CSV.")
    call.out.begin()
    with _journal(call) as (journal, path):
        found = journal.records(**_wanted(call)) if journal is not None else []
    if journal is None:
        call.out.say(_none_yet(path))
    if output is not None:
        _write(output, as_csv(found) if form == "csv" else json_lines(found))
        call.out.say(f"{len(found)} records written to {output}")
    elif call.out.json:
        for record in found:
            call.out.event("record", record=msgspec.to_builtins(record))
    else:
        call.out.data(as_csv(found) if form == "csv" else json_lines(found))
    call.done(journal=str(path), count=len(found), output=None if output is None else str(output))


@contextmanager
def _journal(call: Call) -> "Iterator[tuple[Journal | None, Path]]":
    """The journal for reading, if there is one, and where it is or would be."""
    from contextlib import nullcontext

    from atota.clock import SystemClock
    from atota.journal.store import Journal, default_path

    named = call.settings.journal
    path = Path(named) if named is not None else default_path()
    journal = Journal.reading(path, clock=SystemClock())
    with journal or nullcontext():
        yield journal, path


def _none_yet(path: Path) -> str:
    return f"there is no journal yet: the first job begins it at {path}"


def _wanted(call: Call) -> dict[str, Any]:
    """The filters as the journal takes them.

    Raises:
        UsageError: one of them fits nothing at all.
    """
    from atota.errors import UsageError
    from atota.values import is_imei

    options = call.options
    imei, since, until = options["imei"], options["since"], options["until"]
    if imei is not None and not is_imei(imei):
        raise UsageError(f"--imei {imei!r} is no IMEI: it has fifteen digits")
    return {
        "imei": imei,
        "outcome": _outcome(options["outcome"]),
        "since": None if since is None else _moment("--since", since),
        "until": None if until is None else _moment("--until", until, whole_day=True),
        "limit": options["limit"],
    }


def _outcome(given: str | None) -> str | None:
    from difflib import get_close_matches

    from atota.errors import UsageError

    known = sorted(_outcomes())
    if given is None or given in known:
        return given
    near = get_close_matches(given, known) or known
    raise UsageError(f"there is no outcome {given!r}", hint=f"Perhaps {', '.join(near)}.")


def _outcomes() -> set[str]:
    """Every outcome that a job can have."""
    from atota.errors import Outcome

    return {outcome.value for outcome in Outcome} - {Outcome.DONE, Outcome.TASK}


def _moment(flag: str, text: str, *, whole_day: bool = False) -> float:
    """Seconds since the epoch of a day or a time; of the day's end, if that is wanted."""
    from atota.errors import UsageError

    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{flag} {text!r} is no date", hint="Write it as 2026-07-01 or 2026-07-01T08:00."
        ) from None
    if whole_day and len(text) <= len("2026-07-01"):
        at += dt.timedelta(days=1)
    return (at if at.tzinfo is not None else at.replace(tzinfo=dt.UTC)).timestamp()


def _format(given: str | None, output: Path | None) -> Literal["json", "csv"]:
    from atota.errors import UsageError

    if given is None:
        return "csv" if output is not None and output.suffix.lower() == ".csv" else "json"
    if given not in ("json", "csv"):
        raise UsageError(f"--format knows json and csv, not {given!r}")
    return "csv" if given == "csv" else "json"


def _write(output: Path, data: bytes) -> None:
    from atota.errors import ConfigError

    try:
        output.write_bytes(data)
    except OSError as error:
        raise ConfigError(
            f"{output} cannot be written: {error.strerror}", hint="Name another file with -o FILE."
        ) from error
