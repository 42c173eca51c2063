"""Finds the secrets in what passes over a link, so that a transcript can be given away.

A secret on the wire is where a module may fetch its package: the platform's download token and the word in
our own addresses are both ``ota_`` and twenty letters or digits. They are blotted out in place, so that
lengths and echoes stay as they were and the transcript can still be replayed.
"""

import re
from typing import Literal

Direction = Literal["<", ">"]
Span = tuple[int, int]
"""From the first byte to the one behind the last."""

WORD_LENGTH = 20
_LONGEST = 64  # a longer word is one, too
# At the end of a line a word that has only begun counts: its rest may come in the next one.
_WORD = re.compile(rb"(?<=ota_)(?:[0-9A-Za-z]{20,64}|[0-9A-Za-z]{1,19}\Z)")
_CONTEXT = len("ota_") + _LONGEST - 1
_PIECE = 6
"""A piece of a secret that is as long as this is hidden, whatever stands before it."""


class Masker:
    """Looks at the two streams of one conversation, line by line, and finds what has to be hidden.

    A secret may be cut in pieces by the ends of lines: what is known of a stream so far counts. What the
    host has sent is recognised again, in pieces, where an echo of it was damaged on the way.
    """

    def __init__(self) -> None:
        self._before: dict[Direction, bytes] = {"<": b"", ">": b""}
        self._pieces: dict[bytes, None] = {}

    def hidden(self, direction: Direction, data: bytes) -> tuple[Span, ...]:
        """The parts of the next bytes in one direction that must not be shown, in order."""
        before = self._before[direction]
        stream = before + data
        self._before[direction] = stream[-_CONTEXT:]
        found = list(_WORD.finditer(stream))
        spans = [one.span() for one in found]
        if direction == ">":
            self._learn([one.group() for one in found])
        spans += self._known_pieces(stream)
        first = len(before)
        return _joined([(max(start, first) - first, end - first) for start, end in spans if end > first])

    def _learn(self, words: list[bytes]) -> None:
        for word in words:
            if len(word) >= WORD_LENGTH:
                self._pieces.update(dict.fromkeys(_pieces(word)))

    def _known_pieces(self, stream: bytes) -> list[Span]:
        if not self._pieces:
            return []
        return [
            (place, place + _PIECE) for place, piece in enumerate(_pieces(stream)) if piece in self._pieces
        ]


def _pieces(data: bytes) -> list[bytes]:
    return [data[place : place + _PIECE] for place in range(len(data) - _PIECE + 1)]


def _joined(spans: list[Span]) -> tuple[Span, ...]:
    """Spans in order, those that touch made one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)
