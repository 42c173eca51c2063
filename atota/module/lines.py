"""The control lines of a board: driven without a conversation, and as the last step of recovery."""

from collections.abc import Callable
from contextlib import closing
from typing import Protocol, runtime_checkable

from atota.clock import Clock
from atota.errors import ModuleError, NoAnswer, SelfUpdating
from atota.link.base import Link
from atota.link.open import open_link
from atota.module.module import Module, pulse
from atota.settings.adapter import check_adapter
from atota.settings.board import Board
from atota.settings.steps import Step


@runtime_checkable
class KeepsLines(Protocol):
    """A link whose control lines can keep their levels once it is closed."""

    def keep_lines(self) -> None:
        """Keep them."""
        ...


def drive(
    port: str,
    board: Board,
    sequence: tuple[Step, ...],
    *,
    check: Callable[[], None],
    clock: Clock | None = None,
    wrap: Callable[[Link], Link] | None = None,
) -> None:
    """Open a port, drive its control lines, and close it; they keep their levels where the system lets them.

    Args:
        port: the port.
        board: the board on it; its adapter is compared first.
        sequence: the steps.
        check: called during waits; may raise.
        clock: the time to live in, for simulated ports.
        wrap: puts another link round the one that was opened (a transcript).

    Raises:
        LinkError: the port cannot be opened, has another adapter, or has no such line.
    """
    check_adapter(board, port)
    link = open_link(port, clock=clock, low_latency=False)
    with closing(link if wrap is None else wrap(link)) as wrapped:
        if isinstance(link, KeepsLines):
            link.keep_lines()
        pulse(wrapped, sequence, check)


def answer_after_restart(module: Module, silence: ModuleError, warn: Callable[[str], None]) -> None:
    """Restart a silent module by the lines of its board, the gentlest way first, until it answers.

    Args:
        module: the module.
        silence: its silence; each way that did not help is added to what was tried.
        warn: gets each restart, before it.

    Raises:
        ModuleError: ``silence`` itself, if the board has no lines or they do not help.
        SelfUpdating: it prints that it updates itself.
        LineUnavailable: the port has no such line.
    """
    if isinstance(silence, SelfUpdating):
        raise silence
    for name, sequence in module.restarts:
        warn(f"{silence.message}; {name} by the lines of the board")
        module.restart(sequence)
        try:
            module.find()
        except SelfUpdating:
            raise
        except NoAnswer:
            silence.tried = (*silence.tried, f"{name} by the lines of the board: no answer")
        else:
            return
    raise silence
