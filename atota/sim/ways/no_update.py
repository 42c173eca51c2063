"""A module that has no command for its firmware at all."""

from dataclasses import dataclass
from typing import ClassVar

from atota.sim.judge import Verdict
from atota.sim.reply import Reply
from atota.sim.updater import Chassis, Updater


@dataclass(frozen=True, slots=True)
class NoWay:
    """Nothing that a host could do."""

    capacity: int = 0
    leftover: int = 0
    name: ClassVar[str] = "none"
    verbatim: ClassVar[bytes] = b""

    def updater(self, chassis: Chassis) -> Updater:  # noqa: ARG002
        """Make the state for one module: there is none."""
        return NoUpdater()


class NoUpdater:
    """Knows no command."""

    words: tuple[bytes, ...] = ()

    def positions(self, line: bytes) -> frozenset[str]:  # noqa: ARG002
        """No command is a position."""
        return frozenset()

    def execute(self, command: bytes, now: float) -> Reply | None:  # noqa: ARG002
        """No command is its."""
        return None

    def reset(self) -> None:
        """Nothing to forget."""

    def finished(self, verdict: Verdict, *, said_good: bool) -> None:
        """There is never an update."""
