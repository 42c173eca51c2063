"""Commands about the cache of packages: cache list, cache clean."""

import datetime as dt
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import typer
from rich.table import Table

from atota.cli.call import Call
from atota.cli.view.output import plain
from atota.cli.view.times import local_moment
from atota.clock import SystemClock, utc_iso
from atota.ota.cache import Cache, Cached


def list_cache(call: Call) -> None:
    """Print the packages in the cache, the newest first."""
    call.out.begin()
    cache = Cache(call.settings.cache)
    packages = cache.packages()
    call.done(
        partial(_table, packages) if packages else None,
        folder=str(cache.folder),
        packages=[_fields(one) for one in packages],
        bytes=_room(packages),
    )
    call.out.say(f"{_count(packages)}, {_room(packages):,} bytes in {cache.folder}")


def clean_cache(
    call: Call,
    older_than: Annotated[
        float,
        typer.Option(min=0, metavar="DAYS", help="Only those last changed so long ago."),
    ] = 0.0,
) -> None:
    """Remove packages from the cache, but those that are being fetched."""
    call.out.begin()
    cache = Cache(call.settings.cache)
    latest = SystemClock().time() - dt.timedelta(days=older_than).total_seconds()
    due = [one for one in cache.packages() if one.at <= latest]
    removed = [one for one in due if cache.remove(one)]
    held = [one for one in due if one not in removed]
    call.done(
        folder=str(cache.folder),
        removed=[_fields(one) for one in removed],
        held=[_fields(one) for one in held],
        bytes=_room(removed),
    )
    call.out.say(f"{_count(removed)} removed, {_room(removed):,} bytes")
    if held:
        call.out.say(f"{_count(held)} kept: another lane or program is fetching them")


def _count(packages: Sequence[Cached]) -> str:
    return "1 package" if len(packages) == 1 else f"{len(packages)} packages"


def _room(packages: Sequence[Cached]) -> int:
    return sum(one.done for one in packages)


def _fields(package: Cached) -> dict[str, Any]:
    return {
        "md5": package.md5,
        "size": package.size,
        "done": package.done,
        "whole": package.is_whole,
        "at": utc_iso(package.at),
        "path": package.path,
    }


def _table(packages: Sequence[Cached]) -> Table:
    table = Table(box=None, header_style="bold")
    for heading in ("md5", "size", "state", "changed"):
        table.add_column(heading, no_wrap=True, justify="right" if heading == "size" else "left")
    for one in packages:
        state = "whole" if one.is_whole else f"{100 * one.done // max(one.size, 1)} %"
        table.add_row(plain(one.md5), f"{one.size:,}", state, local_moment(one.at))
    return table
