"""Settle outstanding commands: those that were sent, and whose final result has not come.

Two proofs are known. As many results as there are outstanding commands, and one more, settle everything:
``AT`` is sent for that, twice at most. And a module answers in order, so the response to a *fence*, a query
whose information line no other command prints, proves that nothing before it will come any more::

    -> AT+COPS=?      no result within 60 s: outstanding
    -> AT             no result either
    -> AT+CMEE=?      the fence
    <- OK             AT+COPS=?'s or AT's: settles one, proves nothing
    <- +CMEE: (0-2)   the fence's own information
    <- OK             its result: nothing is outstanding any more
"""

import re
from collections.abc import Callable, Iterator

from atota.at.syntax import command_name
from atota.errors import Desynchronised, NoAnswer

_FENCES = (
    ("AT+CMEE=?", re.compile(rb"\+CMEE: ?\(")),
    ("AT+CFUN?", re.compile(rb"\+CFUN: ?\d")),
    ("AT+CEREG=?", re.compile(rb"\+CEREG: ?\(")),
    ("AT+CGATT=?", re.compile(rb"\+CGATT: ?\(")),
)
"""Harmless 27.007 queries, each with an information line that no other command and no URC looks like."""


def usable_fences(abandoned: set[str]) -> Iterator[tuple[str, re.Pattern[bytes]]]:
    """Yield the fences that no command in ``abandoned`` could answer in their place, as that set grows.

    A fence counts only once as long as anything is outstanding: the late response of an earlier one would
    look like its own.
    """
    for text, mark in _FENCES:
        name = command_name(text)
        if not any(name in command.upper() for command in abandoned):
            yield text, mark


def settle_by_probes(
    probe: Callable[[str, re.Pattern[bytes] | None], bool],
    is_settled: Callable[[], bool],
    abandoned: set[str],
) -> None:
    """Send probes until their results show that nothing is outstanding.

    Args:
        probe: sends a command, with the pattern of its own information line if it is a fence; True if any
            result came.
        is_settled: True if nothing is outstanding.
        abandoned: the commands that may still be answered; ``probe`` adds its own.

    Raises:
        NoAnswer: the module answers nothing any more.
        Desynchronised: results are outstanding, and nothing proves that they will not come.
    """
    tried = ["AT", "AT"]
    if not (probe("AT", None) or probe("AT", None)) and not is_settled():
        raise NoAnswer("the module has stopped answering", tried=tuple(tried))
    for text, mark in usable_fences(abandoned):
        if is_settled():
            return
        tried.append(text)
        probe(text, mark)
    if not is_settled():
        message = "responses can no longer be told apart: results of earlier commands are outstanding"
        raise Desynchronised(message, tried=tuple(tried))
