"""Raw bytes between two commands: not one of them goes out before the module asked for it.

`ask` sends the command that asks; the module answers with a prompt, with a line, with both in turn, or
refuses. Then `push` sends the payload and nothing else until the module's result. Unsolicited lines that
come meanwhile are kept as always.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from atota.at.events import BootDone, Data, Done, Event, Information, Late, Prompt, Urc, view
from atota.at.syntax import Command, FinalRule
from atota.clock import Deadline
from atota.errors import ModuleRebooted, NoAnswer
from atota.module.evidence import is_result
from atota.module.session import Reply, Session

_SLICE_BYTES = 1024
"""The payload goes out in pieces of at most this many bytes, so that what comes in is looked at."""
_AHEAD_S = 0.2
"""How much more than the wire has carried may be written: enough to keep it busy."""
_MARGIN_S = 1.0
_MOST_WINDOWS = 3
"""What still trickles in may prolong the wait for a module that wants bytes, but not for ever."""


class Ready(msgspec.Struct, frozen=True):
    """What the module says when it wants the bytes.

    ``prompt`` has no line end; ``line`` is how a line begins, up to the end of a word. If both are given,
    both must come, the prompt first.
    """

    prompt: str | None = None
    line: str | None = None


def ask(session: Session, text: str, ready: Ready, *, timeout_s: float, window_s: float) -> Reply | None:
    """Ask to send. None once the module wants the bytes; its final result if it does not.

    Args:
        session: the conversation.
        text: the command that asks.
        ready: what the module says when it wants the bytes.
        timeout_s: limit for that; above ``window_s``, a module whose sign was lost tells by its error.
        window_s: how long the module waits for bytes.

    Raises:
        NoAnswer: neither came in time; not one byte of payload may be sent.
        ModuleRebooted: a boot banner came instead.
    """
    # A line that asks for the bytes ends the command that asked; a prompt leaves it in flight.
    finals = (FinalRule(text=ready.line, ok=True, prefix=True),) if ready.line and not ready.prompt else ()
    command = msgspec.structs.replace(Command.of(text), prompt=ready.prompt, finals=finals)
    wanted = [word for word in (ready.prompt, ready.line) if word]
    with _conversation(session, text) as take:
        session.begin(command)
        deadline = Deadline(session.clock, timeout_s + session.wire_s(len(text) + 1))
        while True:
            over = deadline.expired
            for event in take(0.0 if over else deadline.remaining):
                if isinstance(event, Done):
                    if finals and event.final.kind == ready.line:
                        return None
                    return _reply(text, event)
                if isinstance(event, Prompt) and ready.prompt in wanted:
                    wanted.remove(event.raw.decode())
                elif ready.line in wanted and ready.prompt not in wanted and _says(event, ready.line or ""):
                    wanted.remove(ready.line)
                if not wanted:
                    return None
            if over:
                missing = " and ".join(repr(word) for word in wanted)
                leave(session, window_s, ready)
                raise NoAnswer(f"{text} brought no {missing} within {timeout_s:g} s")


def leave(session: Session, window_s: float, ready: Ready | None = None) -> None:
    """Say nothing until a module that may be waiting for bytes has given up, or has answered.

    Whatever is written meanwhile it would take for the payload.

    Args:
        session: after a command that asked to send, or in the middle of a payload.
        window_s: how long the module waits for bytes.
        ready: what it says when it wants them: said late, its time begins only then.
    """
    session.abandon()
    limit = Deadline(session.clock, _MOST_WINDOWS * window_s)
    quiet = Deadline(session.clock, window_s + _MARGIN_S)
    signs = tuple(word.encode() for word in (ready.prompt, ready.line) if word) if ready is not None else ()
    while not quiet.expired and not limit.expired:
        for event in session.take(min(quiet.remaining, session.clock.slice_s)):
            if isinstance(event, Late | Prompt) and signs and event.raw.startswith(signs):
                quiet = Deadline(session.clock, window_s + _MARGIN_S)
            elif is_result(event) or isinstance(event, BootDone):
                return


def push(
    session: Session,
    data: bytes,
    *,
    asked: str,
    timeout_s: float,
    sent: Callable[[int], None] | None = None,
) -> Reply:
    """Send the payload, and wait for its final result.

    Args:
        session: after `ask`.
        data: the bytes, exactly as announced.
        asked: the command that asked to send them.
        timeout_s: limit for the result, counted from when the last byte has left the wire.
        sent: told how many bytes have been handed over.

    Raises:
        NoAnswer: no result.
        ModuleRebooted: a boot banner came instead.
    """
    with _conversation(session, "the payload") as take:
        expect_result(session, asked)
        done = 0
        early: Done | None = None
        began = session.clock.monotonic()
        while done < len(data) and early is None:
            piece = data[done : done + _SLICE_BYTES]
            session.link.write(piece)
            done += len(piece)
            if sent is not None:
                sent(done)
            ahead_s = began + session.wire_s(done) - session.clock.monotonic()
            early = _result(take(max(0.0, ahead_s - _AHEAD_S)))
        if early is not None:
            return _reply("(payload)", early)
        return wait_result(session, timeout_s + session.wire_s(min(len(data), 65536)), "the payload", take)


def expect_result(session: Session, asked: str) -> None:
    """Count a final result as owed for the bytes that follow, unless one is owed already.

    ``asked`` is the command that asked to send them: the information before the result is its own.
    """
    if session.exchange.in_flight is None:
        session.exchange.send(Command.of(asked))


def wait_result(
    session: Session,
    timeout_s: float,
    what: str,
    take: Callable[[float], list[Event]] | None = None,
    *,
    came: bytes = b"",
) -> Reply:
    """Wait for the final result of what was sent; ``came`` was read already.

    Raises:
        NoAnswer: none came in time.
    """
    take = take or session.take
    deadline = Deadline(session.clock, timeout_s)
    early = session.exchange.receive(came)
    while True:
        over = deadline.expired
        wait_s = 0.0 if over else min(deadline.remaining, session.clock.slice_s)
        result = _result(early) or _result(take(wait_s))
        if result is not None:
            return _reply(what, result)
        if over:
            session.abandon()
            raise NoAnswer(f"{what} got no result within {timeout_s:g} s")


def push_acknowledged(
    session: Session,
    data: bytes,
    *,
    asked: str,
    ack: bytes,
    every: int,
    timeout_s: float,
    sent: Callable[[int], None],
) -> Reply:
    """Send the payload, waiting for ``ack`` after each ``every`` bytes; then for its final result.

    Returns:
        The final result; before the end of the data it is a refusal.

    Raises:
        NoAnswer: an acknowledgement, or the result, did not come.
        ModuleRebooted: a boot banner came instead.
    """
    with _conversation(session, "the upload") as take:
        expect_result(session, asked)
        for start in range(0, len(data), every):
            piece = data[start : start + every]
            whole = len(piece) == every
            if whole:
                session.exchange.expect_prompt(ack)
            session.link.write(piece)
            if whole:
                refused = _wait_ack(session, timeout_s + session.wire_s(len(piece)), take)
                if refused is not None:
                    return _reply("the upload", refused)
            sent(start + len(piece))
        return wait_result(session, timeout_s + session.wire_s(every), "the upload", take)


def read_counted(session: Session, command: Command, *, timeout_s: float) -> tuple[Reply, bytes]:
    """Send a command whose header line announces raw bytes (`Command.raw`); its reply and these bytes.

    Raises:
        NoAnswer: no result, or fewer bytes than announced.
    """
    data = b""
    with _conversation(session, command.text) as take:
        session.begin(command)
        deadline = Deadline(session.clock, timeout_s + session.wire_s(len(command.text) + 1))
        while True:
            over = deadline.expired
            for event in take(0.0 if over else deadline.remaining):
                if isinstance(event, Data):
                    data += event.raw
                elif isinstance(event, Done):
                    return _reply(command.text, event), data
            if over:
                session.abandon()
                raise NoAnswer(f"{command.text} got no result within {timeout_s:g} s")


def _wait_ack(session: Session, timeout_s: float, take: Callable[[float], list[Event]]) -> Done | None:
    """Wait for the acknowledgement; the result if that came instead."""
    deadline = Deadline(session.clock, timeout_s)
    while True:
        over = deadline.expired
        for event in take(0.0 if over else deadline.remaining):
            if isinstance(event, Prompt):
                return None
            if isinstance(event, Done):
                return event
        if over:
            session.abandon()
            raise NoAnswer(f"the module acknowledged nothing within {timeout_s:g} s")


@contextmanager
def _conversation(session: Session, what: str) -> Iterator[Callable[[float], list[Event]]]:
    """Read in slices that look at the stop token; a boot banner ends it."""
    if session.exchange.in_flight is None:
        session.settle()
    boots = session.boots

    def take(seconds: float) -> list[Event]:
        events = session.take(min(seconds, session.clock.slice_s))
        if session.booting or session.boots > boots:
            session.await_boot(0.0)
            cause = session.last_boot_cause
            raise ModuleRebooted(
                f"the module rebooted during {what} (cause: {cause or 'not told'})", cause=cause
            )
        return events

    try:
        yield take
    except BaseException:
        session.abandon()
        raise


def _result(events: list[Event]) -> Done | None:
    return next((event for event in events if isinstance(event, Done)), None)


def _reply(text: str, event: Done) -> Reply:
    return Reply(text, tuple(view(raw) for raw in event.lines), event.final)


def _says(event: Event, beginning: str) -> bool:
    if not isinstance(event, Information | Urc) or not event.text.startswith(beginning):
        return False
    return not event.text[len(beginning) : len(beginning) + 1].isalnum()  # DOWNLOADING is not DOWNLOAD
