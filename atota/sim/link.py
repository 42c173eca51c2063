"""A simulated module or chip as a link."""

import threading

from atota.clock import Clock
from atota.errors import LinkLost, PortBusy
from atota.sim.chips.chip import SimChip
from atota.sim.device import Device
from atota.sim.module import SimModule
from atota.sim.modules import make_module
from atota.sim.options import Parity
from atota.sim.uart import Wire
from atota.sim.url import SimUrl, parse_sim_url

__all__ = ["SimHub", "SimLink", "make_module", "open_sim_link", "parse_sim_url"]


class SimLink:
    """A link to a simulated module or chip, all in the caller's thread.

    Time passes on ``clock`` in reads and in changes of the rate, never by itself.

    Args:
        device: the module or chip at the other end; its attributes tell its true state.
        clock: the time in which both live.
        baud: the host's rate.
        latency_s: the time that bytes from the adapter are on their way.
        timer_s: the latency timer of a USB adapter (FTDI: 0.016, in low-latency mode 0.001): it hands over
            its bytes when the timer runs out or 62 bytes are there; 0: every byte at once.
        wire: the wire that already leads to the device, where there is one.
    """

    def __init__(
        self,
        device: Device,
        clock: Clock,
        *,
        baud: int = 9600,
        latency_s: float = 0.0,
        timer_s: float = 0.0,
        name: str | None = None,
        wire: Wire | None = None,
    ) -> None:
        self.device = device
        self.clock = clock
        self.name = name or f"sim://{device.name}"
        self._wire = wire or Wire(
            device, baud, parity="N", latency_s=latency_s, timer_s=timer_s, now=clock.monotonic()
        )
        self._baud = baud
        self._dtr = self._rts = False
        self._closed = self._keeps_lines = False

    @property
    def module(self) -> SimModule:
        """The module at the other end, where it is one."""
        assert isinstance(self.device, SimModule), f"{self.name} is not a module"
        return self.device

    @property
    def chip(self) -> SimChip:
        """The chip at the other end, where it is one."""
        assert isinstance(self.device, SimChip), f"{self.name} is not a chip"
        return self.device

    @property
    def baud(self) -> int:
        """The host's rate in bit/s."""
        return self._baud

    def _check(self) -> None:
        if self._closed:
            raise LinkLost(f"{self.name} is closed")
        if self.device.unplugged:
            raise LinkLost(f"{self.name} was unplugged")

    def read(self, timeout_s: float) -> bytes:
        """Return the bytes that have arrived, at least one; ``b""`` if nothing came in ``timeout_s``.

        Raises:
            LinkLost: it is closed or the adapter was pulled out.
        """
        clock, device = self.clock, self.device
        now = clock.monotonic()
        end = now + timeout_s if timeout_s > 0 else now
        while True:
            if self._closed or device.unplugged:
                self._check()
            data = self._wire.wait(clock, now, end)
            if data is None:
                now = clock.monotonic()
            elif self._closed or device.unplugged:
                self._check()
            else:
                return data

    def write(self, data: bytes) -> None:
        """Put ``data`` on the wire; no time passes.

        Raises:
            LinkLost: it is closed or the adapter was pulled out.
        """
        self._check()
        if data:
            self._wire.from_host(bytes(data), self.clock.monotonic())
            self._check()

    def set_baud(self, baud: int) -> None:
        """Wait until everything written has left, then change the rate."""
        self._check()
        self.clock.sleep(self._wire.idle_at - self.clock.monotonic())
        self._wire.set_baud(baud, self.clock.monotonic())
        self._baud = baud

    def set_parity(self, parity: Parity) -> None:
        """Wait until everything written has left, then change the parity."""
        self._check()
        self.clock.sleep(self._wire.idle_at - self.clock.monotonic())
        self._wire.set_parity(parity, self.clock.monotonic())

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Set the control lines; a reset pin, a boot pin or the supply of a module may be wired to them."""
        self._check()
        if isinstance(self.device, SimModule):
            self._switch(self.device, {"dtr": dtr, "rts": rts}.get(self.device.options.power))
        self._dtr = self._dtr if dtr is None else dtr
        self._rts = self._rts if rts is None else rts
        self._wire.set_lines(self.clock.monotonic(), dtr=self._dtr, rts=self._rts)

    def _switch(self, module: SimModule, is_on: bool | None) -> None:
        """Switch a module's supply; without one it says nothing and hears nothing."""
        if is_on is None or is_on is module.has_supply:
            return
        module.has_supply = is_on
        self.power_cycle()
        module.silent = module.silent or not is_on

    def power_cycle(self) -> None:
        """Take the supply away for a moment."""
        now = self.clock.monotonic()
        self._wire.advance(now)
        self._wire.disturb(now, self.device.power_cut(now))

    def press_reset(self, *, boot: bool = False) -> None:
        """Press the reset button of a chip once, with or without its boot button."""
        now = self.clock.monotonic()
        self._wire.advance(now)
        self._wire.disturb(now, self.chip.press(now, boot=boot))

    @property
    def in_use(self) -> bool:
        """True if it is open and plugged in."""
        return not self._closed and not self.device.unplugged

    def replug(self, baud: int | None = None) -> "SimLink":
        """Close this link and return a new one to the same device, as after plugging the adapter in again.

        Args:
            baud: the host's rate; None: as before.
        """
        self.close()
        self.device.unplugged = False
        now = self.clock.monotonic()
        self._wire.cut(now)
        self._wire.set_baud(baud or self._baud, now)
        self._wire.set_parity("N", now)
        return SimLink(self.device, self.clock, baud=baud or self._baud, name=self.name, wire=self._wire)

    def keep_lines(self) -> None:
        """Keep the levels of the control lines when the link is closed."""
        self._keeps_lines = True

    def close(self) -> None:
        """Close the link and let its control lines go; the device goes on. May be called twice."""
        if self.in_use and not self._keeps_lines and (self._dtr or self._rts):
            self.set_lines(dtr=False, rts=False)
        self._closed = True


