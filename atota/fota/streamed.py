"""The base of the methods whose module judges the package at the start, and reports on the update itself."""

from pathlib import Path

from atota.at.params import whole_number
from atota.at.syntax import Command
from atota.clock import Deadline
from atota.dialects.common import Ask, first_group
from atota.dialects.model import Dialect
from atota.dialects.watch import ReportingSpec
from atota.errors import Desynchronised, ModuleError, ModuleRebooted, NoAnswer, Refused, SlotLost, WriteFailed
from atota.fota.base import Method, Options, too_large
from atota.module.data_phase import leave_data_phase
from atota.module.query import send_query
from atota.module.response import Response
from atota.module.session import Session

ANSWER_S = 20.0
"""Limit for requests that the module carries out at once: open a file, take a piece, start."""
_ALIVE_S = 2.0
_LISTEN_S = 1.0
_FOLLOW_S = 5.0


def _is_below(number: int | None, needed: int) -> bool:
    """True if the module has told a number, and it is too small."""
    return number is not None and number < needed


class Unanswered(WriteFailed):
    """The module did not answer the command that starts the update, though it answers others."""

    code = "write.unanswered"


class Streamed(Method):
    """Base of the methods whose module reports on its update by unsolicited lines (`Watch`)."""

    spec: ReportingSpec

    def __init__(self, dialect: Dialect, spec: ReportingSpec, options: Options) -> None:
        super().__init__(dialect, spec, options)
        self.is_final_failure = False  # another try would meet the reported failure again
        self._begun = False
        self._fetched = -1

    def on_line(self, line: str) -> None:
        """Read the progress or the end of the update from an unsolicited line."""
        watch = self.spec.watch
        percent = watch.percent(line)
        if percent is not None:
            self.percent = percent
        if (failure := watch.failure(line)) is not None:
            self.failure, self.is_mismatch, self.has_succeeded = failure, watch.mismatch(line), False
            self.is_final_failure = watch.is_permanent(line)
        elif watch.success(line):
            self.failure, self.has_succeeded = None, True
        self.has_left = self.has_left or percent is not None or watch.shows_install(line)
        self._begun = self._begun or watch.begun(line)
        fetched = watch.fetched(line)
        if fetched is not None and (fetched // 10 != self._fetched // 10 or not fetched):
            self._fetched = fetched
            self.note(f"the module downloads the package: {fetched} %")

    @property
    def progress(self) -> object:
        """The module's own figures, of its download, too."""
        return self.percent, self._fetched

    def result(self, session: Session) -> str | None:
        """Return the failure that the module reported, in words, or None."""
        for line in session.take_urcs():
            self.on_line(line)
        return self.failure

    def close(self, session: Session) -> None:
        """Leave an open data phase: write nothing until the module has given up waiting for bytes."""
        if session.exchange.outstanding or session.exchange.in_flight is not None:
            leave_data_phase(session, self.window_s)

    # -- for the methods themselves -----------------------------------------------------------

    def require_test_form(self, session: Session, command: str) -> None:
        """Send a test form: harmless, and an error where the method is missing.

        Raises:
            Refused: it is missing.
        """
        for _ in range(2):  # a byte lost on the way makes a good query a wrong one
            response = send_query(session, command)
            if response is not None and response.ok:
                return
        answer = (
            f"answered {self.final_words(response)}"
            if response is not None
            else "does not answer, but answers others"
        )
        raise Refused(
            f"this module does not know {command.removesuffix('=?')}: it {answer}",
            hint="A module of this name may hide another chip, or an older firmware.",
        )

    def require_ok(self, session: Session, command: str, what: str, *, timeout_s: float = ANSWER_S) -> None:
        """Send a command whose final result must be OK.

        Raises:
            WriteFailed: it was another: ``what``, and the result.
        """
        response = session.command(command, timeout_s=timeout_s)
        if not response.ok:
            raise self.refusal(what, response)

    def require_room(
        self,
        session: Session,
        package: Path,
        needed: int,
        free: Ask | None,
        *,
        total: str | None = None,
        gain: int = 0,
    ) -> None:
        """See, before the first byte, that a package fits; a module that does not tell its room, passes.

        Args:
            session: the conversation.
            package: the package.
            needed: bytes that are still to be written.
            free: asks for the free bytes.
            total: finds the bytes of the empty file system in the same response.
            gain: bytes that the removal of an old file will make free.

        Raises:
            PackageError: it would not fit into an empty file system.
            Refused: it does not fit now.
        """
        whole, room = self._room(session, free, total)
        if _is_below(whole, needed) or _is_below(room, needed - gain):
            whole, room = self._room(session, free, total)  # a digit that was lost on the way refuses nothing
        if whole is not None and whole < needed:
            raise too_large(package, needed, f"the module's whole file system holds {whole}")
        if room is not None and room + gain < needed:
            raise Refused(
                f"the module has {room + gain} bytes free; {needed} are needed",
                hint="Nothing was written. Delete files in the module, or ask for a smaller package.",
            )

    @staticmethod
    def _room(session: Session, free: Ask | None, total: str | None) -> tuple[int | None, int | None]:
        """Return the bytes of the empty file system, and those that are free; None where it does not say."""
        response = send_query(session, free.send) if free is not None else None
        if free is None or response is None or not response.ok:
            return None, None
        whole = whole_number(first_group(total, response.lines)) if total is not None else None
        return whole, whole_number(free.find(response.lines))

    def refusal(self, what: str, response: Response) -> WriteFailed:
        """Return the error for a refusal, with the vendor's words where the profile has them."""
        return WriteFailed(f"{what}: {self.final_words(response)}")

    def send_quietly(self, session: Session, command: str) -> None:
        """Send a command that tidies up: its failure changes nothing."""
        try:
            session.command(command)
        except ModuleError:
            return

    def start(self, session: Session, command: str, what: str) -> bool:
        """Send the command that starts the update. Return False if only the version can tell the outcome.

        The response may be lost, and a module that starts may be gone before it answers. One that still
        answers is asked once more; if it then refuses, the first command was taken.

        Raises:
            Unanswered: it answers other commands, and this one neither time.
            WriteFailed: it refused.
        """
        self.forget_reports()
        self.has_left = self.spec.watch.reboots_first
        for attempt in (1, 2):
            try:
                response = session.command(Command.of(command), timeout_s=ANSWER_S)
            except ModuleRebooted:
                self.has_left = True
                return False
            except (NoAnswer, Desynchronised):
                # The command may hold a secret, so the error is not passed on.
                if self._has_reported(session):
                    return True
                if not session.is_alive(_ALIVE_S) or session.booting:
                    return False
                continue
            if response.ok or attempt == 2:
                return response.ok
            raise self.refusal(what, response)
        raise Unanswered(f"{what}: it did not answer, and did not reboot", hint=SlotLost.default_hint)

    def read_lines(self, session: Session, seconds: float = _LISTEN_S, *, eager: bool = False) -> list[str]:
        """Listen for some seconds; return the unsolicited lines, which `on_line` has read.

        ``eager``: only until a byte comes.

        Raises:
            ModuleRebooted: it reboots.
        """
        boots, received = session.boots, session.received_bytes

        def is_enough() -> bool:
            rebooted = session.booting or session.boots > boots
            return rebooted or (eager and session.received_bytes != received)

        session.listen(seconds, until=is_enough)
        lines = session.drain_urcs()
        for line in lines:
            self.on_line(line)
        self.has_left = self.has_left or session.booting or session.boots > boots
        session.raise_if_rebooted(boots, "its update")
        return lines

    def follow(self, session: Session, limit_s: float, silence_s: float | None) -> bool:
        """Follow the module's lines until its update begins, a failure, a reboot or silence.

        Returns:
            True if it said that the update begins.
        """
        limit = Deadline(session.clock, limit_s)
        silence = Deadline(session.clock, silence_s)
        try:
            while not (self._begun or self.failure is not None or limit.expired or silence.expired):
                wait_s = min(_FOLLOW_S, limit.remaining, silence.remaining)
                if self.read_lines(session, wait_s, eager=True):
                    silence = Deadline(session.clock, silence_s)
        except ModuleRebooted:
            pass
        return self._begun

    def forget_reports(self) -> None:
        """Forget what the module reported before a new start."""
        self._begun, self._fetched, self.failure = False, -1, None
        self.is_mismatch = self.has_succeeded = self.has_left = False

    def take_failure(self) -> str | None:
        """Return the reported failure, which from now on is dealt with, or None."""
        failure, self.failure = self.failure, None
        return failure

    def _has_reported(self, session: Session) -> bool:
        """True if the module has reported an update since it was asked for one."""
        before = (self._begun, self._fetched)
        for line in session.take_urcs():
            self.on_line(line)
        return (self._begun, self._fetched) != before
