"""What proves that no earlier command can be answered any more."""

import re
from collections.abc import Iterator

from atota.at.events import Done, Event, Late
from atota.at.syntax import command_name

_FENCES = (
    ("AT+CMEE=?", re.compile(rb"\+CMEE: ?\(")),
    ("AT+CFUN?", re.compile(rb"\+CFUN: ?\d")),
    ("AT+CEREG=?", re.compile(rb"\+CEREG: ?\(")),
    ("AT+CGATT=?", re.compile(rb"\+CGATT: ?\(")),
)
"""Harmless 27.007 questions, each with an answer that no other command and no URC looks like."""


def usable_fences(unpaid: set[str]) -> Iterator[tuple[str, re.Pattern[bytes]]]:
    """The fences that no command in ``unpaid`` could answer in their place, as that set grows.

    A fence counts only once as long as anything is owed: the late answer of an earlier one would look like
    its own.
    """
    for text, mark in _FENCES:
        name = command_name(text)
        if not any(name in owing.upper() for owing in unpaid):
            yield text, mark


def is_result(event: Event) -> bool:
    """Whether an event is a final result, of the command in flight or of an earlier one."""
    return isinstance(event, Done) or (isinstance(event, Late) and event.result)


def short(text: str) -> str:
    """A command as errors show it: a block's line has a thousand characters."""
    return text if len(text) <= 40 else text[:36] + "..."
