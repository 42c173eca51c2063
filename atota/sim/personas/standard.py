"""The part of a persona that the standards fix for every module: 3GPP TS 27.007 and V.250."""

from collections.abc import Iterable, Mapping

from atota.sim.persona import Setting

CME_TEXTS: Mapping[int, bytes] = {
    3: b"operation not allowed",
    4: b"operation not supported",
    20: b"memory full",
    21: b"invalid index",
    22: b"not found",
    23: b"memory failure",
    30: b"no network service",
    50: b"incorrect parameters",
    100: b"unknown",
}

ANSWERS: Mapping[bytes, tuple[bytes, ...]] = {b"AT": (), b"AT&F": (), b"ATZ": (), b"ATV1": (), b"ATQ0": ()}

SETTINGS: Mapping[bytes, Setting] = {
    b"CMEE": Setting((b"0", b"1", b"2"), b"0", b"+CMEE: {value}", b"+CMEE: (0,1,2)"),
    b"CFUN": Setting((b"0", b"1", b"4"), b"1", b"+CFUN: {value}", b"+CFUN: (0,1,4),(0,1)", seconds=1.0),
    b"CEREG": Setting((b"0", b"1", b"2"), b"0", b"+CEREG: {value},1", b"+CEREG: (0,1,2)"),
    b"CREG": Setting((b"0", b"1", b"2"), b"0", b"+CREG: {value},1", b"+CREG: (0,1,2)"),
    b"CGATT": Setting((b"0", b"1"), b"1", b"+CGATT: {value}", b"+CGATT: (0,1)"),
    b"CPIN": Setting((), b"READY", b"+CPIN: READY", b""),
}


def listed(rates: Iterable[int]) -> bytes:
    """Return rates as a test form lists them."""
    return b",".join(b"%d" % rate for rate in rates)


URCS = (b"+CEREG: 1", b"+CREG: 1", b"+CEREG: 5", b"+CPIN: READY")
