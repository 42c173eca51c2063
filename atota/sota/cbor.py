"""The part of CBOR (RFC 8949) that SMP messages use: integers, byte and text strings, arrays, maps, booleans.

Zephyr's encoder writes maps and arrays of indefinite length, so those are read as well.
"""

from typing import Final

Value = int | bytes | str | bool | None | list["Value"] | dict[str, "Value"]

_DEEPEST = 8
_BREAK: Final = object()
_SIMPLE: dict[int, bool | None] = {20: False, 21: True, 22: None}


def encode(value: Value) -> bytes:
    """Encode a value; the keys of a map keep their order."""
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return _head(3, len(text)) + text
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(map(encode, value))
    return _head(5, len(value)) + b"".join(encode(key) + encode(one) for key, one in value.items())


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes((major << 5 | number,))
    for code, size in ((24, 1), (25, 2), (26, 4)):
        if number < 1 << 8 * size:
            return bytes((major << 5 | code,)) + number.to_bytes(size, "big")
    return bytes((major << 5 | 27,)) + number.to_bytes(8, "big")


def decode(data: bytes) -> Value:
    """Decode the first value in ``data``.

    Raises:
        ValueError: it is not CBOR of this part, or is cut off.
    """
    value, _ = _decode(data, 0, 0)
    if value is _BREAK:
        raise ValueError("a break outside of an array or a map")
    return value  # type: ignore[return-value]


def _decode(data: bytes, at: int, depth: int) -> tuple[object, int]:
    if at >= len(data) or depth > _DEEPEST:
        raise ValueError("the value is cut off or nested too deeply")
    major, low = data[at] >> 5, data[at] & 31
    at += 1
    if low == 31:
        return _indefinite(data, at, major, depth)
    number = low
    if 24 <= low <= 27:
        size = 1 << low - 24
        number, at = int.from_bytes(data[at : at + size], "big"), at + size
    elif low > 27:
        raise ValueError(f"the length {low} does not exist")
    if at > len(data):
        raise ValueError("the value is cut off")
    if major in (0, 1):
        return (number if major == 0 else -1 - number), at
    if major in (2, 3):
        piece = data[at : at + number]
        if len(piece) != number:
            raise ValueError("a string is cut off")
        return (piece if major == 2 else piece.decode("utf-8", "replace")), at + number
    if major in (4, 5):
        if number > len(data):
            raise ValueError("an array is longer than the message")
        return _collected(data, at, major, number, depth)
    if major == 7 and low in _SIMPLE:
        return _SIMPLE[low], at
    raise ValueError(f"the type {major} does not occur in SMP")


def _indefinite(data: bytes, at: int, major: int, depth: int) -> tuple[object, int]:
    if major == 7:
        return _BREAK, at
    if major not in (4, 5):
        raise ValueError(f"a value of type {major} has no indefinite length in SMP")
    return _collected(data, at, major, None, depth)


def _collected(data: bytes, at: int, major: int, count: int | None, depth: int) -> tuple[object, int]:
    """Decode the items of an array or a map; ``count`` None: up to a break."""
    values: list[object] = []
    wanted_items = None if count is None else count * (major - 3)
    while wanted_items is None or len(values) < wanted_items:
        value, at = _decode(data, at, depth + 1)
        if value is _BREAK:
            if count is not None:
                raise ValueError("a break in an array of known length")
            break
        values.append(value)
    if major == 4:
        return values, at
    if len(values) % 2:
        raise ValueError("a map has a key without a value")
    return {str(key): value for key, value in zip(values[::2], values[1::2], strict=True)}, at
