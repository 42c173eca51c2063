"""Open a link by what the user calls it: a device, a pyserial URL, a simulated module or a recording."""

import importlib
from typing import Protocol, cast

from atota.clock import Clock
from atota.errors import UsageError
from atota.link.base import Link

DEFAULT_BAUD = 9600
_SERIAL = ("rfc2217", "socket")
# Scheme -> "module:function". By name, since the link layer may not import what stands above or beside it.
_OPENERS = {
    "sim": "atota.sim.link:open_sim_link",
    "replay": "atota.transcript.replay:open_replay_link",
}


class Opener(Protocol):
    """What opens the links of one scheme."""

    def __call__(self, url: str, *, baud: int = DEFAULT_BAUD, clock: Clock | None = None) -> Link:
        """Open ``url``."""
        ...


def open_link(
    url: str,
    *,
    baud: int | None = None,
    clock: Clock | None = None,
    low_latency: bool = True,
    rtscts: bool = False,
) -> Link:
    """Open a device (``/dev/ttyUSB0``) or ``rfc2217://``, ``socket://``, ``sim://MODEL``, ``replay://FILE``.

    Args:
        url: what to open.
        baud: bit/s; 9600 if not given.
        clock: the time of a simulated or replayed link; a real port always lives in the machine's.
        low_latency: ask the adapter's driver to hand over bytes at once, where it can.
        rtscts: hardware flow control, where there are wires for it.

    Raises:
        UsageError: the scheme or the rate is unknown.
        LinkError: the port is missing, busy or forbidden.
    """
    rate = DEFAULT_BAUD if baud is None else baud
    scheme, separator, _ = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme in _SERIAL:
        from atota.link.serial import SerialLink  # pyserial is loaded only by those who need it

        return SerialLink(url, baud=rate, low_latency=low_latency, rtscts=rtscts)
    if scheme not in _OPENERS:
        known = ", ".join(f"{name}://" for name in (*_SERIAL, *_OPENERS))
        raise UsageError(f"{scheme}:// is no kind of port", hint=f"Use a device name, or one of {known}.")
    module, _, function = _OPENERS[scheme].partition(":")
    opener = cast("Opener", getattr(importlib.import_module(module), function))
    return opener(url, baud=rate, clock=clock)
