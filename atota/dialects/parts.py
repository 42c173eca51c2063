"""What profiles are made of, whatever the method: questions, steps, and how an update tells of itself."""

import re

import msgspec

from atota.at.params import whole_number


def pattern_problem(text: str | bytes) -> str | None:
    """Why ``text`` is no regular expression, or None if it is one."""
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        return f"{text[:200]!r} is no regular expression: {error}"
    return None


def first_group(pattern: str, lines: tuple[str, ...]) -> str | None:
    """What the first group of ``pattern`` finds in an answer, or None."""
    match = re.search(pattern, "\n".join(lines), re.MULTILINE)
    return match[1].strip() if match and match[1] is not None else None


def _percentage(text: str | None) -> int | None:
    number = whole_number(text)
    return None if number is None else min(100, number)


class Profiled(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all parts of a profile: typos are errors."""


class Way(Profiled, frozen=True, kw_only=True):
    """Base of the methods: each is a tagged struct, and its tag is the method's name everywhere."""

    @property
    def kind(self) -> str:
        """The method's name, as the catalogue has it."""
        return str(self.__struct_config__.tag)


class Ask(Profiled, frozen=True, kw_only=True):
    """A harmless command, and the regular expression whose first group is what it tells."""

    send: str
    pattern: str

    def find(self, lines: tuple[str, ...]) -> str | None:
        """What the answer tells, or None."""
        return first_group(self.pattern, lines)


class Watch(Profiled, frozen=True, kw_only=True):
    """How a running update tells of itself, by unsolicited lines; each is a regular expression.

    ``progress`` has one group, percent; ``fetching`` too, of the download that the module does by itself, or
    none where a line only says that there is one. ``failed`` may have one: the module's own code or word,
    which ``words`` explains. ``succeeded`` is only what the module says: the version it prints afterwards
    decides.
    ``silence_s``: how long nothing may come before the module is taken for stuck.
    """

    started: tuple[str, ...] = ()
    progress: tuple[str, ...] = ()
    fetching: tuple[str, ...] = ()
    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    words: dict[str, str] = msgspec.field(default_factory=dict)
    silence_s: float | None = None
    source: str

    def percent(self, line: str) -> int | None:
        """The percentage that a line tells, 0-100."""
        found = (re.search(pattern, line) for pattern in self.progress)
        return next((_percentage(match[1]) for match in found if match), None)

    def fetched(self, line: str) -> int | None:
        """Percent of its package that the module says it has downloaded; 0 if it only says that it does."""
        for pattern in self.fetching:
            match = re.search(pattern, line)
            if match:
                return _percentage(match[1]) if match.re.groups else 0
        return None

    def failure(self, line: str) -> str | None:
        """What went wrong, if the line says that something did."""
        for pattern in self.failed:
            match = re.search(pattern, line)
            if match:
                code = match[1] if match.re.groups and match[1] else ""
                words = self.words.get(code, "")
                return f"{line}: {words}" if words else line
        return None

    def begun(self, line: str) -> bool:
        """Whether the line says that the update itself has begun."""
        return any(re.search(pattern, line) for pattern in self.started)

    def success(self, line: str) -> bool:
        """Whether the line says that the update went well."""
        return any(re.search(pattern, line) for pattern in self.succeeded)
