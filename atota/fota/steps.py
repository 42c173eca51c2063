"""The commands that a dialect wants sent before a transfer, and those that undo them."""

import re
from collections.abc import Callable

from atota.dialects.model import Step
from atota.module.session import Session

_STEP_S = 20.0


def send_steps(session: Session, undo: list[str], on_undo_changed: Callable[[tuple[str, ...]], None]) -> None:
    """Send the steps that apply. ``undo`` lists the commands that take earlier changes back."""
    for step in session.dialect.prepare:
        if not _applies(session, step):
            continue
        changes = step.undo is not None and step.undo not in undo
        # Noted before it is sent: after an interruption it is not known if the module took it.
        if step.undo is not None and changes:
            undo.append(step.undo)
            on_undo_changed(tuple(undo))
        if not session.command(step.send, timeout_s=_STEP_S).ok and changes:
            undo.pop()
            on_undo_changed(tuple(undo))


def _applies(session: Session, step: Step) -> bool:
    """True if a step has no condition, or the module's answer fulfils it."""
    if step.ask is None:
        return True
    response = session.command(step.ask)
    return response.ok and re.search(step.when or "", "\n".join(response.lines)) is not None
