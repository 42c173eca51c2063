"""Everything a module can say, as frozen values.

The first group is what the `Parser` yields from bytes alone. The second group is what the `Exchange`
makes of it, knowing the command in flight. Every event keeps its raw bytes; text is only a view.
"""

import msgspec


def view(raw: bytes) -> str:
    """Bytes as people see them: ASCII, anything else as a backslash escape."""
    return raw.decode("ascii", "backslashreplace")


class Line(msgspec.Struct, frozen=True, gc=False):
    """A line that is no result code; not ``headed`` if no line end came before it since `Parser.mark`."""

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
    ``text`` what stood behind the colon.
    """

    raw: bytes
    ok: bool
    kind: str
    code: int | None = None
    text: str = ""

    def __str__(self) -> str:
        return view(self.raw)


class Prompt(msgspec.Struct, frozen=True, gc=False):
    """The module wants the payload now."""

    raw: bytes


class Data(msgspec.Struct, frozen=True, gc=False):
    """Counted raw bytes that a header announced: exactly as many as were announced."""

    raw: bytes


class Garbage(msgspec.Struct, frozen=True, gc=False):
    """Bytes that are no line of anything: ``noise`` on the wire, or an ``overflow`` of the line limit."""

    raw: bytes
    reason: str = "noise"


ParserEvent = Line | Final | Prompt | Data | Garbage


class Echo(msgspec.Struct, frozen=True, gc=False):
    """The command (or payload) that came back; ``damaged`` if only its tail survived."""

    raw: bytes
    damaged: bool = False


class Information(msgspec.Struct, frozen=True, gc=False):
    """A line of the answer to the command in flight."""

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
    """What belongs to an answer that nobody waits for any more, or a result that nobody owes.

    ``result`` says that it is a final result, so that those who count them need not read it.
    """

    raw: bytes
    result: bool = False


class Boot(msgspec.Struct, frozen=True, gc=False):
    """A line of the module's boot banner; ``cause`` if it is the one that names the reboot's cause."""

    raw: bytes
    cause: str | None = None


class BootDone(msgspec.Struct, frozen=True, gc=False):
    """The banner is complete: the module takes commands again. ``cause`` as printed, if it was."""

    cause: str | None = None


class Done(msgspec.Struct, frozen=True, gc=False):
    """The command in flight has its final result; ``lines`` are its information lines in order.

    ``dropped`` counts the lines beyond the syntax's ``information_limit``, which are not kept here.
    """

    final: Final
    lines: tuple[bytes, ...] = ()
    dropped: int = 0


Event = Echo | Information | Urc | StaleResponse | Prompt | Data | Garbage | Boot | BootDone | Done
