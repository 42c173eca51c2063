"""A command on the wire: the lines that may belong to its response, and the results that may end it."""

import functools
import re

from atota.at.events import Final, view
from atota.at.syntax import Command, FinalRule, command_name

_FOREIGN = re.compile(rb"[+^%#$*&!][A-Za-z0-9_]+ ?[:=]")
"""A line with the prefix of some command: neither free text nor the response to another one."""


def is_foreign(raw: bytes) -> bool:
    """True if a line begins like the information or the URC of some extended command."""
    return _FOREIGN.match(raw) is not None


def final_by(rule: FinalRule, raw: bytes) -> Final:
    """Return the result that a rule makes of a line."""
    text = view(raw[len(rule.text) :].strip()) if rule.prefix else ""
    code = int(text) if text.isdigit() and len(text) < 10 else None
    return Final(raw, rule.ok, rule.text.strip(": "), code, text)


class Finals:
    """The results, beyond the global ones, that may end one command; and those that never end it."""

    __slots__ = ("_exact", "_prefixed", "any", "never")

    def __init__(self, rules: tuple[FinalRule, ...], never: tuple[str, ...], name: str = "") -> None:
        applicable = [rule for rule in rules if not rule.commands or name in rule.commands]
        # The first rule for a text wins: a command's own come before its dialect's.
        self._exact = {rule.text.encode(): rule for rule in reversed(applicable) if not rule.prefix}
        self._prefixed = tuple((rule.text.encode(), rule) for rule in applicable if rule.prefix)
        self.never = frozenset(word.encode() for word in never)
        self.any = bool(applicable)

    def find(self, raw: bytes) -> FinalRule | None:
        """Return the rule that makes ``raw`` a final result, or None; a prefix ends at a word boundary."""
        rule = self._exact.get(raw.rstrip(b" "))
        if rule is not None:
            return rule
        for prefix, prefixed in self._prefixed:
            if _begins(raw, prefix):
                return prefixed
        return None


def _begins(raw: bytes, prefix: bytes) -> bool:
    """True if a line begins with ``prefix`` and the word ends there: CONNECT does not begin CONNECTED."""
    after = raw[len(prefix) : len(prefix) + 1]
    return raw.startswith(prefix) and not (after.isalnum() and prefix[-1:].isalnum())


class Flight:
    """A command that was written, and whose final result has not come."""

    __slots__ = ("command", "finals", "header", "hinted", "name", "prefixes", "text")

    def __init__(self, command: Command, text: bytes, name: str, finals: Finals) -> None:
        self.command = command
        self.text = text
        self.name = name
        self.finals = finals
        self.prefixes = tuple([prefix.encode() for prefix in command.prefixes])
        self.header = re.compile(command.raw.header) if command.raw else None
        self.hinted = bool(command.prompt or command.raw or command.multiline)

    def owns(self, raw: bytes) -> bool:
        """True if a line begins as the information of this command does."""
        if self.header is not None and self.header.match(raw):
            return True
        for prefix in self.prefixes:
            # Names of extended commands are whole words: +NSORF: is not information of AT+NSOR.
            if raw.startswith(prefix) and (raw[0] not in b"+^%#$*&!" or _begins(raw, prefix)):
                return True
        return False

    def takes(self, raw: bytes) -> bool:
        """True if a line without a prefix of this command may be its information all the same."""
        # A command without an extended name (ATI, AT&V) may print anything.
        return self.command.free_text and (len(self.name) == 1 or not is_foreign(raw))


def resembles(raw: bytes, expected: bytes) -> bool:
    """True if a line that came where the echo was due is the echo, damaged.

    Its beginning was lost, something stood in front of it, or one stretch of it was lost or flipped.
    """
    if expected.endswith(raw) or (len(expected) > 1 and raw.endswith(expected)):
        return True
    shorter = min(len(raw), len(expected))
    same = next((at for at in range(shorter) if raw[at] != expected[at]), shorter)
    rest = shorter - same
    same += next((at for at in range(rest) if raw[-1 - at] != expected[-1 - at]), rest)
    return 2 * same >= max(len(raw), len(expected))


class FinalsByCommand:
    """The `Finals` of each command; those that depend on its name alone are kept."""

    def __init__(self, rules: tuple[FinalRule, ...]) -> None:
        self._rules = rules
        self._kept: dict[str, Finals] = {}
        self.elsewhere = frozenset(rule.text.encode() for rule in rules if rule.commands and not rule.prefix)
        """Texts that end some commands: where they end nothing they are not information either."""

    def of(self, command: Command, name: str) -> Finals:
        """Return the results that may end ``command``, whose name is ``name``."""
        if command.finals or command.not_final:
            return Finals((*command.finals, *self._rules), command.not_final, name)
        finals = self._kept.get(name)
        if finals is None:
            if len(self._kept) >= 256:
                self._kept.clear()
            finals = self._kept[name] = Finals(self._rules, (), name)
        return finals

    def flight(self, command: Command) -> Flight:
        """Return the command, ready to be written."""
        name = command_name(command.text)
        return Flight(command, command.text.encode("latin-1"), name, self.of(command, name))


@functools.lru_cache(maxsize=256)
def finals_by_command(rules: tuple[FinalRule, ...]) -> FinalsByCommand:
    """Return the results by command; cached, since every conversation needs them."""
    return FinalsByCommand(rules)
