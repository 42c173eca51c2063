"""A package of somebody else's adds a kind of port: an entry point of the group ``atota.links``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.meta.sources import ROOT

PACKAGE = """
from atota.clock import SystemClock
from atota.testing.memory import memory_pair


def open_mux_link(url, *, baud=9600, clock=None):
    link, module = memory_pair(clock or SystemClock())
    link.set_baud(baud)
    module.write(url.encode())
    link.keep = module
    return link
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of installed packages, with one that adds ``mux://``."""
    (tmp_path / "acme_mux.py").write_text(PACKAGE)
    info = tmp_path / "acme_mux-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-mux\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[atota.links]\nmux = acme_mux:open_mux_link\nsim = acme_mux:open_mux_link\n"
        "broken = acme_mux:missing\n"
    )
    return tmp_path


def opened(site: Path, url: str) -> str:
    """Open a URL in a fresh process that has the packages of ``site``; return its output."""
    code = (
        "import sys\nfrom atota.errors import AtotaError\nfrom atota.link.open import open_link\n"
        "try:\n    link = open_link(sys.argv[1], baud=57600)\n"
        "except AtotaError as error:\n    print(error.code, error.message, error.hint)\n"
        "else:\n    print(type(link).__name__, link.baud, link.read(0.0).decode())"
    )
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-c", code, url], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.strip()


def test_a_third_party_package_adds_a_scheme(site: Path) -> None:
    assert opened(site, "MUX://3?speed=1") == "MemoryLink 57600 MUX://3?speed=1"


def test_the_built_in_schemes_stay_what_they_are(site: Path) -> None:
    assert opened(site, "sim://BC28").startswith("SimLink 57600")


def test_an_unknown_scheme_names_the_registered_ones_too(site: Path) -> None:
    said = opened(site, "ftp://module")
    assert said.startswith("usage unknown port type ftp://")
    assert "replay://, mux://, broken://" in said


def test_an_entry_point_that_cannot_be_loaded_is_named(site: Path) -> None:
    said = opened(site, "broken://x")
    assert "broken://: its entry point acme_mux:missing cannot be loaded" in said
    assert "Reinstall the package" in said
