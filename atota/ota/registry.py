"""The platform APIs by name: the built-in ones, and those of other packages.

An entry of the group ``atota.platforms`` names a factory, which takes an `Access` and returns a `Platform`:

    [project.entry-points."atota.platforms"]
    hawkbit = "atota_hawkbit:open_platform"
"""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from atota.errors import ConfigError, UsageError
from atota.ota.base import Access, Platform

GROUP = "atota.platforms"
DEFAULT = "generic"
_BUILT_IN = {
    "generic": "atota.ota.onenet.generic:open_generic",
}


__all__ = ["Access", "names", "open_platform"]

Factory = Callable[[Access], Platform]


def names() -> tuple[str, ...]:
    """Return the names of all platform APIs, the built-in ones first."""
    others = {entry.name for entry in entry_points(group=GROUP)} - _BUILT_IN.keys()
    return (*_BUILT_IN, *sorted(others))


def open_platform(name: str, access: Access) -> Platform:
    """Open the platform API ``name``; the caller closes it.

    Raises:
        UsageError: no API has this name, or a field of ``access`` is missing or wrong.
        ConfigError: the package of the API cannot be loaded.
    """
    return _factory(name)(access)


def _factory(name: str) -> Factory:
    entry = _entry(name)
    try:
        factory = entry.load()
    except Exception as error:  # noqa: BLE001 - another package's import may raise anything
        problem = f"{type(error).__name__}: {error}"
    else:
        return cast("Factory", factory)
    raise ConfigError(
        f"the platform API {name!r} ({entry.value}) cannot be loaded: {problem}",
        hint="Install its package again, or remove it.",
    )


def _entry(name: str) -> EntryPoint:
    if name in _BUILT_IN:
        return EntryPoint(name, _BUILT_IN[name], GROUP)
    for entry in entry_points(group=GROUP, name=name):
        return entry
    raise UsageError(f"{name!r} is not a platform API", hint=f"Known: {', '.join(names())}.")
