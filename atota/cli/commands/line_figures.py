"""Commands of the line's figures: yield, conflicts, export."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from atota.cli.call import Call
from atota.cli.commands.line import Database, opened
from atota.cli.view import line as view
from atota.errors import ConfigError, UsageError
from atota.journal.export import cell
from atota.line.tables import figures

_LIMIT_MS = 600_000
_COLUMNS = (
    "journal",
    "seq",
    "id",
    "station",
    "lane",
    "batch",
    "imei",
    "serial",
    "outcome",
    "exit_code",
    "started_at",
    "ended_at",
    "duration_ms",
    "version_before",
    "version_target",
    "version_after",
    "model",
    "tool_version",
)


def batch_yield(
    call: Call,
    batch: Annotated[str, typer.Option("--batch", "-b", metavar="BATCH", help="The batch.")],
    database: Database = None,
) -> None:
    """Show the yield of a batch."""
    call.out.begin()
    with opened(database) as store, store.transaction(limit_ms=_LIMIT_MS) as session:
        result = figures.batch_figures(session, batch)
        hours = figures.hours(session, batch)
    call.done(
        partial(view.batch_yield, result),
        batch=msgspec.to_builtins(result),
        hours=msgspec.to_builtins(hours),
    )


def conflicts(call: Call, database: Database = None) -> None:
    """List the conflicts."""
    call.out.begin()
    with opened(database) as store, store.transaction() as session:
        rows = figures.conflicts(session)
    call.done(partial(view.conflicts, rows), conflicts=msgspec.to_builtins(rows))


def export(
    call: Call,
    batch: Annotated[
        str | None, typer.Option("--batch", "-b", metavar="BATCH", help="Only this batch.")
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option("--format", metavar="json|csv", help="JSON Lines or CSV \\[default: by FILE's ending]."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The file to write; stdout without it."),
    ] = None,
    database: Database = None,
) -> None:
    """Write records to a file or to stdout."""
    form = format_ or ("csv" if output is not None and output.suffix.lower() == ".csv" else "json")
    if form not in ("json", "csv"):
        raise UsageError(f"--format knows json and csv, not {format_!r}")
    if output is None and call.out.json and form == "csv":
        raise UsageError("with --json, stdout is for JSON Lines", hint="Give -o FILE for the CSV.")
    call.out.begin()
    count = 0
    with opened(database) as store, store.transaction(limit_ms=_LIMIT_MS) as session:
        documents = figures.documents(session, batch)
        if output is None:
            for document in documents:
                count += 1
                if call.out.json:
                    call.out.event("record", record=document)
                else:
                    call.out.data(_line(document, form))
        else:
            try:
                with output.open("wb") as file:
                    if form == "csv":
                        file.write(",".join(_COLUMNS).encode() + b"\r\n")
                    for document in documents:
                        count += 1
                        file.write(_line(document, form))
            except OSError as error:
                raise ConfigError(
                    f"{output} cannot be written: {error.strerror}", hint="Name another file with -o FILE."
                ) from error
            call.out.say(f"{count} records written to {output}")
    call.done(count=count, output=None if output is None else str(output))


def _line(document: dict[str, Any], form: str) -> bytes:
    if form == "json":
        return msgspec.json.encode(document) + b"\n"
    return ",".join(_quoted(cells(document))).encode() + b"\r\n"


def cells(document: dict[str, Any]) -> Iterator[str]:
    """Yield the cells of a record's row."""
    station = document.get("station")
    bench = station if isinstance(station, dict) else {}
    for name in _COLUMNS:
        value = bench.get(name) or document.get(name) if name != "station" else document["line_station"]
        yield cell(value)


def _quoted(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\r\n') else text
