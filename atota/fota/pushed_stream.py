"""Announce the size, wait for the module's line, push small paced pieces; the update follows by itself.

The command that announces is answered ``OK`` at once; what follows comes as unsolicited lines. With the
last byte the module begins its update: so that one is held back for `activate`.
"""

import hashlib
import re
from pathlib import Path

from atota.clock import Deadline
from atota.dialects.model import Dialect
from atota.dialects.streams import PushedStream
from atota.errors import ModuleRebooted, NoAnswer, Refused
from atota.fota.base import Progress, SlotLost
from atota.fota.streamed import ANSWER_S, Streamed
from atota.module.data_phase import DataPrompt, leave_data_phase
from atota.module.session import Session

_ENDED_S = 60.0
"""How long after the last byte the module may take to say that it has the file."""


_LATE = DataPrompt(line="OK")
"""A late result of the announcement is no end: it is from there that the module waits for the bytes."""


class PacedPush(Streamed):
    """The method for one module.

    Args:
        dialect: the profile; its method must be of this kind.
    """

    may_start_early = True  # its last byte is held back; a byte doubled on the wire stands in for it

    def __init__(self, dialect: Dialect) -> None:
        if not isinstance(dialect.method, PushedStream):
            raise Refused(f"the dialect {dialect.name} has no such method")
        super().__init__(dialect, dialect.method.watch, window_s=dialect.method.window_s)
        self._method = dialect.method
        self._last = b""
        self._pushing = False

    def probe(self, session: Session) -> None:
        """Ask for the test form of the command that announces."""
        self.test(session, self._method.test)

    def prepare(self, session: Session) -> None:
        """Nothing to make ready: the announcement makes room by itself."""
        self.tally.blocks = 0
        self.close(session)

    def write(self, session: Session, package: Path, progress: Progress) -> str:
        """Announce, wait for the module's line, push everything but the last byte."""
        data = package.read_bytes()
        try:
            self._announce(session, len(data))
            for start in range(0, len(data) - 1, self._method.piece):
                piece = data[start : min(start + self._method.piece, len(data) - 1)]
                self._push(session, piece)
                progress(start + len(piece), len(data))
        except ModuleRebooted as error:
            self._pushing = False
            raise SlotLost(f"the module rebooted while it was sent the package ({error.cause})") from error
        self._last = data[-1:]
        self.tally.blocks = 1
        return hashlib.sha256(data).hexdigest()

    def activate(self, session: Session) -> bool:
        """Push the last byte, and wait until the module says that it has the file: it begins by itself."""
        session.link.write(self._last)
        self._pushing = False
        code = self._await(session, self._method.ended, _ENDED_S)
        if code not in (None, "", "0"):
            raise SlotLost(f"the module did not store the package: code {code}")
        return code is not None

    def close(self, session: Session) -> None:
        """Let a module that waits for the rest give up, before anything else is said to it."""
        if self._pushing:
            self._pushing = False
            leave_data_phase(session, self.window_s, _LATE)
            session.take_urcs()
        super().close(session)

    def _announce(self, session: Session, size: int) -> None:
        session.take_urcs()
        self._pushing = True
        try:
            reply = session.command(self._method.open.format(size=size), timeout_s=ANSWER_S)
        except NoAnswer as error:
            self.close(session)  # it may wait for the bytes all the same
            raise SlotLost(error.message) from error
        if not reply.ok:
            self._pushing = False
            raise SlotLost(f"the module does not take the package: {self.said(reply)}")
        if self._await(session, self._method.ready, ANSWER_S) is None:
            self.close(session)
            raise SlotLost(f"no line like {self._method.ready!r} came within {ANSWER_S:g} s")

    def _push(self, session: Session, piece: bytes) -> None:
        """Send one piece, and give the module and the wire their time.

        Raises:
            SlotLost: the module has given up meanwhile.
        """
        session.link.write(piece)
        for line in self.heard(session, max(self._method.pause_s, session.wire_s(len(piece)))):
            if re.search(self._method.ended, line):
                self._pushing = False
                raise SlotLost(f"the module gave up: {line}")
        if self.failure is not None:
            self._pushing = False
            failure, self.failure = self.failure, None
            raise SlotLost(f"the module gave up: {failure}")

    def _await(self, session: Session, pattern: str, seconds: float) -> str | None:
        """Wait for a line; its first group, if it has one. None if none came, or the module rebooted."""
        deadline = Deadline(session.clock, seconds)
        while not deadline.expired:
            try:
                lines = self.heard(session, min(0.5, deadline.remaining))
            except ModuleRebooted:
                return None
            for line in lines:
                match = re.search(pattern, line)
                if match:
                    return match[1] if match.re.groups else ""
        return None
