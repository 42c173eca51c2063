"""One task of the local platform: its states, its token and everything a device said of it.

The states and their transitions are the platform's documents put together (report of progress and status,
check of the token, check of the task); the platform itself publishes no state diagram.
"""

import enum
from dataclasses import dataclass
from typing import Literal

from atota.otaserver.model import Package, TaskSpec
from atota.values import is_imei, mask

TOKEN_LIFE_S = 48 * 3600  # platform page, errno 0: a token is valid for two days
DOWNLOADED = 101
UPGRADED = 201
EXPIRED_UPGRADE = 208  # of the generic API only
# Codes that end a task as failed: the platform's page on progress and status.
FAILURES = frozenset({*range(102, 108), *range(202, 209)})

Call = Literal["check", "tasking", "token", "download", "progress", "report", "version"]
Api = Literal["generic", "studio", "fuse"]


class TaskState(enum.StrEnum):
    """The state of a task."""

    PENDING = "pending"
    DOWNLOADING = "downloading"
    UPGRADING = "upgrading"
    DONE = "done"
    FAILED = "failed"
    PAUSED = "paused"
    CANCELLED = "cancelled"


ACTIVE = frozenset({TaskState.PENDING, TaskState.DOWNLOADING, TaskState.UPGRADING})


class Errno(enum.IntEnum):
    """The platform's numbers, from the error tables of its OTA pages.

    19 is in the document of the OTA SDK only. The platform gives ``invalid state`` no number; 21 is the
    one whose meaning ("invalid operation") fits.
    """

    SUCC = 0
    AUTH = 1
    ARGUMENT = 2
    TOKEN = 4
    INTERNAL = 7
    CODES = 8
    BASE = 9
    NO_TASK = 11
    EXPIRED = 12
    STATE = 17
    PAUSED = 19
    FINISHED = 20
    OPERATION = 21
    CANCELLED = 22
    RESULT = 24
    VERSION = 27


# Of these texts only "succ", "not exist", "task finish" and "invalid state" were ever seen on the wire.
ERROR_TEXT = {
    Errno.SUCC: "succ",
    Errno.AUTH: "auth failed",
    Errno.ARGUMENT: "invalid parameter",
    Errno.TOKEN: "invalid token",
    Errno.INTERNAL: "internal error",
    Errno.CODES: "manuf or model not match",
    Errno.BASE: "version not match",
    Errno.NO_TASK: "not exist",
    Errno.EXPIRED: "token expired",
    Errno.STATE: "invalid state",
    Errno.PAUSED: "task paused",
    Errno.FINISHED: "task finish",
    Errno.OPERATION: "invalid state",
    Errno.CANCELLED: "task cancelled",
    Errno.RESULT: "invalid result",
    Errno.VERSION: "invalid version",
}


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """One thing a device said of a task: the call, its value, the answer and the state afterwards.

    ``value`` is the version of a check or version report, the step, the result, or the first and last byte
    of a download. ``at`` is in seconds since the epoch. ``errno`` is the number in the words of ``api``; that
    of a refused download is its one-byte code or its ``Ota-Errno``. The ``token`` call of STUDIO and FUSE is
    the question for the task's status.
    """

    call: Call
    value: str | int | tuple[int, int] | None
    errno: int
    state: TaskState
    at: float
    api: Api = "generic"


def shown_id(dev_id: str) -> str:
    """Return a device's id as logs show it: masked where it is an IMEI."""
    return mask(dev_id) if is_imei(dev_id) else dev_id


