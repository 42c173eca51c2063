"""The noise that a UART reads of bytes at another rate than its own, or on a line too bad for its rate."""

import random

from atota.sim.faults import FaultPlan

# The receiver samples where no bit is: zeros, ones, and runs of either.
BYTES = bytes(
    [0x00, 0x80, 0xF8, 0xFE, 0xE0, 0x98, 0xF0, 0x78, 0x66, 0x2D, 0x3F, 0x86, 0xFF, 0x1E, 0x48, 0xC0]
)


class Noise:
    """The noise of another rate.

    Args:
        seed: the same seed and the same bytes give the same noise.
    """

    def __init__(self, seed: object) -> None:
        self._random = random.Random(f"noise {seed}")  # noqa: S311
        self._carry = 0.0

    def of(self, length: int, sender: int, receiver: int) -> bytes:
        """Return the bytes that a receiver at one rate makes of ``length`` bytes sent at another."""
        length_seen = self._carry + length * min(4.0, receiver / sender)
        whole = int(length_seen)
        self._carry = length_seen - whole
        pick = self._random.random
        return bytes([BYTES[int(pick() * len(BYTES))] for _ in range(whole)])


_DAMAGED_EVERY = 100  # bytes, on average, if the fault does not say


class BadLine:
    """One direction of a line that carries bytes whole only up to a rate: a long or a badly shielded wire.

    Slow edges spoil single bits first. So short commands may still come through at a rate at which no
    long line does.

    Args:
        faults: the module's; the fault ``bad-above`` describes the line.
        seed: the same seed and the same bytes give the same damage.
    """

    def __init__(self, faults: FaultPlan, seed: object) -> None:
        self._faults = faults
        self._random = random.Random(f"line {seed}")  # noqa: S311

    def carry(self, data: bytes, baud: int) -> bytes:
        """Return the bytes that arrive of ``data`` sent at ``baud``."""
        fault = self._faults.has("bad-above")
        if fault is None or baud <= int(fault.args[0]):
            return data
        every = int(fault.args[1]) if len(fault.args) > 1 else _DAMAGED_EVERY
        pick = self._random.random
        hit = [index for index in range(len(data)) if pick() * every < 1]
        if not hit:
            return data
        self._faults.lasts("bad-above")
        out = bytearray(data)
        for index in hit:
            out[index] ^= 1 << int(pick() * 8)
        return bytes(out)
