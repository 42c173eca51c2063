"""Commands of the line's figures: yield, conflicts, export."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, get_args

import msgspec
import typer

from atota.cli.call import Call
from atota.cli.commands.line import Database, opened
from atota.cli.view import line as view
from atota.errors import ConfigError, UsageError
from atota.line.export import Form, lines
from atota.line.tables import figures

_LIMIT_MS = 600_000


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
    if format_ not in (None, *get_args(Form)):
        raise UsageError(f"--format knows json and csv, not {format_!r}", hint="Give one of the two.")
    is_csv = format_ == "csv" or (format_ is None and output is not None and output.suffix.lower() == ".csv")
    form: Form = "csv" if is_csv else "json"
    if output is None and call.out.json and form == "csv":
        raise UsageError("with --json, stdout is for JSON Lines", hint="Give -o FILE for the CSV.")
    call.out.begin()
    count = 0

    def counted(documents: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        nonlocal count
        for document in documents:
            count += 1
            yield document

    with opened(database) as store, store.transaction(limit_ms=_LIMIT_MS) as session:
        documents = counted(figures.documents(session, batch))
        if output is None and call.out.json:
            for document in documents:
                call.out.event("record", record=document)
        elif output is None:
            for line in lines(documents, form):
                call.out.data(line)
        else:
            try:
                with output.open("wb") as file:
                    file.writelines(lines(documents, form))
            except OSError as error:
                raise ConfigError(
                    f"{output} cannot be written: {error.strerror}", hint="Name another file with -o FILE."
                ) from error
            call.out.say(f"{count} records written to {output}")
    call.done(count=count, output=None if output is None else str(output))
