"""The specs of all methods, and the folders of profiles: those of atota, and those of installed packages.

Another package adds a method by an entry point of the group ``atota.methods``: it is named as the method and
leads to its `MethodSpec`, whose ``code`` names the class that carries it out. An entry point of the group
``atota.profiles`` leads to a package with TOML files. A package that cannot be loaded does not disturb the
others: `problems` gives the reason.
"""

import functools
import importlib
import importlib.resources
import pkgutil
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Union

import msgspec

from atota.dialects import methods
from atota.dialects.common import MethodSpec

METHODS, PROFILES = "atota.methods", "atota.profiles"


class _Registered(msgspec.Struct, frozen=True):
    specs: tuple[type[MethodSpec], ...]
    folders: tuple[Path, ...]
    problems: tuple[str, ...]


def method_specs() -> tuple[type[MethodSpec], ...]:
    """Return every method's spec, the built-in ones first."""
    return _registered().specs


def method_names() -> tuple[str, ...]:
    """Return the name of every method, sorted."""
    return tuple(sorted(spec.method_name() for spec in method_specs()))


def profile_folders() -> tuple[Path, ...]:
    """Return the folders of profiles that installed packages bring."""
    return _registered().folders


def problems() -> tuple[str, ...]:
    """Return the reasons why entry points were left out, one sentence each."""
    return _registered().problems


@functools.cache
def _registered() -> _Registered:
    specs = {spec.method_name(): spec for spec in _built_in()}
    folders, wrong = [], []
    for point in entry_points(group=METHODS):
        try:
            spec = _load_spec(point, specs)
        except Exception as error:  # noqa: BLE001 - the code of another package may raise anything
            wrong.append(f"The method {point.name} of {point.value} cannot be used: {error}")
        else:
            specs[point.name] = spec
    for point in entry_points(group=PROFILES):
        try:
            folders.append(Path(str(importlib.resources.files(point.value))))
        except Exception as error:  # noqa: BLE001 - the same
            wrong.append(f"The profiles of {point.value} cannot be used: {error}")
    return _Registered(tuple(specs.values()), tuple(folders), tuple(wrong))


def _built_in() -> Iterator[type[MethodSpec]]:
    for info in pkgutil.iter_modules(methods.__path__, f"{methods.__name__}."):
        module = importlib.import_module(info.name)
        yield from (
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, MethodSpec) and value.__module__ == info.name
        )


def _load_spec(point: EntryPoint, specs: dict[str, type[MethodSpec]]) -> type[MethodSpec]:
    spec = point.load()
    if not (isinstance(spec, type) and issubclass(spec, MethodSpec)):
        raise TypeError("it is not a MethodSpec")
    if spec.method_name() != point.name:
        raise ValueError(f"its spec is named {spec.method_name()}")
    if point.name in specs:
        raise ValueError("there is a method of this name already")
    # A spec that does not fit the others must fail here, not when the first profile is read.
    msgspec.json.Decoder(Union[(*specs.values(), spec)])
    return spec
