"""One module, one platform, one journal and one machine, in memory and in simulated time.

The machine may die (`Killed`): from then on nothing of it reaches anything, and a new one is made on what is
left: the module, the platform, the journal's rows, the package cache.
"""

import base64
import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from atota.clock import Clock, SimulatedClock, StopToken
from atota.errors import LimitReached, LinkError
from atota.journal.store import Journal
from atota.link.base import Link
from atota.link.ports import PortInfo
from atota.module.module import Module
from atota.ota.cache import Cache
from atota.ota.download import Downloader
from atota.ota.registry import Access, open_platform
from atota.otaserver import routes
from atota.otaserver.model import Auth, Device, TasksFile, TaskSpec, build
from atota.otaserver.reply import HttpReply, HttpRequest
from atota.otaserver.service import LocalPlatform
from atota.settings.spec import Allowed, JobSpec, LocalPackage
from atota.sim.link import SimLink
from atota.sim.module import SimModule
from atota.sim.options import Options
from atota.sim.package import build_package
from atota.sim.personas.catalogue import find_persona
from atota.update.events import JobEvent, JobResult, StageEvent
from atota.update.job import Job
from scripts.simulate_parts.database import empty_database
from scripts.simulate_parts.scenario import MODELS, Scenario

KEY = base64.b64encode(b"a key of the simulation, nobody's").decode()
SERVER = "http://ota.test"
DEV_ID = "6523"


class Killed(BaseException):
    """The process is gone: what is above on the stack never runs again."""


class Endless(Exception):
    """The job does not come to an end."""


class WallClock(SimulatedClock):
    """Simulated time whose wall clock can be set: monotonic time does not jump."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = 0.0

    def time(self) -> float:
        return super().time() + self.offset


MOST_READS = 200_000  # of one job: a storm of lines through the longest of the updates needs a tenth
_BOOT_S = 60.0  # nobody asks a module that was just powered
_BUSY_S = 75.0  # longer than the longest of the late replies that are drawn: until then it is deaf


class Trigger:
    """Counts events of one kind, and says when the one that was asked for comes."""

    def __init__(self, at: int) -> None:
        self.left = at

    def hit(self) -> bool:
        self.left -= 1
        return self.left == 0


class MortalLink:
    """The machine's end of the wire: dead when the machine is."""

    def __init__(self, inner: SimLink, world: "World") -> None:
        self.inner = inner
        self.name = inner.name
        self.clock: Clock = inner.clock
        self._world = world

    @property
    def baud(self) -> int:
        return self.inner.baud

    def read(self, timeout_s: float) -> bytes:
        world = self._world
        world.alive()
        world.reads += 1
        if world.reads > MOST_READS:
            raise Endless(f"more than {MOST_READS} reads")
        data = self.inner.read(timeout_s)
        if data:
            world.spoken += data
            world.after("reply")
        return data

    def write(self, data: bytes) -> None:
        self._world.alive()
        self._world.spoken += data
        self.inner.write(data)
        self._world.after("command")

    def set_baud(self, baud: int) -> None:
        self._world.alive()
        self.inner.set_baud(baud)

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        self._world.alive()
        self.inner.set_lines(dtr=dtr, rts=rts)

    def close(self) -> None:
        self.inner.close()


class ComingBack:
    """One adapter with a serial number of its own, which is there again after so many looks."""

    def __init__(self, looks: int) -> None:
        self._looks = looks

    def remember(self, _port: str) -> PortInfo | None:
        return PortInfo(device="/dev/ttyUSB0", usb_id="0403:6001", serial_number="A50285BI")

    def find(self, _known: PortInfo) -> str | None:
        self._looks -= 1
        return "/dev/ttyUSB7" if self._looks <= 0 else None


class Nameless:
    """An adapter that cannot be told from others."""

    def remember(self, _port: str) -> PortInfo | None:
        return None

    def find(self, _known: PortInfo) -> str | None:
        return None


