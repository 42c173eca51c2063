"""A file upload that the module acknowledges as it goes, then a start from that file."""

from typing import Annotated

from atota.dialects.common import Ask, Command, Pattern, ReportingSpec, TestForm, WirePlan, Word


class AckUploadSpec(ReportingSpec, frozen=True, kw_only=True, tag="ack-upload"):
    """A file upload that the module acknowledges every so many bytes, then a start from that file.

    ``done`` has two groups, size and checksum: XOR of big-endian 16-bit words in hex, an odd last byte
    being the high half. ``window_s``: the time for which the module waits for a byte. ``free`` is the room,
    ``total`` finds that of an
    empty file system in the same response; ``exists`` are the error codes of a file of that name that is
    still there, ``full`` those of a file system without room.
    """

    test: TestForm
    delete: Annotated[str, Command()]
    open: Annotated[str, Command("size")]
    ready: Annotated[str, Word()]
    window_s: float
    ack: Annotated[str, Word()]
    ack_every: int
    done: Annotated[str, Pattern(2)]
    free: Ask | None = None
    total: Annotated[str, Pattern(1)] | None = None
    exists: tuple[int, ...] = ()
    full: tuple[int, ...] = ()
    start: Annotated[str, Command()]

    def wire_plan(self, baud: int, size: int) -> WirePlan:
        """Cut the package at the acknowledgements."""
        return WirePlan(piece=self.ack_every, data=self.ack_every, down=len(self.ack))
