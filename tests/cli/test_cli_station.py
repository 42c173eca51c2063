"""The station's commands: events and exit codes of the contract, bad input, and the sums of a batch."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atota.cli.commands.station_demo import station_file
from atota.cli.stations import locked, locked_journal
from atota.clock import SystemClock
from atota.files import decode_toml
from atota.journal.store import Journal
from atota.otaserver import model
from atota.otaserver.serve import RunningServer
from atota.otaserver.service import LocalPlatform
from atota.sim.chips.package import build_chip_package
from atota.sim.package import build_package
from atota.station.config import StationFile
from atota.station.lane import LaneState
from atota.values import Digests
from tests.cli.running import BASE, KEY, PACKAGE, TARGET, Cli, Ran
from tests.ptys import Pty

IMEI = "490154203237518"
STATES = {state.value for state in LaneState}


@pytest.fixture
def station_path(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a station file whose lanes flash a package."""
    package = build_package(model="BC28", base=BASE, target=TARGET, size=600)
    (tmp_path / "new.bin").write_bytes(package)

    def write(*ports: str, more: str = "", md5: str = Digests.of(package).md5, name: str = "bench") -> Path:
        text = f'name = "{name}"\n[work]\ncommand = "flash"\npackage = "new.bin"\nmd5 = "{md5}"\n'
        text += f'target = "{TARGET}"\nbatch = "B-1"\n{more}\n'
        text += "".join(
            f'[[lane]]\nnumber = {number}\nport = "{port}"\n' for number, port in enumerate(ports, 1)
        )
        path = tmp_path / "station.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def run(cli: Cli, path: Path, *words: object, **env: str) -> Ran:
    journal = path.parent / "journal.sqlite3"
    return cli("station", "run", path, "--no-page", "--json", "--journal", journal, *words, **env)


def test_two_lanes_pass_three_units_with_the_events_of_the_contract(
    cli: Cli, station_path: Callable[..., Path]
) -> None:
    path = station_path("sim://BC28", "sim://BC28")
    ran = run(cli, path, "--units", 3)
    assert ran.code == 0
    assert ran.lines[0]["event"] == "begin"
    lanes = [line for line in ran.lines if line["event"] == "lane"]
    assert {line["state"] for line in lanes} <= STATES
    assert {"empty", "appeared", "settling", "identifying", "running", "passed"} <= {
        line["state"] for line in lanes
    }
    verdicts = [line for line in ran.lines if line["event"] == "verdict"]
    assert [(line["verdict"], line["outcome"], line["exit_code"]) for line in verdicts] == [
        ("pass", "updated", 0)
    ] * 3
    assert len({line["imei"] for line in verdicts}) == 3
    inner = [line for line in ran.lines if line["event"] not in ("begin", "result")]
    assert all({"lane", "job"} <= line.keys() for line in inner)
    assert (ran.result["ok"], ran.result["counters"]["passed"]) == (True, 3)
    journal = path.parent / "journal.sqlite3"
    records = cli("records", "list", "--json", "--journal", journal, "--batch", "B-1").result["records"]
    assert {record["id"] for record in records} == {line["record_id"] for line in verdicts}
    for options in (("--lane", 3), ("--station", "other"), ("--serial", "SN1"), ("--batch", "B-2")):
        assert cli("records", "list", "--json", "--journal", journal, *options).result["records"] == []


def test_the_exit_code_is_that_of_the_first_unit_that_failed(
    cli: Cli, station_path: Callable[..., Path]
) -> None:
    path = station_path("sim://BC28?fault=rollback")
    ran = run(cli, path, "--units", 1)
    verdict = next(line for line in ran.lines if line["event"] == "verdict")
    assert (ran.code, verdict["verdict"], verdict["outcome"]) == (12, "fail", "old-version")
    assert (ran.result["ok"], ran.result["outcome"], ran.result["exit_code"]) == (False, "old-version", 12)
    sums = cli("records", "batch", "B-1", "--json", "--journal", path.parent / "journal.sqlite3").result
    assert sums["batch"]["pareto"] == [{"key": "confirm:old-version:old-version", "count": 1}]


