"""How a script comes into the project's own environment."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE.parent / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def enter(script: str) -> None:
    """Go on as ``script`` in the project's own environment, which is made if there is none."""
    if not VENV.exists() and os.name != "nt":
        subprocess.run(["bash", "-c", f"source '{HERE}/_venv'"], check=True)
    if VENV.exists() and Path(sys.prefix).resolve() != VENV.parent.parent.resolve():
        os.execv(VENV, [str(VENV), script, *sys.argv[1:]])  # noqa: S606 - the project's own interpreter
