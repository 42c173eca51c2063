"""Rebuild a package from the transcript of its transfer.

Hex blocks name their number; raw bytes are those that the host sent between a prompt and a final result.
If a transfer was restarted, the size and the MD5 show which bytes are the package.
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
    """Return the bytes of the package that were sent; empty if none were.

    Args:
        recording: the transcript of a transfer.
        size: bytes of the package, if known.
        md5: MD5 of the package in hex, if known.
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
    """Yield what may be the package, the likeliest first."""
    bursts = list(_bursts(recording))
    blocks = {int(block[1]): _of_hex(block[3]) for block in _hex_blocks(bursts)}
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
    """Yield the bytes of the host between bytes of the module."""
    traffic = [entry for entry in recording.entries if isinstance(entry, Traffic)]
    for direction, entries in groupby(traffic, key=lambda entry: entry.direction):
        if direction == ">":
            yield b"".join(entry.data for entry in entries)


def _of_hex(text: bytes) -> bytes:
    return bytes.fromhex(text.decode() + "0" * (len(text) % 2))


def _hex_blocks(bursts: list[bytes]) -> Iterator[re.Match[bytes]]:
    for burst in bursts:
        for block in _BLOCK.finditer(burst):
            if len(block[3]) == 2 * int(block[2]):
                yield block


def _xmodem_transfers(raw: list[bytes]) -> list[list[bytes]]:
    """Return the payloads of each XMODEM transfer, without repeated ones."""
    transfers: list[list[bytes]] = []
    last, end = -1, 0
    sent = b"".join(raw)
    for frame in _XMODEM.finditer(sent):
        number, payload = frame[1] or frame[3], frame[2] or frame[4]
        if number[0] ^ number[1] != 0xFF:
            continue
        end = frame.end()
        if not transfers or (number[0] == 1 and last not in (0, 1)):
            transfers.append([])
        elif number[0] == last:
            continue
        transfers[-1].append(payload)
        last = number[0]
    if transfers and sent[end : end + 1] in (b"\x01", b"\x02"):  # an incomplete frame
        transfers[-1].append(sent[end + 3 :])
    return transfers


def _runs(raw: list[bytes]) -> Iterator[bytes]:
    """Yield each transfer of raw bytes, the longest first; then each without pieces sent twice in a row."""
    starts = [number for number, burst in enumerate(raw) if burst == raw[0]]
    runs = [raw[start:end] for start, end in zip(starts, [*starts[1:], len(raw)], strict=True)]
    joined = [b"".join(run) for run in [raw, *runs]]
    yield from sorted(joined[1:], key=len, reverse=True)
    yield from (b"".join(burst for burst, _ in groupby(run)) for run in runs)
    yield joined[0]
