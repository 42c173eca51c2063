"""The planned actions of a module, and their times."""

import heapq
from collections.abc import Callable
from itertools import count
from math import inf

Action = Callable[[float], None]
_LASTING = -1


class Timeline:
    """Planned actions in the order of their times. A reboot forgets all but the lasting ones.

    Attributes:
        due: the time of the next action, infinite without one; looked at for every byte.
    """

    def __init__(self) -> None:
        self.due = inf
        self._events: list[tuple[float, int, int, Action]] = []
        self._order = count()
        self._epoch = 0

    def at(self, when: float, action: Action, *, lasting: bool = False) -> None:
        """Plan ``action``, which is given the time it was planned for."""
        heapq.heappush(self._events, (when, next(self._order), _LASTING if lasting else self._epoch, action))
        self.due = min(self.due, when)

    def forget(self) -> None:
        """Drop every planned action but the lasting ones."""
        self._epoch += 1
        self._look()

    def run(self, now: float) -> None:
        """Carry out what is due by ``now``."""
        while self.due <= now:
            when, _order, _epoch, action = heapq.heappop(self._events)
            self._look()
            action(when)

    def _look(self) -> None:
        """Find the next action; forgotten ones are removed here."""
        while self._events and self._events[0][2] not in (self._epoch, _LASTING):
            heapq.heappop(self._events)
        self.due = self._events[0][0] if self._events else inf
