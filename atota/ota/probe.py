"""A server's answer to a request for its front page: that it answers, and its time. Knows no HTTP library."""

from email.utils import parsedate_tz
from urllib.parse import urljoin, urlsplit

import msgspec

from atota.ota.translate import clock_skew


class Reached(msgspec.Struct, frozen=True):
    """An answer of a server, whatever its content.

    ``date`` is its ``Date`` header, ``asked_at`` our own time half-way between question and answer (seconds
    since the epoch), ``location`` the target of its redirect.
    """

    server: str
    status: int
    took_s: float
    date: str | None
    asked_at: float
    location: str | None = None

    @property
    def skew_s(self) -> float | None:
        """Seconds by which the server's clock is ahead of ours; None if it gives no time."""
        if self.date is None or parsedate_tz(self.date) is None:
            return None
        return clock_skew(self.date, self.asked_at)

    @property
    def elsewhere(self) -> str | None:
        """The other host to which it redirects, as a login page does, or None."""
        if self.location is None:
            return None
        try:
            host = urlsplit(urljoin(self.server, self.location)).hostname
        except ValueError:
            return "an invalid address"
        return host if host != urlsplit(self.server).hostname else None
