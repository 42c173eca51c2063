"""The world of a shift: everything that outlives the station's machine, and the machine, which may die.

The modules, the platform, the journal's rows and the printer are the world's. Once a machine is dead, nothing
of it reaches anything: each of its threads ends (`Killed`) as it touches the world or the clock.
"""

# ruff: noqa: ARG001, ARG002 - protocols are kept whole

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from unittest import mock

from atota.clock import Clock, StopToken
from atota.errors import LimitReached, LinkError
from atota.journal.store import Journal
from atota.link.base import Link
from atota.link.forward import ForwardingLink
from atota.module.module import Opener, open_module
from atota.ota.base import Platform
from atota.ota.memory import MemoryRequest, MemoryResponse, memory_transport
from atota.ota.registry import DEFAULT, Access, open_platform
from atota.otaserver.model import ANY_DEVICE, Auth, TasksFile, TaskSpec, build
from atota.otaserver.service import LocalPlatform
from atota.settings.spec import JobSpec, LocalPackage
from atota.sim.bench import HandLane
from atota.sim.link import SimHub, SimLink
from atota.sim.module import SimModule
from atota.station.sockets import PortSocket, Socket
from atota.testing.bench import ACCESS_KEY, PRODUCT_ID, SERVER, respond
from atota.update.events import JobResult
from atota.values import Digests
from scripts.simulate_parts.database import empty_database
from scripts.simulate_parts.shift_plan import BASE, CODE, MANUF, TARGET, Plan, Unit, port_of
from scripts.simulate_parts.turns import TurnClock, Turns
from scripts.simulate_parts.world import Killed

LIFE = (1000, 60_000)
"""A machine dies after so many writes of its journal, commands, replies and requests."""
FULL = (100, 20_000)
"""Writes of the journal before the disk is full for a while."""
NETWORK = 0.01
"""How likely a request begins a failure of the network."""


class Machine:
    """The station's machine.

    Args:
        actions: the actions that it lives for.
        full: the writes of its journal that find the disk full.
        turns: the time of its threads.
    """

    def __init__(self, actions: int, full: range, turns: Turns) -> None:
        self.clock = TurnClock(turns, self.alive)
        self.was_full = False
        self._left = actions
        self._full = full
        self._writes = 0

    @property
    def is_dead(self) -> bool:
        """True if it is dead."""
        return self._left <= 0

    def kill(self) -> None:
        """Let it die now."""
        self._left = 0

    def alive(self) -> None:
        """Raise `Killed` once it is dead."""
        if self.is_dead:
            raise Killed

    def act(self, _what: str = "") -> None:
        """Count an action; the machine may die of it."""
        self._left -= 1
        self.alive()

    def before_write(self, what: str) -> None:
        """Count a write of the journal, for which the disk may have no room."""
        self.act(what)
        self._writes += 1
        if self._writes in self._full:
            self.was_full = True
            raise LimitReached("the disk is full: the journal cannot be written", hint="Make room.")


class MortalLink(ForwardingLink):
    """The machine's end of a wire."""

    def __init__(self, inner: Link, machine: Machine) -> None:
        super().__init__(inner)
        self._machine = machine
        self.clock = machine.clock

    def read(self, timeout_s: float) -> bytes:
        self._machine.alive()
        data = self.inner.read(timeout_s)
        self._machine.alive()
        if data:
            self._machine.act()
        return data

    def write(self, data: bytes) -> None:
        self._machine.alive()
        self.inner.write(data)
        self._machine.act()

    def set_baud(self, baud: int) -> None:
        self._machine.alive()
        self.inner.set_baud(baud)

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        self._machine.alive()
        self.inner.set_lines(dtr=dtr, rts=rts)


