"""AT^SNFWPUPDS: NFWUPD under another name, with a list of segment lengths (Cinterion ENS22-E)."""

import re
from dataclasses import dataclass

from atota.sim.reply import Reply
from atota.sim.updater import Chassis, Updater
from atota.sim.ways.nfwupd import Nfwupd, NfwupdUpdater

_WORD = b"^SNFWPUPDS"
_NAME = re.compile(rb"\^SNFWPUPDS", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Snfwpupds(Nfwupd):
    """The rules of AT^SNFWPUPDS: those of NFWUPD, and which lengths a segment may have."""

    lengths: tuple[int, ...] = (32, 64, 128, 256, 512)

    def updater(self, chassis: Chassis) -> Updater:
        """Make the state for one module."""
        return SnfwpupdsUpdater(self, chassis)


class SnfwpupdsUpdater(NfwupdUpdater):
    """NFWUPD with another word."""

    words = (b"SNFWPUPDS",)

    def __init__(self, rules: Snfwpupds, chassis: Chassis) -> None:
        super().__init__(rules, chassis)
        self._lengths = rules.lengths

    def positions(self, line: bytes) -> frozenset[str]:
        """Return the segment's number, or the name of the code."""
        return super().positions(_NAME.sub(b"+NFWUPD", line))

    def execute(self, command: bytes, now: float) -> Reply | None:
        """Carry out ``AT^SNFWPUPDS``."""
        if command[: len(_WORD)].upper() != _WORD:
            return None
        return super().execute(b"+NFWUPD" + command[len(_WORD) :], now)

    def _decode(self, length: int, text: bytes, crc: bytes) -> bytes | None:
        return super()._decode(length, text, crc) if length in self._lengths else None
