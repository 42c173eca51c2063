"""The response to a command."""

from collections.abc import Iterable
from typing import Self

import msgspec

from atota.at.events import Boot, Done, Event, Final, Information, StaleResponse, Urc, view


class Response(msgspec.Struct, frozen=True):
    """The response to a command: its information lines as text, and its final result.

    A refusal is a value: ``ok`` is False for ``ERROR`` and ``+CME ERROR: 50``.
    """

    command: str
    lines: tuple[str, ...]
    final: Final

    @classmethod
    def of(cls, command: str, event: Done) -> Self:
        """Return the response that ends with ``event``."""
        return cls(command, tuple(map(view, event.lines)), event.final)

    @property
    def ok(self) -> bool:
        """True if the final result is a good one."""
        return self.final.ok


def is_result(event: Event) -> bool:
    """True if an event is a final result, of the command in flight or of an earlier one."""
    return isinstance(event, Done) or (isinstance(event, StaleResponse) and event.result)


def line_of(event: Event) -> str | None:
    """Return the text of a line that is neither an echo nor a result; None for other events."""
    if isinstance(event, Urc | Information | Boot):
        return event.text if isinstance(event, Urc | Information) else view(event.raw)
    return view(event.raw) if isinstance(event, StaleResponse) and not event.result else None


def quoted(lines: Iterable[str]) -> str:
    """Return the last lines that came, as errors show them."""
    return ", ".join(repr(line[:80]) for line in list(lines)[-3:])


def short(text: str) -> str:
    """Return a command as errors show it: a block's line has a thousand characters."""
    return text if len(text) <= 40 else text[:36] + "..."
