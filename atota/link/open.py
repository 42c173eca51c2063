"""Open a link by its name: a device, a pyserial URL, or a URL whose scheme is registered.

A scheme is registered as an entry point of the group ``atota.links``. Its value is a function as `Opener`
describes it:

    [project.entry-points."atota.links"]
    mux = "my_package.links:open_mux_link"
"""

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from atota.clock import Clock
from atota.errors import ConfigError, UsageError
from atota.link.base import SERIAL_SCHEMES, Link

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

DEFAULT_BAUD = 9600
GROUP = "atota.links"
# Rows of the same form as an entry point: they work in a source tree that was never installed, and they cost
# no search through the installed packages. No other package can take these schemes over.
_BUILT_IN = {
    "sim": "atota.sim.link:open_sim_link",
    "replay": "atota.transcript.replay:open_replay_link",
}


class Opener(Protocol):
    """The function that opens the links of one scheme."""

    def __call__(self, url: str, *, baud: int = DEFAULT_BAUD, clock: Clock | None = None) -> Link:
        """Open ``url`` at ``baud`` bit/s; ``clock`` is the time for a link that is not a real port."""
        ...


def open_link(
    url: str,
    *,
    baud: int | None = None,
    clock: Clock | None = None,
    low_latency: bool = True,
    rtscts: bool = False,
) -> Link:
    """Open a device (``/dev/ttyUSB0``), ``rfc2217://``, ``socket://``, ``sim://MODEL`` or ``replay://FILE``.

    Args:
        url: the device, or a URL of any scheme that is registered.
        baud: bit/s; 9600 if not given.
        clock: the time of a simulated or replayed link; a real port always lives in the machine's.
        low_latency: ask the adapter's driver to hand over bytes at once, where it can.
        rtscts: hardware flow control, where there are wires for it.

    Raises:
        UsageError: the scheme or the rate is unknown.
        ConfigError: the package that registered the scheme cannot be loaded.
        LinkError: the port is missing, busy or forbidden.
    """
    rate = DEFAULT_BAUD if baud is None else baud
    scheme, separator, _ = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme in SERIAL_SCHEMES:
        from atota.link.serial import SerialLink  # pyserial takes time to load; most commands do without it

        return SerialLink(url, baud=rate, low_latency=low_latency, rtscts=rtscts)
    if scheme in _BUILT_IN:
        module, _, function = _BUILT_IN[scheme].partition(":")
        return cast("Opener", getattr(import_module(module), function))(url, baud=rate, clock=clock)
    return _registered(scheme)(url, baud=rate, clock=clock)


def _registered(scheme: str) -> Opener:
    """Load the opener that another package has registered for a scheme."""
    rows = _entry_points()
    if scheme not in rows:
        known = ", ".join(f"{name}://" for name in dict.fromkeys((*SERIAL_SCHEMES, *_BUILT_IN, *rows)))
        raise UsageError(f"unknown port type {scheme}://", hint=f"Use a device name, or one of {known}.")
    try:
        return cast("Opener", rows[scheme].load())
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"{scheme}://: its entry point {rows[scheme].value} cannot be loaded: {error}",
            hint="Reinstall the package that provides it.",
        ) from error


def _entry_points() -> "dict[str, EntryPoint]":
    from importlib.metadata import entry_points  # it takes time to load, and few need it

    return {point.name.lower(): point for point in entry_points(group=GROUP)}
