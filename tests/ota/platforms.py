"""Platforms of several kinds under one operator: OneNET's APIs, and one that shares nothing with them.

`MemoryPlatform` knows no HTTP, no signature and no errno: it proves that a job needs `atota.ota.base` only.
"""

import base64
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from atota.clock import Clock
from atota.errors import PlatformRefused, ServerUnreachable, StepResult, UsageError
from atota.ota.base import Capabilities, CheckQuery, ContentRange, Part, Platform, Status, Task
from atota.ota.memory import MemoryRequest, MemoryResponse, memory_transport
from atota.ota.registry import Access, open_platform
from atota.otaserver.model import Auth, Device, TasksFile, TaskSpec, build
from atota.otaserver.service import LocalPlatform
from atota.testing.bench import respond
from atota.values import Digests, TaskType
from tests.ota import path_server

KEY = base64.b64encode(b"a key of the tests, nobody's own").decode()
DEVICE = "1"
MANUF, MODEL = "014", "01401"


class Operator(ABC):
    """A platform with one task for one device, and the console of its operator.

    ``pausing``: it can pause a task; ``expiring``: a task's token can expire; ``device``: the device's name.
    """

    pausing = True
    expiring = True
    device = DEVICE
    product_id: str | None = None
    device_name: str | None = None

    def __init__(self, package: bytes, target: str, clock: Clock) -> None:
        self.package = package
        self.target = target
        self.clock = clock
        self.is_down = False
        self.pauses = 0

    @abstractmethod
    def opened(self) -> Platform:
        """Open the client side."""

    @property
    @abstractmethod
    def state(self) -> str:
        """The state of the task: pending, downloading, upgrading, done, failed, paused or cancelled."""

    @abstractmethod
    def pause(self) -> None: ...

    @abstractmethod
    def resume(self) -> None: ...

    @abstractmethod
    def cancel(self) -> None: ...

    @abstractmethod
    def expire(self) -> None: ...

    @abstractmethod
    def remove(self) -> None: ...

    @property
    @abstractmethod
    def statuses(self) -> list[int]:
        """The accepted statuses."""


class GenericOperator(Operator):
    """The local platform, behind OneNET's generic API."""

    def __init__(self, package: bytes, target: str, clock: Clock) -> None:
        super().__init__(package, target, clock)
        spec = TaskSpec(dev_id=DEVICE, manuf=MANUF, model=MODEL, package="p", target=target)
        file = TasksFile(
            auth=Auth(product_id="123", access_key=KEY), devices=(Device(dev_id=DEVICE),), tasks=(spec,)
        )
        self.server = LocalPlatform(build(file, {"p": package}), clock=clock)
        self._is_removed = False

    def opened(self) -> Platform:
        access = Access(
            server="http://ota.test",
            clock=self.clock,
            access_key=KEY,
            product_id="123",
            transport=memory_transport(self._handle),
        )
        return open_platform("generic", access)

    def _handle(self, request: MemoryRequest) -> MemoryResponse:
        if self.is_down:
            raise ConnectionRefusedError("connection refused")
        if self._is_removed and request.path.endswith(("/check", "/tasking")):
            return MemoryResponse(200, [], [b'{"errno": 11, "error": "not exist"}'])
        return respond(self.server, request, self.clock)

    @property
    def state(self) -> str:
        return self.server.task(DEVICE).state.value

    def pause(self) -> None:
        self.server.task(DEVICE).pause()

    def resume(self) -> None:
        self.server.task(DEVICE).resume()

    def cancel(self) -> None:
        self.server.task(DEVICE).cancel()

    def expire(self) -> None:
        self.server.task(DEVICE).expire_token(self.clock.time())

    def remove(self) -> None:
        self._is_removed = True

    @property
    def statuses(self) -> list[int]:
        return [step for step in self.server.task(DEVICE).reported if step > 100]


