"""Whole jobs by every method, with faults, judged against the true state of the simulated module."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atota.clock import SimulatedClock
from atota.ota.cache import Cache
from atota.ota.download import Downloader
from atota.ota.registry import Access, open_platform
from atota.otaserver.model import Auth, Device, TasksFile, TaskSpec, build
from atota.otaserver.serve import RunningServer
from atota.otaserver.service import LocalPlatform
from atota.settings.spec import JobSpec
from atota.sim.package import build_package
from atota.update.events import JobEvent, Note
from atota.update.job import Job
from tests.update.streams import ALL, STREAMS, flashed, made

MakeBench = Callable[..., Any]
OTHERS = ("EC616", "XY1100", "ENS22", "NB86-G", "UNKNOWN-HI2115")
CODES = {
    "updated": 0,
    "no-answer": 5,
    "port": 4,
    "write-failed": 9,
    "unknown-after-reboot": 11,
    "old-version": 12,
}


# -- every method, without faults ---------------------------------------------------------------------


@pytest.mark.parametrize("model", [*STREAMS, *OTHERS, "BC26", "M5311"])
@pytest.mark.parametrize("baud", [None, 115200], ids=["as-delivered", "fixed-rate"])
def test_every_method_ends_updated(make_bench: MakeBench, model: str, baud: int | None) -> None:
    bench = made(make_bench, model, baud=baud) if baud is not None else made(make_bench, model)
    result = flashed(bench)
    bench.judge(result)
    assert result.outcome == "updated", result.error
    assert bench.module.version == bench.target
    assert bench.module.starts == ["PACKAGE_OK"]
    assert not result.retries
    assert not result.warnings


@pytest.mark.parametrize("model", ["SIM7000C", "SIM7020C", "ME3616", "NB86-G"])
def test_every_method_of_the_table_ends_updated_by_the_platforms_task(
    make_bench: MakeBench, model: str
) -> None:
    bench = made(make_bench, model)
    result = bench.run(allowed=ALL)
    bench.judge(result)
    assert result.outcome == "updated", result.error
    assert bench.state == "done"
    assert bench.reported[-2:] == [101, 201]


def test_a_module_fetches_from_the_platforms_own_address(tmp_path: Path) -> None:
    package = build_package(model="BC26", base="BC26NBR01A01", target="BC26NBR01A02", size=4096)
    task = TaskSpec(dev_id="1", manuf="014", model="01405", package="p", target="BC26NBR01A02")
    file = TasksFile(
        auth=Auth(product_id="123", access_key="a2V5"), devices=(Device(dev_id="1"),), tasks=(task,)
    )
    platform = LocalPlatform(build(file, {"p": package}), clock=SimulatedClock())
    events: list[JobEvent] = []
    clock = SimulatedClock()
    with RunningServer(platform) as running:
        access = Access(server=running.url, clock=clock, access_key="a2V5", product_id="123")
        with open_platform("generic", access) as client:
            result = Job(
                JobSpec(port="sim://BC26", dev_id="1", allowed=ALL),
                platform=client,
                downloader=Downloader(client, clock, Cache(tmp_path)),
                listener=events.append,
            ).run()
        fetched = [line for line in running.lines if line.startswith("download ")]
    assert result.outcome == "updated", result.error
    assert platform.task("1").state.value == "done"
    assert platform.task("1").reported[-2:] == [101, 201]  # not before the module has fetched it
    assert len(fetched) == 2  # verified here, then fetched by the module
    told = [event.text for event in events if isinstance(event, Note)]
    assert any("downloads the package" in text for text in told)
    assert "ota_" not in "".join(map(repr, events))


# -- faults that are mended in the same job -----------------------------------------------------------

ALWAYS = ("echo", "urc-storm:0.3", "urc-inside-reply", "boot-garbage", "quiet-update", "cut-urc:3")
START = ("lose-reply:start", "late-reply:start:30", "reboot-at-block:start", "back-at-baud:9600")
DATA = (
    "no-prompt:0",
    "late-prompt:0:3",
    "late-prompt:0:25",
    "close-window:0",
    "refuse-block:0",
    "refuse-data:0",
    "reboot-at-block:0",
    "brownout-at-block:0",
    "reboot-in-data:0",
    "lose-reply:0",
    "drop-byte:900",
    "busy:0",
    "reboot-in-update",
)
MENDED: dict[str, tuple[str, ...]] = {
    "SIM7000C": (*ALWAYS, *START, *DATA, "short-write:0", "lose-reply:validate", "reboot-at-block:prepare"),
    "SIM7020C": (
        *ALWAYS,
        *START,
        *DATA,
        "no-prompt:5",
        "late-prompt:5:25",
        "refuse-data:7",
        "reboot-in-data:5",
        "lose-reply:7",
        "late-reply:5:25",
        "short-write:3",
        "refuse-md5:1",
        "flip-byte:900",
        "double-byte:900",
        "lose-reply:erase",
        "brownout-at-block:erase",
    ),
    "ME3616": (*ALWAYS, *START, *DATA),
    "EC21": (
        *ALWAYS,
        *START,
        *DATA,
        "lose-ack:0",
        "lose-ack:2",
        "short-write:0",
        "refuse-md5:1",
        "flip-byte:900",
        "double-byte:900",
        "lose-reply:erase",
    ),
    "EC800M": (
        *ALWAYS,
        *DATA,
        "refuse-start:1",
        "back-at-baud:9600",
        "refuse-data:0+close-window:0",
        "close-window:0+refuse-data:0",
    ),
    "SARA-R410": (
        *ALWAYS,
        *START,
        "no-prompt:prepare",
        "late-prompt:prepare:3",
        "late-prompt:prepare:25",
        "refuse-block:prepare",
        "lose-reply:prepare",
        "reboot-at-block:prepare",
        "close-window:1",
        "refuse-data:1:4",
        "lose-ack:0",
        "lose-ack:2",
        "reboot-in-data:0",
        "reboot-in-data:2",
        "drop-byte:900",
        "flip-byte:900",
        "double-byte:900",
        "reboot-in-update",
    ),
    "BC26": (
        *ALWAYS,
        "lose-reply:start",
        "late-reply:start:30",
        "reboot-at-block:start",
        "reboot-in-download",
        "reboot-in-update",
        "fail-download:1",
        "drop-byte:200",
        "back-at-baud:9600",
    ),
    "M5311": (
        *ALWAYS,
        "lose-reply:prepare",
        "lose-reply:start",
        "late-reply:start:30",
        "reboot-at-block:start",
        "reboot-in-download",
        "reboot-in-update",
        "fail-download:1",
        "back-at-baud:9600",
    ),
}


@pytest.mark.parametrize(("model", "fault"), [(model, fault) for model in MENDED for fault in MENDED[model]])
def test_a_passing_fault_is_mended_in_the_same_job(make_bench: MakeBench, model: str, fault: str) -> None:
    bench = made(make_bench, model, fault)
    result = flashed(bench)
    bench.judge(result)
    assert result.outcome == "updated", (result.error, getattr(result.error, "tried", ""), result.warnings)
    assert bench.module.version == bench.target
    assert set(bench.module.starts) == {"PACKAGE_OK"}


@pytest.mark.parametrize("fault", ["reboot-in-data:0", "reboot-at-block:0", "lose-reply:start"])
@pytest.mark.parametrize("model", STREAMS[:5])
def test_a_reboot_whose_banner_can_be_read_is_mended_too(
    make_bench: MakeBench, model: str, fault: str
) -> None:
    bench = made(make_bench, model, fault, baud=115200)
    result = flashed(bench)
    bench.judge(result)
    assert result.outcome == "updated", (result.error, result.warnings)
    assert set(bench.module.starts) == {"PACKAGE_OK"}


# -- faults that end the job --------------------------------------------------------------------------

REFUSED = ("no-prompt:0:9", "close-window:0:9", "refuse-block:0:9", "refuse-data:0:9")
LOST = {"stay-dead-after-update": "unknown-after-reboot", "rollback": "old-version", "mute": "no-answer"}
FINAL: dict[str, dict[str, str]] = {
    **{model: dict.fromkeys(REFUSED, "write-failed") for model in STREAMS[:5]},
    "SARA-R410": dict.fromkeys(
        ("no-prompt:prepare:9", "close-window:0:9", "refuse-block:prepare:9", "refuse-data:0:99"),
        "write-failed",
    ),
    "BC26": dict.fromkeys(("fail-download", "refuse-start", "refuse-validate", "busy:start"), "write-failed"),
    "M5311": dict.fromkeys(("fail-download", "refuse-start"), "write-failed"),
}
for _model, _cases in FINAL.items():
    _place = {"SARA-R410": "prepare", "BC26": "start", "M5311": "prepare"}.get(_model, "0")
    _cases |= LOST | {f"silent-at:{_place}": "no-answer", f"unplug-at:{_place}": "port"}
    _cases |= {"fail-update": "old-version"}
    if _model not in ("EC800M", "M5311"):
        _cases |= {"silent-at:start": "unknown-after-reboot", "refuse-start": "write-failed"}
FINAL["BC26"]["silent-at:start"] = "unknown-after-reboot"
FINAL["SIM7000C"] |= {"short-write:0:9": "write-failed", "reboot-in-data:0+reboot-in-data:1": "updated"}
FINAL["SIM7020C"] |= {"refuse-md5": "write-failed", "refuse-erase": "write-failed"}
FINAL["EC21"] |= {"refuse-md5": "write-failed", "lose-ack:0:20": "write-failed"}


@pytest.mark.parametrize(
    ("model", "fault", "outcome"),
    [(model, fault, outcome) for model, cases in FINAL.items() for fault, outcome in cases.items()],
)
def test_a_final_fault_ends_with_its_own_outcome(
    make_bench: MakeBench, model: str, fault: str, outcome: str
) -> None:
    bench = made(make_bench, model, fault)
    result = flashed(bench)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == (outcome, CODES[outcome]), (result.error, result.warnings)
    assert set(bench.module.starts) <= {"PACKAGE_OK"}
    if outcome in ("write-failed", "no-answer"):
        assert not bench.module.starts
    if outcome != "updated":
        assert result.error is not None
        assert result.error.hint


@pytest.mark.parametrize("fault", ["short-write:0", "flip-byte:900", "double-byte:900"])
def test_what_no_checksum_tells_is_found_by_the_module_and_is_never_called_updated(
    make_bench: MakeBench, fault: str
) -> None:
    """The method has no checksum: the module itself refuses such a package in its update."""
    bench = made(make_bench, "ME3616", fault)
    result = flashed(bench)
    assert (result.outcome, result.exit_code) == ("old-version", 12)
    assert bench.module.version == bench.base


@pytest.mark.parametrize("fault", ["short-write:0", "flip-byte:900", "double-byte:900"])
def test_what_was_damaged_on_the_way_and_turned_down_is_written_once_more(
    make_bench: MakeBench, fault: str
) -> None:
    """The pushed stream has no checksum, and the module checks the package before it reboots."""
    bench = made(make_bench, "EC800M", fault)
    result = flashed(bench)
    bench.judge(result)
    assert result.outcome == "updated"
    assert "turned the package down before it rebooted" in result.warnings[0]


@pytest.mark.parametrize(("model", "fault"), [("EC616", ""), ("SIM7000C", "lose-reply:start:9")])
def test_an_update_that_fails_each_time_ends_with_the_old_version_though_no_start_was_answered(
    make_bench: MakeBench, model: str, fault: str
) -> None:
    bench = make_bench(model, fault, made_for="ANOTHER")
    result = flashed(bench)
    assert (result.outcome, result.exit_code) == ("old-version", 12)
    assert bench.module.starts == ["PACKAGE_VERSION_MISMATCHED"] * 3
    assert bench.module.version == bench.base


@pytest.mark.parametrize("model", ["BC26", "M5311"])
def test_a_module_without_network_is_left_as_it_is(make_bench: MakeBench, model: str) -> None:
    bench = made(make_bench, model, network=0)
    result = flashed(bench)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("write-failed", 9)
    assert result.error is not None
    assert "antenna" in result.error.hint
    assert not bench.module.starts


def test_a_push_that_never_comes_is_told_so(make_bench: MakeBench) -> None:
    bench = make_bench("M5311")
    result = flashed(bench)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("write-failed", 9)
    assert result.error is not None
    assert "console" in result.error.hint
    notes = [event.text for event in bench.events if isinstance(event, Note)]
    assert any("the platform must push" in text for text in notes)
    assert any("30 minutes" in text for text in notes)
