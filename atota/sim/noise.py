"""The noise that a UART reads of bytes at another rate than its own."""

import random

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
