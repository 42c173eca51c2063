"""The module catalogue: every row of the platform's tables of modules, with the method and its evidence."""

import functools
import re
from importlib import resources
from typing import Annotated

import msgspec

from atota.files import decode_toml
from atota.names import near
from atota.values import Codes, Evidence, TaskType

Text = Annotated[str, msgspec.Meta(min_length=1)]
Names = tuple[Text, ...]

_OTHER = "其他"  # the platform's name for "any other module"; users may type `other`


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One module of the platform's tables.

    ``names`` are regular expressions for the responses to CGMM, ATI and CGMR, ``vendor_names`` for that to
    CGMI; both match in any case. No letter or digit may touch the match, and no suffix may follow it behind
    a hyphen or an underscore: M5311-E is another module than the M5311. Empty ``vendor_names`` mean that the
    vendor's own name is not public. With ``vendor_needed`` the name is too short to be trusted
    from a vendor that is not known to be its own.
    """

    task_type: TaskType
    vendor: Text
    model: Text
    manuf_code: Annotated[str, msgspec.Meta(pattern=r"^\d{3}$")]
    model_code: Annotated[str, msgspec.Meta(pattern=r"^\d{5}$")]
    chip: Text
    dialect: Text
    method: Text
    evidence: Evidence
    source: Text
    names: Names = ()
    vendor_names: Names = ()
    vendor_needed: bool = False
    note: Text | None = None

    def __post_init__(self) -> None:
        for pattern in (*self.names, *self.vendor_names):
            try:
                _whole(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        if (self.method == "none") != (self.evidence == "none"):
            raise ValueError(f"{self.model}: a method needs evidence, and evidence needs a method")

    @property
    def codes(self) -> Codes:
        """The platform's numbers of vendor and model."""
        return Codes(self.manuf_code, self.model_code)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    module: tuple[Row, ...]


@functools.cache
def rows() -> tuple[Row, ...]:
    """Return every row, in the platform's order: first the SOTA table, then the FOTA table."""
    text = resources.files("atota.dialects").joinpath("catalogue.toml").read_bytes()
    return decode_toml(text, _File, name="catalogue.toml").module


def by_name(text: str, task_type: TaskType = "fota") -> Row | None:
    """Return the row of the model that a user names, in any case; ``other`` is the platform's ``其他``."""
    name = text.strip().casefold()
    if name == "other":
        name = _OTHER
    return next((r for r in rows() if r.task_type == task_type and r.model.casefold() == name), None)


def suggestions(text: str) -> list[str]:
    """Return up to three model names that ``text`` may be a misspelling of, the likeliest first."""
    return near(text, (row.model for row in rows() if row.model != _OTHER))


def find(manufacturer: str | None, model: str | None, revision: str | None) -> Row | None:
    """Return the row that a module's own responses point at, or None if they leave it open.

    The longest match of a name wins, and of equal ones that in ``model``; a row is ruled out if
    ``manufacturer`` names another vendor of the table, or if ``model`` has only longer names that begin with
    the row's own: those of sister modules. SOTA rows are never returned: they are not modules.

    Args:
        manufacturer: its response to CGMI.
        model: its response to CGMM or ATI.
        revision: its response to CGMR or ATI; may have several lines.
    """
    best: dict[tuple[int, bool], list[Row]] = {}
    of_the_table = any(_is_vendor(names, manufacturer) for names in _vendors())
    for row in rows():
        if row.task_type != "fota" or not row.names or _contradicts(row, manufacturer, of_the_table):
            continue
        in_model, in_revision = _longest(row.names, model), _longest(row.names, revision)
        if not in_model and _has_sister(row.names, model):
            continue
        length = max(in_model, in_revision)
        if length:
            best.setdefault((length, in_model == length), []).append(row)
    if not best:
        return None
    winners = best[max(best)]
    return winners[0] if len(winners) == 1 else None


def _contradicts(row: Row, manufacturer: str | None, of_the_table: bool) -> bool:
    """True if the row's vendor rules it out. ``of_the_table``: the table has the vendor ``manufacturer``."""
    if manufacturer is None or not manufacturer.strip() or _is_vendor(row.vendor_names, manufacturer):
        return False
    return row.vendor_needed or of_the_table


@functools.cache
def _vendors() -> frozenset[Names]:
    return frozenset(row.vendor_names for row in rows() if row.vendor_names)


@functools.cache
def _whole(pattern: str) -> re.Pattern[str]:
    flags = re.IGNORECASE | re.MULTILINE | re.ASCII
    return re.compile(rf"(?<![0-9A-Za-z])(?:{pattern})(?![0-9A-Za-z]|[-_][0-9A-Za-z])", flags)


@functools.cache
def _begun(pattern: str) -> re.Pattern[str]:
    """Return the expression of a longer name that begins with ``pattern``."""
    flags = re.IGNORECASE | re.MULTILINE | re.ASCII
    return re.compile(
        rf"(?<![0-9A-Za-z])(?:{pattern.removesuffix('$')})(?:[0-9A-Za-z]|[-_][0-9A-Za-z])", flags
    )


def _is_vendor(names: Names, manufacturer: str | None) -> bool:
    """True if one of a vendor's names stands in ``manufacturer``, whatever follows it: SIMCOM_Ltd."""
    return any(_longest((f"{name}(?:[-_][0-9A-Za-z]+)*",), manufacturer) for name in names)


def _has_sister(patterns: Names, model: str | None) -> bool:
    """True if a line of ``model`` is a longer name that begins with one of ``patterns``."""
    lines = [line.strip() for line in (model or "").splitlines()]
    return any(_begun(pattern).match(line) for pattern in patterns for line in lines)


@functools.lru_cache(maxsize=4096)
def _longest(patterns: Names, text: str | None) -> int:
    """Return the length of the longest match of any of ``patterns`` in ``text``; 0 without a match."""
    if not text:
        return 0
    lines = "\n".join(line.strip() for line in text.splitlines())
    matches = (match for pattern in patterns for match in _whole(pattern).finditer(lines))
    return max((match.end() - match.start() for match in matches), default=0)
