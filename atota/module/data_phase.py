"""The data phase: raw bytes between two commands, of which none goes out before the module asked for it.

States::

    closed --open: command--> opening --prompt--> open --push: payload--> stored --final result--> closed
                                 |                  |
                                 +-- final result --+--> closed (refused)
                                 +-- silence -----------> left: nothing is written until the module gives up

An example, of a module that asks by a line (``<-``: the module)::

    -> AT+CFSWFILE=0,"fota.bin",0,512,5000
    <- DOWNLOAD                      the prompt
    -> (512 bytes)                   the payload, and nothing else
    <- OK                            the final result

The prompt may be a sign without a line end, a line, or both in turn. A prompt without a line end leaves the
command in flight; a line ends it, as a final result would, and the payload is then owed one of its own.
Whatever is written to a module that may be waiting for bytes becomes part of the payload. So after a missing
prompt, or in the middle of a payload, nothing is written for as long as the module's own time window lasts.
Unsolicited lines that come meanwhile are kept as always.
"""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import msgspec

from atota.at.events import BootDone, Data, Done, Event, Information, Prompt, StaleResponse, Urc
from atota.at.syntax import Command, FinalRule
from atota.clock import Deadline
from atota.errors import NoAnswer
from atota.module.response import Response, is_result
from atota.module.session import Session

_SLICE_BYTES = 1024
"""The payload goes out in pieces of at most this many bytes, so that incoming bytes are looked at."""
_AHEAD_S = 0.2
"""How much more than the wire has carried may be written: enough to keep it busy."""
_MARGIN_S = 1.0
_MOST_WINDOWS = 3
"""A late prompt prolongs the wait for a module that wants bytes, up to this many windows."""
_LONGEST_BUFFER = 65536
"""No driver or adapter holds more bytes than this that the wire has not carried yet."""


class DataPrompt(msgspec.Struct, frozen=True):
    """The sign by which a module asks for the payload.

    ``prompt`` has no line end; ``line`` is the beginning of a line, up to the end of a word. If both are
    given, both must come, the prompt first.
    """

    prompt: str | None = None
    line: str | None = None


class DataPhase:
    """One data phase: `open` it, then `push` the payload once.

    Args:
        session: the conversation.
        command: the command that opens the phase.
        prompt: the sign by which the module asks for the payload.
        window_s: how long the module waits for bytes, in seconds.
    """

    def __init__(self, session: Session, command: str, prompt: DataPrompt, *, window_s: float) -> None:
        self._session = session
        self._command = command
        self._prompt = prompt
        self._window_s = window_s

    def open(self, timeout_s: float) -> Response | None:
        """Send the command that opens the phase.

        Args:
            timeout_s: limit for the prompt; above the module's window, a module whose prompt was lost
                answers with its error in time.

        Returns:
            None once the module is ready for the payload, or its final response if it refused.

        Raises:
            NoAnswer: neither came in time; not one byte of payload may be sent.
            ModuleRebooted: a boot banner came instead.
        """
        session, prompt, line = self._session, self._prompt.prompt, self._prompt.line
        # A line that asks for the bytes ends the command that asked; a prompt leaves it in flight.
        finals = (FinalRule(text=line, ok=True, prefix=True),) if line and not prompt else ()
        command = msgspec.structs.replace(Command.of(self._command), prompt=prompt, finals=finals)
        due = [sign for sign in (prompt, line) if sign]
        with _Guard(session, self._command) as guard:
            session.send(command)
            for event in guard.until(timeout_s + session.wire_s(len(self._command) + 1)):
                if isinstance(event, Done):
                    if finals and event.final.kind == line:
                        return None
                    return Response.of(self._command, event)
                if isinstance(event, Prompt) and prompt in due:
                    due.remove(event.raw.decode())
                elif line in due and prompt not in due and _begins(event, line or ""):
                    due.remove(line)
                if not due:
                    return None
            leave_data_phase(session, self._window_s, self._prompt)
            missing = " and ".join(map(repr, due))
            raise NoAnswer(f"{self._command} got no {missing} within {timeout_s:g} s")

    def push(
        self, data: bytes, *, timeout_s: float, on_sent: Callable[[int], None] = lambda _: None
    ) -> Response:
        """Send the payload, and wait for its final result.

        Args:
            data: the bytes, exactly as announced.
            timeout_s: limit for the result, counted from when the last byte has left the wire.
            on_sent: called with the number of bytes that have been handed over.

        Raises:
            NoAnswer: no result.
            ModuleRebooted: a boot banner came instead.
        """
        session = self._session
        with _Guard(session, "the payload") as guard:
            self.expect_result()
            done = 0
            began = session.clock.monotonic()
            while done < len(data):
                piece = data[done : done + _SLICE_BYTES]
                session.link.write(piece)
                done += len(piece)
                on_sent(done)
                # Never far ahead of the wire: a module that refuses in mid-payload is obeyed at once.
                ahead_s = began + session.wire_s(done) - session.clock.monotonic()
                for event in guard.read(max(0.0, ahead_s - _AHEAD_S)):
                    if isinstance(event, Done):
                        return Response.of("(payload)", event)
            limit_s = timeout_s + session.wire_s(min(len(data), _LONGEST_BUFFER))
            return _result_among(guard.until(limit_s), session, "the payload", limit_s)

    def push_acknowledged(
        self, data: bytes, *, ack: bytes, every: int, timeout_s: float, on_sent: Callable[[int], None]
    ) -> Response:
        """Send the payload, waiting for ``ack`` after each ``every`` bytes; then for its final result.

        Args:
            data: the bytes, exactly as announced.
            ack: the acknowledgement, which has no line end.
            every: bytes between two acknowledgements.
            timeout_s: limit for each acknowledgement, and for the result.
            on_sent: called with the number of bytes that have been acknowledged.

        Returns:
            The final response; before the end of the data it is a refusal.

        Raises:
            NoAnswer: an acknowledgement, or the result, did not come.
            ModuleRebooted: a boot banner came instead.
        """
        session = self._session
        with _Guard(session, "the upload") as guard:
            self.expect_result()
            for start in range(0, len(data), every):
                piece = data[start : start + every]
                is_whole = len(piece) == every
                if is_whole:
                    session.exchange.expect_prompt(ack)
                session.link.write(piece)
                if is_whole:
                    refusal = _await_ack(guard, timeout_s + session.wire_s(len(piece)))
                    if refusal is not None:
                        return Response.of("the upload", refusal)
                on_sent(start + len(piece))
            limit_s = timeout_s + session.wire_s(every)
            return _result_among(guard.until(limit_s), session, "the upload", limit_s)

    def expect_result(self) -> None:
        """Count a final result as outstanding for the bytes that follow, unless one is outstanding already.

        The information lines before that result belong to the command that opened the phase.
        """
        if self._session.exchange.in_flight is None:
            self._session.exchange.send(Command.of(self._command))

    def wait_result(self, timeout_s: float, subject: str, *, received: bytes = b"") -> Response:
        """Wait for the final result of a payload that was sent past this class.

        Args:
            timeout_s: limit for the result.
            subject: the payload, as errors name it.
            received: bytes that were read from the link already.

        Raises:
            NoAnswer: none came in time.
        """
        session = self._session
        early = session.exchange.receive(received)
        if any(isinstance(event, Done) for event in early):
            return _result_among(iter(early), session, subject, timeout_s)
        return _result_among(session.until(Deadline(session.clock, timeout_s)), session, subject, timeout_s)

    def leave(self) -> None:
        """Write nothing until the module has given up waiting for bytes, or has answered."""
        leave_data_phase(self._session, self._window_s)


