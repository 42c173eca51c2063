"""The command records batch: the sums of one batch, on screen, as CSV, or as a page to print."""

import csv
import html
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Group
from rich.table import Table

from atota._version import __version__
from atota.cli.call import Call
from atota.cli.view.output import plain, styled
from atota.cli.view.record import duration
from atota.cli.wiring import journal_path
from atota.clock import SystemClock, utc_iso
from atota.errors import ConfigError, UsageError
from atota.journal.store import Journal
from atota.station.tally import Summary, tally_of

_STYLE = """
@page { margin: 15mm }
body { font: 15px/1.35 system-ui, sans-serif; color: #10161d; max-width: 60rem; margin: 2rem auto }
body { padding: 0 1rem }
h1 { font-size: 1.7rem; margin: 0 0 1rem; padding-bottom: .4rem; border-bottom: 3px solid #10161d }
h2 { font-size: 1.2rem; margin: 1.8rem 0 .6rem }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .6rem; margin: 0 }
dl div { border: 1px solid #56616d; border-radius: 4px; padding: .4rem .7rem; break-inside: avoid }
dd { margin: 0; font-size: 1.5rem; font-weight: 700; font-variant-numeric: tabular-nums }
table { border-collapse: collapse; width: 100% }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #c3c9d0; text-align: left; font-weight: 400 }
td:first-child { text-align: right; font-weight: 700; width: 4rem }
td:last-child { width: 45% }
i { display: block; height: .9rem; background: #00407f; print-color-adjust: exact }
footer { margin-top: 2rem; font-size: .85rem; color: #3d4650 }
"""


def summarise_batch(
    call: Call,
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="The batch, as the station file names it.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write FILE too: .csv, or .html to print."),
    ] = None,
) -> None:
    """Print the sums of one batch.

    Raises:
        UsageError: the journal has no record of it, or FILE has another ending.
    """
    if output is not None and output.suffix.lower() not in (".csv", ".html"):
        raise UsageError(f"{output} ends neither in .csv nor in .html", hint="Name the file by its form.")
    call.out.begin()
    path = journal_path(call)
    journal = Journal.reading(path, clock=SystemClock())
    records = []
    if journal is not None:
        with journal:
            records = journal.records(batch=batch)
    if not records:
        raise UsageError(
            f"{path} has no record of the batch {batch!r}",
            hint="Check the name; `atota records list --limit 100 --json` shows the batches.",
        )
    summary = tally_of(reversed(records)).summary(batch)
    if output is not None:
        _write(output, _csv(summary) if output.suffix.lower() == ".csv" else _page(summary))
    call.done(_screen(summary), batch=msgspec.to_builtins(summary), output=str(output) if output else None)


def _rows(summary: Summary) -> Iterator[tuple[str, str]]:
    yield "units", str(summary.units)
    yield "passed", str(summary.passed)
    yield "failed", str(summary.failed)
    yield "first-pass yield", _share(summary.first_pass_yield)
    yield "final yield", _share(summary.final_yield)
    yield "retested units", str(summary.retested)
    yield "attempts", str(summary.attempts)
    yield "station errors", str(summary.station_errors)
    yield "cycle (median)", _time(summary.cycle_ms)
    yield "handling (median)", _time(summary.handling_ms)
    yield "units an hour", f"{summary.units_an_hour:.0f}"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _time(elapsed_ms: float | None) -> str:
    return duration(None if elapsed_ms is None else round(elapsed_ms))


def _screen(summary: Summary) -> Group:
    sums = Table(box=None, show_header=False)
    for name, value in _rows(summary):
        sums.add_row(name, value)
    parts: list[object] = [styled("[bold]batch {}[/]", summary.batch), sums]
    if summary.pareto:
        causes = Table(box=None, header_style="bold")
        causes.add_column("failures")
        causes.add_column("by stage and outcome")
        for cause in summary.pareto:
            causes.add_row(str(cause.count), plain(cause.key))
        parts.append(causes)
    return Group(*parts)  # type: ignore[arg-type]


def _csv(summary: Summary) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    fields = msgspec.to_builtins(summary)
    causes = fields.pop("pareto")
    writer.writerow(("key", "value"))
    writer.writerows(
        ("" if key is None else key, "" if value is None else value) for key, value in fields.items()
    )
    writer.writerows((f"failure {cause['key']}", cause["count"]) for cause in causes)
    return text.getvalue().encode()


def _page(summary: Summary) -> bytes:
    title = html.escape(f"Batch {summary.batch}")
    figures = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
        for name, value in _rows(summary)
    )
    most = max((cause.count for cause in summary.pareto), default=1)
    causes = "".join(
        f"<tr><td>{cause.count}</td><th>{html.escape(cause.key)}</th>"
        f'<td><i style="width:{100 * cause.count / most:.0f}%"></i></td></tr>'
        for cause in summary.pareto
    )
    failures = f"<h2>Failures, by stage and outcome</h2><table>{causes}</table>" if causes else ""
    written = f"atota {__version__}, {utc_iso(SystemClock().time())[:16].replace('T', ' ')} UTC"
    body = f"<h1>{title}</h1><dl>{figures}</dl>{failures}<footer>{written}</footer>"
    head = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    return f'<!DOCTYPE html><html lang="en"><head>{head}</head><body>{body}</body></html>\n'.encode()


def _write(output: Path, data: bytes) -> None:
    try:
        output.write_bytes(data)
    except OSError as error:
        raise ConfigError(
            f"{output} cannot be written: {error.strerror}", hint="Name another file with -o FILE."
        ) from error
