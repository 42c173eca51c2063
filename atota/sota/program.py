"""A program of others, run with an argument list: no shell, and bounds of time, output and environment.

It runs in an empty folder and a process group of its own. Its end is awaited; at the wish to stop, at the end
of its time, or after too long a silence it gets SIGTERM, and SIGKILL five seconds later. A program that was
killed may have done half of its work, so that is never a failure that left things as they were.
"""

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from atota.clock import Deadline, SystemClock
from atota.errors import RebootTimeout
from atota.transcript.masking import masked

_GRACE_S = 5.0
_LOOK_S = 0.1
_LONGEST = 400
"""Characters of a line that are kept."""
_MOST_LINES = 2000
"""Lines that are kept: the last ones."""
_HEARD_LINES = 200
"""Lines of one run that are shown, and kept in the transcript of the job."""
_SAID = 10
"""Lines that the record of a failure holds."""
_KEPT = (
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "PATHEXT", "USERPROFILE",
    "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "LD_LIBRARY_PATH", "VIRTUAL_ENV",
)  # fmt: skip
"""Variables that a program gets; no other one, so no key of the platform either."""


class Ended(msgspec.Struct, frozen=True):
    """The end of a program: its exit code and its lines, the last ones."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self.lines)

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines, for the record of a failure."""
        return tuple(line for line in self.lines if line.strip())[-_SAID:]

    @property
    def last(self) -> str:
        """The last line that says anything, for messages."""
        return next((line for line in reversed(self.lines) if line.strip()), "no output")


class Ear:
    """The reader of a program's lines: progress, and a bounded number of lines for people."""

    def __init__(
        self,
        name: str,
        on_line: Callable[[str], None],
        percent: str | None,
        on_percent: Callable[[float], None],
    ) -> None:
        self._name = name
        self._on_text = on_line
        self._percent = percent
        self._on_percent = on_percent
        self._left = _HEARD_LINES

    def __call__(self, line: str) -> None:
        """Take one line."""
        if self._percent is not None and (match := re.search(self._percent, line)) is not None:
            try:
                self._on_percent(max(0.0, min(100.0, float(match[1] if match.groups() else match[0]))))
            except ValueError:
                pass
            else:
                return
        if line.strip() and self._left > 0:
            self._left -= 1
            self._on_text(f"{self._name}: {line}")


def find_program(name: str) -> str | None:
    """Return the absolute path of a program; None if there is no such program."""
    path = shutil.which(name)
    return str(Path(path).absolute()) if path is not None else None


def run_program(
    arguments: Sequence[str],
    *,
    folder: Path,
    limit_s: float,
    quiet_s: float,
    check: Callable[[], None],
    on_line: Callable[[str], None],
    more: dict[str, str] | None = None,
) -> Ended:
    """Run a program to its end.

    Args:
        arguments: its absolute path and its arguments.
        folder: an empty folder to run in.
        limit_s: the longest run.
        quiet_s: the longest silence.
        check: raises at the wish to stop.
        on_line: gets each line as it comes.
        more: further environment variables.

    Raises:
        RebootTimeout: it was killed at one of the limits: its work may be half done.
        AtotaError: what ``check`` raised; the program was killed.
    """
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "COLUMNS": "200", **(more or {})}
    process = subprocess.Popen(  # noqa: S603 - an argument list of a board file, without a shell
        list(arguments),
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=sys.platform != "win32",
    )
    assert process.stdout is not None
    arrived: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process.stdout, arrived), daemon=True)
    reader.start()
    try:
        lines = list(_lines(arguments[0], arrived, limit_s, quiet_s, check, on_line))
        return Ended(process.wait(_GRACE_S), tuple(lines[-_MOST_LINES:]))
    except subprocess.TimeoutExpired:
        raise _killed(arguments[0], "it closed its output and did not end") from None
    finally:
        _end(process)
        reader.join(_GRACE_S)
        process.stdout.close()


def _lines(
    name: str,
    arrived: "queue.SimpleQueue[str | None]",
    limit_s: float,
    quiet_s: float,
    check: Callable[[], None],
    on_line: Callable[[str], None],
) -> Iterator[str]:
    """Yield a program's lines until its output ends."""
    clock = SystemClock()
    limit, quiet = Deadline(clock, limit_s), Deadline(clock, quiet_s)
    while True:
        check()
        try:
            line = arrived.get(timeout=_LOOK_S)
        except queue.Empty:
            if limit.expired:
                raise _killed(name, f"it did not end within {limit_s:g} s") from None
            if quiet.expired:
                raise _killed(name, f"it printed nothing for {quiet_s:g} s") from None
            continue
        if line is None:
            return
        quiet = Deadline(clock, quiet_s)
        on_line(line)
        yield line


def _read(output: IO[bytes], arrived: "queue.SimpleQueue[str | None]") -> None:
    """Cut a program's output into lines; a carriage return ends one too, as progress bars use it."""
    rest = b""
    with suppress(OSError, ValueError):
        while chunk := os.read(output.fileno(), 4096):
            *whole, rest = re.split(rb"[\r\n]+", rest + chunk)
            for line in whole:
                arrived.put(_shown(line))
            rest = rest[-_LONGEST * 4 :]
    if rest:
        arrived.put(_shown(rest))
    arrived.put(None)


def _shown(line: bytes) -> str:
    text = masked(line.decode("utf-8", "replace"))[:_LONGEST]
    return "".join(char if char.isprintable() else " " for char in text).rstrip()


def _killed(name: str, why: str) -> RebootTimeout:
    return RebootTimeout(
        f"{Path(name).name} was ended in the middle of its work: {why}",
        hint="The content of the chip is unknown. Run the same command again, or raise limit_s and quiet_s.",
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a program that still runs, and all that it started."""
    if process.poll() is None:
        _signal(process, "SIGTERM")
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
    # Also after its end: a child that it left behind may still hold the port.
    _signal(process, "SIGKILL")
    process.wait()


def _signal(process: "subprocess.Popen[bytes]", name: str) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.terminate()
        else:
            os.killpg(process.pid, getattr(signal, name))
