"""The check of a station before its shift begins: lanes, USB, clock, disk, page, printer, scanner, hooks.

It opens no serial port and changes nothing. The platform and the line are asked by the command line, which
has their settings. Each finding is made by itself: one that cannot be made says so, and the others follow.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import msgspec

from atota.clock import Clock, is_kept_by_network
from atota.doctor.findings import Finding, Group, blamed, finding
from atota.doctor.port import PortFacts, facts_of, judge, judge_latency
from atota.errors import AtotaError
from atota.journal.store import Journal
from atota.link import translate
from atota.link.ports import PortInfo, list_ports
from atota.listener import listen_on
from atota.settings.board import Board
from atota.station.config import LaneTable, StationConfig, host_and_port
from atota.station.devices import load_devices
from atota.station.interlocks import CLOCK_BACK_S
from atota.station.labels import load_template, printer_problem
from atota.station.sockets import Links
from atota.station.station import check_package
from atota.station.tally import attempt_of
from atota.station.usb import SYSFS, UsbDevice, budget, read_tree

_DEFAULT_BAUD = 115_200
_MB = 1_000_000
_PACKAGE = 200_000
_finding = partial(finding, "station")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine that a station is judged on.

    Attributes:
        links: the adapters by their place.
        clock: its time.
        sysfs: its tree of USB devices.
        ports: describes its serial ports.
        is_kept: True if the network keeps its clock; None: it does not tell.
    """

    links: Links
    clock: Clock
    sysfs: Path = SYSFS
    ports: Callable[[], list[PortInfo]] = list_ports
    is_kept: Callable[[], bool | None] = is_kept_by_network


def examine_station(
    config: StationConfig, machine: Machine, *, rate: Callable[[int], int | None], journal: Path
) -> Iterator[Finding]:
    """Yield the findings of a station whose file was read.

    Args:
        config: the station file.
        machine: the machine.
        rate: the rate of a lane's board, bit/s.
        journal: the path of the journal.
    """
    file = config.file
    yield _finding("file", "ok", f"{config.path}: {_count(len(file.lane), 'lane')}, {file.work.command}")
    for check, look in (
        ("package", partial(_package, config)),
        ("devices", partial(_devices, config)),
        ("clock", partial(_clock, journal, machine)),
        ("disk", partial(_disk, config, journal)),
        ("page", partial(_page, config)),
        ("printer", partial(_printer, config)),
        ("scanner", partial(_scanner, config, machine)),
        ("hooks", partial(_hooks, config)),
    ):
        yield from _tried("station", check, look)
    yield from _Bench(config, machine, rate).findings()


