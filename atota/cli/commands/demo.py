"""The demo: the whole chain for five simulated modules at once, against a platform of its own."""

import base64
import tempfile
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer
from rich.table import Table

from atota.cli.call import Call
from atota.cli.view.job import result_fields
from atota.cli.view.output import explain, styled
from atota.cli.view.progress import bars, json_listener, live_listener, plain_listener
from atota.clock import StopToken, SystemClock
from atota.errors import Interrupted, Outcome
from atota.ota.cache import Cache
from atota.ota.download import Downloader
from atota.ota.registry import DEFAULT, Access, open_platform
from atota.otaserver import model as tasks_file
from atota.otaserver.serve import RunningServer
from atota.otaserver.service import LocalPlatform
from atota.settings.spec import JobSpec
from atota.sim.package import build_package
from atota.update.events import JobResult, Listener
from atota.update.job import Job

_PRODUCT = "1000"
_KEY = base64.b64encode(b"the demo's own key, no secret at").decode()


class Bench(NamedTuple):
    """One simulated module of the demo, and the platform's task for it."""

    lane: str
    model: str
    manuf: str
    code: str
    base: str
    target: str
    size: int
    fault: str = ""
    made_for: str = ""


BENCHES = (
    Bench("1", "BC28", "014", "01401", "BC28JAR01A03", "BC28JAR01A05", 24_000),
    Bench("2", "M5310-A", "001", "00106", "M5310-A-MONH0S00", "M5310-A-MONH0S01", 30_208),
    Bench("3", "BC95-B8", "014", "01406", "V100R100C10B657SP5", "V100R100C10B657SP6", 16_384),
    # A brown-out in mid-write: the job mends it by a fresh write.
    Bench(
        "4",
        "SARA-N200",
        "004",
        "00401",
        "V100R100C10B657SP2",
        "V100R100C10B657SP3",
        12_288,
        fault="brownout-at-block:20",
    ),
    # On purpose: the operator uploaded a package made for another base version.
    Bench(
        "5",
        "M5310-A",
        "001",
        "00106",
        "M5310-A-MONH0S00",
        "M5310-A-MONH0S09",
        20_480,
        made_for="M5310-A-MONH0S07",
    ),
)


_ON_FUSE = frozenset({"2", "3"})
"""The lanes that speak FUSE; the others speak the generic API."""


def demo(
    call: Call,
    speed: Annotated[float, typer.Option(min=1, max=200, help="How much faster than real modules.")] = 15.0,
) -> int:
    """Run the demo; return 0 if four modules were updated and the fifth failed as it should."""
    call.out.begin(modules=len(BENCHES), speed=speed)
    about = "[bold]atota demo[/]: {} simulated modules, {} times as fast as real ones, "
    about += "against a local OTA platform"
    call.out.say(styled(about, len(BENCHES), f"{speed:g}"))
    with tempfile.TemporaryDirectory(prefix="atota-demo-") as folder, RunningServer(_platform()) as server:
        results = _run_all(call, server.url, Path(folder), speed)
    call.out.page(partial(_outcomes, results))
    if not call.out.json:
        _explain_failures(call, results)
    modules = [_fields(bench, result) for bench, result in results]
    if call.stop.is_noted:
        stopped = Interrupted("stopped by the user", hint="Run `atota demo` again; nothing is left behind.")
        return call.out.failure(stopped, modules=modules)
    as_meant = all((result.outcome == Outcome.UPDATED) == (not bench.made_for) for bench, result in results)
    outcome = Outcome.DONE if as_meant else Outcome.ERROR
    call.out.result(ok=as_meant, outcome=outcome, exit_code=outcome.exit_code, modules=modules)
    return outcome.exit_code


