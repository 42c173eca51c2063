r"""The applications of simulated chips with a Cortex-M core: their image, and what they say on the UART.

An image holds no real code. It has the two vectors that every Cortex-M reads at its reset (ARMv7-M
architecture reference manual B1.5.2: initial stack pointer, reset vector), and at offset 0x200 a block that
lets the simulator decide if the bytes are those that were built::

    "SIMULATED APP 1\n"  length u32  crc32 u32 of the rest of the image  version, 32 bytes, zeros behind it

A core that runs other bytes than those crashes: the chip hangs.
"""

import random
import struct
import zlib

from atota.sim.chips.chip import Program, SimChip

BLOCK = 0x200
_MAGIC = b"SIMULATED APP 1\n"
_HEAD = struct.Struct("<16sII32s")
RAM = 0x2000_0000


def build_application(version: str, *, base: int, size: int = 8192, ram: int = 0x5000) -> bytes:
    """Make an application image that is linked to run at ``base``; its length is a multiple of four."""
    size = max(size + -size % 4, BLOCK + _HEAD.size)
    vectors = struct.pack("<II", RAM + ram, base + BLOCK + _HEAD.size + 1)
    random_bytes = random.Random(f"{version} {base} {size}").randbytes(size)  # noqa: S311
    start = vectors + random_bytes[len(vectors) : BLOCK]
    rest = random_bytes[BLOCK + _HEAD.size :]
    name = version.encode().ljust(32, b"\0")
    crc = zlib.crc32(start + name + rest)
    return start + _HEAD.pack(_MAGIC, size, crc, name) + rest


def read_application(data: bytes, *, base: int, ram: int = 0x5000) -> str | None:
    """Return the version of the application that runs at ``base``; None: the core crashes."""
    if len(data) < BLOCK + _HEAD.size:
        return None
    stack, reset = struct.unpack_from("<II", data)
    magic, size, crc, name = _HEAD.unpack_from(data, BLOCK)
    if not RAM < stack <= RAM + ram or not reset & 1 or not base <= reset < base + len(data):
        return None
    if magic != _MAGIC or size > len(data):
        return None
    rest = data[:BLOCK] + name + data[BLOCK + _HEAD.size : size]
    return name.rstrip(b"\0").decode("latin-1") if zlib.crc32(rest) == crc else None


def answer(line: bytes, version: str) -> bytes:
    """Return the answer of an application to a line on its UART."""
    command = line.strip().upper()
    if command == b"AT+VER":
        return f"\r\nVER:{version}\r\n\r\nOK\r\n".encode()
    if not command:
        return b""
    return b"\r\nOK\r\n" if command == b"AT" else b"\r\nERROR\r\n"


def talk(chip: SimChip, version: str) -> Program:
    """Print a banner, then answer ``AT+VER``."""
    yield 0.05
    if not chip.faults.lasts("quiet-app"):
        chip.say(f"\r\nfw {version}\r\n".encode())
    while True:
        chip.say(answer((yield b"\r"), version))
