"""A whole shift of a station in simulated time: its machine dies, and a new one goes on with what it left.

The station's loop, its lanes and its outbox are threads as in production, and take turns
(`scripts.simulate_parts.turns`). All is drawn from one seed: the station file, the units and their faults,
the people, the moments at which the machine dies, its disk is full, the network fails, and a second process
tries to run the same station. So the seed repeats a shift to the letter.
"""

import os
import random
import shutil
from contextlib import suppress
from unittest import mock

from atota.cli.stations import locked
from atota.clock import StopToken
from atota.errors import LimitReached
from atota.ota.cache import Cache, ThreadLocks
from atota.station.config import StationConfig, load_station
from atota.station.outbox import outbox_of
from atota.station.station import Station
from scripts.simulate_parts.runs import folder
from scripts.simulate_parts.shift_judge import Judge, Shift
from scripts.simulate_parts.shift_operator import LOOK_S, Operator
from scripts.simulate_parts.shift_plan import draw_plan, write_station
from scripts.simulate_parts.shift_world import FULL, LIFE, FlashParts, Machine, ShiftParts, ShiftWorld
from scripts.simulate_parts.turns import Turns
from scripts.simulate_parts.world import Killed

__all__ = ["FlashParts", "run_shift"]

STILL_S = 3600.0
"""Simulated seconds for which no verdict may come while the people work."""


def run_shift(seed: int, *, units: int, lanes: int) -> Shift:
    """Run a shift in which units are put in ``units`` times, on machines that die, and judge it."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, no secrets
    files = folder()
    try:
        plan = draw_plan(rng, units=units, lanes=lanes)
        file = write_station(plan, files)
        turns = Turns()
        world = ShiftWorld(plan, files, turns, random.Random(rng.random()))  # noqa: S311
        judge = Judge(world, seed)
        operator = Operator(random.Random(rng.random()), world, judge, plan)  # noqa: S311
        with mock.patch.dict(os.environ, XDG_DATA_HOME=str(files)):
            _lives(rng, world, judge, operator, load_station(file))
        judge.shift.simulated_s = turns.now
        return judge.shift
    finally:
        shutil.rmtree(files, ignore_errors=True)


def _lives(
    rng: random.Random, world: ShiftWorld, judge: Judge, operator: Operator, config: StationConfig
) -> None:
    """Run one machine after the other until the shift is over; the last one lives and delivers."""
    while not judge.shift.broken:
        begin = rng.randint(*FULL)
        is_last = operator.is_done
        full = range(0) if is_last else range(begin, begin + rng.randint(1, 40))
        actions = 10**9 if is_last else rng.randint(*LIFE)
        machine = Machine(actions, full, world.turns)
        life = _Life(world, judge, operator, config, machine)
        life.run(random.Random(rng.random()))  # noqa: S311
        judge.shift.deaths += machine.is_dead
        if is_last:
            judge.end()
            return


class _Life:
    """The life of one machine: its process, from its start to its end or its death."""

    def __init__(
        self, world: ShiftWorld, judge: Judge, operator: Operator, config: StationConfig, machine: Machine
    ) -> None:
        self._world, self._judge, self._operator = world, judge, operator
        self._config, self._machine = config, machine
        self._stop = StopToken()
        self._station: Station | None = None
        self._until = 0.0

    def run(self, rng: random.Random) -> None:
        world, judge, machine = self._world, self._judge, self._machine
        judge.machine, judge.journal = machine, world.journal(machine)
        judge.began()
        with world.ports_of(machine):
            world.turns.start(self._process, "process")
            self._watch(rng)
            self._stop.set()
            if machine.is_dead:
                judge.began()  # its threads end without a trace
            while world.turns.threads:
                world.turns.wait(LOOK_S)
                if world.turns.now > self._until:
                    judge.breaks("the station did not end")
                    machine.kill()
        for failure in world.turns.failures:
            if not isinstance(failure, Killed):
                judge.breaks(f"a thread ended by {type(failure).__name__}: {failure}")
        world.turns.failures.clear()

    def _process(self) -> None:
        """Do what `atota station run` does."""
        world, machine, judge = self._world, self._machine, self._judge
        with locked(self._config.path):
            judge.journal.recover()
            station = Station(
                self._config,
                sockets=world.sockets(machine),
                parts=ShiftParts(world, machine),
                journal=judge.journal,
                cache=Cache(world.folder / "cache", ThreadLocks()),
                reporter=judge,
                stop=self._stop,
                clock=machine.clock,
            )
            outbox = outbox_of(self._config, judge.journal, station, lambda _text: None)
            outbox.start()
            self._station = station
            try:
                station.run()
            finally:
                outbox.end()

    def _watch(self, rng: random.Random) -> None:
        """Let the people work until the shift is over, or the machine is dead."""
        world, judge, machine = self._world, self._judge, self._machine
        jobs, still_at = -1, world.turns.now
        while not (machine.is_dead or judge.shift.broken):
            world.turns.wait(LOOK_S)
            if self._station is None or machine.is_dead:
                continue
            if self._operator.is_done and not judge.journal.pending("label"):
                break
            with suppress(Killed):  # the machine dies of a click
                self._people(rng)
            if judge.shift.judged != jobs:
                jobs, still_at = judge.shift.judged, world.turns.now
            elif world.turns.now - still_at > STILL_S:
                shown = ", ".join(
                    f"{lane.number} {lane.state}" for lane in self._station.hub.snapshot().lanes
                )
                stops = "; ".join(notice.text for notice in self._station.hub.snapshot().notices)
                judge.breaks(f"no verdict came for {STILL_S:g} s: {shown}; {stops}")
        self._until = world.turns.now + STILL_S

    def _people(self, rng: random.Random) -> None:
        assert self._station is not None
        self._operator.look(self._station.hub)
        draw = rng.random()
        printer = self._world.folder / "printer"
        if draw < 0.01:
            self._second_process()
        elif draw < 0.02 and not self._operator.is_done:
            printer.unlink(missing_ok=True)
        elif draw > 0.9:
            printer.touch()

    def _second_process(self) -> None:
        """Run the same station once more, which has to be refused."""
        try:
            with locked(self._config.path):
                self._judge.breaks("a second process runs the same station")
        except LimitReached:
            pass
