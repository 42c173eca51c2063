"""Bytes in, events out: the same ones however the stream is cut.

No clock, no port and no vendor's name may appear in this file: what differs between vendors is a
`Syntax`, and what differs between moments is told beforehand, since bytes alone cannot tell: that a
prompt is due (`expect_prompt`), that counted raw bytes follow (`expect_data`, `expect_data_after`), or
that quoted strings may hold line ends (`allow_line_ends_in_quotes`).

A line ends at CR or LF; runs of them are one separator, so CRLF, CRCRLF, LFCR, LF and CR all work and no
decision waits for the byte after it. A result code is a whole line.
"""

import re

from atota.at.errors27007 import cme_code
from atota.at.events import Data, Final, Garbage, Line, ParserEvent, Prompt, view
from atota.at.syntax import PLAIN, RawRule, Syntax

OK = Final(b"OK", ok=True, kind="OK")
ERROR = Final(b"ERROR", ok=False, kind="ERROR")

_VERBOSE = {b"OK": OK, b"ERROR": ERROR}
# V.250 table 1 (numeric form, ATV0). Only those that end every command; 1 CONNECT and 2 RING are no errors.
_NUMERIC = {
    b"0": Final(b"0", ok=True, kind="OK", code=0),
    b"4": Final(b"4", ok=False, kind="ERROR", code=4),
}
_CODED = re.compile(rb"\+(CME|CMS|EXT) ERROR:(.*)", re.DOTALL)
_LINE_END = re.compile(rb"[\r\n]")
# What no module prints and a noisy or wrongly clocked line produces: control characters, DEL and 0xFF.
_NOISE = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f\xff]+")
_LONGEST_RESULT = 16
"""Lines above this many bytes are not looked up as results: OK and ERROR with trailing blanks are shorter."""
_MULTILINE_LIMIT = 16384
"""A quoted string that runs on for this many bytes is taken for a lost quote, and cut."""


def _coded(raw: bytes) -> Final | None:
    match = _CODED.match(raw)
    if match is None:
        return None
    kind, text = match[1].decode(), view(match[2].strip())
    code = cme_code(text) if kind == "CME" else int(text) if re.fullmatch(r"\d{1,9}", text) else None
    return Final(raw, ok=False, kind=kind, code=code, text=text)


