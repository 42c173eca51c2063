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
from atota.fota.base import Progress
from atota.fota.streamed import ANSWER_S, Streamed
from atota.module.session import Session

_LISTEN_S = 1.0


class PlatformDriven(Streamed):
    """The method for one module.

    Args:
        dialect: the profile; its method must be of this kind.
        push_limit_s: how long the operator may take to push.
    """

    streams = False

    def __init__(self, dialect: Dialect, *, push_limit_s: float = 1800.0) -> None:
        if not isinstance(dialect.method, Watched):
            raise Refused(f"the dialect {dialect.name} has no such method")
        super().__init__(dialect, dialect.method.watch)
        self._method = dialect.method
        self._push_limit_s = push_limit_s

    def probe(self, session: Session) -> None:
        """Nothing to ask: there is no command."""

    def prepare(self, session: Session) -> None:
        """Log the module in, step by step."""
        self.tally.blocks = 0
        session.take_urcs()
        for step in self._method.log_in:
            reply = session.command(step.send, timeout_s=ANSWER_S)
            if not reply.ok:
                raise self.refused(f"the module would not log in ({step.send})", reply)
            if step.until is not None:
                self._await(session, step.until, step.timeout_s)

    def write(self, session: Session, package: Path, progress: Progress) -> None:
        """Nothing to stream: the platform does."""

    def activate(self, session: Session) -> None:
        """Wait until the platform's push has begun the update."""
        deadline = Deadline(session.clock, self._push_limit_s)
        try:
            while not deadline.expired:
                session.listen(_LISTEN_S)
                for line in session.take_urcs():
                    self.hear(line)
                    if self._watch.begun(line):
                        return
                if self.failure is not None:
                    raise WriteFailed(f"the platform's update failed: {self.failure}")
        except ModuleRebooted:
            return
        raise WriteFailed(
            f"nobody pushed a package within {self._push_limit_s:g} s",
            hint="Start the task in the platform's console while this command runs.",
        )

    def _await(self, session: Session, pattern: str, seconds: float) -> None:
        deadline = Deadline(session.clock, seconds)
        while not deadline.expired:
            session.listen(min(_LISTEN_S, deadline.remaining))
            for line in session.take_urcs():
                self.hear(line)
                if re.search(pattern, line):
                    return
        raise NoAnswer(
            f"the module is not logged in at the platform: no line like {pattern!r} within {seconds:g} s",
            hint="Check SIM, antenna and that the device is registered at the platform.",
        )
