"""The running application of a chip, and how its version is read.

A version counts only from a whole line: a number that is still on its way would be another version.
"""

import re
from collections.abc import Callable, Iterator

from atota.clock import Deadline
from atota.settings.chip import Version
from atota.sota.wire import Wire

_QUERY_S = 2.0
"""Time for one response; an application that boots is asked again."""
_SETTLE_S = 0.3
"""Silence behind a line without an end: the line is whole."""
_MOST = 16384


class Application:
    """The application on a wire.

    Args:
        wire: the port.
        version: how the version is read; None: there is no way.
        baud: the rate of its console, bit/s.

    Attributes:
        serial: the number of the chip, once the application has told it.
    """

    def __init__(self, wire: Wire, version: Version | None, baud: int) -> None:
        self._wire = wire
        self._version = version
        self._baud = baud
        self._text = ""
        self.serial: str | None = None

    @property
    def is_asked(self) -> bool:
        """True if it tells its version on a request, not only when it boots."""
        return self._version is not None and self._version.send is not None

    @property
    def within_s(self) -> float:
        """Seconds in which it tells its version after its start."""
        return self._version.within_s if self._version is not None else 0.0

    def listen(self) -> None:
        """Take the wire over from a bootloader."""
        self._wire.speak(self._baud, "N")
        self._text = ""

    def read(self, limit: Deadline, tick: Callable[[], None] = lambda: None) -> str | None:
        """Return the version that it tells; None if it tells none in time."""
        version = self._version
        if version is None:
            return None
        while True:
            if version.send is not None:
                self._wire.discard()
                self._text = ""
                self._wire.write(version.send.encode())
            window_s = min(_QUERY_S, limit.remaining) if version.send is not None else limit.remaining
            for is_quiet in self._receive(Deadline(self._wire.clock, window_s), tick):
                if (text := self._find(version.pattern, is_quiet=is_quiet)) is not None:
                    return text
            if limit.expired:
                return None

    def excerpt(self) -> str:
        """Return the last line that it printed, for messages."""
        lines = [line.strip() for line in self._text.splitlines() if line.strip()]
        return "".join(char if char.isprintable() else "." for char in lines[-1])[:120] if lines else ""

    def find(self, pattern: str) -> str | None:
        """Return the first group of a pattern in all that it printed."""
        return self._find(pattern, is_quiet=True)

    def _receive(self, deadline: Deadline, tick: Callable[[], None]) -> Iterator[bool]:
        """Yield after each read: True if the application is silent for now."""
        while not deadline.expired:
            data = self._wire.read(min(_SETTLE_S, deadline.remaining))
            self._text = (self._text + data.decode("ascii", "replace"))[-_MOST:]
            tick()
            yield not data

    def _find(self, pattern: str, *, is_quiet: bool) -> str | None:
        text = self._text if is_quiet else self._text[: self._text.rfind("\n") + 1]
        match = re.search(pattern, text, re.MULTILINE)
        if match is None or not match[1]:
            return None
        self.serial = match.groupdict().get("serial") or self.serial
        return match[1].strip()
