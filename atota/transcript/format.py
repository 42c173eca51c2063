r"""A link that writes down everything that passes through it, as text that reads well in a diff.

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
    9.000 ! closed

Times are seconds since the start. ``>`` is what we sent, ``<`` what came in, ``!`` everything else.
A line ends where the traffic turns round or pauses, after a line feed that follows text, or after
512 bytes: so it does not matter how the bytes were cut into reads and writes.

A ``*`` stands for one byte that is not shown since it belongs to a secret; a star that passed over the
link is written ``\x2a``. `atota.transcript.recording` reads a transcript, `atota.transcript.replay` plays it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Self, TextIO

from atota.clock import Clock, utc_iso
from atota.errors import LinkError
from atota.link.base import Link
from atota.transcript.masking import Direction, Masker, Span

FIRST_LINE = "# atota transcript 1"
PAUSE_S = 0.1  # bytes further apart than this begin a new line
LONGEST = 512  # bytes in one line
_TEXT = re.compile(rb"[^\r\n]")
_PLAIN = {"\\": "\\\\", "\r": "\\r", "\n": "\\n", "\t": "\\t", "*": "\\x2a"}
_ESCAPES = [
    _PLAIN.get(chr(byte), chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}") for byte in range(256)
]
_ESCAPED = re.compile(r"(?:[ -\[\]-~]|\\[rnt\\]|\\x[0-9a-f]{2})*")
_ONE = re.compile(r"\\x..|\\.|.")
HIDDEN = "*"


def escape(data: bytes | bytearray, hidden: Sequence[Span] = ()) -> str:
    r"""Write bytes as one line of ASCII: ``\r \n \t \\ \xNN``; a blank at the end as ``\x20``.

    Args:
        data: the bytes.
        hidden: parts of them that are blotted out.
    """
    pieces = [_ESCAPES[byte] for byte in data]
    for start, end in hidden:
        pieces[start:end] = HIDDEN * (end - start)
    text = "".join(pieces)
    return text[:-1] + "\\x20" if text.endswith(" ") else text


def unescape(text: str) -> bytes:
    """Read back what `escape` wrote, stars for what was hidden; `ValueError` for anything else."""
    if not _ESCAPED.fullmatch(text):
        raise ValueError("not written by escape")
    return text.encode("ascii").decode("unicode_escape").encode("latin-1")


def hidden_in(text: str) -> tuple[Span, ...]:
    """The parts that `escape` has hidden, as places in what `unescape` reads."""
    if HIDDEN not in text:
        return ()
    shown = "".join("*" if one == HIDDEN else "." for one in _ONE.findall(text))
    return tuple(found.span() for found in re.finditer(r"\*+", shown))


class TranscriptLink:
    """Passes everything on to ``inner`` and writes it to ``file``.

    What passes is in the file at once, so it survives a crash. A transcript may be given away: pass
    a ``masker`` that finds secrets. With one, a line is written only when it is whole, since a
    secret may come in pieces. A file that can't be written (a full disk) does not stop the traffic:
    ``problem`` then says why the transcript ends.

    Args:
        inner: the link to listen in on; closed together with this one.
        file: an open text file; it stays open.
        masker: finds what must not be written; one for each conversation.
        context: what the conversation is for, one line of the head each; no secrets.
        after: a transcript in the same file that this one goes on from: the port was opened again.
    """

    def __init__(
        self,
        inner: Link,
        file: TextIO,
        *,
        masker: Masker | None = None,
        context: Mapping[str, str] | None = None,
        after: "TranscriptLink | None" = None,
    ) -> None:
        self.inner = inner
        self.name = inner.name
        self.clock: Clock = inner.clock
        self.problem: str | None = None
        self.file = file
        self._masker = masker
        self.began_s: float = self.clock.monotonic() if after is None else after.began_s
        self._line = bytearray()  # the line under way
        self._direction: Direction = ">"
        self._line_began = self._last = 0.0
        self._written = 0  # how much of it is in the file
        self._closed = False
        if after is None:
            self._head(context or {})
        else:
            self._note(f"opened {_plain(self.name)}")
        self._note(f"baud {inner.baud}")

    @property
    def baud(self) -> int:
        """The rate both directions run at, in bit/s."""
        return self.inner.baud

    def read(self, timeout_s: float) -> bytes:
        """Read from the inner link and write it down."""
        try:
            data = self.inner.read(timeout_s)
        except LinkError as exc:
            self._note_fault(exc)
            raise
        if data:
            self._record("<", data)
        return data

    def write(self, data: bytes) -> None:
        """Write it down, then write to the inner link."""
        self._record(">", data)
        try:
            self.inner.write(data)
        except LinkError as exc:
            self._note_fault(exc)
            raise

    def set_baud(self, baud: int) -> None:
        """Change the rate of the inner link and write it down."""
        try:
            self.inner.set_baud(baud)
        except LinkError as exc:
            self._note_fault(exc)
            raise
        self._note(f"baud {baud}")

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Set the lines of the inner link and write it down."""
        try:
            self.inner.set_lines(dtr=dtr, rts=rts)
        except LinkError as exc:
            self._note_fault(exc)
            raise
        states = {"dtr": dtr, "rts": rts}
        words = [f"{line} {'on' if state else 'off'}" for line, state in states.items() if state is not None]
        self._note(" ".join(words))

    def close(self) -> None:
        """Close the inner link and end the transcript. May be called twice."""
        if not self._closed:
            self._note("closed")
            self._closed = True
        self.inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _head(self, context: Mapping[str, str]) -> None:
        lines = {"link": self.name, "started": utc_iso(self.clock.time()), **context}
        self._put(FIRST_LINE + "\n" + "".join(f"# {key} {_plain(text)}\n" for key, text in lines.items()))

    def _note_fault(self, exc: LinkError) -> None:
        self._note(f"{exc.code} {_plain(exc.message)}")

    def _note(self, text: str) -> None:
        if self._closed:
            return
        self._end_line()
        self._put(f"{self._now():.3f} ! {text}\n")

    def _record(self, direction: Direction, data: bytes) -> None:
        if self._closed:
            return
        now = self._now()
        if self._line and (direction != self._direction or now - self._last >= PAUSE_S):
            self._end_line()
        self._direction, self._last = direction, now
        start = 0
        while start < len(data):
            if not self._line:
                self._line_began = now
            end, whole = _next_cut(data, start, self._line)
            self._line += data[start:end]
            start = end
            if whole:
                self._end_line()
        self._show_line()

    def _show_line(self) -> None:
        """Write the line under way as far as it is known, so that a crash keeps it.

        Blanks at its end wait: they are written in another way if nothing follows.
        """
        known = len(self._line.rstrip(b" "))
        if self._masker is None and known > self._written:
            self._put(self._prefix() + escape(self._line[self._written : known]))
            self._written = known

    def _end_line(self) -> None:
        if not self._line:
            return
        line = bytes(self._line)
        hidden = () if self._masker is None else self._masker.hidden(self._direction, line)
        self._put(self._prefix() + escape(line[self._written :], hidden) + "\n")
        self._line.clear()
        self._written = 0

    def _prefix(self) -> str:
        return "" if self._written else f"{self._line_began:.3f} {self._direction} "

    def _put(self, text: str) -> None:
        if self.problem is not None:
            return
        try:
            self.file.write(text)
            self.file.flush()
        except (OSError, ValueError) as exc:
            self.problem = f"the transcript ends here: {exc}"

    def _now(self) -> float:
        return self.clock.monotonic() - self.began_s


def _plain(text: str) -> str:
    """A name or a message as one line of ASCII."""
    return ascii(text)[1:-1].replace("\\'", "'").rstrip()


def _next_cut(data: bytes, start: int, line: bytes | bytearray) -> tuple[int, bool]:
    """Say up to where ``data`` from ``start`` on belongs to ``line``, and whether that makes it whole."""
    limit = start + LONGEST - len(line)
    text = start
    if not line.strip(b"\r\n"):
        found = _TEXT.search(data, start)
        text = found.start() if found else len(data)
    feed = data.find(b"\n", text)
    end = feed + 1 if feed >= 0 else len(data)
    if end >= limit:
        return limit, True
    return end, feed >= 0
