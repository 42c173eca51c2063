"""The command station demo: a simulated bench of eight lanes with the operator page, and no hardware."""

import base64
import tempfile
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from atota.cli.call import Call
from atota.cli.commands.station import Shift, work
from atota.clock import StopToken, SystemClock
from atota.journal.store import Journal
from atota.module.module import Opener, open_module
from atota.ota.base import Platform
from atota.ota.cache import Cache
from atota.ota.registry import DEFAULT, Access, open_platform
from atota.otaserver import model as tasks_file
from atota.otaserver.serve import RunningServer
from atota.otaserver.service import LocalPlatform
from atota.settings.spec import JobSpec
from atota.sim.bench import SimLane, SimOperator
from atota.sim.package import build_package
from atota.station.config import load_station
from atota.update.events import JobResult

_PRODUCT = "1000"
_KEY = base64.b64encode(b"the demo's own key, no secret at").decode()
_LISTEN = "127.0.0.1:8765"


class DemoLane(NamedTuple):
    """One lane of the demo: its modules, and their faults."""

    model: str
    fault: str = ""


class DemoTask(NamedTuple):
    """The platform's task for one model."""

    manuf: str
    code: str
    base: str
    target: str
    size: int


TASKS = {
    "BC28": DemoTask("014", "01401", "BC28JAR01A03", "BC28JAR01A05", 24_000),
    "M5310-A": DemoTask("001", "00106", "M5310-A-MONH0S00", "M5310-A-MONH0S01", 30_208),
    "BC95-B8": DemoTask("014", "01406", "V100R100C10B657SP5", "V100R100C10B657SP6", 16_384),
}
LANES = (
    DemoLane("BC28"),
    DemoLane("M5310-A"),
    DemoLane("BC95-B8"),
    DemoLane("BC28", "brownout-at-block:20"),  # mended in the same job
    DemoLane("M5310-A"),
    DemoLane("BC28", "rollback"),  # fails on purpose, until the lane is blocked
    DemoLane("BC95-B8"),
    DemoLane("BC28", "unplug-at:12"),  # the station's fault, which counts against no unit
)


class DemoParts:
    """The parts of the demo's jobs: a platform of its own, and no settings of the user."""

    def __init__(self, url: str) -> None:
        self._url = url

    def spec(self, lane: int, port: str) -> JobSpec:  # noqa: ARG002 - all lanes do the same work
        """Return the job of a lane on a port."""
        return JobSpec(port=port, product_id=_PRODUCT)

    def platform(self, lane: int, stop: StopToken) -> AbstractContextManager[Platform]:  # noqa: ARG002
        """Open the demo's platform."""
        access = Access(
            server=self._url, clock=SystemClock(), access_key=_KEY, product_id=_PRODUCT, stop=stop
        )
        return open_platform(DEFAULT, access)

    def opener(self, lane: int, spec: JobSpec, stack: ExitStack) -> tuple[JobSpec, Opener]:  # noqa: ARG002
        """Return the spec as it is: the demo keeps no transcripts."""
        return spec, open_module

    def tidy(self, spec: JobSpec, result: JobResult) -> None:
        """Do nothing."""


def demo(
    call: Call,
    speed: Annotated[float, typer.Option(min=1, max=200, help="How much faster than real modules.")] = 15.0,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the operator page is; port 0 takes any free one.")
    ] = _LISTEN,
    no_page: Annotated[bool, typer.Option("--no-page", help="Serve no operator page.")] = False,
    units: Annotated[int | None, typer.Option(min=1, metavar="N", help="End after N verdicts.")] = None,
) -> None:
    """Run a simulated station of eight lanes until Ctrl-C, or until N verdicts are there."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="atota-station-") as name, RunningServer(_platform()) as server:
        folder = Path(name)
        file = folder / "station.toml"
        file.write_text(station_file(speed), encoding="utf-8")
        config = load_station(file)
        operator = SimOperator(clock)
        with Journal(folder / "journal.sqlite3", clock=clock) as journal:
            shift = Shift(
                config=config,
                parts=DemoParts(server.url),
                journal=journal,
                cache=Cache(folder / "cache"),
                sockets={lane.number: SimLane(lane.key, operator) for lane in config.file.lane},
                page=None if no_page else listen,
                units=units,
            )
            station = work(call, shift)
    counters = station.hub.snapshot().counters
    sums = f"{counters.passed} passed, {counters.failed} failed, {counters.station_error} by the station"
    call.done(sums, counters=counters, units=list(station.verdicts))


def station_file(speed: float) -> str:
    """Return the station file of the demo."""
    text = 'name = "demo"\n\n[work]\nbatch = "DEMO-1"\nquota = 500\n\n'
    text += '[devices]\ndev_id = "{imei}"\n\n[stop]\nmin_free_mb = 50\n'
    for number, lane in enumerate(LANES, 1):
        fault = f"&fault={lane.fault}" if lane.fault else ""
        port = f"sim://{lane.model}?speed={speed:g}{fault}"
        text += f'\n[[lane]]\nnumber = {number}\nport = "{port}"\n'
    return text


def _platform() -> LocalPlatform:
    packages = {
        model: build_package(model=model, base=task.base, target=task.target, size=task.size)
        for model, task in TASKS.items()
    }
    tasks = tasks_file.TasksFile(
        auth=tasks_file.Auth(product_id=_PRODUCT, access_key=_KEY),
        tasks=tuple(
            tasks_file.TaskSpec(
                dev_id=tasks_file.ANY_DEVICE,
                manuf=task.manuf,
                model=task.code,
                package=model,
                target=task.target,
            )
            for model, task in TASKS.items()
        ),
    )
    return LocalPlatform(tasks_file.build(tasks, packages))
