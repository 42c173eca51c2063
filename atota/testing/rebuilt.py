"""A package, put together again from the transcript of its transfer.

Hex blocks tell their number; of raw bytes all is taken that the host sent between a sign to send and a
result. Where a transfer was begun again, the size and the MD5 tell which bytes make the package.
"""

import re
from collections.abc import Iterator
from itertools import count, groupby, takewhile

from atota.transcript.recording import Recording, Traffic
from atota.values import Digests

_BLOCK = re.compile(rb"AT\+\w+=1,(\d+),(\d+),([0-9A-Fa-f]+),[0-9A-Fa-f]+\r")
_BROKEN_BLOCK = re.compile(rb"AT\+\w+=1,(\d+),\d+,([0-9A-Fa-f]+)\Z")
_COMMANDS = re.compile(rb"(?:AT[ -~]*\r)+")
_XMODEM = re.compile(rb"(?:\x01(..)(.{128})|\x02(..)(.{1024}))(..)", re.DOTALL)
_PADDING = b"\x1a"


def rebuild(recording: Recording, *, size: int | None = None, md5: str | None = None) -> bytes:
    """The bytes that were sent, as far as they were; nothing if none were.

    Args:
        recording: of a transfer.
        size: of the package, if it is known.
        md5: of the package, if it is known.
    """
    best = b""
    for data in _candidates(recording):
        whole = data[:size]
        if md5 is not None and Digests.of(whole).md5 == md5:
            return whole
        if not best or (md5 is None and size is not None and len(data) == size):
            best = whole
    return best


def _candidates(recording: Recording) -> Iterator[bytes]:
    """What the package may be, the likeliest first."""
    bursts = list(_bursts(recording))
    blocks = {int(found[1]): _of_hex(found[3]) for found in _hex_blocks(bursts)}
    broken = _BROKEN_BLOCK.search(bursts[-1]) if bursts else None
    if broken is not None:
        blocks.setdefault(int(broken[1]), _of_hex(broken[2]))
    if blocks:
        yield b"".join(blocks[number] for number in takewhile(blocks.__contains__, count()))
        return
    raw = [burst for burst in bursts if not _COMMANDS.fullmatch(burst)]
    framed = _xmodem_transfers(raw)
    for data in sorted(map(b"".join, framed), key=len, reverse=True):
        yield data.rstrip(_PADDING)
        yield data
    if framed:
        return
    if raw:
        yield from _runs(raw)


def _bursts(recording: Recording) -> Iterator[bytes]:
    """What the host sent, each time until something came from the module."""
    traffic = [entry for entry in recording.entries if isinstance(entry, Traffic)]
    for direction, entries in groupby(traffic, key=lambda entry: entry.direction):
        if direction == ">":
            yield b"".join(entry.data for entry in entries)


def _of_hex(text: bytes) -> bytes:
    return bytes.fromhex(text.decode() + "0" * (len(text) % 2))


def _hex_blocks(bursts: list[bytes]) -> Iterator[re.Match[bytes]]:
    for burst in bursts:
        for found in _BLOCK.finditer(burst):
            if len(found[3]) == 2 * int(found[2]):
                yield found


def _xmodem_transfers(raw: list[bytes]) -> list[list[bytes]]:
    """The payloads of each XMODEM transfer, those that were sent again left out."""
    transfers: list[list[bytes]] = []
    last, end = -1, 0
    sent = b"".join(raw)
    for found in _XMODEM.finditer(sent):
        number, payload = found[1] or found[3], found[2] or found[4]
        if number[0] ^ number[1] != 0xFF:
            continue
        end = found.end()
        if not transfers or (number[0] == 1 and last not in (0, 1)):
            transfers.append([])
        elif number[0] == last:
            continue
        transfers[-1].append(payload)
        last = number[0]
    if transfers and sent[end : end + 1] in (b"\x01", b"\x02"):  # a frame that was broken off
        transfers[-1].append(sent[end + 3 :])
    return transfers


def _runs(raw: list[bytes]) -> Iterator[bytes]:
    """Of raw bytes: each transfer, the longest first; then those without what was sent twice in a row."""
    starts = [place for place, burst in enumerate(raw) if burst == raw[0]]
    runs = [raw[start:end] for start, end in zip(starts, [*starts[1:], len(raw)], strict=True)]
    joined = [b"".join(run) for run in [raw, *runs]]
    yield from sorted(joined[1:], key=len, reverse=True)
    yield from (b"".join(burst for burst, _ in groupby(run)) for run in runs)
    yield joined[0]
