"""The host's side of a chip's wire, in literal bytes."""

from atota.clock import SimulatedClock
from atota.sim.link import SimLink, open_sim_link


def opened(url: str, baud: int = 115200) -> SimLink:
    """Open a simulated chip in simulated time."""
    return open_sim_link(url, baud=baud, clock=SimulatedClock())


def ask(link: SimLink, data: bytes, size: int, seconds: float = 2.0) -> bytes:
    """Write; return what comes until ``size`` bytes are there or the time is over."""
    link.write(data)
    return listen(link, size, seconds)


def listen(link: SimLink, size: int, seconds: float = 2.0) -> bytes:
    """Return what comes until ``size`` bytes are there or the time is over."""
    end = link.clock.monotonic() + seconds
    out = b""
    while len(out) < size and (remaining := end - link.clock.monotonic()) > 0:
        out += link.read(remaining)
    return out


def until(link: SimLink, ending: bytes, seconds: float = 10.0) -> bytes:
    """Return what comes until it ends so or the time is over."""
    end = link.clock.monotonic() + seconds
    out = b""
    while not out.endswith(ending) and (remaining := end - link.clock.monotonic()) > 0:
        out += link.read(remaining)
    return out


def enter_loader(link: SimLink) -> None:
    """Hold the boot pin over a reset: DTR and RTS as the usual tools do."""
    link.set_lines(dtr=False, rts=True)
    link.clock.sleep(0.1)
    link.set_lines(dtr=True)
    link.set_lines(rts=False)
    link.clock.sleep(0.05)
    link.set_lines(dtr=False)


def leave_loader(link: SimLink) -> None:
    """Reset with the boot pin let go."""
    link.set_lines(dtr=False, rts=True)
    link.clock.sleep(0.1)
    link.set_lines(rts=False)
