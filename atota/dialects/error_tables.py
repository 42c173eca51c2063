"""The error numbers of vendors, in words: tables that several profiles share, in ``error_tables.toml``."""

import functools
from importlib import resources

import msgspec

from atota.files import decode_toml


class ErrorTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The numbers of one vendor's document.

    ``words`` explains a number, or a range such as ``520-530``; an exact number wins over a range.
    ``permanent`` are the numbers after which the same request would be refused again.
    """

    source: str
    words: dict[str, str]
    permanent: tuple[int, ...] = ()

    def meaning(self, code: int) -> str:
        """Return the words for a number; empty if the table has none."""
        return self.words.get(str(code), "") or next(
            (text for range_, text in self.words.items() if _is_within(code, range_)), ""
        )


def _is_within(code: int, range_: str) -> bool:
    low, dash, high = range_.partition("-")
    return bool(dash) and int(low) <= code <= int(high)


@functools.cache
def tables() -> dict[str, ErrorTable]:
    """Return every table by its name."""
    text = resources.files("atota.dialects").joinpath("error_tables.toml").read_bytes()
    return decode_toml(text, dict[str, ErrorTable], name="error_tables.toml")


def require_known(names: tuple[str, ...]) -> None:
    """Refuse the name of a table that does not exist.

    Raises:
        ValueError: it does not.
    """
    for name in names:
        if name not in tables():
            raise ValueError(f"no error table {name!r}; the tables: {', '.join(tables())}")


def meaning(names: tuple[str, ...], code: int) -> str:
    """Return the words for a number by the first table that has some; empty if none has."""
    return next((text for name in names if (text := tables()[name].meaning(code))), "")


def is_permanent(names: tuple[str, ...], code: int) -> bool:
    """True if the first table that has words for a number says that it is permanent."""
    known = (tables()[name] for name in names)
    table = next((table for table in known if table.meaning(code)), None)
    return table is not None and code in table.permanent
