"""Chips on the command line: a task of type ``sota`` from the local platform to the version that runs."""

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from atota.transcript.recording import read_recording
from tests.cli.running import KEY, Bench, Cli
from tests.sota.benches import GOOD, PtyChip

pytestmark = pytest.mark.skipif(os.name == "nt", reason="ptys")


MakeBench = Callable[..., Bench]


def a_task(make_bench: MakeBench, **task: object) -> Bench:
    more = {"manuf": "100", "model": "10001", "type": "sota", "target": "V2.0"}
    return make_bench(package=b"V2.0", **(more | task))


def test_a_sota_task_ends_updated_and_its_version_is_the_applications(
    cli: Cli, make_bench: MakeBench, chip: PtyChip
) -> None:
    bench = a_task(make_bench)
    board = chip.board(GOOD)
    words = ("update", "--type", "sota", "--model", "other", "-p", chip.pty.device, "--board", board)
    ran = cli(*words, *bench.asking, "--yes", "--json", ATOTA_ACCESS_KEY=KEY)
    assert (ran.code, ran.result["outcome"]) == (0, "updated"), ran.err
    assert ran.result["version_before"] == "V1.0"
    assert ran.result["version_after"] == "V2.0"
    assert ran.result["task"]["type"] == "sota"
    assert bench.state == "DONE"
    device = bench.server.platform.devices["6523"]
    assert device.versions == {"fota": None, "sota": "V2.0"}
    assert cli(*words, *bench.asking, "--yes", "--json", ATOTA_ACCESS_KEY=KEY).result["outcome"] == "no-task"


def test_a_difference_package_is_refused(cli: Cli, make_bench: MakeBench, chip: PtyChip) -> None:
    bench = a_task(make_bench, kind="delta", base="V1.0")
    words = ("update", "--type", "sota", "--model", "other", "-p", chip.pty.device)
    ran = cli(*words, "--board", chip.board(GOOD), *bench.asking, "--yes", "--json", ATOTA_ACCESS_KEY=KEY)
    assert (ran.code, ran.result["outcome"]) == (6, "refused")
    assert "difference" in ran.result["error"]["message"]
    assert chip.flash.read_text() == "V1.0"


def test_flash_writes_a_local_package(cli: Cli, chip: PtyChip, tmp_path: Path) -> None:
    package = tmp_path / "app.bin"
    package.write_bytes(b"V2.0")
    words = ("--md5", "0" * 32, "--target", "V2.0", "--type", "sota", "-p", chip.pty.device)
    ran = cli("flash", package, *words, "--model", "other", "--board", chip.board(GOOD), "--yes", "--json")
    assert ran.code == 7  # the digest is another file's
    words = ("--md5", hashlib.md5(b"V2.0").hexdigest(), *words[2:])
    ran = cli("flash", package, *words, "--model", "other", "--board", chip.board(GOOD), "--yes", "--json")
    assert (ran.code, ran.result["outcome"]) == (0, "updated"), ran.err


def test_the_lines_of_a_program_are_in_the_transcript_without_secrets_and_bounded(
    cli: Cli, chip: PtyChip, tmp_path: Path
) -> None:
    secret = "ota_" + "x7" * 10
    more = f"""
print("fetching http://server/{secret}"); print("y" * 5000)
for number in range(1000):
    print("line", number)
"""
    package, transcript = tmp_path / "app.bin", tmp_path / "t"
    package.write_bytes(b"V2.0")
    words = ("--md5", hashlib.md5(b"V2.0").hexdigest(), "--target", "V2.0", "--type", "sota", "--yes")
    where = ("-p", chip.pty.device, "--board", chip.board(GOOD + more), "--transcript", transcript)
    ran = cli("flash", package, *words, *where, "--json")
    assert (ran.code, ran.result["outcome"]) == (0, "updated"), ran.err
    text = transcript.read_text()
    said = [line.partition(" ! said ")[2] for line in text.splitlines() if " ! said " in line]
    name = Path(sys.executable).name
    assert f"{name}: Done" in said
    assert f"{name}: fetching http://server/ota_{'*' * 20}" in said
    assert secret not in text
    assert len(said) == 200
    assert max(map(len, said)) < 450
    assert read_recording(transcript).entries  # and it can still be replayed


def a_package(folder: Path) -> tuple[object, ...]:
    path = folder / "app.bin"
    path.write_bytes(b"V2.0")
    digest = hashlib.md5(b"V2.0", usedforsecurity=False).hexdigest()
    return (path, "--md5", digest, "--target", "V2.0", "--type", "sota", "-p", "/dev/null", "--yes", "--json")


