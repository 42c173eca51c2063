"""The suite is collected on a system without pseudo-terminals, where some of it is skipped."""

import subprocess
import sys

import pytest

from tests.meta.sources import ROOT

CODE = """
import sys
import atota.link.serial, atota.locks  # they choose by the system's name, which stays what it is
for name in ("termios", "tty", "pty", "fcntl", "grp"):
    sys.modules[name] = None
import pytest
warnings = "ignore:Module already imported"  # the plug-in of this package is
plugins = ["-p", "no:cacheprovider", "-p", "no:xdist", "--assert", "plain"]
sys.exit(pytest.main(["-W", warnings, "--collect-only", "-q", *plugins, "tests"]))
"""


@pytest.mark.timeout(260)  # a whole collection, on a machine that runs other tests
def test_the_suite_is_collected_where_there_is_no_termios() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "error" not in done.stdout.splitlines()[-1]
    assert "test_link_contract.py::test_silence_is_empty_bytes[memory" in done.stdout
