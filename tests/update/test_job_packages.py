"""Packages of the user's own, boards, refusals, and a job over a real connection."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from atota.clock import SimulatedClock, SystemClock
from atota.errors import LimitReached
from atota.link import ports
from atota.link.ports import PortInfo
from atota.module.module import Module
from atota.module.reconnect import UsbAdapters
from atota.ota.cache import Cache
from atota.ota.download import Downloader
from atota.ota.registry import Access, open_platform
from atota.otaserver.model import Auth, Device, TasksFile, TaskSpec, build
from atota.otaserver.serve import RunningServer
from atota.otaserver.service import LocalPlatform
from atota.settings.board import Accept, Board, Limits, Ota, Serial
from atota.settings.spec import Allowed, JobSpec, LocalPackage
from atota.sim.package import build_package
from atota.update.events import JobEvent, Note, StageEvent
from atota.update.job import Job

MakeBench = Callable[..., Any]
MODELS = ("BC28", "M5310-A", "BC95-B8", "SARA-N200")


def local(bench: Any, folder: Path, data: bytes | None = None, **changed: Any) -> LocalPackage:
    path = folder / changed.pop("name", "p.bin")
    path.write_bytes(bench.package if data is None else data)
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return LocalPackage(**{"path": path, "md5": md5, "target": bench.target, **changed})


@pytest.mark.parametrize("model", MODELS)
def test_a_package_of_the_users_own(make_bench: MakeBench, tmp_path: Path, model: str) -> None:
    bench = make_bench(model)
    result = bench.run(package=local(bench, tmp_path))
    bench.judge(result)
    assert result.outcome == "updated"
    assert bench.requests == []
    assert {"check", "download", "report"} <= set(bench.stages("skipped"))
    assert bench.run(package=local(bench, tmp_path)).outcome == "already-current"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b"Firmware chunks" + bytes(100), "UEUpdater"),
        (bytes(1026), "multiples of 4"),
    ],
)
def test_a_bad_package_ends_with_7_and_touches_nothing(
    make_bench: MakeBench, tmp_path: Path, data: bytes, why: str
) -> None:
    bench = make_bench()
    result = bench.run(package=local(bench, tmp_path, data))
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("bad-package", 7)
    assert why in str(result.error)
    assert not bench.module.flash.erases


def test_wrong_digests_and_missing_files(make_bench: MakeBench, tmp_path: Path) -> None:
    bench = make_bench()
    good = local(bench, tmp_path)
    wrong: list[tuple[dict[str, Any], int]] = [
        ({"md5": "0" * 32}, 7),
        ({"sha256": "0" * 64}, 7),
        ({"path": tmp_path / "none.bin"}, 7),
        ({"path": tmp_path}, 7),
        ({"md5": "nonsense"}, 2),
        ({"sha256": "nonsense"}, 2),
    ]
    for changed, code in wrong:
        fields = {name: getattr(good, name) for name in good.__struct_fields__} | changed
        result = bench.run(package=LocalPackage(**fields))
        bench.judge(result)
        assert result.exit_code == code, (changed, result.error)
    assert not bench.module.flash.erases


@pytest.mark.parametrize("change", [lambda d: d[:-32], lambda d: d + bytes(32), lambda d: bytes(len(d))])
def test_a_file_that_is_changed_between_check_and_write_starts_nothing(
    make_bench: MakeBench, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    bench = make_bench("M5310-A")
    package = local(bench, tmp_path)

    def swap(event: JobEvent) -> None:
        if isinstance(event, StageEvent) and (event.stage, event.state) == ("prepare", "done"):
            package.path.write_bytes(change(bench.package))

    result = bench.run(package=package, listener=swap)
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("bad-package", 7)
    assert not bench.module.starts
    assert bench.module.settings.values[b"CFUN"] == b"1"


def test_a_name_that_tells_another_base_is_refused(make_bench: MakeBench, tmp_path: Path) -> None:
    bench = make_bench()
    package = local(bench, tmp_path, name="BC28JAR01A01_TO_BC28JAR01A05.bin")
    assert bench.run(package=package).exit_code == 6
    result = bench.run(package=package, allowed=Allowed(any_base=True))
    bench.judge(result)
    assert result.outcome == "updated"


@pytest.mark.parametrize("model", MODELS)
def test_a_package_for_another_base_is_found_bad_by_the_module(make_bench: MakeBench, model: str) -> None:
    bench = make_bench(model, made_for="V1")
    result = bench.run()
    bench.judge(result)
    assert result.outcome in ("write-failed", "old-version")
    assert bench.module.version == bench.base


# -- refusals ------------------------------------------------------------------------------------


def test_a_module_that_is_another_one_is_refused_before_the_platform_is_asked(make_bench: MakeBench) -> None:
    bench = make_bench("BC28")
    result = bench.run(model="M5310-A")
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert bench.requests == []


def test_a_downgrade_needs_a_word(make_bench: MakeBench) -> None:
    bench = make_bench("BC28", sim={"version": "BC28JAR01A09"}, made_for="BC28JAR01A09")
    assert bench.run().exit_code == 6
    result = bench.run(allowed=Allowed(downgrade=True))
    bench.judge(result)
    assert result.outcome == "updated"


def test_what_a_job_cannot_do_without(make_bench: MakeBench, tmp_path: Path) -> None:
    bench = make_bench()
    assert bench.run(dev_id=None).exit_code == 2
    result = Job(JobSpec(port="sim://BC28", dev_id="1")).run()
    assert (result.outcome, result.exit_code) == ("usage", 2)
    missing = "/dev/no-such-port"
    result = Job(JobSpec(port=missing, package=LocalPackage(tmp_path / "p", "0" * 32, "V1"))).run()
    assert (result.outcome, result.exit_code) == ("bad-package", 7)
    package = tmp_path / "q"
    package.write_bytes(bytes(512))
    md5 = hashlib.md5(bytes(512), usedforsecurity=False).hexdigest()
    result = Job(JobSpec(port=missing, package=LocalPackage(package, md5, "V1"))).run()
    assert (result.outcome, result.exit_code) == ("port", 4)
    for block in (0, -1):
        result = Job(JobSpec(port=missing, package=LocalPackage(package, md5, "V1"), block=block)).run()
        assert (result.outcome, result.exit_code) == ("usage", 2)
    assert bench.run(block=333).exit_code == 6


def test_a_sara_n200_01b_has_no_command_for_it(make_bench: MakeBench) -> None:
    """UBX-16014887 R21 documents it for the -02B only; the -01B answers an error to the test form."""

    class Older:
        """The wire to a module whose firmware lacks the command."""

        def __init__(self, inner: Any) -> None:
            self.inner, self.asked = inner, False

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def write(self, data: bytes) -> None:
            self.inner.write(data.replace(b"AT+NFWUPD", b"AT+NOFWUPD"))

        def read(self, timeout_s: float) -> bytes:
            data: bytes = self.inner.read(timeout_s)
            return data

    bench = make_bench("SARA-N200")
    opened = bench.open
    bench.open = lambda port, **how: Module(
        Older(opened(port, **how).session.link), stop=how["stop"], listener=how["listener"]
    )
    result = bench.run()
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert "no usable AT+NFWUPD" in str(result.error)
    assert bench.module.updater.blocks == 0
    assert bench.reported == []


# -- boards --------------------------------------------------------------------------------------


def test_a_board_gives_what_the_spec_does_not(make_bench: MakeBench) -> None:
    bench = make_bench("BC28", sim={"version": "BC28JAR01A09"}, made_for="BC28JAR01A09")
    board = Board(
        name="b",
        model="BC28",
        ota=Ota(dev_id="1", type="fota", fw_version="V9"),
        serial=Serial(transfer_baud=0),
        accept=Accept(model="BC28", downgrade=True),
        limits=Limits(reboot_timeout_s=300, timeout_s=400),
    )
    result = bench.run(board=board, dev_id=None)
    bench.judge(result)
    assert result.outcome == "updated"
    checks = [said.value for said in bench.platform.task("1").history if said.call == "check"]
    assert checks == ["V9"]
    assert result.stages_ms["write"] > 9_000, "it was written at 9600 baud"


def test_the_limits_of_a_board(make_bench: MakeBench) -> None:
    bench = make_bench()
    assert bench.run(board=Board(name="b", limits=Limits(timeout_s=2))).exit_code == 124
    bench = make_bench()
    assert bench.run(board=Board(name="b", limits=Limits(timeout_s=2)), timeout_s=500.0).exit_code == 0
    bench = make_bench("SARA-N200")
    board = Board(name="b", limits=Limits(reboot_timeout_s=20))
    assert bench.run(board=board).outcome == "unknown-after-reboot"


def test_a_board_refuses_other_models(make_bench: MakeBench) -> None:
    bench = make_bench("M5310-A")
    result = bench.run(board=Board(name="b", accept=Accept(model="BC28")))
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert bench.requests == []


def test_a_board_that_wants_what_there_is_not_is_a_bad_config() -> None:
    spec = JobSpec(
        port="sim://BC28",
        board=Board(name="b", serial=Serial(flow="xon-xoff")),
        package=LocalPackage(Path("p"), "0" * 32, "V1"),
    )
    result = Job(spec).run()
    assert (result.outcome, result.exit_code) == ("bad-config", 3)


def test_a_limit_of_this_machine_is_13(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise LimitReached("the disk is full")

    bench = make_bench()
    monkeypatch.setattr(Downloader, "fetch", full)
    result = bench.run()
    bench.judge(result)
    assert (result.outcome, result.exit_code) == ("limit", 13)
    assert all(step < 100 for step in bench.reported)


def test_a_user_who_says_no_changes_nothing(tmp_path: Path) -> None:
    asked: list[Any] = []

    def no(identity: Any, wanted: Any) -> bool:
        asked.append((identity.version, wanted.target))
        return False

    package = tmp_path / "p.bin"
    package.write_bytes(bytes(1024))
    md5 = hashlib.md5(bytes(1024), usedforsecurity=False).hexdigest()
    spec = JobSpec(port="sim://BC28", package=LocalPackage(package, md5, "BC28JAR01A05"))
    result = Job(spec, approve=no, clock=SimulatedClock()).run()
    assert (result.outcome, result.exit_code) == ("refused", 6)
    assert asked == [("BC28JAR01A03", "BC28JAR01A05")]
    assert "prepare" not in result.stages_ms


# -- real things ---------------------------------------------------------------------------------


def test_usb_adapters_are_remembered_by_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    here = PortInfo(device="/dev/ttyUSB0", usb_id="0403:6001", serial_number="A5", location="1-4")
    moved = PortInfo(device="/dev/ttyUSB3", usb_id="0403:6001", serial_number="A5", location="1-2")
    plain = PortInfo(device="/dev/ttyS0")
    monkeypatch.setattr(ports, "list_ports", lambda: [plain, here])
    adapters = UsbAdapters()
    assert adapters.remember("/dev/ttyUSB0") == here
    assert adapters.remember("/dev/ttyS0") is None
    assert adapters.remember("socket://localhost:1") is None
    assert adapters.remember("sim://BC28") is None
    monkeypatch.setattr(ports, "list_ports", lambda: [plain, moved])
    assert adapters.find(here) == "/dev/ttyUSB3"
    monkeypatch.setattr(ports, "list_ports", lambda: [plain])
    assert adapters.find(here) is None


@pytest.mark.parametrize("server", ["", "cut-after:40%"])
def test_a_job_over_a_real_connection(tmp_path: Path, server: str) -> None:
    package = build_package(model="BC28", base="BC28JAR01A03", target="BC28JAR01A05", size=8192)
    file = TasksFile(
        auth=Auth(product_id="123", access_key="a2V5"),
        devices=(Device(dev_id="1"),),
        tasks=(TaskSpec(dev_id="1", manuf="014", model="01401", package="p", target="BC28JAR01A05"),),
    )
    platform = LocalPlatform(build(file, {"p": package}), faults=server)
    clock = SystemClock()
    notes: list[str] = []
    with RunningServer(platform) as running:
        access = Access(server=running.url, clock=clock, access_key="a2V5", product_id="123")
        with open_platform("generic", access) as client:
            result = Job(
                JobSpec(port="sim://BC28", dev_id="1"),
                platform=client,
                downloader=Downloader(client, clock, Cache(tmp_path)),
                listener=lambda event: notes.append(event.text) if isinstance(event, Note) else None,
            ).run()
    assert result.outcome == "updated"
    assert platform.task("1").state.value == "done"
    assert result.task is not None
    assert "token" not in msgspec.to_builtins(result.task)
    assert bool(notes) == bool(server)
