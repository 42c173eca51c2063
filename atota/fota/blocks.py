"""The blocks of one package, and their next smaller length where a module or a line takes no longer ones."""

import enum
from collections import deque

from atota.dialects.methods.nfwupd import BlockRule
from atota.fota.nfwupd_commands import MOST_BLOCKS, lengths

_MOST_ERRORS = 3
_ERRORS_WITHIN = 16
"""With `_MOST_ERRORS` errors in so many blocks the rate is too high: much of what it saves is lost again."""
_OFTEN_FOR_ONE = 2
"""Errors of one block that make the rate too high."""


class Stored(enum.Enum):
    """The end of the attempts to store one block."""

    YES = "stored"
    IN_DOUBT = "refused after a response was lost: it may have been stored before"
    TOO_LONG = "refused, and a smaller one may be taken"


class BlockPlan:
    """The lengths of the blocks of one package, in order.

    Attributes:
        lengths: of every block, in bytes; the number of a block is its index.
        block: the length of all but the last; None where blocks of several lengths were sent.
    """

    def __init__(self, size: int, block: int, rule: BlockRule, *, is_fixed: bool = False) -> None:
        self.lengths = lengths(size, block, rule) or []
        self.block: int | None = block
        self._size = size
        self._current = block
        self._rule = rule
        self._is_fixed = is_fixed

    def can_shorten(self, number: int) -> bool:
        """True if block ``number`` may be sent smaller.

        Block 0 finds the length out, down to the smallest. Later the length is right, and a smaller one only
        suffers less from a bad line: not if the user asked for it (``is_fixed``).
        """
        if number > 0 and (self._is_fixed or self._current <= self._rule.default):
            return False
        return self._shorter(number) is not None

    def shorten(self, number: int) -> None:
        """Cut the bytes from block ``number`` on into blocks of the next smaller documented length."""
        shorter = self._shorter(number)
        if shorter is not None:
            block, rest = shorter
            self.lengths[number:] = rest
            self._current = block
            self.block = block if number == 0 else None

    def _shorter(self, number: int) -> tuple[int, list[int]] | None:
        """The next smaller length, and the lengths of the blocks from ``number`` on by it."""
        if number > 0 and not self._rule.may_mix:
            return None
        block = self._rule.shorter(self._current)
        while block is not None:
            rest = lengths(self._size - sum(self.lengths[:number]), block, self._rule)
            if rest and rest[0] < self.lengths[number] and number + len(rest) <= MOST_BLOCKS:
                return block, rest
            block = self._rule.shorter(block)
        return None


class ErrorWatch:
    """The errors of the latest blocks: are they frequent enough to give up speed?"""

    def __init__(self) -> None:
        self._numbers: deque[int] = deque(maxlen=_MOST_ERRORS)
        self._struck: int | None = None

    def are_frequent(self, number: int, attempt: int) -> bool:
        """Note an error in one attempt at block ``number``; True, and forgotten, if errors are frequent."""
        if number == self._struck:
            return False  # one lower rate for one block: it may be refused for another reason
        self._numbers.append(number)
        is_dense = len(self._numbers) == _MOST_ERRORS and 0 <= number - self._numbers[0] < _ERRORS_WITHIN
        if is_dense or attempt >= _OFTEN_FOR_ONE:
            self._numbers.clear()
            self._struck = number
            return True
        return False
