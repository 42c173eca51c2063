"""The check of a station before its shift begins: file, lanes, USB, clock, disk, printer, scanner.

It opens no port and changes nothing. The platform and the line are asked by the command line, which has their
settings.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from atota.clock import Clock
from atota.doctor.findings import Finding, State
from atota.doctor.port import facts_of, gather, judge, judge_latency
from atota.journal.store import Journal
from atota.station.config import LaneTable, StationConfig
from atota.station.devices import load_devices
from atota.station.interlocks import CLOCK_BACK_S
from atota.station.labels import load_template, printer_problem
from atota.station.sockets import LinkFolder
from atota.station.tally import attempt_of
from atota.station.usb import SYSFS, UsbDevice, budget, read_tree

_DEFAULT_BAUD = 115_200
_MB = 1_000_000
_PACKAGE = 200_000


def examine_station(
    config: StationConfig,
    *,
    links: LinkFolder,
    rate: Callable[[int], int | None],
    journal: Path,
    clock: Clock,
    sysfs: Path = SYSFS,
) -> Iterator[Finding]:
    """Yield the findings of a station whose file was read.

    Args:
        config: the station file.
        links: the links by USB path.
        rate: the rate of a lane's board, bit/s.
        journal: the path of the journal.
        clock: the machine's time.
        sysfs: the system's tree of USB devices.
    """
    file = config.file
    yield _finding("file", "ok", f"{config.path}: {len(file.lane)} lanes, {file.work.command}")
    devices = load_devices(file.devices, config.path.parent)
    if file.devices.file is not None:
        yield _finding("devices", "ok", f"{file.devices.file}: {len(devices)} units")
    links.scan()
    names: dict[int, str] = {}
    for lane in file.lane:
        yield from _lane(lane, links, names)
    tree = read_tree(sysfs)
    yield from budget(tree, _lanes_in(tree, names, rate))
    yield _clock(journal, clock)
    yield _disk(config, journal)
    if file.label is not None:
        load_template(config.beside(file.label.template))
        problem = printer_problem(file.label.printer)
        yield _judged(
            "printer", problem, f"{file.label.printer} is ready", "Look at its supply and its paper."
        )
    if file.scan.reader is not None:
        problem = None if os.path.exists(file.scan.reader) else f"the scanner {file.scan.reader} is not there"  # noqa: PTH110 - one call
        yield _judged("scanner", problem, file.scan.reader, "Plug it in, and set it to USB-COM.")


def _lane(lane: LaneTable, links: LinkFolder, names: dict[int, str]) -> Iterator[Finding]:
    """Yield the findings of one lane; put its device into ``names``."""
    title = f"lane {lane.number}"
    if lane.path is not None:
        fitting = links.names_at(lane.path)
        if len(fitting) > 1:
            says = f"{title}: {len(fitting)} adapters are at {lane.path}: {', '.join(fitting)}"
            yield _finding("lane", "bad", says, "Write more of the name into `path`, up to the controller.")
            return
        occupant = links.find(lane.path)
        if occupant is None:
            yield Finding(
                group="port",
                check="lane",
                state="bad",
                says=f"{title}: no adapter is at {lane.path}",
                next="Plug it in; where adapters come with units, put a unit into each lane for this check.",
                port=lane.path,
            )
            return
        name = occupant[1]
    else:
        name = lane.port or ""
        if "://" in name:
            yield _finding("lane", "ok", f"{title}: {name}")
            return
    names[lane.number] = name
    facts = gather(name)
    yield from (finding for finding in judge(facts) if finding.state != "ok" or finding.check == "adapter")
    if facts.trouble is None:
        latency = judge_latency(
            name, facts_of(facts.info).info.latency_timer_ms, opened_ms=None, size=_PACKAGE
        )
        if latency is not None and latency.state != "ok":
            yield latency


def _lanes_in(
    tree: list[UsbDevice], names: dict[int, str], rate: Callable[[int], int | None]
) -> dict[str, list[int]]:
    """Return the USB devices that have lanes, and the lanes' rates."""
    lanes: dict[str, list[int]] = {}
    known = {device.name for device in tree}
    for number, name in names.items():
        parts = Path(os.path.realpath(Path("/sys/class/tty") / Path(os.path.realpath(name)).name)).parts
        device = next((part for part in reversed(parts) if part in known), None)
        if device is not None:
            lanes.setdefault(device, []).append(rate(number) or _DEFAULT_BAUD)
    return lanes


def _clock(path: Path, clock: Clock) -> Finding:
    journal = Journal.reading(path, clock=clock)
    newest = None
    if journal is not None:
        with journal:
            newest = next((attempt_of(record).ended_at for record in journal.records(limit=1)), None)
    if newest is not None and clock.time() < newest - CLOCK_BACK_S:
        says = f"the clock is {newest - clock.time():.0f} s behind the newest record"
        return _finding("clock", "bad", says, "Set the clock, by NTP if there is a network.")
    return _finding("clock", "ok", "not behind the newest record")


def _disk(config: StationConfig, journal: Path) -> Finding:
    folder = next((one for one in journal.parents if one.exists()), Path())
    free_mb = shutil.disk_usage(folder).free / _MB
    needed = config.file.stop.min_free_mb
    says = f"{free_mb:.0f} MB are free, {needed} are needed"
    return _judged("disk", says if free_mb < needed else None, says, "Make room on the disk of the journal.")


def _judged(check: str, problem: str | None, fine: str, next_: str) -> Finding:
    if problem is None:
        return _finding(check, "ok", fine)
    return _finding(check, "bad", problem, next_)


def _finding(check: str, state: State, says: str, next_: str = "") -> Finding:
    return Finding(group="station", check=check, state=state, says=says, next=next_)
