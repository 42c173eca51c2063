"""What the methods that stream raw bytes, or hand over an address, have in common."""

from pathlib import Path

from atota.dialects.model import Dialect
from atota.dialects.parts import Watch
from atota.errors import NoAnswer, PackageError, Refused, WriteFailed
from atota.fota.base import Tally, read_head
from atota.module.session import Reply, Session

ANSWER_S = 20.0
"""Limit for what a module does at once: open a file, take a piece, start."""


class Streamed:
    """A method whose module judges the package when it starts the update, and tells of it as it goes.

    Args:
        dialect: the profile.
        watch: how its updates tell of themselves.
    """

    validates = False
    streams = True
    needs_address = False

    def __init__(self, dialect: Dialect, watch: Watch) -> None:
        self.tally = Tally()
        self.dialect = dialect
        self.failure: str | None = None
        self.percent: int | None = None
        self._watch = watch

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

    def validate(self, session: Session) -> None:
        """Nothing to ask: the module checks the package when it starts the update."""

    def hear(self, line: str) -> None:
        """Learn from an unsolicited line: how far the update is, or what went wrong with it."""
        percent = self._watch.percent(line)
        if percent is not None:
            self.percent = percent
        self.failure = self._watch.failure(line) or self.failure

    def result(self, session: Session) -> str | None:
        """What the module said went wrong, in words; None if nothing."""
        for line in session.take_urcs():
            self.hear(line)
        return self.failure

    def test(self, session: Session, command: str) -> Reply:
        """Ask for a test form: harmless, and an error where the method is missing.

        Raises:
            Refused: it is missing.
        """
        reply = session.command(command)
        if not reply.ok:
            raise Refused(
                f"this module does not know {command.removesuffix('=?')}: it answered {reply.final}",
                hint="A module of this name may hide another chip, or an older firmware.",
            )
        return reply

    def required(self, session: Session, command: str, what: str, *, timeout_s: float = ANSWER_S) -> Reply:
        """Send a command that has to be answered with OK.

        Raises:
            WriteFailed: it was not.
        """
        reply = session.command(command, timeout_s=timeout_s)
        if not reply.ok:
            raise self.refused(what, reply)
        return reply

    def refused(self, what: str, reply: Reply) -> WriteFailed:
        """The error for a refusal, with the vendor's words where the profile has them."""
        words = self.dialect.error_words(reply.final.code)
        return WriteFailed(f"{what}: {reply.final}" + (f" ({words})" if words else ""))

    def quietly(self, session: Session, command: str) -> None:
        """Send a command that tidies up: its failure changes nothing."""
        try:
            session.command(command)
        except NoAnswer:
            return
