"""The differences between grammars, as data. A dialect's profile becomes one `Syntax`."""

import re

import msgspec


class UrcRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The mark of an unsolicited result code: exactly one of prefix, suffix, exact and pattern.

    ``pattern`` is a regular expression, matched from the start of a line.
    ``continuation`` lines after it belong to it (``+CMT`` and its PDU: 1). ``solicited`` matches the
    information line of the read command, where that has the URC's prefix (27.007: ``+CEREG: <n>,<stat>``
    against ``+CEREG: <stat>``); a line with the prefix that does not match it is unsolicited.
    """

    prefix: str | None = None
    suffix: str | None = None
    exact: str | None = None
    pattern: str | None = None
    continuation: int = 0
    solicited: str | None = None

    def __post_init__(self) -> None:
        if len([known for known in (self.prefix, self.suffix, self.exact, self.pattern) if known]) != 1:
            raise ValueError("a URC needs exactly one of prefix, suffix, exact and pattern")


class FinalRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A result code beyond V.250's own: a whole line, or with ``prefix`` the beginning of one.

    With ``commands`` it is final only while one of these is in flight, named as in ``+CIPSHUT`` or ``D``.
    """

    text: str
    ok: bool
    prefix: bool = False
    commands: tuple[str, ...] = ()


class BootRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The marks of a boot banner.

    ``lines`` are regular expressions, matched from the start of a line; any match shows that the module is
    booting. ``cause`` has one group, the reboot's cause. With ``ends_with_ok`` the banner's last line is an
    ``OK`` of its own; otherwise the banner is over after ``quiet_s`` seconds of silence.
    """

    lines: tuple[str, ...]
    cause: str | None = None
    ends_with_ok: bool = False
    quiet_s: float = 5.0


class RawRule(msgspec.Struct, frozen=True, kw_only=True):
    """A header line that announces counted raw bytes.

    ``header`` is a regular expression with one group, the count in bytes. The data begins right after the
    header's line end, or right after the match if ``in_line``; such a header ends in a byte that cannot
    belong to the count (a colon), or the match would depend on how much of it has come. A count above
    ``limit`` bytes does not count: the header is then a line like any other.
    """

    header: bytes
    in_line: bool = False
    limit: int = 65536

    def __post_init__(self) -> None:
        if re.compile(self.header).groups != 1:
            raise ValueError("the header of counted data needs exactly one group, the count")


class Syntax(msgspec.Struct, frozen=True, kw_only=True):
    """The data by which grammars differ.

    ``ignored`` bytes are passed over wherever they come (NUL in some modules' logs; not for grammars with
    raw data). ``line_limit`` bytes without a line end are garbage; at most ``information_limit`` lines of one
    response are kept.
    """

    terminator: bytes = b"\r"
    ignored: bytes = b""
    verbose: bool = True
    urcs: tuple[UrcRule, ...] = ()
    finals: tuple[FinalRule, ...] = ()
    boot: BootRule | None = None
    line_limit: int = 65536
    information_limit: int = 10000


V250_FINALS = (
    # V.250 6.3.1 ff.: results of dialling; URCs or plain text at any other time.
    FinalRule(text="CONNECT", ok=True, prefix=True, commands=("D", "A", "O")),
    FinalRule(text="NO CARRIER", ok=False, commands=("D", "A", "O", "H")),
    FinalRule(text="BUSY", ok=False, commands=("D",)),
    FinalRule(text="NO ANSWER", ok=False, commands=("D",)),
    FinalRule(text="NO DIALTONE", ok=False, commands=("D",)),
    FinalRule(text="NO DIAL TONE", ok=False, commands=("D",)),
)

PLAIN = Syntax(finals=V250_FINALS)

_NAME = re.compile(r"[Aa][Tt](?:([+^%#$*&!\\][A-Za-z0-9_]+)|([A-Za-z]))")


def command_name(text: str) -> str:
    """Return the name of a command line: ``+CSQ`` of ``AT+CSQ``, ``I`` of ``ATI``, empty for ``AT``."""
    match = _NAME.match(text)
    return "" if match is None else (match[1] or match[2]).upper()


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command and the lines that may come back.

    ``prefixes`` begin its information lines; with ``free_text`` lines without a prefix are information too.
    ``finals`` end this command besides the usual ones; results named in ``not_final`` do not. ``prompt`` is
    the sign, without a line end, by which the module asks for the payload. ``multiline``: its quoted strings
    may hold line ends. ``answers`` is False for a command that no module answers.
    """

    text: str
    prefixes: tuple[str, ...] = ()
    free_text: bool = True
    finals: tuple[FinalRule, ...] = ()
    not_final: tuple[str, ...] = ()
    prompt: str | None = None
    raw: RawRule | None = None
    multiline: bool = False
    answers: bool = True

    @classmethod
    def of(cls, text: str) -> "Command":
        """Return the command as 27.007 implies it: its information lines begin with its own name."""
        name = command_name(text)
        return cls(text=text, prefixes=(name,) if len(name) > 1 else ())
