"""The formats of ESP-IDF: application image, partition table, and the data that select the slot to boot.

Sources: ESP-IDF "Application Image Format", "Partition Tables", "Over The Air Updates"; esptool docs
"Firmware Image Format". Pure: bytes in, structs out.
"""

import hashlib
import struct
import zlib
from functools import reduce
from operator import xor

import msgspec

from atota.errors import PackageError, Refused

CHIP_IDS = {
    "esp32": 0, "esp32s2": 2, "esp32c3": 5, "esp32s3": 9, "esp32c2": 12, "esp32c6": 13, "esp32h2": 16,
}  # fmt: skip
"""The chip id in the header of an image."""
SHARED_PROJECT = "arduino-lib-builder"
"""The project of a descriptor that all Arduino builds carry, with the version of the core."""

_MAGIC, _DESCRIPTOR = 0xE9, 0xABCD5432
_HEADER, _SEGMENT = 24, 8
_SECTOR = 0x1000
_SIGNATURE = 0xE7
TABLE_SIZE = 0xC00
_LOWEST = 0x9000
"""Below it are the second-stage bootloader and the partition table, which no package replaces."""


class Image(msgspec.Struct, frozen=True):
    """An application image that is whole: checksum and digest fit."""

    chip_id: int
    version: str
    project: str
    is_signed: bool


def parse_image(data: bytes) -> Image:
    """Parse an application image and check it.

    Raises:
        PackageError: it is not one, or it is damaged.
    """
    if len(data) < _HEADER + _SEGMENT + 256 or data[0] != _MAGIC:
        is_merged = data[0x1000:0x1001] == b"\xe9" or data[0x8000:0x8002] == b"\xaa\x50"
        kind = "a merged image of bootloader, table and application" if is_merged else "not an ESP-IDF image"
        raise PackageError(
            f"the package is {kind}", hint="Upload the application alone: build/PROJECT.bin of the project."
        )
    if struct.unpack_from("<I", data, _HEADER + _SEGMENT)[0] != _DESCRIPTOR:
        raise PackageError(
            "the package has no application descriptor: it is a bootloader or a merged image",
            hint="Upload the application alone: build/PROJECT.bin of the project.",
        )
    end = _checked_end(data)
    is_signed = any(data[at] == _SIGNATURE for at in range(_SECTOR, len(data), _SECTOR) if at >= end)
    if not is_signed and data[end:].strip(b"\x00\xff"):
        raise PackageError(f"the package has {len(data) - end} bytes behind the application")
    return Image(
        chip_id=struct.unpack_from("<H", data, 12)[0],
        version=_text(data[0x30:0x50]),
        project=_text(data[0x50:0x70]),
        is_signed=is_signed,
    )


def _checked_end(data: bytes) -> int:
    """Return the end of the image behind its digest."""
    at, checksum = _HEADER, 0xEF
    for _ in range(data[1]):
        if at + _SEGMENT > len(data):
            raise PackageError("the package is cut off in the middle of its segments")
        length = struct.unpack_from("<I", data, at + 4)[0]
        segment = data[at + _SEGMENT : at + _SEGMENT + length]
        if len(segment) != length:
            raise PackageError("the package is cut off in the middle of its segments")
        checksum = reduce(xor, segment, checksum)
        at += _SEGMENT + length
    end = at // 16 * 16 + 16
    if len(data) < end or data[end - 1] != checksum:
        raise PackageError("the checksum in the package does not fit its bytes")
    if not data[23]:
        return end
    if data[end : end + 32] != hashlib.sha256(data[:end]).digest():
        raise PackageError("the SHA-256 in the package does not fit its bytes")
    return end + 32


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("ascii", "replace")


class Partition(msgspec.Struct, frozen=True):
    """One row of a partition table."""

    type: int
    subtype: int
    offset: int
    size: int
    label: str

    @property
    def slot(self) -> int | None:
        """The number of an OTA slot; None for any other partition."""
        return self.subtype - 0x10 if self.type == 0 and 0x10 <= self.subtype < 0x20 else None

    @property
    def is_factory(self) -> bool:
        """True for the application that boots where no slot is selected."""
        return (self.type, self.subtype) == (0, 0)


