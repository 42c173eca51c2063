"""The boot banner of a dialect: its lines, the reboot's cause among them, and its end."""

import re

from atota.at.events import Boot, BootDone, Final, view
from atota.at.syntax import BootRule


class Banner:
    """A reader of boot banners, line by line.

    Attributes:
        match: the match function of the banner's lines; None if the dialect has no banner.
        ends_with_ok: the banner's last line is an OK of its own.
    """

    def __init__(self, rule: BootRule | None) -> None:
        lines = "|".join(f"(?:{line})" for line in rule.lines) if rule is not None else ""
        self.match = re.compile(lines.encode()).match if rule is not None else None
        self.ends_with_ok = rule is not None and rule.ends_with_ok
        self._has_cause = re.compile(rule.cause.encode()) if rule is not None and rule.cause else None
        self._cause: str | None = None

    def take(self, raw: bytes) -> Boot:
        """Return the event of a line, and keep the cause if it names one."""
        cause = self._has_cause.match(raw) if self._has_cause is not None else None
        if cause is None:
            return Boot(raw)
        self._cause = view(cause[1])
        return Boot(raw, self._cause)

    def is_last(self, final: Final) -> bool:
        """True if a result is the banner's own, and its last line."""
        return self.ends_with_ok and final.ok and (self._has_cause is None or self._cause is not None)

    def end(self) -> BootDone:
        """Return the event of the banner's end; the next banner begins anew."""
        cause, self._cause = self._cause, None
        return BootDone(cause)
