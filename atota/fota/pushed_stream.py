"""Announce the size, wait for the module's line, push small paced pieces; the update follows by itself.

The command that announces is answered ``OK`` at once; everything after that comes as unsolicited lines. With
the last byte the module begins its update: so that byte is held back for `activate`.
"""

import hashlib
import re
from pathlib import Path

from atota.clock import Deadline
from atota.dialects.methods.pushed_stream import PushedStreamSpec
from atota.dialects.model import Dialect
from atota.dialects.watch import UNEXPLAINED
from atota.errors import ModuleRebooted, NoAnswer, SlotLost, WriteFailed
from atota.fota.base import Options, Progress, slot_lost_on_reboot
from atota.fota.streamed import ANSWER_S, Streamed
from atota.module.data_phase import DataPrompt, leave_data_phase
from atota.module.session import Session

_ENDED_S = 60.0
"""How long after the last byte the module may take to say that it has the file."""
_SLICE_S = 0.5
_LATE = DataPrompt(line="OK")
"""A late result of the announcement ends nothing: only from there on does the module wait for the bytes."""


class PushedStream(Streamed):
    """The method for one module."""

    spec: PushedStreamSpec

    def __init__(self, dialect: Dialect, spec: PushedStreamSpec, options: Options) -> None:
        super().__init__(dialect, spec, options)
        self.window_s = spec.window_s
        self._last = b""
        self._is_pushing = False

    def probe(self, session: Session) -> None:
        """Ask for the test form of the command that announces."""
        self.require_test_form(session, self.spec.test)

    def prepare(self, session: Session) -> None:
        """Leave an earlier announcement; the next one makes room by itself."""
        super().prepare(session)
        self.close(session)

    def write(self, session: Session, package: Path, progress: Progress) -> str:
        """Announce, wait for the module's line, push everything but the last byte."""
        data = package.read_bytes()
        with slot_lost_on_reboot("the module rebooted while it was sent the package"):
            try:
                self._announce(session, len(data))
                for start in range(0, len(data) - 1, self.spec.piece):
                    piece = data[start : min(start + self.spec.piece, len(data) - 1)]
                    self._push(session, piece)
                    progress(start + len(piece), len(data))
            except ModuleRebooted:
                self._is_pushing = False
                raise
        self._last = data[-1:]
        self.counters.blocks = 1
        return hashlib.sha256(data).hexdigest()

    def activate(self, session: Session) -> bool:
        """Push the last byte, and wait until the module says that it has the file: it begins by itself."""
        self.forget_reports()
        session.link.write(self._last)
        self._is_pushing = False
        code = self._await_line(session, self.spec.ended, _ENDED_S)
        if code not in (None, "", "0"):
            raise self._ended("the module did not store the package", code)
        return code is not None

    def close(self, session: Session) -> None:
        """Let a module that waits for the rest give up, before the next command is sent."""
        if self._is_pushing:
            self._is_pushing = False
            leave_data_phase(session, self.window_s, _LATE)
            session.take_urcs()
        super().close(session)

    def _announce(self, session: Session, size: int) -> None:
        session.take_urcs()
        self.forget_reports()
        self._is_pushing = True
        try:
            response = session.command(self.spec.open.format(size=size), timeout_s=ANSWER_S)
        except NoAnswer as error:
            self.close(session)  # it may wait for the bytes all the same
            raise SlotLost(error.message) from error
        if not response.ok:
            self._is_pushing = False
            raise self.refused("the module does not take the package", response)
        if self._await_line(session, self.spec.ready, ANSWER_S) is None:
            self.close(session)
            raise SlotLost(f"no line like {self.spec.ready!r} came within {ANSWER_S:g} s")

    def _push(self, session: Session, piece: bytes) -> None:
        """Send one piece, and give the module and the wire their time.

        Raises:
            SlotLost: the module has given up meanwhile.
        """
        session.link.write(piece)
        for line in self.read_lines(session, max(self.spec.pause_s, session.wire_s(len(piece)))):
            ended = re.search(self.spec.ended, line)
            if ended is not None:
                self._is_pushing = False
                raise self._ended(f"the module gave up: {line}", ended[1] if ended.re.groups else "")
        if self.failure is not None:
            self._is_pushing = False
            kind = WriteFailed if self.is_final_failure else SlotLost
            raise kind(f"the module gave up: {self.take_failure()}", hint=WriteFailed.default_hint)

    def _ended(self, what: str, code: str) -> SlotLost | WriteFailed:
        """Return the error for a file that the module did not take: only a passing one is tried again."""
        watch = self.spec.watch
        kind = WriteFailed if watch.is_permanent_code(code) else SlotLost
        words = watch.code_words(code) or UNEXPLAINED
        return kind(f"{what}: code {code or 'not given'} ({words})", hint=WriteFailed.default_hint)

    def _await_line(self, session: Session, pattern: str, seconds: float) -> str | None:
        """Wait for a line. Return its first group, empty if it has none; None after the limit or a reboot."""
        deadline = Deadline(session.clock, seconds)
        while not deadline.expired:
            try:
                lines = self.read_lines(session, min(_SLICE_S, deadline.remaining))
            except ModuleRebooted:
                return None
            for line in lines:
                match = re.search(pattern, line)
                if match:
                    return match[1] if match.re.groups else ""
        return None
