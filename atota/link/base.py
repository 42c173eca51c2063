"""The protocol of a byte pipe to a module: the seam between the program and the outside."""

from typing import Literal, Protocol, runtime_checkable

from atota.clock import Clock

Parity = Literal["N", "E", "O"]
"""The parity bit of both directions: 8N1, 8E1 or 8O1, in pyserial's letters."""
SERIAL_SCHEMES = ("rfc2217", "socket")
"""Schemes of the URLs that pyserial opens."""


def sets_rate(name: str) -> bool:
    """True if the rate of this port can be set from here; a raw ``socket://`` carries bytes only."""
    return not name.lower().startswith("socket:")


class Link(Protocol):
    """An open byte pipe to a module.

    Every foreign exception is translated where it arises: a link raises only `LinkError` and its
    children. ``clock`` is the time in which the link lives: the machine's for a real port,
    simulated for a simulated one. Every wait on a link uses this clock.
    """

    name: str
    clock: Clock

    @property
    def baud(self) -> int:
        """The rate both directions run at, in bit/s (8N1: ten bits a byte)."""
        ...

    def read(self, timeout_s: float) -> bytes:
        """Return the bytes that have arrived, at least one; ``b""`` if none arrives within ``timeout_s``.

        With ``timeout_s`` of 0 it never waits.

        Raises:
            LinkLost: the port went away.
        """
        ...

    def write(self, data: bytes) -> None:
        """Hand all of ``data`` to the port; it may still be on its way when this returns.

        Raises:
            LinkLost: the port went away, or accepted no byte for a long time.
        """
        ...

    def set_baud(self, baud: int) -> None:
        """Wait until everything written has left, then change the rate."""
        ...

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Set the modem control lines (True: asserted).

        Raises:
            LineUnavailable: the port does not have this line.
        """
        ...

    def close(self) -> None:
        """Close the port and restore the settings that opening it changed. May be called twice."""
        ...


@runtime_checkable
class HasParity(Protocol):
    """A link whose characters have a parity bit, or may get one."""

    def set_parity(self, parity: Parity) -> None:
        """Wait until everything written has left, then change the parity.

        Raises:
            LinkError: the port cannot do it.
            LinkLost: the port went away.
        """
        ...


@runtime_checkable
class HasRemarks(Protocol):
    """A link that writes down what is not on the wire."""

    def remark(self, text: str) -> None:
        """Write a line down that a program has printed."""
        ...


def remark(link: Link, text: str) -> None:
    """Give a line that a program has printed to a link that writes such lines down."""
    if isinstance(link, HasRemarks):
        link.remark(text)


def set_parity(link: Link, parity: Parity) -> None:
    """Change the parity of a link; one that carries whole bytes only (memory, plain TCP) has none."""
    if isinstance(link, HasParity):
        link.set_parity(parity)
