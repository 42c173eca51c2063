"""Completion in bash, which cuts words at ``:`` and ``=`` before a program sees them."""

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_BREAKS = re.compile(r"[:=]+")
"""The characters of bash's COMP_WORDBREAKS that stand in our words."""


@contextmanager
def whole_words() -> Iterator[None]:
    """Let completion see the words that the user typed, where bash has cut them at ``:`` and ``=``.

    Bash takes what follows the cut for the word, so it gets only that part of each name back. For
    ``-p sim://B`` it sends the words ``sim``, ``:`` and ``//B``, and needs ``//BC28``.
    """
    words = os.environ.get("COMP_WORDS", "").split("\n")
    at = os.environ.get("COMP_CWORD", "")
    if not os.environ.get("_ATOTA_COMPLETE") or not at.isdecimal() or not any(map(_BREAKS.fullmatch, words)):
        yield
        return
    joined, number = _joined(words[: int(at) + 1])
    last = words[int(at)].strip(":=") if int(at) < len(words) else ""
    bash_has = joined[-1].removesuffix(last)
    os.environ |= {"COMP_WORDS": "\n".join((*joined, *words[int(at) + 1 :])), "COMP_CWORD": str(number)}
    out, names = sys.stdout, io.StringIO()
    sys.stdout = names
    try:
        yield
    finally:
        sys.stdout = out
        out.write("".join(f"{name.removeprefix(bash_has)}\n" for name in names.getvalue().splitlines()))


def _joined(words: list[str]) -> tuple[list[str], int]:
    """Join the words round each cut; return them, and the number of the last."""
    joined: list[str] = []
    is_open = False
    for word in words:
        is_cut = _BREAKS.fullmatch(word) is not None
        if joined and (is_cut or is_open):
            joined[-1] += word
        else:
            joined.append(word)
        is_open = is_cut
    return joined, len(joined) - 1
