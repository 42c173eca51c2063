"""The whole package in one data phase, then a restart."""

from typing import Annotated

from atota.dialects.common import OK_BYTES, Command, TestForm, WirePlan, Word
from atota.dialects.watch import ReportingSpec


class RawStreamSpec(ReportingSpec, frozen=True, kw_only=True, tag="raw-stream"):
    """The whole package in one data phase, behind a prompt and a line; started by a restart.

    ``open`` takes ``{size}``. Not one byte may be sent before ``prompt`` and then ``ready`` were seen.
    ``window_s``: the time for which the module waits for a byte.
    """

    test: TestForm
    open: Annotated[str, Command("size")]
    prompt: Annotated[str, Word()]
    ready: Annotated[str, Word()]
    ready_s: float
    window_s: float
    start: Annotated[str, Command()]

    def wire_plan(self, baud: int, size: int) -> WirePlan:
        """Send the package as one piece."""
        return WirePlan(piece=size, data=size, down=OK_BYTES)