def test_a_chip_that_is_not_named_is_a_wrong_call(cli: Cli, tmp_path: Path) -> None:
    ran = cli("flash", *a_package(tmp_path))
    assert ran.code == 2
    assert "--model ESP32" in ran.result["error"]["hint"]


def test_other_without_a_program_is_a_bad_board(cli: Cli, tmp_path: Path) -> None:
    ran = cli("flash", *a_package(tmp_path), "--model", "other")
    assert ran.code == 3
    assert "flash" in ran.result["error"]["message"]


@pytest.mark.parametrize("model", ["GD32", "ESP32", "nrf52832"])
def test_identify_names_the_row_and_the_running_version(cli: Cli, model: str) -> None:
    ran = cli("identify", "--type", "sota", "--model", model, "-p", f"sim://{model}?speed=max", "--json")
    assert ran.code == 0
    module = ran.result["module"]
    assert module["model"] == model
    assert module["version"] in ("V1.0.0", "1.0.0")
    assert module["manuf_code"] in ("101", "102", "103")


def test_identify_tells_the_number_of_a_chip_whose_application_does(cli: Cli, chip: PtyChip) -> None:
    chip.flash.write_text("V1.0 ID:77")
    board = chip.board(GOOD)
    board.write_text(board.read_text().replace(r"'VER:(\S+)'", r"'VER:(\S+) ID:(?P<serial>\w+)'"))
    ran = cli("identify", "--type", "sota", "-p", chip.pty.device, "--board", board, "--json")
    assert (ran.result["module"]["version"], ran.result["module"]["serial"]) == ("V1.0", "77")


def test_a_number_in_place_of_the_version_is_a_bad_board(cli: Cli, chip: PtyChip) -> None:
    board = chip.board(GOOD)
    board.write_text(board.read_text().replace(r"'VER:(\S+)'", r"'ID:(?P<serial>\w+)'"))
    ran = cli("identify", "--type", "sota", "-p", chip.pty.device, "--board", board, "--json")
    assert ran.code == 3
    assert "the first group is the version" in ran.result["error"]["message"]


def test_identify_that_may_ask_nothing_touches_nothing(cli: Cli, tmp_path: Path) -> None:
    board = tmp_path / "b.toml"
    board.write_text("name = 'b'\nmodel = 'ESP32'\n[chip]\nidentify = 'none'\n")
    transcript = tmp_path / "t"
    words = ("--type", "sota", "-p", "sim://ESP32?speed=max", "--board", board, "--transcript", transcript)
    ran = cli("identify", *words, "--json")
    assert ran.result["module"]["version"] is None
    assert " > " not in transcript.read_text()
    assert "rts on" not in transcript.read_text()


def test_check_sends_the_running_version_of_the_chip(cli: Cli, make_bench: MakeBench) -> None:
    bench = a_task(make_bench, manuf="103", model="10301")
    words = ("--type", "sota", "--model", "GD32", "-p", "sim://GD32?speed=max", *bench.asking)
    ran = cli("check", "--dry-run", *words, "--json", ATOTA_ACCESS_KEY=KEY)
    assert "V1.0.0" in ran.result["request"]["url"]
    assert cli("check", *words, "--json", ATOTA_ACCESS_KEY=KEY).result["outcome"] == "task"


def test_the_doctor_names_the_flasher_and_the_version(cli: Cli) -> None:
    ran = cli("doctor", "--type", "sota", "--model", "GD32", "-p", "sim://GD32?speed=max", "--json")
    findings = {one["check"]: (one["state"], one["says"]) for one in ran.result["findings"]}
    assert findings["flasher"] == ("ok", "gd32, without a program of others")
    assert findings["version"] == ("ok", "the application runs V1.0.0")


def test_the_doctor_names_a_missing_program(cli: Cli, chip: PtyChip) -> None:
    board = chip.board(GOOD)
    board.write_text(board.read_text().replace("flash = [", 'flash = ["no-such-flasher", '))
    ran = cli("doctor", "--type", "sota", "-p", chip.pty.device, "--board", board, "--json")
    findings = {one["check"]: one["state"] for one in ran.result["findings"]}
    assert findings["flasher"] == "bad"
    assert ran.code == 5


def test_every_row_of_the_other_table_has_a_flasher(cli: Cli) -> None:
    rows = [row for row in cli("modules", "--json").result["modules"] if row["task_type"] == "sota"]
    assert {row["model"]: row["method"] for row in rows} == {
        "ESP32": "esp32",
        "nrf52832": "smp",
        "GD32": "gd32",
        "其他": "tool",
    }
