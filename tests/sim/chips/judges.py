"""Real programs that judge the simulated chips. A test whose program is missing is skipped, and says so."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest


def program(name: str) -> str:
    """Return the path of a program, of this Python's environment or of the system."""
    here = Path(sysconfig.get_path("scripts")) / name
    path = str(here) if here.exists() else shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed: the simulated chip was not judged by it")
    return path


def run(folder: Path, name: str, *args: str, limit_s: float = 50.0) -> subprocess.CompletedProcess[str]:
    """Run a program in an empty folder; its two outputs are one."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "NO_COLOR": "1", "COLUMNS": "200"}
    command: Sequence[str] = [program(name), *args]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit_s,
        check=False,
    )


IS_POSIX = sys.platform != "win32"
