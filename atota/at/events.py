"""The events of a conversation, as frozen values.

`Parser` makes the first group from bytes alone: line, final result, prompt, data, garbage. `Exchange` makes
the second group of them, knowing the command in flight. Every event keeps its raw bytes; text is a view.
"""

import msgspec


def view(raw: bytes) -> str:
    """Return bytes as text for people: ASCII, anything else as a backslash escape."""
    return raw.decode("ascii", "backslashreplace")


class Line(msgspec.Struct, frozen=True, gc=False):
    """A line that is not a result code; not ``headed`` if no line end came before it since `Parser.mark`."""

    raw: bytes
    headed: bool = True

    @property
    def text(self) -> str:
        """The line as ASCII, anything else as a backslash escape."""
        return view(self.raw)


class Final(msgspec.Struct, frozen=True, gc=False):
    """A final result code.

    ``kind`` is ``OK``, ``ERROR``, ``CME``, ``CMS``, ``EXT`` or the words of a dialect's own result;
    ``code`` its number where it has one (a CME text is looked up in 3GPP 27.007 section 9.2);
    ``text`` is the text behind the colon.
    """

    raw: bytes
    ok: bool
    kind: str
    code: int | None = None
    text: str = ""

    def __str__(self) -> str:
        return view(self.raw)


class Prompt(msgspec.Struct, frozen=True, gc=False):
    """The sign that the module waits for the payload."""

    raw: bytes


class Data(msgspec.Struct, frozen=True, gc=False):
    """Counted raw bytes, exactly as many as their header announced."""

    raw: bytes


class Garbage(msgspec.Struct, frozen=True, gc=False):
    """Bytes that are not a line: ``noise`` on the wire, or an ``overflow`` of the line limit."""

    raw: bytes
    reason: str = "noise"


ParserEvent = Line | Final | Prompt | Data | Garbage


class Echo(msgspec.Struct, frozen=True, gc=False):
    """The command that came back; ``damaged`` if bytes of it were lost or flipped."""

    raw: bytes
    damaged: bool = False


class Information(msgspec.Struct, frozen=True, gc=False):
    """A line of the response to the command in flight."""

    raw: bytes

    @property
    def text(self) -> str:
        """The line as ASCII, anything else as a backslash escape."""
        return view(self.raw)


class Urc(msgspec.Struct, frozen=True, gc=False):
    """An unsolicited result code; ``more`` holds the lines that belong to it (a PDU).

    ``known`` is False if no rule of the dialect names it.
    """

    raw: bytes
    more: tuple[bytes, ...] = ()
    known: bool = True

    @property
    def text(self) -> str:
        """The lines as ASCII, joined by line feeds."""
        return "\n".join(view(part) for part in (self.raw, *self.more))


class StaleResponse(msgspec.Struct, frozen=True, gc=False):
    """A line of a response whose command has timed out, or a final result no command is outstanding for.

    ``result`` is True for a final result.
    """

    raw: bytes
    result: bool = False


class Boot(msgspec.Struct, frozen=True, gc=False):
    """A line of the boot banner; ``cause`` if this line names the reboot's cause."""

    raw: bytes
    cause: str | None = None


class BootDone(msgspec.Struct, frozen=True, gc=False):
    """The end of the boot banner: the module takes commands again. ``cause`` as printed, if it was."""

    cause: str | None = None


class Done(msgspec.Struct, frozen=True, gc=False):
    """The response to the command in flight: its final result and its information lines, in order.

    ``dropped`` counts the lines beyond the syntax's ``information_limit``, which are not kept here.
    """

    final: Final
    lines: tuple[bytes, ...] = ()
    dropped: int = 0


Event = Echo | Information | Urc | StaleResponse | Prompt | Data | Garbage | Boot | BootDone | Done
