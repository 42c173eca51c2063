"""Counts the steps that a regular expression takes, by the rules of `re`: choices in order, then back again.

`re` itself does not tell its effort, and time says more of the machine than of the pattern. Without
the short cuts of `re`, so it counts no fewer steps than are taken.
"""

import functools
import re
import sys
from collections.abc import Callable, Sequence
from re import _constants as known  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

Next = Callable[[int], bool]
_CATEGORIES = {
    known.CATEGORY_DIGIT: r"\d",
    known.CATEGORY_NOT_DIGIT: r"\D",
    known.CATEGORY_SPACE: r"\s",
    known.CATEGORY_NOT_SPACE: r"\S",
    known.CATEGORY_WORD: r"\w",
    known.CATEGORY_NOT_WORD: r"\W",
}


class TooMuch(Exception):
    """More steps than are allowed."""


def steps_of_search(pattern: str, flags: int, text: str, most: int, *, anchored: bool = False) -> int:
    """Count the steps of a search of ``text`` from every position; ``anchored``: as many from each one.

    Raises:
        TooMuch: more than ``most``.
    """
    search = _Search(text, flags, most)
    tree, deepest = _tree(pattern, flags), sys.getrecursionlimit()
    sys.setrecursionlimit(max(deepest, 50 * len(text) + 5000))
    try:
        for start in range(len(text) + 1):
            if anchored:
                search.steps = 0
            if search.run(tree, 0, start, lambda _: True):
                break
    finally:
        sys.setrecursionlimit(deepest)
    return search.steps


@functools.lru_cache(maxsize=1024)
def _tree(pattern: str, flags: int) -> Sequence[Any]:
    return list(_parser.parse(pattern, flags))


class _Search:
    def __init__(self, text: str, flags: int, most: int) -> None:
        self.steps = 0
        self._text = text.lower()
        self._multiline = bool(flags & re.MULTILINE)
        self._most = most

    def run(self, items: Sequence[Any], index: int, at: int, then: Next) -> bool:
        """True if ``items[index:]`` match from ``at`` on, and what follows does too."""
        self.steps += 1
        if self.steps > self._most:
            raise TooMuch
        if index == len(items):
            return then(at)
        kind, value = items[index]
        go_on: Next = lambda end: self.run(items, index + 1, end, then)  # noqa: E731 - it closes over the place
        if kind in (known.LITERAL, known.NOT_LITERAL, known.ANY, known.IN):
            return at < len(self._text) and self._fits(kind, value, self._text[at]) and go_on(at + 1)
        if kind is known.AT:
            return self._stands(value, at) and go_on(at)
        if kind is known.SUBPATTERN:
            return self.run(list(value[-1]), 0, at, go_on)
        if kind is known.BRANCH:
            return any(self.run(list(way), 0, at, go_on) for way in value[1])
        if kind in (known.ASSERT, known.ASSERT_NOT):
            behind = value[0] < 0  # what is behind counts as matched: it takes no steps
            matched = behind or self.run(list(value[1]), 0, at, lambda _: True)
            return (behind or matched == (kind is known.ASSERT)) and go_on(at)
        if kind in (known.MAX_REPEAT, known.MIN_REPEAT):
            least, most, part = value
            return self._repeat(list(part), (least, most, kind is known.MAX_REPEAT), 0, at, go_on)
        raise NotImplementedError(f"{kind} in a pattern")

    def _repeat(
        self, part: Sequence[Any], how: tuple[int, int, bool], count: int, at: int, go_on: Next
    ) -> bool:
        least, most, greedy = how
        if len(part) == 1 and part[0][0] in (known.LITERAL, known.NOT_LITERAL, known.ANY, known.IN):
            return self._repeat_character(part[0], how, at, go_on)

        def again(end: int) -> bool:
            return end > at and self._repeat(part, how, count + 1, end, go_on)

        more = count < most
        if count < least or greedy:
            if more and self.run(
                part, 0, at, again if count >= least else self._must(part, how, count, go_on)
            ):
                return True
            return count >= least and go_on(at)
        return go_on(at) or (more and self.run(part, 0, at, again))

    def _must(self, part: Sequence[Any], how: tuple[int, int, bool], count: int, go_on: Next) -> Next:
        return lambda end: self._repeat(part, how, count + 1, end, go_on)

    def _repeat_character(
        self, one: tuple[Any, Any], how: tuple[int, int, bool], at: int, go_on: Next
    ) -> bool:
        least, most, greedy = how
        end = at
        while end < len(self._text) and end - at < most and self._fits(*one, self._text[end]):
            end += 1
            self.steps += 1
        ends = range(at + least, end + 1)
        return any(map(go_on, reversed(ends) if greedy else ends))

    def _fits(self, kind: Any, value: Any, char: str) -> bool:
        if kind is known.ANY:
            return char != "\n"
        if kind is known.LITERAL:
            return chr(value).lower() == char
        if kind is known.NOT_LITERAL:
            return chr(value).lower() != char
        negated = value[0][0] is known.NEGATE
        return any(self._in(entry, char) for entry in value[negated:]) != negated

    @staticmethod
    def _in(entry: Any, char: str) -> bool:
        kind, value = entry
        if kind is known.LITERAL:
            return chr(value).lower() == char
        if kind is known.RANGE:
            return any(value[0] <= ord(case) <= value[1] for case in (char, char.upper()[0]))
        return re.match(_CATEGORIES[value], char) is not None

    def _stands(self, where: Any, at: int) -> bool:
        text = self._text
        if where in (known.AT_BEGINNING, known.AT_BEGINNING_STRING):
            return at == 0 or (self._multiline and where is known.AT_BEGINNING and text[at - 1] == "\n")
        if where is known.AT_END:
            return at == len(text) or text[at:] == "\n" or (self._multiline and text[at] == "\n")
        if where is known.AT_END_STRING:
            return at == len(text)
        before, after = text[at - 1 : at] if at else "", text[at : at + 1]
        border = bool(re.match(r"\w", before)) != bool(re.match(r"\w", after))
        return border == bool(where is known.AT_BOUNDARY)
