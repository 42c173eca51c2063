"""A link that expects literal bytes: each entry of its script is what must be written, and the answer."""

import heapq
from collections.abc import Iterable
from itertools import count
from math import inf
from pathlib import Path
from typing import Any

import pytest

from atota.clock import Clock, SimulatedClock
from atota.dialects import loader
from atota.errors import AtotaError
from atota.fota.base import Method
from atota.fota.registry import method_for
from atota.module.session import Session

Answer = bytes | list[tuple[float, bytes]]
"""Bytes at once, or each after so many seconds."""
Script = Iterable[tuple[bytes, Answer]]
OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"
ALIVE = (b"AT\r", OK)
FENCE = (b"AT+CMEE=?\r", b"\r\n+CMEE: (0-2)\r\n\r\nOK\r\n")
"""A response that only this command has: nothing earlier can come any more."""


class Wire:
    """A link on which exactly the bytes of the script may be written, commands with their CR."""

    def __init__(self, script: Script, baud: int) -> None:
        self.name = "wire"
        self.clock: Clock = SimulatedClock()
        self.baud = baud
        self.script = list(script)
        self.written = b""
        self._due: list[tuple[float, int, bytes]] = []
        self._order = count()

    def read(self, timeout_s: float) -> bytes:
        end = self.clock.monotonic() + max(0.0, timeout_s)
        while True:
            now, data = self.clock.monotonic(), b""
            while self._due and self._due[0][0] <= now:
                data += heapq.heappop(self._due)[2]
            if data or now >= end:
                return data
            self.clock.sleep(min(self._due[0][0] if self._due else inf, end) - now)

    def write(self, data: bytes) -> None:
        self.written += data
        expected, answer = self.script[0] if self.script else (b"", b"")
        assert expected.startswith(self.written), f"{self.written!r} was written, {expected!r} expected"
        if self.written == expected:
            self.written = b""
            del self.script[0]
            for after_s, piece in [(0.01, answer)] if isinstance(answer, bytes) else answer:
                heapq.heappush(self._due, (self.clock.monotonic() + after_s, next(self._order), piece))

    def set_baud(self, baud: int) -> None:
        self.baud = baud

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None: ...

    def close(self) -> None: ...


class Talk:
    """A method, its session on such a link, and a package."""

    def __init__(self, dialect: str, script: Script, folder: Path, data: bytes, **options: Any) -> None:
        profile = loader.load(dialect)
        self.link = Wire(script, profile.uart.bauds[0])
        self.session = Session(self.link, profile)
        self.method: Method = method_for(profile, **options)
        self.package = folder / "package.bin"
        self.package.write_bytes(data)
        self.progress: list[int] = []

    def write(self) -> str | None:
        """Check, prepare and write the package."""
        self.method.check(self.package)
        self.method.prepare(self.session)
        return self.method.write(self.session, self.package, lambda done, _: self.progress.append(done))

    def update(self) -> bool | None:
        """Write the package and start it; every byte of the script was then written."""
        self.write()
        started = self.method.activate(self.session)
        assert not self.link.script
        return started

    def failure(self, kind: type[AtotaError]) -> str:
        """Write the package and start it; the message of the error. Every byte of the script was written."""
        with pytest.raises(kind) as raised:
            self.update()
        assert not self.link.script
        assert "None" not in raised.value.message
        return raised.value.message
