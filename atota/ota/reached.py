"""What a server's front page tells: that it answers, and what time it has. Knows no HTTP library."""

from email.utils import parsedate_tz
from urllib.parse import urljoin, urlsplit

import msgspec

from atota.ota.faults import clock_skew


class Reached(msgspec.Struct, frozen=True):
    """An answer of a server, whatever it says.

    ``date`` is its ``Date`` header, ``asked_at`` our own time half-way between question and answer (seconds
    since the epoch), ``location`` where it redirects to.
    """

    server: str
    status: int
    took_s: float
    date: str | None
    asked_at: float
    location: str | None = None

    @property
    def skew_s(self) -> float | None:
        """Seconds by which the server's clock is ahead of ours; None if it tells no time."""
        if self.date is None or parsedate_tz(self.date) is None:
            return None
        return clock_skew(self.date, self.asked_at)

    @property
    def elsewhere(self) -> str | None:
        """The other host to which it redirects, as a login page does; None if it does not."""
        if self.location is None:
            return None
        try:
            host = urlsplit(urljoin(self.server, self.location)).hostname
        except ValueError:
            return "an address that is none"
        return host if host != urlsplit(self.server).hostname else None
