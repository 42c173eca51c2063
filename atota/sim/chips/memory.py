"""Flash memory of a chip: erased to ones in whole pages, written in whole units, ones become zeros only."""

from collections.abc import Callable
from typing import Literal

from atota.sim.faults import FaultPlan

Rule = Literal["and", "once"]
"""A write over cells that are not erased: NOR flash clears further bits (``and``); STM32F1's controller
leaves a half-word alone that is not erased (``once``, PM0075 section 2.3.3), but for a write of zeros."""


class PowerCut(Exception):
    """The supply failed."""


class ChipFlash:
    """The flash of a chip.

    Args:
        base: its first address.
        size: in bytes.
        page: bytes of the smallest erase.
        unit: bytes of the smallest write.
        rule: see `Rule`.
        faults: of the chip: power cuts, bad cells, writes that are ignored.
        tell: called with each change.

    Attributes:
        taken: the bytes that were written since the beginning, good or not.
        misuses: the writes over cells that were not erased.
        erases: the pages erased since the beginning.
    """

    def __init__(
        self,
        base: int,
        size: int,
        page: int,
        unit: int,
        rule: Rule,
        faults: FaultPlan,
        tell: Callable[[str], None],
    ) -> None:
        self.base, self.size, self.page, self.unit = base, size, page, unit
        self._rule = rule
        self._faults = faults
        self._tell = tell
        self.cells = bytearray(b"\xff" * size)
        self.taken = self.misuses = self.erases = 0

    def holds(self, address: int, length: int) -> bool:
        """True if all of these bytes are in it."""
        return self.base <= address and address + length <= self.base + self.size

    def read(self, address: int, length: int) -> bytes:
        """Return bytes; those beyond its end are missing."""
        at = address - self.base
        return bytes(self.cells[at : at + length])

    def load(self, address: int, data: bytes) -> None:
        """Put bytes in without a rule, as in the factory."""
        at = address - self.base
        self.cells[at : at + len(data)] = data

    def erase(self, address: int, length: int) -> None:
        """Erase whole pages.

        Raises:
            PowerCut: a fault; half of it is erased.
        """
        at = address - self.base
        assert at % self.page == length % self.page == 0, "an erase of whole pages"
        cut = bool(length) and self._faults.strike("cut-erase") is not None
        if cut:
            length //= 2  # the cells of the page in the middle are anything; half of them are gone
        self.cells[at : at + length] = b"\xff" * length
        self.erases += -(-length // self.page)
        self._tell(f"erased {length} bytes at {address:#x}")
        if cut:
            raise PowerCut

    def write(self, address: int, data: bytes) -> None:
        """Write whole units.

        Raises:
            PowerCut: a fault; the bytes before it are written.
        """
        at = address - self.base
        assert at % self.unit == len(data) % self.unit == 0, "a write of whole units"
        before, self.taken = self.taken, self.taken + len(data)
        if self._faults.strike("ignore-writes"):
            return
        if flip := self._faults.reached("flip-flash", before, self.taken):
            spot = int(flip.args[0]) - before - 1
            data = data[:spot] + bytes([data[spot] ^ 1]) + data[spot + 1 :]
        cut = self._faults.reached("power-cut", before, self.taken)
        if cut:
            data = data[: int(cut.args[0]) - before]
        old = self.cells[at : at + len(data)]
        self.cells[at : at + len(data)] = self._merged(bytes(old), data)
        if cut:
            raise PowerCut

    def _merged(self, old: bytes, data: bytes) -> bytes:
        if old.count(0xFF) == len(old):
            return data
        self.misuses += 1
        self._tell("written over cells that are not erased")
        if self._rule == "and":
            return bytes(a & b for a, b in zip(old, data, strict=True))
        out = bytearray(old)
        for start in range(0, len(data), self.unit):
            piece = data[start : start + self.unit]
            is_free = old[start : start + self.unit].count(0xFF) == len(piece)
            if is_free or not any(piece):
                out[start : start + self.unit] = piece
        return bytes(out)
