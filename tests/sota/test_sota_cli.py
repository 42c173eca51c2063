"""Chips on the command line: a task of type ``sota`` from the local platform to the version that runs."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

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
    ran = cli(*words, *bench.asking, "--json", ATOTA_ACCESS_KEY=KEY)
    assert (ran.code, ran.result["outcome"]) == (0, "updated"), ran.err
    assert ran.result["version_before"] == "V1.0"
    assert ran.result["version_after"] == "V2.0"
    assert ran.result["task"]["type"] == "sota"
    assert bench.state == "DONE"
    device = bench.server.platform.devices["6523"]
    assert device.versions == {"fota": None, "sota": "V2.0"}
    assert cli(*words, *bench.asking, "--json", ATOTA_ACCESS_KEY=KEY).result["outcome"] == "no-task"


def test_a_difference_package_is_refused(cli: Cli, make_bench: MakeBench, chip: PtyChip) -> None:
    bench = a_task(make_bench, kind="delta", base="V1.0")
    words = ("update", "--type", "sota", "--model", "other", "-p", chip.pty.device)
    ran = cli(*words, "--board", chip.board(GOOD), *bench.asking, "--json", ATOTA_ACCESS_KEY=KEY)
    assert (ran.code, ran.result["outcome"]) == (6, "refused")
    assert "difference" in ran.result["error"]["message"]
    assert chip.flash.read_text() == "V1.0"


def test_flash_writes_a_local_package(cli: Cli, chip: PtyChip, tmp_path: Path) -> None:
    package = tmp_path / "app.bin"
    package.write_bytes(b"V2.0")
    words = ("--md5", "0" * 32, "--target", "V2.0", "--type", "sota", "-p", chip.pty.device)
    ran = cli("flash", package, *words, "--model", "other", "--board", chip.board(GOOD), "--json")
    assert ran.code == 7  # the digest is another file's
    words = ("--md5", hashlib.md5(b"V2.0").hexdigest(), *words[2:])
    ran = cli("flash", package, *words, "--model", "other", "--board", chip.board(GOOD), "--json")
    assert (ran.code, ran.result["outcome"]) == (0, "updated"), ran.err


def test_a_chip_that_is_not_named_is_a_wrong_call(cli: Cli, tmp_path: Path) -> None:
    ran = cli(
        "flash",
        tmp_path / "a",
        "--md5",
        "0" * 32,
        "--target",
        "V2",
        "--type",
        "sota",
        "-p",
        "/dev/null",
        "--json",
    )
    assert ran.code == 2
    assert "--model ESP32" in ran.result["error"]["hint"]


def test_other_without_a_program_is_a_bad_board(cli: Cli, tmp_path: Path) -> None:
    words = ("--md5", "0" * 32, "--target", "V2", "--type", "sota", "--model", "other", "-p", "/dev/null")
    ran = cli("flash", tmp_path / "a", *words, "--json")
    assert ran.code == 3
    assert "flash" in ran.result["error"]["message"]
