"""Packages of simulated chips, made by the command line, are those that the chips run."""

import io
import zipfile
from pathlib import Path

import pytest

from atota.sim.chips.catalogue import make_chip
from atota.sim.chips.options import ChipOptions
from tests.cli.running import Cli


@pytest.mark.parametrize(
    ("chip", "protocol"),
    [
        ("ESP32", ""),
        ("GD32", ""),
        ("other", ""),
        ("nrf52832", "smp"),
        ("nrf52832", "nordic-secure"),
        ("nrf52832", "nordic-legacy"),
    ],
)
def test_the_package_of_a_chip_runs_on_it(cli: Cli, tmp_path: Path, chip: str, protocol: str) -> None:
    path = tmp_path / "p.bin"
    more = ("--protocol", protocol) if protocol else ()
    assert cli("sim", "package", str(path), "--model", chip, "--to", "V1.2.3", *more).code == 0
    image = path.read_bytes()
    if protocol.startswith("nordic"):
        with zipfile.ZipFile(io.BytesIO(image)) as archive:
            assert archive.namelist() == ["manifest.json", "app.bin", "app.dat"]
            image = archive.read("app.bin")
    assert make_chip(chip, ChipOptions(protocol=protocol, image=image)).stored == "V1.2.3"
    assert len(image) >= 20_000


@pytest.mark.parametrize(
    "words",
    [
        ("--model", "GD32", "--from", "V1"),
        ("--model", "GD32", "--protocol", "smp"),
        ("--model", "BC28"),
        ("--model", "BC28", "--from", "A", "--protocol", "smp"),
    ],
)
def test_options_of_the_other_kind_are_wrong_usage(cli: Cli, tmp_path: Path, words: tuple[str, ...]) -> None:
    path = tmp_path / "p.bin"
    ran = cli("sim", "package", str(path), "--to", "V2", *words)
    assert (ran.code, path.exists()) == (2, False)


def test_rfc_2217_needs_a_tcp_port(cli: Cli) -> None:
    ran = cli("sim", "module", "GD32", "--rfc2217")
    assert ran.code == 2
    assert "--tcp" in ran.err
