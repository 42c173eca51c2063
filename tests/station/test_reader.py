"""A scanner on a serial port of its own: its lines are codes, and it may be unplugged and come back."""

import os
import threading
from typing import TYPE_CHECKING

import pytest

from atota.clock import SystemClock
from atota.errors import LinkLost
from atota.station.hub import Hub
from atota.station.reader import Reader
from atota.station.view import Command, Reply, ScanCommand, StationView

if TYPE_CHECKING:
    from tests.ptys import Pty

LIMIT_S = 10.0


class Codes:
    """A station that keeps the codes that it gets."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.hub = Hub(StationView(name="x", boot=""))
        self.hub.on_command(self._take)

    def _take(self, command: Command) -> Reply:
        assert isinstance(command, ScanCommand)
        if command.text != "OPEN" or not self.texts:
            self.texts.append(command.text)
        return Reply(ok=True, sentence="")

    def wait(self, count: int) -> None:
        clock = SystemClock()
        end = clock.monotonic() + LIMIT_S
        while len(self.texts) < count and clock.monotonic() < end:
            clock.sleep(0.01)
        assert len(self.texts) == count


def test_each_line_of_a_scanner_is_a_code(pty: "Pty") -> None:
    codes = Codes()
    reader = Reader(pty.device, codes.hub, lambda _text: None)
    reader.start()
    try:
        while not codes.texts:  # what came before the port was open is lost
            os.write(pty.master, b"OPEN\r")
            SystemClock().sleep(0.05)
        os.write(pty.master, b"SN12")
        os.write(pty.master, b"34\r\nOP:anna\r")
        codes.wait(3)
    finally:
        reader.end()
    assert codes.texts == ["OPEN", "SN1234", "OP:anna"]


def test_a_scanner_that_is_away_is_a_banner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atota.station.reader.AGAIN_S", 0.01)
    codes = Codes()
    warnings: list[str] = []
    reader = Reader("/dev/no-scanner", codes.hub, warnings.append)
    with codes.hub.subscribe() as events:
        assert events.get(0) is not None
        reader.start()
        try:
            event = events.get(LIMIT_S)
        finally:
            reader.end()
    assert event is not None
    assert event.kind == "notice"
    assert [notice.key for notice in codes.hub.snapshot().notices] == ["scanner"]
    assert len(warnings) == 1


def test_a_scanner_that_is_unplugged_at_work_is_a_banner_and_reads_again_once_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("atota.station.reader.AGAIN_S", 0.01)
    codes = Codes()
    lost = threading.Event()

    class Cable:
        """A scanner's port that can be pulled out, and that has one code each time it is plugged in."""

        def __init__(self, code: bytes) -> None:
            self._code = code

        def read(self, timeout_s: float) -> bytes:
            if lost.wait(min(timeout_s, 0.01)):
                raise LinkLost("/dev/scanner is gone")
            code, self._code = self._code, b""
            return code

        def close(self) -> None:
            """Nothing is held."""

    def open_link(_port: str, **_options: object) -> Cable:
        return Cable(b"SN1\r\n")

    monkeypatch.setattr("atota.station.reader.open_link", open_link)
    reader = Reader("/dev/scanner", codes.hub, lambda _text: None)
    reader.start()
    try:
        codes.wait(1)
        with codes.hub.subscribe() as events:
            lost.set()
            while codes.hub.snapshot().notices == ():
                assert events.get(LIMIT_S) is not None
        (notice,) = codes.hub.snapshot().notices
        assert (notice.key, "gone" in notice.text) == ("scanner", True)
        lost.clear()
        codes.wait(len(codes.texts) + 1)
        assert codes.hub.snapshot().notices == ()
    finally:
        reader.end()
