"""The parts of a station from its settings: its jobs, the places of its lanes, its journal and its lock."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import platformdirs
from msgspec.structs import replace

from atota.cli.call import Call
from atota.cli.platforms import platform_of
from atota.cli.transcripts import tidy, transcript_path
from atota.cli.wiring import chip_opener, opener_of
from atota.clock import StopToken, SystemClock
from atota.errors import LimitReached
from atota.journal.store import default_path
from atota.link.base import Link
from atota.link.open import open_link
from atota.locks import lock
from atota.module.module import Opener
from atota.ota.base import Platform
from atota.ota.registry import chosen
from atota.settings.board import Board
from atota.settings.spec import JobSpec, LocalPackage, job_spec
from atota.settings.table import Settings
from atota.sim.bench import SimLane, SimOperator
from atota.sota.opening import ChipOpener
from atota.station.chips import is_chip, require_chip
from atota.station.config import LaneTable, StationConfig
from atota.station.port_table import PortTable
from atota.station.sockets import BY_PATH, LinkFolder, Links, Occupant, PortSocket, Socket
from atota.update.events import JobResult
from atota.values import nature_of


class SettingsParts:
    """The parts of a station's jobs, from options, board files and variables.

    Args:
        call: the call of the command.
        config: the station file.
    """

    def __init__(self, call: Call, config: StationConfig) -> None:
        self._call = call
        self._config = config
        self._work = config.file.work
        self._package = None if self._work.package is None else config.beside(self._work.package)
        self._settings: dict[int, tuple[Settings, Board | None]] = {
            lane.number: call.settings_on(config.board_path(lane)) for lane in config.file.lane
        }

    def spec(self, lane: int, port: str) -> JobSpec:
        """Return the job of a lane on a port, without the names of a device."""
        settings, board = self._settings[lane]
        work = self._work
        package = None
        if self._package is not None:
            package = LocalPackage(self._package, work.md5 or "", work.target or "")
        spec = job_spec(settings, board, port=port, package=package)
        spec = replace(spec, task_type=work.type or spec.task_type, model=work.model or spec.model)
        return replace(spec, timeout_s=min(work.hard_limit_s, spec.timeout_s or work.hard_limit_s))

    def platform(self, lane: int, stop: StopToken) -> AbstractContextManager[Platform]:
        """Open the platform that the lane's settings name."""
        return platform_of(self._settings[lane][0], self._call.out, stop)

    def opener(self, lane: int, spec: JobSpec, stack: ExitStack) -> tuple[JobSpec, Opener | ChipOpener]:
        """Return the spec with its transcript, and the opener of its module or its chip."""
        path = transcript_path(self._call, f"lane-{lane}")
        spec = replace(spec, transcript=path)
        if is_chip(spec):
            return spec, chip_opener(self._call, spec, stack)
        return spec, opener_of(self._call, spec, spec.board, stack)

    def tidy(self, spec: JobSpec, result: JobResult) -> None:
        """Remove the transcript of a job that went well."""
        tidy(spec.transcript, result)

    def rate(self, lane: int) -> int | None:
        """Return the rate of a lane's board."""
        settings, _ = self._settings[lane]
        return settings.baud or settings.first_baud

    def platforms(self) -> list[str]:
        """Return the platforms that the station talks to."""
        if self._work.command != "update":
            return []
        return sorted({chosen(settings.api, settings.server)[1] for settings, _ in self._settings.values()})

    def check_lanes(self) -> None:
        """Refuse a lane of a chip whose units could not be told apart.

        Raises:
            ConfigError: the station file or its board says too little.
        """
        for lane in self._settings:
            require_chip(self._config, lane, self.spec(lane, ""))

    def check(self, stop: StopToken) -> None:
        """Open each platform once: a key that is missing is told before the shift begins."""
        for lane in self._settings if self._work.command == "update" else ():
            with self.platform(lane, stop):
                pass


def sockets_of(config: StationConfig, parts: SettingsParts, links: Links) -> dict[int, Socket]:
    """Return the places of all lanes; the simulated ones share an operator."""
    clock = SystemClock()
    operator = SimOperator(clock)
    sockets: dict[int, Socket] = {}
    for lane in config.file.lane:
        if lane.port is not None and lane.port.startswith("sim://"):
            sockets[lane.number] = SimLane(lane.port, operator)
        else:
            sockets[lane.number] = _port_socket(lane, parts, links, clock)
    return sockets


def _port_socket(lane: LaneTable, parts: SettingsParts, links: Links, clock: SystemClock) -> PortSocket:
    def open_port(port: str) -> Link:
        return open_link(port, baud=parts.rate(lane.number))

    def find() -> Occupant | None:
        if lane.path is not None:
            return links.find(lane.path)
        port = lane.port or ""
        return (port, port) if "://" in port else links.find_device(port)  # a URL is always there

    return PortSocket(find, open_port, clock, speaks_at=not is_chip(parts.spec(lane.number, "")))


def links_of(folder: Path | None) -> Links:
    """Return the adapters of this machine by their place; ``folder`` has the links of a bench for tests."""
    if folder is None and not sys.platform.startswith("linux"):
        return PortTable(SystemClock())
    return LinkFolder(folder or BY_PATH)


def station_journal(call: Call, config: StationConfig) -> Path:
    """Return the path of the journal; a bench of simulated modules only has one of its own."""
    if call.settings.journal is not None:
        return call.settings.journal
    natures = {nature_of(lane.key) for lane in config.file.lane}
    return default_path(natures.pop() if len(natures) == 1 else "real")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep a second `station run` on the same file away.

    Raises:
        LimitReached: one runs already.
    """
    with _held(
        path, "this station is running already", "Use the one that runs, or stop it with Ctrl-C first."
    ):
        yield


@contextmanager
def locked_journal(path: Path) -> Iterator[None]:
    """Keep a second station away from a journal: each counts the units of a batch by its own records.

    Raises:
        LimitReached: another station has it.
    """
    hint = "Give each station of this PC a journal of its own: --journal FILE."
    with _held(path, "another station that is running has this journal", hint):
        yield


@contextmanager
def _held(path: Path, problem: str, hint: str) -> Iterator[None]:
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    folder = platformdirs.user_data_path("atota", appauthor=False) / "stations"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("ab") as file:
        if not lock(file):
            raise LimitReached(f"{path}: {problem}", hint=hint)
        yield
