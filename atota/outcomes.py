"""The words for the end of a command, of a platform's call, and for the chance of another attempt."""

import enum
from typing import Self


class Outcome(enum.StrEnum):
    """The end of a command, and its exit code; README publishes both.

    Attributes:
        exit_code: the exit code of a command that ends so.
        is_settled: True if the job leaves nothing behind that a later run could continue.
    """

    exit_code: int
    is_settled: bool

    def __new__(cls, value: str, exit_code: int = 1, is_settled: bool = False) -> Self:
        """Make a member of its word, its exit code and whether it settles the task."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.exit_code = exit_code
        member.is_settled = is_settled
        return member

    DONE = "done", 0, True
    TASK = "task", 0, True
    UPDATED = "updated", 0, True
    ALREADY_CURRENT = "already-current", 0, True
    NO_TASK = "no-task", 0, True
    ERROR = "error", 1
    USAGE = "usage", 2, True
    BAD_CONFIG = "bad-config", 3, True
    PORT = "port", 4
    NO_ANSWER = "no-answer", 5
    REFUSED = "refused", 6, True
    BAD_PACKAGE = "bad-package", 7, True
    SERVER = "server", 8
    WRITE_FAILED = "write-failed", 9, True
    UNKNOWN_AFTER_REBOOT = "unknown-after-reboot", 11
    OLD_VERSION = "old-version", 12, True
    LIMIT = "limit", 13
    UPDATED_UNREPORTED = "updated-unreported", 14, True
    TIMEOUT = "timeout", 124
    INTERRUPTED = "interrupted", 130


JOB_OUTCOMES: tuple[Outcome, ...] = tuple(sorted(set(Outcome) - {Outcome.DONE, Outcome.TASK}))
"""The ends of jobs, in the order of the alphabet."""


class Retry(enum.Enum):
    """The prospect of the same attempt, made again without a change."""

    NEVER = "never"
    LATER = "later"


class StepResult(enum.Enum):
    """A platform's answer to one request about a task, in words that no API of a platform owns."""

    OK = "ok"
    NO_TASK = "no-task"  # nothing to do
    OVER = "over"  # finished or cancelled: report nothing more
    MOVED_ON = "moved-on"  # the task is in a later state than the request assumes
    PAUSED = "paused"  # by the operator: ask again after the task's interval
    EXPIRED = "expired"  # the token: a new query may bring a valid one
    LATER = "later"  # the platform's own trouble: the same request may work in a moment
    BAD_VERSION = "bad-version"  # the platform never accepts this version text
    REFUSED = "refused"  # anything else: a person must look
