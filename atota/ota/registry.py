"""The platform APIs by name: the built-in ones, and those of other packages.

An entry of the group ``atota.platforms`` names a factory, which takes an `Access` and returns a `Platform`:

    [project.entry-points."atota.platforms"]
    hawkbit = "atota_hawkbit:open_platform"
"""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple, cast
from urllib.parse import urlsplit

from atota.errors import ConfigError, UsageError
from atota.names import advice
from atota.ota.base import Access, Platform
from atota.values import ServerUrl, parse_server

GROUP = "atota.platforms"
DEFAULT = "generic"


class Api(NamedTuple):
    """A built-in API: its factory, and the server that speaks it alone."""

    factory: str
    server: ServerUrl


_BUILT_IN = {
    "generic": Api("atota.ota.onenet.generic:open_generic", ServerUrl("https://ota.heclouds.com")),
    "studio": Api("atota.ota.onenet.studio:open_studio", ServerUrl("https://studio-ota.heclouds.com")),
    "fuse": Api("atota.ota.onenet.fuse:open_fuse", ServerUrl("https://iot-api.heclouds.com")),
}


__all__ = ["Access", "chosen", "names", "open_platform"]

Factory = Callable[[Access], Platform]


def names() -> tuple[str, ...]:
    """Return the names of all platform APIs, the built-in ones first."""
    others = {entry.name for entry in entry_points(group=GROUP)} - _BUILT_IN.keys()
    return (*_BUILT_IN, *sorted(others))


def chosen(api: str | None, server: str | None) -> tuple[str, ServerUrl]:
    """Return the API and the server to use, each from the other where one is not given.

    Raises:
        UsageError: they do not go together, the API is unknown, or it has no server of its own.
    """
    try:
        address = None if server is None else parse_server(server)
    except ValueError as error:
        raise UsageError(f"the server is not an address: {error}", hint=_ADDRESS_HINT) from None
    speaks = None if address is None else _spoken_at(address)
    name = api or speaks or DEFAULT
    row = _BUILT_IN.get(name)
    if row is None:
        _entry(name)
    if speaks not in (None, name):
        assert speaks is not None
        own = f", or --api {name} --server {row.server}" if row is not None else ""
        raise UsageError(
            f"the server {address} speaks the API {speaks}, not {name}",
            hint=f"Give --api {speaks} --server {address}{own}.",
        )
    if address is None and row is None:
        raise UsageError(f"the API {name} has no server of its own", hint="Give --server URL.")
    return name, address or cast("Api", row).server


def open_platform(name: str, access: Access) -> Platform:
    """Open the platform API ``name``; the caller closes it.

    Raises:
        UsageError: no API has this name, or a field of ``access`` is missing or wrong.
        ConfigError: the package of the API cannot be loaded.
    """
    return _factory(name)(access)


_ADDRESS_HINT = "Example: --server ota.heclouds.com, or --server http://127.0.0.1:8080"


def _spoken_at(server: ServerUrl) -> str | None:
    """Return the API of a server that speaks one only; None for any other."""
    host = (urlsplit(server).hostname or "").rstrip(".")  # a name with its root's dot is the same host
    return next((name for name, row in _BUILT_IN.items() if urlsplit(row.server).hostname == host), None)


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
        return EntryPoint(name, _BUILT_IN[name].factory, GROUP)
    for entry in entry_points(group=GROUP, name=name):
        return entry
    raise UsageError(f"{name!r} is not a platform API", hint=advice(name, names()))
