"""Decoding into typed structs, safe for many lanes at once.

`msgspec` looks at a type when something is decoded into it for the first time, and crashes the process if
two threads do that to the same type at the same time (seen with 0.22.0 in the demo: five lanes that read
the catalogue together). So the first time of each type is one thread's.
"""

import threading
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_LOCK = threading.RLock()
_KNOWN: set[Any] = set()


def prepared(kind: type[T]) -> type[T]:
    """``kind``, once `msgspec` has looked at it; from then on any thread may decode into it."""
    if kind not in _KNOWN:
        with _LOCK:
            msgspec.json.Decoder(kind)
            _KNOWN.add(kind)
    return kind
