"""One module, one platform, one journal and one machine, in memory and in simulated time.

The machine may die (`Killed`): from then on nothing of it reaches anything, and a new one is made on what is
left: the module, the platform, the journal's rows, the package cache.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from atota.clock import SimulatedClock, StopToken
from atota.errors import LimitReached, LinkError
from atota.journal.store import Journal
from atota.link.base import Link
from atota.link.forward import ForwardingLink
from atota.link.ports import PortInfo
from atota.module.module import Module
from atota.ota.cache import Cache
from atota.ota.memory import MemoryRequest, MemoryResponse
from atota.otaserver import routes
from atota.otaserver.model import Knobs
from atota.otaserver.tasks import Task, TaskEvent
from atota.settings.spec import Allowed
from atota.sim.options import Options
from atota.testing.bench import ACCESS_KEY, SERVE_URL, Bench
from atota.update.events import JobEvent, JobResult, StageEvent
from atota.values import Digests
from scripts.simulate_parts.database import empty_database
from scripts.simulate_parts.scenario import Scenario


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
_BOOT_S = 60.0  # a module that was just powered is left alone for so long
_BUSY_S = 75.0  # longer than the longest of the late replies that are drawn: until then it is deaf


class Trigger:
    """A counter of events of one kind; `hit` is True for one of them."""

    def __init__(self, at: int) -> None:
        self.left = at

    def hit(self) -> bool:
        self.left -= 1
        return self.left == 0


class MortalLink(ForwardingLink):
    """The machine's end of the wire: dead when the machine is."""

    def __init__(self, inner: Link, world: "World") -> None:
        super().__init__(inner)
        self._world = world

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


