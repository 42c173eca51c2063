"""XMODEM after a command that opens the transfer; another one installs the package."""

from typing import Annotated, Literal

from atota.dialects.common import Command, WirePlan, Word
from atota.dialects.watch import ReportingSpec

_FRAME = 5
"""Bytes of a packet besides its data: header, number, its complement, two bytes of CRC."""


class XmodemSpec(ReportingSpec, frozen=True, kw_only=True, tag="xmodem"):
    """XMODEM after a command that opens the transfer; another one installs the package.

    ``window_s``: the time for which the module asks for the first packet before it gives up.
    """

    open: Annotated[str, Command()]
    ready: Annotated[str, Word()]
    block: Literal[128, 1024]
    retries: int
    window_s: float
    start: Annotated[str, Command()]

    def wire_plan(self, baud: int, size: int) -> WirePlan:
        """Cut the package into packets, each acknowledged by one byte."""
        return WirePlan(piece=self.block, data=self.block + _FRAME, down=1)
