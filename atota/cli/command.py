"""A command of the command line: a row of `atota.cli.app`, and the Typer command that it makes.

The module of a command is imported when the command is run, completed, or asked for its help; listing the
commands imports none.
"""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from atota.cli.view.output import Ending, Output
from atota.errors import AtotaError
from atota.settings.groups import Group

Body = Callable[..., int | None]


class Command(NamedTuple):
    """One command.

    Attributes:
        name: the name, as typed.
        body: ``module:function`` in `atota.cli.commands`; the function takes a `Call` and its own options.
        help: the help text; its first paragraph is listed.
        example: a command line that works, shown in the help.
        groups: the settings that it takes as options.
    """

    name: str
    body: str
    help: str
    example: str
    groups: tuple[Group, ...] = ()


class _Loading(TyperCommand):
    """A Typer command that gets its options and its body when it is needed."""

    row: Command
    title: str

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Load the body, then parse as any command does."""
        loader = typer.Typer(add_completion=False)
        try:
            entry = _entry(self.row, self.title)
        except AtotaError as error:  # the command needs a package that is not installed
            sys.exit(Output(self.title, json="--json" in sys.argv[1:], ending=Ending()).failure(error))
        loader.command()(entry)
        loaded = typer.main.get_command(loader)
        self.params, self.callback = loaded.params, loaded.callback
        return super().make_context(*arguments, **options)

    def get_params(self, ctx: Any) -> Any:
        """Return the options, switches without a type."""
        return _plain(super().get_params(ctx))


class Program(TyperGroup):
    """A group of commands."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Parse as any group does; note why that cannot be."""
        with _noted(options.get("obj")):
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """Find and run the command; note why that cannot be."""
        with _noted(ctx.obj):
            return super().invoke(ctx)

    def get_params(self, ctx: Any) -> Any:
        """Return the options, switches without a type."""
        return _plain(super().get_params(ctx))


@contextmanager
def _noted(ending: object) -> Iterator[None]:
    """Note the words of Typer's error for the result line; Typer itself shows them and ends the program."""
    try:
        yield
    except Exception as error:
        words = getattr(error, "format_message", None)
        if isinstance(ending, Ending) and words is not None and ending.problem is None:
            ending.problem = str(words()).strip()
        raise


def declare(app: typer.Typer, row: Command, *, group: str = "") -> None:
    """Add a command to ``app``, which is the ``group`` of the program."""
    title = f"{group} {row.name}".strip()
    kind = type("_LoadingCommand", (_Loading,), {"row": row, "title": title})
    app.command(row.name, cls=kind, help=row.help, epilog=f"Example: {row.example}")(_not_loaded)


def _not_loaded() -> None:
    raise AssertionError("a command's body is loaded before it is run")


def _entry(row: Command, title: str) -> Callable[..., None]:
    """Return the function that Typer calls: the body's own options and its groups' are its parameters."""
    from atota.cli.call import Call, perform  # it loads what `atota --help` does not need
    from atota.cli.options import OUTPUT, parameters

    module, _, function = row.body.partition(":")
    body: Body = getattr(importlib.import_module(f"atota.cli.commands.{module}"), function)
    own = list(inspect.signature(body, eval_str=True).parameters.values())[1:]
    shared = parameters(row.groups)

    def run(ctx: typer.Context, **values: Any) -> None:
        ending = ctx.obj if isinstance(ctx.obj, Ending) else Ending()
        settings = {one.name: values[one.name] for one in shared}
        output = {one.name: values[one.name] for one in OUTPUT}
        arguments = {one.name: values[one.name] for one in own}
        perform(Call.of(title, settings, output, ending), lambda call: body(call, **arguments))

    keyword = inspect.Parameter.KEYWORD_ONLY
    context = inspect.Parameter("ctx", keyword, annotation=typer.Context)
    signature = [context, *(one.replace(kind=keyword) for one in own), *shared, *OUTPUT]
    run.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in signature}
    return run


def _plain(params: Sequence[Any]) -> Sequence[Any]:
    """Hide the Python types of values: a switch takes none, and an argument's own name says what it is."""
    for param in params:
        if param.param_type_name == "argument" and param.metavar is not None:
            param.display_type_rich = lambda ctx: None  # noqa: ARG005 - as Typer calls it
        if (getattr(param, "is_flag", False) or getattr(param, "count", False)) and param.metavar is None:
            param.metavar = ""
    return params
