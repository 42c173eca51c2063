"""The echo of the command in flight: whole, damaged by noise, or torn by a URC.

A module may print a URC in the middle of an echo. The echo is then due until its last piece came::

    -> AT+CSQ
    <- AT+C               the first piece
    <- +CEREG: 1          the URC that tore it
    <- SQ                 the last piece
    <- +CSQ: 18,99
"""

from collections.abc import Collection

from atota.at.flight import resembles


class DueEcho:
    """The echo that is due, if one is.

    Attributes:
        text: the command, until its echo is complete; then empty.
        rest: the part of a torn echo that has not come; empty if none of its pieces has come.
        is_live: True if the next line may be an echo.
    """

    __slots__ = ("_is_mid_line", "_repeats", "is_live", "rest", "text")

    def __init__(self) -> None:
        self.text = self.rest = self._repeats = b""
        self._is_mid_line = False
        self.is_live = False

    def begin(self, text: bytes, *, is_mid_line: bool, repeats: bool) -> None:
        """Expect the echo of a command that is being written.

        Args:
            text: the command line.
            is_mid_line: a line was half received, so the echo may stand behind it.
            repeats: the echo may come twice: a bare AT's, if the AT before it was swallowed.
        """
        self.text, self.rest, self._repeats = text, b"", text if repeats else b""
        self._is_mid_line = is_mid_line
        self.is_live = True

    def end(self) -> None:
        """Expect nothing: the command is not waited for any more."""
        self.text = self.rest = self._repeats = b""
        self.is_live = False

    def complete(self) -> None:
        """Note that the echo came, or that it never will; that of a bare AT may still be repeated."""
        self.text = self.rest = b""
        self.is_live = bool(self._repeats)

    def is_repeated(self, raw: bytes) -> bool:
        """True if a line is the echo of a bare AT once more."""
        return raw == self._repeats != b""

    def is_last(self, raw: bytes, headed: bool, *, may_be_damaged: bool) -> bool:
        """True if a line is the whole echo, or its last piece.

        With ``may_be_damaged`` a line without a line end before it is the echo as well if it is the rest of
        it, after noise: only an echo comes without one, but some modules leave theirs out.
        """
        if not self.text:
            return False
        if raw == self.text or raw == self.rest:
            return True
        if headed or not may_be_damaged:
            return False
        return raw.endswith(self.text) if self._is_mid_line else resembles(raw, self.text)

    def take_piece(self, raw: bytes, headed: bool, late: Collection[bytes]) -> bool:
        """Take a line that is a piece of a torn echo, but not the last. Return True if it was taken.

        ``late`` are commands whose own echo may come instead. A piece behind a line end has two characters
        at least.
        """
        whole = self.rest or self.text
        if len(raw) >= len(whole) or not whole.startswith(raw) or raw in late:
            return False
        if headed and not self.rest and len(raw) < len(b"AT"):
            return False
        self.rest = whole[len(raw) :]
        return True

    def ends_in(self, raw: bytes) -> range:
        """Return the places in a line at which the piece of the echo that it begins with may end.

        The longest piece comes first. It has the two characters of AT at least: any line may begin with one.
        """
        whole = self.rest or self.text
        end = min(len(raw), len(whole)) - 1
        same = next((at for at in range(end) if raw[at] != whole[at]), end)
        return range(same, len(b"AT") - 1, -1)
