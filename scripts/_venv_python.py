"""The launcher of the scripts that are written in Python."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
VENV = ROOT / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def enter(script: str) -> None:
    """Run ``script`` with the project's own environment and this source tree.

    The environment is made if it is missing and the present one lacks the project's dependencies.
    """
    if not VENV.exists() and os.name != "nt" and not all(map(find_spec, ("msgspec", "serial", "httpx"))):
        subprocess.run(["bash", "-c", f"source '{HERE}/_venv'"], check=True)
    if VENV.exists() and Path(sys.prefix).resolve() != VENV.parent.parent.resolve():
        os.execv(VENV, [str(VENV), script, *sys.argv[1:]])  # noqa: S606 - the project's own interpreter
    sys.path[:0] = [str(HERE), str(ROOT)]
