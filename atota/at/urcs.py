"""The URC table of a dialect, made ready for looking lines up, and the reader of URCs of several lines."""

import functools
import re

from atota.at.events import Event, Urc
from atota.at.syntax import UrcRule


class UrcTable:
    """The rules of a dialect's URCs: exact ones first, the longest prefix, suffixes, patterns."""

    def __init__(self, rules: tuple[UrcRule, ...]) -> None:
        self._exact = {rule.exact.encode(): rule for rule in rules if rule.exact is not None}
        prefixed = {rule.prefix.encode(): rule for rule in rules if rule.prefix is not None}
        self._prefixed = prefixed
        by_length = sorted(prefixed, key=len, reverse=True)
        self._prefix = re.compile(b"|".join(map(re.escape, by_length))) if prefixed else None
        self._suffixed = tuple((rule.suffix.encode(), rule) for rule in rules if rule.suffix is not None)
        self._patterns = tuple((re.compile(rule.pattern.encode()), rule) for rule in rules if rule.pattern)
        self._solicited = tuple(
            (rule.prefix.encode(), re.compile(rule.solicited.encode()))
            for rule in rules
            if rule.prefix is not None and rule.solicited is not None
        )
        self._shared = tuple(prefix for prefix, _ in self._solicited)

    def match(self, raw: bytes) -> UrcRule | None:
        """Return the rule that names ``raw``, or None."""
        rule = self._exact.get(raw)
        if rule is not None:
            return rule
        if self._prefix is not None:
            prefix = self._prefix.match(raw)
            if prefix is not None:
                return self._prefixed[prefix[0]]
        for suffix, suffixed in self._suffixed:
            if raw.endswith(suffix):
                return suffixed
        for pattern, matched in self._patterns:
            if pattern.match(raw):
                return matched
        return None

    def is_unsolicited(self, raw: bytes) -> bool:
        """True if a line that begins like the information of the command in flight has the URC's shape."""
        if not self._shared or not raw.startswith(self._shared):
            return False
        for prefix, shape in self._solicited:
            # 27.007: the response to a test command has lists in parentheses; no URC has.
            if raw.startswith(prefix) and (shape.match(raw) or raw[len(prefix) :].lstrip(b": ")[:1] == b"("):
                return False
        return True


@functools.lru_cache(maxsize=256)
def urc_table(rules: tuple[UrcRule, ...]) -> UrcTable:
    """Return the table of these rules; cached, since every conversation needs it."""
    return UrcTable(rules)


class UrcReader:
    """A reader of URCs, line by line; one with lines to come is kept until they are there.

    Attributes:
        waiting: True if the next line belongs to the URC before it.
    """

    def __init__(self, rules: tuple[UrcRule, ...]) -> None:
        table = urc_table(rules)
        self.is_unsolicited = table.is_unsolicited
        self._match = table.match
        self.waiting = False
        self._urc = Urc(b"")
        self._due = 0

    def is_known(self, raw: bytes) -> bool:
        """True if a rule names a line."""
        return self._match(raw) is not None

    def take(self, raw: bytes, events: list[Event]) -> bool:
        """Take a line if a rule names it. Return True if it was taken."""
        rule = self._match(raw)
        if rule is None:
            return False
        if rule.continuation:
            self._urc, self._due, self.waiting = Urc(raw), rule.continuation, True
        else:
            events.append(Urc(raw))
        return True

    def go_on(self, raw: bytes, events: list[Event]) -> None:
        """Take the next line of the URC before it."""
        self._urc = Urc(self._urc.raw, (*self._urc.more, raw))
        self._due -= 1
        if not self._due:
            self.cut(events)

    def cut(self, events: list[Event]) -> None:
        """Emit the URC that is being read: it is complete, or something else came in its place."""
        if self.waiting:
            self.waiting = False
            events.append(self._urc)
