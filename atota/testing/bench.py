"""A whole job in memory: a simulated module, the local OTA platform, and the job between them.

It uses no port and no network, and lives in simulated time, so an update with a reboot of
twelve minutes takes some milliseconds. The bench outlives its jobs: a second one finds the module and the
platform as the first one left them.

    from atota.testing.bench import Bench

    with Bench("BC28", faults="unplug-at:5") as bench:
        assert bench.run().outcome == "port"
        bench.clock.sleep(60)
        assert bench.run().outcome == "updated"
        assert bench.module.version == bench.target
"""

import base64
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from atota.clock import Clock, SimulatedClock, StopToken
from atota.dialects import catalogue, loader
from atota.dialects.model import Dialect
from atota.journal.store import Journal
from atota.link.base import Link
from atota.link.open import DEFAULT_BAUD
from atota.module.module import Module, expected_row
from atota.module.reconnect import Adapters
from atota.ota.base import Platform
from atota.ota.cache import Cache
from atota.ota.download import Downloader
from atota.ota.memory import MemoryRequest, MemoryResponse, memory_transport
from atota.ota.registry import Access, open_platform
from atota.ota.serve import serve
from atota.otaserver import routes
from atota.otaserver.model import Auth, Device, Knobs, TasksFile, TaskSpec, build
from atota.otaserver.reply import HttpReply, HttpRequest
from atota.otaserver.service import LocalPlatform
from atota.otaserver.tasks import Task
from atota.settings.spec import JobSpec, LocalPackage
from atota.sim.link import SimLink
from atota.sim.module import SimModule
from atota.sim.options import Options
from atota.sim.package import build_package
from atota.sim.personas.catalogue import find_persona
from atota.update.events import JobEvent, JobResult, Listener, Progress, StageEvent
from atota.update.job import Job
from atota.update.target import TargetOpener
from atota.values import Digests

PRODUCT_ID = "1000000001"
"""A product id that has the form of each API's."""
DEV_ID = "6523"
DEVICE_NAME = "bench-1"
"""The names of the device: in the generic API, and in STUDIO and FUSE."""
ACCESS_KEY = base64.b64encode(b"the key of a test bench, no secret").decode()
SERVER = "http://ota.test"
SERVE_URL = "http://bench.test:80"
NOT_LISTED = ("000", "00001")
"""Codes of a module that is not in the platform's table."""


