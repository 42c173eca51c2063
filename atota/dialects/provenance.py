"""Where each value of a resolved profile comes from: which file of its line of descent said it, and where."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from atota.dialects import loader
from atota.dialects.loader import Layer

DEFAULT = "default"
"""The origin of a value that no file gives."""


class Origin(msgspec.Struct, frozen=True):
    """One value of a resolved profile.

    ``path`` is its place there, such as ``$.uart.bauds`` or ``$.identify[2]``: arrays are one value, but
    for those that are put together from several files, which are told per entry. ``origin`` is the file
    that gives it (`DEFAULT`: none does), and ``place`` its path in that file.
    """

    path: str
    value: Any
    origin: str
    place: str


def explain(name_or_file: str) -> list[Origin]:
    """Every value of a profile and where it comes from, in the order of the profile's fields.

    Raises:
        UsageError: there is no such dialect.
        ConfigError: the profile is wrong.
    """
    chain = loader.layers(name_or_file)
    dialect = loader.load(name_or_file)
    given = {origin.path: origin for origin in origins(chain)}
    found = []
    for path, value in _leaves(msgspec.to_builtins(dialect), "$"):
        told = given.get(path)
        if told is not None:
            found.append(told)
        elif value is False or value not in (None, (), [], {}):
            found.append(Origin(path, value, DEFAULT, path))
    return found


def origins(chain: Sequence[Layer]) -> list[Origin]:
    """Every value that the files of a line of descent give, whether or not the profile is right."""
    return list(_tables([(layer.label, "$", layer.tables) for layer in _relevant(chain)], "$"))


def place_of(chain: Sequence[Layer], path: str) -> tuple[str, str]:
    """The file, and the path in it, that a path of the resolved profile comes from.

    A path that no file gives (something is missing) is looked for in what it is part of, down to the
    profile's own file; of several files that give a part, the nearest is meant.
    """
    order = [layer.label for layer in chain]
    given = sorted(origins(chain), key=lambda origin: order.index(origin.origin))
    within = path
    while within != "$":
        near = [o for o in given if o.path == within or o.path.startswith((f"{within}.", f"{within}["))]
        if near:
            inside = near[0].path == within
            return near[0].origin, near[0].place + path[len(within) :] if inside else path
        within = within[: max(within.rfind("."), within.rfind("["))]
    return chain[0].label, path


def _relevant(chain: Sequence[Layer]) -> list[Layer]:
    """The files with only those tables that hold for the profile, its own first."""
    kept = [chain[0]]
    below = chain[0].tables.get("method")
    for layer in chain[1:]:
        tables = {key: value for key, value in layer.tables.items() if key not in loader.NOT_INHERITED}
        if "method" in tables:
            tables["method"] = method = loader.inherited_method(tables["method"], below)
            below = {**method, **below} if isinstance(below, dict) and isinstance(method, dict) else method
        kept.append(layer._replace(tables=tables))
    return kept


def _tables(given: list[tuple[str, str, dict[str, Any]]], path: str) -> Iterator[Origin]:
    """The values of one table, of which each file, nearest first, may give a part."""
    for key in dict.fromkeys(key for _, _, table in reversed(given) for key in table):
        mine = [(label, f"{place}.{key}", table[key]) for label, place, table in given if key in table]
        label, place, value = mine[0]
        here = f"{path}.{key}"
        if isinstance(value, dict):
            parts = [(origin, at, table) for origin, at, table in mine if isinstance(table, dict)]
            yield from _tables(parts, here)
        elif key in loader.MERGED_LISTS and isinstance(value, list):
            lists = [(origin, at, entries) for origin, at, entries in mine if isinstance(entries, list)]
            entries = [
                (origin, f"{at}[{n}]", one) for origin, at, some in lists for n, one in enumerate(some)
            ]
            for index, (origin, at, entry) in enumerate(entries):
                yield Origin(f"{here}[{index}]", entry, origin, at)
        else:
            yield Origin(here, value, label, place)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The values of a profile as `explain` divides them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}")
    elif path.rpartition(".")[2] in loader.MERGED_LISTS:
        for index, entry in enumerate(value):
            yield f"{path}[{index}]", entry
    else:
        yield path, value
