"""Flash memory that behaves like flash: erased to ones, and writing only clears bits."""

PAGE = 8192  # bytes; the page of the Hi2115 SDK's flash configuration


class Flash:
    """The flash behind a FOTA slot.

    A write of a one over a zero leaves other bytes than were written: ``spoiled``.

    Args:
        capacity: bytes, rounded up to whole pages.
        leftover: the bytes of an earlier update; they must be erased before a write.
    """

    def __init__(self, capacity: int, leftover: bytes = b"") -> None:
        self.capacity = capacity + -capacity % PAGE
        self.erases = 0
        self._spoilt_to = 0
        self._cells = bytearray(leftover)
        self.end = 0

    @property
    def spoiled(self) -> bool:
        """True if the flash holds other bytes than were written."""
        return self._spoilt_to > 0

    def erase(self, size: int | None = None) -> None:
        """Set every bit, or those of the first ``size`` bytes; nothing counts as written any more."""
        if size is None or size >= len(self._cells):
            self._cells.clear()
            self._spoilt_to = 0
        else:
            self._cells[:size] = b"\xff" * size
            self._spoilt_to *= self._spoilt_to > size
        self.erases += 1
        self.end = 0

    def write(self, offset: int, data: bytes) -> bool:
        """Clear bits at ``offset``; False, and nothing written, if the slot is too small."""
        stop = offset + len(data)
        if stop > self.capacity:
            return False
        if offset >= len(self._cells):
            self._cells.extend(b"\xff" * (offset - len(self._cells)))
            self._cells += data
        else:
            if len(self._cells) < stop:
                self._cells.extend(b"\xff" * (stop - len(self._cells)))
            old = self._cells[offset:stop]
            new = bytes(a & b for a, b in zip(old, data, strict=True))
            if new != data:
                self._spoilt_to = max(self._spoilt_to, stop)
            self._cells[offset:stop] = new
        self.end = max(self.end, stop)
        return True

    def written(self) -> bytes:
        """Return the bytes from the beginning to the last one written since the erase."""
        return bytes(self._cells[: self.end])
