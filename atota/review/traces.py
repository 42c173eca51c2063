r"""Literal conversations, and what a profile makes of them: which commands occur, which answers it reads.

A trace is text: ``# key: value`` (``persona``, ``source``, ``sim``), ``> `` a line of the host, ``>> `` bytes
of it as they stand, ``< `` bytes of the module; in all three ``\r``, ``\n``, ``\xNN`` and ``\\`` are escaped.
``* N XX``: the host sends N times the byte XX; ``? N``: noise; ``~ S``: the host waits S seconds.
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from atota.at.events import Boot, Done, Information, Urc, view
from atota.at.exchange import Exchange
from atota.at.syntax import Command, UrcRule
from atota.dialects.common import Ask, Pattern, Send, parts, texts
from atota.dialects.model import Dialect, Query, Recognise, sends

_ESCAPE = re.compile(rb"\\(r|n|\\|x[0-9a-fA-F]{2})")
_MUST_PARSE = ("manufacturer", "model", "version", "revision", "imei")
"""Fields whose answer always has a value; a signal or a battery may be told as unknown."""


class Turn(msgspec.Struct, frozen=True):
    """A line of the host (empty: none yet), and all that the module said until the next one."""

    sent: str
    came: bytes


class Reading(msgspec.Struct, frozen=True):
    """What a profile makes of some traces.

    ``fields`` are the values it reads; ``unread`` the paths and answers of questions that no pattern fits;
    ``unseen`` the commands, ``unmatched`` the paths of patterns of which no trace has an example.
    """

    fields: dict[str, str]
    unread: tuple[tuple[str, str], ...]
    unseen: tuple[Send, ...]
    unmatched: tuple[str, ...]


def unescape(text: str) -> bytes:
    """The bytes that a trace's line stands for."""
    known = {b"r": b"\r", b"n": b"\n", b"\\": b"\\"}
    return _ESCAPE.sub(lambda m: known.get(m[1]) or bytes([int(m[1][1:], 16)]), text.encode("ascii"))


def header(text: str, key: str) -> list[str]:
    """The values of a key in a trace's head."""
    return re.findall(rf"^# {key}: (.*)$", text, re.MULTILINE)


def turns(text: str) -> Iterator[Turn]:
    """The turns of a trace."""
    sent, came = "", b""
    for line in text.splitlines():
        if line.startswith("> "):
            yield Turn(sent, came)
            sent, came = view(unescape(line[2:])), b""
        elif line.startswith("< "):
            came += unescape(line[2:])
    yield Turn(sent, came)


def read_traces(dialect: Dialect, traces: Iterable[str]) -> Reading:
    """What a profile makes of traces, given as their texts."""
    all_turns = [turn for text in traces for turn in turns(text)]
    answers: dict[str, list[tuple[str, ...]]] = {}
    lines: list[str] = []
    for turn in all_turns:
        answer = _replay(dialect, turn, lines)
        if answer is not None:
            answers.setdefault(turn.sent, []).append(answer)
    fields, unread = _queries(dialect, answers)
    unread += _asks(dialect, answers)
    sent = {turn.sent for turn in all_turns}
    return Reading(
        fields=fields,
        unread=tuple(unread),
        unseen=tuple(send for send in sends(dialect) if not any(map(send.matches, sent))),
        unmatched=(*_idle(dialect, answers), *_unmatched(dialect, lines)),
    )


def _replay(dialect: Dialect, turn: Turn, heard: list[str]) -> tuple[str, ...] | None:
    """The lines of a good answer, None if there is none; ``heard`` gets every line."""
    exchange = Exchange(dialect.syntax)
    if turn.sent and not re.search(r"[\r\n]", turn.sent):
        exchange.send(Command.of(turn.sent))
    answer = None
    for event in exchange.receive(turn.came):
        if isinstance(event, Information | Urc | Boot):
            heard.append(view(event.raw))
        elif isinstance(event, Done) and event.final.ok:
            answer = tuple(view(line) for line in event.lines)
    return answer


def _queries(
    dialect: Dialect, answers: dict[str, list[tuple[str, ...]]]
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    fields: dict[str, str] = {}
    missed: dict[str, tuple[str, str]] = {}
    for index, query in enumerate(dialect.identify):
        for lines in answers.get(query.send, ()):
            value = query.find(lines)
            if value:
                fields.setdefault(query.field, value)
            elif lines:
                missed.setdefault(query.field, (f"$.identify[{index}].pattern", _told(query, lines)))
    return fields, [missed[f] for f in missed if f not in fields and f in _MUST_PARSE]


def _asks(dialect: Dialect, answers: dict[str, list[tuple[str, ...]]]) -> list[tuple[str, str]]:
    missed = []
    for path, part, _ in parts(dialect):
        given = answers.get(part.send, []) if isinstance(part, Ask) else []
        if given and not any(part.find(lines) for lines in given):
            missed.append((f"{path}.pattern", _told(part, given[0])))
    return missed


def _told(question: Query | Ask, lines: tuple[str, ...]) -> str:
    return f"{question.pattern!r} finds nothing in what {question.send} is answered: {' / '.join(lines)!r}"


def _idle(dialect: Dialect, answers: dict[str, list[tuple[str, ...]]]) -> Iterator[str]:
    """Queries that no answer in a trace fits, though another one may read the field."""
    for index, query in enumerate(dialect.identify):
        given = answers.get(query.send)
        if given and not any(query.find(lines) for lines in given):
            yield f"$.identify[{index}].pattern"


def _unmatched(dialect: Dialect, lines: list[str]) -> Iterator[str]:
    """Patterns of lines that come by themselves, and of answers to the method's commands."""
    for text in texts(dialect, Pattern):
        if isinstance(text.part, Query | Ask | Recognise | UrcRule):
            continue
        if not any(re.search(text.value, line) for line in lines):
            yield text.path
