"""A pytest plug-in for tests of programs that use atota: `pip install atota[testing]` and name a fixture.

    import atota

    def test_my_lane(simulated_module, ota_platform):
        module = simulated_module("BC28", faults="lose-reply:2")
        result = atota.update_module(
            module.port,
            server=ota_platform.url,
            product_id=ota_platform.product_id,
            dev_id=ota_platform.dev_id,
            access_key=ota_platform.access_key_file.read_text(),
        )
        assert result.outcome == "updated"
        assert module.version == ota_platform.target
        assert ota_platform.task.reported[-1] == 201

For whole jobs without a port and a network there is `atota.testing.bench.Bench`.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

import pytest

# Every run of pytest loads this file, with or without a test of atota: the rest is loaded by the fixtures.
if TYPE_CHECKING:
    from atota.otaserver.tasks import Task
    from atota.sim.module import SimModule
    from atota.testing.bench import Bench


@dataclass(frozen=True)
class SimulatedPort:
    """A simulated module and its port.

    Attributes:
        port: a ``sim://`` URL for this process; each opening of it meets the same module.
        module: the module; its attributes are its true state.
    """

    port: str
    module: "SimModule"

    @property
    def version(self) -> str:
        """The firmware that it really runs."""
        return self.module.version

    @property
    def struck(self) -> list[str]:
        """The faults that have struck so far, with their positions."""
        return list(self.module.faults.struck)


class SimulatedModules(Protocol):
    """The fixture `simulated_module`: makes simulated modules."""

    def __call__(self, model: str = "BC28", *, faults: str = "", **options: str | int) -> SimulatedPort:
        """Make a module.

        Args:
            model: see `atota sim module --list`.
            faults: joined by ``+``; see `atota.sim.faults`.
            options: of its ``sim://`` URL, see `atota.sim.link.parse_sim_url`.
        """
        ...


@pytest.fixture
def simulated_module() -> SimulatedModules:
    """Return a function that makes simulated modules."""
    from atota.sim.link import open_sim_link

    def make(model: str = "BC28", *, faults: str = "", **options: str | int) -> SimulatedPort:
        fields = {"id": f"pytest-{uuid.uuid4().hex}", **({"fault": faults} if faults else {}), **options}
        port = f"sim://{model}?{urlencode(fields, safe='+:')}"
        link = open_sim_link(port)
        link.close()
        return SimulatedPort(port, link.module)

    return make


@dataclass(frozen=True)
class PlatformServer:
    """The local OTA platform on a loopback port, with a task for one simulated module.

    Attributes:
        url: the server's address.
        product_id, dev_id: of the device that has the task.
        access_key_file: a file with the access key.
        target: the version that the task names.
    """

    url: str
    product_id: str
    dev_id: str
    access_key_file: Path
    target: str
    bench: "Bench"

    @property
    def task(self) -> "Task":
        """The task as the platform has it, with all that was reported of it."""
        return self.bench.task


@pytest.fixture
def ota_platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PlatformServer]:
    """Serve the local OTA platform with a task that brings a module to its next version.

    The module is a BC28, or the model that the test gives:
    ``@pytest.mark.parametrize("ota_platform", ["SIM7020C"], indirect=True)``.
    """
    from atota.clock import clock_at
    from atota.otaserver.serve import RunningServer
    from atota.testing.bench import ACCESS_KEY, PRODUCT_ID, Bench

    model: str = getattr(request, "param", "BC28")
    key_file = tmp_path / "access-key"
    key_file.touch(mode=0o600)
    key_file.write_text(ACCESS_KEY)
    with (
        Bench(model, clock=clock_at("real"), folder=tmp_path) as bench,
        RunningServer(bench.platform) as server,
    ):
        yield PlatformServer(server.url, PRODUCT_ID, bench.dev_id, key_file, bench.target, bench)
