"""The options that commands share: made from the table of settings, and those of the output."""

import inspect
from collections.abc import Callable, Collection
from typing import Annotated, Any

import typer

from atota.settings.groups import Group
from atota.settings.table import Row, rows


def complete_ports(incomplete: str) -> list[str]:
    """Return names of serial ports, for the shell."""
    from atota.link.ports import port_names

    return [name for name in port_names() if name.startswith(incomplete)]


def complete_dialects(incomplete: str) -> list[str]:
    """Return names of dialects, for the shell."""
    from atota.dialects.loader import names, own_files

    return [name for name in (*names(), *own_files()) if name.startswith(incomplete)]


def complete_models(incomplete: str) -> list[str]:
    """Return names of the catalogue's models, for the shell."""
    from atota.dialects.catalogue import rows as catalogue_rows

    start = incomplete.lower()
    return [
        row.model
        for row in catalogue_rows()
        if row.task_type == "fota" and row.model.lower().startswith(start)
    ]


_COMPLETIONS: dict[str, Callable[[str], list[str]]] = {
    "ports": complete_ports,
    "dialects": complete_dialects,
    "models": complete_models,
}


def parameters(groups: Collection[Group]) -> list[inspect.Parameter]:
    """Return the options of these groups of settings, in the order of the table."""
    return [_setting(row) for row in rows().values() if row.flags and row.group in groups]


def _setting(row: Row) -> inspect.Parameter:
    notes = [f"env: {row.variable}"] if row.variable is not None else []
    if row.default is not None and not row.is_switch:
        notes.append(f"default: {row.default}")
    return _parameter(
        row.name,
        bool | None if row.is_switch else str | None,
        *row.flags,
        metavar=row.metavar,
        help=f"{row.help} [{'; '.join(notes)}]" if notes else row.help,
        rich_help_panel=row.group and row.group.value,
        autocompletion=_COMPLETIONS.get(row.complete or ""),
    )


def _parameter(name: str, kind: Any, *flags: str, default: Any = None, **settings: Any) -> inspect.Parameter:
    settings["help"] = settings["help"].replace("[", "\\[")  # else Typer reads markup
    annotation = Annotated[kind, typer.Option(*flags, **settings)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _output(name: str, kind: type, *flags: str, default: Any = False, **settings: Any) -> inspect.Parameter:
    return _parameter(name, kind, *flags, default=default, rich_help_panel="Output", **settings)


OUTPUT = (
    _output("json", bool, "--json", help="JSON Lines on stdout."),
    _output(
        "verbose",
        int,
        "--verbose",
        "-v",
        default=0,
        count=True,
        show_default=False,
        help="Print more; twice: the conversation too.",
    ),
    _output("quiet", bool, "--quiet", "-q", help="Print only results and errors."),
    _output("no_progress", bool, "--no-progress", help="Draw no bars."),
)
