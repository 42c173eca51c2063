"""Hosts for the tests of simulated modules: one that reads a link, one that lives in numbers only."""

from functools import reduce
from operator import xor

from atota.sim.link import SimLink, make_module, open_sim_link
from atota.sim.module import SimModule
from atota.sim.options import Options

OK = b"\r\nOK\r\n"
ERROR = b"\r\nERROR\r\n"


class LinkHost:
    """A host on a link to ``model``, echo off.

    Args:
        model: the persona.
        faults: joined with ``+``.
        options: of the URL, ``key=value`` joined with ``&``.
        baud: its rate.
        numbers: errors carry numbers.
        patience_s: the longest wait for a response.
    """

    def __init__(
        self,
        model: str,
        faults: str = "",
        options: str = "seed=0",
        *,
        baud: int = 115200,
        numbers: bool = True,
        patience_s: float = 60.0,
    ) -> None:
        fault = f"&fault={faults}" if faults else ""
        self.link: SimLink = open_sim_link(f"sim://{model}?{options}{fault}", baud=baud)
        self.module = self.link.module
        self.patience_s = patience_s
        self.say(b"ATE0")
        if numbers:
            self.say(b"AT+CMEE=1")

    def read_until(self, seconds: float | None = None, *ends: bytes) -> bytes:
        """Everything until one of ``ends`` ends it, by default a final result, or the time is over."""
        end = self.link.clock.monotonic() + (self.patience_s if seconds is None else seconds)
        out = b""
        while (remaining := end - self.link.clock.monotonic()) > 1e-6:
            out += self.link.read(remaining)
            numbered = not ends and b"+CME ERROR" in out and out[-1:] == b"\n"
            if out.endswith(ends or (OK, ERROR)) or numbered:
                break
        return out

    def say(self, line: bytes, *ends: bytes) -> bytes:
        """Send a command and read its response."""
        self.link.write(line + b"\r")
        return self.read_until(None, *ends)


class TimeHost:
    """A host that feeds a module whose time is a number; it waits ``before`` each command."""

    def __init__(
        self, model: str, *faults: str, options: Options | None = None, before: float = 30.0
    ) -> None:
        self.changes: list[str] = []
        self.module: SimModule = make_module(model, options, faults=faults, on_change=self.changes.append)
        self.now = 0.0
        self.before = before

    def say(self, line: bytes, after: float | None = None) -> bytes:
        """Wait, send a command, and return what it is answered with."""
        self.wait(self.before if after is None else after)
        return b"".join(data for _, data in self.module.feed(line + b"\r", self.now))

    def wait(self, seconds: float) -> bytes:
        """Let time pass; return what the module sends by itself."""
        self.now += seconds
        return b"".join(sent.data for sent in self.module.tick(self.now))

    def segments(self, data: bytes, size: int, command: bytes = b"AT+NFWUPD") -> None:
        """Send NFWUPD segments of ``size`` bytes; each must be taken."""
        for number, start in enumerate(range(0, len(data), size)):
            piece = data[start : start + size]
            line = b"=1,%d,%d,%s,%02X" % (
                number,
                len(piece),
                piece.hex().upper().encode(),
                reduce(xor, piece),
            )
            assert self.say(command + line) == OK
