"""A seeded conversation of the kinds of answers that a module gives, for measuring how fast it is read."""

import random

import msgspec

WEIGHTS = {"at": 30, "cereg": 32, "imei": 10, "cgmr": 10, "hex": 10, "cme": 5, "error": 3}
URC_EVERY = 5
"""One transaction in so many is followed by an unsolicited line."""
VERSION = (
    b"SSB,V150R100C10B200SP1", b"SECURITY_A,V150R100C20B300SP5", b"PROTOCOL_A,V150R100C20B300SP5",
    b"APPLICATION_A,V150R100C20B300SP5", b"SECURITY_B,V150R100C20B300SP5", b"RADIO,Hi2115_RF0",
)  # fmt: skip


class Exchanged(msgspec.Struct, frozen=True):
    """A command, the bytes that answer it (echo first), and the unsolicited bytes behind them."""

    command: str
    reply: bytes
    urcs: bytes


class Transcript(msgspec.Struct, frozen=True):
    """The conversation and what a reader must find in it."""

    exchanges: tuple[Exchanged, ...]
    size: int
    lines: int
    urcs: int


def _answer(kind: str, rng: random.Random) -> tuple[str, list[bytes], bytes]:
    match kind:
        case "at":
            return "AT", [], b"OK"
        case "cereg":
            stat = b'+CEREG: 2,%d,"%04X","%08X",9' % (
                rng.randrange(6),
                rng.randrange(1 << 16),
                rng.randrange(1 << 28),
            )
            return "AT+CEREG?", [stat], b"OK"
        case "imei":
            return "AT+CGSN=1", [b"+CGSN:86%013d" % rng.randrange(10**13)], b"OK"
        case "cgmr":
            return "AT+CGMR", list(VERSION), b"OK"
        case "hex":
            size = rng.randrange(64, 513)
            return (
                "AT+NSORF=0,512",
                [b"0,192.0.2.7,5683,%d,%b,0" % (size, rng.randbytes(size).hex().upper().encode())],
                b"OK",
            )
        case "cme":
            return "AT+CFUN=9", [], b"+CME ERROR: %d" % rng.randrange(200)
    return "AT+NONSENSE", [], b"ERROR"


def _urc(rng: random.Random) -> bytes:
    return rng.choice(
        [b"+CSCON:%d" % rng.randrange(2), b"+NPSMR:%d" % rng.randrange(2), b"+CEREG:%d" % rng.randrange(6)]
    )


def make(size: int, seed: int = 1) -> Transcript:
    """Make about ``size`` bytes of it, echo on; the same bytes for the same seed."""
    rng = random.Random(seed)  # noqa: S311 - repeatable noise, no secret
    kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
    exchanges: list[Exchanged] = []
    total = lines = urcs = 0
    while total < size:
        command, information, result = _answer(rng.choices(kinds, weights)[0], rng)
        parts = [
            command.encode() + b"\r",
            *(b"\r\n%b\r\n" % line for line in information),
            b"\r\n%b\r\n" % result,
        ]
        urc = b"\r\n%b\r\n" % _urc(rng) if rng.randrange(URC_EVERY) == 0 else b""
        exchanges.append(Exchanged(command, b"".join(parts), urc))
        total += len(exchanges[-1].reply) + len(urc)
        lines += len(parts) + bool(urc)
        urcs += bool(urc)
    return Transcript(tuple(exchanges), total, lines, urcs)
