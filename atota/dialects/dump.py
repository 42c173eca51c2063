"""A resolved profile written out: TOML that reads back as the same profile, each value with its origin."""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from atota.dialects import layers, loader
from atota.dialects.layers import Given, Origin, Tree

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WIDTH = 64


def explain(name_or_file: str) -> list[Origin]:
    """Return every value of a profile with its origin, in the order of the profile's fields.

    Raises:
        UsageError: the dialect is unknown.
        ConfigError: the profile is wrong.
    """
    return list(layers.origins(_tree(name_or_file)))


def as_toml(name_or_file: str) -> str:
    """Return a profile as TOML, with everything that it inherits, its origins and its sources.

    Raises:
        UsageError: the dialect is unknown.
        ConfigError: the profile is wrong.
    """
    dialect = loader.load(name_or_file)
    files = " > ".join(layer.label for layer in loader.layers(name_or_file))
    head = [f"# {_comment(dialect.title)}", f"# inherits: {_comment(files)}", ""]
    return "\n".join([*head, *_Writer(dialect.sources).table(_tree(name_or_file), ())]) + "\n"


def tables_as_toml(tables: dict[str, Any]) -> str:
    """Return plain tables as TOML, as they might stand in a profile."""
    return "\n".join(_Writer({}).table(layers.given(tables, ""), ())).strip("\n") + "\n"


def _tree(name_or_file: str) -> Tree:
    tree = layers.merge(loader.layers(name_or_file))
    return layers.with_defaults(tree, msgspec.to_builtins(loader.load(name_or_file)))


class _Writer:
    def __init__(self, sources: dict[str, str]) -> None:
        self._sources = sources

    def table(self, tree: Tree, path: tuple[str, ...]) -> Iterator[str]:
        """Yield the lines of a table: its plain values, then the parts with a header of their own."""
        below = {}
        for key, node in tree.items():
            if isinstance(node, dict) or (_entries(node) and path != ("grammar",)):
                below[key] = node
            elif isinstance(node, list):
                yield f"{_key(key)} = ["
                yield from (_noted(f"  {_value(entry.value)},", entry.file) for entry in node)
                yield "]"
            else:
                yield self._line(key, node.value, node.file)
        for key, node in below.items():
            here = (*path, key)
            if isinstance(node, dict):
                yield from ("", f"[{'.'.join(map(_key, here))}]")
                yield from self.table(node, here)
                continue
            for entry, file in _entries(node):
                yield from ("", _noted(f"[[{'.'.join(map(_key, here))}]]", file))
                yield from (self._line(name, inner, None) for name, inner in entry.items())

    def _line(self, key: str, value: Any, file: str | None) -> str:
        document = self._sources.get(value) if key == "source" and isinstance(value, str) else None
        notes = [note for note in (file, document) if note]
        return _noted(f"{_key(key)} = {_value(value)}", ": ".join(notes))


def _entries(node: Tree | list[Given] | Given) -> list[tuple[dict[str, Any], str]]:
    """Return the tables of an array of tables with their files; empty for any other value."""
    if isinstance(node, list):
        return [(entry.value, entry.file) for entry in node if isinstance(entry.value, dict)]
    if isinstance(node, Given) and isinstance(node.value, list | tuple):
        return [(entry, node.file) for entry in node.value if isinstance(entry, dict)]
    return []


def _noted(text: str, note: str) -> str:
    return f"{text:<{_WIDTH}}  # {_comment(note)}" if note else text


def _comment(text: str) -> str:
    """Return a text as it may stand in a comment: one line, no control characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str) and re.search(r'["\\]', value) and "'" not in value and value.isprintable():
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON lets DEL stand, TOML not
