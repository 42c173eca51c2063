"""The options of one simulated module, and the bytes it sends."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec


class Sent(msgspec.Struct, frozen=True):
    """Bytes that the module begins to send at ``when``, at its rate ``baud``."""

    when: float
    data: bytes
    baud: int


@dataclass(frozen=True, slots=True)
class Options:
    """The differences between two modules of one persona. None: as the persona has it.

    Attributes:
        version: the firmware that runs.
        baud: the stored rate, at which the module is.
        asleep: it sleeps when idle, from the beginning on; the bytes that wake it are lost.
        network: there is one to attach to.
        push: the version that the platform wants it to run, where the platform drives the update.
        fetch: downloads a URL, where the module downloads by itself; None: every URL is unreachable.
        accept_any: any bytes are a good package, which makes the module run ``becomes``.
    """

    version: str | None = None
    imei: str | None = None
    csq: int | None = None
    baud: int | None = None
    echo: bool = False
    asleep: bool = False
    accept_any: bool = False
    becomes: str = ""
    network: bool = True
    push: str = ""
    fetch: Callable[[str], bytes] | None = None
    seed: int = 0
