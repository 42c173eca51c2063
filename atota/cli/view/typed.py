"""The lines that the user types, while the program does something else."""

import io
import os
import queue
import threading
from typing import TextIO

_PIECE = 4096


class TypedLines:
    """The lines of a stream, read by a thread of their own.

    A read of standard input cannot be ended, so the thread goes with the process. It reads the descriptor
    itself, since one that holds the stream's lock would keep the interpreter from ending.

    Args:
        stream: standard input.
    """

    def __init__(self, stream: TextIO) -> None:
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        try:
            descriptor = stream.fileno()
        except (io.UnsupportedOperation, ValueError):  # in memory, or closed
            self._put(stream)
            return
        threading.Thread(target=self._read, args=(descriptor,), name="typed", daemon=True).start()

    def take(self, timeout_s: float) -> str | None:
        """Return the next line.

        Raises:
            TimeoutError: none was typed in time.
            EOFError: it was the last.
        """
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError from None
        if line is None:
            raise EOFError
        return line

    def _put(self, stream: TextIO) -> None:
        for line in stream if not stream.closed else ():
            self._lines.put(line.rstrip("\r\n"))
        self._lines.put(None)

    def _read(self, descriptor: int) -> None:
        rest = b""
        while data := _piece(descriptor):
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                self._lines.put(line.decode("utf-8", "replace").rstrip("\r"))
        if rest:
            self._lines.put(rest.decode("utf-8", "replace"))
        self._lines.put(None)


def _piece(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _PIECE)
    except OSError:  # a terminal that was hung up
        return b""