class Task:
    """A task of one device. Its methods are the only things that move ``state``."""

    def __init__(self, dev_id: str, spec: TaskSpec, package: Package, token: str, now: float) -> None:
        self.dev_id = dev_id
        self.spec = spec
        self.package = package
        self.token = token
        self.token_born = now
        self.tid = 0
        self.tid_expired = False
        self.state = TaskState.PENDING
        self.history: list[TaskEvent] = []
        self.progress: int | None = None
        self._before_pause = TaskState.PENDING

    def __repr__(self) -> str:
        return f"Task(dev_id={shown_id(self.dev_id)!r}, type={self.spec.type!r}, state={self.state.value!r})"

    @property
    def reported(self) -> list[int]:
        """Steps and results that were accepted, in order."""
        calls = ("progress", "report")
        return [
            s.value for s in self.history if s.call in calls and s.errno == 0 and isinstance(s.value, int)
        ]

    @property
    def active(self) -> bool:
        """True if a device may still work on it."""
        return self.state in ACTIVE

    def token_expired(self, now: float) -> bool:
        """True if the token is older than two days."""
        return now - self.token_born > TOKEN_LIFE_S

    def check_codes(self, manuf: str | None, model: str | None) -> bool:
        """True if the codes are the task's; a code that device or task does not have is not compared."""
        spec = self.spec
        return (manuf in (None, spec.manuf) or spec.manuf is None) and (
            model in (None, spec.model) or spec.model is None
        )

    def fail(self) -> None:
        """End it as failed."""
        self.state = TaskState.FAILED

    def complete(self) -> None:
        """End it as done."""
        self.state = TaskState.DONE

    def cancel(self) -> None:
        """End it without a result, as the operator does at the console."""
        if self.active or self.state is TaskState.PAUSED:
            self.state = TaskState.CANCELLED

    def pause(self) -> None:
        """Stop it for a while, as the operator does at the console."""
        if self.active:
            self._before_pause, self.state = self.state, TaskState.PAUSED

    def resume(self) -> None:
        """Undo `pause`."""
        if self.state is TaskState.PAUSED:
            self.state = self._before_pause

    def expire_token(self, now: float) -> None:
        """Let the token be older than its life, and the task id be dead until the next check."""
        self.token_born = now - TOKEN_LIFE_S - 1
        self.tid_expired = True

    def check_token(self, now: float) -> Errno:
        """The token check: a pending task becomes downloading."""
        if self.state in _ENDED:
            return _ENDED[self.state]
        if self.token_expired(now):
            return Errno.EXPIRED
        if self.state is TaskState.PAUSED:
            return Errno.PAUSED
        if self.state not in (TaskState.PENDING, TaskState.DOWNLOADING):
            return Errno.STATE
        self.state = TaskState.DOWNLOADING
        return Errno.SUCC

    def may_download(self, now: float) -> bool:
        """True if the package may be fetched: the token lives and the task is pending or downloading."""
        return self.state in (TaskState.PENDING, TaskState.DOWNLOADING) and not self.token_expired(now)

    @property
    def status(self) -> int:
        """The number of the state in STUDIO and FUSE, which know no pause."""
        state = self._before_pause if self.state is TaskState.PAUSED else self.state
        return _STATUS[state]

    def begin_download(self) -> None:
        """Move a pending task to downloading."""
        if self.state is TaskState.PENDING:
            self.state = TaskState.DOWNLOADING

    def step_by_id(self, code: int) -> Errno:
        """Take a percentage or a status code as STUDIO and FUSE do: an ended task is finished, however."""
        if self.state in (TaskState.DONE, TaskState.FAILED, TaskState.CANCELLED):
            return Errno.FINISHED
        if not (0 <= code <= 100 or is_status(code)) or code == EXPIRED_UPGRADE:
            return Errno.ARGUMENT
        if self.state is TaskState.PAUSED:
            return Errno.OPERATION
        return self._percent(code) if code <= 100 else self._status(code)

    def step(self, code: int, now: float) -> Errno:
        """Take a percentage (0-100) or a status code, as the progress call reports it."""
        if not (0 <= code <= 100 or is_status(code)):
            return Errno.ARGUMENT
        return self._blocked(now) or (self._percent(code) if code <= 100 else self._status(code))

    def result(self, code: int, now: float) -> Errno:
        """Take a status code, as the older report call carries it."""
        if not is_status(code):
            return Errno.RESULT
        return self._blocked(now) or self._status(code)

    def _blocked(self, now: float) -> Errno:
        if self.state in _ENDED:
            return _ENDED[self.state]
        if self.token_expired(now):
            return Errno.EXPIRED
        if self.state is TaskState.PAUSED:
            return Errno.PAUSED
        return Errno.OPERATION if self.state is TaskState.FAILED else Errno.SUCC

    def _percent(self, percent: int) -> Errno:
        if self.state is not TaskState.DOWNLOADING:
            return Errno.OPERATION
        self.progress = percent
        if percent == 100:
            self.state = TaskState.UPGRADING
        return Errno.SUCC

    def _status(self, code: int) -> Errno:
        if self.state is TaskState.UPGRADING and code < 200:
            return Errno.OPERATION
        if code == UPGRADED:
            self.state = TaskState.DONE
        else:
            self.state = TaskState.UPGRADING if code == DOWNLOADED else TaskState.FAILED
        return Errno.SUCC


_STATUS = {
    TaskState.PENDING: 1,
    TaskState.DOWNLOADING: 2,
    TaskState.UPGRADING: 3,
    TaskState.DONE: 4,
    TaskState.FAILED: 5,
    TaskState.CANCELLED: 6,
}
_ENDED = {TaskState.DONE: Errno.FINISHED, TaskState.CANCELLED: Errno.CANCELLED}


def is_status(code: int) -> bool:
    """True if ``code`` is one of the platform's status codes."""
    return code in (DOWNLOADED, UPGRADED) or code in FAILURES
