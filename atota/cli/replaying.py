"""Serves a recorded module to any program, and says where that program leaves the recording."""

from pathlib import Path
from typing import Any

from atota.cli.call import Call
from atota.cli.output import styled
from atota.cli.simulating import clock_at, tcp_address
from atota.clock import Clock, SystemClock
from atota.errors import LinkLost, ReplayDiverged
from atota.transcript.recording import BaudChange, Closed, Opened, Recording, read_recording
from atota.transcript.replay import ReplayLink

_LINGER_S = 1.0
"""How long, in the machine's time, the port stays after the end: the program may still read."""


class RecordedModule:
    """A recording, as something that can be served on a port.

    Args:
        recording: what is played.
        clock: the time to live in.
        visible: whether the program's rate can be seen (a pty), and so has to be the recorded one.
    """

    def __init__(self, recording: Recording, clock: Clock, *, visible: bool) -> None:
        self.first_baud = recording.baud or 9600
        self.link = ReplayLink(recording, clock, baud=self.first_baud, rates=visible, lines=False)
        self._visible = visible
        self._baud = self.first_baud
        self._present = visible  # on a network port nothing is said before somebody is there to hear it
        self._linger_s = _LINGER_S * clock.slice_s / SystemClock.slice_s
        self._ended_at: float | None = None

    @property
    def gone(self) -> bool:
        """Whether the recorded port was lost here."""
        return self.link.is_lost

    @property
    def over(self) -> bool:
        """Whether all was played, some time ago."""
        now = self.link.clock.monotonic()
        return self._ended_at is not None and now >= self._ended_at + self._linger_s

    @property
    def comes_back(self) -> bool:
        """Whether the recorded port was lost here, and opened again later."""
        return self.gone and isinstance(self.link.current, Opened)

    def from_host(self, data: bytes, now: float) -> None:  # noqa: ARG002 - part of what is served
        """Hold what the program wrote against the recording.

        Raises:
            ReplayDiverged: it is something else.
        """
        if self._visible and self._baud != self.link.baud:
            self.link.set_baud(self._baud)
        try:
            self.link.write(data)
        except LinkLost:
            return

    def to_host(self, now: float) -> bytes:
        """What is due by ``now``."""
        if not self._present or self.gone:
            return b""
        try:
            data = self.link.read(0.0)
        except LinkLost:
            return b""
        if self.link.finished and self._ended_at is None:
            self._ended_at = now
        return data

    def next_time(self) -> float:
        """When the next thing happens."""
        return self.link.next_due() if self._ended_at is None else self._ended_at + self._linger_s

    def set_baud(self, baud: int, now: float) -> None:  # noqa: ARG002 - part of what is served
        """Learn the program's rate; it counts when it is the recorded one, or when something is written."""
        self._baud = baud
        entry = self.link.current
        if baud != self.link.baud and isinstance(entry, BaudChange) and entry.baud == baud:
            self.link.set_baud(baud)

    def plug(self, now: float) -> None:  # noqa: ARG002 - part of what is served
        """Somebody is there to hear it; a port that was lost is there again."""
        self._present = True
        if self.comes_back:
            self.link = self.link.reopened(self._baud)

    def cut(self, now: float) -> None:
        """The program is gone; where the recorded one went, too, this is the end."""
        self._present = False
        if (self.link.current is None or isinstance(self.link.current, Closed)) and self._ended_at is None:
            self.link.close()
            self._ended_at = now


def serve_recording(call: Call, file: Path, tcp: str | None, speed: float) -> int:
    """Serve one recording until its end, Ctrl-C, or where the program says something else."""
    from atota.sim.serve import serve_pty, serve_tcp

    recording = read_recording(file)
    clock = clock_at(speed)
    module = RecordedModule(recording, clock, visible=tcp is None)
    call.out.begin(file=str(file))

    def ready(port: str) -> None:
        call.out.event("ready", port=port)
        if not call.out.json:
            call.out.show(styled("[bold]{}[/] on [bold]{}[/]  (Ctrl-C ends it)", file.name, port))

    try:
        if tcp is not None:
            host, number = tcp_address(tcp)
            serve_tcp(module, host, number, clock=clock, on_ready=ready, stop=call.stop)
        else:
            serve_pty(module, clock, ready, call.stop)
            while module.comes_back and not call.stop.is_set:
                module.plug(clock.monotonic())
                serve_pty(module, clock, ready, call.stop)
    except ReplayDiverged as parted:
        where = {"line": parted.line, "expected": parted.expected, "got": parted.got}
        call.out.failure(parted, **_played(module, diverged=where))
        return parted.exit_code
    told = _played(module, diverged=None)
    if not call.out.json:
        call.out.show(f"played {told['played']} of {told['of']} lines")
    call.done(**told)
    return 0


def _played(module: RecordedModule, *, diverged: dict[str, Any] | None) -> dict[str, Any]:
    """How far it got, as JSON has it."""
    of = len(module.link.recording.entries)
    return {"played": module.link.position, "of": of, "diverged": diverged}
