"""No host command exists: the platform pushes over its own protocol while the module is logged in.

What can be done from here: see that the module is logged in, follow its events, and read the version back
afterwards. The operator has to push the package in the platform's console.
"""

import re
from pathlib import Path

from atota.clock import Deadline
from atota.dialects.model import Dialect
from atota.dialects.streams import Watched
from atota.errors import ModuleRebooted, NoAnswer, Refused, WriteFailed
from atota.fota.base import Progress, SlotLost
from atota.fota.streamed import ANSWER_S, Streamed
from atota.module.session import Session

_LOG_INS = 2
_ALIVE_S = 2.0


class PlatformDriven(Streamed):
    """The method for one module.

    Args:
        dialect: the profile; its method must be of this kind.
        push_limit_s: how long the operator may take to push.
    """

    streams = False
    may_start_early = True

    def __init__(self, dialect: Dialect, *, push_limit_s: float = 1800.0) -> None:
        if not isinstance(dialect.method, Watched):
            raise Refused(f"the dialect {dialect.name} has no such method")
        super().__init__(dialect, dialect.method.watch)
        self._method = dialect.method
        self._push_limit_s = push_limit_s

    def probe(self, session: Session) -> None:
        """Nothing to ask: there is no command."""

    def prepare(self, session: Session) -> None:
        """Log the module in, step by step.

        Raises:
            WriteFailed: it is not let in.
        """
        self.tally.blocks = 0
        session.take_urcs()
        for attempt in range(1, _LOG_INS + 1):
            trouble = self._log_in(session)
            if trouble is None:
                return
            if attempt < _LOG_INS:
                for command in self._method.log_out:
                    self.quietly(session, command)
        if not any(session.is_alive(_ALIVE_S) for _ in range(3)):
            raise NoAnswer("the module has stopped answering while it was logged in")
        raise WriteFailed(
            f"the module is not logged in at the platform: {trouble}",
            hint="Check SIM, antenna and that the device is registered at the platform.",
        )

    def write(self, session: Session, package: Path, progress: Progress) -> None:
        """Nothing to stream: the platform does."""

    def activate(self, session: Session) -> bool:
        """Wait until the platform's push has begun the update.

        Raises:
            SlotLost: the push failed; after a new login the platform may push again.
            WriteFailed: nobody pushed.
        """
        self._begun, self._fetched, self.failure = False, -1, None
        boots, noise = session.boots, session.garbage_bytes
        self.note(f"waiting up to {self._push_limit_s / 60:g} minutes for the platform's push")
        if self.follow(session, self._push_limit_s, None) or session.boots > boots:
            return self._begun
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise SlotLost(f"the platform's push failed: {failure}")
        if self._fetched >= 0 or session.garbage_bytes != noise or session.exchange.pending:
            return False  # it had begun to load, or seems to have rebooted at another rate: its version tells
        raise WriteFailed(
            f"nobody pushed a package within {self._push_limit_s:g} s",
            hint="Start the task in the platform's console while this command runs.",
        )

    def hear(self, line: str) -> None:
        """Learn from an event, and say what it means."""
        super().hear(line)
        number = re.search(self._method.event, line) if self._method.event is not None else None
        words = self._method.stages.get(number[1]) if number is not None else None
        if words is not None:
            self.note(words)

    def _log_in(self, session: Session) -> str | None:
        """One try. None if the module is in, else what was in the way."""
        for step in self._method.log_in:
            try:
                reply = session.command(step.send, timeout_s=ANSWER_S)
                if not reply.ok:
                    return f"{step.send} was refused: {self.said(reply)}"
            except (NoAnswer, ModuleRebooted) as error:
                if step.until is None:
                    return error.message
            if step.until is not None and not self._comes(session, step.until, step.timeout_s):
                return f"no line like {step.until!r} came within {step.timeout_s:g} s"
        return None

    def _comes(self, session: Session, pattern: str, seconds: float) -> bool:
        """Whether a line comes in time."""
        deadline = Deadline(session.clock, seconds)
        while not deadline.expired:
            try:
                if any(re.search(pattern, line) for line in self.heard(session, eager=True)):
                    return True
            except ModuleRebooted:
                return False
        return False
