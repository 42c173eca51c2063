"""What the methods that stream raw bytes, or hand over an address, have in common."""

from collections.abc import Callable
from pathlib import Path

from atota.at.syntax import Command
from atota.clock import Deadline
from atota.dialects.model import Dialect
from atota.dialects.parts import Watch
from atota.errors import (
    Desynchronised,
    ModuleError,
    ModuleRebooted,
    NoAnswer,
    PackageError,
    Refused,
    WriteFailed,
)
from atota.fota.base import Tally, read_head
from atota.module.data_phase import leave_data_phase
from atota.module.query import send_query
from atota.module.response import Response
from atota.module.session import Session

ANSWER_S = 20.0
"""Limit for what a module does at once: open a file, take a piece, start."""
_ALIVE_S = 2.0
_LISTEN_S = 1.0
_FOLLOW_S = 5.0


class Unanswered(WriteFailed):
    """A module that talks did not answer the command that starts it, asked twice."""

    code = "write.unanswered"


class Streamed:
    """A method whose module judges the package when it starts the update, and tells of it as it goes.

    Args:
        dialect: the profile.
        watch: how its updates tell of themselves.
        window_s: how long the module waits for bytes that it asked for.
    """

    validates = False
    streams = True
    needs_address = False
    may_start_early = False
    block: int | None = None

    def __init__(self, dialect: Dialect, watch: Watch, *, window_s: float = 0.0) -> None:
        self.tally = Tally()
        self.dialect = dialect
        self.failure: str | None = None
        self.percent: int | None = None
        self.window_s = window_s
        self.note: Callable[[str], None] = lambda _: None
        self._watch = watch
        self._begun = False
        self._fetched = -1

    def locate(self, address: str) -> None:
        """Nothing: the package is sent from here."""

    def check(self, package: Path) -> None:
        """Refuse a package that no module of this family can take."""
        self.size_of(package)

    def size_of(self, package: Path) -> int:
        """The package's size in bytes, if it is no full-flash container.

        Raises:
            PackageError: it is empty, unreadable, or for another tool.
        """
        size, head = read_head(package, 64)
        if head.startswith(b"Firmware chunks"):
            raise PackageError(f"{package.name}: this is a .fwpkg for another vendor's full-flash tool")
        return size

    def take_up(self, session: Session, package: Path, written: int) -> int | None:  # noqa: ARG002
        """Begin anew: nothing proves what an earlier run left in the module."""
        return None

    def validate(self, session: Session) -> None:
        """Nothing to ask: the module checks the package when it starts the update."""

    def hear(self, line: str) -> None:
        """Learn from an unsolicited line: how far the update is, or what went wrong with it."""
        percent = self._watch.percent(line)
        if percent is not None:
            self.percent = percent
        self.failure = self._watch.failure(line) or self.failure
        self._begun = self._begun or self._watch.begun(line)
        fetched = self._watch.fetched(line)
        if fetched is not None and (fetched // 10 != self._fetched // 10 or not fetched):
            self._fetched = fetched
            self.note(f"the module downloads the package: {fetched} %")

    def result(self, session: Session) -> str | None:
        """What the module said went wrong, in words; None if nothing."""
        for line in session.take_urcs():
            self.hear(line)
        return self.failure

    def close(self, session: Session) -> None:
        """Let a module that may still be waiting for bytes give up, before anything else is said to it."""
        if session.exchange.outstanding or session.exchange.in_flight is not None:
            leave_data_phase(session, self.window_s)

    # -- for the methods themselves -----------------------------------------------------------

    def test(self, session: Session, command: str) -> Response:
        """Ask for a test form: harmless, and an error where the method is missing.

        Raises:
            Refused: it is missing.
        """
        for _ in range(2):  # a byte that was lost on the way makes a good question a wrong one
            reply = send_query(session, command)
            if reply is not None and reply.ok:
                return reply
        said = f"answered {reply.final}" if reply is not None else "does not answer, though it answers others"
        raise Refused(
            f"this module does not know {command.removesuffix('=?')}: it {said}",
            hint="A module of this name may hide another chip, or an older firmware.",
        )

    def required(self, session: Session, command: str, what: str, *, timeout_s: float = ANSWER_S) -> Response:
        """Send a command that has to be answered with OK.

        Raises:
            WriteFailed: it was not.
        """
        reply = session.command(command, timeout_s=timeout_s)
        if not reply.ok:
            raise self.refused(what, reply)
        return reply

    def refused(self, what: str, reply: Response) -> WriteFailed:
        """The error for a refusal, with the vendor's words where the profile has them."""
        return WriteFailed(f"{what}: {self.said(reply)}")

    def said(self, reply: Response) -> str:
        """A final result, with the vendor's words where the profile has them."""
        words = self.dialect.error_words(reply.final.code)
        return f"{reply.final}" + (f" ({words})" if words else "")

    def quietly(self, session: Session, command: str) -> None:
        """Send a command that tidies up: its failure changes nothing."""
        try:
            session.command(command)
        except ModuleError:
            return

    def start(self, session: Session, command: str, what: str) -> bool:
        """Start the update. Whether the module said so; if not, only its version will tell.

        The answer may be lost, and a module that starts may be gone before it answers. One that still
        talks is asked once more; if it then refuses, the first command was taken.

        Raises:
            Unanswered: it talks, and answered neither time.
            WriteFailed: it refused.
        """
        for attempt in (1, 2):
            try:
                reply = session.command(Command.of(command), timeout_s=ANSWER_S)
            except ModuleRebooted:
                return False
            except (NoAnswer, Desynchronised):
                # The command may hold a secret, so the error is not passed on.
                if self._underway(session):
                    return True
                if not session.is_alive(_ALIVE_S) or session.booting:
                    return False
                continue
            if reply.ok or attempt == 2:
                return reply.ok
            raise self.refused(what, reply)
        raise Unanswered(f"{what}: it did not answer, and did not reboot")

    def heard(self, session: Session, seconds: float = _LISTEN_S, *, eager: bool = False) -> list[str]:
        """Listen for some seconds; the unsolicited lines, which were learned from.

        ``eager``: only until something comes.

        Raises:
            ModuleRebooted: it reboots.
        """
        boots = session.boots

        def rebooted() -> bool:
            return session.booting or session.boots > boots

        came = session.received_bytes
        session.listen(seconds, until=lambda: rebooted() or (eager and session.received_bytes != came))
        lines = session.drain_urcs()
        for line in lines:
            self.hear(line)
        if rebooted():
            session.await_boot(0.0)
            raise ModuleRebooted("the module rebooted", cause=session.last_boot_cause)
        return lines

    def follow(self, session: Session, limit_s: float, silence_s: float | None) -> bool:
        """Follow what the module tells until its update begins, something fails, it reboots or falls silent.

        Returns:
            Whether it said that the update begins.
        """
        limit = Deadline(session.clock, limit_s)
        silence = Deadline(session.clock, silence_s)
        try:
            while not (self._begun or self.failure is not None or limit.expired or silence.expired):
                wait_s = min(_FOLLOW_S, limit.remaining, silence.remaining)
                if self.heard(session, wait_s, eager=True):
                    silence = Deadline(session.clock, silence_s)
        except ModuleRebooted:
            pass
        return self._begun

    def _underway(self, session: Session) -> bool:
        """Whether the module has told of an update since it was asked for one."""
        before = (self._begun, self._fetched)
        for line in session.take_urcs():
            self.hear(line)
        return (self._begun, self._fetched) != before
