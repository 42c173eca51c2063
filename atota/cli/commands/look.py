"""Commands that look and change nothing: ports, identify, modules."""

from functools import partial
from typing import Annotated

import msgspec
import typer

from atota.cli.call import Call
from atota.cli.completion import complete_methods
from atota.cli.known import known_of
from atota.cli.options import ShowImei
from atota.cli.view.output import plural
from atota.cli.view.tables import identity_table, modules_table, ports_page
from atota.cli.wiring import opened_chip, opened_module
from atota.dialects import catalogue
from atota.dialects.registry import method_names
from atota.errors import UsageError
from atota.link import ports
from atota.module.identify import require_consistent
from atota.names import advice

_FIELDS = (
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


def list_serial_ports(call: Call) -> None:
    """Print the serial ports of this machine."""
    infos = ports.list_ports()
    call.done(partial(ports_page, infos), ports=msgspec.to_builtins(infos))


def identify(call: Call, show_imei: ShowImei = False) -> None:
    """Print the identity of the module or the chip on the port.

    Raises:
        Refused: it contradicts the user's ``--model``.
    """
    call.out.begin(port=call.port)
    if call.settings.task_type == "sota":
        with opened_chip(call) as chip:
            identity = chip.identify()
        call.done(partial(identity_table, identity), module=msgspec.to_builtins(identity))
        return
    known = known_of(call)
    if known is not None:
        call.out.warn(known)
    with opened_module(call) as module:
        identity = module.identify()
        findings = module.findings
    if (
        known is None
        and identity.imei is not None
        and (known := known_of(call, imei=identity.imei)) is not None
    ):
        call.out.warn(known)
    if findings is not None and call.settings.model is not None:
        require_consistent(findings)
    elif findings is not None and findings.mismatch is not None:
        call.out.warn(findings.mismatch)
    call.done(
        partial(identity_table, identity, show_imei=show_imei),
        module=msgspec.to_builtins(identity),
        journal=known,
    )


def list_modules(
    call: Call,
    method: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only rows with this method.", autocompletion=complete_methods),
    ] = None,
    search: Annotated[str | None, typer.Argument(metavar="TEXT", help="Only rows with this text.")] = None,
) -> None:
    """Print the catalogue's rows that match.

    Raises:
        UsageError: no method has this name.
    """
    if method is not None and method not in (known := ("none", *method_names())):
        raise UsageError(f"--method {method!r} is unknown", hint=advice(method, known, known="Methods"))
    words = (search or "").lower()
    rows = [
        row
        for row in catalogue.rows()
        if (method is None or row.method == method)
        and words in f"{row.vendor} {row.model} {row.chip} {row.dialect}".lower()
    ]
    call.done(
        partial(modules_table, rows),
        modules=[{name: getattr(row, name) for name in _FIELDS} for row in rows],
    )
    call.out.say(f"{len(rows)} of {plural(len(catalogue.rows()), 'row')}")
