r"""Masking of identities, so that texts and transcripts can be given to strangers.

An identity is a number of eleven digits or more that stands for itself (IMEI, IMSI, a telephone number), a
SIM card's number, the answer to a question for one of them, and each word that the caller knows: serial
numbers, device names, the host's name. Digits inside longer words (hex blocks, digests) stay.

In a transcript an identity keeps its form, so that it can still be played: 0 for each digit and X for each
letter, and an IMEI that no module has. One that the lines of the file cut in pieces is found, too.
"""

import re
from collections.abc import Iterable

from atota.transcript.format import escape, hidden_in, unescape
from atota.transcript.masking import Span
from atota.values import is_imei, mask

_NUMBERS = r"\d{11,22}|89\d{4}[0-9A-Z]{12,16}"  # ITU-T E.118: a card's number begins with 89
_ANSWERS = r"\+(?:CGSN|GSN|EGMR|CIMI|CNUM|[A-Z]?CCID):[ ]?\"?(?P<answer>[0-9A-Za-z+]{4,})"
"""27.007 (CGSN, CIMI, CNUM), V.250 (GSN), and the vendors' names of the card's number."""
_LINE = re.compile(r"(\d+\.\d{3} ([<>]) )(.*)")
_NO_IMEI = "350000000000006"  # 3GPP 23.003 annex B: its check digit fits; type code and number are zeros
_LEAST = 3
"""Shorter words are not looked for: they stand in too many places."""


class Identities:
    """The identities of one job.

    Args:
        known: words that are identities, besides the numbers.
    """

    def __init__(self, known: Iterable[str | None] = ()) -> None:
        words = sorted({word for word in known if word and len(word) >= _LEAST}, key=len, reverse=True)
        pattern = "|".join((*map(re.escape, words), _NUMBERS))
        self._pattern = re.compile(rf"{_ANSWERS}|(?<![0-9A-Za-z])(?:{pattern})(?![0-9A-Za-z])")

    def masked(self, text: str) -> str:
        """Return a text with each identity masked, as logs have it."""
        pieces, end = [], 0
        for first, last in self._spans(text):
            pieces += [text[end:first], mask(text[first:last])]
            end = last
        return "".join((*pieces, text[end:]))

    def _spans(self, text: str) -> list[Span]:
        return [
            match.span("answer" if match["answer"] is not None else 0)
            for match in self._pattern.finditer(text)
        ]

    def masked_transcript(self, text: str) -> str:
        """Return a transcript in which each identity has only its form; its head is masked as a text."""
        lines = text.splitlines()
        streams: dict[str, list[tuple[int, bytes]]] = {"<": [], ">": []}
        for number, line in enumerate(lines):
            match = _LINE.fullmatch(line)
            if match is None:
                lines[number] = self.masked(line)
                continue
            try:
                streams[match[2]].append((number, unescape(match[3])))
            except ValueError:  # cut off, or not a transcript
                lines[number] = self.masked(line)
        for pieces in streams.values():
            self._hide(lines, pieces)
        return "".join(f"{line}\n" for line in lines)

    def _hide(self, lines: list[str], pieces: list[tuple[int, bytes]]) -> None:
        """Replace the identities in the bytes of one direction."""
        stream = b"".join(data for _, data in pieces).decode("latin-1")
        for first, last in self._spans(stream):
            stream = stream[:first] + _form(stream[first:last]) + stream[last:]
        start = 0
        for number, data in pieces:
            new = stream[start : start + len(data)].encode("latin-1")
            start += len(data)
            if new != data:
                match = _LINE.fullmatch(lines[number])
                assert match is not None
                lines[number] = match[1] + escape(new, hidden_in(match[3]))


def _form(text: str) -> str:
    if is_imei(text):
        return _NO_IMEI
    return "".join("0" if char.isdigit() else "X" if char.isalpha() else char for char in text)
