"""The tokeniser: bytes in, events out, and the same ones however the stream is cut.

No clock, no port and no vendor's name may appear in this file. Differences between vendors are data: a
`Syntax`. Differences between moments are hints, given beforehand, since bytes alone cannot tell: that a
prompt is due (`Parser.expect_prompt`), that counted raw bytes follow (`Parser.expect_data`, or the header
rule of `Parser.hint`), or that quoted strings may hold line ends (`Parser.hint`).

*Lines.* A line ends at CR or LF. Runs of them are one separator, so CRLF, CRCRLF, LFCR, LF and CR all work,
and no decision waits for the byte after it. A result code is a whole line::

    <CR><LF>+CSQ: 18,99<CR><LF><CR><LF>OK<CR><LF>
            [-- Line --]                Final

*Two ways of reading.* Nearly always nothing special is due, and a read is split into lines all at once: the
fast way, `_receive_lines`. As long as a hint holds (``hinted``), a line may change the reading of the bytes
behind it: a header begins a data block, a final result ends the wait for a prompt. Then `step` takes one
line, one block or one prompt at a time::

                  hint(…), expect_prompt, expect_data, mark after CR
        fast  -------------------------------------------------------->  hinted
     (whole read) <--------------------------------------------------  (one step)
                  the prompt came, the block is full, the hint was withdrawn

Between two steps the caller may give other hints, by what the last line said. A block or a quoted string that
is not complete then has been read in vain: its bytes are kept in ``_again`` and read once more, as lines, in
front of the next ones (`put_back`). So `Exchange` calls `put_back` and `step` by itself while hints may
change, and leaves the rest of the read to `receive`.

*Invariants.* Every byte but line ends, and the blank behind a prompt, is in exactly one event, or in
`Parser.pending`. At most one line, or one data block, is held: the bytes of a longer line leave as `Garbage`
of a fixed size.
"""

import re

import msgspec

from atota.at.errors27007 import cme_code
from atota.at.events import Data, Final, Garbage, Line, ParserEvent, Prompt, view
from atota.at.syntax import PLAIN, RawRule, Syntax

OK = Final(b"OK", ok=True, kind="OK")
ERROR = Final(b"ERROR", ok=False, kind="ERROR")

_VERBOSE = {b"OK": OK, b"ERROR": ERROR}
# V.250 table 1 (numeric form, ATV0). Only those that end every command; 1 CONNECT and 2 RING are not errors.
_NUMERIC = {
    b"0": Final(b"0", ok=True, kind="OK", code=0),
    b"4": Final(b"4", ok=False, kind="ERROR", code=4),
}
_CODED = re.compile(rb"\+(CME|CMS|EXT) ERROR:(.*)", re.DOTALL)
_CR, _PLUS = b"\r+"
_LINE_END = re.compile(rb"[\r\n]")
# Products of a noisy or wrongly clocked line, which no module prints: control characters, DEL and 0xFF.
_NOISE = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f\xff]+")
_LONGEST_RESULT = 16
"""Longer lines are not looked up as results: OK and ERROR with trailing blanks are shorter."""
_HEADER_LIMIT = 256
"""A prompt or in-line header ends within this many bytes of a line: known ones take under 40."""
_MULTILINE_LIMIT = 16384
"""A quoted string that runs on for this many bytes is taken for a lost quote, and cut."""


def _coded(raw: bytes) -> Final | None:
    match = _CODED.match(raw)
    if match is None:
        return None
    kind, text = match[1].decode(), view(match[2].strip())
    code = cme_code(text) if kind == "CME" else int(text) if re.fullmatch(r"\d{1,9}", text) else None
    return Final(raw, ok=False, kind=kind, code=code, text=text)


def _count(header: re.Match[bytes], rule: RawRule) -> int:
    """Return the number of bytes that a header announces; 0 if it is above the rule's limit."""
    digits = header[1] or b""
    count = int(digits) if digits.isdigit() and len(digits) < 10 else 0
    return count if count <= rule.limit else 0


