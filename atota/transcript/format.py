r"""The text format of a transcript: its escapes, and the grammar of its lines.

    # atota transcript 1
    # link /dev/ttyUSB0
    # started 2026-01-01T00:00:00.000Z
    # command identify
    0.000 ! baud 9600
    0.000 > AT\r
    0.012 < AT\r\r\n
    0.013 < OK\r\n
    0.500 ! baud 115200
    0.510 ! dtr on
    0.600 ! said esptool: Connecting....
    9.000 ! closed

Times are seconds since the start. ``>`` marks bytes of the host, ``<`` bytes of the module, ``!`` every
other event; ``said`` is a line of a program that had the port meanwhile, and is not replayed. A ``*`` stands
for one byte of a secret that is not shown; a star that passed over the link is written ``\x2a``.
`atota.transcript.writer` writes a transcript, `atota.transcript.recording` reads it and
`atota.transcript.replay` plays it. A hand-written trace (`atota.transcript.trace`) has the same escapes.
"""

import re
from collections.abc import Sequence

from atota.transcript.masking import Span

FIRST_LINE = "# atota transcript 1"
HIDDEN = "*"
_PLAIN = {"\\": "\\\\", "\r": "\\r", "\n": "\\n", "\t": "\\t", HIDDEN: "\\x2a"}
_ESCAPES = [
    _PLAIN.get(chr(byte), chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}") for byte in range(256)
]
_ESCAPED = re.compile(r"(?:[ -\[\]-~]|\\[rnt\\]|\\x[0-9a-f]{2})*")
_CHARACTER = re.compile(r"\\x..|\\.|.")


def escape(data: bytes | bytearray, hidden: Sequence[Span] = ()) -> str:
    r"""Write bytes as one line of ASCII: ``\r \n \t \\ \xNN``; a blank at the end as ``\x20``.

    Args:
        data: the bytes.
        hidden: the spans of them that are replaced by stars.
    """
    pieces = [_ESCAPES[byte] for byte in data]
    for start, end in hidden:
        pieces[start:end] = HIDDEN * (end - start)
    text = "".join(pieces)
    return text[:-1] + "\\x20" if text.endswith(" ") else text


def unescape(text: str) -> bytes:
    """Read the output of `escape`, with stars for hidden bytes; `ValueError` for any other text."""
    if not _ESCAPED.fullmatch(text):
        raise ValueError("not written by escape")
    return text.encode("ascii").decode("unicode_escape").encode("latin-1")


def hidden_in(text: str) -> tuple[Span, ...]:
    """Return the spans that `escape` has hidden, as positions in the output of `unescape`."""
    if HIDDEN not in text:
        return ()
    shown = "".join(HIDDEN if one == HIDDEN else "." for one in _CHARACTER.findall(text))
    return tuple(match.span() for match in re.finditer(r"\*+", shown))


def one_line(text: str) -> str:
    """Write a name or a message as one line of ASCII."""
    return ascii(text)[1:-1].replace("\\'", "'").rstrip()
