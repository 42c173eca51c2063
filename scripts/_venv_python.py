"""The project's own environment for the scripts that are Python."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE.parent / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def enter(script: str, package: str = "msgspec") -> None:
    """Make the project importable, and continue ``script`` in its environment if ``package`` is missing here.

    An environment that does not exist is made.
    """
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    if importlib.util.find_spec(package) is not None:
        return
    subprocess.run(["bash", "-c", f"source '{HERE}/_venv'"], check=True)
    os.execv(VENV, [str(VENV), script, *sys.argv[1:]])  # noqa: S606 - the project's own interpreter
