"""The command that talks to a module line by line, as the user types: term.

It is not a transparent terminal: each line is a command of the module's dialect, so that its response is told
from the lines that come unasked, and a late result is not taken for that of the next command.
"""

import sys
from typing import Annotated, Any

import typer
from rich.text import Text

from atota.cli.call import Call
from atota.cli.commands.talk import cancel_prompt, require_line, response_fields
from atota.cli.view.output import plain, styled
from atota.cli.view.typed import TypedLines
from atota.cli.wiring import opened_module
from atota.errors import AtotaError, Interrupted, ModuleError, UsageError
from atota.module.response import Response
from atota.module.session import Session

_LOOK_S = 0.05
"""Time in which a typed line is waited for, before the port is read again."""


def term(
    call: Call,
    within: Annotated[
        float, typer.Option(min=0.1, max=3600, metavar="SECONDS", help="Limit for each response.")
    ] = 30.0,
) -> None:
    """Send each line that is typed as a command; print its response, and what comes unasked.

    Raises:
        LinkError: the port went away.
    """
    call.out.begin(port=call.port)
    sent: list[bool] = []
    with opened_module(call, restarts=False) as module:
        identity = module.identify()
        who = " ".join(filter(None, (identity.manufacturer, identity.model, identity.version)))
        call.out.say(f"{who}: {identity.dialect} at {identity.baud} baud; Ctrl-D or Ctrl-C ends")
        call.out.say("lines with ~ come unasked")
        typed = TypedLines(sys.stdin)
        try:
            while True:
                module.session.listen(_LOOK_S)
                _show_urcs(call, module.session)
                sent += _answered(call, module.session, typed, within)
        except (EOFError, Interrupted):
            pass
    call.done(commands=len(sent), refused=sent.count(False))


def _answered(call: Call, session: Session, typed: TypedLines, within: float) -> list[bool]:
    """Send the next line, if one was typed; return if its result was good."""
    try:
        line = (typed.take(_LOOK_S) or "").strip()
    except TimeoutError:
        return []
    if not line:
        return []
    try:
        require_line(line)
        response = session.command(line, timeout_s=within)
    except (ModuleError, UsageError) as error:
        _show_trouble(call, line, error)
        cancel_prompt(call, session)
        return [] if isinstance(error, UsageError) else [False]
    call.out.event("response", _page(response), **response_fields(response))
    _show_urcs(call, session)
    return [response.ok]


def _page(response: Response) -> Text:
    colour = "green" if response.ok else "red"
    lines = [Text(plain(line)) for line in response.lines]
    return Text("\n").join([*lines, styled(f"[{colour}]{{}}[/]", response.final)])


def _show_urcs(call: Call, session: Session) -> None:
    for urc in session.take_urcs():
        call.out.event("urc", styled("[cyan]~ {}[/]", urc), text=urc)


def _show_trouble(call: Call, line: str, error: AtotaError) -> None:
    fields: dict[str, Any] = {"command": line, "code": error.code, "message": error.message}
    call.out.event("trouble", **fields)
    call.out.say(styled("[red]{}[/]\n[dim]{}[/]", error.message, error.hint))
