"""An update that a module carries out by itself: after a power cut, or because a platform started it.

Meanwhile the module is deaf to AT, for minutes, and prints its progress::

    <- +QIND: "FOTA","Last upgrade was not finished,continue upgrade"
    <- +QIND: "FOTA","RESTORE",41%
    <- +QIND: "FOTA","END",0          the update is over; the module boots

A module that is cut off in the middle may be lost, so the search for its rate stops at such a line.
"""

from collections import deque
from collections.abc import Callable
from typing import Self

from atota.at.events import Event
from atota.clock import Deadline
from atota.errors import SelfUpdating
from atota.module.response import line_of, quoted
from atota.module.session import Session

OnUpdate = Callable[[int | None, str], None]
"""Called with the percentage of the update, if it is known, and the module's line."""
_KEPT_LINES = 3
_ALIVE_S = 0.6
_LISTEN_S = 5.0
_SILENCE_S = 300.0
"""An update without a line for so long has ended at another rate: drivers of EC2x give it 90 s."""
_LIMIT_S = 3600.0
"""No manual gives an update more than half an hour."""


class LineLog:
    """The lines that a module prints while its rate is searched, and the update that they show.

    Attributes:
        lines: the last lines, without repetitions.
        is_updating: an update has begun and not ended.
        percent: its progress, if a line stated it.
    """

    def __init__(self, session: Session) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.is_updating = False
        self.percent: int | None = None
        self._session = session
        self._before = session.listener
        self._received, self._noise = session.received_bytes, session.garbage_bytes

    def __enter__(self) -> Self:
        self._session.listener = self._on_event
        return self

    def __exit__(self, *_: object) -> None:
        self._session.listener = self._before

    @property
    def error(self) -> SelfUpdating:
        """The error for a module that cannot be spoken to, since it updates itself."""
        shown = f" ({self.percent} %)" if self.percent is not None else ""
        tried = f"{self._session.link.baud} baud: it prints {quoted(self.lines)}"
        return SelfUpdating(f"the module is updating itself{shown} and does not listen", tried=(tried,))

    @property
    def description(self) -> str:
        """The rate, and the bytes that came without an answer since the log was made."""
        session, lines = self._session, f": {quoted(self.lines)}" if self.lines else ""
        noise = session.garbage_bytes - self._noise
        text = session.received_bytes - self._received - noise
        parts = [f"{noise} bytes of noise"] if noise else []
        if self.lines or (text > 0 and not noise):
            parts.append(f"{text} bytes of text, but no answer{lines}")
        return f"{session.link.baud} baud: {' and '.join(parts) or 'silence'}"

    def wait(self, on_update: OnUpdate) -> bool:
        """Wait until the update is over. Return True if the module then answers at this rate.

        Raises:
            Interrupted: the stop token is set.
            JobTimeout: the time limit of the session has passed.
        """
        session, shown = self._session, ""
        limit = Deadline(session.clock, _LIMIT_S)
        silence = Deadline(session.clock, _SILENCE_S)
        while not (limit.expired or silence.expired):
            received = session.received_bytes
            session.listen(_LISTEN_S, until=lambda: not self.is_updating)
            if self.lines and self.lines[-1] != shown:
                shown = self.lines[-1]
                on_update(self.percent, shown)
            if session.received_bytes != received:
                silence = Deadline(session.clock, _SILENCE_S)
            if session.booting:
                session.await_boot(0.0)
            # In the middle of an update an AT would be lost at best.
            if (not self.is_updating or session.received_bytes == received) and session.is_alive(_ALIVE_S):
                return True
        self.is_updating = False
        return False

    def _on_event(self, event: Event) -> None:
        line = line_of(event)
        if line is not None:
            if not self.lines or self.lines[-1] != line:
                self.lines.append(line)
            self._read(line)
        if self._before is not None:
            self._before(event)

    def _read(self, line: str) -> None:
        for watch in self._session.dialect.watches:
            if watch.success(line) or watch.failure(line) is not None:
                self.is_updating = False
                return
            percent = watch.percent(line)
            fetched = watch.fetched(line)
            if percent is not None or fetched is not None or watch.begun(line):
                self.is_updating = True
                # A line that only says that it downloads states no percentage, which `fetched` tells as 0.
                self.percent = (fetched or None) if percent is None else percent
                return
