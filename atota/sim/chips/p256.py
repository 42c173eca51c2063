"""ECDSA over P-256 with SHA-256 (FIPS 186-5), for the signature of an init packet; it keeps no secret."""

import hashlib

_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int] | None


def _add(first: Point, second: Point) -> Point:
    """Add two points; None is the one at infinity."""
    if first is None or second is None:
        return first or second
    (x1, y1), (x2, y2) = first, second
    if x1 == x2 and (y1 + y2) % _P == 0:
        return None
    slope = (
        (3 * x1 * x1 - 3) * pow(2 * y1, -1, _P) if first == second else (y2 - y1) * pow(x2 - x1, -1, _P)
    ) % _P
    x3 = (slope * slope - x1 - x2) % _P
    return x3, (slope * (x1 - x3) - y1) % _P


def _times(factor: int, point: Point) -> Point:
    total: Point = None
    while factor:
        if factor & 1:
            total = _add(total, point)
        point = _add(point, point)
        factor >>= 1
    return total


def public_key(private: int) -> tuple[int, int]:
    """Return the public key of a private one."""
    point = _times(private, _G)
    assert point is not None
    return point


def sign(private: int, message: bytes) -> tuple[int, int]:
    """Return the same signature for the same message."""
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    seed = private.to_bytes(32, "big") + message
    nonce = int.from_bytes(hashlib.sha512(seed).digest(), "big") % (_N - 1) + 1
    point = _times(nonce, _G)
    assert point is not None
    r = point[0] % _N
    return r, pow(nonce, -1, _N) * (digest + r * private) % _N


def is_signed(public: tuple[int, int], message: bytes, r: int, s: int) -> bool:
    """True if (r, s) is a signature of ``message`` by the owner of ``public``."""
    if not (0 < r < _N and 0 < s < _N):
        return False
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    inverse = pow(s, -1, _N)
    point = _add(_times(digest * inverse % _N, _G), _times(r * inverse % _N, public))
    return point is not None and point[0] % _N == r
