"""Commands that drive the control lines of a board: reset, power."""

from contextlib import ExitStack
from typing import Annotated

import typer

from atota.cli.call import Call
from atota.cli.completion import complete_words
from atota.cli.transcripts import recording
from atota.cli.wiring import require_settled
from atota.errors import ConfigError, Interrupted, UsageError
from atota.module.lines import drive
from atota.names import advice
from atota.settings.board import Board
from atota.settings.spec import job_spec
from atota.settings.steps import Sequence

_FORCE = Annotated[
    bool, typer.Option("--force", help="Also if the journal says that the module may be updating itself.")
]
_ACTIONS = ("on", "off")


def reset(call: Call, force: _FORCE = False) -> None:
    """Reset the module by the lines of the board."""
    board = _board(call)
    if board.reset is None:
        raise _without(board, "[reset]", 'sequence = ["rts:1", "wait:0.2", "rts:0"]')
    _drive(call, board, board.reset.sequence, "reset", force=force)


def power(
    call: Call,
    action: Annotated[
        str,
        typer.Argument(
            metavar="on|off", help="Switch the supply on or off.", autocompletion=complete_words(*_ACTIONS)
        ),
    ],
    force: _FORCE = False,
) -> None:
    """Switch the module's supply by the lines of the board."""
    if action not in _ACTIONS:
        raise UsageError(f"{action!r} is not on or off", hint=advice(action, _ACTIONS, known="Actions"))
    board = _board(call)
    sequence = None if board.power is None else board.power.on if action == "on" else board.power.off
    if sequence is None:
        raise _without(board, f"[power] {action}", f'{action} = ["dtr:{action == "on":d}"]')
    _drive(call, board, sequence, f"power {action}", force=force)


def _board(call: Call) -> Board:
    if call.board is None:
        raise UsageError(
            "no board was given", hint="Give --board FILE: the board file says which lines are wired."
        )
    return call.board


def _without(board: Board, table: str, example: str) -> ConfigError:
    return ConfigError(
        f"the board {board.name} has no {table}",
        hint=f"Add it to the board file, as the board is wired; for instance {example}.",
    )


def _drive(call: Call, board: Board, sequence: Sequence, name: str, *, force: bool) -> None:
    call.out.begin(port=call.port)
    if not force:
        require_settled(call)

    def check() -> None:
        if call.stop.is_set:
            raise Interrupted("stopped by the user")

    steps = [str(step) for step in sequence]
    with ExitStack() as stack:
        wrap = recording(call, job_spec(call.settings, board, port=call.port), stack)
        drive(call.port, board, sequence, check=check, wrap=wrap)
    call.done(f"{name}: {' '.join(steps)}", port=call.port, board=board.name, steps=steps)
