"""CBOR (RFC 8949), as much of it as SMP messages need.

Maps and arrays are sent with indefinite length, as zcbor does in MCUboot and Zephyr.
"""

from typing import Any

_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_SIMPLE_VALUES = {20: False, 21: True, 22: None}
_INDEFINITE, _BREAK = 31, 0xFF
_DEEPEST = 8

Item = int | bytes | str | bool | list[Any] | dict[Any, Any] | None


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * size:
            return bytes([major << 5 | info]) + number.to_bytes(size, "big")
    raise ValueError(number)


def encode(item: Item) -> bytes:
    """Return an item in bytes."""
    if isinstance(item, bool) or item is None:
        return bytes([_SIMPLE << 5 | {False: 20, True: 21, None: 22}[item]])
    if isinstance(item, int):
        return _head(_UINT, item) if item >= 0 else _head(_NINT, -1 - item)
    if isinstance(item, bytes):
        return _head(_BYTES, len(item)) + item
    if isinstance(item, str):
        return _head(_TEXT, len(item.encode())) + item.encode()
    if isinstance(item, list):
        return b"\x9f" + b"".join(encode(one) for one in item) + b"\xff"
    return b"\xbf" + b"".join(encode(key) + encode(value) for key, value in item.items()) + b"\xff"


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise ValueError("cut short")
        self.at += size
        return self.data[self.at - size : self.at]

    def head(self) -> tuple[int, int | None]:
        """Return the major type and the number; None: indefinite."""
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if info < 24:
            return major, info
        if info == _INDEFINITE:
            return major, None
        if info > 27:
            raise ValueError("reserved")
        return major, int.from_bytes(self.take(1 << info - 24), "big")

    def is_end(self) -> bool:
        """True if a break follows, which is taken."""
        ended = self.data[self.at : self.at + 1] == b"\xff"
        self.at += ended
        return ended

    def items(self, count: int | None, depth: int) -> list[Item]:
        out: list[Item] = []
        while len(out) < count if count is not None else not self.is_end():
            out.append(self.item(depth + 1))
        return out

    def item(self, depth: int = 0) -> Item:
        major, number = self.head()
        if depth > _DEEPEST or (number is None and major not in (_ARRAY, _MAP)):
            raise ValueError("not expected here")
        if major == _ARRAY:
            return self.items(number, depth)
        if major == _MAP:
            flat = self.items(None if number is None else 2 * number, depth)
            if len(flat) % 2 or not all(isinstance(key, str | int) for key in flat[::2]):
                raise ValueError("a map with odd keys")
            return dict(zip(flat[::2], flat[1::2], strict=True))
        assert number is not None
        if major in (_UINT, _NINT):
            return number if major == _UINT else -1 - number
        if major in (_BYTES, _TEXT):
            data = self.take(number)
            return data if major == _BYTES else data.decode()
        if major == _SIMPLE and number in _SIMPLE_VALUES:
            return _SIMPLE_VALUES[number]
        raise ValueError("a type that is not used")


def decode_map(data: bytes) -> dict[Any, Any] | None:
    """Return the map in ``data``; None: it is not one, or something follows it."""
    reader = _Reader(data)
    try:
        item = reader.item()
    except (ValueError, UnicodeDecodeError):
        return None
    return item if isinstance(item, dict) and reader.at == len(data) else None
