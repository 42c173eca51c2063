"""The local OTA platform itself: devices, tasks, tokens and the effects of each call. No HTTP, no files.

Every call has the side effects that the platform's documents give it, also the unkind ones: a check with the
wrong codes or, for a delta, the wrong version fails the task, and every check overwrites the stored version.
"""

import secrets
import string
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from atota.clock import Clock, SystemClock
from atota.errors import UsageError
from atota.otaserver.auth import SignatureCheck, verify
from atota.otaserver.faults import Faults
from atota.otaserver.model import ANY_DEVICE, Package, PlatformConfig, TaskSpec, TaskType, internal_id
from atota.otaserver.tasks import Api, Call, Errno, Task, TaskEvent, TaskState, shown_id
from atota.values import version_problem

_ALPHANUMERIC = string.ascii_letters + string.digits
_FIRST_TID = 1317438  # task ids seen on the real platform are 1266435 to 1317439
_LARGE_TID = 2**31  # the first that a signed word of 32 bits cannot hold


def new_token() -> str:
    """Make a token in the platform's form: ``ota_`` and twenty letters and digits."""
    return "ota_" + "".join(secrets.choice(_ALPHANUMERIC) for _ in range(20))


def new_request_id() -> str:
    """Make the ``request_id`` of an answer: 32 hexadecimal digits."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of an enveloped call: the errno and, if it has any, the data in the platform's order."""

    errno: Errno
    data: dict[str, str | int] | None = field(default=None, repr=False)
    task: Task | None = None


class DeviceState:
    """A device as the platform knows it; versions are as last reported.

    ``dev_id`` is its own, or `internal_id` where it has none. ``name`` is that of STUDIO and FUSE.
    """

    def __init__(
        self,
        dev_id: str,
        name: str | None,
        f_version: str | None,
        s_version: str | None,
        product_id: str = "",
    ) -> None:
        self.dev_id = dev_id
        self.name = name
        self.product_id = product_id
        self.versions: dict[TaskType, str | None] = {"fota": f_version, "sota": s_version}


