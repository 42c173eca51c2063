"""Finds, reads and resolves dialect profiles: built-in ones by name, a user's own by name or by file.

A user's own profiles are looked for by name in ``boards/dialects/`` of the current folder, then in
``dialects/`` of the user's configuration folder; a built-in one of the same name wins. What a profile
``extends`` is looked for beside its file as well.
"""

import functools
import hashlib
import importlib.resources
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec
import platformdirs

from atota.at.syntax import BootRule
from atota.dialects.model import Dialect, Method
from atota.errors import ConfigError, UsageError
from atota.files import decode_toml, load_toml, prepared

_PROFILES = importlib.resources.files("atota.dialects") / "profiles"
MERGED_LISTS = ("identify", "urcs", "finals")
"""Arrays in which a child's entries come before its parent's instead of replacing them."""
NOT_INHERITED = ("name", "title", "recognise", "probe", "evidence", "hardware")
"""What is said of one family is not said of those that are made after it."""
_OWN = Path("boards") / "dialects"


class Layer(NamedTuple):
    """One file of a profile's line of descent; ``path`` is None for a built-in one."""

    name: str
    tables: dict[str, Any]
    path: Path | None = None

    @property
    def label(self) -> str:
        """What messages call the file."""
        return str(self.path) if self.path is not None else f"{self.name}.toml"


@functools.cache
def names() -> tuple[str, ...]:
    """The names of the built-in dialects, sorted."""
    files = (entry.name for entry in _PROFILES.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml")))


def own_files() -> dict[str, Path]:
    """The user's own profiles that are found by name, built-in names excepted; the nearest folder first."""
    found: dict[str, Path] = {}
    for folder in (_OWN, Path(platformdirs.user_config_dir("atota", appauthor=False)) / "dialects"):
        for path in sorted(folder.glob("*.toml")):
            if path.stem not in names():
                found.setdefault(path.stem, path)
    return found


def load(name: str) -> Dialect:
    """The dialect of this name, or of this file if ``name`` ends in ``.toml``.

    Raises:
        UsageError: there is no such dialect.
        ConfigError: the profile is wrong.
    """
    if name in names():
        return _built_in(name)
    from atota.dialects.checks import mistakes  # it judges what this module puts together

    chain = layers(name)
    found = mistakes(chain)
    if found:
        hint = "Correct the file at the place named."
        if len(found) > 1:
            hint = (
                f"Correct the file: `atota dialects check {chain[0].label}` lists all {len(found)} mistakes."
            )
        raise ConfigError(str(found[0]), hint=hint)
    return _resolve(chain)


@functools.cache
def _built_in(name: str) -> Dialect:
    return _resolve(layers(name))


def digest(name: str) -> str:
    """The SHA-256 of a profile's file and of those that it inherits from, in lower-case hex.

    Raises:
        UsageError: there is no such dialect.
        ConfigError: a file cannot be read.
    """
    return _digest_of_built_in(name) if name in names() else _digest(layers(name))


@functools.cache
def _digest_of_built_in(name: str) -> str:
    return _digest(layers(name))


def _digest(chain: Sequence[Layer]) -> str:
    found = hashlib.sha256()
    for layer in chain:
        file = layer.path if layer.path is not None else _PROFILES / f"{layer.name}.toml"
        try:
            found.update(file.read_bytes())
        except OSError as error:
            raise ConfigError(f"{layer.label} cannot be read: {error.strerror}") from error
    return found.hexdigest()


def layers(name: str) -> tuple[Layer, ...]:
    """The files that make up a profile, its own first and the last that it inherits from at the end.

    Raises:
        UsageError: there is no such dialect.
        ConfigError: a file is no TOML, or ``extends`` leads nowhere or in a circle.
    """
    chain = [_first(name)]
    while (parent := chain[-1].tables.get("extends")) is not None:
        child = chain[-1]
        found = _layer(str(parent), child.path.parent if child.path is not None else None)
        if found is None:
            raise ConfigError(f"{child.label}: unknown dialect {parent!r} - at `$.extends`")
        if any((found.name, found.path) == (layer.name, layer.path) for layer in chain):
            circle = " > ".join((*(layer.name for layer in chain), found.name))
            raise ConfigError(f"{child.label}: extends goes in a circle: {circle} - at `$.extends`")
        chain.append(found)
    return tuple(chain)


def _first(name: str) -> Layer:
    if name.endswith(".toml"):
        return Layer(Path(name).stem, load_toml(name, dict[str, Any]), Path(name))
    found = _layer(name, None)
    if found is None:
        hint = f"Known dialects: {', '.join((*names(), *own_files()))}; or give a FILE.toml."
        raise UsageError(f"there is no dialect {name!r}", hint=hint)
    return found


def _layer(name: str, beside: Path | None) -> Layer | None:
    """The profile of this name: built-in, in the folder ``beside``, or one of the user's own."""
    if name in names():
        return Layer(name, _tables_of(name))
    neighbour = beside / f"{name}.toml" if beside is not None else None
    path = neighbour if neighbour is not None and _is_file(neighbour) else own_files().get(name)
    return Layer(name, load_toml(path, dict[str, Any]), path) if path is not None else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than names of files are
        return False


@functools.cache
def _tables_of(name: str) -> dict[str, Any]:
    """What a built-in profile says; nobody may change it."""
    text = (_PROFILES / f"{name}.toml").read_text(encoding="utf-8")
    return decode_toml(text, dict[str, Any], name=f"{name}.toml")


@functools.cache
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
        ends_with_ok=any(banner.ends_with_ok for banner in banners),
        quiet_s=max(banner.quiet_s for banner in banners),
    )
    return msgspec.structs.replace(base, grammar=msgspec.structs.replace(base.grammar, boot=boot))


def ancestry(dialect: Dialect) -> tuple[str, ...]:
    """The dialect's own name and those it inherits from, nearest first, as far as they are found by name."""
    chain = [dialect.name]
    parent = dialect.extends
    while parent is not None and parent not in chain:
        chain.append(parent)
        layer = _layer(parent, None)
        parent = layer.tables.get("extends") if layer is not None else None
    return tuple(chain)


def _resolve(chain: Sequence[Layer]) -> Dialect:
    try:
        return msgspec.convert(merged(chain), prepared(Dialect))
    except msgspec.ValidationError as error:
        raise ConfigError(f"{chain[0].label}: {error}") from error


def merged(chain: Sequence[Layer]) -> dict[str, Any]:
    """The tables of a line of descent put together: tables by key, `MERGED_LISTS` end to end.

    A method of another kind replaces its parent's, of which only ``watch`` stays.
    """
    result: dict[str, Any] = {}
    for layer in reversed(chain):
        base = {key: value for key, value in result.items() if key not in NOT_INHERITED}
        if "method" in base:
            base["method"] = inherited_method(base["method"], layer.tables.get("method"))
        result = _merged(base, layer.tables)
    return result


def inherited_method(base: Any, over: Any) -> Any:
    """What of a parent's method table holds for a child that has the method table ``over``."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return base
    if over.get("kind") in (None, base.get("kind")):
        return base
    watched = [kind.__struct_config__.tag for kind in get_args(Method) if "watch" in kind.__struct_fields__]
    return {"watch": base["watch"]} if over["kind"] in watched and "watch" in base else {}


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            result[key] = _merged(old, value)
        elif key in MERGED_LISTS and isinstance(old, list) and isinstance(value, list):
            result[key] = [*value, *old]
        else:
            result[key] = value
    return result
