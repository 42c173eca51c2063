"""A link that writes all traffic that passes through it to a transcript.

A line ends where the traffic changes its direction or pauses, after a line feed that follows text, or after
512 bytes. So the text does not depend on how the bytes were cut into reads and writes.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from atota.clock import utc_iso
from atota.errors import LinkError
from atota.link.base import Link
from atota.link.forward import ForwardingLink
from atota.transcript.format import FIRST_LINE, escape, one_line
from atota.transcript.masking import Direction, Masker

PAUSE_S = 0.1  # bytes further apart than this begin a new line
LONGEST = 512  # bytes in one line
_TEXT = re.compile(rb"[^\r\n]")


class TranscriptLink(ForwardingLink):
    """A link that passes everything on to ``inner`` and writes it to ``file``.

    The traffic is in the file at once, so it survives a crash. A transcript may be given away: pass a
    ``masker`` that finds secrets. With one, a line is written only when it is whole, since a secret may
    arrive in pieces. A file that cannot be written (a full disk) does not stop the traffic: ``problem``
    then holds the reason for which the transcript ends.

    Args:
        inner: the link to listen in on; closed together with this one.
        file: an open text file; it stays open.
        masker: finds the bytes that must not be written; one for each conversation.
        context: the purpose of the conversation, one line of the head each; no secrets.
        after: a transcript in the same file that this one continues: the port was opened again.
        on_problem: gets ``problem``, once.
    """

    def __init__(
        self,
        inner: Link,
        file: TextIO,
        *,
        masker: Masker | None = None,
        context: Mapping[str, str] | None = None,
        after: "TranscriptLink | None" = None,
        on_problem: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(inner)
        self._on_problem = on_problem
        self.problem: str | None = None if after is None else after.problem
        self.file = file
        self._masker = masker
        self.began_s: float = self.clock.monotonic() if after is None else after.began_s
        self._line = bytearray()  # the line that is not complete yet
        self._direction: Direction = ">"
        self._line_began = self._last = 0.0
        self._written = 0  # bytes of it that are in the file
        self._closed = False
        if after is None:
            self._head(context or {})
        else:
            self._note(f"opened {one_line(self.name)}")
        self._note(f"baud {inner.baud}")

    def read(self, timeout_s: float) -> bytes:
        """Read from the inner link and write it down."""
        with self._noting_failure():
            data = self.inner.read(timeout_s)
        if data:
            self._record("<", data)
        return data

    def write(self, data: bytes) -> None:
        """Write it down, then write to the inner link."""
        self._record(">", data)
        with self._noting_failure():
            self.inner.write(data)

    def set_baud(self, baud: int) -> None:
        """Change the rate of the inner link and write it down."""
        with self._noting_failure():
            self.inner.set_baud(baud)
        self._note(f"baud {baud}")

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Set the lines of the inner link and write it down."""
        with self._noting_failure():
            self.inner.set_lines(dtr=dtr, rts=rts)
        states = {"dtr": dtr, "rts": rts}
        words = [f"{line} {'on' if state else 'off'}" for line, state in states.items() if state is not None]
        self._note(" ".join(words))

    def remark(self, text: str) -> None:
        """Write a line down that a program has printed, also while the port is lent to it."""
        self._end_line()
        self._put(f"{self._now():.3f} ! said {one_line(text)}\n")
        super().remark(text)

    def close(self) -> None:
        """Close the inner link and end the transcript. May be called twice."""
        if not self._closed:
            self._note("closed")
            self._closed = True
        self.inner.close()

    def _head(self, context: Mapping[str, str]) -> None:
        lines = {"link": self.name, "started": utc_iso(self.clock.time()), **context}
        self._put(FIRST_LINE + "\n" + "".join(f"# {key} {one_line(text)}\n" for key, text in lines.items()))

    @contextmanager
    def _noting_failure(self) -> Iterator[None]:
        try:
            yield
        except LinkError as exc:
            self._note(f"{exc.code} {one_line(exc.message)}")
            raise

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
            end, is_whole = _next_cut(data, start, self._line)
            self._line += data[start:end]
            start = end
            if is_whole:
                self._end_line()
        self._show_line()

    def _show_line(self) -> None:
        """Write the incomplete line as far as it is known, so that a crash keeps it.

        Blanks at its end wait: they are written in another way if they turn out to be the last bytes.
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
            self.problem = f"the transcript ends here: {getattr(exc, 'strerror', None) or exc}"
            if self._on_problem is not None:
                self._on_problem(self.problem)

    def _now(self) -> float:
        return self.clock.monotonic() - self.began_s


def _next_cut(data: bytes, start: int, line: bytes | bytearray) -> tuple[int, bool]:
    """Return the end of the part of ``data`` that belongs to ``line``, and True if it completes the line."""
    limit = start + LONGEST - len(line)
    text = start
    if not line.strip(b"\r\n"):
        match = _TEXT.search(data, start)
        text = match.start() if match else len(data)
    feed = data.find(b"\n", text)
    end = feed + 1 if feed >= 0 else len(data)
    if end >= limit:
        return limit, True
    return end, feed >= 0
