"""Raw flash: erase blocks, write pieces at their offsets, start with length and MD5."""

from collections.abc import Iterator
from typing import Annotated

from atota.dialects.common import LINE_END, OK_BYTES, Command, WirePlan, Word
from atota.dialects.watch import ReportingSpec


class FlashWriteSpec(ReportingSpec, frozen=True, kw_only=True, tag="flash-write"):
    """Raw flash: erase ``{blocks}``, write pieces at ``{offset}`` behind a prompt, start with length and MD5.

    ``erase_block`` and ``most_blocks`` bound the slot; ``window_s`` is the time for which the module waits
    for a piece.
    """

    erase: Annotated[str, Command("blocks")]
    erase_block: int
    most_blocks: int
    erase_s: float
    write: Annotated[str, Command("length offset ?window_s")]
    prompt: Annotated[str, Word()]
    piece: int
    window_s: int
    start: Annotated[str, Command("?size ?md5")]

    @property
    def longest_block(self) -> int:
        """The longest piece that the module takes."""
        return self.piece

    def mistakes(self, line_limit: int) -> Iterator[tuple[str, str]]:
        """Yield the values that do not fit each other."""
        if self.piece > self.erase_block:
            yield ".piece", f"{self.piece} is more than an erase block, {self.erase_block}"

    def wire_plan(self, baud: int, size: int) -> WirePlan:
        """Cut the package into the profile's pieces, each behind its command and the prompt."""
        line = len(self.write.format(length=self.piece, offset=size // 2, window_s=self.window_s)) + 1
        down = len(self.prompt) + LINE_END + OK_BYTES
        return WirePlan(piece=self.piece, line=line, data=self.piece, down=down, turns=2)
