"""The verdict of a profile on literal conversations: the commands that occur, the responses that it reads."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from atota.at.events import Boot, Done, Information, Urc, view
from atota.at.exchange import Exchange
from atota.at.syntax import Command, UrcRule
from atota.dialects.common import Ask, Pattern
from atota.dialects.model import Dialect, Query, Recognise, sends
from atota.dialects.texts import Send, parts, texts
from atota.transcript.trace import Host, Module, Trace

_MUST_PARSE = ("manufacturer", "model", "version", "revision", "imei")
"""Fields whose response always has a value; a signal or a battery may be reported as unknown."""

Responses = dict[str, list[tuple[str, ...]]]
"""The lines of the good responses to each command."""


class Turn(msgspec.Struct, frozen=True):
    """A command line of the host (empty: none yet), and all bytes of the module until the next one."""

    command: str
    response: bytes


class Reading(msgspec.Struct, frozen=True):
    """The result of reading some traces with a profile.

    ``fields`` are the values it reads; ``unread`` the paths and responses of queries that no pattern fits;
    ``unseen`` the commands, ``unmatched`` the paths of patterns of which no trace has an example.
    """

    fields: dict[str, str]
    unread: tuple[tuple[str, str], ...]
    unseen: tuple[Send, ...]
    unmatched: tuple[str, ...]


def turns(trace: Trace) -> Iterator[Turn]:
    """Yield the turns of a trace; payload bytes of the host do not begin one."""
    command, response = "", b""
    for line in trace.lines:
        if isinstance(line, Host) and line.is_line:
            yield Turn(command, response)
            command, response = view(line.data[:-1]), b""
        elif isinstance(line, Module):
            response += line.data
    yield Turn(command, response)


def read_traces(dialect: Dialect, traces: Iterable[Trace]) -> Reading:
    """Read traces with a profile."""
    all_turns = [turn for trace in traces for turn in turns(trace)]
    responses: Responses = {}
    lines: list[str] = []
    for turn in all_turns:
        response = _replay(dialect, turn, lines)
        if response is not None:
            responses.setdefault(turn.command, []).append(response)
    fields, unread = _queries(dialect, responses)
    unread += _asks(dialect, responses)
    commands = {turn.command for turn in all_turns}
    return Reading(
        fields=fields,
        unread=tuple(unread),
        unseen=tuple(send for send in sends(dialect) if not any(map(send.matches, commands))),
        unmatched=(*_idle(dialect, responses), *_unmatched(dialect, lines)),
    )


def _replay(dialect: Dialect, turn: Turn, all_lines: list[str]) -> tuple[str, ...] | None:
    """Return the lines of a good response, None without one; every line is added to ``all_lines``."""
    exchange = Exchange(dialect.syntax)
    if turn.command and not re.search(r"[\r\n]", turn.command):
        exchange.send(Command.of(turn.command))
    response = None
    for event in exchange.receive(turn.response):
        if isinstance(event, Information | Urc | Boot):
            all_lines.append(view(event.raw))
        elif isinstance(event, Done) and event.final.ok:
            response = tuple(view(line) for line in event.lines)
    return response


def _queries(dialect: Dialect, responses: Responses) -> tuple[dict[str, str], list[tuple[str, str]]]:
    fields: dict[str, str] = {}
    missed: dict[str, tuple[str, str]] = {}
    for index, query in enumerate(dialect.identify):
        for lines in responses.get(query.send, ()):
            value = query.find(lines)
            if value:
                fields.setdefault(query.field, value)
            elif lines:
                missed.setdefault(query.field, (f"$.identify[{index}].pattern", _misfit(query, lines)))
    return fields, [missed[f] for f in missed if f not in fields and f in _MUST_PARSE]


def _asks(dialect: Dialect, responses: Responses) -> list[tuple[str, str]]:
    missed = []
    for path, part, _ in parts(dialect):
        given = responses.get(part.send, []) if isinstance(part, Ask) else []
        if given and not any(part.find(lines) for lines in given):
            missed.append((f"{path}.pattern", _misfit(part, given[0])))
    return missed


def _misfit(question: Query | Ask, lines: tuple[str, ...]) -> str:
    return f"{question.pattern!r} does not match the response to {question.send}: {' / '.join(lines)!r}"


def _idle(dialect: Dialect, responses: Responses) -> Iterator[str]:
    """Yield the queries that no response in a trace fits, though another query may read the field."""
    for index, query in enumerate(dialect.identify):
        given = responses.get(query.send)
        if given and not any(query.find(lines) for lines in given):
            yield f"$.identify[{index}].pattern"


def _unmatched(dialect: Dialect, lines: list[str]) -> Iterator[str]:
    """Yield the patterns of unsolicited lines, and of responses to the method's commands, without a match."""
    for text in texts(dialect, Pattern):
        if isinstance(text.part, Query | Ask | Recognise | UrcRule):
            continue
        if not any(re.search(text.value, line) for line in lines):
            yield text.path
