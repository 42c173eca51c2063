"""The module fetches the package itself from an address that it is given, then updates."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from atota.dialects.common import Ask, Command, TestForm
from atota.dialects.watch import ReportingSpec


class UrlPullSpec(ReportingSpec, frozen=True, kw_only=True, tag="url-pull"):
    """The module fetches the package itself from a ``{url}`` that it is given, then updates.

    ``attached`` must find its pattern before the address is handed over.
    """

    streams: ClassVar[bool] = False
    needs_address: ClassVar[bool] = True
    networked: ClassVar[bool] = True

    test: TestForm
    start: Annotated[str, Command("url")]
    longest_url: int
    schemes: tuple[Literal["http", "https"], ...]
    attached: tuple[Ask, ...]

    def mistakes(self, line_limit: int) -> Iterator[tuple[str, str]]:
        """Yield the values that do not fit each other."""
        if not self.schemes:
            yield ".schemes", "At least one is needed"
