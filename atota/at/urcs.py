"""The URC table of a dialect, made ready for looking lines up."""

import re

from atota.at.syntax import UrcRule


class UrcTable:
    """Finds the rule that names a line: exact first, then the longest prefix, then suffixes."""

    def __init__(self, rules: tuple[UrcRule, ...]) -> None:
        self._exact = {rule.exact.encode(): rule for rule in rules if rule.exact is not None}
        prefixed = {rule.prefix.encode(): rule for rule in rules if rule.prefix is not None}
        self._prefixed = prefixed
        by_length = sorted(prefixed, key=len, reverse=True)
        self._prefix = re.compile(b"|".join(map(re.escape, by_length))) if prefixed else None
        self._suffixed = tuple((rule.suffix.encode(), rule) for rule in rules if rule.suffix is not None)
        self._solicited = tuple(
            (rule.prefix.encode(), re.compile(rule.solicited.encode()))
            for rule in rules
            if rule.prefix is not None and rule.solicited is not None
        )
        self._shared = tuple(prefix for prefix, _ in self._solicited)

    def match(self, raw: bytes) -> UrcRule | None:
        """The rule that names ``raw``, or None."""
        rule = self._exact.get(raw)
        if rule is not None:
            return rule
        if self._prefix is not None:
            found = self._prefix.match(raw)
            if found is not None:
                return self._prefixed[found[0]]
        for suffix, suffixed in self._suffixed:
            if raw.endswith(suffix):
                return suffixed
        return None

    def is_unsolicited(self, raw: bytes) -> bool:
        """Whether a line that begins like the answer of the command in flight is shaped like the URC."""
        if not self._shared or not raw.startswith(self._shared):
            return False
        return not any(raw.startswith(prefix) and shape.match(raw) for prefix, shape in self._solicited)
