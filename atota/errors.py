"""Every error that atota raises on purpose, in one tree.

    AtotaError
    ├── UsageError            wrong call; BadRequest, TooLarge, ProtocolTooNew  2  usage
    ├── ConfigError           a file the user edits is wrong; HookError       3  bad-config
    ├── LinkError             the wire                                        4  port
    │   ├── PortNotFound, PortBusy, PortForbidden
    │   ├── LineUnavailable       the port has no DTR, RTS or such a mode
    │   ├── BoardMismatch         the port's adapter is not the one of the board file
    │   ├── LinkLost, ModuleExchanged
    │   ├── PrinterError          a printer that does not print (station)
    │   └── ReplayDiverged        the host does something else than its recording
    ├── ModuleError           the conversation with the module                5  no-answer
    │   ├── NoAnswer              Looped: own bytes come back; SelfUpdating: it does not listen
    │   └── Desynchronised, ModuleRebooted, ModuleRefused
    ├── Refused               we said no before anything was touched          6  refused
    ├── PackageError          size, digest or format                          7  bad-package
    ├── ServerError           the platform or the network                     8  server
    │   ├── ServerUnreachable     StoreBusy, StoreFull: the line's database
    │   ├── PlatformRefused       DownloadRefused: in one byte; KeyRefused: of a station
    │   └── BadAnswer, BadData    not what is documented; not what a database stores
    ├── WriteFailed           the slot was not activated                      9  write-failed
    │   └── PackageTurnedDown, Unanswered (the start command), RetriesUsedUp
    ├── SlotLost              what was written is in doubt (fota)             9  write-failed
    ├── RebootTimeout         it did not come back in time                   11  unknown-after-reboot
    │   └── SameName              its version cannot tell old from new
    ├── OldVersion            it came back with the old version              12  old-version
    ├── LimitReached          a job limit, a lock or a duplicate             13  limit
    │   └── UnitDone, DoneElsewhere, NoTicket, NoDeviceId, GapFound, ForkFound, JournalRefused
    ├── JobTimeout            time limit of the job                         124  timeout
    └── Interrupted           Ctrl-C                                        130  interrupted

An error says what happened (its text), what was tried (``tried``) and what to do next (``hint``).
``code`` is stable and goes into records; ``exit_code`` and ``outcome`` are the contract of the
command line. ``retry`` says whether the same thing may be tried again without a human.
"""

from typing import ClassVar

from atota.outcomes import Outcome as Outcome
from atota.outcomes import Retry as Retry
from atota.outcomes import StepResult as StepResult


