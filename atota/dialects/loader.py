"""Loading of dialect profiles: built-in ones by name, a user's own by name or by file.

A user's own profiles are looked for by name in ``boards/dialects/`` of the current folder, then in
``dialects/`` of the user's configuration folder, then in installed packages (`atota.dialects.registry`). One
that has the name of a built-in profile is an error as soon as that name is used: neither could be meant
silently. The parent that a profile ``extends`` is looked for beside its file as well.
"""

import functools
import hashlib
import importlib.resources
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from atota.at.syntax import BootRule, UrcRule
from atota.dialects import registry
from atota.dialects.checks import mistakes
from atota.dialects.layers import Layer, merge, values
from atota.dialects.model import Dialect
from atota.errors import ConfigError, UsageError
from atota.files import decode_toml, load_toml, prepared
from atota.names import advice

_PROFILES = importlib.resources.files("atota.dialects") / "profiles"
_OWN = Path("boards") / "dialects"


class Entry(msgspec.Struct, frozen=True):
    """One dialect. ``where`` is its file, or ``built-in``; ``wrong`` says why it does not load."""

    name: str
    where: str
    title: str = ""
    extends: str | None = None
    method: str = "none"
    hardware: str = "not seen"
    wrong: str | None = None


@functools.cache
def names() -> tuple[str, ...]:
    """Return the names of the built-in dialects, sorted."""
    files = (entry.name for entry in _PROFILES.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml")))


def own_files() -> dict[str, Path]:
    """Return the profiles that are not built in and are found by name; the nearest folder first."""
    return {name: path for name, path in _own_files().items() if name not in names()}


def require_unambiguous(name: str, *more: Path) -> None:
    """Refuse a built-in name that a file of the user's has as well: one of `own_files`, or of ``more``.

    Raises:
        ConfigError: both are there; the text names their files.
    """
    if name not in names():
        return
    own = next((file for file in more if _is_file(file)), None) or _own_files().get(name)
    if own is not None:
        raise ConfigError(
            f"{own}: a built-in dialect has the name {name}, too: {_PROFILES / f'{name}.toml'}",
            hint=f'Give your file another name, such as my-{name}.toml; it may say `extends = "{name}"`.',
        )


def _own_files() -> dict[str, Path]:
    files: dict[str, Path] = {}
    config = Path(platformdirs.user_config_dir("atota", appauthor=False)) / "dialects"
    for folder in (_OWN, config, *registry.profile_folders()):
        for path in sorted(folder.glob("*.toml")):
            files.setdefault(path.stem, path)
    return files


def listed() -> list[Entry]:
    """Return every dialect, the built-in ones first."""
    files = {name: str(path) for name, path in _own_files().items()}
    return [_entry(name, where) for name, where in (dict.fromkeys(names(), "built-in") | files).items()]


def _entry(name: str, where: str) -> Entry:
    try:
        dialect = load(name)
    except ConfigError as error:
        return Entry(name, where, wrong=error.message)
    method = dialect.method.kind if dialect.method is not None else "none"
    return Entry(name, where, dialect.title, dialect.extends, method, dialect.hardware)


def load(name: str) -> Dialect:
    """Return the dialect of this name, or of this file if ``name`` ends in ``.toml``.

    Raises:
        UsageError: the dialect is unknown.
        ConfigError: the profile is wrong.
    """
    require_unambiguous(name)
    if name in names():
        return _built_in(name)
    chain = layers(name)
    wrong = mistakes(chain)
    if wrong:
        hint = wrong[0].hint or "Correct the file at the place named."
        if len(wrong) > 1:
            check = f"`atota dialects check {chain[0].label}`"
            hint = f"{wrong[0].hint or 'Correct the file.'} {check} lists all {len(wrong)} mistakes."
        raise ConfigError(str(wrong[0]), hint=" ".join((hint, *registry.problems())))
    return _resolve(chain)


@functools.cache
def _built_in(name: str) -> Dialect:
    return _resolve(layers(name))


def digest(name: str) -> str:
    """Return the SHA-256 of a profile's file and of those that it inherits from, in lower-case hex.

    Raises:
        UsageError: the dialect is unknown.
        ConfigError: a file cannot be read.
    """
    return _digest_of_built_in(name) if name in names() else _digest(layers(name))


@functools.cache
def _digest_of_built_in(name: str) -> str:
    return _digest(layers(name))


def _digest(chain: Sequence[Layer]) -> str:
    sha256 = hashlib.sha256()
    for layer in chain:
        file = layer.path if layer.path is not None else _PROFILES / f"{layer.name}.toml"
        try:
            sha256.update(file.read_bytes())
        except OSError as error:
            raise ConfigError(f"{layer.label} cannot be read: {error.strerror}") from error
    return sha256.hexdigest()


def layers(name: str) -> tuple[Layer, ...]:
    """Return the files that make up a profile, its own first and the last that it inherits from at the end.

    Raises:
        UsageError: the dialect is unknown.
        ConfigError: a file is not TOML, or ``extends`` leads nowhere or in a circle.
    """
    chain = [_first(name)]
    while (parent := chain[-1].tables.get("extends")) is not None:
        child = chain[-1]
        layer = _parent(str(parent), child.path) if child.path is not None else _layer(str(parent), None)
        if layer is None:
            raise ConfigError(f"{child.label}: unknown dialect {parent!r} - at `$.extends`")
        if any((layer.name, layer.path) == (known.name, known.path) for known in chain):
            circle = " > ".join((*(known.name for known in chain), layer.name))
            raise ConfigError(f"{child.label}: extends goes in a circle: {circle} - at `$.extends`")
        chain.append(layer)
    return tuple(chain)


def _first(name: str) -> Layer:
    if name.endswith(".toml"):
        return Layer(Path(name).stem, load_toml(name, dict[str, Any]), Path(name))
    layer = _layer(name, None)
    if layer is None:
        hint = f"{advice(name, (*names(), *own_files()), known='Known dialects')} Or give a FILE.toml."
        raise UsageError(f"unknown dialect {name!r}", hint=hint)
    return layer


def _parent(name: str, child: Path) -> Layer | None:
    """Return the profile that the file ``child`` extends; a file may extend the built-in one of its name."""
    beside = child.parent / f"{name}.toml"
    if beside != child:
        require_unambiguous(name, beside)
    return _layer(name, child.parent)


def _layer(name: str, beside: Path | None) -> Layer | None:
    """Return the profile of this name: built-in, in the folder ``beside``, or one of `own_files`."""
    if name in names():
        return Layer(name, _tables_of(name))
    neighbour = beside / f"{name}.toml" if beside is not None else None
    path = neighbour if neighbour is not None and _is_file(neighbour) else own_files().get(name)
    return Layer(name, load_toml(path, dict[str, Any]), path) if path is not None else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # the name is too long for a file
        return False


@functools.cache
def _tables_of(name: str) -> dict[str, Any]:
    """Return the tables of a built-in profile; they must not be changed."""
    text = (_PROFILES / f"{name}.toml").read_text(encoding="utf-8")
    return decode_toml(text, dict[str, Any], name=f"{name}.toml")


@functools.cache
def all_built_in() -> tuple[Dialect, ...]:
    """Return every built-in dialect."""
    return tuple(_built_in(name) for name in names())


@functools.cache
def recognisable() -> tuple[Dialect, ...]:
    """Return the dialects that a module may be recognised by: the built-in ones, and those of packages.

    A profile of a package that has mistakes is left out; `load` reports them.
    """
    paths = (path for folder in registry.profile_folders() for path in sorted(folder.glob("*.toml")))
    dialects = {dialect.name: dialect for dialect in all_built_in()}
    for path in paths:
        with suppress(ConfigError):
            dialects.setdefault(path.stem, load(str(path)))
    return tuple(dialects.values())


@functools.cache
def stranger() -> Dialect:
    """Return the dialect for a module that is not identified yet: 3gpp, and the unasked lines of all others.

    A start-up word of any family would be taken for the answer to a question without them. A banner that ends
    with an ``OK`` of its own stays one, since its result is not the question's; the lines of the others are
    URCs here, so that a bare RDY costs no waiting. The lines of an update count whichever family prints them.
    """
    base, families = _built_in("3gpp"), recognisable()
    banners = [known.grammar.boot for known in families if known.grammar.boot is not None]
    closed = [banner for banner in banners if banner.ends_with_ok]
    boot = BootRule(
        lines=tuple(dict.fromkeys(line for banner in closed for line in banner.lines)),
        cause=next((banner.cause for banner in closed if banner.cause is not None), None),
        ends_with_ok=True,
        quiet_s=max((banner.quiet_s for banner in closed), default=0.0),
    )
    words = [line for banner in banners if not banner.ends_with_ok for line in banner.lines]
    urcs = (rule for known in (base, *families) for rule in known.grammar.urcs)
    grammar = msgspec.structs.replace(
        base.grammar,
        urcs=(*_distinct(urcs), *(UrcRule(pattern=word) for word in dict.fromkeys(words))),
        boot=boot if boot.lines else None,
    )
    watches = tuple(watch for known in families for watch in known.watches)
    return msgspec.structs.replace(base, grammar=grammar, self_update=watches)


def _distinct(rules: Iterable[UrcRule]) -> list[UrcRule]:
    """Return one rule for each mark: the one that knows the shape of its solicited line, if any does."""
    by_mark: dict[tuple[str | None, ...], UrcRule] = {}
    for rule in rules:
        mark = (rule.exact, rule.prefix, rule.suffix, rule.pattern)
        if mark not in by_mark or by_mark[mark].solicited is None:
            by_mark[mark] = rule
    return list(by_mark.values())


def ancestry(dialect: Dialect) -> tuple[str, ...]:
    """Return the dialect's name and those it inherits from, nearest first, as far as they have a name."""
    chain = [dialect.name]
    parent = dialect.extends
    while parent is not None and parent not in chain:
        chain.append(parent)
        layer = _layer(parent, None)
        parent = layer.tables.get("extends") if layer is not None else None
    return tuple(chain)


def _resolve(chain: Sequence[Layer]) -> Dialect:
    try:
        return msgspec.convert(values(merge(chain)), prepared(Dialect))
    except msgspec.ValidationError as error:
        raise ConfigError(f"{chain[0].label}: {error}") from error
