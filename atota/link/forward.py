"""A link that passes every call on to another one: the base of all that listen in or interfere."""

from typing import Self

from atota.clock import Clock
from atota.link.base import Link, Parity, remark, set_parity


class ForwardingLink:
    """A link that passes every call on to ``inner``; a subclass overrides the calls that it watches."""

    def __init__(self, inner: Link) -> None:
        self.inner = inner
        self.name = inner.name
        self.clock: Clock = inner.clock

    @property
    def baud(self) -> int:
        """The rate of the inner link, in bit/s."""
        return self.inner.baud

    def read(self, timeout_s: float) -> bytes:
        """Read from the inner link."""
        return self.inner.read(timeout_s)

    def write(self, data: bytes) -> None:
        """Write to the inner link."""
        self.inner.write(data)

    def set_baud(self, baud: int) -> None:
        """Change the rate of the inner link."""
        self.inner.set_baud(baud)

    def set_parity(self, parity: Parity) -> None:
        """Change the parity of the inner link."""
        set_parity(self.inner, parity)

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Set the control lines of the inner link."""
        self.inner.set_lines(dtr=dtr, rts=rts)

    def remark(self, text: str) -> None:
        """Give a line that a program has printed to the inner link."""
        remark(self.inner, text)

    def close(self) -> None:
        """Close the inner link. May be called twice."""
        self.inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
