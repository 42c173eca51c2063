"""The meaning of the platform's numbers, for people and for the program: the only place that has them.

Sources: the platform's page "check upgrade task" and its sister pages (token check, progress,
report, tasking), and the OneNET OTA SDK guide. A number can mean different
things on different calls, so the table is keyed by both. The program's policy is the row's `StepResult`.
"""

import enum
from dataclasses import dataclass

from atota.errors import StepResult


class Endpoint(enum.Enum):
    """The calls of the platform, by the words that error texts use."""

    VERSION = "version report"
    CHECK = "check"
    TASKING = "task query"
    TOKEN = "token check"  # noqa: S105 - the name of a call
    DOWNLOAD = "download"
    STEP = "progress report"
    VERSIONS = "version query"
    STATUS = "status query"


@dataclass(frozen=True)
class Meaning:
    """The meaning of one errno on one call.

    ``hint`` is the next step of a person; ``is_auth``: the signature or the device was refused.
    """

    errno: int
    sentence: str
    result: StepResult
    hint: str
    known: bool = True
    is_auth: bool = False


_RECREATE = "Have the operator create the task again, then run the command again."
_RECHECK = "Run the command again: a new check brings a new token."

# errno -> (sentence, result, hint), where no call has a row of its own.
_GENERAL: dict[int, tuple[str, StepResult, str]] = {
    0: ("all is well", StepResult.OK, "Go on."),
    1: (
        "authentication failed, or the platform does not know the device",
        StepResult.REFUSED,
        "Check the access key, its --key-level, --product-id, --device-name, --dev-id and the clock.",
    ),
    2: (
        "an argument of the request is wrong",
        StepResult.REFUSED,
        "Check the options; `--dry-run` shows the request.",
    ),
    4: ("the token does not belong to this device", StepResult.EXPIRED, _RECHECK),
    7: ("the platform has an internal error", StepResult.LATER, "Run the command again in a minute."),
    8: (
        "a task exists, but the vendor or model code does not fit it; the platform has now failed the task",
        StepResult.REFUSED,
        "Check the vendor and model code against the task. " + _RECREATE,
    ),
    9: (
        "a delta task exists, but it starts from another version; the platform has now failed the task",
        StepResult.REFUSED,
        "Report the true version (`atota update --register`). " + _RECREATE,
    ),
    10: (
        "a task exists, but the signal or the battery is below its threshold",
        StepResult.REFUSED,
        "Improve the antenna or the supply and run the command again.",
    ),
    11: ("no task of this type waits for the device", StepResult.NO_TASK, "Nothing to do."),
    12: ("the token has expired", StepResult.EXPIRED, _RECHECK),
    13: (
        "the task is in a state that does not allow this",
        StepResult.MOVED_ON,
        "Look at the task's state in the console. " + _RECREATE,
    ),
    15: ("the token is not the newest one of the task", StepResult.EXPIRED, _RECHECK),
    17: (
        "the task is neither pending nor downloading",
        StepResult.MOVED_ON,
        "Look at the task's state in the console. " + _RECREATE,
    ),
    18: (
        "the token is wrong",
        StepResult.REFUSED,
        "Run `atota check` to see whether the task is still there.",
    ),
    19: ("the operator has paused the task", StepResult.PAUSED, "Resume the task in the console."),
    20: (
        "the task is finished",
        StepResult.OVER,
        "Nothing to do; `atota check` shows whether another task waits.",
    ),
    21: (
        "the operation is not allowed in the task's present state",
        StepResult.MOVED_ON,
        "Look at the task's state in the console.",
    ),
    22: (
        "the operator has cancelled the task",
        StepResult.OVER,
        "Nothing was reported. Ask the operator why.",
    ),
    23: ("token and device do not belong together", StepResult.EXPIRED, _RECHECK),
    24: (
        "the status reported is not one the platform knows",
        StepResult.REFUSED,
        "Please report this: it is our mistake.",
    ),
    27: (
        "the version has a form the platform does not take",
        StepResult.BAD_VERSION,
        "A version has 1-20 characters: letters, digits, '_', '-', '.'.",
    ),
    32: (
        "a task exists, but no delta package fits the version the platform knows",
        StepResult.REFUSED,
        "Report the true version (`atota update --register`), then check again.",
    ),
    5116: (
        "the product's upgrade quota is used up",
        StepResult.REFUSED,
        "Have the operator extend the quota.",
    ),
}

