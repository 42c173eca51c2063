"""How a command is declared: a body, the option groups it takes, and a worked example."""

import inspect
from collections.abc import Callable
from typing import Any

import typer

from atota.cli.call import Call, perform
from atota.cli.options import Group

Body = Callable[..., int | None]


def command(
    app: typer.Typer, name: str, *groups: Group, example: str, shown_as: str | None = None
) -> Callable[[Body], Body]:
    """Make a Typer command of ``body(call, **own)``.

    The groups' options are added to the body's own ones; their values are in ``call.options``.

    Args:
        app: where the command is added.
        name: as it is typed.
        groups: option groups of `atota.cli.options`.
        example: a command line that works, shown under ``--help``.
        shown_as: the name in results, if it differs (``sim module``).
    """

    def declare(body: Body) -> Body:
        own = list(inspect.signature(body, eval_str=True).parameters.values())[1:]
        shared = [parameter for group in groups for parameter in group]

        def run(**values: Any) -> None:
            mine = {parameter.name: values[parameter.name] for parameter in own}
            perform(shown_as or name, values, lambda call: body(call, **mine))

        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [parameter.replace(kind=keyword) for parameter in own] + shared
        run.__doc__ = body.__doc__
        run.__name__ = body.__name__
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name, epilog=f"Example: {example}")(run)
        return body

    return declare


__all__ = ["Call", "command"]