class Bench:
    """One module and one platform, on which jobs are run one after the other.

    Args:
        model: the simulated module, see `atota sim module --list`.
        faults: of the module (`atota.sim.faults`), joined by ``+``.
        platform_faults: of the platform (`atota.otaserver.faults`), joined by ``+``.
        options: differences between the module and others of its model. By default without differences;
            a platform that drives the update itself pushes the package.
        target: the version of the package; by default the next one of the module's.
        made_for: the version that the package updates; by default the module's.
        package: the package, if it is not to be made from ``target``, ``made_for`` and ``size`` (bytes).
        dev_id: the platform's name of the device.
        api: the API that jobs speak, a name of `atota.ota.registry`; the platform answers each.
        knobs: of the platform, where no source says how it answers.
        codes: the platform's numbers of manufacturer and model; by default those of the catalogue.
        task: further fields of the platform's task: ``signal``, ``power``, ``retry``, ``interval``,
            ``target``.
        dialect: the profile to use; by default the module is identified.
        clock: the time in which all of it lives.
        folder: for the package and the cache of packages; by default a temporary one.
        latency_s, timer_s: of the adapter, see `atota.sim.link.SimLink`.
        wrap: puts another link round the module's, for instance a `ForwardingLink` that listens in.

    Attributes:
        module: the module; its attributes are its true state.
        platform: the platform; see `task` for its true state.
        base, target, package: the versions before and after the update, and the package between them.
        link: the link to the module; None until the first job has opened it.
        targets: opens the target, where it is not the module.
        adapters: finds the adapter again after it was unplugged; None: it does not come back.
        events: the events of the last job.
        requests: the requests to the platform, as ``METHOD PATH``.
        started_whole: for each start of an update, True if the slot held exactly the package.
    """

    def __init__(
        self,
        model: str = "BC28",
        *,
        faults: str = "",
        platform_faults: str = "",
        options: Options | None = None,
        target: str | None = None,
        made_for: str | None = None,
        package: bytes | None = None,
        size: int = 4096,
        dev_id: str = DEV_ID,
        api: str = "generic",
        knobs: Knobs | None = None,
        codes: tuple[str, str] | None = None,
        task: dict[str, Any] | None = None,
        dialect: Dialect | None = None,
        clock: Clock | None = None,
        folder: Path | None = None,
        latency_s: float = 0.001,
        timer_s: float = 0.0,
        wrap: Callable[[Link], Link] | None = None,
    ) -> None:
        self.clock = clock or SimulatedClock()
        self.furnish(model, options, faults, target=target, made_for=made_for, package=package, size=size)
        self.dev_id = dev_id
        self.api = api
        self.codes = codes or _codes(self.model)
        self.platform = self._make_platform(task or {}, platform_faults, knobs or Knobs())
        self.link: SimLink | None = None
        self.adapters: Adapters | None = None
        self.targets: TargetOpener | None = None
        self.events: list[JobEvent] = []
        self.requests: list[str] = []
        self.started_whole: list[bool] = []
        self._dialect = dialect
        self._latency_s, self._timer_s = latency_s, timer_s
        self._wrap = wrap or (lambda link: link)
        self._stack = ExitStack()
        self.folder = folder or Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="atota-bench-"))
        )

    def furnish(
        self,
        model: str,
        options: Options | None,
        faults: str,
        *,
        target: str | None,
        made_for: str | None,
        package: bytes | None,
        size: int,
    ) -> None:
        """Make the module and its package; a subclass may put something else on the bench."""
        persona = find_persona(model)
        self.model = persona.name
        self.base = (options and options.version) or persona.version
        self.target = target or next_version(self.base)
        self.package = package or build_package(
            model=self.model, base=made_for or self.base, target=self.target, size=size
        )
        if options is None:
            options = Options(push=self.target if persona.way.name == "platform" else "")
        if options.fetch is None:
            options = replace(options, fetch=lambda _url: self.package)
        self.module = SimModule(persona, options, faults=faults and (faults,), on_change=self._on_change)

    def _make_platform(self, task: dict[str, Any], faults: str, knobs: Knobs) -> LocalPlatform:
        manuf, model = self.codes
        fields = {"target": self.target, **task}
        spec = TaskSpec(dev_id=self.dev_id, manuf=manuf, model=model, package="p", **fields)
        file = TasksFile(
            auth=Auth(product_id=PRODUCT_ID, access_key=ACCESS_KEY),
            devices=(Device(dev_id=self.dev_id, device_name=DEVICE_NAME, key=ACCESS_KEY),),
            tasks=(spec,),
            knobs=knobs,
        )
        return LocalPlatform(build(file, {"p": self.package}), clock=self.clock, faults=faults)

    # -- the true state --------------------------------------------------------------------------------

    @property
    def task(self) -> Task:
        """The task on the platform, with all that was reported of it."""
        return self.platform.task(self.dev_id)

    def stages(self, state: str = "started") -> list[str]:
        """Return the stages of the last job that had this state, in order."""
        return [
            event.stage for event in self.events if isinstance(event, StageEvent) and event.state == state
        ]

    def progress(self, stage: str) -> list[Progress]:
        """Return the progress of a stage of the last job."""
        return [event for event in self.events if isinstance(event, Progress) and event.stage == stage]

    # -- jobs ------------------------------------------------------------------------------------------

    def run(
        self,
        *,
        listener: Listener | None = None,
        stop: StopToken | None = None,
        journal: Journal | None = None,
        **options: Any,
    ) -> JobResult:
        """Run one job with the platform's task.

        Args:
            listener: gets every event of the job; it may change the bench.
            stop: ends the job.
            journal: where the job is written down, and where earlier runs stand.
            options: fields of `atota.settings.spec.JobSpec`.
        """
        self.events.clear()
        stop = stop or StopToken()

        def listen(event: JobEvent) -> None:
            self.events.append(event)
            if listener is not None:
                listener(event)

        fields: dict[str, Any] = {"port": f"sim://{self.model}"} | options
        if "package" not in options:
            names = {"dev_id": self.dev_id, "product_id": PRODUCT_ID, "device_name": DEVICE_NAME}
            fields = names | fields
        spec = JobSpec(**fields)
        with ExitStack() as stack:
            client = None if spec.package is not None else stack.enter_context(self._client(stop))
            job = Job(
                spec,
                platform=client,
                downloader=Downloader(client, self.clock, Cache(self.folder / "cache")) if client else None,
                listener=listen,
                stop=stop,
                clock=self.clock,
                opener=self.open,
                adapters=self.adapters,
                targets=self.targets,
                journal=journal,
                serve=_serve_from_memory if spec.serve_url == SERVE_URL else serve,
            )
            return job.run()

    def flash(self, **options: Any) -> JobResult:
        """Run one job with the package from a file; see `run`."""
        fields: dict[str, Any] = {"package": self.local_package(), "serve_url": SERVE_URL} | options
        return self.run(**fields)

    def local_package(self) -> LocalPackage:
        """Write the package to a file."""
        path = self.folder / "package.bin"
        path.write_bytes(self.package)
        return LocalPackage(path, Digests.of(self.package).md5, self.target)

    def _client(self, stop: StopToken) -> Platform:
        access = Access(
            server=SERVER,
            clock=self.clock,
            access_key=ACCESS_KEY,
            product_id=PRODUCT_ID,
            device_name=None if self.api == "generic" else DEVICE_NAME,
            stop=stop,
            transport=memory_transport(self.answer),
        )
        return open_platform(self.api, access)

    # -- the job's surroundings: a subclass may interfere ------------------------------------------------

    def open(self, port: str, **how: Any) -> Module:
        """Open the module, as `atota.module.module.open_module` opens one behind a real port."""
        return opener(self.open_link, self.reopen_link, profile=self._dialect)(port, **how)

    def open_link(self, baud: int | None) -> Link:
        """Open the module's port."""
        if self.link is None:
            self.link = SimLink(
                self.module,
                self.clock,
                baud=baud or DEFAULT_BAUD,
                latency_s=self._latency_s,
                timer_s=self._timer_s,
            )
        elif not self.link.in_use:
            self.link = self.link.replug(baud or DEFAULT_BAUD)
        return self._wrap(self.link)

    def reopen_link(self, _port: str, _baud: int) -> Link:
        """Open the module's port after the adapter came back."""
        assert self.link is not None
        self.link = self.link.replug()
        return self._wrap(self.link)

    def answer(self, request: MemoryRequest) -> MemoryResponse:
        """Answer one request to the platform."""
        self.requests.append(f"{request.method} {request.path}")
        return respond(self.platform, request, self.clock)

    def _on_change(self, change: str) -> None:
        if change == "started":
            self.started_whole.append(self.module.slot == self.package and not self.module.flash.spoiled)

    def close(self) -> None:
        """Close the link, and remove a temporary folder. May be called twice."""
        if self.link is not None:
            self.link.close()
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def respond(platform: LocalPlatform, request: MemoryRequest, clock: Clock) -> MemoryResponse:
    """Answer one request to a platform in memory; the body takes its time on ``clock``."""
    query = routes.parse_query(request.query)
    reply = routes.respond(
        platform, HttpRequest(request.method, request.path, query, request.headers, request.body)
    )
    headers = [*reply.headers]
    if reply.declare_length:
        headers.append(("Content-Length", str(len(reply.body))))
    return MemoryResponse(reply.status, headers, _body(reply, clock))


