r"""Traces: conversations written by hand from a manual or a capture, byte for byte.

    # persona: BC28
    # source: the document, or the captured conversation, of the lines below
    > AT+CGMR
    < \r\nBC28JAR01A03\r\n\r\nOK\r\n

A line of the head is ``# KEY: VALUE`` (``persona``, ``source``, ``baud``, ``sim`` for the options of a
``sim://`` URL; keys may occur again). Then:

- ``> TEXT``: a line of the host; a CR is added.
- ``>> TEXT``: bytes of the host as they stand.
- ``* N XX``: the host sends N times the byte XX (hexadecimal).
- ``< TEXT``: bytes of the module.
- ``? N``: up to N bytes of noise may come before the next ``<``.
- ``~ S``: the host waits S seconds, and the module sends nothing.

TEXT has the escapes of `atota.transcript.format`.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from atota.errors import ConfigError
from atota.transcript.format import escape, unescape

_HEAD = re.compile(r"# (?:([a-z]+): )?(.*)")
_REPEAT = re.compile(r"(\d{1,7}) ([0-9A-Fa-f]{2})")
_NUMBER = re.compile(r"\d{1,7}(\.\d{1,3})?")


class Host(msgspec.Struct, frozen=True):
    """Bytes of the host, and the line of the trace that has them."""

    text: str
    data: bytes

    @property
    def is_line(self) -> bool:
        """True for a line that ends with a CR, False for raw bytes."""
        return self.text.startswith("> ")


class Module(msgspec.Struct, frozen=True):
    """Bytes of the module, and the line of the trace that has them."""

    text: str
    data: bytes


class Noise(msgspec.Struct, frozen=True):
    """At most ``count`` bytes that may come before the module's next bytes."""

    text: str
    count: int


class Pause(msgspec.Struct, frozen=True):
    """The host waits."""

    text: str
    seconds: float


Line = Host | Module | Noise | Pause


class Trace(msgspec.Struct, frozen=True):
    """One trace: its head in order, a comment under the key ``""``, and its lines."""

    head: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]

    def values(self, key: str) -> list[str]:
        """Return all values of a key in the head."""
        return [text for known, text in self.head if known == key]

    @property
    def persona(self) -> str:
        """The simulated module that speaks as in this trace."""
        return self.values("persona")[0]

    @property
    def baud(self) -> int:
        """The host's rate, bit/s."""
        return int((self.values("baud") or ["9600"])[0])

    @property
    def url(self) -> str:
        """The ``sim://`` URL of its module."""
        return f"sim://{self.persona}?{'&'.join(self.values('sim'))}"


def read_trace(path: Path) -> Trace:
    """Read a trace file.

    Raises:
        ConfigError: a line is not of the format; file and line are named.
    """
    return parse_trace(path.read_text("ascii"), path)


def parse_trace(text: str, path: Path = Path("-")) -> Trace:
    """Read the text of a trace; ``path`` is its name in errors.

    Raises:
        ConfigError: a line is not of the format; file and line are named.
    """
    head: list[tuple[str, str]] = []
    lines: list[Line] = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            if match := _HEAD.fullmatch(line):
                head.append((match[1] or "", match[2]))
            else:
                lines.append(_line(line))
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: not a line of a trace: {line[:60]!r}") from error
    return Trace(tuple(head), tuple(lines))


def _line(line: str) -> Line:
    mark, _, text = line.partition(" ")
    match mark:
        case ">":
            return Host(line, unescape(text) + b"\r")
        case ">>":
            return Host(line, unescape(text))
        case "*" if repeat := _REPEAT.fullmatch(text):
            return Host(line, bytes.fromhex(repeat[2]) * int(repeat[1]))
        case "<":
            return Module(line, unescape(text))
        case "?" if text.isdecimal() and _NUMBER.fullmatch(text):
            return Noise(line, int(text))
        case "~" if _NUMBER.fullmatch(text):
            return Pause(line, float(text))
    raise ValueError(mark)


def module_lines(data: bytes) -> Iterable[str]:
    """Write bytes of a module as lines of a trace, one for each line of text."""
    for piece in re.findall(rb"(?:\r\n)*[^\r\n][^\n]*(?:\n|$)|[\r\n]+", data):
        yield f"< {escape(piece)}"
