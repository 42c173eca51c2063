"""The image of MCUboot, and MCUboot's judgement of it.

Source: MCUboot documentation, "Bootloader design" (image format: header, TLV area). All numbers are
little-endian. The header has 32 bytes and is padded; the TLV area has the SHA-256 of all before it.
"""

import hashlib
import struct
from dataclasses import dataclass

from atota.sim.chips.application import build_application, read_application
from atota.sim.chips.nordic import RAM, numbers_of

SLOT_0, SLOT_1, SLOT_SIZE = (
    0xC000,
    0x43000,
    0x37000,
)  # Zephyr's partitions for the nRF52 DK, without the scratch
HEADER_SIZE = 0x200
_HEADER = struct.Struct("<IIHHIIBBHII")
_MAGIC, _TLV_MAGIC, _SHA256 = 0x96F3B83D, 0x6907, 0x10


def build_image(version: str, *, size: int = 8192) -> bytes:
    """Make an image for slot 0: an application of ``version``, whose numbers are in the header, too."""
    payload = build_application(version, base=SLOT_0 + HEADER_SIZE, size=size, ram=RAM)
    header = _HEADER.pack(_MAGIC, 0, HEADER_SIZE, 0, len(payload), 0, *numbers_of(version), 0, 0)
    body = header.ljust(HEADER_SIZE, b"\0") + payload
    return body + struct.pack("<HHHH", _TLV_MAGIC, 40, _SHA256, 32) + hashlib.sha256(body).digest()


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is whole.

    Attributes:
        version: in the header, ``major.minor.revision``; ``build`` stands beside it.
        digest: its SHA-256.
        application: the version of the application in it; None: a core that runs it crashes.
    """

    version: str
    build: int
    digest: bytes
    application: str | None


def read_image(data: bytes) -> Image | None:
    """Return the image at the beginning of a slot, or None if it is not one, or not whole."""
    if len(data) < HEADER_SIZE:
        return None
    magic, _load, head, protected, size, _flags, *numbers, build, _pad = _HEADER.unpack_from(data)
    end = head + size
    if magic != _MAGIC or head < _HEADER.size or protected or end + 8 > len(data):
        return None
    tlv_magic, total = struct.unpack_from("<HH", data, end)
    if tlv_magic != _TLV_MAGIC or end + total > len(data):
        return None
    tlvs, at = {}, end + 4
    while at + 4 <= end + total:
        kind, length = struct.unpack_from("<HH", data, at)
        tlvs[kind] = data[at + 4 : at + 4 + length]
        at += 4 + length
    digest = hashlib.sha256(data[:end]).digest()
    if tlvs.get(_SHA256) != digest:
        return None
    application = read_application(data[head:end], base=SLOT_0 + head, ram=RAM)
    return Image(".".join(map(str, numbers)), build, digest, application)


def version_in(data: bytes) -> tuple[str, int] | None:
    """Return version and build of a header, whole image or not."""
    if len(data) < _HEADER.size:
        return None
    magic, *_rest, major, minor, revision, build, _pad = _HEADER.unpack_from(data)
    return (f"{major}.{minor}.{revision}", build) if magic == _MAGIC else None