class World:
    """Everything that outlives a process.

    Args:
        scenario: what happens.
        folder: a folder of this world's own, on a fast disk.
    """

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario = scenario
        self.folder = folder
        self.clock = WallClock()
        manuf, code, self.base, self.target = MODELS[scenario.model]
        self.codes = (manuf, code)
        host = scenario.of("h")
        made_for = "ANOTHER-BASE" if "other-package" in host else self.base
        self.package = build_package(
            model=scenario.model, base=made_for, target=self.target, size=scenario.size
        )
        self.module = self._module()
        self.started_whole: list[bool] = []
        self.false_words: list[str] = []
        self.module.on_change = self._changed
        self.platform = self._platform(manuf, code)
        self.link: SimLink | None = None
        self.database = empty_database()
        self.events: list[JobEvent] = []
        self.spoken = bytearray()  # both ways, for tests
        self.requests = self.reads = 0
        self.healed = False
        self.dead = False
        self.others_alive = False
        self.change: dict[str, Any] = {}
        self.opened: Module | None = None
        self._owner = 0
        self._network = [
            (name, int(first), int(count))
            for name, first, count in (fault.split(":") for fault in scenario.of("n"))
        ]
        self._arm(host)

    # -- what is made of the scenario ----------------------------------------------------------------

    def _module(self) -> SimModule:
        scenario = self.scenario
        push = self.target if scenario.method == "watched" else ""
        baud = next(
            (int(fault.split(":")[1]) for fault in scenario.of("h") if fault.startswith("baud:")), None
        )
        options = Options(
            seed=scenario.seed,
            imei=scenario.imei or None,
            push=push,
            baud=baud,
            fetch=lambda _url: self.package,
        )
        return SimModule(find_persona(scenario.model), options, faults=scenario.of("m"))

    def _platform(self, manuf: str, code: str) -> LocalPlatform:
        spec = TaskSpec(
            dev_id=DEV_ID,
            manuf=manuf,
            model=code,
            package="p",
            target=self.target,
            signal=self.scenario.signal,
            power=self.scenario.power,
            retry=self.scenario.retry,
        )
        file = TasksFile(
            auth=Auth(product_id="123", access_key=KEY), devices=(Device(dev_id=DEV_ID),), tasks=(spec,)
        )
        faults = "+".join(self.scenario.of("p"))
        return LocalPlatform(build(file, {"p": self.package}), clock=self.clock, faults=faults)

    def _arm(self, host: tuple[str, ...]) -> None:
        self._kills: dict[str, list[Trigger]] = {"journal": [], "command": [], "reply": [], "request": []}
        self._jumps: list[tuple[Trigger, float]] = []
        self._stops: list[tuple[str, int]] = []
        self._kill_stages: list[str] = []
        self._disk_full: Trigger | None = None
        self.disk_is_full = False
        self.timeout_s: float | None = None
        self.adapters: ComingBack | Nameless = Nameless()
        for fault in host:
            name, *arguments = fault.split(":")
            if name.startswith("kill-") and name[5:] in self._kills:
                self._kills[name[5:]].append(Trigger(int(arguments[0])))
            elif name == "kill-stage":
                self._kill_stages.append(arguments[0])
            elif name == "disk-full":
                self._disk_full = Trigger(int(arguments[0]))
            elif name == "clock-jump":
                self._jumps.append((Trigger(int(arguments[0])), float(arguments[1])))
            elif name == "stop":
                self._stops.append((arguments[0], int(arguments[1])))
            elif name == "timeout":
                self.timeout_s = float(arguments[0])
            elif name == "replug":
                self.adapters = ComingBack(int(arguments[0]))

    def heal(self, *, power_cycle: bool) -> None:
        """What a person does before the next attempt: every fault is gone, what hangs is power-cycled."""
        self.healed = True
        hung = self.module.silent or self.module.dead
        self.module.heal(self.clock.monotonic())
        if self.link is not None and power_cycle and not hung:
            self.link.power_cycle()
        if power_cycle or hung:
            self.clock.sleep(_BOOT_S)
        elif any(fault.startswith("late-reply") for fault in self.module.faults.struck):
            self.clock.sleep(_BUSY_S)
        self.platform.faults = type(self.platform.faults)()
        self.platform.task(DEV_ID).resume()
        self._network = []
        self._arm(())
        self.adapters = Nameless()

    # -- what the machine does -----------------------------------------------------------------------

    def alive(self) -> None:
        """Raises, once the machine is dead."""
        if self.dead:
            raise Killed

    def after(self, what: str) -> None:
        """Something of this kind is done: the machine may die of it."""
        if what == "command":
            for trigger, seconds in self._jumps:
                if trigger.hit():
                    self.clock.offset += seconds
        for trigger in self._kills[what]:
            if trigger.hit():
                self.dead = True
        self.alive()

    def _before_write(self, _table: str) -> None:
        self.alive()
        if self._disk_full is not None and self._disk_full.hit():
            self.disk_is_full = True
        if self.disk_is_full:
            raise LimitReached(
                "the disk is full: the journal cannot be written", hint="Make room on the disk."
            )

    def _after_write(self, _table: str) -> None:
        self.after("journal")

    def journal(self) -> Journal:
        """The journal, as a process of this machine opens it. Other processes are dead."""
        self._owner += 1
        return Journal.on(
            self.database,
            clock=self.clock,
            owner=f"process {self._owner}",
            owner_alive=lambda _owner: self.others_alive,
            before_write=self._before_write,
            after_write=self._after_write,
        )

    def _open(self, _port: str, **how: Any) -> Module:
        self.alive()
        if self.module.unplugged and not self.healed:
            raise LinkError("the port is not there")
        if self.link is None:
            self.link = SimLink(
                self.module, self.clock, baud=how["baud"] or 9600, timer_s=self.scenario.timer_ms / 1000
            )
        else:
            self.link = self.link.replug(how["baud"] or 9600)
        self.opened = Module(
            MortalLink(self.link, self),
            baud=how["baud"],
            stop=how["stop"],
            listener=how["listener"],
            reopener=self._reopen,
        )
        return self.opened

    def _reopen(self, _port: str, _rate: int) -> Link:
        self.alive()
        assert self.link is not None
        self.link = self.link.replug()
        return MortalLink(self.link, self)

    def _changed(self, what: str) -> None:
        if what == "started":
            self.started_whole.append(self.module.slot == self.package and not self.module.flash.spoiled)

    # -- the network ---------------------------------------------------------------------------------

    def handle(self, request: httpx.Request) -> httpx.Response:
        """One request, on its way there and back."""
        self.alive()
        self.requests += 1
        lose = False
        for name, first, count in self._network:
            if not first <= self.requests < first + count:
                continue
            if name == "no-connection":
                raise httpx.ConnectError("name resolution failed")
            if name == "timeout":
                self.clock.sleep(20.0)
                raise httpx.ReadTimeout("timed out")
            lose = True
        if request.url.path == "/ota/south/check":
            self._weigh_question(request.url.params)
        task = self.platform.task(DEV_ID)
        told = len(task.history)
        response = answered(self.platform, request, self.clock)
        for said in task.history[told:]:
            self._weigh(said)
        self.after("request")
        if lose:
            raise httpx.ReadError("the connection broke")
        return response

    def _weigh_question(self, asked: httpx.QueryParams) -> None:
        """Whether the platform is asked for the module that there is: another version fails a delta task."""
        codes = (asked["manuf"], asked["model"])
        if asked["version"] != self.module.version or codes != self.codes:
            self.false_words.append(f"{codes} {asked['version']}, and the module runs {self.module.version}")

    def _weigh(self, said: Any) -> None:
        """Whether what the platform was just told is true at this moment."""
        runs_target = self.module.version == self.target
        if said.errno:
            return
        if said.call in ("progress", "report") and said.value == 201 and not runs_target:
            self.false_words.append("201, and the module does not run the target")
        if said.call == "version" and said.value != self.module.version:
            self.false_words.append(f"version {said.value}, and the module runs {self.module.version}")
        if said.call in ("progress", "report") and said.value in (206, 205, 204, 207) and runs_target:
            self.false_words.append(f"{said.value}, and the module runs the target")
        # A module that fetches by itself was started when it was told where: it judges what it fetched.
        judges = self.scenario.method == "url-pull" or "m/quiet-update" in self.scenario.faults
        if said.value == 206 and not self.module.starts and not judges:
            self.false_words.append("206, and nothing was ever started")

    # -- a job ---------------------------------------------------------------------------------------

    def run(self) -> JobResult | None:
        """One job in a process of its own; None if the process died."""
        self.dead = False
        self.reads = 0
        self.events = []
        stop = StopToken()

        def listen(event: JobEvent) -> None:
            self.alive()
            self.events.append(event)
            if isinstance(event, StageEvent) and event.state == "started":
                if event.stage in self._kill_stages:
                    self._kill_stages.remove(event.stage)
                    self.dead = True
                    raise Killed
                for stage, times in self._stops:
                    if stage == event.stage:
                        for _ in range(times):
                            stop.set()

        try:
            return self._job(listen, stop).run()
        except Killed:
            return None
        finally:
            self.dead = True
            if self.link is not None:
                self.link.close()

    def _job(self, listen: Callable[[JobEvent], None], stop: StopToken) -> Job:
        spec: dict[str, Any] = {
            "port": "/dev/ttyUSB0",
            "timeout_s": self.timeout_s,
            "read_back": self.scenario.read_back,
            "allowed": Allowed(unproven=True, vendor_package=True),
            "resume": self.change.get("resume"),
        }
        client = None
        if self.scenario.flashed:
            path = self.folder / "package.bin"
            path.write_bytes(self.package)
            md5 = hashlib.md5(self.package, usedforsecurity=False).hexdigest()
            spec["package"] = LocalPackage(path, md5, self.change.get("flash_target", self.target))
        else:
            spec["dev_id"] = DEV_ID
            access = Access(
                server=SERVER,
                clock=self.clock,
                access_key=KEY,
                product_id="123",
                stop=stop,
                transport=httpx.MockTransport(self.handle),
            )
            client = open_platform("generic", access)
        return Job(
            JobSpec(**spec),
            platform=client,
            downloader=Downloader(client, self.clock, Cache(self.folder / "cache")) if client else None,
            listener=listen,
            stop=stop,
            clock=self.clock,
            opener=self._open,
            adapters=self.adapters,
            journal=self.journal(),
        )

    def close(self) -> None:
        """Throw it away."""
        shutil.rmtree(self.folder, ignore_errors=True)


def answered(platform: LocalPlatform, request: httpx.Request, clock: Clock) -> httpx.Response:
    """What the platform answers, without a network in between; its body takes time on ``clock``."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    query = routes.parse_query(request.url.query.decode())
    reply = routes.respond(
        platform, HttpRequest(request.method, request.url.path, query, headers, request.content)
    )
    sent = [*reply.headers]
    if reply.declare_length:
        sent.append(("Content-Length", str(len(reply.body))))
    return httpx.Response(reply.status, headers=sent, stream=_Body(reply, clock))


class _Body(httpx.SyncByteStream):
    """A body that takes its time, breaks off or never ends, where the platform's fault says so."""

    def __init__(self, reply: HttpReply, clock: Clock) -> None:
        self._reply = reply
        self._clock = clock

    def __iter__(self) -> Iterator[bytes]:
        reply = self._reply
        if reply.bytes_per_s:
            self._clock.sleep(len(reply.body) / reply.bytes_per_s)
        if reply.cut_at is not None:
            yield reply.body[: reply.cut_at]
            raise httpx.ReadError("the connection was cut")
        yield reply.body
        while reply.endless:
            self._clock.sleep(0.01)
            yield reply.body
