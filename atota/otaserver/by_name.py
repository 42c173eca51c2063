"""The calls of STUDIO and FUSE on the local platform: devices by product and name, tasks by a number.

Theory of operation. Both APIs share the task store with the generic one, and one state machine::

    waiting --download (or status, by knob)--> downloading --100 or 101--> upgrading
    waiting, downloading, upgrading --201, or a version report of the target--> done
    waiting, downloading --102..107, any --202..207--> failed
    done, failed, cancelled: a step is "task finish", a check finds nothing, a download is "expired"

Differences from the generic API: a check changes nothing; a device at the target is told so; both versions
are reported together; a delta for another version is not offered, where the generic API fails the task.

Sources: the FUSE pages 1204, 1447-1449, 1454, 1483 and 1504 (open.iot.10086.cn), the STUDIO page, recorded
exchanges of 2023-2026. `Knobs` has what they leave open. The pause of the generic API is unknown here: a
paused task is not offered, and its steps are an invalid state.
"""

import enum
from dataclasses import dataclass, field

from atota.otaserver.auth import TEN_YEARS_S, KeyRing, SignatureCheck, verify, verify_query
from atota.otaserver.model import TaskType
from atota.otaserver.reply import HttpRequest
from atota.otaserver.service import DeviceState, LocalPlatform
from atota.otaserver.tasks import Api, Call, Errno, Task, TaskState
from atota.values import version_problem

Value = str | int | tuple[int, int] | None


