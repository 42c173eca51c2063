"""Tables for people: ports, a module's identity, the catalogue, dialects."""

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from atota.cli.view.output import plain, styled
from atota.dialects.catalogue import Row
from atota.dialects.loader import Entry
from atota.link.ports import PortInfo
from atota.values import Identity, mask, version_problem

_WIDEST = 4000
_EVIDENCE_COLOURS = {"documented": "green", "family": "cyan", "inferred": "yellow", "none": "dim"}


class Fitting:
    """A table where the terminal is wide enough for it; else two lines for each row, none of them cut.

    Args:
        table: the table.
        first: the headings of the columns in the first of the two lines; the others follow in the second.
    """

    def __init__(self, table: Table, *first: str) -> None:
        self._table = table
        self._first = first

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the form that fits."""
        natural = Measurement.get(console, options.update(width=_WIDEST), self._table)
        if natural.maximum <= options.max_width:
            yield self._table
            return
        names = [str(column.header) for column in self._table.columns]
        for cells in zip(*(column.cells for column in self._table.columns), strict=True):
            # The heading is the first of a column's cells.
            named = [(name, _text(cell)) for name, cell in zip(names, cells, strict=True)]
            yield Text("  ").join(cell for name, cell in named if name in self._first)
            rest = (Text(f"{name} ", "dim") + cell for name, cell in named if name not in self._first)
            yield Text("    ") + Text(", ").join(rest)


def _text(cell: object) -> Text:
    return cell if isinstance(cell, Text) else Text(str(cell))


def ports_page(ports: Sequence[PortInfo]) -> Fitting | str:
    """Return the serial ports, one in a line."""
    if not ports:
        return "no serial port is there; `sim://BC28` is one that needs no hardware"
    table = Table(box=None, header_style="bold")
    for heading in ("port", "adapter", "usb", "serial", "stable name", "held by"):
        table.add_column(heading, overflow="fold")
    for port in ports:
        adapter = port.chip or port.description or "-"
        stable = port.by_id or port.by_path or "-"
        holders = ", ".join(map(str, port.holders)) or "-"
        cells = (port.device, adapter, port.usb_id or "-", port.serial_number or "-", stable, holders)
        table.add_row(*map(plain, cells))
    return Fitting(table, "port", "adapter")


def identity_table(identity: Identity, *, show_imei: bool = False) -> Table:
    """Return all that a target said of itself; its IMEI masked, unless it is to be shown."""
    missing = None if identity.dialect is None else "unknown"  # a chip has neither radio nor supply to tell
    imei = (identity.imei or "-") if show_imei else mask(identity.imei)
    codes = f"{identity.manuf_code} / {identity.model_code}" if identity.manuf_code else "not in the table"
    supply = f"{identity.supply_mv} mV" if identity.supply_mv else None
    battery = f"{identity.battery_percent} %" if identity.battery_percent is not None else None
    rows = (
        ("manufacturer", identity.manufacturer),
        ("model", identity.model),
        ("version", _sendable(identity.version)),
        ("revision", identity.revision if identity.revision != identity.version else None),
        ("full version", identity.full_version),
        ("imei", imei if identity.imei or missing else None),
        ("serial", identity.serial),
        ("signal", f"{identity.signal} of 31" if identity.signal is not None else missing),
        ("supply", supply or battery or missing),
        ("baud", str(identity.baud)),
        ("dialect", identity.dialect),
        ("method", f"{identity.method} ({identity.evidence})" if identity.method != "none" else "none"),
        ("platform codes", codes),
    )
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in rows:
        if value is not None:
            table.add_row(name, plain(value))
    return table


def _sendable(version: str | None) -> str | None:
    """Return a version, with the reason if the platform does not take it."""
    problem = version_problem(version) if version else None
    return f"{version} ({problem})" if problem else version


def modules_table(rows: Sequence[Row]) -> Fitting:
    """Return rows of the catalogue."""
    table = Table(box=None, header_style="bold")
    for heading in ("vendor", "model", "codes", "chip", "dialect", "method", "evidence"):
        table.add_column(heading, no_wrap=heading in ("model", "codes"))
    for row in rows:
        codes = f"{row.manuf_code}/{row.model_code}"
        evidence = Text(row.evidence, _EVIDENCE_COLOURS[row.evidence])
        dialect = "-" if row.task_type == "sota" else row.dialect  # a chip is not asked by AT
        table.add_row(row.vendor, row.model, codes, row.chip, dialect, row.method, evidence)
    return Fitting(table, "vendor", "model", "codes", "chip")


def dialects_table(entries: Sequence[Entry]) -> Table:
    """Return the dialects: built-in ones and the user's own."""
    table = Table(box=None, header_style="bold")
    for heading in ("name", "method", "extends", "for"):
        table.add_column(heading, no_wrap=heading != "for", overflow="fold")
    for entry in entries:
        if entry.wrong is not None:
            table.add_row(plain(entry.name), styled("[red]{}[/]", "wrong"), "-", plain(entry.where))
            continue
        purpose = [entry.title]
        if entry.hardware == "seen":
            purpose.append("seen on hardware")
        if entry.where != "built-in":
            purpose.append(entry.where)
        table.add_row(*map(plain, (entry.name, entry.method, entry.extends or "-", "; ".join(purpose))))
    return table
