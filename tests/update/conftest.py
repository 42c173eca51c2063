"""Benches for whole jobs, with the promises that every job must keep."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from atota.errors import LinkError
from atota.link.base import Link
from atota.link.ports import PortInfo
from atota.module.reconnect import Adapters
from atota.ota.memory import MemoryRequest, MemoryResponse
from atota.sim.fetch import http_fetch
from atota.sim.link import parse_sim_url
from atota.testing import bench
from atota.update.events import JobResult
from scripts.simulate_parts import scenario

MODELS = {
    **scenario.MODELS,
    "UNKNOWN-HI2115": ("005", "00501", "RG6118_V1.02", "RG6118_V1.03"),
    "BC66": ("000", "00001", "BC66NBR01A10", "BC66NBR01A11"),
    "BC660K": ("000", "00001", "BC660KGLAAR01A05", "BC660KGLAAR01A06"),
    "EC200U": ("000", "00001", "EC200UCNAAR03A03M08", "EC200UCNAAR03A13M08"),
    "BG96": ("000", "00001", "BG96MAR02A07M1G", "BG96MAR02A08M1G"),
    "BG770A": ("000", "00001", "BG770AGLAAR01A05", "BG770AGLAAR02A05"),
    "BC28-B500": ("014", "01401", "BC28JAR01A07", "BC28JAR01A08"),
    "BC28-CLONE": ("014", "01401", "BC28CNVR01A02", "BC28CNVR01A03"),
}


class Bench(bench.Bench):
    """A bench whose network may be down. Its module, if it fetches packages itself, fetches them by HTTP."""

    def __init__(self, folder: Path, model: str, fault: str, server: str, **how: Any) -> None:
        manuf, code, base, target = MODELS[model]
        settings = "&".join(f"{key}={value}" for key, value in how.pop("sim", {}).items())
        options = parse_sim_url(f"sim://{model}?{settings}").options
        more = {key: how.pop(key) for key in ("size", "package", "made_for") if key in how}
        if "task_target" in how:
            how["target"] = how.pop("task_target")
        super().__init__(
            model,
            faults=fault,
            platform_faults=server,
            options=replace(options, fetch=http_fetch),
            target=target,
            dev_id="1",
            codes=(manuf, code),
            task=how,
            folder=folder,
            **{"made_for": base, **more},
        )
        self.base = base
        self.down = False
        self.on_request: Callable[[str], None] | None = None

    @property
    def state(self) -> str:
        """The task's state on the platform."""
        return self.task.state.value

    @property
    def adapter(self) -> Adapters | None:
        """Finds the adapter again."""
        return self.adapters

    @adapter.setter
    def adapter(self, adapter: Adapters) -> None:
        self.adapters = adapter

    @property
    def reported(self) -> list[int]:
        return self.task.reported

    def answer(self, request: MemoryRequest) -> MemoryResponse:
        if self.on_request is not None:
            self.on_request(request.path)
        if self.down:
            self.requests.append(f"{request.method} {request.path}")
            raise ConnectionRefusedError("connection refused")
        return super().answer(request)

    def reopen_link(self, port: str, baud: int) -> Link:
        if port == "busy":
            raise LinkError("it is not ready yet")
        return super().reopen_link(port, baud)

    def flash(self, **options: Any) -> JobResult:
        return super().flash(**{"serve_url": None, **options})

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
        assert all(self.started_whole), "a start of something that was not the package"
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
            return stack.enter_context(Bench(tmp_path, model, fault, server, **how))

        yield make


@pytest.fixture
def adapters() -> Callable[..., FakeAdapters]:
    return FakeAdapters