class Reason(enum.Enum):
    """The meaning of an answer, before it becomes a number of one of the two APIs."""

    SUCC = enum.auto()
    NO_TASK = enum.auto()
    AT_TARGET = enum.auto()
    DONE = enum.auto()
    FINISHED = enum.auto()
    STATE = enum.auto()
    PARAMETER = enum.auto()
    VERSION = enum.auto()
    NO_PRODUCT = enum.auto()
    NO_DEVICE = enum.auto()
    AUTH = enum.auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of an enveloped call; ``text`` replaces the usual one of its reason."""

    reason: Reason
    data: dict[str, str | int | None] | None = field(default=None, repr=False)
    task: Task | None = None
    text: str = ""


_OF_STEP = {
    Errno.SUCC: Reason.SUCC,
    Errno.FINISHED: Reason.FINISHED,
    Errno.OPERATION: Reason.STATE,
    Errno.ARGUMENT: Reason.PARAMETER,
}
# Headers of a refused download, from the STUDIO SDK: 1 device, 2 file, 5 expired or cancelled, 6 auth.
NO_DEVICE, NO_FILE, EXPIRED, AUTH_FAILED = 1, 2, 5, 6
_TABLES: dict[Api, dict[Reason, tuple[int, str]]] = {
    "fuse": {
        Reason.SUCC: (0, "succ"),
        Reason.NO_TASK: (12012, "not exist"),
        Reason.AT_TARGET: (12013, "task succ"),
        Reason.FINISHED: (20, "task finish"),
        Reason.PARAMETER: (10001, "param error"),
        Reason.VERSION: (10001, "param error"),
        Reason.NO_PRODUCT: (10408, "product not exist"),
        Reason.NO_DEVICE: (10410, "device not exist"),
        Reason.AUTH: (10403, "authentication failed:invalid authorization"),
    },
    "studio": {
        Reason.SUCC: (0, "succ"),
        Reason.NO_TASK: (10, "not exist"),
        Reason.AT_TARGET: (10, "not exist"),
        Reason.DONE: (10, "not exist"),
        Reason.FINISHED: (20, "task finish"),
        Reason.PARAMETER: (2, "invalid parameter"),
        Reason.VERSION: (27, "invalid version"),
        Reason.NO_PRODUCT: (1, "auth failed"),
        Reason.NO_DEVICE: (1, "auth failed"),
        Reason.AUTH: (1, "auth failed"),
    },
}


class Calls:
    """The calls of one of the two APIs, by the words of that API."""

    def __init__(self, platform: LocalPlatform, api: Api) -> None:
        self.platform = platform
        self.api: Api = api

    def number(self, reason: Reason) -> tuple[int, str]:
        """Return the code and the text of a reason."""
        knobs = self.platform.config.knobs
        if reason is Reason.STATE:
            return knobs.invalid_state, "invalid state"
        if reason is Reason.DONE and self.api == "fuse":
            reason = Reason.AT_TARGET if knobs.after_done == 12013 else Reason.NO_TASK
        return _TABLES[self.api][reason]

    def authorise(self, request: HttpRequest, product_id: str, name: str, *, query: bool) -> SignatureCheck:
        """Check the signature of a request for a device; a download may carry it in its query."""
        config = self.platform.config
        if not config.auth_required:
            return SignatureCheck(True)
        own = config.keys
        ring = config.ring(product_id) or KeyRing(product_id, b"", {}, own.user_id, own.user_key)
        longest_s = TEN_YEARS_S if self.api == "fuse" else float("inf")
        header, now = request.headers.get("authorization"), self.platform.time()
        if header is None and query:
            check = verify_query(request.query, ring, now, longest_s=longest_s)
        else:
            check = verify(header, ring, now, users=True, longest_s=longest_s)
        if check.ok and check.device not in (None, name):
            return SignatureCheck(
                False, "the signature speaks for another device than the path", None, "form"
            )
        return check

    def refusal(self, check: SignatureCheck) -> Answer:
        """Return the answer to a wrong signature; FUSE has three texts for it."""
        text = ""
        if self.api == "fuse" and check.trouble == "too-long":
            text = "authentication failed:token expire is too long,max expire limit 10 years"
        if self.api == "fuse" and check.trouble == "expired":
            now = int(self.platform.time())
            text = f"authentication failed:request has expired:expire={check.et},now={now}"
        return Answer(Reason.AUTH, text=text)

    def report_versions(self, device: DeviceState, f_version: str | None, s_version: str | None) -> Answer:
        """Store both versions; one that is the target of an active task completes it."""
        if f_version is None or s_version is None:
            return Answer(Reason.PARAMETER)
        if version_problem(f_version) or version_problem(s_version):
            return Answer(Reason.VERSION)
        pairs: tuple[tuple[TaskType, str], ...] = (("fota", f_version), ("sota", s_version))
        for type_, version in pairs:
            device.versions[type_] = version
            task = self.platform.newest(device, type_)
            if task is not None:
                if task.active and task.spec.target == version:
                    task.complete()
                self._note(task, "version", version, Reason.SUCC)
        return Answer(Reason.SUCC)

    def read_versions(self, device: DeviceState) -> Answer:
        """Return the stored versions."""
        body = self.platform.config.knobs.version_body
        if body == "none":
            return Answer(Reason.SUCC)
        versions = {"s_version": device.versions["sota"], "f_version": device.versions["fota"]}
        return Answer(Reason.SUCC, dict(versions) if body == "both" else {})

    def check(self, device: DeviceState, type_: TaskType, version: str) -> Answer:
        """Hand out the device's task, or make one where a policy fits."""
        if version_problem(version):
            return Answer(Reason.VERSION)
        task = self.platform.newest(device, type_)
        if task is not None and task.state is TaskState.DONE and task.spec.target == version:
            self._note(task, "check", version, Reason.DONE)
            return Answer(Reason.DONE, task=task)
        if task is None or task.state in (TaskState.DONE, TaskState.FAILED):
            task = self.platform.task_by_policy(device, type_, version)
        if task is None:
            return Answer(Reason.NO_TASK)
        reason = self._check_reason(task, version)
        self._note(task, "check", version, reason)
        return Answer(reason, self._data(task) if reason is Reason.SUCC else None, task)

    def _check_reason(self, task: Task, version: str) -> Reason:
        self.platform.faults.before_call(task, "check", self.platform.time())
        if not task.active or task.spec.base not in (None, version):
            return Reason.NO_TASK
        if task.spec.target == version:
            return Reason.AT_TARGET
        large = self.platform.faults.take("large-tid", "check") is not None
        if task.tid_expired or large:
            self.platform.new_tid(task, large=large)
        return Reason.SUCC

    def status(self, device: DeviceState, tid: int) -> Answer:
        """Return the state of a task as a number."""
        task = self.platform.find_task(tid, device)
        if task is None:
            return Answer(Reason.NO_TASK)
        self.platform.faults.before_call(task, "token", self.platform.time())
        if task.tid != tid or task.tid_expired:
            self._note(task, "token", None, Reason.NO_TASK)
            return Answer(Reason.NO_TASK, task=task)
        if self.platform.config.knobs.downloading_by != "download":
            task.begin_download()
        self._note(task, "token", None, Reason.SUCC)
        return Answer(Reason.SUCC, {"status": task.status}, task)

    def open_download(self, device: DeviceState, tid: int) -> tuple[Task | None, int]:
        """Return the task whose package this id fetches now, or None and the ``Ota-Errno``."""
        task = self.platform.find_task(tid, device)
        if task is None:
            return None, NO_FILE
        self.platform.faults.before_call(task, "download", self.platform.time())
        may = task.state in (TaskState.PENDING, TaskState.DOWNLOADING)
        if task.tid != tid or task.tid_expired or not may:
            self.platform.note(task, "download", None, EXPIRED, self.api)
            return None, EXPIRED
        if self.platform.config.knobs.downloading_by != "status":
            task.begin_download()
        return task, 0

    def step(self, device: DeviceState, tid: int, step: int) -> Answer:
        """Take a percentage or a status code."""
        task = self.platform.find_task(tid, device)
        if task is None:
            return Answer(Reason.NO_TASK)
        self.platform.faults.before_call(task, "progress", self.platform.time())
        is_dead = task.tid != tid or task.tid_expired
        reason = Reason.NO_TASK if is_dead else _OF_STEP[task.step_by_id(step)]
        if reason is Reason.SUCC and task.state is TaskState.DONE:
            device.versions[task.spec.type] = task.spec.target
        if reason is Reason.STATE:
            self.platform.complain(task, f"reports {step} where it means nothing (the task is {task.state})")
        self._note(task, "progress", step, reason)
        return Answer(reason, None, task)

    def _note(self, task: Task, call: Call, value: Value, reason: Reason) -> None:
        self.platform.note(task, call, value, self.number(reason)[0], self.api)

    def _data(self, task: Task) -> dict[str, str | int | None]:
        """The task as the check hands it out, in the recorded order of keys."""
        digests = task.package.digests
        return {
            "target": task.spec.target,
            "tid": task.tid,
            "size": digests.size,
            "md5": digests.md5,
            "status": task.status,
            "type": 1 if task.spec.kind == "full" else 2,
        }