def _tried(group: Group, check: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except AtotaError as error:
        yield blamed(group, check, error)


# -- the lanes -----------------------------------------------------------------------------------------


class _Bench:
    """The lanes of a station, on their adapters."""

    def __init__(self, config: StationConfig, machine: Machine, rate: Callable[[int], int | None]) -> None:
        self._config = config
        self._machine = machine
        self._rate = rate
        self._devices: dict[str, int] = {}
        """The lane of each device, by its real name."""

    def findings(self) -> Iterator[Finding]:
        """Yield the findings of all lanes, of adapters without one, and of the USB."""
        links = self._machine.links
        links.scan()
        known = {os.path.realpath(port.device): port for port in self._machine.ports()}
        findings = [
            (lane.number, one)
            for lane in self._config.file.lane
            for one in _tried("port", "lane", partial(self._lane, lane, known))
        ]
        yield from _merged(findings)
        spare = {name: device for name, device in links.devices().items() if device not in self._devices}
        if spare and any(lane.path is not None for lane in self._config.file.lane):
            names = ", ".join(sorted(spare))
            yield finding("port", "spare", "ok", f"{_count(len(spare), 'adapter')} without a lane: {names}")
        tree = read_tree(self._machine.sysfs)
        yield from budget(tree, self._lanes_in(tree))

    def _lane(self, lane: LaneTable, known: dict[str, PortInfo]) -> Iterator[Finding]:
        port = lane.port or ""
        if "://" in port:
            yield finding("port", "lane", "ok", port, port=port)
            return
        if lane.path is not None:
            fitting = self._machine.links.names_at(lane.path)
            if len(fitting) > 1:
                says = f"{len(fitting)} adapters are at {lane.path}: {', '.join(fitting)}"
                next_ = "Write more of the name into `path`, up to the controller, or learn the lanes anew."
                yield finding("port", "lane", "bad", says, next_, port=lane.path)
                return
        occupant = self._machine.links.find_device(port) if lane.path is None else None
        occupant = occupant or (None if lane.path is None else self._machine.links.find(lane.path))
        if occupant is None:
            says = f"no adapter is at {lane.key}"
            next_ = "Plug it in; where adapters come with units, put a unit into each lane for this check."
            yield finding("port", "lane", "bad", says, next_, port=lane.key)
            return
        name = occupant[1]
        device = os.path.realpath(name)
        other = self._devices.setdefault(device, lane.number)
        if other != lane.number:
            says = f"it has the adapter of lane {other}: {device}"
            yield finding("port", "lane", "bad", says, "Give each lane an adapter of its own.", port=name)
            return
        facts = facts_of(known.get(device, PortInfo(device=device)), name=name)
        yield from (one for one in judge(facts) if one.state != "ok" or one.check == "adapter")
        yield from self._latency(lane.number, facts)

    def _latency(self, lane: int, facts: PortFacts) -> Iterator[Finding]:
        """Yield the cost of a timer that stays as it is: jobs ask for 1 ms, unless the board forbids it."""
        board: Board | None = self._config.boards.get(lane)
        if facts.trouble is not None or board is None or board.serial.low_latency is not False:
            return
        timer_ms = facts.info.latency_timer_ms
        judged = judge_latency(facts.name, timer_ms, opened_ms=None, size=_PACKAGE)
        if judged is not None and judged.state != "ok":
            yield judged

    def _lanes_in(self, tree: list[UsbDevice]) -> dict[str, list[int]]:
        """Return the USB devices that have lanes, and the lanes' rates."""
        lanes: dict[str, list[int]] = {}
        names = {device.name for device in tree}
        for name, number in self._devices.items():
            parts = Path(os.path.realpath(Path("/sys/class/tty") / Path(name).name)).parts
            device = next((part for part in reversed(parts) if part in names), None)
            if device is not None:
                lanes.setdefault(device, []).append(self._rate(number) or _DEFAULT_BAUD)
        return lanes


def _merged(findings: list[tuple[int, Finding]]) -> Iterator[Finding]:
    """Yield the findings with the numbers of their lanes; what is true of several lanes is said once."""
    lanes: dict[tuple[object, ...], list[int]] = {}
    first: dict[tuple[object, ...], Finding] = {}
    for number, one in findings:
        key: tuple[object, ...] = (one.check, one.state, one.says, one.next)
        lanes.setdefault(key, []).append(number)
        first.setdefault(key, one)
    for key, one in first.items():
        numbers = lanes[key]
        title = f"lane {numbers[0]}" if len(numbers) == 1 else f"lanes {_ranges(numbers)}"
        port = one.port if len(numbers) == 1 else None
        yield msgspec.structs.replace(one, says=f"{title}: {one.says}", port=port)


def _ranges(numbers: list[int]) -> str:
    """Return "1-4, 7" for 1, 2, 3, 4 and 7."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


# -- the machine ---------------------------------------------------------------------------------------


def _package(config: StationConfig) -> Iterator[Finding]:
    if config.file.work.package is not None:
        check_package(config)
        yield _finding("package", "ok", f"{config.file.work.package} has its MD5")


def _devices(config: StationConfig) -> Iterator[Finding]:
    table = config.file.devices
    devices = load_devices(table, config.path.parent)
    if table.file is not None:
        yield _finding("devices", "ok", f"{table.file}: {_count(len(devices), 'unit')}")


def _clock(path: Path, machine: Machine) -> Iterator[Finding]:
    journal = Journal.reading(path, clock=machine.clock)
    newest = None
    if journal is not None:
        with journal:
            newest = next((attempt_of(record).ended_at for record in journal.records(limit=1)), None)
    now = machine.clock.time()
    if newest is not None and now < newest - CLOCK_BACK_S:
        says = f"the clock is {newest - now:.0f} s behind the newest record"
        yield _finding("clock", "bad", says, "Set the clock, by NTP if there is a network.")
        return
    kept = machine.is_kept()
    if kept is False:
        says = (
            "not behind the newest record, but not kept by the network: it drifts, and records are evidence"
        )
        yield _finding("clock", "warning", says, "Switch NTP on (Linux: `sudo timedatectl set-ntp true`).")
        return
    network = ", and kept by the network" if kept else "; the system does not tell if the network keeps it"
    yield _finding("clock", "ok", f"not behind the newest record{network}")


def _disk(config: StationConfig, journal: Path) -> Iterator[Finding]:
    folder = next((one for one in journal.parents if one.exists()), Path())
    free_mb = shutil.disk_usage(folder).free / _MB
    needed = config.file.stop.min_free_mb
    says = f"{free_mb:.0f} MB are free, {needed} are needed"
    next_ = f"Make room on the disk of {folder}, which has the journal."
    yield _judged("disk", says if free_mb < needed else None, says, next_)
    if not os.access(folder, os.W_OK):
        yield _finding(
            "journal", "bad", f"{folder}: not writable for you", "Give its user the folder of the journal."
        )


def _page(config: StationConfig) -> Iterator[Finding]:
    listen = config.file.page.listen
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        says = "the packages of the operator page are missing"
        next_ = "Install atota with the extra `[server]`, or run the station with --no-page."
        yield _finding("page", "warning", says, next_)
        return
    listen_on(*host_and_port(listen)).close()
    yield _finding("page", "ok", f"{listen} is free")


def _printer(config: StationConfig) -> Iterator[Finding]:
    label = config.file.label
    if label is not None:
        load_template(config.beside(label.template))
        problem = printer_problem(label.printer)
        yield _judged("printer", problem, f"{label.printer} is ready", "Look at its supply and its paper.")


def _scanner(config: StationConfig, machine: Machine) -> Iterator[Finding]:
    reader = config.file.scan.reader
    if reader is None:
        return
    if "://" in reader:
        yield _finding("scanner", "ok", f"{reader}, not opened")
        return
    if machine.links.find_device(reader) is None:
        says = f"the scanner {reader} is not there"
        yield _finding("scanner", "bad", says, "Plug it in, and set it to USB-COM.")
        return
    if os.name == "posix" and not os.access(reader, os.R_OK | os.W_OK):
        raise translate.forbidden(reader)
    yield _finding("scanner", "ok", f"{reader} is there")


def _hooks(config: StationConfig) -> Iterator[Finding]:
    words = config.file.hooks.record
    if not words:
        return
    is_there = shutil.which(words[0]) is not None
    says = f"the program {words[0]} is not there, or may not be run"
    next_ = "Correct `record` in [hooks]; records wait in the journal until the program takes them."
    yield _judged("hooks", None if is_there else says, f"{words[0]} is there", next_)


def _judged(check: str, problem: str | None, fine: str, next_: str) -> Finding:
    return _finding(check, "ok", fine) if problem is None else _finding(check, "bad", problem, next_)


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
