"""The options that commands share: made from the table of settings, and those of the output."""

import inspect
from collections.abc import Collection
from typing import Annotated, Any

import typer

from atota.cli import completion
from atota.settings.groups import Group
from atota.settings.kinds import OneOf
from atota.settings.table import Row, rows

_COMPLETIONS: dict[str, completion.Completer] = {
    "ports": completion.complete_ports,
    "dialects": completion.complete_dialects,
    "models": completion.complete_models,
    "apis": completion.complete_apis,
    "runs": completion.complete_runs,
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
        autocompletion=_completer(row),
    )


def _completer(row: Row) -> completion.Completer | None:
    if isinstance(row.parse, OneOf):
        return completion.complete_words(*row.parse.words)
    return _COMPLETIONS.get(row.complete or "")


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

ShowImei = Annotated[bool, typer.Option("--show-imei", help="Show IMEIs whole.", rich_help_panel="Output")]
"""The option of commands that mask IMEIs on the screen."""
