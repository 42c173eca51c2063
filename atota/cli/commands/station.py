"""Commands of the station: run, check, learn, demo."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from atota.cli.call import Call
from atota.cli.stations import SettingsParts, links_of, locked, locked_journal, sockets_of, station_journal
from atota.cli.transcripts import prune_transcripts
from atota.cli.view.findings import findings_page
from atota.cli.view.output import styled
from atota.cli.view.station import JsonReporter, PlainReporter, SilentReporter
from atota.cli.view.terminal import live_station
from atota.clock import SystemClock
from atota.doctor.findings import KEY, Finding, blamed, ending, summary
from atota.doctor.platform import judge_answer, judge_clock
from atota.errors import AtotaError, Interrupted, Outcome, UsageError, extra_missing
from atota.journal.store import Journal
from atota.line.check import examine_line
from atota.line.outbox import Activity
from atota.line.station import StationLine
from atota.ota.cache import Cache
from atota.ota.http import reach
from atota.station.check import Machine, examine_station
from atota.station.config import StationConfig, host_and_port, load_station
from atota.station.desk import Reporter
from atota.station.lane import LaneState
from atota.station.learn import appearing, are_one_adapter, check_file, lane_numbers, write_paths
from atota.station.outbox import outbox_of
from atota.station.reader import Reader
from atota.station.sockets import Links, Socket
from atota.station.station import Station, check_package
from atota.station.work import JobParts

_REACH_S = 10.0
_Links = Annotated[
    Path | None,
    typer.Option(
        "--links", metavar="DIR", help="The folder of the links by USB path, as `atota sim bench` makes one."
    ),
]
_File = Annotated[Path, typer.Argument(metavar="FILE", help="The station file.")]


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
    links: _Links = None,
) -> int:
    """Run the lanes until Ctrl-C, or until N verdicts are there."""
    config = load_station(file)
    check_package(config)
    parts = SettingsParts(call, config)
    parts.check_lanes()
    parts.check(call.stop)
    prune_transcripts(call)
    adapters = links_of(links)
    path = station_journal(call, config)
    with locked(config.path), locked_journal(path), Journal(path, clock=SystemClock()) as journal:
        shift = Shift(
            config=config,
            parts=parts,
            journal=journal,
            cache=Cache(),
            sockets=sockets_of(config, parts, adapters),
            scan=adapters.scan,
            page=None if no_page else listen or config.file.page.listen,
            token_file=token_file,
            units=units,
        )
        station = work(call, shift)
    return _end(call, station, units)


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a station. ``page`` is the address of the operator page; None: there is none."""

    config: StationConfig
    parts: JobParts
    journal: Journal
    cache: Cache
    sockets: dict[int, Socket]
    scan: Callable[[], None] = lambda: None
    page: str | None = None
    token_file: Path | None = None
    units: int | None = None


def work(call: Call, shift: Shift) -> Station:
    """Run the lanes of a station, with its page, its labels and its scanner; return it once it has ended."""
    shift.journal.recover()
    config = shift.config
    with ExitStack() as stack:
        line = None if config.file.line is None else stack.enter_context(_line(call, config, shift.journal))
        station = Station(
            config,
            sockets=shift.sockets,
            parts=shift.parts,
            journal=shift.journal,
            cache=shift.cache,
            reporter=_reporter(call),
            stop=call.stop,
            scan=shift.scan,
            units=shift.units,
            line=line,
        )
        if line is not None:
            line.show(lambda: _activity(station))
        outbox = outbox_of(config, shift.journal, station, call.out.warn)
        if shift.page is not None:
            url = stack.enter_context(_page(station, shift.page, shift.token_file))
            shown = styled("operator page: [bold]{}[/]  (Ctrl-C ends the station)", url)
            call.out.event("listening", shown, url=url)
        call.out.begin(station=config.file.name, lanes=len(config.file.lane))
        outbox.start()
        stack.callback(outbox.end)
        if config.file.scan.reader is not None:
            reader = Reader(config.file.scan.reader, station.hub, call.out.warn)
            reader.start()
            stack.callback(reader.end)
        if call.out.draws:
            stack.enter_context(live_station(station.hub))
        station.run()
    return station


def _line(call: Call, config: StationConfig, journal: Journal) -> StationLine:
    """Return the connection to the line that the station file names."""
    table = config.file.line
    assert table is not None
    return StationLine(
        table.url,
        config.beside(table.key_file),
        journal,
        batch=config.file.work.batch,
        product=_product(call, config),
        lanes=len(config.file.lane),
        clock=SystemClock(),
        on_notice=call.out.warn,
        ca_file=call.settings.ca_file,
    )


def _product(call: Call, config: StationConfig) -> str | None:
    """Return the product whose device ids the line hands out to the station; None: it names the devices."""
    file = config.file
    settings, _ = call.settings_on(None if file.board is None else config.beside(file.board))
    is_named = file.devices.names_units or settings.dev_id or settings.device_name
    if file.work.command != "update" or is_named:
        return None
    return file.devices.product_id or settings.product_id


def _activity(station: Station) -> Activity:
    """Return the work of a station for the line's managers."""
    view = station.hub.snapshot()
    running = sum(lane.state is LaneState.RUNNING for lane in view.lanes)
    note = next((notice.text for notice in view.notices if notice.level == "stop"), "")
    return Activity(lanes=len(view.lanes), running=running, note=note)