def opener(
    first: Callable[[int | None], Link], again: Callable[[str, int], Link], *, profile: Dialect | None = None
) -> Callable[..., Module]:
    """Make an opener for a job from the functions that open its link, and open it again.

    Args:
        first: opens the link at a rate, or at its own.
        again: opens it at a rate after the adapter came back under a name.
        profile: the profile to use, whatever the job says.
    """

    def opened(
        _port: str,
        *,
        baud: int | None = None,
        dialect: str | None = None,
        model: str | None = None,
        **how: Any,
    ) -> Module:
        named = loader.load(dialect) if dialect is not None else None
        return Module(
            first(baud),
            dialect=profile or named,
            expected=expected_row(model) if model is not None else None,
            baud=baud,
            stop=how.get("stop"),
            listener=how.get("listener"),
            reopener=again,
        )

    return opened


def _serve_from_memory(_package: Path, address: str) -> AbstractContextManager[str]:
    """Name an address of the form that `atota.ota.serve.serve` has; the package comes from memory."""
    return nullcontext(f"{address}/ota_{'0' * 20}/update.zip")


def next_version(version: str) -> str:
    """Return a newer version of the same pattern: its last number goes up by one."""
    last = list(re.finditer(r"\d+", version))[-1]
    return f"{version[: last.start()]}{int(last[0]) + 1:0{len(last[0])}}{version[last.end() :]}"


def _codes(model: str) -> tuple[str, str]:
    row = catalogue.by_name(model, "fota")
    return (row.manuf_code, row.model_code) if row is not None else NOT_LISTED


def _body(reply: HttpReply, clock: Clock) -> Iterator[bytes]:
    """Yield a reply's body; it takes its time, breaks off or never ends, as the platform's faults say."""
    if reply.bytes_per_s:
        clock.sleep(len(reply.body) / reply.bytes_per_s)
    if reply.cut_at is not None:
        yield reply.body[: reply.cut_at]
        raise ConnectionResetError("the connection was cut")
    yield reply.body
    while reply.endless:
        clock.sleep(0.01)
        yield reply.body
