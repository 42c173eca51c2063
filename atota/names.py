"""Near names: the names that a mistyped one may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches

_CUTOFF = 0.6  # the default of difflib: more than half of the characters fit
_MOST = 3


def near(typed: str, names: Iterable[str]) -> list[str]:
    """Return up to three of ``names`` that ``typed`` may be a misspelling of, the likeliest first."""
    folded: dict[str, str] = {}
    for name in names:
        folded.setdefault(name.casefold(), name)
    word = typed.strip().casefold()
    matches = get_close_matches(word, folded, n=_MOST, cutoff=_CUTOFF)
    matches.sort(key=lambda name: sorted(name) != sorted(word))  # swapped characters are the commonest slip
    begun = [name for name in folded if word and name.startswith(word) and name not in matches]
    return [folded[name] for name in (*matches, *begun)][:_MOST]


def advice(typed: str, names: Iterable[str], *, known: str = "Known") -> str:
    """Return the hint for a name that is not one of ``names``: the near ones first, then all of them."""
    names = list(names)
    meant = near(typed, names)
    guess = f"Did you mean {' or '.join(meant)}? " if meant else ""
    return f"{guess}{known}: {', '.join(names)}." if names else "No name is known here."