def _page(station: Station, listen: str, token_file: Path | None) -> AbstractContextManager[str]:
    try:
        from atota.station.page.serve import serving
    except ModuleNotFoundError as error:
        raise extra_missing(error, "server", "the operator page (--no-page does without it)") from None
    try:
        host_and_port(listen)
    except ValueError as error:
        raise UsageError(f"--listen: {error}") from None
    return serving(station.hub, listen, token_file)


def check(
    call: Call,
    file: _File,
    links: _Links = None,
) -> int:
    """Print the findings; return the exit code of the worst."""
    call.out.begin()
    config = load_station(file)
    parts = SettingsParts(call, config)
    machine = Machine(links=links_of(links), clock=SystemClock())
    findings = [
        *_running(config, parts),
        *examine_station(config, machine, rate=parts.rate, journal=station_journal(call, config)),
        *_servers(call, config, parts),
    ]
    shown = [msgspec.structs.replace(one, port=None) for one in findings]  # a lane's number is in its text
    call.out.page(partial(findings_page, shown, summary(findings)))
    error = ending(findings)
    fields = msgspec.to_builtins(findings)
    if error is not None:
        return call.out.failure(error, findings=fields)
    call.done(findings=fields)
    return 0


def _running(config: StationConfig, parts: SettingsParts) -> Iterator[Finding]:
    """Yield a finding if the station is at work, which has the ports and the page then, or cannot begin."""
    try:
        with locked(config.path):
            pass
    except AtotaError as error:
        yield blamed("station", "running", error)
    try:
        parts.check_lanes()
    except AtotaError as error:
        yield blamed("station", "lanes", error)


def _servers(call: Call, config: StationConfig, parts: SettingsParts) -> Iterator[Finding]:
    """Yield the findings of the servers and of the credentials for them."""
    for server in parts.platforms():
        try:
            reached = reach(server, clock=SystemClock(), timeout_s=_REACH_S, ca_file=call.settings.ca_file)
        except AtotaError as error:
            yield blamed("platform", "platform", error)
        else:
            yield msgspec.structs.replace(judge_answer(reached), check="platform")
            yield msgspec.structs.replace(
                judge_clock(reached.skew_s, call.settings.auth_ttl_s),
                group="platform",
                check="platform clock",
            )
    try:
        parts.check(call.stop)
    except AtotaError as error:
        yield blamed("platform", KEY, error)
    if config.file.line is not None:
        yield from examine_line(
            config.file.line.url,
            config.beside(config.file.line.key_file),
            station_journal(call, config),
            batch=config.file.work.batch,
            product=_product(call, config),
            clock=SystemClock(),
            timeout_s=_REACH_S,
            ca_file=call.settings.ca_file,
        )


def learn(
    call: Call,
    file: _File,
    lanes: Annotated[
        str | None,
        typer.Option(metavar="N|A-B", help="Learn the lanes 1 to N, or A to B; else those of FILE."),
    ] = None,
    links: _Links = None,
) -> None:
    """Learn the USB paths of the lanes, one after the other, and write them into FILE."""
    call.out.begin()
    if lanes is None:
        numbers = [lane.number for lane in load_station(file).file.lane if lane.path is not None]
    else:
        numbers = lane_numbers(lanes)
    if not numbers:
        raise UsageError(f"{file} has no lane with a `path`", hint="Give --lanes N to learn N lanes.")
    check_file(file, numbers)
    paths: dict[int, str] = {}
    try:
        _learned(call, numbers, links_of(links), paths)
    except Interrupted as stopped:
        if not paths:
            raise
        write_paths(file, paths)
        rest = ", ".join(str(number) for number in numbers if number not in paths)
        raise Interrupted(
            f"{stopped.message}: {len(paths)} are written into {file}, not the lanes {rest}",
            hint="Learn them with --lanes A-B.",
        ) from None
    write_paths(file, paths)
    call.done(f"{len(paths)} lanes written into {file}", lanes=paths)


def _learned(call: Call, numbers: list[int], links: Links, paths: dict[int, str]) -> None:
    """Ask for one plug after the other, and put the paths into ``paths``."""
    appeared = appearing(links, SystemClock(), call.stop)
    waiting = list(numbers)
    while waiting:
        request = styled("plug lane [bold]{}[/] in now (pull it out first, if it is in already)", waiting[0])
        call.out.event("plug", request, lane=waiting[0])
        fresh = next(appeared)
        for path in fresh:
            taken = next((lane for lane, other in paths.items() if other == path), None)
            if taken is not None:
                call.out.warn(f"{path} is lane {taken} already: plug another one in")
        new_paths = [path for path in fresh if path not in paths.values()]
        if not are_one_adapter(new_paths):
            call.out.warn(f"{len(new_paths)} adapters appeared at once: plug them in one after the other")
            continue
        for path in new_paths[: len(waiting)]:
            number = waiting.pop(0)
            paths[number] = path
            call.out.event("learned", f"  lane {number}: {path}", lane=number, path=path)


def _reporter(call: Call) -> Reporter:
    if call.out.json:
        return JsonReporter(call.out)
    return SilentReporter() if call.out.draws else PlainReporter(call.out)


def _end(call: Call, station: Station, units: int | None) -> int:
    """Print the end of a run; return the exit code."""
    counters = station.hub.snapshot().counters
    fields: dict[str, Any] = {
        "station": station.file.name,
        "counters": counters,
        "units": list(station.verdicts),
    }
    if station.is_cut_short:
        return call.out.failure(Interrupted("stopped before its lanes had ended"), **fields)
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
