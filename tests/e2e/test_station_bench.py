"""A bench of ptys that is plugged and unplugged, and a station that finds its lanes by USB path."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from atota.sim.hands import path_of
from atota.sim.package import build_package
from atota.values import Digests

pytest.importorskip("termios")
BASE, TARGET = "BC28JAR01A03", "BC28JAR01A05"


@pytest.mark.timeout(120)
def test_a_station_updates_what_is_plugged_into_its_lanes(tmp_path: Path) -> None:
    package = build_package(model="BC28", base=BASE, target=TARGET, size=600)
    (tmp_path / "new.bin").write_bytes(package)
    lanes = "".join(f'[[lane]]\nnumber = {n}\npath = "{path_of(n)}"\n' for n in (1, 2))
    work = f'[work]\ncommand = "flash"\npackage = "new.bin"\nmd5 = "{Digests.of(package).md5}"\n'
    # A pty's time is the machine's, and the module's is 30 times as fast: its rate is not raised.
    (tmp_path / "board.toml").write_text('name = "pty"\n[serial]\nbaud = 9600\ntransfer_baud = 0\n')
    file = tmp_path / "station.toml"
    file.write_text(f'name = "bench"\nboard = "board.toml"\n{work}target = "{TARGET}"\n{lanes}')
    links = tmp_path / "by-path"
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data")}
    program = [sys.executable, "-m", "atota"]
    bench_words = [*program, "sim", "bench", str(links), "--lanes", "2", "--speed", "30", "--json"]
    with subprocess.Popen(bench_words, stdout=subprocess.PIPE, text=True, env=environment) as bench:
        try:
            words = [*program, "station", "run", str(file), "--no-page", "--json", "--units", "2"]
            ran = subprocess.run(
                [*words, "--links", str(links)],
                env=environment,
                capture_output=True,
                text=True,
                timeout=100,
                check=False,
            )
        finally:
            bench.terminate()
            printed, _ = bench.communicate(timeout=10)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr
    verdicts = [line for line in map(json.loads, ran.stdout.splitlines()) if line["event"] == "verdict"]
    assert [line["verdict"] for line in verdicts] == ["pass"] * 2
    units = [line for line in map(json.loads, printed.splitlines()) if line["event"] == "unit"]
    versions = {line["imei"]: line["version"] for line in units}
    assert {versions[line["imei"]] for line in verdicts} == {TARGET}
    assert len({line["imei"] for line in verdicts}) == 2
