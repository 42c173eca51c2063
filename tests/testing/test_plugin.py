"""The pytest plug-in, as another project has it: by its entry point, from a folder that is not ours."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.meta.sources import ROOT

TESTS = """
import httpx
import pytest

import atota


def test_a_module_is_opened_and_keeps_its_state(simulated_module):
    simulated = simulated_module("BC28", imei="490154203237518")
    for _ in range(2):
        with atota.open_module(simulated.port) as module:
            identity = module.identify()
    assert (identity.model, identity.imei) == ("BC28", "490154203237518")
    assert simulated.version == "BC28JAR01A03"
    assert simulated.struck == []


def test_two_modules_are_not_the_same(simulated_module):
    first, second = simulated_module(faults="lose-reply:c1"), simulated_module("SIM7020C")
    with atota.open_module(first.port) as module:
        module.identify()
    assert first.struck == ["lose-reply:c1"]
    assert second.version == "1752B06SIM7020C"


def test_the_platform_has_a_task(ota_platform):
    assert httpx.get(ota_platform.url + "/ota/south/check").status_code == 200
    assert ota_platform.access_key_file.read_text()
    assert (ota_platform.task.state.value, ota_platform.target) == ("pending", "BC28JAR01A04")


@pytest.mark.parametrize("ota_platform", ["M5310-A"], indirect=True)
def test_a_whole_job(simulated_module, ota_platform):
    simulated = simulated_module("M5310-A")
    result = atota.update_module(
        simulated.port,
        server=ota_platform.url,
        product_id=ota_platform.product_id,
        dev_id=ota_platform.dev_id,
        access_key=ota_platform.access_key_file.read_text(),
    )
    assert result.outcome == "updated", result.error
    assert simulated.version == ota_platform.target
    assert ota_platform.task.reported[-1] == 201
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of installed packages: atota's metadata as its project file has it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = tmp_path / "site" / "atota-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: atota\nVersion: 0\n")
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in rows.items())
            for group, rows in project["entry-points"].items()
        )
    )
    return info.parent


def run(site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}", "XDG_CACHE_HOME": str(site)}
    environment.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=55,
    )


def test_the_fixtures_work_in_another_project(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "test_theirs.py").write_text(TESTS)
    done = run(site, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_the_fixtures_are_documented(site: Path, tmp_path: Path) -> None:
    done = run(site, tmp_path, "--fixtures")
    assert "simulated_module -- " in done.stdout
    assert "Return a function that makes simulated modules." in done.stdout
    assert "Serve the local OTA platform with a task" in done.stdout


def test_loading_the_plugin_loads_nothing_of_the_simulator() -> None:
    code = 'import sys, atota.testing.plugin; print({"atota.sim", "httpx", "hypothesis"} & set(sys.modules))'
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
