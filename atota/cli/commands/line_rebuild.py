"""The command line rebuild: fill a database that was lost or restored from the stations' journals."""

import threading
from typing import Annotated

import typer

from atota.cli.call import Call
from atota.cli.commands.line import Database, opened
from atota.errors import UsageError
from atota.line.tables import rebuild as tables
from atota.line.tables import schema

_ASK_S = 1.0


def rebuild(
    call: Call,
    stations: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="STATION…", help="The stations of a lost database; each brings its key itself."
        ),
    ] = None,
    database: Database = None,
) -> None:
    """Ask the stations for everything, and wait until they have sent it."""
    call.out.begin()
    with opened(database, is_new=True) as store:
        schema.migrate(store)
        with store.transaction() as session:
            tables.begin(session, stations or [])
            if not tables.progress(session):
                raise UsageError(
                    "the database knows no station to wait for",
                    hint="Name the stations: `atota line rebuild st-01 st-02`; `line serve` must run, too.",
                )
        call.out.say(
            "Keep `atota line serve` running: the stations send everything again. Ctrl-C leaves off."
        )
        idle = threading.Event()
        before: list[tables.Progress] = []
        while True:
            with store.transaction() as session:
                now = tables.progress(session)
            if now != before:
                waiting = [one.station for one in now if not one.is_complete]
                records = sum(one.records for one in now)
                text = f"  {records} records; waiting for {', '.join(waiting) or 'no station'}"
                call.out.event("progress", text, records=records, waiting=waiting)
                before = now
            if all(one.is_complete for one in now) or call.stop.is_set:
                break
            idle.wait(_ASK_S)
        is_whole = all(one.is_complete for one in now)
        if is_whole:
            with store.transaction() as session:
                tables.end(session)
    missing = [one.station for one in now if not one.is_complete]
    if missing:
        raise UsageError(
            f"the line is not whole yet: waiting for {', '.join(missing)}",
            hint="Run it again when these stations are on; until then nothing is granted.",
        )
    call.done(f"{records} records are there again", records=records, stations=[one.station for one in now])
