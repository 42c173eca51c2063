"""Announce the size, wait for a line, push small paced pieces; the update follows by itself."""

from typing import Annotated, ClassVar

from atota.dialects.common import Command, Pattern, TestForm, WirePlan
from atota.dialects.watch import ReportingSpec


class PushedStreamSpec(ReportingSpec, frozen=True, kw_only=True, tag="pushed-stream"):
    """Announce ``{size}`` bytes, wait for a line, push small paced pieces; the update follows by itself.

    ``window_s``: the time for which the module waits for a byte before it gives up.
    """

    # The last byte is held back until the start; a byte doubled on the wire stands in for it.
    can_start_before_activate: ClassVar[bool] = True

    test: TestForm
    open: Annotated[str, Command("size")]
    ready: Annotated[str, Pattern()]
    ended: Annotated[str, Pattern()]
    window_s: float
    piece: int
    pause_s: float

    def wire_plan(self, baud: int, size: int) -> WirePlan:
        """Cut the package into paced pieces; none of them gets a response."""
        return WirePlan(piece=self.piece, data=self.piece, turns=0, pause_s=self.pause_s)