class SimHub:
    """The simulated devices behind ``sim://`` URLs; one with an ``id`` stays when its adapter is unplugged.

    Lanes may share one: it can be called from several threads.
    """

    def __init__(self) -> None:
        self._links: dict[str, SimLink] = {}
        self._lock = threading.Lock()

    def open(self, url: str, *, baud: int = 9600, clock: Clock | None = None) -> SimLink:
        """Open a simulated module or chip by its URL, see `parse_sim_url`.

        Every call makes a new device, with an identity of its own, but for a URL with ``id=NAME``: the device
        of that id lives as long as the hub; the other options count the first time.

        Args:
            url: ``sim://MODEL?...``.
            baud: the host's rate.
            clock: the time to live in; without it the one that the URL's ``speed`` asks for. A device that
                is there already (``id``) stays in its own.

        Raises:
            UsageError: the URL is wrong.
            PortBusy: the device of that id is open.
        """
        parsed = parse_sim_url(url)
        if not parsed.id:
            return _new_link(parsed, url, baud, clock)
        with self._lock:
            known = self._links.get(parsed.id)
            if known is None:
                link = _new_link(parsed, url, baud, clock)
            elif known.in_use:
                raise PortBusy(
                    f"{known.name} is open already", hint="Close the other link to this simulated device."
                )
            else:
                link = known.replug(baud)
            self._links[parsed.id] = link
        return link


def _new_link(parsed: SimUrl, url: str, baud: int, clock: Clock | None) -> SimLink:
    return SimLink(
        parsed.device(),
        clock or parsed.clock(),
        baud=baud,
        latency_s=parsed.latency_s,
        timer_s=parsed.timer_s,
        name=url,
    )


open_sim_link = SimHub().open
"""The opener of ``sim://`` ports: its hub is the process's, as the serial ports of a machine are."""
