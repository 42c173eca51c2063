"""The command that shows where everything lies and which settings count, and begins the file: config."""

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table

from atota.cli.call import Call
from atota.cli.completion import complete_words
from atota.cli.view.output import plain, styled
from atota.errors import ConfigError, UsageError
from atota.journal.store import default_path
from atota.names import advice
from atota.ota.cache import Cache
from atota.settings.resolve import CONFIG_VARIABLE, config_path, unknown_variables
from atota.settings.secret import Secret
from atota.settings.table import Row, rows
from atota.settings.template import config_text
from atota.transcript.kept import kept_folder

_ACTIONS = ("show", "init")


def config(
    call: Call,
    action: Annotated[
        str,
        typer.Argument(
            metavar="show|init",
            help="show: print all. init: write a configuration file with every key commented out.",
            autocompletion=complete_words(*_ACTIONS),
        ),
    ] = "show",
) -> None:
    """Print the paths of files and every setting with its origin, or begin the configuration file."""
    call.out.begin()
    if action not in _ACTIONS:
        raise UsageError(
            f"{action!r} is not an action of config", hint=advice(action, _ACTIONS, known="Actions")
        )
    if action == "init":
        path = _begun(config_path(os.environ))
        call.done(f"written: {path}", path=str(path))
        return
    paths = _paths(call)
    settings = {
        row.name: {"value": _shown(value), "origin": call.settings.origin[row.name]}
        for row in rows().values()
        if (value := getattr(call.settings, row.name)) not in (None, False)
    }
    variables = [_variable(call, row) for row in rows().values() if row.variable or row.secret]
    named = os.environ.get(CONFIG_VARIABLE)
    variables.append(_fields(CONFIG_VARIABLE, "", named, CONFIG_VARIABLE if named else None))
    call.done(
        partial(_page, paths, settings, variables),
        paths={name: str(path) for name, path in paths.items()},
        settings=settings,
        variables=variables,
        unknown_variables=list(unknown_variables(os.environ)),
    )


def _begun(path: Path) -> Path:
    """Write the file to begin with.

    Raises:
        ConfigError: there is one already, or it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(config_text())
    except FileExistsError:
        raise ConfigError(
            f"{path} is there already",
            hint=f"Edit it, or move it away first. {CONFIG_VARIABLE} names another one.",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", hint=f"Name another file with {CONFIG_VARIABLE}."
        ) from error
    return path


def _paths(call: Call) -> dict[str, Path]:
    named = call.settings.journal
    return {
        "configuration": config_path(os.environ),
        "journal": named or default_path(),
        "simulated jobs": named or default_path("simulated"),
        "replayed jobs": named or default_path("replayed"),
        "transcripts": kept_folder(),
        "packages": Cache(call.settings.cache).folder,
    }


def _variable(call: Call, row: Row) -> dict[str, Any]:
    """Return a variable as JSON has it: the value that counts, and the place that it comes from."""
    value = getattr(call.settings, row.name)
    is_set = value is not None
    names = " or ".join(name for name in (row.secret, row.variable) if name)
    return _fields(
        names, row.name, _shown(value) if is_set else None, call.settings.origin[row.name] if is_set else None
    )


def _fields(variable: str, setting: str, value: str | None, origin: str | None) -> dict[str, Any]:
    return {"variable": variable, "setting": setting, "value": value, "origin": origin}


def _shown(value: object) -> str:
    return "(secret)" if isinstance(value, Secret) else str(value)


def _page(
    paths: dict[str, Path], settings: dict[str, dict[str, str]], variables: list[dict[str, Any]]
) -> Group:
    files = _table(("files", ""))
    for name, path in paths.items():
        files.add_row(name, plain(path) + ("" if path.exists() else "  (not there yet)"))
    table = _table(("variable", "value", "origin"))
    for one in variables:
        table.add_row(*(plain(one[key] or "-") for key in ("variable", "value", "origin")))
    others = {name: one for name, one in settings.items() if not any(v["setting"] == name for v in variables)}
    for name, one in others.items():
        table.add_row(f"({name})", plain(one["value"]), plain(one["origin"]))
    return Group(
        files, "", table, "", styled("[dim]{}[/]", "`atota config init` writes a file with every key")
    )


def _table(headings: tuple[str, ...]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=number == 0)
    return table
