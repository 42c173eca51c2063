"""The demo: the whole chain for five simulated modules at once, against a platform that it starts itself."""

import base64
import tempfile
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from atota.cli.call import Call
from atota.cli.output import explain, styled
from atota.clock import StopToken, SystemClock
from atota.errors import Interrupted
from atota.ota.client import PlatformClient
from atota.ota.onenet.signer import KeyAuth, product_res
from atota.otaserver import model as tasks_file
from atota.otaserver.serve import RunningServer
from atota.otaserver.service import LocalPlatform
from atota.settings.spec import JobSpec
from atota.sim.package import build_package
from atota.update.events import Listener
from atota.update.job import Job
from atota.update.platform import Downloader
from atota.update.result import JobResult

if TYPE_CHECKING:
    from rich.table import Table

_PRODUCT = "1000"
_KEY = base64.b64encode(b"the demo's own key, no secret at").decode()


class Bench(NamedTuple):
    """One simulated module of the demo, and what the platform wants of it."""

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


def run_demo(call: Call, speed: float) -> int:
    """Run it. The exit code is 0 if four modules were updated and the fifth failed as it should."""
    call.out.begin(modules=len(BENCHES), speed=speed)
    about = "[bold]atota demo[/]: {} simulated modules, {} times as fast as real ones, "
    about += "against a local OTA platform"
    call.out.say(styled(about, len(BENCHES), f"{speed:g}"))
    with tempfile.TemporaryDirectory(prefix="atota-demo-") as folder, RunningServer(_platform()) as server:
        results = _run_all(call, server.url, Path(folder), speed)
    if not call.out.json:
        call.out.show(_outcomes(results))
        _explain_failures(call, results)
    told = [_told(bench, result) for bench, result in results]
    if call.stop.is_noted:
        stopped = Interrupted("stopped by the user", hint="Run `atota demo` again; nothing is left behind.")
        call.out.failure(stopped, modules=told)
        return stopped.exit_code
    as_meant = all((result.outcome == "updated") == (not bench.made_for) for bench, result in results)
    outcome, code = ("done", 0) if as_meant else ("error", 1)
    call.out.result(ok=as_meant, outcome=outcome, exit_code=code, modules=told)
    return code


def _platform() -> LocalPlatform:
    packages = {
        bench.lane: build_package(
            model=bench.model, base=bench.made_for or bench.base, target=bench.target, size=bench.size
        )
        for bench in BENCHES
    }
    tasks = tasks_file.TasksFile(
        auth=tasks_file.Auth(product_id=_PRODUCT, access_key=_KEY),
        devices=tuple(tasks_file.Device(dev_id=bench.lane) for bench in BENCHES),
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
                for stop in stops:  # twice: nobody minds a simulated module in the middle of its update
                    stop.set()
                    stop.set()
        return [(bench, job.result()) for bench, job in zip(BENCHES, jobs, strict=True)]


def _run_one(
    bench: Bench, url: str, folder: Path, speed: float, listener: Listener, stop: StopToken
) -> JobResult:
    clock = SystemClock()
    auth = KeyAuth(_KEY, product_res(_PRODUCT), clock=clock)
    port = f"sim://{bench.model}?speed={speed:g}&seed={bench.lane}"
    if bench.fault:
        port += f"&fault={bench.fault}"
    with PlatformClient(url, auth, clock=clock, stop=stop) as platform:
        spec = JobSpec(port=port, dev_id=bench.lane)
        downloader = Downloader(platform, clock, folder=folder)
        return Job(spec, platform=platform, downloader=downloader, listener=listener, stop=stop).run()


def _listeners(call: Call, stack: ExitStack) -> list[Listener]:
    from atota.cli.progress import bars, json_listener, live_listener, plain_listener

    labels = [f"lane {bench.lane}  {bench.model:9}" for bench in BENCHES]
    if call.out.json:
        return [json_listener(call.out, lane=bench.lane) for bench in BENCHES]
    if not call.out.draws:
        return [plain_listener(call.out, label) for label in labels]
    progress = stack.enter_context(bars())
    return [live_listener(progress, label) for label in labels]


def _outcomes(results: list[tuple[Bench, JobResult]]) -> "Table":
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("lane", "module", "before", "after", "time", "outcome"):
        justify: Literal["left", "right"] = "right" if heading == "time" else "left"
        table.add_column(heading, justify=justify, no_wrap=True)
    for bench, result in results:
        good = result.outcome == "updated"
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


def _told(bench: Bench, result: JobResult) -> dict[str, Any]:
    from atota.cli.commands_jobs import result_fields

    return {
        "lane": bench.lane,
        "outcome": result.outcome,
        "exit_code": result.exit_code,
        **result_fields(result),
    }
