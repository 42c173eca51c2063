"""Lanes of chips: their number is the label's, and everything about a unit goes by it."""

import importlib.util
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from atota.clock import StopToken
from atota.errors import ConfigError
from atota.module.module import Opener
from atota.ota.base import Platform
from atota.settings.board import Board
from atota.settings.chip import Chip, Version
from atota.settings.spec import JobSpec, LocalPackage
from atota.sim.chips.package import build_chip_package
from atota.sota.opening import ChipOpener, open_chip
from atota.station.chips import require_chip
from atota.station.config import StationConfig
from atota.station.lane import LaneState, Verdict
from atota.station.view import AgainCommand, ScanCommand
from atota.update.events import JobResult
from atota.values import Digests
from tests.station.conftest import RunningStation

Start = Callable[..., RunningStation]
S = LaneState
SCAN = '[scan]\nserial = "required"\npattern = "SN\\\\d+"'


class ChipParts:
    """The parts of jobs that flash an application into chips of one model."""

    def __init__(self, folder: Path, model: str = "GD32", target: str = "V1.1.0", protocol: str = "") -> None:
        image = build_chip_package(model, target, protocol=protocol, size=8192)
        path = folder / f"{model}.bin"
        path.write_bytes(image)
        self._model = model
        self._package = LocalPackage(path, Digests.of(image).md5, target)

    def spec(self, lane: int, port: str) -> JobSpec:
        return JobSpec(port=port, package=self._package, task_type="sota", model=self._model)

    def platform(self, lane: int, stop: StopToken) -> AbstractContextManager[Platform]:
        raise AssertionError("a flash needs no platform")

    def opener(self, lane: int, spec: JobSpec, stack: ExitStack) -> tuple[JobSpec, Opener | ChipOpener]:
        return spec, open_chip

    def tidy(self, spec: JobSpec, result: JobResult) -> None:
        pass


