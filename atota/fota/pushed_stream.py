"""Announce the size, wait for the module's line, push small paced pieces; the update follows by itself.

The command that announces is answered ``OK`` at once; what follows comes as unsolicited lines. From the
last byte on the module is on its own: so the push belongs to `activate`, not to `write`.
"""

import re
from pathlib import Path

from atota.clock import Deadline
from atota.dialects.model import Dialect
from atota.dialects.streams import PushedStream
from atota.errors import ModuleRebooted, NoAnswer, Refused, WriteFailed
from atota.fota.base import Progress, SlotLost
from atota.fota.streamed import ANSWER_S, Streamed
from atota.module.session import Session

_ENDED_S = 60.0
"""How long after the last byte the module may take to say that it has the file."""


class PacedPush(Streamed):
    """The method for one module.

    Args:
        dialect: the profile; its method must be of this kind.
    """

    def __init__(self, dialect: Dialect) -> None:
        if not isinstance(dialect.method, PushedStream):
            raise Refused(f"the dialect {dialect.name} has no such method")
        super().__init__(dialect, dialect.method.watch)
        self._method = dialect.method

    def probe(self, session: Session) -> None:
        """Ask for the test form of the command that announces."""
        self.test(session, self._method.test)

    def prepare(self, session: Session) -> None:  # noqa: ARG002 - part of every method
        """Nothing to make ready: the announcement makes room by itself."""
        self.tally.blocks = 0

    def write(self, session: Session, package: Path, progress: Progress) -> None:
        """Announce, wait for the module's line, push everything, wait until it says that it has it."""
        data = package.read_bytes()
        session.take_urcs()
        try:
            self.required(
                session, self._method.open.format(size=len(data)), "the module does not take the package"
            )
            self._await(session, self._method.ready, ANSWER_S)
            for start in range(0, len(data), self._method.piece):
                session.link.write(data[start : start + self._method.piece])
                session.listen(self._method.pause_s)
                progress(min(start + self._method.piece, len(data)), len(data))
                self._hear_all(session)
            code = self._await(session, self._method.ended, _ENDED_S + session.wire_s(65536))
        except NoAnswer as error:
            raise SlotLost(error.message) from error
        except ModuleRebooted as error:
            raise SlotLost(f"the module rebooted while it was sent the package ({error.cause})") from error
        if code not in ("", "0"):
            raise WriteFailed(f"the module did not store the package: code {code}")
        self.tally.blocks = 1

    def activate(self, session: Session) -> None:
        """Nothing to send: the module has begun by itself."""
        self._hear_all(session)

    def _hear_all(self, session: Session) -> None:
        for line in session.take_urcs():
            self.hear(line)
        if self.failure is not None:
            raise WriteFailed(f"the module gave up: {self.failure}")

    def _await(self, session: Session, pattern: str, seconds: float) -> str:
        """Wait for a line; its first group, if it has one."""
        deadline = Deadline(session.clock, seconds)
        while True:
            over = deadline.expired
            session.listen(0.0 if over else min(0.5, deadline.remaining))
            for line in session.take_urcs():
                match = re.search(pattern, line)
                if match:
                    return match[1] if match.re.groups else ""
                self.hear(line)
            if self.failure is not None:
                raise WriteFailed(f"the module gave up: {self.failure}")
            if over:
                raise NoAnswer(f"no line like {pattern!r} came within {seconds:g} s")
