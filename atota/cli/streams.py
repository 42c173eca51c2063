"""The standard streams of the process, made so that no write to them can end the work.

A stream may be closed from the beginning (``2>&-``), lose its reader (``| head``), lie on a full disk
(``>> line.log``) or on a terminal that was hung up. What goes to it is only told: the first failure silences
the stream, and the job goes on to its verdict, its record and its exit code.
"""

import codecs
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


_PLAIN = {"→": "->", "…": "...", "━": "-", "╸": "-", "╺": "-", "×": "x", "–": "-", "—": "-", "±": "+-"}
"""Stand-ins for characters that a terminal may lack."""
_FALLBACK = "atota-fallback"


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write a character that the encoding lacks as its stand-in, else as its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(char) or ascii(char)[1:-1] for char in lacking), error.end


codecs.register_error(_FALLBACK, _plain)


class LastingStream(io.RawIOBase):
    """The bytes of one standard stream.

    Attributes:
        problem: the reason for which the stream is silent; None while it is written.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.problem: OSError | None = None
        self._descriptor = descriptor

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """True if it is a terminal."""
        return os.isatty(self._descriptor)

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write to the stream; return the number of bytes taken, which is all of them once it is silent."""
        view = memoryview(data).cast("B")
        if self.problem is None:
            try:
                return os.write(self._descriptor, view)
            except OSError as error:
                self.problem = error
        return len(view)


def make_lasting() -> None:
    """Put lasting streams in place of ``sys.stdout`` and ``sys.stderr``, and of missing ones."""
    _open_missing()
    sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - as long as the process
    sys.stdout = _lasting(sys.stdout, 1)
    sys.stderr = _lasting(sys.stderr, 2)


def _open_missing() -> None:
    """Open the null device for each closed standard descriptor: else the next file or port would get it."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def _lasting(stream: TextIO | None, descriptor: int) -> TextIO:
    encoding, is_lively = "utf-8", descriptor == 2
    if stream is not None:
        if not isinstance(stream, io.TextIOWrapper):
            return stream
        stream.reconfigure(errors=_FALLBACK)
        try:
            descriptor = stream.fileno()
        except io.UnsupportedOperation:  # in memory
            return stream
        encoding, is_lively = stream.encoding, stream.line_buffering
    return io.TextIOWrapper(
        io.BufferedWriter(LastingStream(descriptor)),
        encoding=encoding,
        errors=_FALLBACK,
        line_buffering=is_lively,
    )


def lost(stream: TextIO) -> OSError | None:
    """Return the reason for which a stream is silent, unless its reader just went away."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    problem = raw.problem if isinstance(raw, LastingStream) else None
    return None if isinstance(problem, BrokenPipeError) else problem
