"""What the platform's numbers mean, for people and for the program.

Sources: the platform's page "check upgrade task" and its sister pages (token check, progress,
report, tasking, device look-up), and the OneNET OTA SDK guide. A number can mean different
things on different calls, so the table is keyed by both.
"""

import enum
from dataclasses import dataclass


class Endpoint(enum.Enum):
    """The calls of the platform, by the words that error texts use."""

    VERSION = "version report"
    CHECK = "check"
    TASKING = "task query"
    TOKEN = "token check"  # noqa: S105 - the name of a call
    DOWNLOAD = "download"
    STEP = "progress report"
    REPORT = "status report"
    DEV_INFO = "device look-up"


class Action(enum.Enum):
    """What a client does about an errno."""

    OK = "ok"
    FIX_INPUT = "fix-input"  # the same request will fail again: somebody must correct it
    RETRY = "retry"  # the platform's own trouble: the same request may work in a moment
    STOP = "stop"  # over; an operator must look
    NO_TASK = "no-task"  # normal: nothing to do
    NOT_NOW = "not-now"  # signal or battery below the task's threshold
    RECHECK = "recheck"  # one new check may bring a valid token
    NOT_DOWNLOADABLE = "not-downloadable"  # the task has left the download: use what the cache has
    PAUSED = "paused"  # wait the task's interval; no retry is spent
    DONE = "done"  # the task is over; clear state, report nothing
    CANCELLED = "cancelled"  # stop and report nothing


@dataclass(frozen=True)
class Meaning:
    """What one errno means on one call: a sentence, what a program does, what a person does."""

    errno: int
    sentence: str
    action: Action
    hint: str
    known: bool = True


_RECREATE = "Have the operator create the task again, then run the command again."
_RECHECK = "Run the command again: a new check brings a new token."

# errno -> (sentence, action, hint), where no call says otherwise.
_GENERAL: dict[int, tuple[str, Action, str]] = {
    0: ("all is well", Action.OK, "Go on."),
    1: (
        "authentication failed, or the platform does not know the device",
        Action.FIX_INPUT,
        "Check the access key, --product-id, --device-name, --dev-id and this computer's clock.",
    ),
    2: (
        "an argument of the request is wrong",
        Action.FIX_INPUT,
        "Check the options; `--dry-run` shows the request.",
    ),
    4: ("the token does not belong to this device", Action.RECHECK, _RECHECK),
    7: ("the platform has an internal error", Action.RETRY, "Run the command again in a minute."),
    8: (
        "a task exists, but the vendor or model code does not fit it; the platform has now failed the task",
        Action.STOP,
        "Check the vendor and model code against the task. " + _RECREATE,
    ),
    9: (
        "a delta task exists, but it starts from another version; the platform has now failed the task",
        Action.STOP,
        "Report the true version (`atota update --register`). " + _RECREATE,
    ),
    10: (
        "a task exists, but the signal or the battery is below its threshold",
        Action.NOT_NOW,
        "Improve the antenna or the supply and run the command again.",
    ),
    11: ("no task of this type waits for the device", Action.NO_TASK, "Nothing to do."),
    12: ("the token has expired", Action.RECHECK, _RECHECK),
    13: (
        "the task is in a state that does not allow this",
        Action.STOP,
        "Look at the task's state in the console. " + _RECREATE,
    ),
    15: ("the token is not the newest one of the task", Action.RECHECK, _RECHECK),
    17: (
        "the task is neither pending nor downloading",
        Action.STOP,
        "Look at the task's state in the console. " + _RECREATE,
    ),
    18: ("the token is wrong", Action.STOP, "Run `atota check` to see whether the task is still there."),
    19: ("the operator has paused the task", Action.PAUSED, "Resume the task in the console."),
    20: (
        "the task is finished",
        Action.DONE,
        "Nothing to do; `atota check` shows whether another task waits.",
    ),
    21: (
        "the operation is not allowed in the task's present state",
        Action.STOP,
        "Look at the task's state in the console.",
    ),
    22: (
        "the operator has cancelled the task",
        Action.CANCELLED,
        "Nothing was reported. Ask the operator why.",
    ),
    23: ("token and device do not belong together", Action.RECHECK, _RECHECK),
    24: (
        "the status reported is not one the platform knows",
        Action.STOP,
        "Please report this: it is our mistake.",
    ),
    27: (
        "the version has a form the platform does not take",
        Action.FIX_INPUT,
        "A version has 1-20 characters: letters, digits, '_', '-', '.'.",
    ),
    32: (
        "a task exists, but no delta package fits the version the platform knows",
        Action.STOP,
        "Report the true version (`atota update --register`), then check again.",
    ),
    5116: ("the product's upgrade quota is used up", Action.STOP, "Have the operator extend the quota."),
}

