"""The command that plays a recorded module to any program, and shows where that program departs: replay."""

from pathlib import Path
from typing import Annotated, Any

import typer

from atota.cli.call import Call
from atota.cli.commands.sim import tcp_address
from atota.cli.view.output import plural, styled
from atota.clock import Clock, SystemClock, clock_at
from atota.errors import LinkLost, ReplayDiverged
from atota.sim.serve import serve_pty, serve_tcp
from atota.transcript.recording import BaudChange, Closed, Opened, Recording, read_recording
from atota.transcript.replay import ReplayLink

_LINGER_S = 1.0
"""Seconds of the machine's time that the port stays after the end: the program may still read."""


class RecordedModule:
    """A recording, in the form that can be served on a port.

    Args:
        recording: the recording to play.
        clock: the time to live in.
        visible: True if the program's rate can be seen (a pty), and so has to be the recorded one.
    """

    def __init__(self, recording: Recording, clock: Clock, *, visible: bool) -> None:
        self.first_baud = recording.baud or 9600
        self.link = ReplayLink(recording, clock, baud=self.first_baud, rates=visible, lines=False)
        self._visible = visible
        self._baud = self.first_baud
        self._present = visible  # a network port is silent until a program has connected
        self._linger_s = _LINGER_S * clock.slice_s / SystemClock.slice_s
        self._ended_at: float | None = None

    @property
    def unplugged(self) -> bool:
        """True if the recorded port was lost here."""
        return self.link.is_lost

    @property
    def over(self) -> bool:
        """True if all was played, some time ago."""
        now = self.link.clock.monotonic()
        return self._ended_at is not None and now >= self._ended_at + self._linger_s

    @property
    def comes_back(self) -> bool:
        """True if the recorded port was lost here, and opened again later."""
        return self.unplugged and isinstance(self.link.current, Opened)

    def from_host(self, data: bytes, now: float) -> None:  # noqa: ARG002 - part of what is served
        """Compare what the program wrote with the recording.

        Raises:
            ReplayDiverged: they differ.
        """
        if self._visible and self._baud != self.link.baud:
            self.link.set_baud(self._baud)
        try:
            self.link.write(data)
        except LinkLost:
            return

    def to_host(self, now: float) -> bytes:
        """Return the bytes due by ``now``."""
        if not self._present or self.unplugged:
            return b""
        try:
            data = self.link.read(0.0)
        except LinkLost:
            return b""
        if self.link.finished and self._ended_at is None:
            self._ended_at = now
        return data

    def next_time(self) -> float:
        """Return the time of the next event."""
        return self.link.next_due() if self._ended_at is None else self._ended_at + self._linger_s

    def set_baud(self, baud: int, now: float) -> None:  # noqa: ARG002 - part of what is served
        """Note the program's rate; it counts when it is the recorded one, or when something is written."""
        self._baud = baud
        entry = self.link.current
        if baud != self.link.baud and isinstance(entry, BaudChange) and entry.baud == baud:
            self.link.set_baud(baud)

    def plug(self, now: float) -> None:  # noqa: ARG002 - part of what is served
        """Note that a program has connected; a port that was lost is there again."""
        self._present = True
        if self.comes_back:
            self.link = self.link.reopened(self._baud)

    def cut(self, now: float) -> None:
        """Note that the program has left; where the recorded one left too, this is the end."""
        self._present = False
        if (self.link.current is None or isinstance(self.link.current, Closed)) and self._ended_at is None:
            self.link.close()
            self._ended_at = now


def replay(
    call: Call,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that --transcript has written.")],
    tcp: Annotated[
        str | None, typer.Option(metavar="[HOST:]PORT", help="Serve a TCP port instead of a pty.")
    ] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="The speed of its time.")] = 1.0,
) -> int:
    """Serve one recording until its end, Ctrl-C, or where the program departs from it."""
    recording = read_recording(file)
    clock = clock_at(speed)
    module = RecordedModule(recording, clock, visible=tcp is None)
    call.out.begin(file=str(file))

    def on_ready(port: str) -> None:
        page = styled("[bold]{}[/] on [bold]{}[/]  (Ctrl-C ends it)", file.name, port)
        call.out.event("ready", page, port=port)

    try:
        if tcp is not None:
            host, number = tcp_address(tcp)
            serve_tcp(module, host, number, clock=clock, on_ready=on_ready, stop=call.stop)
        else:
            serve_pty(module, clock, on_ready, call.stop)
            while module.comes_back and not call.stop.is_set:
                module.plug(clock.monotonic())
                serve_pty(module, clock, on_ready, call.stop)
    except ReplayDiverged as parted:
        where = {"line": parted.line, "expected": parted.expected, "got": parted.got}
        return call.out.failure(parted, **_progress(module), diverged=where)
    fields = _progress(module)
    call.done(f"played {fields['played']} of {plural(fields['of'], 'line')}", **fields, diverged=None)
    return 0


def _progress(module: RecordedModule) -> dict[str, Any]:
    """Return how much was played, as JSON has it."""
    return {"played": module.link.position, "of": len(module.link.recording.entries)}
