"""A resolved profile written out: TOML that reads back as the same profile, each value with its origin."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from atota.dialects.loader import MERGED_LISTS
from atota.dialects.model import Dialect
from atota.dialects.provenance import Origin

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STEP = re.compile(r"\[(\d+)\]$")
_WIDTH = 64


def as_toml(dialect: Dialect, origins: Sequence[Origin], files: Sequence[str]) -> str:
    """Write a profile out.

    Args:
        dialect: the resolved profile.
        origins: its values, as `atota.dialects.provenance.explain` tells them.
        files: its line of descent, its own file first.
    """
    tree: dict[str, Any] = {}
    for origin in origins:
        _put(tree, origin)
    writer = _Writer(dialect.sources)
    head = [f"# {_comment(dialect.title)}", f"# inherits: {_comment(' > '.join(files))}", ""]
    return "\n".join([*head, *writer.table(tree, ())]) + "\n"


def tables_as_toml(tables: dict[str, Any]) -> str:
    """Write plain tables out, as they might stand in a profile."""
    tree: dict[str, Any] = {}
    _hang(tree, tables)
    return "\n".join(_Writer({}).table(tree, ())).strip("\n") + "\n"


def _hang(tree: dict[str, Any], tables: dict[str, Any]) -> None:
    for key, value in tables.items():
        if isinstance(value, dict):
            _hang(tree.setdefault(key, {}), value)
        elif key in MERGED_LISTS:
            tree[key] = [Origin("", entry, "", "") for entry in value]
        else:
            tree[key] = Origin("", value, "", "")


def _put(tree: dict[str, Any], origin: Origin) -> None:
    """Hang a value into the tree; the entries of a merged array become a list of origins."""
    steps = origin.path.removeprefix("$.").split(".")
    for depth, step in enumerate(steps):
        if step in ("words", "statuses", "outcome_words", "refused_magic", "sources", "errors", "stages"):
            steps = [*steps[: depth + 1], *filter(None, [".".join(steps[depth + 1 :])])]
            break
    last = _STEP.sub("", steps[-1])
    for step in steps[:-1]:
        tree = tree.setdefault(step, {})
    if last != steps[-1]:
        tree.setdefault(last, []).append(origin)
    else:
        tree[last] = origin


class _Writer:
    def __init__(self, sources: dict[str, str]) -> None:
        self._sources = sources

    def table(self, tree: dict[str, Any], path: tuple[str, ...]) -> Iterator[str]:
        """The lines of a table: its plain values, then what has a header of its own."""
        below = {}
        for key, value in tree.items():
            if isinstance(value, dict) or (_entries(value) and path != ("grammar",)):
                below[key] = value
            elif isinstance(value, list):
                yield f"{_key(key)} = ["
                yield from (_told(f"  {_value(entry.value)},", entry.origin) for entry in value)
                yield "]"
            else:
                yield self._line(key, value.value, value.origin)
        for key, value in below.items():
            here = (*path, key)
            if isinstance(value, dict):
                yield from ("", f"[{'.'.join(map(_key, here))}]")
                yield from self.table(value, here)
                continue
            for entry, origin in _entries(value):
                yield from ("", _told(f"[[{'.'.join(map(_key, here))}]]", origin))
                yield from (self._line(name, inner, None) for name, inner in entry.items())

    def _line(self, key: str, value: Any, origin: str | None) -> str:
        written = self._sources.get(value) if key == "source" and isinstance(value, str) else None
        notes = [note for note in (origin, written) if note]
        return _told(f"{_key(key)} = {_value(value)}", ": ".join(notes))


def _entries(value: Any) -> list[tuple[dict[str, Any], str]]:
    """The tables of an array of tables with their origins; empty if it is none."""
    if isinstance(value, list):
        return [(origin.value, origin.origin) for origin in value if isinstance(origin.value, dict)]
    if isinstance(value, Origin) and isinstance(value.value, list):
        return [(entry, value.origin) for entry in value.value if isinstance(entry, dict)]
    return []


def _told(text: str, origin: str) -> str:
    return f"{text:<{_WIDTH}}  # {_comment(origin)}" if origin else text


def _comment(text: str) -> str:
    """A text as it may stand in a comment: one line, no control characters."""
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