def test_an_update_takes_its_devices_from_a_list_and_refuses_the_others(cli: Cli, tmp_path: Path) -> None:
    file = model.TasksFile(
        auth=model.Auth(product_id="1000", access_key=KEY),
        tasks=(model.TaskSpec(dev_id="6523", manuf="014", model="01401", package="p.bin", target=TARGET),),
    )
    (tmp_path / "devices.csv").write_text(f"\ufeffimei;dev_id\n{IMEI};6523\n", encoding="utf-8")
    path = tmp_path / "station.toml"
    text = '[devices]\nfile = "devices.csv"\n'
    for number, imei in enumerate((IMEI, "490154203237526"), 1):
        text += f'[[lane]]\nnumber = {number}\nport = "sim://BC28?imei={imei}"\n'
    path.write_text('name = "b"\n' + text)
    with RunningServer(LocalPlatform(model.build(file, {"p.bin": PACKAGE}))) as server:
        ran = run(
            cli, path, "--units", 2, "--server", server.url, "--product-id", "1000", ATOTA_ACCESS_KEY=KEY
        )
        (task,) = server.platform.tasks
    verdicts = {line["lane"]: line for line in ran.lines if line["event"] == "verdict"}
    assert (verdicts[1]["verdict"], task.state.name) == ("pass", "DONE")
    assert (verdicts[2]["verdict"], verdicts[2]["exit_code"]) == ("station-error", 13)
    assert "is not in devices.csv" in verdicts[2]["sentence"]
    assert KEY not in ran.out + ran.err


