"""A file in the module's own file system, written in pieces, each behind a line that asks for it."""

from collections.abc import Iterator
from typing import Annotated

import msgspec

from atota.dialects.common import LINE_END, OK_BYTES, Ask, Command, Pattern, Range, TestForm, WirePlan, Word
from atota.dialects.watch import ReportingSpec


class FileAppendSpec(ReportingSpec, frozen=True, kw_only=True, tag="file-append"):
    """A file in the module's own file system, written in pieces, each behind a line that asks for it.

    A number of ``outcome`` in ``good_outcomes`` is a success, one in ``failed_outcomes`` a failure; any other
    says nothing of how the update ended.
    ``write`` takes ``{mode}`` (0 anew, 1 append), ``{length}`` and ``{window_ms}``: the time in which
    all bytes of the piece must arrive, so the piece is cut to what the rate can carry in it. ``read``
    takes ``{offset}`` and ``{length}``; ``read_header`` has one group, the count of raw bytes that follow.
    """

    test: TestForm
    begin: Annotated[str, Command()]
    end: Annotated[str, Command()]
    free: Ask
    write: Annotated[str, Command("mode length ?window_ms")]
    ready: Annotated[str, Word()]
    piece: int
    window_ms: int
    size: Ask
    read: Annotated[str, Command("length offset")] | None = None
    read_header: Annotated[str, Pattern(1)] | None = None
    delete: Annotated[str, Command()] | None = None
    start: Annotated[str, Command()]
    clear: Annotated[str, Command()] | None = None
    outcome: Ask
    good_outcomes: tuple[Annotated[str, Range()], ...]
    failed_outcomes: tuple[Annotated[str, Range()], ...] = ()
    outcome_words: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def longest_block(self) -> int:
        """The longest piece that the module takes."""
        return self.piece

    @property
    def reads_back(self) -> bool:
        """True if the file can be read."""
        return self.read is not None

    def mistakes(self, line_limit: int) -> Iterator[tuple[str, str]]:
        """Yield the values that do not fit each other."""
        if not self.good_outcomes:
            yield ".good_outcomes", "No response to the outcome's command would count as success"
        for code in sorted({*self.good_outcomes} & {*self.failed_outcomes}):
            yield ".failed_outcomes", f"{code} would mean both success and failure"
        if self.read is not None and self.read_header is None:
            yield ".read_header", "`read` needs it: the count of bytes that follow"

    def wire_plan(self, baud: int, size: int) -> WirePlan:
        """Cut the package to what the rate carries in the module's window."""
        piece = max(1, min(self.piece, self.window_ms * baud // 10_000))
        line = len(self.write.format(mode=1, length=piece, window_ms=self.window_ms)) + 1
        return WirePlan(
            piece=piece, line=line, data=piece, down=len(self.ready) + 2 * LINE_END + OK_BYTES, turns=2
        )
