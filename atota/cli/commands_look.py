"""Commands that look and change nothing: ports, identify, modules."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from atota.cli.command import Call, command
from atota.cli.options import LINK, SHOW

if TYPE_CHECKING:
    from rich.table import Table

    from atota.values import Identity


def declare(app: typer.Typer) -> None:
    """Add the commands to the application."""
    command(app, "ports", SHOW, example="atota ports")(ports)
    command(app, "identify", LINK, SHOW, example="atota identify -p /dev/ttyUSB0")(identify)
    command(app, "modules", SHOW, example="atota modules --method nfwupd")(modules)


def ports(call: Call) -> None:
    """List serial ports: USB ids, stable names, and which programs hold them."""
    import msgspec

    from atota.link.ports import list_ports

    found = list_ports()
    call.out.begin()
    if not call.out.json:
        if not found:
            call.out.show("no serial port is there; `sim://BC28` is one that needs no hardware")
        else:
            call.out.show(_ports_table(found))
    call.done(ports=msgspec.to_builtins(found))


def _ports_table(found: Any) -> "Table":
    from rich.table import Table

    from atota.cli.output import plain

    table = Table(box=None, header_style="bold")
    for heading in ("port", "adapter", "usb", "serial", "stable name", "held by"):
        table.add_column(heading, overflow="fold")
    for port in found:
        adapter = port.chip or port.description or "-"
        stable = port.by_id or port.by_path or "-"
        held = ", ".join(map(str, port.holders)) or "-"
        cells = (port.device, adapter, port.usb_id or "-", port.serial_number or "-", stable, held)
        table.add_row(*map(plain, cells))
    return table


def identify(call: Call) -> None:
    """Find the baud rate and the dialect, and read who the module is. Changes nothing."""
    import msgspec

    from atota.cli.wiring import opened_module
    from atota.module.identify import require_consistent

    call.out.begin(port=call.port)
    with opened_module(call) as module:
        identity = module.identify()
        findings = module.findings
    if findings is not None and call.settings.model is not None:
        require_consistent(findings)
    elif findings is not None and findings.mismatch is not None:
        call.out.warn(findings.mismatch)
    if not call.out.json:
        call.out.show(_identity_table(identity))
    call.done(module=msgspec.to_builtins(identity))


def _identity_table(identity: "Identity") -> "Table":
    from rich.table import Table

    from atota.cli.output import plain
    from atota.values import mask

    codes = f"{identity.manuf_code} / {identity.model_code}" if identity.manuf_code else "not in the table"
    supply = f"{identity.supply_mv} mV" if identity.supply_mv else None
    battery = f"{identity.battery_percent} %" if identity.battery_percent is not None else None
    rows = (
        ("manufacturer", identity.manufacturer),
        ("model", identity.model),
        ("version", identity.version),
        ("revision", identity.revision if identity.revision != identity.version else None),
        ("imei", mask(identity.imei)),
        ("serial", identity.serial),
        ("signal", f"{identity.signal} of 31" if identity.signal is not None else "unknown"),
        ("supply", supply or battery or "not told"),
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


def modules(
    call: Call,
    method: Annotated[str | None, typer.Option(metavar="NAME", help="Only rows with this method.")] = None,
    search: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="Only rows with this text.")] = None,
) -> None:
    """Show every row of the platform's module table: chip, dialect, method and the evidence for it."""
    from atota.dialects import catalogue

    wanted = (search or "").lower()
    chosen = [
        row
        for row in catalogue.rows()
        if (method is None or row.method == method)
        and wanted in f"{row.vendor} {row.model} {row.chip} {row.dialect}".lower()
    ]
    call.out.begin()
    if not call.out.json:
        call.out.show(_modules_table(chosen))
        call.out.say(f"{len(chosen)} of {len(catalogue.rows())} rows")
    fields = (
        "task_type",
        "vendor",
        "model",
        "manuf_code",
        "model_code",
        "chip",
        "dialect",
        "method",
        "evidence",
        "source",
    )
    call.done(modules=[{name: getattr(row, name) for name in fields} for row in chosen])


def _modules_table(rows: Any) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for heading in ("vendor", "model", "codes", "chip", "dialect", "method", "evidence"):
        table.add_column(heading, no_wrap=heading in ("model", "codes"))
    colours = {"documented": "green", "family": "cyan", "inferred": "yellow", "none": "dim"}
    for row in rows:
        codes = f"{row.manuf_code}/{row.model_code}"
        evidence = Text(row.evidence, colours[row.evidence])
        table.add_row(row.vendor, row.model, codes, row.chip, row.dialect, row.method, evidence)
    return table
