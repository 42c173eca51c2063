"""XMODEM against a receiver that nobody here wrote: lrzsz's ``rx``."""

import os
import select
import shutil
import subprocess
from pathlib import Path

import pytest

from atota.clock import Clock, SystemClock
from atota.dialects import loader
from atota.fota.registry import method_for
from atota.module.session import Session

RX = shutil.which("rx") or shutil.which("lrx")
pytestmark = pytest.mark.skipif(RX is None, reason="lrzsz is not installed: there is no rx to receive")


class RxModule:
    """A link to a module that hands the transfer to ``rx``, byte by byte, and says OK when that has ended."""

    def __init__(self, received: Path) -> None:
        self.name = "rx"
        self.clock: Clock = SystemClock()
        self.baud = 115200
        self._received = received
        self._line = b""
        self._due = b""
        self._rx: subprocess.Popen[bytes] | None = None

    def read(self, timeout_s: float) -> bytes:
        if self._due:
            due, self._due = self._due, b""
            return due
        if self._rx is None or self._rx.stdout is None:
            self.clock.sleep(timeout_s)
            return b""
        if not select.select([self._rx.stdout], [], [], timeout_s)[0]:
            return b""
        data = os.read(self._rx.stdout.fileno(), 4096)
        return data or self._over()

    def _over(self) -> bytes:
        assert self._rx is not None
        good = self._rx.wait() == 0
        self.close()
        return b"\r\nOK\r\n" if good else b"\r\nERROR\r\n"

    def write(self, data: bytes) -> None:
        if self._rx is not None and self._rx.stdin is not None:
            self._rx.stdin.write(data)
            self._rx.stdin.flush()
            return
        self._line += data
        if self._line == b"AT+UFWUPD=3\r":
            assert RX is not None
            self._due = b"\r\n+UFWUPD: ONGOING\r\n"
            self._rx = subprocess.Popen(
                [RX, "--quiet", "--binary", "--with-crc", self._received.name],
                cwd=self._received.parent,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )

    def set_baud(self, baud: int) -> None:
        self.baud = baud

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None: ...

    def close(self) -> None:
        if self._rx is None:
            return
        for pipe in (self._rx.stdin, self._rx.stdout):
            if pipe is not None:
                pipe.close()
        self._rx.kill()
        self._rx.wait()
        self._rx = None


@pytest.mark.parametrize("size", [1025, 40_000])
def test_rx_receives_what_was_sent(tmp_path: Path, size: int) -> None:
    package, received = tmp_path / "package.bin", tmp_path / "received.bin"
    package.write_bytes(bytes((number * 31 + number // 255) % 256 for number in range(size)))
    told: list[tuple[int, int]] = []
    with Session(RxModule(received), loader.load("ublox-sara-r4")) as session:
        method = method_for(session.dialect)
        method.check(package)
        method.prepare(session)
        method.write(session, package, lambda done, total: told.append((done, total)))
    assert received.read_bytes().rstrip(b"\x1a") == package.read_bytes().rstrip(b"\x1a")
    assert len(received.read_bytes()) % 1024 == 0
    assert told[-1] == (size, size)
    assert method.counters.blocks == -(-size // 1024)
