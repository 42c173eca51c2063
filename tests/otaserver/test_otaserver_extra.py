"""Without the packages of the extra `server`, what needs the local platform says how to install them."""

import subprocess
import sys

import pytest

from tests.meta.sources import ROOT

_WITHOUT = "import sys\nsys.modules[{package!r}] = None\nfrom atota.__main__ import main\nmain()"


def run(package: str, *words: str) -> subprocess.CompletedProcess[str]:
    code = _WITHOUT.format(package=package)
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "httptools"])
def test_the_demo_names_the_missing_package_and_the_command_that_installs_it(package: str) -> None:
    ended = run(package, "demo", "--speed", "200")
    assert ended.returncode == 2, ended.stderr
    assert f"needs the package {package}, which" in " ".join(ended.stderr.split())
    assert "pip install 'atota[server]'" in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr


def test_a_command_that_needs_no_server_runs_without_it() -> None:
    ended = run("starlette", "identify", "-p", "sim://BC28", "--json")
    assert ended.returncode == 0, ended.stderr
    assert '"model":"BC28"' in ended.stdout


def test_the_commands_beside_the_server_are_there_without_it() -> None:
    for words in (("sim", "--help"), ("sim", "module", "--help"), ("demo", "--help")):
        ended = run("starlette", *words)
        assert ended.returncode == 0, ended.stderr
        assert "Usage" in ended.stdout