def _is_text(raw: bytes) -> bool:
    """Whether a line with 8-bit bytes in it is text: valid UTF-8, or at least half of it printable ASCII."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return 2 * sum(32 <= byte < 127 for byte in raw) >= len(raw)
    return True


class Parser:
    """A tokeniser of AT streams. It never raises and holds at most one line limit of bytes."""

    def __init__(self, syntax: Syntax = PLAIN) -> None:
        self._limit = syntax.line_limit
        self._results = _VERBOSE if syntax.verbose else {**_VERBOSE, **_NUMERIC}
        self._tail = bytearray()
        self._headed = True
        self._overflown = False
        self._prompt: bytes | None = None
        self._rule: RawRule | None = None
        self._header: re.Pattern[bytes] | None = None
        self._quotes = False
        self._count = 0
        self._data = bytearray()
        self._swallow = b""
        self._hinted = False

    @property
    def pending(self) -> bytes:
        """The bytes of the line that has not ended yet."""
        return bytes(self._tail)

    def mark(self) -> None:
        """Remember that a command is being written: the next line is unheaded until a line end comes."""
        self._headed = False

    def reset(self) -> None:
        """Forget the half line and every hint: the module was reset."""
        self._tail.clear()
        self._data.clear()
        self._headed, self._overflown = True, False
        self._count, self._swallow = 0, b""
        self.hint()

    def hint(
        self, *, prompt: bytes | None = None, raw: RawRule | None = None, multiline: bool = False
    ) -> None:
        """Say all at once what the command now in flight may raise; without arguments, nothing.

        A data phase that is still short of bytes ends: what came of it is the beginning of a line.
        """
        self._tail += self._data
        self._data.clear()
        self._count, self._swallow = 0, b""
        self._prompt, self._rule, self._quotes = prompt or None, raw, multiline
        self._header = None if raw is None else re.compile(raw.header)
        self._rehint()

    def expect_prompt(self, prompt: bytes | None) -> None:
        """Say which prompt, if any, is due: it has no line end, so only knowing tells it from text."""
        self._prompt = prompt or None
        self._rehint()

    def expect_data_after(self, rule: RawRule | None) -> None:
        """Say which header line counted raw bytes will follow."""
        self.hint(prompt=self._prompt, raw=rule, multiline=self._quotes)

    def expect_data(self, count: int) -> None:
        """Say that the next ``count`` bytes are data, whatever they hold."""
        self._count = count
        self._rehint()

    def allow_line_ends_in_quotes(self, allow: bool) -> None:
        """Say whether a line end inside double quotes belongs to the string."""
        self._quotes = allow
        self._rehint()

    def _rehint(self) -> None:
        self._hinted = bool(
            self._prompt or self._rule or self._quotes or self._count or self._data or self._swallow
        )

    def receive(self, data: bytes) -> list[ParserEvent]:
        """Take bytes as they come; return the events that they complete."""
        events: list[ParserEvent] = []
        if self._hinted:
            data = self._receive_hinted(data, events)
        if data:
            self._receive_lines(data, events)
        return events

    def _receive_lines(self, data: bytes, events: list[ParserEvent]) -> None:
        """The common case: nothing is due, lines are lines."""
        parts = data.replace(b"\r", b"\n").split(b"\n")
        if len(parts) == 1:
            self._grow(data, events)
            return
        last, first, tail = parts.pop(), parts[0], self._tail
        if not self._headed or self._overflown:
            self._grow(first, events)
            self._end_line(events)
            parts[0] = b""
        elif tail:
            parts[0] = bytes(tail) + first
            tail.clear()
        results, limit = self._results, self._limit
        append = events.append
        for raw in parts:
            if not raw:
                continue
            size = len(raw)
            if size < limit and 31 < raw[0] < 127:
                if size <= _LONGEST_RESULT:
                    result = results.get(raw)
                    if result is not None:
                        append(result)
                        continue
                if raw[4:11] != b" ERROR:" and raw[-1] != 32 and raw.isascii():
                    append(Line(raw))
                    continue
            self._classify(raw, events)
        tail += last
        if len(tail) >= limit:
            self._grow(b"", events)

    def _grow(self, piece: bytes, events: list[ParserEvent]) -> None:
        """Add to the line that has not ended; what passes the limit leaves as garbage of a fixed size."""
        tail, limit = self._tail, self._limit
        tail += piece
        while len(tail) >= limit:
            events.append(Garbage(bytes(tail[:limit]), "overflow"))
            del tail[:limit]
            self._overflown = True

    def _end_line(self, events: list[ParserEvent]) -> None:
        raw, headed = bytes(self._tail), self._headed
        self._tail.clear()
        self._headed = True
        if self._overflown:
            self._overflown = False
            if raw:
                events.append(Garbage(raw, "overflow"))
        elif raw:
            self._classify(raw, events, headed=headed)

    def _classify(self, raw: bytes, events: list[ParserEvent], *, headed: bool = True) -> None:
        """One whole line: noise in front of it, a result code, text, or garbage."""
        if len(raw) >= self._limit:
            self._grow(raw, events)
            self._end_line(events)
            return
        noise = _NOISE.match(raw)
        if noise is not None:
            events.append(Garbage(noise[0]))
            raw = raw[noise.end() :]
            if not raw:
                return
        result = self._results.get(raw.rstrip(b" ")) if len(raw) <= _LONGEST_RESULT else None
        result = result or (_coded(raw) if raw[0] == 43 else None)
        if result is not None:
            events.append(result)
        elif raw.isascii() or _is_text(raw):
            events.append(Line(raw, headed))
        else:
            events.append(Garbage(raw))

    def _receive_hinted(self, data: bytes, events: list[ParserEvent]) -> bytes:
        """Walk on as long as a hint holds; return what is left for the common case."""
        while self._hinted and data:
            if self._swallow:
                data = data[1:] if data[:1] == self._swallow else data
                self._swallow = b""
            elif self._count:
                data = self._take_data(data, events)
            else:
                data = self._take_line(data, events)
            self._rehint()
        if self._hinted and self._prompt and self._tail:
            self._take_prompt(b"", events)
        return data

    def _take_data(self, data: bytes, events: list[ParserEvent]) -> bytes:
        piece = data[: self._count]
        self._data += piece
        self._count -= len(piece)
        if not self._count:
            events.append(Data(bytes(self._data)))
            self._data.clear()
        return data[len(piece) :]

    def _take_line(self, data: bytes, events: list[ParserEvent]) -> bytes:
        """Take up to one line end, looking for a prompt or an in-line header at its beginning."""
        end = _LINE_END.search(data)
        piece = data if end is None else data[: end.start()]
        rest = self._take_prompt(piece, events)
        if rest is None:
            rest = self._take_inline_header(piece, events)
        if rest is not None:
            return rest + data[len(piece) :]
        self._grow(piece, events)
        if end is None:
            return b""
        after = data[end.end() :]
        if self._quotes and self._open_quote():
            self._tail += end[0]
            return after
        header = self._header.match(self._tail) if self._header is not None else None
        self._end_line(events)
        if header is not None and self._rule is not None and not self._rule.in_line:
            self._count = int(header[1])
            self._swallow = b"\n" if end[0] == b"\r" else b""
        return after

    def _open_quote(self) -> bool:
        return len(self._tail) < min(_MULTILINE_LIMIT, self._limit) and self._tail.count(b'"') % 2 == 1

    def _take_prompt(self, piece: bytes, events: list[ParserEvent]) -> bytes | None:
        """If the line begins with the prompt that is due, report it; return what follows it, else None."""
        prompt = self._prompt
        if prompt is None or self._overflown or len(self._tail) > len(prompt):
            return None
        line = bytes(self._tail) + piece
        if not line.startswith(prompt):
            return None
        self._tail.clear()
        self._headed = True
        events.append(Prompt(prompt))
        self._prompt = None
        self._swallow = b" "
        self._rehint()
        return line[len(prompt) :]

    def _take_inline_header(self, piece: bytes, events: list[ParserEvent]) -> bytes | None:
        if self._rule is None or not self._rule.in_line or self._header is None:
            return None
        line = bytes(self._tail) + piece
        header = self._header.match(line)
        if header is None:
            return None
        self._tail.clear()
        events.append(Line(header[0], self._headed))
        self._headed = True
        self._count = int(header[1])
        return line[header.end() :]
