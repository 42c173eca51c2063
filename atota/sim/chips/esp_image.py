"""The images of an ESP32, and its second-stage bootloader's judgement of them.

Sources: ESP-IDF programming guide v5.1, "App image format", "Partition tables" and "Over the air updates";
esptool documentation, "Firmware image format". All numbers are little-endian.
"""

import hashlib
import random
import struct
import zlib
from dataclasses import dataclass

CHIP_ESP32 = 0
_HEADER = struct.Struct("<BBBBIB3xHBHH4xB")
_SEGMENT = struct.Struct("<II")
_DESCRIPTOR = struct.Struct("<II8x32s32s16s16s32s32s80x")
_DESCRIPTOR_MAGIC = 0xABCD5432
_ROW = struct.Struct("<2sBBII16sI")
_ENTRY = struct.Struct("<I20sII")

APP, DATA, FACTORY, OTA_0, OTADATA = 0, 1, 0x00, 0x10, 0x00
TABLE, SECTOR = 0x8000, 0x1000
UNDEFINED, INVALID, ABORTED = 0xFFFFFFFF, 3, 4


@dataclass(frozen=True, slots=True)
class Partition:
    """One row of the partition table."""

    label: str
    kind: int
    sub: int
    offset: int
    size: int


TWO_SLOTS = (
    Partition("nvs", DATA, 0x02, 0x9000, 0x4000),
    Partition("otadata", DATA, OTADATA, 0xD000, 0x2000),
    Partition("phy_init", DATA, 0x01, 0xF000, 0x1000),
    Partition("ota_0", APP, OTA_0, 0x10000, 0x100000),
    Partition("ota_1", APP, OTA_0 + 1, 0x110000, 0x100000),
)
FACTORY_ONLY = (
    Partition("nvs", DATA, 0x02, 0x9000, 0x6000),
    Partition("phy_init", DATA, 0x01, 0xF000, 0x1000),
    Partition("factory", APP, FACTORY, 0x10000, 0x100000),
)


def checksum(data: bytes, start: int = 0xEF) -> int:
    """Return the XOR of all bytes and the start: the checksum of images and of the loader's packets."""
    size = 1 << max(0, (len(data) - 1).bit_length())
    number = int.from_bytes(data, "little")
    while size > 1:  # fold the number in halves: an image has a million bytes
        size //= 2
        number = number >> 8 * size ^ number & (1 << 8 * size) - 1
    return number ^ start


def build_image(
    version: str,
    *,
    size: int = 20_000,
    chip: int = CHIP_ESP32,
    project: str = "simulated",
    descriptor: bool = True,
    signed: bool = False,
) -> bytes:
    """Make an application image of about ``size`` bytes, with its checksum and its digest.

    Args:
        version: in the descriptor.
        size: bytes of its one segment.
        chip: the chip id in the header.
        project: its name in the descriptor.
        descriptor: there is one; a bootloader has none.
        signed: a signature sector of secure boot V2 follows; the signature itself is random.
    """
    digest = hashlib.sha256(f"{version} {size}".encode()).digest()
    fields = [text.encode() for text in (version, project, "12:00:00", "Jan  1 2026", "v5.1.2")]
    start = _DESCRIPTOR.pack(_DESCRIPTOR_MAGIC, 0, *fields, digest) if descriptor else b""
    size += -size % 4
    content = start + random.Random(f"{version} {size}").randbytes(max(0, size - len(start)))  # noqa: S311
    header = _HEADER.pack(0xE9, 1, 2, 0x20, 0x40081000, 0xEE, chip, 0, 0, 0xFFFF, 1)
    body = header + _SEGMENT.pack(0x3F400020, len(content)) + content
    body += bytes(15 - len(body) % 16) + bytes([checksum(content)])
    image = body + hashlib.sha256(body).digest()
    if signed:
        image += b"\xff" * (-len(image) % SECTOR)
        block = b"\xe7\x02\0\0" + hashlib.sha256(image).digest()
        image += (block + random.Random(version).randbytes(1180)).ljust(SECTOR, b"\xff")  # noqa: S311
    return image


