"""The command that shows where everything lies and which settings count: config."""

import os
from difflib import get_close_matches
from functools import partial
from pathlib import Path

import platformdirs
from rich.table import Table

from atota.cli.call import Call
from atota.cli.view.output import plain
from atota.journal.store import default_path
from atota.ota.cache import Cache
from atota.settings.kinds import path as as_path
from atota.settings.resolve import user_config_path
from atota.settings.secret import Secret
from atota.settings.table import rows

_MORE = frozenset({"ATOTA_CONFIG", "ATOTA_API"})
"""Variables that are not settings of the table."""


def config(call: Call) -> None:
    """Print the paths of files, and every setting that has a value, with its origin."""
    call.out.begin()
    paths = _paths(call)
    settings = {
        name: {
            "value": "(secret)" if isinstance(value, Secret) else str(value),
            "origin": call.settings.origin[name],
        }
        for name in rows()
        if (value := getattr(call.settings, name)) not in (None, False)
    }
    unknown = _unknown()
    for name, near in unknown.items():
        call.out.warn(f"the variable {name} is unknown" + (f"; perhaps {near}" if near else ""))
    lines = {name: (one["value"], one["origin"]) for name, one in settings.items()}
    call.done(
        partial(_page, paths, lines),
        paths={name: str(path) for name, path in paths.items()},
        settings=settings,
        unknown_variables=sorted(unknown),
    )


def _paths(call: Call) -> dict[str, Path]:
    named = os.environ.get("ATOTA_CONFIG")
    data = platformdirs.user_data_path("atota", appauthor=False)
    return {
        "configuration": as_path(named) if named else user_config_path(),
        "journal": call.settings.journal or default_path(),
        "simulated jobs": call.settings.journal or default_path("simulated"),
        "transcripts": data / "transcripts",
        "packages": Cache().folder,
    }


def _unknown() -> dict[str, str | None]:
    """Return the ``ATOTA_*`` variables that nothing reads, each with a near name."""
    known = {name for row in rows().values() for name in (row.variable, row.secret) if name} | _MORE
    given = sorted(name for name in os.environ if name.startswith("ATOTA_") and name not in known)
    return {name: next(iter(get_close_matches(name, known)), None) for name in given}


def _page(paths: dict[str, Path], settings: dict[str, tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    for _ in range(2):
        table.add_column(overflow="fold")
    for name, path in paths.items():
        table.add_row(name, plain(path), "" if path.exists() else "not there yet")
    table.add_row("", "", "")
    for name, (value, origin) in settings.items():
        table.add_row(name, plain(value), plain(origin))
    return table