class Fixture:
    """A port that is always there, with a bare module in it or none."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.module: SimLink | None = None


class FixtureLink:
    """A link to the module that is in a fixture at the moment; without one nothing is heard."""

    def __init__(self, fixture: Fixture, name: str, baud: int) -> None:
        self.name, self.clock, self.baud = name, fixture.clock, baud
        self._fixture = fixture
        self._is_closed = False

    def read(self, timeout_s: float) -> bytes:
        if (module := self._fixture.module) is not None:
            try:
                return module.read(timeout_s)
            except LinkError:
                pass  # it is taken out at this moment
        self.clock.sleep(timeout_s)
        return b""

    def write(self, data: bytes) -> None:
        if (module := self._fixture.module) is not None:
            if module.baud != self.baud:
                module.set_baud(self.baud)
            module.write(data)

    def set_baud(self, baud: int) -> None:
        self.baud = baud

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        pass

    def close(self) -> None:
        self._is_closed = True


class ShiftWorld:
    """The modules, the platform, the journal's rows and the lanes of a shift.

    Attributes:
        inside: the unit in each lane that has one.
    """

    def __init__(self, plan: Plan, folder: Path, turns: Turns, rng: random.Random) -> None:
        self.plan, self.folder, self.turns = plan, folder, turns
        self.clock = TurnClock(turns)
        self.inside: dict[int, Unit] = {}
        self.database = empty_database()
        self.platform = _platform((folder / "new.bin").read_bytes(), self.clock)
        self.package = LocalPackage(
            folder / "new.bin", Digests.of((folder / "new.bin").read_bytes()).md5, TARGET
        )
        self._hub = SimHub()
        self._rng = rng
        self._failing = 0
        self._hands = {n: HandLane() for n in range(1, plan.lanes + 1) if n not in plan.fixtures}
        self._fixtures = {n: Fixture(self.clock) for n in plan.fixtures}
        for lane in self._hands.values():
            lane.settle_s = 1.5
        self._owners = 0

    # -- the hands ------------------------------------------------------------------------------------

    def put_in(self, lane: int, unit: Unit) -> None:
        """Put a unit into a lane."""
        self.inside[lane] = unit
        if lane in self._hands:
            self._hands[lane].put_in(unit.url)
        else:
            link = self._fixtures[lane].module = self._hub.open(unit.url, clock=self.clock)
            link.power_cycle()

    def take_out(self, lane: int) -> Unit:
        """Take the unit out of a lane; its adapter goes with it."""
        unit = self.inside.pop(lane)
        if lane in self._hands:
            self._hands[lane].take_out()
        else:
            self._fixtures[lane].module = None
        link = self._hub._links.get(unit.name)  # noqa: SLF001 - as its adapter is pulled
        if link is not None:
            link.device.unplugged = True
        return unit

    def module(self, unit: Unit) -> SimModule | None:
        """Return the true state of a unit; None: it was never opened."""
        link = self._hub._links.get(unit.name)  # noqa: SLF001 - the judge sees the true state
        return link.module if link is not None else None

    # -- the machine's sides of it --------------------------------------------------------------------

    def sockets(self, machine: Machine) -> dict[int, Socket]:
        """Return the places of the lanes as a new machine sees them."""
        sockets: dict[int, Socket] = dict(self._hands)
        for number in self._fixtures:
            sockets[number] = self._fixture(machine, port_of(self.plan, number))
        return sockets

    def _fixture(self, machine: Machine, port: str) -> PortSocket:
        """Return a port that is always there."""
        return PortSocket(lambda: (port, port), lambda url: self._opened(machine, url), machine.clock)

    def journal(self, machine: Machine) -> Journal:
        """Open the journal as a new process; all others are dead."""
        self._owners += 1
        return Journal.on(
            self.database,
            clock=machine.clock,
            owner=f"process {self._owners}",
            before_write=machine.before_write,
            after_write=machine.act,
        )

    @contextmanager
    def ports_of(self, machine: Machine) -> Iterator[None]:
        """Let ``sim://`` ports lead to the modules that are in the lanes."""

        def opened(url: str, *, baud: int = 9600, clock: Clock | None = None) -> Link:
            return self._opened(machine, url, baud)

        with mock.patch("atota.sim.link.open_sim_link", opened):
            yield

    def _opened(self, machine: Machine, url: str, baud: int = 9600) -> Link:
        machine.alive()
        for number, fixture in self._fixtures.items():
            if url == port_of(self.plan, number):
                return MortalLink(FixtureLink(fixture, url, baud), machine)
        if all(unit.url != url for unit in self.inside.values()):
            raise LinkError(f"{url}: No such file or directory")
        return MortalLink(self._hub.open(url, baud=baud, clock=self.clock), machine)

    def answer(self, machine: Machine, request: MemoryRequest) -> MemoryResponse:
        """Answer a request to the platform; the network fails now and then."""
        machine.act()
        self._failing = max(self._failing - 1, 0) if self._rng.random() > NETWORK else self._rng.randint(1, 6)
        if self._failing:
            self.clock.sleep(self._rng.choice((0.0, 5.0)))
            raise ConnectionRefusedError("the network is down")
        return respond(self.platform, request, self.clock)


def _platform(package: bytes, clock: Clock) -> LocalPlatform:
    """Return a platform with a task for each unit that asks with the old version."""
    spec = TaskSpec(
        dev_id=ANY_DEVICE, manuf=MANUF, model=CODE, package="p", target=TARGET, kind="delta", base=BASE
    )
    file = TasksFile(auth=Auth(product_id=PRODUCT_ID, access_key=ACCESS_KEY), tasks=(spec,))
    return LocalPlatform(build(file, {"p": package}), clock=clock)


class FlashParts:
    """The parts of jobs that flash a package of this machine."""

    def __init__(self, package: LocalPackage) -> None:
        self.package = package

    def spec(self, lane: int, port: str) -> JobSpec:
        return JobSpec(port=port, package=self.package)

    def platform(self, lane: int, stop: StopToken) -> AbstractContextManager[Platform]:
        raise AssertionError("a flash needs no platform")

    def opener(self, lane: int, spec: JobSpec, stack: ExitStack) -> tuple[JobSpec, Opener]:
        return spec, open_module

    def tidy(self, spec: JobSpec, result: JobResult) -> None:
        pass


class ShiftParts(FlashParts):
    """The parts of a shift's jobs on one machine."""

    def __init__(self, world: ShiftWorld, machine: Machine) -> None:
        super().__init__(world.package)
        self._world, self._machine = world, machine

    def spec(self, lane: int, port: str) -> JobSpec:
        if self._world.plan.is_update:
            return JobSpec(port=port, product_id=PRODUCT_ID, timeout_s=900.0)
        return JobSpec(port=port, package=self.package, timeout_s=900.0)

    def platform(self, lane: int, stop: StopToken) -> AbstractContextManager[Platform]:
        world, machine = self._world, self._machine
        access = Access(
            server=SERVER,
            clock=machine.clock,
            access_key=ACCESS_KEY,
            product_id=PRODUCT_ID,
            stop=stop,
            transport=memory_transport(lambda request: world.answer(machine, request)),
        )
        return open_platform(DEFAULT, access)