def _is_text(raw: bytes) -> bool:
    """True if a line with 8-bit bytes is text: valid UTF-8, or at least half of it printable ASCII."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return 2 * sum(32 <= byte < 127 for byte in raw) >= len(raw)
    return True


class Parser:
    """A tokeniser of AT streams. `receive` never raises, whatever the input.

    Attributes:
        hinted: a hint holds, so that each line has to be looked at before the next.
    """

    def __init__(self, syntax: Syntax = PLAIN) -> None:
        self.hinted = False
        self._limit = syntax.line_limit
        self._results = _VERBOSE if syntax.verbose else {**_VERBOSE, **_NUMERIC}
        # The line that has not ended.
        self._tail = bytearray()
        self._headed = True  # a line end came before it
        self._overflown = False  # its beginning has left as garbage
        self._after_cr = False  # the last byte was CR: an LF behind it belongs to the same line end
        # The hints.
        self._prompt: bytes | None = None
        self._begun = False  # the line had begun before the prompt was due
        self._rule: RawRule | None = None
        self._header: re.Pattern[bytes] | None = None
        self._quotes = False
        self._in_quotes = False
        # The data block.
        self._count = 0  # bytes to come
        self._data = bytearray()
        self._swallow = b""  # a byte that is passed over if it comes next
        self._again = b""  # bytes that were read in vain

    @property
    def pending(self) -> bytes:
        """The bytes that are in no event yet: a line, or a data block, that has not ended."""
        return self._again + bytes(self._tail) + bytes(self._data)

    def mark(self) -> bool:
        """Note that a command is being written: the next line is unheaded until a line end comes.

        Returns:
            True if the line had begun already, so that its beginning cannot be the command's echo.
        """
        self._headed = False
        if self._after_cr and not self._count:
            self._swallow = b"\n"  # the rest of the line end before, not a line end before the echo
            self.hinted = True
        return bool(self._tail)

    def hint(
        self, *, prompt: bytes | None = None, raw: RawRule | None = None, multiline: bool = False
    ) -> None:
        """Set all hints at once, by what the command now in flight may raise; without arguments, none.

        A data block that is still short of bytes ends, and so does a quoted string that has run over line
        ends. Their bytes are read again, as lines: a boot banner may be among them.

        Args:
            prompt: the prompt that is due; see `expect_prompt`.
            raw: the header line that announces raw bytes.
            multiline: line ends inside double quotes belong to the string.
        """
        self._read_again()
        self._count, self._swallow, self._in_quotes = 0, b"", False
        self._rule, self._quotes = raw, multiline
        self._header = None if raw is None else re.compile(raw.header)
        self.expect_prompt(prompt)

    def expect_prompt(self, prompt: bytes | None) -> None:
        """Set the prompt that is due, if any: it has no line end, so only this hint tells it from text.

        Call it before the command is written: the beginning of a line that came before is not the prompt.
        """
        self._prompt = prompt or None
        self._begun = bool(self._tail)
        self._rehint()

    def expect_data(self, count: int) -> None:
        """Take the next ``count`` bytes as data, whatever they hold.

        A line that has begun ends here. If the line before ended in CR and its LF has not come yet, that LF
        is not data.
        """
        self._read_again()
        self._count = max(0, count)
        self._swallow = b"\n" if self._after_cr else b""
        self._rehint()

    def _read_again(self) -> None:
        """Put back the bytes of a data block, or of a quoted string over several lines."""
        if self._data or b"\r" in self._tail or b"\n" in self._tail:
            self._again += bytes(self._tail + self._data)
            self._tail.clear()
            self._data.clear()

    def _rehint(self) -> None:
        self.hinted = bool(self._prompt or self._rule or self._quotes or self._count or self._swallow)

    def receive(self, data: bytes) -> list[ParserEvent]:
        """Take bytes as they come; return the events that they complete."""
        events: list[ParserEvent] = []
        if self.hinted or self._again:
            data = self._receive_hinted(data, events)
        if data:
            self._receive_lines(data, events)
        return events

    def _receive_hinted(self, data: bytes, events: list[ParserEvent]) -> bytes:
        """Read step by step as long as a hint holds; return the rest, for the fast way."""
        data, start = self.put_back(data, 0)
        while self.hinted and start < len(data):
            start = self.step(data, start, events)
        return data[start:]

    def put_back(self, data: bytes, start: int) -> tuple[bytes, int]:
        """Return the bytes to read, and where to begin, when ``data[start:]`` is next.

        The bytes that a `hint` put back come first.
        """
        if not self._again:
            return data, start
        again, self._again = self._again, b""
        return again + data[start:], 0

    def step(self, data: bytes, start: int, events: list[ParserEvent]) -> int:
        """Take at most one line or block from ``data[start:]``; return where it ends.

        This is `receive` for a caller whose hints depend on the line; it calls `put_back` before each step.
        """
        if self._swallow:
            start += data[start : start + 1] == self._swallow
            self._swallow = b""
        elif self._count:
            start = self._take_data(data, start, events)
        else:
            start = self._take_line(data, start, events)
        self._rehint()
        return start

    def _receive_lines(self, data: bytes, events: list[ParserEvent]) -> None:
        """Split a whole read into lines: the fast way, while no hint holds."""
        self._after_cr = data[-1] == _CR
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
        """Add to the line that has not ended; bytes beyond the limit leave as garbage of a fixed size."""
        tail, limit = self._tail, self._limit
        tail += piece
        if len(tail) >= limit:
            blob = bytes(tail)
            whole = len(blob) - len(blob) % limit
            events += [Garbage(blob[at : at + limit], "overflow") for at in range(0, whole, limit)]
            tail.clear()
            tail += blob[whole:]
            self._overflown = True

    def _end_line(self, events: list[ParserEvent]) -> None:
        raw, headed = bytes(self._tail), self._headed
        self._tail.clear()
        self._headed, self._begun, self._in_quotes = True, False, False
        if self._overflown:
            self._overflown = False
            if raw:
                events.append(Garbage(raw, "overflow"))
        elif raw:
            self._classify(raw, events, headed=headed)

    def _classify(self, raw: bytes, events: list[ParserEvent], *, headed: bool = True) -> None:
        """Make the events of one whole line: noise in front of it, a result code, text, or garbage."""
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
        if result is not None:
            events.append(result if result.raw == raw else msgspec.structs.replace(result, raw=raw))
            return
        result = _coded(raw) if raw[0] == _PLUS else None
        if result is not None:
            events.append(result)
        elif raw.isascii() or _is_text(raw):
            events.append(Line(raw, headed))
        else:
            events.append(Garbage(raw))

    def _take_data(self, data: bytes, start: int, events: list[ParserEvent]) -> int:
        if self._tail:
            self._end_line(events)
            return start  # the line may end the wait for data
        piece = data[start : start + self._count]
        self._data += piece
        self._count -= len(piece)
        self._after_cr = False
        if not self._count:
            events.append(Data(bytes(self._data)))
            self._data.clear()
        return start + len(piece)

    def _take_line(self, data: bytes, start: int, events: list[ParserEvent]) -> int:
        """Take up to one line end, looking for a prompt or an in-line header at its beginning."""
        self._after_cr = False
        taken = self._take_beginning(data, start, events)
        if taken:
            return start + taken
        end = _LINE_END.search(data, start)
        piece = data[start:] if end is None else data[start : end.start()]
        self._grow(piece, events)
        if self._quotes and piece.count(b'"') % 2:
            self._in_quotes = not self._in_quotes
        if end is None:
            return len(data)
        if (
            self._in_quotes
            and not self._overflown
            and len(self._tail) < min(_MULTILINE_LIMIT, self._limit - 1)
        ):
            self._tail += end[0]
            return end.end()
        self._after_cr = end[0] == b"\r"
        known = len(events)
        self._end_line(events)
        if len(events) > known:
            self._look_for_header(events[-1])
        return end.end()

    def _take_beginning(self, data: bytes, start: int, events: list[ParserEvent]) -> int:
        """Take a prompt or an in-line header if the line begins with one; return its length."""
        room = min(_HEADER_LIMIT, self._limit - 1) - len(self._tail)
        if self._overflown or room <= 0 or not (self._prompt or self._rule):
            return 0
        window = data[start : start + room]
        return self._take_prompt(window, events) or self._take_inline_header(window, events)

    def _take_prompt(self, piece: bytes, events: list[ParserEvent]) -> int:
        """Take the prompt that is due if the line begins with it; return its length in ``piece``."""
        prompt, length = self._prompt, len(self._tail)
        if prompt is None or self._begun or length >= len(prompt):
            return 0
        rest = prompt[length:]
        if not prompt.startswith(self._tail) or not piece.startswith(rest):
            return 0
        self._tail.clear()
        self._headed = True
        events.append(Prompt(prompt))
        self._prompt = None
        self._swallow = b" "
        return len(rest)

    def _take_inline_header(self, piece: bytes, events: list[ParserEvent]) -> int:
        rule, length = self._rule, len(self._tail)
        if rule is None or not rule.in_line or self._header is None:
            return 0
        line = _LINE_END.split(piece, maxsplit=1)[0]
        header = self._header.match(bytes(self._tail) + line)
        if header is None or header.end() <= length:
            return 0
        self._count = _count(header, rule)
        if not self._count:
            return 0
        self._tail.clear()
        events.append(Line(header[0], self._headed))
        self._headed = True
        return header.end() - length

    def _look_for_header(self, event: ParserEvent) -> None:
        """If the line that just ended announces counted bytes, count from here."""
        rule = self._rule
        if rule is None or rule.in_line or self._header is None or not isinstance(event, Line):
            return
        header = self._header.match(event.raw)
        if header is not None:
            self._count = _count(header, rule)
            self._swallow = b"\n" if self._count and self._after_cr else b""