# Rows that depend on the call.
_SPECIAL: dict[tuple[Endpoint, int], tuple[str, StepResult, str]] = {
    (Endpoint.TASKING, 2): ("the task type is wrong", StepResult.NO_TASK, "--type is fota or sota."),
    (Endpoint.TASKING, 4): ("the device has no valid token", StepResult.EXPIRED, _RECHECK),
    # Only errno 17 says that the task has got further than its download.
    (Endpoint.TOKEN, 13): (
        "the task is in a state that does not allow a download",
        StepResult.REFUSED,
        "Look at the task's state in the console. " + _RECREATE,
    ),
    (Endpoint.TOKEN, 21): (
        "the download is not allowed in the task's present state",
        StepResult.REFUSED,
        "Look at the task's state in the console.",
    ),
    (Endpoint.TOKEN, 17): (
        "the task is neither pending nor downloading any more",
        StepResult.MOVED_ON,
        "If the package is in the cache it is used; if not, have the operator create the task again.",
    ),
    # The page calls 20 "finished", the SDK guide "expired": over either way.
    (Endpoint.TOKEN, 20): (
        "the task is over: finished or expired",
        StepResult.OVER,
        "`atota check` shows whether another task waits.",
    ),
}


def meaning(errno: int, endpoint: Endpoint) -> Meaning:
    """The meaning of ``errno`` as the answer to ``endpoint``; an unknown number is a refusal."""
    row = _SPECIAL.get((endpoint, errno)) or _GENERAL.get(errno)
    if row is not None:
        sentence, result, hint = row
        if result is StepResult.NO_TASK and endpoint not in (Endpoint.CHECK, Endpoint.TASKING):
            result = StepResult.REFUSED  # an answer to a question that was not asked: never a success
        return Meaning(errno, sentence, result, hint, is_auth=errno == 1)
    return unknown(errno)


def no_task(errno: int, endpoint: Endpoint) -> Meaning:
    """The meaning of "not exist": nothing to do; to a call on one task, its number has expired."""
    if endpoint is Endpoint.CHECK:
        return Meaning(
            errno, "no task of this type waits for the device", StepResult.NO_TASK, "Nothing to do."
        )
    return Meaning(
        errno, "the platform does not know the task's number any more", StepResult.EXPIRED, _RECHECK
    )


def unknown(errno: int) -> Meaning:
    """The meaning of a number that no documentation lists: a refusal."""
    return Meaning(
        errno,
        "the platform answered with a number that its documentation does not list",
        StepResult.REFUSED,
        "Look the task up in the console; report the number if it comes again.",
        known=False,
    )


class DownloadProblem(enum.IntEnum):
    """The one-byte answers of the download call (platform page "download upgrade package").

    The page asks a device to report status 107 for the first three that it lists (1, 2 and 3).
    """

    MISSING = 1
    SIZE_MISMATCH = 2
    TOKEN_INVALID = 3
    NOT_FETCHED = 4
    BAD_ARGUMENT = 5
    CELL_LIMIT = 6

    @property
    def sentence(self) -> str:
        """The platform's meaning, for people."""
        return _DOWNLOAD[self][0]

    @property
    def result(self) -> StepResult:
        """The program's policy."""
        return _DOWNLOAD[self][1]


_DOWNLOAD: dict[DownloadProblem, tuple[str, StepResult]] = {
    DownloadProblem.MISSING: ("the package does not exist on the platform", StepResult.REFUSED),
    DownloadProblem.SIZE_MISMATCH: (
        "the package has another size than the platform recorded",
        StepResult.REFUSED,
    ),
    DownloadProblem.TOKEN_INVALID: ("the token is not valid (any more)", StepResult.EXPIRED),
    DownloadProblem.NOT_FETCHED: (
        "the platform could not fetch the package from its store",
        StepResult.LATER,
    ),
    DownloadProblem.BAD_ARGUMENT: ("an argument of the download request is wrong", StepResult.REFUSED),
    DownloadProblem.CELL_LIMIT: ("too many devices download in this radio cell now", StepResult.LATER),
}


def download_problem(byte: int) -> DownloadProblem | None:
    """The problem a one-byte body names: ASCII ``'1'``-``'6'`` or binary 1-6 (official clients disagree)."""
    number = byte - 0x30 if 0x31 <= byte <= 0x36 else byte
    return DownloadProblem(number) if 1 <= number <= 6 else None
