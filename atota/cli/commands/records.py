"""Commands about the journal: records list, records show, records export. They change nothing in it."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import typer

from atota.cli.call import Call
from atota.cli.completion import complete_outcomes, complete_records, complete_words
from atota.cli.view.record import list_table, page, unended_fields, unended_line
from atota.cli.wiring import journal_path
from atota.clock import SystemClock, utc_iso
from atota.errors import ConfigError, UsageError
from atota.journal.export import as_csv, json_lines
from atota.journal.model import Record, SentReport
from atota.journal.store import Journal
from atota.names import advice
from atota.outcomes import JOB_OUTCOMES
from atota.values import is_imei

_FILTERS = "Which records"
_Imei = Annotated[
    str | None,
    typer.Option("--imei", metavar="DIGITS", help="Of this module.", rich_help_panel=_FILTERS),
]
_Outcome = Annotated[
    str | None,
    typer.Option(
        "--outcome",
        metavar="OUTCOME",
        help="With this outcome, such as updated or write-failed.",
        autocompletion=complete_outcomes,
        rich_help_panel=_FILTERS,
    ),
]
_Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="DATE",
        help="Ended on this day or later; a day or a time such as 2026-07-01T08:00, UTC.",
        rich_help_panel=_FILTERS,
    ),
]
_Until = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="DATE",
        help="Ended on this day or before, or before this time.",
        rich_help_panel=_FILTERS,
    ),
]
_Batch = Annotated[
    str | None,
    typer.Option("--batch", metavar="BATCH", help="Of this batch of a station.", rich_help_panel=_FILTERS),
]
_Station = Annotated[
    str | None,
    typer.Option("--station", metavar="NAME", help="Of this station.", rich_help_panel=_FILTERS),
]
_Lane = Annotated[
    int | None,
    typer.Option("--lane", min=1, metavar="N", help="Of this lane of a station.", rich_help_panel=_FILTERS),
]
_Serial = Annotated[
    str | None,
    typer.Option(
        "--serial",
        metavar="TEXT",
        help="Of the unit whose label or module has this serial number.",
        rich_help_panel=_FILTERS,
    ),
]
_Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        metavar="N",
        help="The newest N. \\[list: 20, unless with --json]",
        rich_help_panel=_FILTERS,
    ),
]
_SHOWN = 20


class _Filter(NamedTuple):
    """A choice of records: times in seconds since the epoch; None means any."""

    imei: str | None
    outcome: str | None
    since: float | None
    until: float | None
    batch: str | None = None
    station: str | None = None
    lane: int | None = None
    serial: str | None = None

    @classmethod
    def of(
        cls,
        imei: str | None,
        outcome: str | None,
        since: str | None,
        until: str | None,
        **station_filters: Any,
    ) -> "_Filter":
        """Parse the options.

        Raises:
            UsageError: one of them fits no record at all.
        """
        if imei is not None and not is_imei(imei):
            raise UsageError(f"--imei {imei!r} is not an IMEI: it has fifteen digits")
        if outcome is not None and outcome not in JOB_OUTCOMES:
            hint = advice(outcome, JOB_OUTCOMES, known="Outcomes")
            raise UsageError(f"--outcome {outcome!r} is unknown", hint=hint)
        return cls(
            imei,
            outcome,
            None if since is None else _moment("--since", since),
            None if until is None else _moment("--until", until, whole_day=True),
            **station_filters,
        )

    def apply(self, journal: Journal | None, limit: int | None) -> list[Record]:
        """Return the newest records that fit."""
        return journal.records(**self._asdict(), limit=limit) if journal is not None else []


def list_records(
    call: Call,
    imei: _Imei = None,
    outcome: _Outcome = None,
    since: _Since = None,
    until: _Until = None,
    batch: _Batch = None,
    station: _Station = None,
    lane: _Lane = None,
    serial: _Serial = None,
    limit: _Limit = None,
) -> None:
    """Print the records that fit, the newest first."""
    call.out.begin()
    station_filters = {"batch": batch, "station": station, "lane": lane, "serial": serial}
    filter_ = _Filter.of(imei, outcome, since, until, **station_filters)
    is_cut = limit is None and not call.out.json
    with _journal(call) as (journal, path):
        records = filter_.apply(journal, _SHOWN + 1 if is_cut else limit)
        unended = journal.unended() if journal is not None and filter_.outcome is None else []
    shown = records[:_SHOWN] if is_cut else records
    for past in unended:
        call.out.say(unended_line(past))
    call.done(
        partial(list_table, shown) if shown else None,
        journal=str(path),
        records=msgspec.to_builtins(records),
        unended=[unended_fields(past) for past in unended],
    )
    if len(shown) < len(records):
        call.out.say(f"  these are the newest {_SHOWN}; --limit N shows more")
    if journal is None:
        call.out.say(_no_journal(path))
    elif not records and not unended:
        call.out.say("no record fits")


def show_record(
    call: Call,
    record: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A record, or the beginning of its id.", autocompletion=complete_records
        ),
    ],
) -> None:
    """Print one record.

    Raises:
        UsageError: no record, or more than one, has such an id.
    """
    call.out.begin()
    with _journal(call) as (journal, path):
        if journal is None:
            raise UsageError(_no_journal(path), hint="Name the journal with --journal FILE.")
        document = journal.record(record)
        reports = journal.reports_of(document.id)
    call.done(
        partial(page, document, reports),
        record=msgspec.to_builtins(document),
        reports=[_report(sent) for sent in reports],
    )


def _report(sent: SentReport) -> dict[str, Any]:
    """Return a report as JSON has it; the record itself was written at the end of its job, and stays."""
    ended_at = None if sent.ended_at is None else utc_iso(sent.ended_at)
    return {
        **sent.document,
        "at": utc_iso(sent.at),
        "ended_at": ended_at,
        "how": sent.how,
        "detail": sent.detail,
    }


def export_records(
    call: Call,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="json|csv",
            help="JSON Lines or CSV \\[default: by FILE's ending].",
            autocompletion=complete_words("json", "csv"),
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The file to write; stdout without it."),
    ] = None,
    imei: _Imei = None,
    outcome: _Outcome = None,
    since: _Since = None,
    until: _Until = None,
    batch: _Batch = None,
    station: _Station = None,
    lane: _Lane = None,
    serial: _Serial = None,
    limit: _Limit = None,
) -> None:
    """Write the records that fit to a file or to stdout."""
    form = _format(format_, output)
    if form == "csv" and output is None and call.out.json:
        raise UsageError("with --json, stdout is for JSON Lines", hint="Give -o FILE for the CSV.")
    call.out.begin()
    with _journal(call) as (journal, path):
        station_filters = {"batch": batch, "station": station, "lane": lane, "serial": serial}
        records = _Filter.of(imei, outcome, since, until, **station_filters).apply(journal, limit)
    if journal is None:
        call.out.say(_no_journal(path))
    if output is None and call.out.json:
        for record in records:
            call.out.event("record", record=msgspec.to_builtins(record))
    else:
        data = as_csv(records) if form == "csv" else json_lines(records)
        if output is None:
            call.out.data(data)
        else:
            _write(output, data)
            call.out.say(f"{len(records)} records written to {output}")
    call.done(journal=str(path), count=len(records), output=None if output is None else str(output))


@contextmanager
def _journal(call: Call) -> Iterator[tuple[Journal | None, Path]]:
    """Yield the journal for reading, if there is one, and its path."""
    path = journal_path(call)
    journal = Journal.reading(path, clock=SystemClock())
    with journal or nullcontext():
        yield journal, path


def _no_journal(path: Path) -> str:
    return f"the journal does not exist yet: the first job begins it at {path}"


def _moment(flag: str, text: str, *, whole_day: bool = False) -> float:
    """Return a day or a time in seconds since the epoch; with ``whole_day``, the end of a day."""
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{flag} {text!r} is not a date", hint="Write it as 2026-07-01 or 2026-07-01T08:00."
        ) from None
    if whole_day and len(text) <= len("2026-07-01"):
        at += dt.timedelta(days=1)
    return (at if at.tzinfo is not None else at.replace(tzinfo=dt.UTC)).timestamp()


def _format(given: str | None, output: Path | None) -> Literal["json", "csv"]:
    if given is None:
        return "csv" if output is not None and output.suffix.lower() == ".csv" else "json"
    if given not in ("json", "csv"):
        raise UsageError(f"--format knows json and csv, not {given!r}")
    return "csv" if given == "csv" else "json"


def _write(output: Path, data: bytes) -> None:
    try:
        output.write_bytes(data)
    except OSError as error:
        raise ConfigError(
            f"{output} cannot be written: {error.strerror}", hint="Name another file with -o FILE."
        ) from error