def parse_table(data: bytes, address: int) -> tuple[Partition, ...]:
    """Parse a partition table.

    Raises:
        Refused: there is none, or its digest does not fit.
    """
    rows = []
    for at in range(0, len(data), 32):
        row = data[at : at + 32]
        if row[:2] == b"\xaa\x50":
            _, kind, subtype, offset, size, label, _ = struct.unpack("<HBBII16sI", row)
            rows.append(Partition(kind, subtype, offset, size, _text(label)))
        elif row[:2] == b"\xeb\xeb":
            if row[16:] != hashlib.md5(data[:at], usedforsecurity=False).digest():
                raise Refused(f"the partition table at 0x{address:x} is damaged: its MD5 does not fit")
            break
        else:
            break
    if not rows:
        raise Refused(
            f"there is no partition table at 0x{address:x}",
            hint="Name table in [chip] of the board file, as CONFIG_PARTITION_TABLE_OFFSET has it.",
        )
    return tuple(rows)


class Selection(msgspec.Struct, frozen=True):
    """One valid entry of the data that select a slot."""

    sector: int
    sequence: int


def parse_selections(data: bytes) -> tuple[Selection, ...]:
    """Return the entries that the bootloader goes by, the one that it follows first."""
    valid = []
    for sector in (0, 1):
        sequence, _, state, crc = struct.unpack_from("<I20sII", data, sector * _SECTOR)
        # INVALID and ABORTED entries are those of an application that was rolled back.
        if sequence not in (0, 0xFFFFFFFF) and crc == _crc(sequence) and state not in (3, 4):
            valid.append(Selection(sector, sequence))
    return tuple(sorted(valid, key=lambda one: -one.sequence))


def selection_sector(sequence: int) -> bytes:
    """Return the sector that selects a slot: its state is undefined, as a flashing tool leaves it."""
    entry = struct.pack("<I20sII", sequence, b"\xff" * 20, 0xFFFFFFFF, _crc(sequence))
    return entry + b"\xff" * (_SECTOR - len(entry))


def _crc(sequence: int) -> int:
    return zlib.crc32(struct.pack("<I", sequence), 0xFFFFFFFF)


class Plan(msgspec.Struct, frozen=True):
    """The place of a package.

    ``selection`` is the address and the sequence number of the entry that will select it; None: the chip
    boots this partition in any case. ``overwrites``: it is the one that the chip runs.
    """

    partition: Partition
    selection: tuple[int, int] | None
    overwrites: bool


def plan(table: tuple[Partition, ...], selections: tuple[Selection, ...]) -> Plan:
    """Choose the slot that does not boot, and the entry that selects it.

    Raises:
        Refused: there is no place for an application.
    """
    slots = sorted((row for row in table if row.slot is not None), key=lambda row: row.slot or 0)
    factory = next((row for row in table if row.is_factory), None)
    data = otadata(table)
    if not slots or data is None:
        only = factory or (slots[0] if slots else None)
        if only is None:
            raise Refused("the partition table has no place for an application")
        return _checked(Plan(only, None, overwrites=True))
    newest = selections[0] if selections else None
    if newest is None:
        # Without a valid entry the factory application boots, else the first slot.
        slot = slots[0] if factory is not None or len(slots) == 1 else slots[1]
        sector, sequence = 0, slots.index(slot) + 1
        return _checked(Plan(slot, (data.offset, sequence), overwrites=factory is None and len(slots) == 1))
    running = (newest.sequence - 1) % len(slots)
    number = (running + 1) % len(slots)
    sequence = newest.sequence + 1
    while (sequence - 1) % len(slots) != number:
        sequence += 1
    # The other sector only: a cut leaves the entry that the bootloader follows now.
    sector = 1 - newest.sector
    address = data.offset + sector * _SECTOR
    return _checked(Plan(slots[number], (address, sequence), overwrites=number == running))


def otadata(table: tuple[Partition, ...]) -> Partition | None:
    """Return the partition with the data that select a slot."""
    return next((row for row in table if (row.type, row.subtype) == (1, 0)), None)


def _checked(plan: Plan) -> Plan:
    if plan.partition.offset < _LOWEST:
        raise Refused(f"the application would go to 0x{plan.partition.offset:x}, below the partition table")
    return plan
