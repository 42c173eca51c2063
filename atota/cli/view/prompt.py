"""A question to the user at the terminal."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from atota.errors import Interrupted


def confirm(question: str) -> bool:
    """Ask yes or no on the terminal; Enter means no.

    Raises:
        Interrupted: Ctrl-C or the end of the input instead of an answer.
    """
    try:
        with _breakable():
            return typer.confirm(question, default=False, err=True)
    except typer.Abort:
        raise Interrupted("stopped by the user") from None


@contextmanager
def _breakable() -> Iterator[None]:
    """Let Ctrl-C break into the reading of the answer; elsewhere it only sets the stop token."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
