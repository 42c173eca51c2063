"""Whole jobs on simulated chips, which were written from the documents apart from the flashers."""

import importlib.util
import io
import itertools
import json
import sqlite3
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atota.clock import SystemClock
from atota.journal.store import Journal
from atota.settings.board import decode_board
from atota.settings.spec import Allowed, JobSpec, LocalPackage
from atota.sim.chips.application import build_application
from atota.sim.chips.esp_image import build_image as build_esp_image
from atota.sim.chips.init_packet import build_init_packet as build_signed_packet
from atota.sim.chips.legacy_dfu import build_init_packet
from atota.sim.chips.mcuboot import build_image as build_mcuboot_image
from atota.update.events import JobEvent, JobResult, Note, StageEvent
from atota.update.job import Job
from atota.values import Digests
from tests.cli.running import KEY, Bench, Cli

NAMES = itertools.count()
HAS_ESPTOOL = importlib.util.find_spec("esptool") is not None


def gd32(version: str = "V1.1.0", size: int = 9000) -> bytes:
    return build_application(version, base=0x08000000, size=size)


def legacy() -> bytes:
    image = build_application("V1.1.0", base=0x1C000, ram=0x10000, size=9000)
    return zipped(image, build_init_packet(image))


def signed(**how: Any) -> bytes:
    image = build_application("V1.1.0", base=0x26000, ram=0x10000, size=9000)
    more: dict[str, Any] = {"version": 0x010100, "hardware": 52, "softdevices": (0xB7,)} | how
    return zipped(image, build_signed_packet(image, **more))


def zipped(image: bytes, init: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        entry = {"bin_file": "app.bin", "dat_file": "app.dat"}
        archive.writestr("manifest.json", json.dumps({"manifest": {"application": entry}}))
        archive.writestr("app.bin", image)
        archive.writestr("app.dat", init)
    return data.getvalue()


class Kind:
    """One kind of simulated chip: its port, its package, and the version that this brings."""

    def __init__(
        self, model: str, package: bytes, target: str = "V1.1.0", chip: str = "", more: str = ""
    ) -> None:
        self.model, self.package, self.target, self.chip, self.more = model, package, target, chip, more
        self._name = f"test-{next(NAMES)}"

    def port(self, fault: str = "") -> str:
        return f"sim://{self.model}?id={self._name}&speed=max{self.more}{fault and '&fault=' + fault}"

    def spec(self, folder: Path, *, fault: str = "", erase: bool = False) -> JobSpec:
        path = folder / "package"
        path.write_bytes(self.package)
        return JobSpec(
            port=self.port(fault),
            task_type="sota",
            model=self.model,
            board=decode_board(f"name = 'b'\n[chip]\n{self.chip}\n", name="b.toml"),
            package=LocalPackage(path, Digests.of(self.package).md5, self.target),
            allowed=Allowed(erase=erase),
        )

    def flash(self, folder: Path, *, fault: str = "", erase: bool = False) -> JobResult:
        return Job(self.spec(folder, fault=fault, erase=erase)).run()


KINDS: dict[str, Callable[[], Kind]] = {
    "gd32": lambda: Kind("GD32", gd32()),
    "smp": lambda: Kind("nrf52832", build_mcuboot_image("V1.1.0", size=6000), "1.1.0"),
    "nordic-legacy": lambda: Kind(
        "nrf52832", legacy(), chip="protocol = 'nordic-legacy'", more="&protocol=nordic-legacy"
    ),
    "nordic-secure": lambda: secure(signed()),
}


def secure(package: bytes) -> Kind:
    return Kind("nrf52832", package, chip="protocol = 'nordic-secure'", more="&protocol=nordic-secure")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]()


def test_a_package_of_this_machine_ends_updated(kind: Kind, tmp_path: Path) -> None:
    result = kind.flash(tmp_path)
    assert (result.outcome, result.error) == ("updated", None)
    assert kind.flash(tmp_path).outcome == "already-current"


