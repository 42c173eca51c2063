"""A module without any command for its firmware."""

from dataclasses import dataclass
from typing import ClassVar

from atota.sim.reply import Reply
from atota.sim.updater import Chassis, PlainUpdater, Updater


@dataclass(frozen=True, slots=True)
class NoUpdate:
    """The rules of a module that a host can't update."""

    capacity: int = 0
    leftover: int = 0
    name: ClassVar[str] = "none"
    verbatim: ClassVar[bytes] = b""

    def updater(self, chassis: Chassis) -> Updater:  # noqa: ARG002
        """Make an updater, which has no state."""
        return NoUpdater()


class NoUpdater(PlainUpdater):
    """An updater without a command."""

    words: tuple[bytes, ...] = ()

    def positions(self, line: bytes) -> frozenset[str]:  # noqa: ARG002
        """Return no position: the way has no command."""
        return frozenset()

    def execute(self, command: bytes, now: float) -> Reply | None:  # noqa: ARG002
        """Return None: the way has no command."""
        return None