def test_without_a_key_the_shift_does_not_begin(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text('name = "b"\n[[lane]]\nnumber = 1\nport = "sim://BC28"\n')
    ran = run(cli, path, "--units", 1, "--product-id", "1000")
    assert (ran.code, ran.result["outcome"]) == (2, "usage")


def test_a_package_with_another_md5_is_told_before_the_shift(
    cli: Cli, station_path: Callable[..., Path]
) -> None:
    ran = run(cli, station_path("sim://BC28", md5="0" * 32), "--units", 1)
    assert ran.code == 3
    assert "`md5` says 0000" in ran.result["error"]["message"]


def test_a_second_run_on_the_same_file_is_refused(cli: Cli, station_path: Callable[..., Path]) -> None:
    path = station_path("sim://BC28")
    with locked(path):
        ran = run(cli, path, "--units", 1)
    assert (ran.code, ran.result["outcome"]) == (13, "limit")
    assert "is running already" in ran.result["error"]["message"]


def test_a_second_station_on_the_same_journal_is_refused(
    cli: Cli, station_path: Callable[..., Path], tmp_path: Path
) -> None:
    with locked_journal(tmp_path / "journal.sqlite3"):
        ran = run(cli, station_path("sim://BC28"), "--units", 1)
    assert (ran.code, ran.result["outcome"]) == (13, "limit")
    assert "has this journal" in ran.result["error"]["message"]
    assert "--journal FILE" in ran.result["error"]["hint"]


def test_the_same_unit_in_a_later_run_is_shown_as_done(cli: Cli, station_path: Callable[..., Path]) -> None:
    assert run(cli, station_path(f"sim://BC28?imei={IMEI}"), "--units", 1).code == 0
    ran = run(cli, station_path(f"sim://BC28?imei={IMEI}", "sim://BC28"), "--units", 2)
    assert ran.code == 0
    shown = [line for line in ran.lines if line["event"] == "lane" and "done_before" in line]
    assert [(line["lane"], line["state"]) for line in shown] == [(1, "remove-unit")]
    assert {line["lane"] for line in ran.lines if line["event"] == "verdict"} == {2}


def test_ctrl_c_ends_a_station_with_a_result_line(station_path: Callable[..., Path], tmp_path: Path) -> None:
    path = station_path("sim://BC28?speed=10")
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data")}
    words = [sys.executable, "-m", "atota", "station", "run", str(path), "--no-page", "--json"]
    lines = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(json.loads(line))
            if lines[-1].get("state") == "running":
                process.terminate()
    assert process.returncode == 0
    assert (lines[-1]["event"], lines[-1]["ok"]) == ("result", True)
    (verdict,) = [line for line in lines if line["event"] == "verdict"]
    assert (verdict["verdict"], verdict["exit_code"]) == ("station-error", 130)


def stopped(path: Path, folder: Path, signals: int, stage: str) -> tuple[int, list[dict[str, Any]]]:
    """Run a station, and send it signals once a job has begun a stage."""
    environment = {**os.environ, "XDG_DATA_HOME": str(folder / "data")}
    words = [sys.executable, "-m", "atota", "station", "run", str(path), "--no-page", "--json"]
    words += ["--journal", str(folder / "journal.sqlite3")]
    lines: list[dict[str, Any]] = []
    left = signals
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(json.loads(line))
            has_begun = any((one.get("stage"), one.get("state")) == (stage, "started") for one in lines)
            while has_begun and left:
                left -= 1
                process.terminate()
                SystemClock().sleep(0.5)
    return process.returncode, lines


@pytest.mark.parametrize(
    ("signals", "stage", "code", "verdicts"),
    [
        (1, "identify", 0, [("station-error", 130)]),
        (1, "reboot", 0, [("pass", 0)]),  # an update that was started is seen through to its end
        (2, "reboot", 130, [("station-error", 130)]),
    ],
)
def test_the_first_signal_spares_an_update_that_was_started_and_the_second_does_not(
    station_path: Callable[..., Path],
    tmp_path: Path,
    signals: int,
    stage: str,
    code: int,
    verdicts: list[tuple[str, int]],
) -> None:
    speed = 1 if stage == "identify" else 4  # on a busy machine the signal comes late
    ended, lines = stopped(station_path(f"sim://BC28?speed={speed}"), tmp_path, signals, stage)
    assert (ended, lines[-1]["event"]) == (code, "result")
    told = [(line["verdict"], line["exit_code"]) for line in lines if line["event"] == "verdict"]
    assert told == verdicts
    with Journal(tmp_path / "journal.sqlite3", clock=SystemClock()) as journal:
        assert [record.exit_code for record in journal.records()] == [ended for _, ended in verdicts]


def test_the_check_tells_a_missing_adapter(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text('name = "b"\n[[lane]]\nnumber = 1\npath = "usb-0:1.2:1.0-port0"\n')
    ran = cli(
        "station", "check", path, "--links", tmp_path, "--json", "--server", "http://127.0.0.1:9",
        "--product-id", "1000",
    )  # fmt: skip
    assert ran.code == 4
    states = {finding["check"]: finding["state"] for finding in ran.result["findings"]}
    assert (states["lane"], states["platform"], states["file"]) == ("bad", "bad", "ok")


def test_a_bench_that_is_fine_passes_its_check(cli: Cli, station_path: Callable[..., Path]) -> None:
    ran = cli("station", "check", station_path("sim://BC28"))
    assert (ran.code, "nothing is wrong" in ran.out) == (0, True)


def test_lanes_are_learned_from_what_is_plugged_in(cli: Cli, tmp_path: Path) -> None:
    links = tmp_path / "by-path"
    links.mkdir()
    path = tmp_path / "station.toml"
    path.write_text('name = "b"\n')

    def plug() -> None:
        clock = SystemClock()
        for index in (3, 1):
            clock.sleep(1.0)
            device = tmp_path / f"tty{index}"
            device.touch()
            (links / f"pci-0000:00:14.0-usb-0:1.{index}:1.0-port0").symlink_to(device)

    thread = threading.Thread(target=plug)
    thread.start()
    ran = cli("station", "learn", path, "--lanes", 2, "--links", links, "--json")
    thread.join()
    assert ran.code == 0
    assert ran.result["lanes"] == {"1": "usb-0:1.3:1.0-port0", "2": "usb-0:1.1:1.0-port0"}
    lanes = decode_toml(path.read_text(), StationFile, name="x").lane
    assert [lane.path for lane in lanes] == ["usb-0:1.3:1.0-port0", "usb-0:1.1:1.0-port0"]


@pytest.mark.skipif(sys.platform == "win32", reason="no signals there")
def test_lanes_that_were_learned_before_ctrl_c_are_kept(tmp_path: Path) -> None:
    links = tmp_path / "by-path"
    links.mkdir()
    path = tmp_path / "station.toml"
    path.write_text('# ours\nname = "b"\n')
    words = [
        sys.executable,
        "-m",
        "atota",
        "station",
        "learn",
        str(path),
        "--lanes",
        "4-6",
        "--links",
        str(links),
        "--json",
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        for line in program.stdout:
            event = json.loads(line)
            if (event["event"], event.get("lane")) == ("plug", 4):
                for port in (0, 1):
                    (tmp_path / f"tty{port}").touch()
                    (links / f"pci-0000:00:14.0-usb-0:1.2:1.{port}-port0").symlink_to(tmp_path / f"tty{port}")
            if (event["event"], event.get("lane")) == ("plug", 6):
                program.send_signal(signal.SIGINT)
        assert program.wait() == 130
    assert "not the lanes 6" in event["error"]["message"]
    text = path.read_text()
    assert text.startswith("# ours\n")
    lanes = decode_toml(text, StationFile, name="x").lane
    assert {lane.number: lane.path for lane in lanes} == {
        4: "usb-0:1.2:1.0-port0",
        5: "usb-0:1.2:1.1-port0",
    }


def test_the_demo_shows_eight_lanes_and_failures_on_purpose(cli: Cli) -> None:
    assert len(decode_toml(station_file(15), StationFile, name="demo").lane) == 8
    ran = cli("station", "demo", "--no-page", "--units", 8, "--speed", 100, "--json")
    assert ran.code == 0
    verdicts = {unit["lane"]: unit["verdict"] for unit in ran.result["units"]}
    assert verdicts.get(1, "pass") == "pass"
    assert verdicts.get(6, "fail") == "fail"
    assert ran.result["counters"]["passed"] >= 3


def test_the_sums_of_a_batch_are_a_table_and_a_page(cli: Cli, station_path: Callable[..., Path]) -> None:
    path = station_path("sim://BC28", name="<b>")
    assert run(cli, path, "--units", 1).code == 0
    journal = path.parent / "journal.sqlite3"
    csv, page = path.parent / "sums.csv", path.parent / "sums.html"
    shown = cli("records", "batch", "B-1", "--journal", journal, "-o", csv)
    assert "first-pass yield" in shown.out
    assert "passed,1" in csv.read_text().splitlines()
    assert cli("records", "batch", "B-1", "--journal", journal, "-o", page).code == 0
    assert "<h1>Batch B-1</h1>" in page.read_text()
    unknown = cli("records", "batch", "B-7", "--journal", journal, "--json")
    assert (unknown.code, unknown.result["outcome"]) == (2, "usage")


def test_a_shift_prunes_the_transcripts_of_long_ago(
    cli: Cli, station_path: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "atota" / "transcripts"
    folder.mkdir(parents=True)
    old, recent = folder / "old.transcript", folder / "recent.transcript"
    for path, age_days in ((old, 8), (recent, 6)):
        path.write_text("x")
        os.utime(path, (SystemClock().time() - age_days * 86_400,) * 2)
    assert run(cli, station_path("sim://BC28"), "--units", 1, ATOTA_TRANSCRIPTS_DAYS="7").code == 0
    assert (old.exists(), recent.exists()) == (False, True)


def test_a_record_says_whether_the_label_of_its_unit_is_printed(
    cli: Cli, station_path: Callable[..., Path]
) -> None:
    path = station_path("sim://BC28")
    (verdict,) = run(cli, path, "--units", 1).result["units"]
    journal, record, page = path.parent / "journal.sqlite3", verdict["record_id"], path.parent / "record.html"
    show = ("records", "show", record, "--journal", journal)
    assert cli(*show, "--json").result["label"] is None
    assert "its print" not in cli(*show).out
    with Journal(journal, clock=SystemClock()) as opened:
        label = opened.queue(record, {"topic": "label", "record": record, "lane": 1})
        assert cli(*show, "--json").result["label"] == "queued"
        opened.settle(label, "delivered")
    assert cli(*show, "--json").result["label"] == "printed"
    assert "its print         printed" in cli(*show, "--html", page).out
    assert "printed" in page.read_text(encoding="utf-8")


CHIPS = 'type = "sota"\nmodel = "GD32"\n[scan]\nserial = "required"\npattern = \'SN\\d+\'\n'


@pytest.fixture
def chip_path(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a station file whose lane flashes the application of a chip."""
    image = build_chip_package("GD32", "V1.1.0", size=8192)
    (tmp_path / "app.bin").write_bytes(image)

    def write(more: str = CHIPS) -> Path:
        text = (
            f'name = "b"\n[work]\ncommand = "flash"\npackage = "app.bin"\nmd5 = "{Digests.of(image).md5}"\n'
        )
        path = tmp_path / "station.toml"
        path.write_text(f'{text}target = "V1.1.0"\n{more}\n[[lane]]\nnumber = 1\nport = "sim://GD32"\n')
        return path

    return write


@pytest.mark.skipif(os.name == "nt", reason="needs ptys")
def test_a_lane_flashes_chips_under_the_labels_of_a_scanner(cli: Cli, chip_path: Callable[..., Path]) -> None:
    scanner = Pty()
    is_over = threading.Event()

    def scan() -> None:
        while not is_over.wait(0.2):
            os.write(scanner.master, b"SN77\r\n")

    thread = threading.Thread(target=scan)
    thread.start()
    try:
        ran = run(cli, chip_path(f'{CHIPS}reader = "{scanner.device}"\n'), "--units", 1)
    finally:
        is_over.set()
        thread.join()
        scanner.close()
    assert ran.code == 0, ran.err
    (verdict,) = [line for line in ran.lines if line["event"] == "verdict"]
    assert (verdict["verdict"], verdict["serial"], verdict["outcome"]) == ("pass", "SN77", "updated")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('type = "sota"', "lane 1: the chip is not named"),
        ('type = "sota"\nmodel = "GD23"', "lane 1: "),
        ('type = "sota"\nmodel = "GD32"', "a chip has no number of its own"),
        (CHIPS.replace("required", "optional"), "a chip has no number of its own"),
    ],
)
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_lane_of_chips_that_says_too_little_is_refused_before_anything(
    cli: Cli, chip_path: Callable[..., Path], more: str, problem: str, command: str
) -> None:
    ran = cli("station", command, chip_path(more), "--json")
    assert (ran.code, ran.result["outcome"]) == (3, "bad-config")
    assert problem in ran.result["error"]["message"]
    assert not [line for line in ran.lines if line["event"] == "lane"]


def test_an_address_that_is_none_is_a_wrong_call(cli: Cli, station_path: Callable[..., Path]) -> None:
    ran = cli("station", "run", station_path("sim://BC28"), "--json", "--listen", "nowhere")
    assert (ran.code, ran.result["outcome"]) == (2, "usage")