def test_a_chip_that_boots_its_old_application_is_never_updated(kind: Kind, tmp_path: Path) -> None:
    result = kind.flash(tmp_path, fault="old-app")
    assert (result.outcome, result.exit_code) == ("old-version", 12)


def test_a_chip_whose_application_is_dead_is_not_confirmed(kind: Kind, tmp_path: Path) -> None:
    result = kind.flash(tmp_path, fault="dead-app")
    assert (result.outcome, result.exit_code) == ("unknown-after-reboot", 11)


def test_an_application_restarts_into_serial_recovery_where_the_board_says_so(tmp_path: Path) -> None:
    kind = Kind("nrf52832", build_mcuboot_image("V1.1.0", size=6000), "1.1.0", chip="recovery = true")
    notes: list[str] = []
    result = Job(
        kind.spec(tmp_path),
        listener=lambda event: notes.append(event.text) if isinstance(event, Note) else None,
    ).run()
    assert (result.outcome, result.error) == ("updated", None)
    assert "uploading into the running slot, by the bootloader" in notes
    assert kind.flash(tmp_path).outcome == "already-current"


SECURE_REFUSALS: dict[str, dict[str, Any]] = {
    "the version is too low": {"version": 0x000900},
    "the hardware version does not fit": {"hardware": 51},
    "the SoftDevice does not fit": {"softdevices": (0x01,)},
    "the signature is missing": {"key": None},
}


@pytest.mark.parametrize("words", SECURE_REFUSALS)
def test_a_signed_package_that_the_bootloader_refuses_fails_with_its_reason(
    tmp_path: Path, words: str
) -> None:
    result = secure(signed(**SECURE_REFUSALS[words])).flash(tmp_path)
    assert (result.outcome, result.exit_code) == ("write-failed", 9)
    assert result.error is not None
    assert words in result.error.message


class Killed(Exception):
    """The process ends here."""


STAGES = ("prepare", "write", "validate", "activate", "reboot", "confirm")


@pytest.mark.parametrize("stage", STAGES)
def test_a_process_killed_at_any_stage_ends_updated_when_it_is_run_again(
    kind: Kind, tmp_path: Path, stage: str
) -> None:
    disk, numbers = sqlite3.connect(":memory:"), itertools.count()

    def run(listener: Callable[[JobEvent], None]) -> JobResult | None:
        is_dead = False

        def listen(event: JobEvent) -> None:
            nonlocal is_dead
            try:
                listener(event)
            except Killed:
                is_dead = True
            if is_dead:
                raise Killed

        journal = Journal.on(disk, clock=SystemClock(), owner=f"{next(numbers)}")
        try:
            return Job(kind.spec(tmp_path), listener=listen, journal=journal).run()
        except Killed:
            return None

    def kill(event: JobEvent) -> None:
        if isinstance(event, StageEvent) and (event.stage, event.state) == (stage, "started"):
            raise Killed

    first = run(kill)
    assert first is None or first.outcome == "updated"  # a protocol without this stage
    results = [run(lambda _: None) for _ in range(2)]
    assert [result is not None and result.outcome for result in results] in (
        ["updated", "already-current"],
        ["already-current", "already-current"],
    )
    assert kind.flash(tmp_path).outcome == "already-current"


GD32_FAULTS = {
    "ignore-writes": ("write-failed", "differs from the package"),
    "protected": ("refused", "protected against reading"),
    "no-reset": ("no-answer", "does not answer"),
    "boot-mode": ("no-answer", "does not answer"),
    "mute": ("no-answer", "does not answer"),
    "nack:write": ("updated", ""),
    "nack:write:9": ("write-failed", "refuses to write"),
    "nack:erase:9": ("write-failed", "refuses to erase"),
    "mute-after:30": ("no-answer", "does not answer"),
    "cut-erase": ("updated", ""),
    "flip-flash:300": ("updated", ""),
    "lose-reply:30": ("updated", ""),
    "reset-at:40": ("updated", ""),
    "power-cut:5000": ("updated", ""),
    "quiet-app": ("updated", ""),
    "no-mass-erase": ("updated", ""),
}


