"""A bench for whole jobs: a simulated module, the local platform and the client, all in memory."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from atota.clock import SimulatedClock, StopToken
from atota.dialects import loader
from atota.errors import LinkError
from atota.link.ports import PortInfo
from atota.module.module import Module, expected_row
from atota.ota.cache import Cache
from atota.ota.download import Downloader
from atota.ota.registry import Access, open_platform
from atota.otaserver.model import Auth, Device, TasksFile, TaskSpec, build
from atota.otaserver.service import LocalPlatform
from atota.settings.spec import JobSpec, LocalPackage
from atota.sim.link import SimLink, open_sim_link
from atota.sim.module import SimModule
from atota.sim.package import build_package
from atota.update.events import JobEvent, JobResult, Progress, StageEvent
from atota.update.job import Job
from scripts.simulate_parts import scenario
from scripts.simulate_parts.world import answered

KEY = base64.b64encode(b"a key of the tests, nobody's own").decode()
MODELS = {
    **scenario.MODELS,
    "UNKNOWN-HI2115": ("005", "00501", "RG6118_V1.02", "RG6118_V1.03"),
    "BC28-CLONE": ("014", "01401", "BC28CNVR01A02", "BC28CNVR01A03"),
}


class Bench:
    """One module and one platform that outlive the jobs that are run on them."""

    def __init__(self, folder: Path, model: str, fault: str, server: str, **how: Any) -> None:
        self.folder = folder
        self.model = model
        self.clock = SimulatedClock()
        manuf, code, self.base, self.target = MODELS[model]
        made_for = how.pop("made_for", self.base)
        size = how.pop("size", 4096)
        made = build_package(model=model, base=made_for, target=self.target, size=size)
        self.package: bytes = how.pop("package", made)
        self.url = f"sim://{model}?fault={fault}" + "".join(
            f"&{key}={value}" for key, value in how.pop("sim", {}).items()
        )
        spec = TaskSpec(
            dev_id="1",
            manuf=manuf,
            model=code,
            package="p",
            target=how.pop("task_target", self.target),
            **how,
        )
        file = TasksFile(
            auth=Auth(product_id="123", access_key=KEY), devices=(Device(dev_id="1"),), tasks=(spec,)
        )
        self.platform = LocalPlatform(build(file, {"p": self.package}), clock=self.clock, faults=server)
        self.link: SimLink | None = None
        self.wholes: list[bool] = []
        self.events: list[JobEvent] = []
        self.requests: list[str] = []
        self.down = False
        self.on_request: Callable[[str], None] | None = None
        self.on_link: Callable[[SimLink], None] | None = None
        self.adapter: FakeAdapters | None = None

    @property
    def module(self) -> SimModule:
        """The true state."""
        assert self.link is not None
        return self.link.module

    @property
    def state(self) -> str:
        """The task's state on the platform."""
        return self.platform.task("1").state.value

    @property
    def reported(self) -> list[int]:
        return self.platform.task("1").reported

    def stages(self, state: str = "started") -> list[str]:
        return [
            event.stage for event in self.events if isinstance(event, StageEvent) and event.state == state
        ]

    def progress(self, stage: str) -> list[Progress]:
        return [event for event in self.events if isinstance(event, Progress) and event.stage == stage]

    # -- what the job talks to ---------------------------------------------------------------

    def _handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.requests.append(f"{request.method} {path}")
        if self.on_request is not None:
            self.on_request(path)
        if self.down:
            raise httpx.ConnectError("connection refused")
        return answered(self.platform, request, self.clock)

    def _open(self, _port: str, **how: Any) -> Module:
        if self.link is None:
            self.link = open_sim_link(self.url, baud=how["baud"] or 9600, clock=self.clock)
            self.module.on_change = self._changed
        elif self.link._closed or self.module.unplugged:
            self.link = self.link.replug()
        if self.on_link is not None:
            self.on_link(self.link)
        return Module(
            self.link,
            dialect=loader.load(how["dialect"]) if how["dialect"] else None,
            expected=expected_row(how["model"]) if how["model"] else None,
            baud=how["baud"],
            stop=how["stop"],
            listener=how["listener"],
            reopener=self._reopen,
        )

    def _reopen(self, port: str, _rate: int) -> SimLink:
        if port == "busy":
            raise LinkError("it is not ready yet")
        assert self.link is not None
        self.link = self.link.replug()
        return self.link

    def _changed(self, what: str) -> None:
        if what == "started":
            self.wholes.append(self.module.slot == self.package and not self.module.flash.spoiled)

    def run(
        self,
        *,
        stop: StopToken | None = None,
        listener: Callable[[JobEvent], None] | None = None,
        **spec: Any,
    ) -> JobResult:
        """One job."""
        self.events.clear()

        def listen(event: JobEvent) -> None:
            self.events.append(event)
            if listener is not None:
                listener(event)

        stop = stop or StopToken()
        access = Access(
            server="http://ota.test",
            clock=self.clock,
            access_key=KEY,
            product_id="123",
            stop=stop,
            transport=httpx.MockTransport(self._handle),
        )
        if "dev_id" not in spec and "package" not in spec:
            spec["dev_id"] = "1"
        with open_platform("generic", access) as client:
            local = "package" in spec
            job = Job(
                JobSpec(port=self.url, **spec),
                platform=None if local else client,
                downloader=None if local else Downloader(client, self.clock, Cache(self.folder)),
                listener=listen,
                stop=stop,
                clock=self.clock,
                opener=self._open,
                adapters=self.adapter,
            )
            return job.run()

    def flash(self, **how: Any) -> JobResult:
        """One job with the package from a file of this machine."""
        path = self.folder.parent / "package.bin"
        path.write_bytes(self.package)
        md5 = hashlib.md5(self.package, usedforsecurity=False).hexdigest()
        return self.run(package=LocalPackage(path, md5, self.target), **how)

    def judge(self, result: JobResult) -> None:
        """The promises, against the true state: the verdict is right, and what was started was whole."""
        if self.link is None:
            return
        runs_target = self.module.version == self.target
        if result.outcome in ("updated", "updated-unreported", "already-current"):
            assert runs_target, f"{result.outcome}, and it runs {self.module.version}"
            assert result.version_after == self.target
        if result.outcome in ("old-version", "write-failed", "refused", "bad-package"):
            assert not runs_target, f"{result.outcome}, and it runs {self.module.version}"
        if result.error is not None and "still runs what it ran" in result.error.hint:
            assert not runs_target
            assert not self.module.starts
        assert all(self.wholes), "a start of something that was not the package"
        assert result.ok == (result.exit_code == 0)
        assert (result.error is None) == (result.exit_code in (0, 14))
        if self.state == "done":
            assert runs_target
        assert self.reported.count(101) + self.reported.count(100) <= max(1, self.reported.count(101))
        assert 100 not in self.reported
        msgspec.json.encode(result.stages_ms)


class FakeAdapters:
    """Knows one adapter, which is there again after so many looks."""

    def __init__(self, looks: int, name: str = "/dev/ttyUSB7") -> None:
        self.looks = looks
        self.name = name

    def remember(self, _port: str) -> PortInfo | None:
        return PortInfo(device="/dev/ttyUSB0", usb_id="0403:6001", serial_number="A50285BI")

    def find(self, _known: PortInfo) -> str | None:
        self.looks -= 1
        if self.looks > 0:
            return "busy" if self.looks == 1 else None
        return self.name


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Make benches; what they opened is closed at the end."""
    with ExitStack() as stack:

        def make(model: str = "BC28", fault: str = "", server: str = "", **how: Any) -> Bench:
            bench = Bench(tmp_path / "cache", model, fault, server, **how)
            stack.callback(lambda: bench.link.close() if bench.link else None)
            return bench

        yield make


@pytest.fixture
def adapters() -> Callable[..., FakeAdapters]:
    return FakeAdapters
