"""Every command of README and of boards/README.md is run, with stand-ins for what only a bench has."""

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from atota.otaserver.model import Auth, Device, TasksFile, TaskSpec, build
from atota.otaserver.serve import RunningServer
from atota.otaserver.service import LocalPlatform
from atota.settings.table import rows
from atota.sim.chips.application import build_application
from atota.sim.package import build_package
from scripts.first_day_parts.readme import commands, mentions
from tests.meta.sources import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BOARDS = (ROOT / "boards" / "README.md").read_text(encoding="utf-8")
KEY = "a2V5IG9mIGEgdGVzdCwgbm8gc2VjcmV0"
MODULE = "sim://BC28?speed=60"
PACKAGE = build_package(model="BC28", base="BC28JAR01A03", target="BC28JAR01A05", size=20_000)
"""The package of `atota sim server --init`: README prints its MD5 digest."""
APPLICATION = build_application("V1.1.0", base=0x08000000, size=9000)

ELSEWHERE = {
    r"\./scripts/\S+( FILE)?": ".ci/run and tests of their own",
    r"pipx install .*|python3 -m venv .*|atota --install-completion": "scripts/first-day",
    r"export .*": "the fixture `desk`",
    r"apt-get install postgresql|sudo -u postgres .*|(echo 4711 \| )?atota line .*": "tests/line",
    r"atota (demo|sim server|sim module|replay)( .*)?": "tests/e2e and scripts/first-day",
    r"atota (station|sim bench|records batch)( .*)?": "tests/cli/test_cli_station.py and tests/e2e",
    r"atota \S+\s+-p socket://127\.0\.0\.1:5000.*|atota flash \./platform/.*": "scripts/first-day",
}
"""Commands that are run by another test or script."""


class Desk(NamedTuple):
    """A folder with everything that the documents' commands name, and the environment to run them in."""

    folder: Path
    environment: dict[str, str]
    stand_ins: dict[str, str]

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        for name, value in self.stand_ins.items():
            text = re.sub(name, value, text)
        words = shlex.split(text)
        if words[1] in ("update", "flash") and not {"--yes", "--dry-run"} & set(words):
            words.append("--yes")
        assert words[0] == "atota"
        return subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=50,
        )


@contextlib.contextmanager
def _platform() -> Iterator[str]:
    device = Device(dev_id="6523", device_name="meter-7", product_id="9x8aBcD3eF", key=KEY)
    task = TaskSpec(
        device_name="meter-7", product_id="9x8aBcD3eF", manuf="014", model="01401", package="package.bin",
        target="BC28JAR01A05",
    )  # fmt: skip
    chip = TaskSpec(
        device_name="meter-7", product_id="9x8aBcD3eF", type="sota", package="app.bin", target="V1.1.0"
    )
    file = TasksFile(
        auth=Auth(product_id="9x8aBcD3eF", access_key=KEY), devices=(device,), tasks=(task, chip)
    )
    packages = {"package.bin": PACKAGE, "app.bin": APPLICATION}
    with RunningServer(LocalPlatform(build(file, packages))) as server:
        yield server.url


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    for path in ("boards/bench-bc28.toml", "boards/schema/board.json"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes((ROOT / path).read_bytes())
    (folder / "package.bin").write_bytes(PACKAGE)
    (folder / "app.bin").write_bytes(APPLICATION)
    (folder / "bench-3.toml").write_text(
        'name = "bench-3"\n[power]\non = ["dtr:1"]\noff = ["dtr:0"]\n', encoding="utf-8"
    )
    (dialect,) = (text for text in re.findall(r"(?ms)^ *```toml\n(.*?)^ *```$", BOARDS) if "acme-x1" in text)
    (folder / "boards" / "dialects").mkdir()
    (folder / "boards" / "dialects" / "acme-x1.toml").write_text(
        re.sub(r"(?m)^   ", "", dialect), encoding="utf-8"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ATOTA_")}
    with _platform() as url:
        identity = {
            "ATOTA_SERVER": url,
            "ATOTA_ACCESS_KEY": KEY,
            "ATOTA_API": "fuse",
            "ATOTA_PRODUCT_ID": "9x8aBcD3eF",
            "ATOTA_DEVICE_NAME": "meter-7",
            "ATOTA_PORT": MODULE,
            "ATOTA_JOURNAL": str(folder / "journal.sqlite3"),
        }
        homes = {
            name: str(folder / "home")
            for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
        }
        desk_of_user = Desk(folder, clean | homes | identity | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}, {})
        flash = "atota flash package.bin --md5 da302f3547674724fdaae0c9bc52ad62 --target BC28JAR01A05"
        first = desk_of_user.run(f"{flash} --transcript recorded.txt --json")
        assert first.returncode == 0, first.stderr
        record = json.loads(first.stdout.splitlines()[-1])["record_id"]
        yield desk_of_user._replace(stand_ins=_stand_ins(record))


def _stand_ins(record: str) -> dict[str, str]:
    return {
        r"(?<=replay://)FILE": "recorded.txt",
        r"(?<=wait -p )/dev/ttyUSB0": f"'{MODULE}&version=BC28JAR01A05'",
        r"(?<=--dialect )FILE": "boards/dialects/acme-x1.toml --allow-unproven --dry-run",
        r"(?<=check )FILE": "boards/dialects/acme-x1.toml",
        r"(?<=show )NAME": "hi2115",
        r"/dev/ttyUSB0|\bPORT\b": f"'{MODULE}'",
        r"/dev/ttyUSB1": "'sim://GD32?speed=max'",
        r"\b3f9c2a71\b": record,
        r"\bJOB\b": record,
        r"new\.bin": "package.bin -p 'sim://M5310-A?accept=any&becomes=BC28JAR01A05&speed=60'",
        r"…": "--md5 da302f3547674724fdaae0c9bc52ad62 --target BC28JAR01A05",
    }


def _here(document: str) -> list[str]:
    texts = [*(one.text for one in commands(document)), *mentions(document)]
    return [one for one in dict.fromkeys(texts) if not any(re.fullmatch(name, one) for name in ELSEWHERE)]


@pytest.mark.parametrize("command", _here(README))
def test_a_command_of_the_readme_runs(desk: Desk, command: str) -> None:
    ran = desk.run(command)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("command", _here(BOARDS))
def test_a_command_of_the_boards_readme_runs(desk: Desk, command: str) -> None:
    ran = desk.run(command)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_variables_of_the_readme_are_all_there_are() -> None:
    variables = {name for row in rows().values() for name in (row.variable, row.secret) if name is not None}
    assert set(re.findall(r"`(ATOTA_\w+)`", README)) == variables | {"ATOTA_CONFIG"}
