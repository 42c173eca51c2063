"""The state of a line: the rate and the blocks that it carried."""

import msgspec


class LineState(msgspec.Struct, frozen=True, kw_only=True):
    """The rate of a transfer in bit/s, and the length of its blocks in bytes.

    ``block`` is None where the package is not cut, or into blocks of several lengths. ``bad`` lists the rates
    for which the line, its adapter included, is too bad. ``block_s`` is the time in seconds that a block
    takes beyond its bytes on the wire and the pause after its response; None: not measured.
    """

    rate: int
    block: int | None = None
    bad: tuple[int, ...] = ()
    block_s: float | None = None
