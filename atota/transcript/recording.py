"""The reader of transcripts: the traffic of the link, byte for byte, with its times.

A transcript that was cut off (a crash, a full disk) is read up to its last whole line. Every other mistake
is an error that names the line.
"""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from atota.errors import ConfigError
from atota.transcript.format import FIRST_LINE, escape, hidden_in, unescape
from atota.transcript.masking import Direction, Span

_HEAD = re.compile(r"# ([a-z][a-z0-9-]*)(?: (.*))?")
_LINE = re.compile(r"(\d{1,9}\.\d{3}) ([<>!]) (.+)")
_FAULT = re.compile(r"(link(?:\.[a-z-]+)*)(?: (.*))?")
_SAID = "said "
_LEVELS = re.compile(r"(?:dtr (on|off))?(?: ?rts (on|off))?")
_VERSION = re.compile(r"# atota transcript (\d+)")


class Traffic(msgspec.Struct, frozen=True):
    """Bytes in one direction, ``>`` from the host; the bytes of a secret are stars in ``data``.

    ``continues``: these bytes begin with the rest of a secret from the previous line of this direction.
    """

    line: int
    time_s: float
    direction: Direction
    data: bytes
    hidden: tuple[Span, ...] = ()
    continues: bool = False

    def __str__(self) -> str:
        return f"{self.direction} {escape(self.data, self.hidden)}"


class BaudChange(msgspec.Struct, frozen=True):
    """The host changed its rate, bit/s."""

    line: int
    time_s: float
    baud: int

    def __str__(self) -> str:
        return f"! baud {self.baud}"


class LinesSet(msgspec.Struct, frozen=True):
    """The host set control lines; None: it did not change that line."""

    line: int
    time_s: float
    dtr: bool | None = None
    rts: bool | None = None

    def __str__(self) -> str:
        states = {"dtr": self.dtr, "rts": self.rts}
        words = [f"{name} {'on' if state else 'off'}" for name, state in states.items() if state is not None]
        return f"! {' '.join(words)}"


class Fault(msgspec.Struct, frozen=True):
    """The link failed: the code and the message of the error."""

    line: int
    time_s: float
    code: str
    message: str

    def __str__(self) -> str:
        return f"! {self.code} {self.message}"


class Opened(msgspec.Struct, frozen=True):
    """The port was opened again, after it had been lost or closed."""

    line: int
    time_s: float
    name: str

    def __str__(self) -> str:
        return f"! opened {self.name}"


class Closed(msgspec.Struct, frozen=True):
    """The host closed the link."""

    line: int
    time_s: float

    def __str__(self) -> str:
        return "! closed"


Entry = Traffic | BaudChange | LinesSet | Fault | Opened | Closed


class Recording(msgspec.Struct, frozen=True):
    """A transcript that was read; ``head`` holds the keys and texts of its head, in order."""

    path: Path
    head: tuple[tuple[str, str], ...]
    entries: tuple[Entry, ...]
    cut_off: bool

    def value(self, key: str) -> str | None:
        """Return the first text of ``key`` in the head."""
        return next((text for known, text in self.head if known == key), None)

    def stream(self, direction: Direction) -> bytes:
        """Return all bytes of one direction."""
        return b"".join(
            one.data for one in self.entries if isinstance(one, Traffic) and one.direction == direction
        )

    @property
    def baud(self) -> int | None:
        """The host's rate at the beginning, bit/s."""
        return next((one.baud for one in self.entries if isinstance(one, BaudChange)), None)


def read_recording(path: Path) -> Recording:
    """Read a transcript.

    Raises:
        ConfigError: it is missing or not a transcript; file and line are named.
    """
    try:
        text = path.read_bytes().decode("ascii", "replace")
    except OSError as error:
        raise ConfigError(
            f"the transcript {path} cannot be read: {error.strerror or error}",
            hint="Name a file that --transcript has written.",
        ) from error
    return parse_recording(text, path)


def parse_recording(text: str, path: Path = Path("-")) -> Recording:
    """Read a transcript's text; ``path`` is its name in errors.

    Raises:
        ConfigError: it is not a transcript; name and line are named.
    """
    return _Reader(path).read(text)


