"""Commands of the station: run, check, learn, demo."""

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import typer
from msgspec.structs import replace

from atota.cli.call import Call
from atota.cli.platforms import platform_of
from atota.cli.transcripts import tidy, transcript_path
from atota.cli.view.output import styled
from atota.cli.view.station import JsonReporter, PlainReporter
from atota.cli.wiring import opener_of
from atota.clock import StopToken, SystemClock
from atota.errors import Interrupted, LimitReached, Outcome, extra_missing
from atota.journal.store import Journal, default_path
from atota.link.base import Link
from atota.link.open import open_link
from atota.locks import lock
from atota.module.module import Opener
from atota.ota.base import Platform
from atota.ota.cache import Cache
from atota.settings.board import Board
from atota.settings.spec import JobSpec, LocalPackage, job_spec
from atota.settings.table import Settings
from atota.sim.bench import SimOperator, SimPlace
from atota.station.config import LaneTable, StationConfig, load_station
from atota.station.desk import Reporter
from atota.station.outbox import outbox_of
from atota.station.reader import Reader
from atota.station.sockets import LinkFolder, PortSocket, Socket, find_device
from atota.station.station import Station, check_package
from atota.update.events import JobResult
from atota.values import nature_of

_File = Annotated[Path, typer.Argument(metavar="FILE", help="The station file.")]


class SettingsParts:
    """The parts of a station's jobs, from options, board files and variables.

    Args:
        call: the call of the command.
        config: the station file.
    """

    def __init__(self, call: Call, config: StationConfig) -> None:
        self._call = call
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
        return replace(spec, timeout_s=min(work.hard_limit_s, spec.timeout_s or work.hard_limit_s))

    def platform(self, lane: int, stop: StopToken) -> AbstractContextManager[Platform]:
        """Open the platform that the lane's settings name."""
        return platform_of(self._settings[lane][0], self._call.out, stop)

    def opener(self, lane: int, spec: JobSpec, stack: ExitStack) -> tuple[JobSpec, Opener]:
        """Return the spec with its transcript, and the opener of its module."""
        path = transcript_path(self._call, f"lane-{lane}")
        spec = replace(spec, transcript=path)
        return spec, opener_of(self._call, spec, spec.board, stack)

    def tidy(self, spec: JobSpec, result: JobResult) -> None:
        """Remove the transcript of a job that went well."""
        tidy(spec.transcript, result)

    def rate(self, lane: int) -> int | None:
        """Return the rate of a lane's board."""
        settings, _ = self._settings[lane]
        return settings.baud or settings.first_baud

    def check(self, stop: StopToken) -> None:
        """Open each platform once: a key that is missing is told before the shift begins."""
        for lane in self._settings if self._work.command == "update" else ():
            with self.platform(lane, stop):
                pass


def run(
    call: Call,
    file: _File,
    units: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="End after N verdicts; exit 0 if all passed.")
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where the operator page is; port 0 takes any free one."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The token that the page needs beyond this machine.")
    ] = None,
    no_page: Annotated[bool, typer.Option("--no-page", help="Serve no operator page.")] = False,
    links: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder of the links by USB path.", hidden=True)
    ] = None,
) -> int:
    """Run the lanes until Ctrl-C, or until N verdicts are there."""
    config = load_station(file)
    check_package(config)
    parts = SettingsParts(call, config)
    parts.check(call.stop)
    with ExitStack() as stack:
        stack.enter_context(_locked(config.path))
        journal = stack.enter_context(Journal(_journal_path(call, config), clock=SystemClock()))
        journal.recover()
        folder = LinkFolder() if links is None else LinkFolder(links)
        station = Station(
            config,
            sockets=_sockets(config, parts, folder),
            parts=parts,
            journal=journal,
            cache=Cache(),
            reporter=_reporter(call),
            stop=call.stop,
            scan=folder.scan,
            units=units,
        )
        if not no_page:
            url = stack.enter_context(_page(station, listen or config.file.page.listen, token_file))
            call.out.event(
                "listening", styled("operator page: [bold]{}[/]  (Ctrl-C ends the station)", url), url=url
            )
        call.out.begin(station=config.file.name, lanes=len(config.file.lane))
        outbox = outbox_of(config, journal, station, call.out.warn)
        outbox.start()
        stack.callback(outbox.end)
        if config.file.scan.reader is not None:
            reader = Reader(config.file.scan.reader, station.hub, call.out.warn)
            reader.start()
            stack.callback(reader.end)
        station.run()
    return _end(call, station, units)


def _page(station: Station, listen: str, token_file: Path | None) -> AbstractContextManager[str]:
    try:
        from atota.station.page.serve import serving
    except ModuleNotFoundError as error:
        raise extra_missing(error, "server", "the operator page (--no-page does without it)") from None
    return serving(station.hub, listen, token_file)


def _reporter(call: Call) -> Reporter:
    return JsonReporter(call.out) if call.out.json else PlainReporter(call.out)


def _end(call: Call, station: Station, units: int | None) -> int:
    """Print the end of a run; return the exit code."""
    counters = station.hub.snapshot().counters
    fields: dict[str, Any] = {"station": station.file.name, "counters": counters, "units": station.verdicts}
    if units is not None and not station.is_finished:
        ended = len(station.verdicts)
        return call.out.failure(Interrupted(f"stopped after {ended} of {units} verdicts"), **fields)
    failed = next((event for event in station.verdicts if event.exit_code and event.verdict != "pass"), None)
    if units is None or failed is None:
        call.out.result(
            f"{counters.passed} passed, {counters.failed} failed",
            ok=True,
            outcome=Outcome.DONE,
            exit_code=0,
            **fields,
        )
        return 0
    call.out.result(
        f"lane {failed.lane}: {failed.outcome}",
        ok=False,
        outcome=failed.outcome,
        exit_code=failed.exit_code,
        **fields,
    )
    return failed.exit_code


def _sockets(config: StationConfig, parts: SettingsParts, folder: LinkFolder) -> dict[int, Socket]:
    """Return the places of all lanes; the simulated ones share an operator."""
    clock = SystemClock()
    operator = SimOperator(clock)
    sockets: dict[int, Socket] = {}
    for lane in config.file.lane:
        if lane.port is not None and lane.port.startswith("sim://"):
            sockets[lane.number] = SimPlace(lane.port, operator)
        else:
            sockets[lane.number] = _port_socket(lane, parts, folder, clock)
    return sockets


def _port_socket(lane: LaneTable, parts: SettingsParts, folder: LinkFolder, clock: SystemClock) -> PortSocket:
    path = lane.path

    def open_port(port: str) -> Link:
        return open_link(port, baud=parts.rate(lane.number))

    find = find_device(lane.port) if lane.port is not None else lambda: folder.find(path or "")
    return PortSocket(find, open_port, clock)


def _journal_path(call: Call, config: StationConfig) -> Path:
    """Return the path of the journal; a bench of simulated modules only has one of its own."""
    if call.settings.journal is not None:
        return call.settings.journal
    natures = {nature_of(lane.key) for lane in config.file.lane}
    return default_path(natures.pop() if len(natures) == 1 else "real")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep a second `station run` on the same file away.

    Raises:
        LimitReached: one runs already.
    """
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    folder = platformdirs.user_data_path("atota", appauthor=False) / "stations"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("ab") as file:
        if not lock(file):
            raise LimitReached(
                f"{path}: this station is running already",
                hint="Use the one that runs, or stop it with Ctrl-C first.",
            )
        yield
