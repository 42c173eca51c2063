# ruff: noqa: SLF001 - what is half done inside is needed to account for every byte
"""The grammar of AT: the tokeniser, the exchange above it, and the parameters of a line."""

from collections.abc import Iterable
from functools import cache

from atota.at.events import Done, Event, ParserEvent, Prompt, Urc
from atota.at.exchange import Exchange
from atota.at.params import allowed_numbers, whole_number
from atota.at.parser import Parser
from atota.at.syntax import PLAIN, V250_FINALS, Command, FinalRule, RawRule, Syntax, UrcRule
from scripts.fuzz_parts import seeds
from scripts.fuzz_parts.target import Broken, Target, doing, head, need, pieces, steps

_LINE_ENDS = b"\r\n"
_LIMITS = (65536, 64, 16, 300)
_SYNTAXES = tuple(
    Syntax(finals=V250_FINALS, line_limit=limit, verbose=verbose)
    for limit in _LIMITS
    for verbose in (True, False)
)
_RULES = (
    RawRule(header=rb"\+NSORF: ?\d+,(\d+)"),
    RawRule(header=rb"\+QFREAD: (\d+)", limit=200),
    RawRule(header=rb"\+CFTPGET: 1,(\d+):", in_line=True),
)
_PROMPTS = (b">", b"> ", b"@", b"CONNECT", b"A>")
_MULTILINE = 16384  # what a string that runs over line ends may hold


# --- the tokeniser -----------------------------------------------------------------------------------


def tokeniser(data: bytes) -> None:
    (kind, cut), stream = head(data, 2)
    syntax = _SYNTAXES[kind % len(_SYNTAXES)]
    whole, cut_up = Parser(syntax), Parser(syntax)
    output: list[bytes] = []
    given, room = b"", syntax.line_limit + 256
    prompted = False
    for letter, argument, chunk in steps(stream):
        if letter == "X":
            output.append(whole.pending)
        room += _hint(whole, letter, argument)
        _hint(cut_up, letter, argument)
        events = whole.receive(chunk)
        same: list[ParserEvent] = []
        for piece in pieces(chunk, cut):
            same += cut_up.receive(piece)
        if events != same:
            raise Broken(f"cut up, the events are {same}, and in one piece {events}")
        pending = whole.pending
        need(pending == cut_up.pending, "what is pending depends on the cuts")
        need(len(pending) <= room, "too many bytes are held")
        output += [event.raw for event in events]
        prompted = prompted or any(isinstance(event, Prompt) for event in events)
        given += chunk
    _conserved(given, b"".join(output) + whole.pending, blanks=not prompted)


def _hint(parser: Parser, letter: str, argument: int) -> int:
    """Do what a letter of an input stands for; return how many bytes more may be held from now on."""
    if letter == "P":
        parser.expect_prompt(_PROMPTS[argument % len(_PROMPTS)])
    elif letter == "R":
        rule = _RULES[argument % len(_RULES)]
        parser.hint(raw=rule)
        return rule.limit
    elif letter == "D":
        parser.expect_data(argument)
        return argument
    elif letter == "Q":
        parser.hint(multiline=bool(argument % 4))
        return _MULTILINE
    elif letter == "H":
        prompt = _PROMPTS[argument % len(_PROMPTS)] if argument & 16 else None
        raw = _RULES[argument % len(_RULES)] if argument & 32 else None
        parser.hint(prompt=prompt, raw=raw, multiline=bool(argument & 64))
        return _MULTILINE + (raw.limit if raw else 0)
    elif letter == "M":
        parser.mark()
    return 0


def _conserved(given: bytes, output: bytes, *, blanks: bool) -> None:
    """Every byte but line ends, and the blank behind a prompt, is in an event, in the order of its coming."""
    left_out = _LINE_ENDS if blanks else _LINE_ENDS + b" "
    given, output = given.translate(None, left_out), output.translate(None, left_out)
    if given != output:
        raise Broken(f"{given!r} chunk, and the events hold {output!r}")


def _tokeniser_seeds() -> list[bytes]:
    plain = [b"\0\1" + talk[2:] for talk in seeds.dialogues(b"\0\1", 60)]
    hinted = [
        b"\0\1" + doing("H", 0x10) + b"\r\n> \r\n+NSOMI: 1\r\n",
        b"\0\3" + doing("R", 1) + b"\r\n+QFREAD: 5\r\nab\r\nc\r\nOK\r\n",
        b"\0\3" + doing("R", 2) + b"\r\n+CFTPGET: 1,4:abcd\r\nOK\r\n",
        b"\1\5" + doing("Q", 1) + b'\r\n+CMGR: "a\r\nb",1\r\nOK\r\n',
        b"\2\0" + doing("M") + b"AT+CGMR\r\r\nBC28\r\n\r\nOK\r\n" + b"\xff\x00boot\r\n",
        b"\2\0" + doing("D", 6) + b"\nab\r\ncdef" + doing("P", 1) + b"> > ",
        b"\0\7" + doing("H", 0x70) + b'> "\r\n+NSORF: 1,3\r\n" abc\r\n0\r4\r',
    ]
    return hinted + plain


def _tokeniser_words() -> list[bytes]:
    return [
        *seeds.AT_WORDS,
        *(doing(letter, 1) for letter in "PRDQHM"),
        b"+QFREAD: 9\r\n",
        b"+CFTPGET: 1,9:",
    ]


# --- the exchange ------------------------------------------------------------------------------------

_EXTRA = Syntax(
    finals=(*V250_FINALS, FinalRule(text="SHUT OK", ok=True, commands=("+CIPSHUT",))),
    urcs=(UrcRule(prefix="+CMT:", continuation=2), UrcRule(suffix=",CLOSED"), UrcRule(exact="RING")),
    line_limit=80,
    information_limit=3,
)