class AtotaError(Exception):
    """Base of everything atota raises on purpose.

    Args:
        message: the problem, one sentence.
        hint: the next thing to do; the class has a default.
        tried: the attempts before giving up, one item a line.
    """

    code: ClassVar[str] = "atota"
    outcome: ClassVar[Outcome] = Outcome.ERROR
    exit_code: ClassVar[int] = Outcome.ERROR.exit_code
    retry: ClassVar[Retry] = Retry.NEVER
    default_hint: ClassVar[str] = "Please report this with the command you ran and its output."

    def __init_subclass__(cls) -> None:
        """Derive the exit code from the outcome."""
        super().__init_subclass__()
        cls.exit_code = cls.outcome.exit_code

    def __init__(self, message: str, *, hint: str | None = None, tried: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint
        self.tried = tried


class UsageError(AtotaError):
    """A wrong call: an option is missing, or two exclude each other."""

    code = "usage"
    outcome = Outcome.USAGE
    default_hint = "Run the command with --help to see a worked example."


def of_files(error: AtotaError) -> AtotaError:
    """Return the error of a lane's job: it has no caller, so wrong settings come from files."""
    if not isinstance(error, UsageError):
        return error
    return ConfigError(error.message, hint=error.hint, tried=error.tried)


def extra_missing(error: ModuleNotFoundError, extra: str, feature: str) -> UsageError:
    """Make the error of a ``feature`` whose packages come with the optional dependencies ``atota[extra]``."""
    return UsageError(
        f"{feature} needs the package {(error.name or '?').partition('.')[0]}, which is not installed",
        hint=f"Install it with: pip install 'atota[{extra}]'",
    )


class ConfigError(AtotaError):
    """A board, station, dialect or configuration file is wrong."""

    code = "config"
    outcome = Outcome.BAD_CONFIG
    default_hint = "Correct the file at the place named."


class LinkError(AtotaError):
    """The wire: the port is missing, busy, forbidden or lost."""

    code = "link"
    outcome = Outcome.PORT
    retry = Retry.LATER
    default_hint = "Check the cable and the adapter; `atota ports` lists what is there."


class PortNotFound(LinkError):
    """No such port."""

    code = "link.not-found"


class PortBusy(LinkError):
    """Another program holds the port."""

    code = "link.busy"
    default_hint = "Close the other program, or stop ModemManager: `systemctl stop ModemManager`."


class PortForbidden(LinkError):
    """The user may not open the port."""

    code = "link.forbidden"
    default_hint = "Add yourself to the group that owns the port (often `dialout`) and log in again."


class LineUnavailable(LinkError):
    """The port has no such control line or mode (a pty, a network port)."""

    code = "link.no-line"
    default_hint = "Use an adapter that has the line, or a board file without it."


class BoardMismatch(LinkError):
    """The port's adapter is not the one that the board file names."""

    code = "link.board-mismatch"
    retry = Retry.NEVER
    default_hint = "Give the port of that adapter (`atota ports` lists them), or this adapter's board file."


class LinkLost(LinkError):
    """The port went away while it was open."""

    code = "link.lost"
    default_hint = "Plug the adapter in again and run the same command; it continues where the module stands."


class ReplayDiverged(LinkError):
    """The host does something else than the recorded one did.

    Attributes:
        line: the recording's line at which they differ.
        expected: the text of that line.
        got: the host's action, in the same notation.
    """

    code = "link.replay"
    retry = Retry.NEVER
    default_hint = "A recording answers only the commands in it. Compare the command and its options."

    def __init__(
        self,
        message: str,
        *,
        line: int = 0,
        expected: str = "",
        got: str = "",
        hint: str | None = None,
        tried: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, hint=hint, tried=tried)
        self.line = line
        self.expected = expected
        self.got = got


class ModuleError(AtotaError):
    """The conversation with the module broke down."""

    code = "module"
    outcome = Outcome.NO_ANSWER
    retry = Retry.LATER
    default_hint = "Check power, TX/RX wiring and ground; try `atota identify -p PORT -v`."


class NoAnswer(ModuleError):
    """No readable response came in time."""

    code = "module.no-answer"


class SelfUpdating(NoAnswer):
    """The module carries out an update by itself, and does not listen until it is over."""

    code = "module.self-updating"
    default_hint = (
        "Leave it powered until the update is over; `identify --wait` and `doctor --wait` wait for it."
    )


class Desynchronised(ModuleError):
    """Responses can no longer be told apart; the module needs a reset."""

    code = "module.desynchronised"
    default_hint = "Reset or power-cycle the module and run the command again."


class ModuleRebooted(ModuleError):
    """The module rebooted while a command was in flight.

    Attributes:
        cause: the reboot cause as the module printed it, or None.
    """

    code = "module.rebooted"
    default_hint = "Check the supply: a dip on transmit bursts resets a module. Then run the command again."

    def __init__(
        self, message: str, *, cause: str | None = None, hint: str | None = None, tried: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, hint=hint, tried=tried)
        self.cause = cause

    @property
    def why(self) -> str:
        """The cause as messages name it."""
        return self.cause or NO_CAUSE


class ModuleRefused(ModuleError):
    """The module understood a command and refused it, where OK was needed."""

    code = "module.refused"
    default_hint = "Look the error code up in the module's AT manual; -v shows the conversation."


class Refused(AtotaError):
    """A refusal of atota's own, before the slot was touched."""

    code = "refused"
    outcome = Outcome.REFUSED
    default_hint = "Nothing was changed. Correct what is named and run the command again."


class PackageError(AtotaError):
    """A package of the wrong size, digest or format."""

    code = "package"
    outcome = Outcome.BAD_PACKAGE
    default_hint = (
        "Get the package again, or have the operator upload the right file. The module was not touched."
    )


class ServerError(AtotaError):
    """A failure of the platform or the network."""

    code = "server"
    outcome = Outcome.SERVER
    retry = Retry.LATER
    default_hint = "Check the network and --server, then run the command again; the task is still there."


class ServerUnreachable(ServerError):
    """No connection, or a broken one, or a timeout."""

    code = "server.unreachable"


class PlatformRefused(ServerError):
    """The platform understood a request and refused it.

    ``result`` is the meaning for the task, by which all policy goes; ``errno`` the platform's own number.
    """

    code = "server.refused"
    retry = Retry.NEVER

    def __init__(
        self, message: str, *, result: StepResult | None = None, errno: int | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.result = result or StepResult.REFUSED
        self.errno = errno


class DownloadRefused(PlatformRefused):
    """A one-byte error in place of a package; ``errno`` is its number, 1-6: a numbering of its own."""

    code = "server.download-refused"


class BadAnswer(ServerError):
    """An answer that the platform does not document."""

    code = "server.bad-answer"
    retry = Retry.NEVER
    default_hint = "Check --server and --api: a proxy, a web site or another API may have answered."


class WriteFailed(AtotaError):
    """The slot could not be written, validated or started; the module runs its old firmware."""

    code = "write"
    outcome = Outcome.WRITE_FAILED
    default_hint = "The module still runs its old firmware. Mend the reason that is given, then run it again."


class PackageTurnedDown(WriteFailed):
    """The module refused the package before it rebooted; it runs what it ran.

    Attributes:
        is_final: the slot held the package byte for byte, so the package itself is at fault.
    """

    code = "write.turned-down"
    default_hint = (
        "The module still runs its old firmware. Check that the package was made for this model and for "
        "exactly the version that it runs."
    )

    def __init__(
        self, message: str, *, is_final: bool = True, hint: str | None = None, tried: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, hint=hint, tried=tried)
        self.is_final = is_final


class SlotLost(AtotaError):
    """The content of the slot is lost or in doubt (the target restarted): the write begins again."""

    code = "slot-lost"
    outcome = Outcome.WRITE_FAILED
    retry = Retry.LATER
    default_hint = (
        "The module still runs its old firmware. Check supply and wiring, then run the command again."
    )


class RebootTimeout(AtotaError):
    """The module did not come back in time after the update was started."""

    code = "reboot"
    outcome = Outcome.UNKNOWN_AFTER_REBOOT
    default_hint = "Leave the module powered for ten minutes, then run `atota identify` to read its version."


class SameName(RebootTimeout):
    """The module is back, and no version text of it can tell the old firmware from the new one."""

    code = "reboot.same-name"
    default_hint = (
        "Give the full name of the version (--target or --expect-version); `atota identify` shows the one "
        "that the module runs now."
    )


class OldVersion(AtotaError):
    """The module came back with the version it had before."""

    code = "old-version"
    outcome = Outcome.OLD_VERSION
    default_hint = "The module rolled back. Check that the package was made for exactly this base version."


class LimitReached(AtotaError):
    """A job limit, a lock or a duplicate."""

    code = "limit"
    outcome = Outcome.LIMIT
    default_hint = "Another job holds this module, or the number of jobs allowed is used up."


class JobTimeout(AtotaError):
    """The time limit of the whole job is over."""

    code = "timeout"
    outcome = Outcome.TIMEOUT
    retry = Retry.LATER
    default_hint = "Run the command again with a larger --timeout."


class Interrupted(AtotaError):
    """Stopped by the user."""

    code = "interrupted"
    outcome = Outcome.INTERRUPTED
    retry = Retry.LATER
    default_hint = "Run the same command again to go on."


NO_CAUSE = "cause not given"
