"""Commands of the line's server: init, migrate, serve, station, person. They need the extra `line`."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from atota.cli.call import Call
from atota.cli.commands.sim import tcp_address
from atota.cli.view import line as view
from atota.cli.view.output import styled
from atota.clock import SystemClock
from atota.errors import UsageError, extra_missing
from atota.settings.resolve import DATABASE_VARIABLE

try:
    from atota.line.store import Store
    from atota.line.tables import people, schema, stations
    from atota.line.tables.people import ROLES
except ModuleNotFoundError as error:
    raise extra_missing(error, "line", "the line") from error

Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar=DATABASE_VARIABLE,
        show_envvar=False,
        metavar="URL",
        help="postgresql://USER@HOST:PORT/NAME; the password from ~/.pgpass. \\[env: ATOTA_DATABASE]",
    ),
]


@contextmanager
def opened(database: str | None, *, is_new: bool = False) -> Iterator[Store]:
    """Yield the store of a database whose tables are up to date; ``is_new``: they may be missing.

    Raises:
        UsageError: no database is named.
        ConfigError: it is not the line's.
    """
    if not database:
        raise UsageError(
            "no database was given",
            hint="Give --database postgresql://USER@HOST/NAME, or set ATOTA_DATABASE.",
        )
    with Store(database, clock=SystemClock()) as store:
        if not is_new:
            schema.check(store)
        yield store


def init(call: Call, database: Database = None) -> None:
    """Make or migrate the tables."""
    call.out.begin()
    with opened(database, is_new=True) as store:
        before, after = schema.migrate(store)
    words = "are up to date" if before == after else f"were brought from version {before} to {after}"
    call.done(f"the tables of the line {words}", version_before=before, version=after)


def serve(
    call: Call,
    database: Database = None,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Address to listen on; port 0: any free one.")
    ] = "127.0.0.1:8443",
    tls_certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Serve https with this certificate (PEM).")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="The certificate's key (PEM).")] = None,
    host_name: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A name that the page is opened under; may be repeated."),
    ] = None,
) -> None:
    """Serve until the stop token is set."""
    try:
        from atota.line.app import line_app
        from atota.line.page import Page
        from atota.line.service import LineService
        from atota.listener import listen_on
        from atota.web import RunningApp, Tls
    except ModuleNotFoundError as error:
        raise extra_missing(error, "server", "the line's server") from error
    if (tls_certificate is None) != (tls_key is None):
        raise UsageError("one of --tls-certificate and --tls-key is missing", hint="Give both, or none.")
    tls = Tls(tls_certificate, tls_key) if tls_certificate is not None and tls_key is not None else None
    host, port = tcp_address(listen)
    clock = SystemClock()
    with opened(database) as store:
        listener = listen_on(host, port)
        service = LineService(store, clock=clock)
        page = Page(
            store,
            living=service.living,
            clock=clock,
            listener=listener,
            names=host_name or (),
            is_tls=tls is not None,
        )
        with RunningApp(line_app(service, page), listener, tls=tls) as running:
            shown = styled("line on [bold]{}[/], database {}  (Ctrl-C ends it)", running.url, store.shown)
            call.out.event("listening", shown, url=running.url)
            idle = threading.Event()
            while not call.stop.is_set and running.is_alive:
                idle.wait(SystemClock.slice_s)
    call.done()


def add_station(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The station's name.")],
    database: Database = None,
) -> None:
    """Add a station and print its key."""
    call.out.begin()
    with opened(database) as store, store.transaction() as session:
        key = stations.add(session, name)
    call.done(key, station=name, key=key)
    call.out.say("This key is shown once: put it into the station's key file.")


def revoke_station(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The station's name.")],
    database: Database = None,
) -> None:
    """Revoke a station's key."""
    call.out.begin()
    with opened(database) as store, store.transaction() as session:
        stations.revoke(session, name)
    call.done(f"the key of {name} is refused from now on", station=name)


def list_stations(call: Call, database: Database = None) -> None:
    """List the stations."""
    call.out.begin()
    with opened(database) as store, store.transaction() as session:
        rows = stations.overview(session)
    call.done(partial(view.stations, rows), stations=[view.station(row) for row in rows])


def add_person(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")],
    role: Annotated[str, typer.Option(help="read, lead or engineer.")] = "read",
    database: Database = None,
) -> None:
    """Add an account; its PIN is the first line of stdin."""
    if role not in ROLES:
        raise UsageError(f"--role {role!r} is unknown", hint=f"Give one of {', '.join(ROLES)}.")
    call.out.begin()
    if sys.stdin.isatty():
        pin = typer.prompt("PIN", hide_input=True, confirmation_prompt=True, err=True)
    else:
        pin = sys.stdin.readline()
    with opened(database) as store, store.transaction() as session:
        people.add(session, name, role, pin.strip())
    call.done(f"{name} has the role {role}", person=name, role=role)


def remove_person(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")],
    database: Database = None,
) -> None:
    """Remove an account."""
    call.out.begin()
    with opened(database) as store, store.transaction() as session:
        people.remove(session, name)
    call.done(f"{name} has no access any more", person=name)


def list_people(call: Call, database: Database = None) -> None:
    """List the accounts."""
    call.out.begin()
    with opened(database) as store, store.transaction() as session:
        accounts = people.accounts(session)
    call.done(
        "\n".join(f"{name}  {role}" for name, role in accounts) or None,
        people=[{"name": name, "role": role} for name, role in accounts],
    )