class _Reader:
    """The reading of one transcript: its position, for errors and for secrets that span lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0
        self._time_s = 0.0
        self._in_secret: dict[Direction, bool] = {"<": False, ">": False}

    def read(self, text: str) -> Recording:
        *lines, rest = text.split("\n")
        lines = [line.removesuffix("\r") for line in lines]
        self._begin(lines, rest)
        head: list[tuple[str, str]] = []
        entries: list[Entry] = []
        for self._number, line in enumerate(lines[1:], 2):
            if line.startswith("#") and not entries:
                head.append(self._head(line))
            elif (entry := self._entry(line)) is not None:
                entries.append(entry)
        closed = bool(entries) and isinstance(entries[-1], Closed)
        return Recording(self._path, tuple(head), tuple(entries), cut_off=bool(rest) or not closed)

    def _begin(self, lines: list[str], rest: str) -> None:
        self._number = 1
        first = lines[0] if lines else rest
        version = _VERSION.fullmatch(first)
        if version is not None and first != FIRST_LINE:
            raise self._wrong(f"this is version {version[1]} of the format, which this program does not know")
        if not lines or first != FIRST_LINE:
            raise self._wrong(f"not a transcript: it does not begin with {FIRST_LINE!r}")

    def _head(self, line: str) -> tuple[str, str]:
        match = _HEAD.fullmatch(line)
        if match is None:
            raise self._wrong(f"a head line reads `# WORD TEXT`, not {line[:60]!r}")
        return match[1], match[2] or ""

    def _entry(self, line: str) -> Entry | None:
        """Read a line; None for one that tells nothing of the port."""
        match = _LINE.fullmatch(line)
        if match is None:
            raise self._wrong(f"a line reads `SECONDS > TEXT`, `<` or `!`, not {line[:60]!r}")
        time_s = float(match[1])
        if time_s < self._time_s:
            raise self._wrong(f"time goes back, from {self._time_s:.3f} to {match[1]}")
        self._time_s = time_s
        if match[3].startswith(_SAID) and match[2] == "!":
            return None
        if match[2] == "!":
            return self._note(match[3])
        return self._traffic("<" if match[2] == "<" else ">", match[3])

    def _traffic(self, direction: Direction, text: str) -> Traffic:
        try:
            data = unescape(text)
        except ValueError:
            raise self._wrong(f"bytes are written as \\r, \\x00 or plain ASCII, not {text[:60]!r}") from None
        hidden = hidden_in(text)
        continues = self._in_secret[direction] and bool(hidden) and hidden[0][0] == 0
        self._in_secret[direction] = bool(hidden) and hidden[-1][1] == len(data)
        return Traffic(self._number, self._time_s, direction, data, hidden, continues)

    def _note(self, text: str) -> Entry:
        word, _, rest = text.partition(" ")
        readers: dict[str, Callable[[str], Entry | None]] = {
            "baud": self._baud,
            "opened": lambda name: Opened(self._number, self._time_s, name) if name else None,
            "closed": lambda more: None if more else Closed(self._number, self._time_s),
            "dtr": lambda _: self._levels(text),
            "rts": lambda _: self._levels(text),
        }
        entry = readers[word](rest) if word in readers else self._fault(text)
        if entry is None:
            raise self._wrong(f"unknown note {text[:60]!r}")
        return entry

    def _baud(self, text: str) -> BaudChange | None:
        if not re.fullmatch(r"[1-9]\d{0,8}", text):
            return None
        return BaudChange(self._number, self._time_s, int(text))

    def _levels(self, text: str) -> LinesSet | None:
        match = _LEVELS.fullmatch(text)
        if match is None:
            return None
        dtr, rts = ({"on": True, "off": False}.get(state) for state in match.groups(""))
        return LinesSet(self._number, self._time_s, dtr, rts)

    def _fault(self, text: str) -> Fault | None:
        match = _FAULT.fullmatch(text)
        return Fault(self._number, self._time_s, match[1], match[2] or "") if match is not None else None

    def _wrong(self, problem: str) -> ConfigError:
        return ConfigError(
            f"{self._path}, line {self._number}: {problem}",
            hint="Give a file that --transcript has written, unchanged.",
        )