class World(Bench):
    """A bench on which every part may fail: everything that outlives a process.

    Args:
        scenario: the events of this world.
        folder: a folder of this world's own, on a fast disk.
    """

    clock: WallClock

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario = scenario
        manuf, code, _base, target = scenario.row
        host = scenario.of("h")
        rates = [int(fault.split(":")[1]) for fault in host if fault.startswith("baud:")]
        super().__init__(
            scenario.model,
            faults="+".join(scenario.of("m")),
            platform_faults="+".join(scenario.of("p")),
            options=Options(
                seed=scenario.seed,
                imei=scenario.imei or None,
                push=target if scenario.method == "watched" else "",
                baud=rates[0] if rates else None,
            ),
            target=target,
            made_for="ANOTHER-BASE" if "other-package" in host else None,
            size=scenario.size,
            codes=(manuf, code),
            api=scenario.api,
            knobs=msgspec.convert(scenario.knobs, Knobs),
            task={
                "type": scenario.task_type,
                "signal": scenario.signal,
                "power": scenario.power,
                "retry": scenario.retry,
            },
            clock=WallClock(),
            folder=folder,
            latency_s=0.0,
            timer_s=scenario.timer_ms / 1000,
            wrap=lambda link: MortalLink(link, self),
        )
        self.false_words: list[str] = []
        self.database = empty_database()
        self.spoken = bytearray()  # both ways, for tests
        self.reads = 0
        self.healed = False
        self.dead = False
        self.others_alive = False
        self.change: dict[str, Any] = {}
        self.opened: Module | None = None
        if scenario.cached:
            digests = Digests.of(self.package)
            path = Cache(folder / "cache").entry(digests.md5, digests.size).path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.package)
        self._owner = 0
        self._network = [
            (name, int(first), int(count))
            for name, first, count in (fault.split(":") for fault in scenario.of("n"))
        ]
        self._arm(host)

    # -- what is made of the scenario ----------------------------------------------------------------

    def _arm(self, host: tuple[str, ...]) -> None:
        self._kills: dict[str, list[Trigger]] = {"journal": [], "command": [], "reply": [], "request": []}
        self._jumps: list[tuple[Trigger, float]] = []
        self._stops: list[tuple[str, int]] = []
        self._kill_stages: list[str] = []
        self._disk_full: Trigger | None = None
        self.disk_is_full = False
        self.timeout_s: float | None = None
        self.adapters = Nameless()
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
        """Repair the world before the next attempt: no faults, and a hung module is power-cycled."""
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
        self.task.resume()
        self._network = []
        self._arm(())
        self.adapters = Nameless()

    # -- what the machine does -----------------------------------------------------------------------

    def alive(self) -> None:
        """Raise `Killed` once the machine is dead."""
        if self.dead:
            raise Killed

    def after(self, what: str) -> None:
        """Count an action of this kind; the machine may die of it."""
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
        """Open the journal as a process of this machine does. Other processes are dead."""
        self._owner += 1
        return Journal.on(
            self.database,
            clock=self.clock,
            owner=f"process {self._owner}",
            owner_alive=lambda _owner: self.others_alive,
            before_write=self._before_write,
            after_write=self._after_write,
        )

    def open(self, port: str, **how: Any) -> Module:
        self.alive()
        if self.module.unplugged and not self.healed:
            raise LinkError("the port is not there")
        self.opened = super().open(port, **how)
        return self.opened

    def reopen_link(self, port: str, baud: int) -> Link:
        self.alive()
        return super().reopen_link(port, baud)

    # -- the network ---------------------------------------------------------------------------------

    def answer(self, request: MemoryRequest) -> MemoryResponse:
        """Answer one request, with the faults of the network."""
        self.alive()
        number = len(self.requests) + 1
        struck = {name for name, first, count in self._network if first <= number < first + count}
        if struck & {"no-connection", "timeout"}:
            self.requests.append("lost")
        if "no-connection" in struck:
            raise ConnectionRefusedError("name resolution failed")
        if "timeout" in struck:
            self.clock.sleep(20.0)
            raise TimeoutError("timed out")
        self._weigh_request(request)
        known = len(self.task.history)
        response = super().answer(request)
        for call in self.task.history[known:]:
            self._weigh(call)
        self.after("request")
        if struck:
            raise ConnectionResetError("the connection broke")
        return response

    def _weigh_request(self, request: MemoryRequest) -> None:
        """Check that a request is for the device, tells no secret, and asks for the module as it is."""
        query = routes.parse_query(request.query)
        if "sign" in query or ACCESS_KEY in request.query:
            self.false_words.append(f"a credential in the address of {request.path}")
        if "version" in query:
            self._weigh_query(query)
        if request.path.endswith("/version") and request.method == "POST":
            keys = set(msgspec.json.decode(request.body))
            if self.scenario.api != "generic" and keys != {"f_version", "s_version"}:
                self.false_words.append(f"a version report of {sorted(keys)} alone")

    def _weigh_query(self, query: Mapping[str, str]) -> None:
        """Check that the query is for the module as it is: another version fails a delta task."""
        codes = (query["manuf"], query["model"]) if "manuf" in query else self.codes
        if query["version"] != self.module.version or codes != self.codes:
            self.false_words.append(f"{codes} {query['version']}, and the module runs {self.module.version}")

    def _weigh(self, call: TaskEvent) -> None:
        """Check that a report to the platform is true at this moment."""
        runs_target = self.runs_target
        if call.errno:
            return
        if call.call in ("progress", "report") and call.value == 201 and not runs_target:
            self.false_words.append("201, and the module does not run the target")
        if call.call == "version" and call.value != self.module.version:
            self.false_words.append(f"version {call.value}, and the module runs {self.module.version}")
        if call.call in ("progress", "report") and call.value in (206, 205, 204, 207) and runs_target:
            self.false_words.append(f"{call.value}, and the module runs the target")
        # A module that fetches by itself was started when it was told where: it judges what it fetched.
        if call.value == 206 and not self.module.starts and not self.scenario.target_judges:
            self.false_words.append("206, and nothing was ever started")

    @property
    def runs_target(self) -> bool:
        """True if the target of the update runs its goal's version now."""
        return self.module.version == self.target

    @property
    def task(self) -> Task:
        """The task on the platform."""
        return self.platform.task(self.dev_id, self.scenario.task_type)

    # -- a job ---------------------------------------------------------------------------------------

    def attempt(self) -> JobResult | None:
        """Run one job in a process of its own; None if the process died."""
        self.dead = False
        self.reads = 0
        stop = StopToken()

        def listen(event: JobEvent) -> None:
            self.alive()
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
            return self.run(listener=listen, stop=stop, journal=self.journal(), **self.options())
        except Killed:
            return None
        finally:
            self.dead = True
            if self.link is not None:
                self.link.close()

    def options(self) -> dict[str, Any]:
        """Return the fields of a job's spec."""
        options: dict[str, Any] = {
            "port": "/dev/ttyUSB0",
            "timeout_s": self.timeout_s,
            "read_back": self.scenario.read_back,
            "allowed": Allowed(unproven=True, vendor_package=True, erase=self.scenario.erase),
            "resume": self.change.get("resume"),
        }
        if self.scenario.method == "url-pull" and self.scenario.api != "generic":
            options["serve_url"] = SERVE_URL  # a module cannot sign its download
        if self.scenario.flashed:
            target = self.change.get("flash_target", self.target)
            options["package"] = msgspec.structs.replace(self.local_package(), target=target)
        return options

    def close(self) -> None:
        """Throw it away."""
        super().close()
        shutil.rmtree(self.folder, ignore_errors=True)