@pytest.mark.parametrize("fault", GD32_FAULTS)
def test_a_fault_of_a_gd32_ends_as_it_has_to(tmp_path: Path, fault: str) -> None:
    outcome, words = GD32_FAULTS[fault]
    result = Kind("GD32", gd32()).flash(tmp_path, fault=fault)
    assert result.outcome == outcome, result.error
    assert words in (result.error.message if result.error is not None else "")


def test_a_protected_gd32_is_written_with_consent(tmp_path: Path) -> None:
    assert Kind("GD32", gd32()).flash(tmp_path, fault="protected", erase=True).outcome == "updated"


def test_a_gd32_with_wide_page_numbers_is_written_by_its_geometry(tmp_path: Path) -> None:
    part = "&part=GD32F303CC"
    refused = Kind("GD32", gd32(), more=part).flash(tmp_path)
    assert refused.outcome == "refused"
    chip = "page = 2048\nflash_size = 262144"
    assert Kind("GD32", gd32(), chip=chip, more=part).flash(tmp_path).outcome == "updated"


def test_two_lanes_at_once_disturb_nothing(tmp_path: Path) -> None:
    results: list[JobResult] = []
    lanes = []
    for name in ("gd32", "smp"):
        folder = tmp_path / name
        folder.mkdir()
        lanes.append(
            threading.Thread(
                target=lambda kind, to: results.append(kind.flash(to)), args=(KINDS[name](), folder)
            )
        )
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    assert [result.outcome for result in results] == ["updated", "updated"]


ROWS: dict[str, tuple[str, str, Callable[[], bytes], str]] = {
    "GD32": ("103", "10301", gd32, "V1.1.0"),
    "nrf52832": ("102", "10201", lambda: build_mcuboot_image("V1.1.0", size=6000), "1.1.0"),
    "ESP32": ("101", "10101", lambda: build_esp_image("V1.1.0", size=20_000), "V1.1.0"),
}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("model", ROWS)
def test_each_row_of_the_other_table_ends_updated_by_the_platforms_task(
    cli: Cli, make_bench: Callable[..., Bench], model: str
) -> None:
    if model == "ESP32" and not HAS_ESPTOOL:
        pytest.skip("esptool is not installed")
    manuf, code, package, target = ROWS[model]
    bench = make_bench(package=package(), type="sota", manuf=manuf, model=code, target=target)
    words = ("update", "--type", "sota", "--model", model, "-p", f"sim://{model}?speed=max", *bench.asking)
    ran = cli(*words, "--json", ATOTA_ACCESS_KEY=KEY)
    assert (ran.code, ran.result["outcome"]) == (0, "updated"), ran.err
    assert ran.result["version_after"] == target
    assert bench.state == "DONE"
    assert bench.server.platform.devices["6523"].versions["sota"] == target


def test_an_update_whose_chip_was_cut_asks_the_platform_with_the_version_of_before(
    cli: Cli, make_bench: Callable[..., Bench], tmp_path: Path
) -> None:
    """A GD32 that is cut in mid-write has no application that could tell a version."""
    bench = make_bench(package=gd32(), type="sota", manuf="103", model="10301", target="V1.1.0")
    port = f"sim://GD32?speed=max&id=test-{next(NAMES)}"
    words = ("--type", "sota", "--model", "GD32", *bench.asking, "--journal", tmp_path / "j", "--json")
    first = cli("update", "-p", f"{port}&fault=unplug-at:write", *words, ATOTA_ACCESS_KEY=KEY)
    assert first.code == 4, first.result
    second = cli("update", "-p", f"{port}&fault=unplug-at:write", *words, ATOTA_ACCESS_KEY=KEY)
    assert (second.code, second.result["outcome"]) == (0, "updated"), second.err
    assert second.result["version_before"] is None
    assert bench.state == "DONE"