@cache
def _plans() -> list[Command]:
    """The commands that an input may send: recorded ones, and one of each special kind."""
    special = [
        Command(text="AT+NSOST", prompt=">"),
        Command(text="AT+QFUPL", prompt="CONNECT", finals=(FinalRule(text="+QFUPL:", ok=True, prefix=True),)),
        Command(text="AT+NSORF=1", prefixes=("+NSORF:",), raw=_RULES[0]),
        Command(text="AT+CFTPGET", prefixes=("+CFTPGET:",), raw=_RULES[2], free_text=False),
        Command(text="AT+CMGR=1", prefixes=("+CMGR:",), multiline=True),
        Command(text="AT+NRB", answers=False),
        Command(text="AT+CFOTA", not_final=("OK",), finals=(FinalRule(text="DONE", ok=True),)),
    ]
    return [*special, *map(Command.of, seeds.commands())]


@cache
def _syntaxes() -> tuple[Syntax, ...]:
    return (*(dialect.syntax for dialect in seeds.dialects()), PLAIN, _EXTRA)


def exchange(data: bytes) -> None:
    (kind, cut), stream = head(data, 2)
    syntax = _syntaxes()[kind % len(_syntaxes())]
    whole, cut_up = Exchange(syntax), Exchange(syntax)
    output: list[Event] = []
    given, room = b"", syntax.line_limit + 256
    for letter, argument, chunk in [*steps(stream), ("A", 0, b""), ("F", 0, b""), ("", 0, b"\r\nOK\r\n")]:
        room += _do(whole, letter, argument, _plans(), output)
        _do(cut_up, letter, argument, _plans(), [])
        events = whole.receive(chunk)
        same: list[Event] = []
        for piece in pieces(chunk, cut):
            same += cut_up.receive(piece)
        if events != same:
            raise Broken(f"cut up, the events are {same}, and in one piece {events}")
        need(len(whole.pending) <= room, "too many bytes are held")
        need(len(whole._held) <= syntax.information_limit, "too many lines are held back")
        need(len(whole._information) <= syntax.information_limit, "too many lines are kept")
        output += events
        given += chunk
    if not whole._urcs.waiting:
        left_out = _LINE_ENDS + b" " + syntax.ignored
        there = len(_flat(output).translate(None, left_out)) + len(whole.pending.translate(None, left_out))
        came_in = len(given.translate(None, left_out))
        if there != came_in:
            raise Broken(f"{came_in} bytes chunk, and the events hold {there}")


def _do(exchange: Exchange, letter: str, argument: int, commands: list[Command], output: list[Event]) -> int:
    """Do what a letter of an input stands for; return how many bytes more may be held from now on."""
    if letter == "S" and exchange.in_flight is None:
        exchange.send(commands[argument % len(commands)])
        return _MULTILINE + 65536
    if letter == "A":
        exchange.abandon()
    elif letter == "F":
        exchange.forgive()
    elif letter == "B":
        output += exchange.boot_over()
    elif letter == "D":
        exchange.expect_data(argument)
        return argument
    elif letter == "P":
        exchange.expect_prompt(_PROMPTS[argument % len(_PROMPTS)])
    return 0


def _flat(events: Iterable[Event]) -> bytes:
    parts = []
    for event in events:
        if isinstance(event, Done):
            parts.append(event.final.raw)
        elif isinstance(event, Urc):
            parts += [event.raw, *event.more]
        else:
            parts.append(getattr(event, "raw", b""))
    return b"".join(parts)


def _exchange_seeds() -> list[bytes]:
    talks = seeds.dialogues(b"\0\1", 200)
    count = len(_syntaxes())
    return [bytes([number % count, 1 + number % 7]) + talk[2:] for number, talk in enumerate(talks)]


def _exchange_words() -> list[bytes]:
    boots = [dialect.grammar.boot for dialect in seeds.dialects()]
    banners = {line.encode() for boot in boots if boot for line in boot.lines}
    urcs = {(rule.prefix or rule.suffix or rule.exact or "").encode() for s in _syntaxes() for rule in s.urcs}
    does = [doing(letter, number) for letter in "SAFBDP" for number in (0, 3)]
    boot_lines = [line for line in seeds.lines() if b"REBOOT" in line or b"Boot" in line or b"boot" in line]
    return [*seeds.AT_WORDS, *banners, *urcs, *does, *boot_lines[:40]]


# --- parameters --------------------------------------------------------------------------------------


def params(data: bytes) -> None:
    for line in (data.decode("latin-1"), data.decode("utf-8", "replace")):
        number = whole_number(line)
        need(number is None or line.zfill(18) == f"{number:018d}", "a number is not the one that was written")
        need(len(allowed_numbers(line)) <= 101_024, "too many numbers are allowed")


TARGETS = (
    Target(
        name="tokeniser",
        promise="any bytes: no exception, bounded, no byte lost, the same events however they are cut",
        check=tokeniser,
        seeds=_tokeniser_seeds,
        words=_tokeniser_words,
        longest=160,
    ),
    Target(
        name="exchange",
        promise="any bytes in any conversation: no exception, bounded, no byte lost, the same when cut up",
        check=exchange,
        seeds=_exchange_seeds,
        words=_exchange_words,
        longest=400,
    ),
    Target(
        name="params",
        promise="any line: no exception; a number is the one that was written",
        check=params,
        seeds=lambda: [line for line in seeds.lines() if b":" in line],
        words=lambda: [*seeds.AT_WORDS, b"\\22", b"\\", b'"\\2C"', b"((((((((((", b"-", b"0-65535", b"+1"],
    ),
)
