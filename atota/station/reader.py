"""A scanner with a serial port of its own (USB-COM): its lines go to the station, whatever has the focus."""

import re
import threading
from collections.abc import Callable

from atota.clock import StopToken, SystemClock
from atota.errors import AtotaError
from atota.link.open import open_link
from atota.station.hub import Hub
from atota.station.view import Notice, ScanCommand

BAUD = 9600
AGAIN_S = 2.0
_LINE = re.compile(rb"[\r\n]+")
_MOST = 1000


class Reader:
    """The thread that reads one scanner; a scanner that is unplugged is looked for again.

    Args:
        port: its port.
        hub: takes its codes, and the banner while it is away.
        warn: told its absence in words.
    """

    def __init__(self, port: str, hub: Hub, warn: Callable[[str], None]) -> None:
        self._port = port
        self._hub = hub
        self._warn = warn
        self._stop = StopToken()
        self._clock = SystemClock()
        self._thread = threading.Thread(target=self._run, name="station-scanner", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def end(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        is_away = False
        while not self._stop.is_set:
            try:
                self._read()
            except AtotaError as error:
                if not is_away:
                    is_away = True
                    self._warn(error.message)
                    self._hub.put_notice(
                        Notice(
                            key="scanner",
                            level="warning",
                            text=f"the scanner is away: {error.message}",
                            hint="Plug it in again.",
                        )
                    )
                end = self._clock.monotonic() + AGAIN_S
                while self._clock.monotonic() < end and not self._stop.is_set:
                    self._clock.sleep(SystemClock.slice_s)
            else:
                return

    def _read(self) -> None:
        link = open_link(self._port, baud=BAUD)
        self._hub.put_notice(Notice(key="scanner"))
        received = b""
        try:
            while not self._stop.is_set:
                received += link.read(SystemClock.slice_s)
                *lines, received = _LINE.split(received)
                received = received[-_MOST:]
                for line in lines:
                    if line:
                        self._hub.send(ScanCommand(text=line.decode("utf-8", "replace")))
        finally:
            link.close()
