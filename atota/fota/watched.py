"""No host command exists: the platform pushes over its own protocol while the module is logged in.

From here the program can see that the module is logged in, follow its events, and read the version back
afterwards. The operator has to push the package in the platform's console.
"""

import re
from pathlib import Path

from atota.clock import Deadline
from atota.dialects.methods.watched import WatchedSpec
from atota.errors import ModuleRebooted, NoAnswer, SlotLost, WriteFailed
from atota.fota.base import Progress
from atota.fota.streamed import ANSWER_S, Streamed
from atota.module.session import Session

_LOG_INS = 2
_ALIVE_S = 2.0


class Watched(Streamed):
    """The method for one module. Without a host command nothing can be probed or written."""

    spec: WatchedSpec

    def prepare(self, session: Session) -> None:
        """Log the module in, step by step.

        Raises:
            WriteFailed: the login is refused.
        """
        super().prepare(session)
        session.take_urcs()
        for attempt in range(1, _LOG_INS + 1):
            trouble = self._log_in(session)
            if trouble is None:
                return
            if attempt < _LOG_INS:
                for command in self.spec.log_out:
                    self.send_quietly(session, command)
        if not any(session.is_alive(_ALIVE_S) for _ in range(3)):
            raise NoAnswer("the module has stopped answering while it was logged in")
        raise WriteFailed(
            f"the module is not logged in at the platform: {trouble}",
            hint="Check SIM, antenna and that the device is registered at the platform.",
        )

    def write(self, session: Session, package: Path, progress: Progress) -> None:
        """Send nothing: the platform does."""

    def activate(self, session: Session) -> bool:
        """Wait until the platform's push has begun the update.

        Raises:
            SlotLost: the push failed; after a new login the platform may push again.
            WriteFailed: no push came.
        """
        self.forget_reports()
        boots, noise = session.boots, session.garbage_bytes
        limit_s = self.options.push_limit_s
        self.note(f"waiting up to {limit_s / 60:g} minutes for the platform's push")
        if self.follow(session, limit_s, None) or session.boots > boots:
            return self._begun
        if self.failure is not None:
            raise SlotLost(f"the platform's push failed: {self.take_failure()}")
        if self._fetched >= 0 or session.garbage_bytes != noise or session.exchange.pending:
            return False  # it had begun to load, or seems to have rebooted at another rate: its version tells
        raise WriteFailed(
            f"no package was pushed within {limit_s:g} s",
            hint="Start the task in the platform's console while this command runs.",
        )

    def on_line(self, line: str) -> None:
        """Read an event, and report its meaning."""
        super().on_line(line)
        number = re.search(self.spec.event, line) if self.spec.event is not None else None
        words = self.spec.stages.get(number[1]) if number is not None else None
        if words is not None:
            self.note(words)

    def _log_in(self, session: Session) -> str | None:
        """Try once. Return None if the module is logged in, else the obstacle."""
        for step in self.spec.log_in:
            try:
                response = session.command(step.send, timeout_s=ANSWER_S)
                if not response.ok:
                    return f"{step.send} was refused: {self.final_words(response)}"
            except (NoAnswer, ModuleRebooted) as error:
                if step.until is None:
                    return error.message
            if step.until is not None and not self._comes(session, step.until, step.timeout_s):
                return f"no line like {step.until!r} came within {step.timeout_s:g} s"
        return None

    def _comes(self, session: Session, pattern: str, seconds: float) -> bool:
        """True if a line comes in time."""
        deadline = Deadline(session.clock, seconds)
        while not deadline.expired:
            try:
                if any(re.search(pattern, line) for line in self.read_lines(session, eager=True)):
                    return True
            except ModuleRebooted:
                return False
        return False
