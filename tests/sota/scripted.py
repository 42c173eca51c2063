"""A link that plays a script of literal bytes under simulated time, and jobs on it."""

from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from atota.clock import Clock, SimulatedClock
from atota.errors import LineUnavailable, LinkLost
from atota.journal.store import Journal
from atota.link.base import Link, Parity
from atota.settings.board import decode_board
from atota.settings.spec import Allowed, JobSpec, LocalPackage
from atota.update.events import JobEvent, JobResult
from atota.update.job import Job
from atota.values import Digests

Reply = bytes | Exception | None


def bits(text: str) -> bytes:
    """Return the bytes of a line of hex digits."""
    return bytes.fromhex(text)


class Scripted:
    """A chip that answers exactly one conversation: each exchange is what is sent, and what comes back."""

    name = "scripted"

    def __init__(self, script: Iterable[tuple[bytes, Reply]], *, has_lines: bool = True) -> None:
        self.clock: Clock = SimulatedClock()
        self.script = deque(script)
        self.sent = bytearray()
        self.settings: list[tuple[int, Parity]] = []
        self.lines: list[str] = []
        self.baud = 115200
        self.parity: Parity = "N"
        self._arrived = bytearray()
        self._has_lines = has_lines
        self._pending = bytearray()

    def read(self, timeout_s: float) -> bytes:
        if not self._arrived:
            self.clock.sleep(timeout_s)
            return b""
        data = bytes(self._arrived)
        self._arrived.clear()
        return data

    def write(self, data: bytes) -> None:
        self.sent += data
        self._pending += data
        assert self.script, f"sent behind the end of the script: {data.hex(' ')}"
        expected, reply = self.script[0]
        assert expected.startswith(self._pending[: len(expected)]), (
            f"expected {expected.hex(' ')}, sent {self._pending.hex(' ')}"
        )
        if len(self._pending) >= len(expected):
            assert len(self._pending) == len(expected), f"too much was sent: {self._pending.hex(' ')}"
            self._pending.clear()
            self.script.popleft()
            if isinstance(reply, Exception):
                raise reply
            self._arrived += reply or b""

    def set_baud(self, baud: int) -> None:
        self.baud = baud
        self.settings.append((baud, self.parity))

    def set_parity(self, parity: Parity) -> None:
        self.parity = parity
        self.settings.append((self.baud, parity))

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        if not self._has_lines:
            raise LineUnavailable("no lines")
        self.lines += [f"D{dtr:d}"] if dtr is not None else [f"R{rts:d}"]

    def close(self) -> None: ...


Start = Callable[..., JobResult]


class Desk:
    """A scripted chip on a desk: each job opens it and plays the rest of its script."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._folder = folder
        self._patch = monkeypatch
        self.events: list[JobEvent] = []
        self.on_event: Callable[[JobEvent], None] = lambda _: None
        self.journal: Journal | None = None

    def flash(
        self, link: Link, package: bytes, *, target: str, chip: str, model: str = "GD32", erase: bool = False
    ) -> JobResult:
        """Flash a package onto the chip of a link; ``chip`` is the body of the board's [chip]."""
        self._patch.setattr("atota.sota.opening.open_link", lambda *_args, **_more: link)
        path = self._folder / "app.bin"
        path.write_bytes(package)
        board = decode_board(f"name = 'desk'\nmodel = '{model}'\n[chip]\n{chip}\n", name="desk.toml")
        spec = JobSpec(
            port="chip",
            task_type="sota",
            board=board,
            package=LocalPackage(path, Digests.of(package).md5, target),
            allowed=Allowed(erase=erase),
        )
        self.events.clear()
        return Job(spec, listener=self._listen, journal=self.journal).run()

    def _listen(self, event: JobEvent) -> None:
        self.events.append(event)
        self.on_event(event)


def lost() -> LinkLost:
    """Make the error of a port that goes away."""
    return LinkLost("the port is gone")
