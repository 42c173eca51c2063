"""The line assembler: command lines out of bytes."""


class LineAssembler:
    """An assembler that collects bytes up to a CR.

    CR ends a command, LF is ignored, so CR LF is fine (Quectel BC95 AT manual V1.3). What goes beyond
    the limit is dropped up to the CR.

    Args:
        limit: characters, the CR included.
        hunts: bytes before the first ``AT`` are ignored (V.250); otherwise they belong to the line.
    """

    def __init__(self, limit: int, *, hunts: bool = False) -> None:
        self._limit = limit
        self._hunts = hunts
        self._held = bytearray()
        self.too_long = False

    @property
    def begun(self) -> bool:
        """True if a line has begun and its end has not come."""
        return bool(self._held) or self.too_long

    def clear(self) -> None:
        """Forget a line begun."""
        self._held.clear()
        self.too_long = False

    def take(self, data: bytes, position: int) -> tuple[bytes | None, int]:
        """Take bytes from ``position`` on, up to the first CR.

        Returns:
            The finished line without its CR, or None, and where the bytes go on.
        """
        end = data.find(b"\r", position)
        stop = len(data) if end < 0 else end
        piece = data[position:stop].replace(b"\n", b"")
        if self._hunts and not self._held[1:]:
            piece = self._from_prefix(bytes(self._held) + piece)
            self._held.clear()
        if self.too_long or len(self._held) + len(piece) >= self._limit:
            self.too_long = True
            self._held.clear()
        else:
            self._held += piece
        if end < 0:
            return None, stop
        line = bytes(self._held)
        self._held.clear()
        return line, end + 1

    @staticmethod
    def _from_prefix(piece: bytes) -> bytes:
        start = piece.upper().find(b"AT")
        if start >= 0:
            return piece[start:]
        return piece[-1:] if piece[-1:] in (b"A", b"a") else b""
