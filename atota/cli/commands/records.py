"""Commands about the journal: records list, records show, records export. They change nothing in it."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from atota.cli.call import Call
from atota.cli.completion import complete_records, complete_words
from atota.cli.filters import Filter, filtered
from atota.cli.options import ShowImei
from atota.cli.view.output import plural
from atota.cli.view.record import label_state, list_table, page, unended_fields, unended_line
from atota.cli.view.record_html import html_page
from atota.cli.wiring import journal_path, write_output
from atota.clock import SystemClock, utc_iso
from atota.errors import UsageError
from atota.journal.export import as_csv, json_lines
from atota.journal.model import SentReport
from atota.journal.store import Journal

_SHOWN = 20


@filtered
def list_records(call: Call, filter_: Filter, show_imei: ShowImei = False) -> None:
    """Print the records that fit, the newest first."""
    call.out.begin()
    is_cut = filter_.limit is None and not call.out.json
    with _journal(call) as (journal, path):
        records = filter_.apply(journal, _SHOWN + 1 if is_cut else filter_.limit)
        unended = journal.unended() if journal is not None and filter_.is_open else []
    shown = records[:_SHOWN] if is_cut else records
    for past in unended:
        call.out.say(unended_line(past, show_imei=show_imei))
    call.done(
        partial(list_table, shown, show_imei=show_imei) if shown else None,
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
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write it to FILE too, as a page to print or to send."),
    ] = None,
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
        label = next(reversed(journal.reports_of(document.id, "label")), None)
    if html is not None:
        call.out.warn_if_replaced(html)
        write_output(html, html_page(document, reports, label).encode(), "--html FILE")
    call.done(
        partial(page, document, reports, label),
        record=msgspec.to_builtins(document),
        reports=[_report(sent) for sent in reports],
        label=None if label is None else label_state(label),
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


@filtered
def export_records(
    call: Call,
    filter_: Filter,
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
) -> None:
    """Write the records that fit to a file or to stdout."""
    form = _format(format_, output)
    if form == "csv" and output is None and call.out.json:
        raise UsageError("with --json, stdout is for JSON Lines", hint="Give -o FILE for the CSV.")
    call.out.begin()
    with _journal(call) as (journal, path):
        records = filter_.apply(journal, filter_.limit)
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
            call.out.warn_if_replaced(output)
            write_output(output, data, "-o FILE")
            call.out.say(f"{plural(len(records), 'record')} written to {output}")
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


def _format(given: str | None, output: Path | None) -> Literal["json", "csv"]:
    if given is None:
        return "csv" if output is not None and output.suffix.lower() == ".csv" else "json"
    if given not in ("json", "csv"):
        raise UsageError(f"--format knows json and csv, not {given!r}")
    return "csv" if given == "csv" else "json"