@pytest.fixture(autouse=True)
def is_quick_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one label be read twice without the pause that a hand needs."""
    monkeypatch.setattr("atota.station.scanning.ONCE_S", 0.0)


def scanned(station: RunningStation, port: str, label: str, lane: int = 1) -> None:
    """Put a unit in, and scan its label once it is asked for."""
    station.places[lane].put_in(port)
    station.wait_for(S.WANTING_SCAN, lane)
    assert station.hub.send(ScanCommand(text=label, lane=lane)).ok


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("model", "target", "protocol"),
    [
        ("GD32", "V1.1.0", ""),
        ("nrf52832", "1.1.0", "smp"),
        pytest.param(
            "ESP32",
            "V1.1.0",
            "",
            marks=pytest.mark.skipif(
                importlib.util.find_spec("esptool") is None, reason="esptool is not installed"
            ),
        ),
    ],
)
def test_a_chip_passes_under_the_number_of_its_label(
    start: Start, tmp_path: Path, model: str, target: str, protocol: str
) -> None:
    station = start(SCAN, parts=ChipParts(tmp_path, model, target, protocol))
    scanned(station, f"sim://{model}", "SN1")
    station.wait(lambda: bool(station.reporter.verdicts))
    (event,) = station.reporter.verdicts
    assert (event.verdict, event.outcome, event.serial, event.imei) == (Verdict.PASS, "updated", "SN1", None)
    (record,) = station.journal.records(serial="SN1")
    assert record.station is not None
    assert (record.serial, record.station.serial, record.version_after) == ("SN1", "SN1", target)
    counters = station.hub.snapshot().counters
    assert (counters.passed, counters.first_pass_yield) == (1, 1.0)


def test_no_port_is_opened_before_the_label_of_a_chip_is_read(start: Start, tmp_path: Path) -> None:
    station = start(SCAN, parts=ChipParts(tmp_path))
    station.places[1].put_in("sim://GD32")
    assert station.wait_for(S.WANTING_SCAN).wanted_scan == "label"
    assert station.reporter.events == []
    station.places[1].take_out()
    station.wait(lambda: bool(station.reporter.verdicts))
    event = station.reporter.verdicts[0]
    assert (event.verdict, event.exit_code) == (Verdict.STATION_ERROR, 4)
    station.wait_for(S.EMPTY)


def test_a_chip_that_was_done_is_known_by_its_label(start: Start, tmp_path: Path) -> None:
    station = start(SCAN, parts=ChipParts(tmp_path))
    scanned(station, "sim://GD32", "SN1")
    station.wait(lambda: bool(station.reporter.verdicts))
    station.remove()
    scanned(station, "sim://GD32", "SN1")
    view = station.wait_for(S.REMOVE_UNIT)
    assert view.done_before is not None
    assert len(station.reporter.verdicts) == 1
    assert station.hub.send(AgainCommand(lane=1, reason="another build")).ok
    station.wait(lambda: len(station.reporter.verdicts) == 2)
    assert station.hub.snapshot().counters.retested == 1


def test_a_chip_that_failed_counts_against_its_label_and_passes_as_a_retest(
    start: Start, tmp_path: Path
) -> None:
    station = start(SCAN, parts=ChipParts(tmp_path))
    scanned(station, "sim://GD32?fault=old-app", "SN1")
    station.wait(lambda: bool(station.reporter.verdicts))
    assert station.lane().verdict is Verdict.FAIL
    assert station.hub.send(AgainCommand(lane=1, reason="reseated")).ok
    station.remove()
    scanned(station, "sim://GD32", "SN1")
    station.wait(lambda: len(station.reporter.verdicts) == 2)
    assert (station.lane().verdict, station.lane().is_retest) == (Verdict.PASS, True)
    counters = station.hub.snapshot().counters
    assert (counters.passed, counters.retested, counters.first_pass_yield) == (1, 1, 0.0)


def test_one_label_in_two_lanes_of_chips_is_refused(start: Start, tmp_path: Path) -> None:
    station = start(SCAN, lanes=2, work='batch = "B-1"\nmax_active = 1', parts=ChipParts(tmp_path))
    scanned(station, "sim://GD32?speed=20", "SN1", 1)
    station.wait_for(S.RUNNING, 1)
    scanned(station, "sim://GD32", "SN1", 2)
    station.wait(lambda: bool(station.reporter.verdicts))
    event = station.reporter.verdicts[0]
    assert (event.lane, event.exit_code, event.verdict) == (2, 13, Verdict.STATION_ERROR)
    assert "lane 1 works on a unit with the same number" in event.sentence


def test_the_next_chip_in_a_lane_inherits_nothing_from_one_that_was_cut(start: Start, tmp_path: Path) -> None:
    """Chips are told apart by their labels, not by the port, which they share."""
    station = start(SCAN, parts=ChipParts(tmp_path))
    scanned(station, "sim://GD32?version=V0.9&fault=unplug-at:write", "SN1")
    station.wait(lambda: bool(station.reporter.verdicts))
    assert station.reporter.verdicts[0].exit_code == 4
    station.remove()
    scanned(station, "sim://GD32?version=V1.0", "SN2")
    station.wait(lambda: len(station.reporter.verdicts) == 2)
    assert station.lane().verdict is Verdict.PASS
    first, second = (station.journal.records(serial=label)[0] for label in ("SN1", "SN2"))
    assert (first.version_before, second.version_before) == ("V0.9", "V1.0")
    assert second.run != first.run
    station.remove()
    scanned(station, "sim://GD32", "SN1")
    station.wait(lambda: len(station.reporter.verdicts) == 3)
    assert station.journal.records(serial="SN1")[0].run == first.run


def spec(board: Board | None = None, model: str | None = "GD32") -> JobSpec:
    return JobSpec(port="", task_type="sota", model=model, board=board)


def test_a_lane_of_chips_needs_a_number_for_its_units(make_config: Callable[..., StationConfig]) -> None:
    board = Board(name="b", chip=Chip(version=Version(send="V\r", expect=r"V(\S+) ID(?P<serial>\w+)")))
    require_chip(make_config(SCAN), 1, spec())
    require_chip(make_config(), 1, spec(board))
    require_chip(make_config(), 1, JobSpec(port=""))
    for config in (make_config(), make_config(SCAN.replace("required", "optional"))):
        with pytest.raises(ConfigError, match="lane 1: a chip has no number of its own"):
            require_chip(config, 1, spec())


def test_a_lane_of_chips_needs_the_name_of_its_chip(make_config: Callable[..., StationConfig]) -> None:
    with pytest.raises(ConfigError, match="lane 1: the chip is not named"):
        require_chip(make_config(SCAN), 1, spec(model=None))
