"""Commands of the line's quotas: batch new/open/close/show, devices import, writeoff."""

import csv
import getpass
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from atota.cli.call import Call
from atota.cli.commands.line import Database, opened
from atota.cli.view import line as view
from atota.errors import ConfigError, UsageError
from atota.line.tables import figures, quota
from atota.values import is_imei

_Batch = Annotated[str, typer.Argument(metavar="BATCH", help="The batch's name.")]


def new_batch(
    call: Call,
    batch: _Batch,
    quota_: Annotated[int, typer.Option("--quota", min=0, metavar="N", help="Units that may be started.")],
    product: Annotated[str | None, typer.Option(metavar="NAME", help="Its product.")] = None,
    target: Annotated[str | None, typer.Option(metavar="VERSION", help="The version that units get.")] = None,
    database: Database = None,
) -> None:
    """Make a batch, or change its quota."""
    call.out.begin()
    with opened(database) as store, store.transaction() as session:
        quota.new_batch(session, batch, quota_, product=product, target=target)
        quota.audit(session, getpass.getuser(), "batch-new", {"batch": batch, "quota": quota_})
    call.done(f"the batch {batch} has a quota of {quota_}", batch=batch, quota=quota_)


def open_batch(call: Call, batch: _Batch, database: Database = None) -> None:
    """Open a batch."""
    _set_state(call, database, batch, "open")


def close_batch(call: Call, batch: _Batch, database: Database = None) -> None:
    """Close a batch."""
    _set_state(call, database, batch, "closed")


def _set_state(call: Call, database: str | None, batch: str, state: str) -> None:
    call.out.begin()
    with opened(database) as store, store.transaction() as session:
        quota.set_state(session, batch, state)
        quota.audit(session, getpass.getuser(), f"batch-{state}", {"batch": batch})
    call.done(f"the batch {batch} is {state}", batch=batch, state=state)


def show_batch(
    call: Call,
    batch: Annotated[str | None, typer.Argument(metavar="BATCH", help="The batch's name.")] = None,
    database: Database = None,
) -> None:
    """Show a batch and its grants, or all batches."""
    call.out.begin()
    with opened(database) as store, store.transaction() as session:
        states = figures.batches(session, batch)
        if batch is not None and not states:
            raise quota.unknown_batch(session, batch)
        grants = quota.allotments(session, batch) if batch is not None else []
    call.done(
        partial(view.batches, states, grants),
        batches=msgspec.to_builtins(states),
        grants=[view.grant(row) for row in grants],
    )


def import_devices(
    call: Call,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV: product_id, dev_id[, imei].")],
    database: Database = None,
) -> None:
    """Import device ids."""
    call.out.begin()
    devices = read_devices(file)
    with opened(database) as store, store.transaction() as session:
        added = quota.import_devices(session, devices)
    call.done(f"{added} of {len(devices)} devices are new", devices=len(devices), added=added, file=str(file))


def read_devices(file: Path) -> list[tuple[str, str, str | None]]:
    """Return the devices of a CSV file.

    Raises:
        ConfigError: it cannot be read, or a line of it is wrong.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            head = stream.readline()
            stream.seek(0)
            is_semicolons = (
                ";" in head and "," not in head
            )  # as spreadsheets write it where "," is in numbers
            table = csv.DictReader(stream, delimiter=";" if is_semicolons else ",")
            names = table.fieldnames or ()
            rows = [(table.line_num, row) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{file}: cannot be read: {problem}", hint="Give a CSV file in UTF-8.") from error
    missing = [name for name in ("product_id", "dev_id") if name not in names]
    if missing and names:
        raise ConfigError(
            f"{file}: the column {missing[0]} is missing; its first line is {head.strip()[:80]!r}",
            hint="Name the columns in the first line: product_id,dev_id,imei.",
        )
    devices = []
    seen: dict[tuple[str, ...], int] = {}
    for number, row in rows:
        product, device = (row.get("product_id") or "").strip(), (row.get("dev_id") or "").strip()
        imei = (row.get("imei") or "").strip() or None
        if not product or not device or (imei is not None and not is_imei(imei)):
            raise ConfigError(
                f"{file}: line {number} is not a device",
                hint="Each line has product_id, dev_id and, if it is bound, an imei of fifteen digits.",
            )
        for key in filter(None, (("id", product, device), imei and ("imei", product, imei))):
            if key in seen:
                raise ConfigError(
                    f"{file}: line {number} names the {key[0]} {key[2]} again, after line {seen[key]}",
                    hint="Leave one of the two lines.",
                )
            seen[key] = number
        devices.append((product, device, imei))
    if not devices:
        raise ConfigError(
            f"{file}: no devices are in it", hint="Its first line names the columns: product_id,dev_id,imei."
        )
    return devices


def write_off(
    call: Call,
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="The grant's id, from `batch show`.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is written down.")],
    database: Database = None,
) -> None:
    """Write a grant off."""
    if not reason.strip():
        raise UsageError("--reason is empty", hint="Say why the station can tell nothing any more.")
    call.out.begin()
    with opened(database) as store, store.transaction() as session:
        tickets = quota.write_off(session, grant, reason.strip(), getpass.getuser())
    call.done(f"{tickets} tickets were written off", grant=grant, tickets=tickets)
