"""What a module will do by itself, and when."""

import heapq
from collections.abc import Callable
from itertools import count

Action = Callable[[float], None]
_LASTING = -1


class Timeline:
    """Planned actions in the order of their times. A reboot forgets all but the lasting ones."""

    def __init__(self) -> None:
        self._events: list[tuple[float, int, int, Action]] = []
        self._order = count()
        self._epoch = 0

    def at(self, when: float, action: Action, *, lasting: bool = False) -> None:
        """Plan ``action``, which is given the time it was planned for."""
        heapq.heappush(self._events, (when, next(self._order), _LASTING if lasting else self._epoch, action))

    def forget(self) -> None:
        """Drop what is planned, but for the lasting actions."""
        self._epoch += 1

    def next_due(self) -> float | None:
        """The time of the next action, if there is one."""
        while self._events and self._events[0][2] not in (self._epoch, _LASTING):
            heapq.heappop(self._events)
        return self._events[0][0] if self._events else None

    def run(self, now: float) -> None:
        """Carry out what is due by ``now``."""
        while (due := self.next_due()) is not None and due <= now:
            heapq.heappop(self._events)[3](due)