# Where the meaning depends on the call.
_SPECIAL: dict[tuple[Endpoint, int], tuple[str, Action, str]] = {
    (Endpoint.REPORT, 1): (
        "authentication failed: key and token do not belong together",
        Action.FIX_INPUT,
        "Check the access key, --product-id and this computer's clock.",
    ),
    (Endpoint.REPORT, 2): (
        "the status code is unknown to the platform",
        Action.STOP,
        "Please report this: it is our mistake.",
    ),
    (Endpoint.TASKING, 2): ("the task type is wrong", Action.FIX_INPUT, "--type is fota or sota."),
    (Endpoint.DEV_INFO, 2): (
        "the platform knows no such product and device",
        Action.FIX_INPUT,
        "Check --product-id and the device's authentication information (often the IMEI).",
    ),
    (Endpoint.TASKING, 4): ("the device has no valid token", Action.RECHECK, _RECHECK),
    (Endpoint.TOKEN, 17): (
        "the task is neither pending nor downloading any more",
        Action.NOT_DOWNLOADABLE,
        "If the package is in the cache it is used; if not, have the operator create the task again.",
    ),
    # The page calls 20 "finished", the SDK guide "expired": over either way.
    (Endpoint.TOKEN, 20): (
        "the task is over: finished or expired",
        Action.DONE,
        "`atota check` shows whether another task waits.",
    ),
}


def meaning(errno: int, endpoint: Endpoint) -> Meaning:
    """What ``errno`` means as the answer to ``endpoint``; an unknown number means: stop, with a message."""
    row = _SPECIAL.get((endpoint, errno)) or _GENERAL.get(errno)
    if row is not None:
        sentence, action, hint = row
        if action is Action.NO_TASK and endpoint not in (Endpoint.CHECK, Endpoint.TASKING):
            action = Action.STOP  # an answer to a question that was not asked: never a success
        return Meaning(errno, sentence, action, hint)
    return Meaning(
        errno,
        "the platform answered with a number that its documentation does not list",
        Action.STOP,
        "Look the task up in the console; report the number if it comes again.",
        known=False,
    )


def known_errnos() -> list[int]:
    """Every errno the tables know, ascending."""
    return sorted({*_GENERAL, *(errno for _, errno in _SPECIAL)})


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
    def action(self) -> Action:
        """What a client does about it."""
        return _DOWNLOAD[self][1]


_DOWNLOAD: dict[DownloadProblem, tuple[str, Action]] = {
    DownloadProblem.MISSING: ("the package does not exist on the platform", Action.STOP),
    DownloadProblem.SIZE_MISMATCH: ("the package has another size than the platform recorded", Action.STOP),
    DownloadProblem.TOKEN_INVALID: ("the token is not valid (any more)", Action.RECHECK),
    DownloadProblem.NOT_FETCHED: ("the platform could not fetch the package from its store", Action.RETRY),
    DownloadProblem.BAD_ARGUMENT: ("an argument of the download request is wrong", Action.STOP),
    DownloadProblem.CELL_LIMIT: ("too many devices download in this radio cell now", Action.RETRY),
}


def download_problem(byte: int) -> DownloadProblem | None:
    """The problem a one-byte body names: ASCII ``'1'``-``'6'`` or binary 1-6 (official clients disagree)."""
    number = byte - 0x30 if 0x31 <= byte <= 0x36 else byte
    return DownloadProblem(number) if 1 <= number <= 6 else None


class Status(enum.IntEnum):
    """Status codes, the same for ``step`` above 100 and for ``result`` (platform page "report status")."""

    DOWNLOADED = 101
    DOWNLOAD_NO_SPACE = 102
    DOWNLOAD_NO_MEMORY = 103
    DOWNLOAD_TIMEOUT = 104
    DOWNLOAD_LOW_BATTERY = 105
    DOWNLOAD_POOR_SIGNAL = 106
    DOWNLOAD_UNKNOWN = 107
    UPGRADED = 201
    UPGRADE_LOW_BATTERY = 202
    UPGRADE_NO_MEMORY = 203
    UPGRADE_MISMATCH = 204
    UPGRADE_MD5 = 205
    UPGRADE_UNKNOWN = 206
    UPGRADE_RETRIES = 207
    UPGRADE_EXPIRED = 208

    @property
    def sentence(self) -> str:
        """The platform's meaning, for people."""
        return _STATUS[self]

    @property
    def task_becomes(self) -> str:
        """The state the platform puts the task in: ``upgrading``, ``done`` or ``failed``."""
        return {101: "upgrading", 201: "done"}.get(self.value, "failed")


_STATUS: dict[Status, str] = {
    Status.DOWNLOADED: "package downloaded",
    Status.DOWNLOAD_NO_SPACE: "download failed: no space",
    Status.DOWNLOAD_NO_MEMORY: "download failed: out of memory",
    Status.DOWNLOAD_TIMEOUT: "download failed: request timed out",
    Status.DOWNLOAD_LOW_BATTERY: "download failed: low battery",
    Status.DOWNLOAD_POOR_SIGNAL: "download failed: poor signal",
    Status.DOWNLOAD_UNKNOWN: "download failed: unknown",
    Status.UPGRADED: "upgraded",
    Status.UPGRADE_LOW_BATTERY: "upgrade failed: low battery",
    Status.UPGRADE_NO_MEMORY: "upgrade failed: out of memory",
    Status.UPGRADE_MISMATCH: "upgrade failed: the package does not match the task's target version",
    Status.UPGRADE_MD5: "upgrade failed: MD5 check failed",
    Status.UPGRADE_UNKNOWN: "upgrade failed: unknown",
    Status.UPGRADE_RETRIES: "upgrade failed: retry limit reached",
    Status.UPGRADE_EXPIRED: "upgrade expired",
}
