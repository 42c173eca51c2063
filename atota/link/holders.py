"""The programs that have a serial port open. Read from /proc on Linux; empty on other systems."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

_PROC = Path("/proc")
_INTERPRETER = re.compile(r"(python|perl|ruby|node|java|bash|sh)[\d.]*")
MODEM_MANAGER = "ModemManager"


class Holder(msgspec.Struct, frozen=True):
    """A program that has a port open."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def holders(device: str) -> list[Holder]:
    """List the other programs that have ``device`` open, whether or not they lock it.

    Only root sees the programs of other users. Empty on systems that do not report it.
    """
    path = os.path.realpath(device)
    return holders_of([path])[path]


def holders_of(devices: Iterable[str]) -> dict[str, list[Holder]]:
    """List the other programs that have each of many real paths open, in one walk over the processes."""
    holders: dict[str, list[Holder]] = {device: [] for device in devices}
    if not holders:
        return holders
    for pid in sorted(_pids()):
        if pid != os.getpid():
            for device in _open_files(pid) & holders.keys():
                holders[device].append(Holder(pid, _name(pid)))
    return holders


def held_by_us(device: str) -> bool:
    """True if this process has ``device`` open."""
    return os.path.realpath(device) in _open_files(os.getpid())


def modem_manager() -> Holder | None:
    """Find ModemManager if it runs: it probes every new serial port and disturbs the device on it."""
    for pid in _pids():
        if _first_line(_PROC / str(pid) / "comm") == MODEM_MANAGER:
            return Holder(pid, MODEM_MANAGER)
    return None


def _pids() -> Iterator[int]:
    if not sys.platform.startswith("linux"):
        return
    try:
        names = os.listdir(_PROC)  # noqa: PTH208 (plain names, thousands of them)
    except OSError:
        return
    yield from (int(name) for name in names if name.isdigit())


def _open_files(pid: int) -> set[str]:
    folder = f"{_PROC}/{pid}/fd"
    files: set[str] = set()
    try:
        numbers = os.listdir(folder)  # noqa: PTH208
    except OSError:  # another user's process, or it ended meanwhile
        return files
    for number in numbers:
        try:
            files.add(os.readlink(f"{folder}/{number}"))  # noqa: PTH115
        except OSError:
            continue
    return files


def _name(pid: int) -> str:
    """Name a program as its user knows it: "python3 miniterm.py", not just "python3"."""
    comm = _first_line(_PROC / str(pid) / "comm") or "?"
    if not _INTERPRETER.fullmatch(comm):
        return comm
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return comm
    # Only the script's name: the rest of a command line may hold a password.
    after = words[2:3] if words[1:2] == [b"-m"] else words[1:2]
    if not after or not after[0] or after[0].startswith(b"-"):
        return comm
    return f"{comm} {Path(os.fsdecode(after[0])).name}"


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None
