"""The files that make up a profile, merged once; every value keeps the file and the place it comes from.

A child's tables are laid over its parent's, key by key. The entries of `MERGED_LISTS` come before the
parent's; any other value replaces it. `NOT_INHERITED` holds for one file alone. A method of another kind
replaces its parent's, of which only the fields in `_OF_EVERY_METHOD` stay.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from atota.dialects.registry import method_specs

MERGED_LISTS = ("identify", "urcs", "finals")
"""Arrays in which a child's entries come before its parent's instead of replacing them."""
NOT_INHERITED = ("name", "title", "recognise", "probe", "evidence", "hardware")
"""Facts of one family that do not hold for the profiles made after it."""
_OF_EVERY_METHOD = ("watch", "refused_magic")
"""Fields of a method table that describe the family, not the way of writing."""
DEFAULT = "default"
"""The origin of a value that no file gives."""


class Layer(NamedTuple):
    """One file of a profile's line of descent; ``path`` is None for a built-in one."""

    name: str
    tables: dict[str, Any]
    path: Path | None = None

    @property
    def label(self) -> str:
        """The file's name in messages."""
        return str(self.path) if self.path is not None else f"{self.name}.toml"


class Given(NamedTuple):
    """A value, the file that gives it (`DEFAULT`: none does), and its path in that file."""

    value: Any
    file: str
    place: str


Tree = dict[str, "Tree | list[Given] | Given"]
"""Tables with `Given` for each value; an array of `MERGED_LISTS` is a list of them."""


class Origin(msgspec.Struct, frozen=True):
    """One value of a resolved profile.

    ``path`` is its place there, such as ``$.uart.bauds`` or ``$.identify[2]``: arrays are one value, except
    for `MERGED_LISTS`, which have one for each entry. ``origin`` is the file that gives it (`DEFAULT`: none
    does), and ``place`` its path in that file.
    """

    path: str
    value: Any
    origin: str
    place: str


def given(tables: dict[str, Any], file: str, path: str = "$") -> Tree:
    """Return tables with the origin of each value, which is ``file``."""
    result: Tree = {}
    for key, value in tables.items():
        here = f"{path}.{key}"
        if isinstance(value, dict):
            result[key] = given(value, file, here)
        elif key in MERGED_LISTS and isinstance(value, list | tuple):
            result[key] = [Given(entry, file, f"{here}[{index}]") for index, entry in enumerate(value)]
        else:
            result[key] = Given(value, file, here)
    return result


def merge(chain: Sequence[Layer]) -> Tree:
    """Merge the files of a line of descent, the profile's own file first."""
    result: Tree = {}
    for layer in reversed(chain):
        over = given(layer.tables, layer.label)
        base = {key: node for key, node in result.items() if key not in NOT_INHERITED}
        if "method" in base:
            base["method"] = _inherited_method(base["method"], over.get("method"))
        result = _laid_over(base, over)
    return result


def values(tree: Tree) -> dict[str, Any]:
    """Return the tables without the origins."""
    return {key: _value(node) for key, node in tree.items()}


def origins(tree: Tree, path: str = "$") -> Iterator[Origin]:
    """Yield every value with its origin, in the order of the tables."""
    for key, node in tree.items():
        here = f"{path}.{key}"
        if isinstance(node, dict):
            yield from origins(node, here)
        elif isinstance(node, list):
            yield from (Origin(f"{here}[{index}]", *entry) for index, entry in enumerate(node))
        else:
            yield Origin(here, *node)


def with_defaults(tree: Tree, tables: Mapping[str, Any]) -> Tree:
    """Return the tree in the order of the resolved ``tables``, with their values that no file gives.

    Empty defaults are left out.
    """
    return _completed(tree, given(dict(tables), DEFAULT))


def _completed(tree: Tree, resolved: Tree) -> Tree:
    result: Tree = {}
    for key, default in resolved.items():
        node = tree.get(key)
        if isinstance(default, dict):
            if below := _completed(node if isinstance(node, dict) else {}, default):
                result[key] = below
        elif node is not None:
            result[key] = node
        elif default and (isinstance(default, list) or default.value not in (None, (), [])):
            result[key] = default
    return result


def place_of(chain: Sequence[Layer], path: str) -> tuple[str, str]:
    """Return the file, and the path in it, that a path of the resolved profile comes from.

    A path that no file gives (something is missing) is looked for in its parents, down to the profile's own
    file; of several files that give a part, the nearest is meant.
    """
    order = [layer.label for layer in chain]
    given = sorted(origins(merge(chain)), key=lambda origin: order.index(origin.origin))
    within = path
    while within != "$":
        near = [o for o in given if o.path == within or o.path.startswith((f"{within}.", f"{within}["))]
        if near:
            inside = near[0].path == within
            return near[0].origin, near[0].place + path[len(within) :] if inside else path
        within = within[: max(within.rfind("."), within.rfind("["))]
    return chain[0].label, path


def _laid_over(base: Tree, over: Tree) -> Tree:
    result = dict(base)
    for key, node in over.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(node, dict):
            result[key] = _laid_over(old, node)
        elif isinstance(old, list) and isinstance(node, list):
            result[key] = [*node, *old]
        else:
            result[key] = node
    return result


def _inherited_method(base: Any, over: Any) -> Any:
    """Return the part of a parent's method table that holds for a child with the method table ``over``."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return base
    kind = _value(over["kind"]) if "kind" in over else None
    if kind is None or ("kind" in base and kind == _value(base["kind"])):
        return base
    fields = next((spec.__struct_fields__ for spec in method_specs() if spec.method_name() == kind), ())
    return {key: base[key] for key in _OF_EVERY_METHOD if key in base and key in fields}


def _value(node: Tree | list[Given] | Given) -> Any:
    if isinstance(node, dict):
        return values(node)
    return [entry.value for entry in node] if isinstance(node, list) else node.value