def _platform() -> LocalPlatform:
    packages = {
        bench.lane: build_package(
            model=bench.model, base=bench.made_for or bench.base, target=bench.target, size=bench.size
        )
        for bench in BENCHES
    }
    tasks = tasks_file.TasksFile(
        auth=tasks_file.Auth(product_id=_PRODUCT, access_key=_KEY),
        devices=tuple(
            tasks_file.Device(dev_id=bench.lane, device_name=_name(bench), key=_KEY) for bench in BENCHES
        ),
        tasks=tuple(
            tasks_file.TaskSpec(
                dev_id=bench.lane,
                manuf=bench.manuf,
                model=bench.code,
                package=bench.lane,
                target=bench.target,
            )
            for bench in BENCHES
        ),
    )
    return LocalPlatform(tasks_file.build(tasks, packages))


def _run_all(call: Call, url: str, folder: Path, speed: float) -> list[tuple[Bench, JobResult]]:
    with ExitStack() as stack:
        listeners = _listeners(call, stack)
        stops = [StopToken() for _ in BENCHES]
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=len(BENCHES), thread_name_prefix="lane"))
        jobs = [
            pool.submit(_run_one, bench, url, folder, speed, listener, stop)
            for bench, listener, stop in zip(BENCHES, listeners, stops, strict=True)
        ]
        while wait(jobs, timeout=SystemClock.slice_s).not_done:
            if call.stop.is_noted:
                for stop in stops:  # twice: a simulated module may be left in the middle of its update
                    stop.set()
                    stop.set()
        return [(bench, job.result()) for bench, job in zip(BENCHES, jobs, strict=True)]


def _run_one(
    bench: Bench, url: str, folder: Path, speed: float, listener: Listener, stop: StopToken
) -> JobResult:
    clock = SystemClock()
    api, device_name = _api(bench)
    access = Access(
        server=url,
        clock=clock,
        access_key=_KEY,
        product_id=_PRODUCT,
        device_name=device_name,
        stop=stop,
    )
    port = f"sim://{bench.model}?speed={speed:g}&seed={bench.lane}"
    if bench.fault:
        port += f"&fault={bench.fault}"
    with open_platform(api, access) as platform:
        spec = JobSpec(port=port, dev_id=bench.lane, product_id=_PRODUCT, device_name=device_name)
        downloader = Downloader(platform, clock, Cache(folder))
        return Job(spec, platform=platform, downloader=downloader, listener=listener, stop=stop).run()


def _api(bench: Bench) -> tuple[str, str | None]:
    """Return the API of a lane and the name of its device there; the platform knows it by its lane too."""
    return ("fuse", _name(bench)) if bench.lane in _ON_FUSE else (DEFAULT, None)


def _name(bench: Bench) -> str:
    return f"lane-{bench.lane}"


def _listeners(call: Call, stack: ExitStack) -> list[Listener]:
    labels = [f"lane {bench.lane}  {bench.model:9}" for bench in BENCHES]
    if call.out.json:
        return [json_listener(call.out, lane=bench.lane) for bench in BENCHES]
    if not call.out.draws:
        return [plain_listener(call.out, label) for label in labels]
    progress = stack.enter_context(bars())
    return [live_listener(progress, label) for label in labels]


def _outcomes(results: list[tuple[Bench, JobResult]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("lane", "module", "before", "after", "time", "outcome"):
        justify: Literal["left", "right"] = "right" if heading == "time" else "left"
        table.add_column(heading, justify=justify, no_wrap=True)
    for bench, result in results:
        good = result.outcome == Outcome.UPDATED
        seconds = sum(result.stages_ms.values()) / 1000
        table.add_row(
            bench.lane,
            bench.model,
            result.version_before or "-",
            result.version_after or "-",
            f"{seconds:.0f} s",
            styled(f"[{'green' if good else 'red'}]{{}}[/]", result.outcome),
        )
    return table


def _explain_failures(call: Call, results: list[tuple[Bench, JobResult]]) -> None:
    for bench, result in results:
        if result.error is not None:
            purpose = " (this one fails on purpose)" if bench.made_for else ""
            call.out.say(f"lane {bench.lane}, {bench.model}{purpose}:")
            explain(result.error)


def _fields(bench: Bench, result: JobResult) -> dict[str, Any]:
    return {
        "lane": bench.lane,
        "outcome": result.outcome,
        "exit_code": result.exit_code,
        **result_fields(result),
    }
