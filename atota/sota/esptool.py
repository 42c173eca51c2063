"""esptool and espefuse, run as programs: they are GPL, and neither is imported."""

import importlib.util
import sys
from importlib.metadata import PackageNotFoundError, version

from atota.sota.program import Ended, find_program

_OLDEST = 5
"""Commands and options have hyphens since esptool 5."""


def command_of(program: str) -> tuple[str, ...] | None:
    """Return the arguments that begin a call of ``esptool`` or ``espefuse``; None if it is not installed."""
    if importlib.util.find_spec("esptool") is not None:
        return sys.executable, "-m", program
    path = find_program(program)
    return (path,) if path is not None else None


def installed_version() -> str | None:
    """Return the version of the installed package; None for a program of unknown version."""
    try:
        return version("esptool")
    except PackageNotFoundError:
        return None


def version_problem() -> str | None:
    """Return why the installed esptool cannot be used; None if it can, or does not tell its version."""
    if command_of("esptool") is None:
        return "esptool is not installed"
    text = installed_version()
    major = text.partition(".")[0] if text is not None else ""
    return f"esptool {text} is too old" if major.isdigit() and int(major) < _OLDEST else None


def reset_config(steps: tuple[object, ...]) -> str:
    """Return esptool's configuration file with line steps in its own words: D0|R1|W0.1."""
    words = []
    for step in map(str, steps):
        name, _, value = step.partition(":")
        words.append(f"{name[0].upper()}{value}")
    return f"[esptool]\ncustom_reset_sequence = {'|'.join(words)}\n" if words else "[esptool]\n"


def fatal(ended: Ended) -> str:
    """Return the reason that a call of esptool gives for its failure."""
    mark = "A fatal error occurred:"
    for line in reversed(ended.lines):
        if mark in line:
            return line.partition(mark)[2].strip()
    return ended.last
