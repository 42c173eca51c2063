"""The command that shows what a package file says of itself: package show."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from atota.cli.call import Call
from atota.cli.view.output import plain
from atota.doctor.package import Contents, PackageReport, examine_package
from atota.errors import PackageError
from atota.sim.package import read_package


def show_package(
    call: Call, file: Annotated[Path, typer.Argument(metavar="FILE", help="The package file.")]
) -> int:
    """Print what is known of the file; return 7 if a file with its digest contradicts it."""
    call.out.begin()
    report = examine_package(file, readers=(_simulated,))
    fields = msgspec.to_builtins(report)
    if report.fits is not False:
        call.done(partial(_page, report), package=fields)
        return 0
    call.out.page(partial(_page, report))
    error = PackageError(f"{file} is not the package of {', '.join(report.beside)}: the digests differ")
    return call.out.failure(error, package=fields)


def _simulated(data: bytes) -> Contents | None:
    known = read_package(data)
    if known is None:
        return None
    notes = () if known.intact else ("it is damaged: its digest does not fit its bytes",)
    return Contents(
        format="package for simulated modules",
        base=known.base,
        target=known.target,
        made_for=known.model,
        notes=notes,
    )


def _page(report: PackageReport) -> Table:
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in _rows(report):
        table.add_row(name, plain(value))
    return table


def _rows(report: PackageReport) -> Iterator[tuple[str, str]]:
    origin = f"  (by its {report.versions_from})" if report.versions_from is not None else ""
    yield "file", report.path
    yield "format", report.format
    if report.made_for is not None:
        yield "made for", report.made_for
    yield "base", f"{report.base}{origin}" if report.base is not None else "not told"
    yield "target", f"{report.target}{origin}" if report.target is not None else "not told"
    yield "size", f"{report.size:,} bytes"
    yield "md5", report.md5
    yield "sha256", report.sha256
    if report.beside:
        yield "beside it", f"{', '.join(report.beside)}: the digests {'fit' if report.fits else 'differ'}"
    for note in report.notes:
        yield "note", note
