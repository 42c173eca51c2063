"""Finds, reads and resolves dialect profiles: built-in ones by name, a user's own by file."""

import functools
import importlib.resources
from typing import Any

import msgspec

from atota.at.syntax import BootRule
from atota.dialects.model import Dialect
from atota.dialects.tomlfile import decode_toml, load_toml
from atota.errors import ConfigError, UsageError

_PROFILES = importlib.resources.files("atota.dialects") / "profiles"
_MERGED_LISTS = ("identify", "urcs", "finals")
"""Arrays in which a child's entries come before its parent's instead of replacing them."""
_NOT_INHERITED = ("title", "recognise")


def names() -> tuple[str, ...]:
    """The names of the built-in dialects, sorted."""
    files = (entry.name for entry in _PROFILES.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml")))


def load(name: str) -> Dialect:
    """The dialect of this name, or of this file if ``name`` ends in ``.toml``.

    Raises:
        UsageError: there is no such dialect.
        ConfigError: the profile is wrong.
    """
    if name.endswith(".toml"):
        return _resolve(load_toml(name, dict[str, Any]), name)
    return _built_in(name)


@functools.cache
def _built_in(name: str) -> Dialect:
    if name not in names():
        hint = f"Known dialects: {', '.join(names())}; or give a FILE.toml."
        raise UsageError(f"there is no dialect {name!r}", hint=hint)
    return _resolve(_tables_of(name), f"{name}.toml")


def all_built_in() -> tuple[Dialect, ...]:
    """Every built-in dialect."""
    return tuple(_built_in(name) for name in names())


@functools.cache
def stranger() -> Dialect:
    """The dialect to meet a module in: 3gpp, and the boot banners of all the others.

    A module that boots while it is asked who it is would else have its banner taken for an answer.
    """
    base = _built_in("3gpp")
    banners = [known.grammar.boot for known in all_built_in() if known.grammar.boot is not None]
    if not banners:
        return base
    lines = dict.fromkeys(line for banner in banners for line in banner.lines)
    causes = (banner.cause for banner in banners if banner.cause is not None)
    boot = BootRule(
        lines=tuple(lines),
        cause=next(causes, None),
        ends_with_ok=all(banner.ends_with_ok for banner in banners),
        quiet_s=max(banner.quiet_s for banner in banners),
    )
    return msgspec.structs.replace(base, grammar=msgspec.structs.replace(base.grammar, boot=boot))


def ancestry(dialect: Dialect) -> tuple[str, ...]:
    """The dialect's own name and those it inherits from, nearest first."""
    chain = [dialect.name]
    parent = dialect.extends
    while parent is not None:
        chain.append(parent)
        parent = _built_in(parent).extends
    return tuple(chain)


def _tables_of(name: str) -> dict[str, Any]:
    text = (_PROFILES / f"{name}.toml").read_text(encoding="utf-8")
    return decode_toml(text, dict[str, Any], name=f"{name}.toml")


def _resolve(tables: dict[str, Any], label: str) -> Dialect:
    try:
        return msgspec.convert(_inherited(tables, label, ()), Dialect)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{label}: {error}") from error


def _inherited(tables: dict[str, Any], label: str, seen: tuple[str, ...]) -> dict[str, Any]:
    parent = tables.get("extends")
    if parent is None:
        return tables
    if parent in seen:
        raise ConfigError(f"{label}: extends goes in a circle: {' > '.join((*seen, str(parent)))}")
    if parent not in names():
        raise ConfigError(f"{label}: unknown dialect {parent!r} - at $.extends")
    base = _inherited(_tables_of(parent), f"{parent}.toml", (*seen, str(parent)))
    return _merged({key: value for key, value in base.items() if key not in _NOT_INHERITED}, tables)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            result[key] = _merged(old, value)
        elif key in _MERGED_LISTS and isinstance(old, list) and isinstance(value, list):
            result[key] = [*value, *old]
        else:
            result[key] = value
    return result