class LocalPlatform:
    """The state of the local platform, and the calls of a device and of an operator on it.

    Args:
        config: from `atota.otaserver.model.load` or `build`.
        clock: whose wall time tokens and signatures are compared with.
        faults: injected faults, by name (`atota.otaserver.faults`).
        ip_port: the address that a check with ``cdn=true`` names; by default where the request came in.
        binary_errors: answer a refused download with the byte 0x03 and not the character "3"; the
            platform's documents do not say which it is.
        token_source: makes the tokens.
        request_id_source: makes the request ids of FUSE.

    Attributes:
        complaints: mistakes of devices that the platform lets pass.
    """

    def __init__(
        self,
        config: PlatformConfig,
        *,
        clock: Clock | None = None,
        faults: Faults | str = "",
        ip_port: str | None = None,
        binary_errors: bool = False,
        token_source: Callable[[], str] = new_token,
        request_id_source: Callable[[], str] = new_request_id,
    ) -> None:
        self.config = config
        self.clock = clock or SystemClock()
        self.faults = Faults.parse(faults) if isinstance(faults, str) else faults
        self.ip_port = ip_port
        self.binary_errors = binary_errors
        self.lock = threading.RLock()
        self.complaints: list[str] = []
        self.tasks: list[Task] = []
        self.devices: dict[str, DeviceState] = {}
        self.new_request_id = request_id_source
        self._by_name: dict[tuple[str, str], DeviceState] = {}
        self._open = not config.devices
        self._token_source = token_source
        self._tokens: dict[str, Task] = {}
        self._tids: dict[int, Task] = {}
        for device in config.devices:
            product = device.product_id or config.keys.product_id
            self._keep(product, device.shown_name, device.dev_id, (device.f_version, device.s_version))
        for spec in config.tasks:
            if spec.dev_id != ANY_DEVICE:
                self._add(spec.dev_id, spec)

    # -- the questions of tests, the demo and an operator ------------------------------------------------

    def task(self, dev_id: str, type: TaskType = "fota") -> Task:  # noqa: A002 - the platform's own word
        """Return the newest task of a device.

        Raises:
            UsageError: it has none.
        """
        task = self._newest(dev_id, type)
        if task is None:
            raise UsageError(
                f"device {shown_id(dev_id)} has no {type} task", hint="Tasks come from tasks.toml."
            )
        return task

    def version(self, dev_id: str, type: TaskType = "fota") -> str | None:  # noqa: A002
        """Return the version that the platform believes a device to run."""
        device = self.devices.get(dev_id)
        return device.versions[type] if device else None

    def time(self) -> float:
        """The platform's own wall time: the clock's, and the fault ``clock-skew``."""
        return self.clock.time() + self.faults.skew_s

    # -- the calls of a device -------------------------------------------------------------------

    def authorise(self, header: str | None, dev_id: str | None) -> SignatureCheck:
        """Check if a request with this ``Authorization`` may speak for ``dev_id``."""
        if not self.config.auth_required:
            return SignatureCheck(True)
        verdict = verify(header, self.config.keys, self.time())
        if not verdict.ok or verdict.device is None:
            return verdict
        device = self.devices.get(dev_id or "")
        if device is None or device.name != verdict.device:
            return SignatureCheck(
                False, "the signature speaks for another device than dev_id", verdict.device
            )
        return verdict

    def report_version(self, dev_id: str | None, f_version: str | None, s_version: str | None) -> Answer:
        """Store versions; one that is the target of an active task completes it."""
        device = self._device(dev_id)
        if device is None:
            return Answer(Errno.AUTH if dev_id else Errno.ARGUMENT)
        pairs: tuple[tuple[TaskType, str | None], ...] = (("fota", f_version), ("sota", s_version))
        reported = [(type_, version) for type_, version in pairs if version is not None]
        if any(version_problem(version) for _, version in reported):
            return Answer(Errno.VERSION)
        for type_, version in reported:
            device.versions[type_] = version
            task = self._newest(device.dev_id, type_)
            if task is not None:
                if task.active and task.spec.target == version:
                    task.complete()
                self._note(task, "version", version, Errno.SUCC)
        return Answer(Errno.SUCC)

    def check(
        self, dev_id: str | None, type_: TaskType, version: str, manuf: str | None, model: str | None
    ) -> Answer:
        """Hand out the device's task, or make one where a policy fits; store the version either way."""
        if version_problem(version):
            return Answer(Errno.VERSION)
        device = self._device(dev_id)
        if device is None:
            return Answer(Errno.AUTH if dev_id else Errno.ARGUMENT)
        device.versions[type_] = version
        task = self._newest(device.dev_id, type_)
        if task is None or task.state in (TaskState.DONE, TaskState.FAILED):
            task = self._from_policy(device.dev_id, type_, version, manuf, model)
        if task is None or task.state is TaskState.CANCELLED:
            return Answer(Errno.NO_TASK)
        errno = self._check_outcome(task, version, manuf, model)
        self._note(task, "check", version, errno)
        return Answer(errno, self._data(task) if errno == 0 else None, task)

    def tasking(self, dev_id: str | None, type_: TaskType) -> Answer:
        """Hand out a task that is already downloading or upgrading."""
        task = self._newest(dev_id, type_) if dev_id else None
        if task is None or task.state not in (TaskState.DOWNLOADING, TaskState.UPGRADING):
            return Answer(Errno.TOKEN if dev_id else Errno.ARGUMENT)
        self.faults.before_call(task, "tasking", self.time())
        errno = Errno.EXPIRED if task.token_expired(self.time()) else Errno.SUCC
        self._note(task, "tasking", None, errno)
        return Answer(errno, self._data(task) if errno == 0 else None, task)

    def check_token(self, token: str, dev_id: str | None) -> Answer:
        """Check a token; success moves a pending task to downloading."""
        task = self._tokens.get(token)
        if task is None or task.dev_id != dev_id:
            return Answer(Errno.TOKEN)
        self.faults.before_call(task, "token", self.time())
        errno = Errno.EXPIRED if token != task.token else task.check_token(self.time())
        self._note(task, "token", None, errno)
        return Answer(errno, None, task)

    def open_download(self, token: str) -> Task | None:
        """The task whose package this token fetches now, or None where the token is not valid."""
        task = self._tokens.get(token)
        if task is None:
            return None
        self.faults.before_call(task, "download", self.time())
        if token != task.token or not task.may_download(self.time()):
            self._note(task, "download", None, 3)
            return None
        if task.state is TaskState.PENDING:
            self.complain(task, "downloads before the token was checked")
        return task

    def progress(self, token: str, dev_id: str | None, step: int) -> Answer:
        """Take a step of the current call: 0-100 or a status code."""
        return self._report("progress", token, dev_id, step)

    def report(self, token: str, dev_id: str | None, result: int) -> Answer:
        """Take a result of the older call: a status code."""
        return self._report("report", token, dev_id, result)

    def device_info(self, pid: str, auth_info: str) -> Answer:
        """Look a device's id up by its IMEI, name or id."""
        if pid == self.config.keys.product_id:
            for device in self.config.devices:
                if auth_info in (device.imei, device.name, device.dev_id):
                    return Answer(Errno.SUCC, {"dev_id": device.dev_id})
        return Answer(Errno.ARGUMENT)

    def complain(self, task: Task, behaviour: str) -> None:
        """Note a behaviour that a careful device avoids."""
        self.complaints.append(f"device {shown_id(task.dev_id)} {behaviour}")

    # -- for the calls by product and name (`atota.otaserver.by_name`) ---------------------------

    def find_device(self, product_id: str, name: str) -> DeviceState | None:
        """Return the device of this name; a platform without devices makes any that is asked for."""
        device = self._by_name.get((product_id, name))
        if device is None and self._open:
            device = self._keep(product_id, name)
        return device

    def find_task(self, tid: int, device: DeviceState) -> Task | None:
        """Return the task of this id, also if the id is dead, or None if it is not the device's."""
        task = self._tids.get(tid)
        return task if task is not None and task.dev_id == device.dev_id else None

    def newest(self, device: DeviceState, type_: TaskType) -> Task | None:
        """Return the newest task of a device, or None."""
        return self._newest(device.dev_id, type_)

    def task_by_policy(self, device: DeviceState, type_: TaskType, version: str) -> Task | None:
        """Make a task by the first policy that fits a device which knows no codes."""
        return self._from_policy(device.dev_id, type_, version, None, None)

    def new_tid(self, task: Task, *, large: bool = False) -> None:
        """Give a task another id; the old one is dead."""
        task.tid = (_LARGE_TID if large else _FIRST_TID) + len(self._tids)
        task.tid_expired = False
        self._tids[task.tid] = task

    def note(
        self, task: Task, call: Call, value: str | int | tuple[int, int] | None, code: int, api: Api
    ) -> None:
        """Record one thing that a device said of a task."""
        task.history.append(TaskEvent(call, value, code, task.state, self.time(), api))

    # -- inside ----------------------------------------------------------------------------------

    def _keep(
        self,
        product_id: str,
        name: str | None,
        dev_id: str = "",
        versions: tuple[str | None, str | None] = (None, None),
    ) -> DeviceState:
        key = internal_id(dev_id, product_id, name)
        device = self.devices[key] = DeviceState(key, name, *versions, product_id)
        if name is not None:
            self._by_name[product_id, name] = device
        return device

    def _device(self, dev_id: str | None) -> DeviceState | None:
        if not dev_id or "/" in dev_id:  # `internal_id` of a device that has no dev_id
            return None
        if self._open and dev_id not in self.devices:
            return self._keep(self.config.keys.product_id, None, dev_id)
        return self.devices.get(dev_id)

    def _versions(self, dev_id: str) -> dict[TaskType, str | None]:
        device = self._device(dev_id)
        return device.versions if device else {}

    def _newest(self, dev_id: str, type_: TaskType) -> Task | None:
        for task in reversed(self.tasks):
            if task.dev_id == dev_id and task.spec.type == type_:
                return task
        return None

    def _add(self, dev_id: str, spec: TaskSpec) -> Task:
        task = Task(dev_id, spec, self._package(spec), self._token_source(), self.time())
        self._tokens[task.token] = task
        self.new_tid(task)
        self.tasks.append(task)
        return task

    def _package(self, spec: TaskSpec) -> Package:
        return self.config.packages[spec.package]

    def _from_policy(
        self, dev_id: str, type_: TaskType, version: str, manuf: str | None, model: str | None
    ) -> Task | None:
        """Make a task by the first policy that fits: its type and codes, its base, and not yet its target."""
        for spec in self.config.tasks:
            fits = spec.dev_id == ANY_DEVICE and spec.type == type_ and spec.target != version
            if (
                fits
                and manuf in (None, spec.manuf)
                and model in (None, spec.model)
                and spec.base in (None, version)
            ):
                return self._add(dev_id, spec)
        return None

    def _check_outcome(self, task: Task, version: str, manuf: str | None, model: str | None) -> Errno:
        self.faults.before_call(task, "check", self.time())
        if task.state is TaskState.CANCELLED:
            return Errno.NO_TASK
        if task.state is TaskState.PAUSED:
            return Errno.PAUSED
        if not task.check_codes(manuf, model):
            task.fail()
            return Errno.CODES
        if task.spec.base not in (None, version):
            task.fail()
            return Errno.BASE
        if task.token_expired(self.time()):
            task.token, task.token_born = self._token_source(), self.time()
            self._tokens[task.token] = task
        return Errno.SUCC

    def _report(self, call: Call, token: str, dev_id: str | None, code: int) -> Answer:
        task = self._tokens.get(token)
        if task is None or task.dev_id != dev_id:
            return Answer(Errno.AUTH)
        self.faults.before_call(task, call, self.time())
        now = self.time()
        if token != task.token:
            errno = Errno.EXPIRED
        else:
            errno = task.step(code, now) if call == "progress" else task.result(code, now)
        if errno == 0 and task.state is TaskState.DONE:
            self._versions(task.dev_id)[task.spec.type] = task.spec.target
        if errno is Errno.OPERATION:
            self.complain(task, f"reports {code} where it means nothing (the task is {task.state})")
        self._note(task, call, code, errno)
        return Answer(errno, None, task)

    def _note(self, task: Task, call: Call, value: str | int | tuple[int, int] | None, errno: int) -> None:
        self.note(task, call, value, int(errno), "generic")

    def _data(self, task: Task) -> dict[str, str | int]:
        """The task as the check hands it out, in the order of the replies seen from the real platform."""
        spec, digests = task.spec, task.package.digests
        return {
            "target": spec.target,
            "token": task.token,
            "size": digests.size,
            "md5": digests.md5,
            "signal": spec.signal,
            "power": spec.power,
            "retry": spec.retry,
            "interval": spec.interval,
            "type": 1 if spec.kind == "full" else 2,
        }