def build_table(partitions: tuple[Partition, ...]) -> bytes:
    """Make a partition table with its MD5 row."""
    rows = b"".join(
        _ROW.pack(b"\xaa\x50", one.kind, one.sub, one.offset, one.size, one.label.encode(), 0)
        for one in partitions
    )
    end = b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(rows, usedforsecurity=False).digest()
    return (rows + end).ljust(0xC00, b"\xff")


def build_entry(sequence: int, state: int = UNDEFINED, *, crc: int | None = None) -> bytes:
    """Make one entry of otadata, a sector long; ``crc`` in place of the right one."""
    right = zlib.crc32(sequence.to_bytes(4, "little"), 0xFFFFFFFF)
    entry = _ENTRY.pack(sequence, b"\xff" * 20, state, right if crc is None else crc)
    return entry.ljust(SECTOR, b"\xff")


@dataclass(frozen=True, slots=True)
class ImageVerdict:
    """The bootloader's judgement of an image: its version, or the words in which it is refused."""

    version: str = ""
    refusal: str = ""


def judge_image(data: bytes, *, needs_signature: bool = False) -> ImageVerdict:
    """Look at the image at the beginning of a partition."""
    magic, segments, _mode, _size, _entry, _pin, chip, _r0, _r1, _r2, hashed = _HEADER.unpack_from(data)
    if magic != 0xE9:
        return ImageVerdict(refusal=f"has invalid magic byte (nothing flashed here?): {magic:#x}")
    if chip != CHIP_ESP32:
        return ImageVerdict(refusal=f"has chip id {chip}, which is not this chip's")
    position, check = _HEADER.size, 0xEF
    for _number in range(segments):
        if position + _SEGMENT.size > len(data):
            return ImageVerdict(refusal="is longer than its partition")
        _load, length = _SEGMENT.unpack_from(data, position)
        position += _SEGMENT.size
        if position + length > len(data):
            return ImageVerdict(refusal="is longer than its partition")
        check = checksum(data[position : position + length], check)
        position += length
    position += 16 - position % 16
    if data[position - 1] != check:
        return ImageVerdict(refusal="has a wrong checksum")
    if hashed:
        digest = hashlib.sha256(data[:position]).digest()
        if data[position : position + 32] != digest:
            return ImageVerdict(refusal="has a wrong digest")
        position += 32
    if needs_signature and not _is_signed(data, position):
        return ImageVerdict(refusal="has no valid signature")
    return ImageVerdict(version=_version(data))


def _is_signed(data: bytes, end: int) -> bool:
    """True if a signature sector with the image's digest follows."""
    end += -end % SECTOR
    return data[end : end + 36] == b"\xe7\x02\0\0" + hashlib.sha256(data[:end]).digest()


def _version(data: bytes) -> str:
    """Return the version of the descriptor at the beginning of the first segment."""
    magic, _secure, version, *_rest = _DESCRIPTOR.unpack_from(data, _HEADER.size + _SEGMENT.size)
    return version.rstrip(b"\0").decode("latin-1") if magic == _DESCRIPTOR_MAGIC else "?"


def read_table(data: bytes) -> tuple[Partition, ...]:
    """Read a partition table; empty if it is not one, or its MD5 is wrong."""
    partitions: list[Partition] = []
    for start in range(0, len(data), _ROW.size):
        row = data[start : start + _ROW.size]
        if row[:2] == b"\xeb\xeb":
            good = row[16:] == hashlib.md5(data[:start], usedforsecurity=False).digest()
            return tuple(partitions) if good else ()
        magic, kind, sub, offset, size, label, _flags = _ROW.unpack(row)
        if magic != b"\xaa\x50":
            break
        partitions.append(Partition(label.rstrip(b"\0").decode("latin-1"), kind, sub, offset, size))
    return tuple(partitions)


def chosen_slot(otadata: bytes, slots: int) -> int | None:
    """Return the number of the slot that otadata chooses; None: neither entry is valid."""
    best = None
    for start in (0, SECTOR):
        sequence, _label, state, crc = _ENTRY.unpack_from(otadata, start)
        valid = crc == zlib.crc32(sequence.to_bytes(4, "little"), 0xFFFFFFFF)
        if valid and sequence != 0xFFFFFFFF and state not in (INVALID, ABORTED):
            best = max(sequence, best or 0)
    return None if best is None else (best - 1) % slots