def leave_data_phase(session: Session, window_s: float, prompt: DataPrompt | None = None) -> None:
    """Write nothing until a module that may be waiting for bytes has given up, or has answered.

    Args:
        session: after a command that opens a data phase, or in the middle of a payload.
        window_s: how long the module waits for bytes, in seconds.
        prompt: the sign by which it asks; if that comes late, the window begins only then.
    """
    session.abandon()
    limit = Deadline(session.clock, _MOST_WINDOWS * window_s)
    quiet = Deadline(session.clock, window_s + _MARGIN_S)
    signs = tuple(sign.encode() for sign in (prompt.prompt, prompt.line) if sign) if prompt else ()
    while not quiet.expired and not limit.expired:
        for event in session.read_events(min(quiet.remaining, session.clock.slice_s)):
            if isinstance(event, StaleResponse | Prompt) and signs and event.raw.startswith(signs):
                quiet = Deadline(session.clock, window_s + _MARGIN_S)
            elif is_result(event) or isinstance(event, BootDone):
                return


def read_counted(session: Session, command: Command, *, timeout_s: float) -> tuple[Response, bytes]:
    """Send a command whose header line announces raw bytes (`Command.raw`); return its response and these.

    Raises:
        NoAnswer: no result, or fewer bytes than announced.
        ModuleRebooted: a boot banner came instead.
    """
    data = b""
    with _Guard(session, command.text) as guard:
        session.send(command)
        for event in guard.until(timeout_s + session.wire_s(len(command.text) + 1)):
            if isinstance(event, Data):
                data += event.raw
            elif isinstance(event, Done):
                return Response.of(command.text, event), data
        raise NoAnswer(f"{command.text} got no result within {timeout_s:g} s")


def _await_ack(guard: "_Guard", timeout_s: float) -> Done | None:
    """Wait for the acknowledgement; return the final result if that came instead."""
    for event in guard.until(timeout_s):
        if isinstance(event, Prompt):
            return None
        if isinstance(event, Done):
            return event
    raise NoAnswer(f"the module acknowledged nothing within {timeout_s:g} s")


def _result_among(events: Iterator[Event], session: Session, subject: str, timeout_s: float) -> Response:
    for event in events:
        if isinstance(event, Done):
            return Response.of(subject, event)
    session.abandon()
    raise NoAnswer(f"{subject} got no result within {timeout_s:g} s")


class _Guard:
    """A block of reads that a boot banner ends; an exception abandons the command in flight.

    The banner is looked at before the events are: a prompt that came just before it is not to be obeyed.
    """

    def __init__(self, session: Session, subject: str) -> None:
        self._session = session
        self._subject = subject

    def __enter__(self) -> Self:
        if self._session.exchange.in_flight is None:
            self._session.settle()
        self._boots = self._session.boots
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, _trace: TracebackType | None) -> None:
        if kind is not None:
            self._session.abandon()

    def read(self, timeout_s: float) -> list[Event]:
        """Read once."""
        events = self._session.read_events(min(timeout_s, self._session.clock.slice_s))
        self._session.raise_if_rebooted(self._boots, self._subject)
        return events

    def until(self, timeout_s: float) -> Iterator[Event]:
        """Yield events until ``timeout_s`` have passed."""
        for events in self._session.reads(Deadline(self._session.clock, timeout_s)):
            self._session.raise_if_rebooted(self._boots, self._subject)
            yield from events


def _begins(event: Event, word: str) -> bool:
    """True if a line begins with ``word`` and the word ends there: DOWNLOADING is not DOWNLOAD."""
    if not isinstance(event, Information | Urc) or not event.text.startswith(word):
        return False
    return not event.text[len(word) : len(word) + 1].isalnum()
