"""The signed init packet of Nordic's secure DFU, a protobuf message.

Source: nRF5 SDK 15 documentation, "Secure DFU", "Init packet", and its dfu-cc.proto: a Packet has a
SignedCommand (2): the Command (1), the kind of signature (2) and the signature (3). A Command has the
InitCommand (2): firmware version (1), hardware version (2), SoftDevices (3, packed), kind (4), size of the
application (7), hash (8: kind 1, value 2), debug (9). Hash and signature are stored in reverse order.
"""

import hashlib
from dataclasses import dataclass

from atota.sim.chips import p256

_VARINT, _BYTES = 0, 2
APPLICATION, SHA256, ECDSA_P256_SHA256 = 0, 3, 0
HARDWARE, SOFTDEVICE, ANY_SOFTDEVICE = 52, 0xB7, 0xFFFE  # S132 6.1.1

VENDOR_KEY = (
    int.from_bytes(hashlib.sha256(b"the key of the simulated vendor, no secret").digest(), "big") >> 8
)
"""The private key whose public half is in the bootloader of every simulated chip."""


def _varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 64, 7):
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return number, at
    raise ValueError("a number that does not end")


def _fields(data: bytes) -> dict[int, list[int | bytes]]:
    """Return the fields of a message by their numbers.

    Raises:
        ValueError, IndexError: it is not a message.
    """
    fields: dict[int, list[int | bytes]] = {}
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        number, at = _read_varint(data, at)
        value: int | bytes = number
        if key & 7 == _BYTES:
            if at + number > len(data):
                raise ValueError("cut short")
            value, at = data[at : at + number], at + number
        elif key & 7 != _VARINT:
            raise ValueError("a type that is not used")
        fields.setdefault(key >> 3, []).append(value)
    return fields


def build_init_packet(
    image: bytes,
    version: int = 1,
    *,
    hardware: int = HARDWARE,
    softdevices: tuple[int, ...] = (SOFTDEVICE,),
    size: int | None = None,
    key: int | None = VENDOR_KEY,
) -> bytes:
    """Make the init packet of an image; without a key it is not signed."""
    digest = hashlib.sha256(image).digest()[::-1]
    packed = b"".join(map(_varint, softdevices))
    init = _field(1, version) + _field(2, hardware) + _field(3, packed) + _field(4, APPLICATION)
    init += _field(5, 0) + _field(6, 0) + _field(7, len(image) if size is None else size)
    init += _field(8, _field(1, SHA256) + _field(2, digest)) + _field(9, 0)
    command = _field(1, 1) + _field(2, init)
    if key is None:
        return _field(1, command)
    r, s = p256.sign(key, command)
    signature = r.to_bytes(32, "little") + s.to_bytes(32, "little")
    return _field(2, _field(1, command) + _field(2, ECDSA_P256_SHA256) + _field(3, signature))


@dataclass(frozen=True, slots=True)
class InitPacket:
    """The parts of an init packet that the bootloader looks at."""

    command: bytes
    version: int
    hardware: int
    softdevices: tuple[int, ...]
    kind: int
    size: int
    hash_kind: int
    digest: bytes
    is_signed: bool
    signature: bytes

    def has_signature_of(self, public: tuple[int, int]) -> bool:
        """True if the owner of a key has signed it."""
        r, s = self.signature[:32], self.signature[32:]
        numbers = int.from_bytes(r, "little"), int.from_bytes(s, "little")
        return len(self.signature) == 64 and p256.is_signed(public, self.command, *numbers)


def read_init_packet(data: bytes) -> InitPacket | None:
    """Decode an init packet, or return None if it cannot be decoded."""
    try:
        packet = _fields(data)
        signed = _fields(_bytes(packet, 2)) if 2 in packet else {}
        command = _bytes(signed if signed else packet, 1)
        init = _fields(_bytes(_fields(command), 2))
        digest = _fields(_bytes(init, 8))
        packed, softdevices, at = _bytes(init, 3), [], 0
        while at < len(packed):
            number, at = _read_varint(packed, at)
            softdevices.append(number)
        return InitPacket(
            command=command,
            version=_number(init, 1),
            hardware=_number(init, 2),
            softdevices=tuple(softdevices),
            kind=_number(init, 4),
            size=_number(init, 7),
            hash_kind=_number(digest, 1),
            digest=_bytes(digest, 2)[::-1],
            is_signed=bool(signed),
            signature=_bytes(signed, 3) if 3 in signed else b"",
        )
    except (ValueError, IndexError, KeyError):
        return None


def _bytes(fields: dict[int, list[int | bytes]], number: int) -> bytes:
    value = fields[number][-1]
    if not isinstance(value, bytes):
        raise ValueError("not bytes")  # noqa: TRY004 - a reader's mistake has one type here
    return value


def _number(fields: dict[int, list[int | bytes]], number: int) -> int:
    value = fields.get(number, [0])[-1]
    if not isinstance(value, int):
        raise ValueError("not a number")  # noqa: TRY004 - a reader's mistake has one type here
    return value
