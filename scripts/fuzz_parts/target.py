"""The target of a fuzzer, and the parts of its inputs.

An input is always plain bytes, so that any engine can make one and one hex string repeats it. Its first
bytes choose (`Input.choice`), the rest is the text that is read; in texts that are a dialogue, the byte
``0x1E`` begins something that the caller does meanwhile (`steps`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

MARK = 0x1E


class Broken(AssertionError):
    """A promise was broken without any exception: the message says which."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One thing that is fuzzed.

    Attributes:
        promise: what must hold for any input.
        check: takes an input; raises anything at all if the promise is broken.
        seeds: makes inputs to start from.
        words: what the syntax is made of; inserted by mutations.
        longest: bytes of an input.
    """

    name: str
    promise: str
    check: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    words: Callable[[], Sequence[bytes]] = field(default=list)
    longest: int = 512


def need(truth: object, what: str) -> None:
    """Raise `Broken` unless ``truth``."""
    if not truth:
        raise Broken(what)


def head(data: bytes, count: int) -> tuple[bytes, bytes]:
    """The first ``count`` bytes, padded with zeros, and the rest."""
    return data[:count].ljust(count, b"\0"), data[count:]


def steps(data: bytes) -> Iterator[tuple[str, int, bytes]]:
    """Take a dialogue apart: ``(what the caller does, its argument, what comes then)``.

    What is done is one letter, empty for the beginning; a doubled mark is the byte itself.
    """
    doing, argument, chunk = "", 0, bytearray()
    position = 0
    while position < len(data):
        at = data.find(MARK, position)
        if at < 0:
            chunk += data[position:]
            break
        chunk += data[position:at]
        letter = data[at + 1 : at + 2]
        if letter and letter[0] == MARK:
            chunk.append(MARK)
            position = at + 2
            continue
        yield doing, argument, bytes(chunk)
        doing, chunk = chr(letter[0] if letter else 0), bytearray()
        argument = data[at + 2] if at + 2 < len(data) else 0
        position = at + 3
    yield doing, argument, bytes(chunk)


def doing(letter: str, argument: int = 0) -> bytes:
    """The bytes that `steps` reads as something that the caller does."""
    return bytes([MARK, ord(letter), argument])


def pieces(blob: bytes, seed: int) -> Iterator[bytes]:
    """Cut into reads: byte by byte for seed 0, else at places that the seed decides; one read at least."""
    if not blob:
        yield blob
    elif not seed:
        for at in range(len(blob)):
            yield blob[at : at + 1]
        return
    at = 0
    while at < len(blob):
        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
        size = 1 + (seed >> 16) % 13
        yield blob[at : at + size]
        at += size
