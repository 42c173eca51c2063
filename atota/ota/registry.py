"""The platform APIs by name: the built-in ones, and those of other packages.

An entry of the group ``atota.platforms`` names a factory, which takes an `Access` and returns a `Platform`:

    [project.entry-points."atota.platforms"]
    hawkbit = "atota_hawkbit:open_platform"
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, cast

from atota.clock import Clock, StopToken
from atota.errors import ConfigError, UsageError
from atota.ota.base import OnWait, Platform

if TYPE_CHECKING:
    from atota.ota.http import Transport

GROUP = "atota.platforms"
DEFAULT = "generic"
_BUILT_IN = {
    "generic": "atota.ota.onenet.generic:open_generic",
}


@dataclass(frozen=True, kw_only=True)
class Access:
    """Everything that opens a platform; a factory takes the fields that its API knows.

    Attributes:
        server: the address.
        clock: the time of waits and signatures.
        access_key: the key that signs requests (base64).
        authorization: a finished ``Authorization`` header, instead of a key.
        product_id: the product that the key belongs to.
        device_name: the device that the key belongs to; None: it belongs to the product.
        auth_method: the digest that signs a request.
        auth_ttl_s: seconds that a signature stays valid.
        stop: ends every wait.
        on_wait: receives the reason and the length of each wait.
        timeout_s: the longest silence of the server, seconds.
        transport: replaces the network, in tests and simulations.
    """

    server: str
    clock: Clock
    access_key: str | None = None
    authorization: str | None = None
    product_id: str | None = None
    device_name: str | None = None
    auth_method: str = "sha256"
    auth_ttl_s: int = 3600
    stop: StopToken | None = None
    on_wait: OnWait | None = None
    timeout_s: float = 20.0
    transport: "Transport | None" = None

    def __repr__(self) -> str:
        return f"Access({self.server!r})"


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