class MemoryPlatform:
    """The client side of a `MemoryOperator`."""

    capabilities = Capabilities(has_cancel=True, pause_s=5.0, token_life_s=600.0)
    server = "memory://platform"

    def __init__(self, operator: "MemoryOperator") -> None:
        self._operator = operator
        self._is_closed = False

    def _task(self) -> Task:
        if self._is_closed:
            raise UsageError("the platform is closed")
        if self._operator.is_down:
            raise ServerUnreachable("the platform is down")
        digests = Digests.of(self._operator.package)
        return Task(
            target=self._operator.target, token=self._operator.handle, size=digests.size, md5=digests.md5
        )

    def check(self, query: CheckQuery) -> Task | None:
        task, state = self._task(), self._operator.state
        if state == "paused":
            raise PlatformRefused("the task is paused", result=StepResult.PAUSED)
        if state not in ("pending", "downloading", "upgrading") or query.version == task.target:
            return None
        self._operator.handle_lives = True
        self._operator.handle += "+"
        return self._task()

    def dry_run(self, query: CheckQuery) -> dict[str, Any]:
        return {"method": "CHECK", "url": self.server, "headers": {}, "version": query.version}

    def tasking(self, dev_id: str, task_type: TaskType = "fota", *, cdn: bool = False) -> Task | None:
        task = self._task()
        return task if self._operator.state in ("downloading", "upgrading") else None

    def check_token(self, dev_id: str, token: str) -> None:
        raise AssertionError("this platform needs no token check")

    def package_url(self, task: Task) -> str:
        return f"{self.server}/{task.token}"

    @contextmanager
    def open_package(self, task: Task, first: int = 0, *, bare_range: bool = False) -> Iterator[Part]:
        self._require(task.token)
        if self._operator.true_state == "pending":
            self._operator.true_state = "downloading"
        package = self._operator.package
        content_range = ContentRange(first, len(package) - 1, len(package)) if first else None
        chunks = (package[at : at + 1000] for at in range(first, len(package), 1000))
        yield Part(first > 0, content_range, len(package) - first, chunks)

    def versions(self, dev_id: str) -> None: ...

    def report_version(self, dev_id: str, f_version: str | None = None, s_version: str | None = None) -> None:
        if self._task().target in (f_version, s_version):
            self._operator.true_state = "done"

    def report_step(self, dev_id: str, token: str, step: int) -> None:
        self._require(token)
        if step <= 100:
            return
        self._operator.accepted.append(step)
        ends = {Status.DOWNLOADED: "upgrading", Status.UPGRADED: "done"}
        self._operator.true_state = ends.get(Status(step), "failed")

    def _require(self, token: str) -> None:
        """Refuse a request about a task that is over, paused, or known by another handle."""
        task, state = self._task(), self._operator.state
        if state in ("cancelled", "done", "failed"):
            raise PlatformRefused(f"the task is {state}", result=StepResult.OVER)
        if state == "paused":
            raise PlatformRefused("the task is paused", result=StepResult.PAUSED)
        if token != task.token or not self._operator.handle_lives:
            raise PlatformRefused("the handle has expired", result=StepResult.EXPIRED)

    def close(self) -> None:
        self._is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class MemoryOperator(Operator):
    """A platform of a few variables."""

    def __init__(self, package: bytes, target: str, clock: Clock) -> None:
        super().__init__(package, target, clock)
        self.handle = "handle"
        self.handle_lives = True
        self.true_state = "pending"
        self.accepted: list[int] = []
        self._is_paused = False

    def opened(self) -> Platform:
        return MemoryPlatform(self)

    @property
    def state(self) -> str:
        return "paused" if self._is_paused else self.true_state

    def pause(self) -> None:
        self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False

    def cancel(self) -> None:
        self.true_state = "cancelled"

    def expire(self) -> None:
        self.handle_lives = False

    def remove(self) -> None:
        self.true_state = "removed"

    @property
    def statuses(self) -> list[int]:
        return self.accepted


class FuseOperator(Operator):
    """OneNET's current API, whose console can only cancel."""

    api = "fuse"
    pausing = False
    expiring = False
    device = path_server.DEVICE
    product_id = path_server.PRODUCT
    device_name = path_server.NAME

    def __init__(self, package: bytes, target: str, clock: Clock) -> None:
        super().__init__(package, target, clock)
        self.server = path_server.PathServer(self.api, package, target)

    def opened(self) -> Platform:
        access = Access(
            server="http://ota.test",
            clock=self.clock,
            access_key=path_server.KEY,
            product_id=self.product_id,
            device_name=self.device_name,
            transport=memory_transport(self._handle),
        )
        return open_platform(self.api, access)

    def _handle(self, request: MemoryRequest) -> MemoryResponse:
        if self.is_down:
            raise ConnectionRefusedError("connection refused")
        return self.server.answer(request)

    @property
    def state(self) -> str:
        return path_server.STATES[self.server.state]

    def pause(self) -> None:
        raise AssertionError("this console has no such button")

    resume = expire = pause

    def cancel(self) -> None:
        self.server.state = path_server.CANCELLED

    def remove(self) -> None:
        self.server.has_task = False

    @property
    def statuses(self) -> list[int]:
        return [step for step in self.server.steps if step > 100]


class StudioOperator(FuseOperator):
    """OneNET's API before the current one."""

    api = "studio"


class LocalFuseOperator(GenericOperator):
    """The local platform, behind OneNET's current API, with the device's own key."""

    api = "fuse"
    pausing = False
    device = path_server.DEVICE
    product_id = path_server.PRODUCT
    device_name = path_server.NAME

    def __init__(self, package: bytes, target: str, clock: Clock) -> None:
        Operator.__init__(self, package, target, clock)
        device = Device(
            dev_id=DEVICE, product_id=self.product_id, device_name=self.device_name, key=path_server.KEY
        )
        spec = TaskSpec(dev_id=DEVICE, manuf=MANUF, model=MODEL, package="p", target=target)
        file = TasksFile(
            auth=Auth(product_id=path_server.PRODUCT, access_key=KEY), devices=(device,), tasks=(spec,)
        )
        self.server = LocalPlatform(build(file, {"p": package}), clock=clock)
        self._is_removed = False

    def opened(self) -> Platform:
        access = Access(
            server="http://ota.test",
            clock=self.clock,
            access_key=path_server.KEY,
            product_id=self.product_id,
            device_name=self.device_name,
            transport=memory_transport(self._handle),
        )
        return open_platform(self.api, access)

    def expire(self) -> None:
        self.server.task(DEVICE).expire_token(self.clock.time())

    def remove(self) -> None:
        self.cancel()


class LocalStudioOperator(LocalFuseOperator):
    """The local platform, behind OneNET's API before the current one."""

    api = "studio"


OPERATORS: tuple[type[Operator], ...] = (
    GenericOperator,
    MemoryOperator,
    FuseOperator,
    StudioOperator,
    LocalFuseOperator,
    LocalStudioOperator,
)
PAUSING = tuple(kind for kind in OPERATORS if kind.pausing)
EXPIRING = tuple(kind for kind in OPERATORS if kind.expiring)
