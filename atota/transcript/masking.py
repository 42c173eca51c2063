"""Masking of the secrets in the traffic of a link, so that a transcript can be given away.

A secret on the wire is the address from which a module may fetch its package: the platform's download token
and the word in our own addresses are both ``ota_`` and twenty letters or digits. They are replaced byte for
byte, so lengths and echoes stay the same and the transcript can still be replayed.
"""

import re
from typing import Literal

Direction = Literal["<", ">"]
Span = tuple[int, int]
"""The position of the first byte, and of the byte after the last."""

WORD_LENGTH = 20
_LONGEST = 64  # a longer word is one, too
# At the end of a line an incomplete word counts: its rest may come in the next line.
_WORD = re.compile(rb"(?<=ota_)(?:[0-9A-Za-z]{20,64}|[0-9A-Za-z]{1,19}\Z)")
_IN_TEXT = re.compile(r"(?<=ota_)[0-9A-Za-z]{20,64}")
_CONTEXT = len("ota_") + _LONGEST - 1
_PIECE = 6
"""A piece of a secret of this length is hidden, even without ``ota_`` before it."""


class Masker:
    """The secrets of one conversation, found in its two streams line by line.

    The ends of lines may cut a secret in pieces, so the end of the previous line counts. A secret of the
    host is also recognised in pieces, where its echo was damaged on the way.
    """

    def __init__(self) -> None:
        self._before: dict[Direction, bytes] = {"<": b"", ">": b""}
        self._pieces: dict[bytes, None] = {}

    def hidden(self, direction: Direction, data: bytes) -> tuple[Span, ...]:
        """Return the spans of the next bytes in one direction that must not be shown, in order."""
        before = self._before[direction]
        stream = before + data
        self._before[direction] = stream[-_CONTEXT:]
        matches = list(_WORD.finditer(stream))
        spans = [match.span() for match in matches]
        if direction == ">":
            self._learn([match.group() for match in matches])
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
            (start, start + _PIECE) for start, piece in enumerate(_pieces(stream)) if piece in self._pieces
        ]


def masked(text: str) -> str:
    """Return a text with stars in place of the secrets in it."""
    return _IN_TEXT.sub(lambda match: "*" * len(match[0]), text)


def _pieces(data: bytes) -> list[bytes]:
    return [data[start : start + _PIECE] for start in range(len(data) - _PIECE + 1)]


def _joined(spans: list[Span]) -> tuple[Span, ...]:
    """Sort spans, and join those that touch."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)
