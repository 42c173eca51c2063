"""A simulated module as a link, and the ``sim://`` URLs."""

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from atota.clock import Clock, clock_at, is_speed
from atota.errors import LinkLost, PortBusy, UsageError
from atota.names import advice
from atota.sim.fetch import http_fetch
from atota.sim.module import SimModule
from atota.sim.options import KNOWN_OPTIONS, Options
from atota.sim.personas.catalogue import PERSONAS, find_persona
from atota.sim.uart import Wire
from atota.values import is_imei


class SimUrl(msgspec.Struct, frozen=True, kw_only=True):
    """A ``sim://`` URL taken apart. ``speed``: ``max``, ``real`` or a factor; ``id``: see `SimHub`."""

    model: str
    faults: tuple[str, ...] = ()
    speed: str = "max"
    latency_s: float = 0.001  # a USB adapter in low-latency mode
    timer_s: float = 0.0
    reset: Literal["", "rts", "dtr"] = ""
    id: str = ""
    options: Options = Options()

    def clock(self) -> Clock:
        """A new clock at the URL's speed."""
        return clock_at(self.speed)


def _wrong(key: str, value: str, needed: str) -> UsageError:
    kind = KNOWN_OPTIONS.get(key)
    form = f"Write {kind.usage}." if kind is not None else advice(key, KNOWN_OPTIONS, known="Known options")
    return UsageError(
        f"sim:// option {key}={value!r}: {needed}", hint=f"{form} `atota sim faults` explains each option."
    )


def _integer(key: str, value: str, least: int, most: int) -> int:
    if not re.fullmatch(r"\d{1,12}", value) or not least <= int(value) <= most:
        raise _wrong(key, value, f"a number from {least} to {most} is needed")
    return int(value)


def _flag(key: str, value: str) -> bool:
    return _integer(key, value, 0, 1) == 1


def parse_sim_url(url: str) -> SimUrl:
    """Take a ``sim://MODEL?option=value&...`` URL apart.

    `atota.sim.options.KNOWN_OPTIONS` has the options, `atota.sim.faults` the faults.

    Raises:
        UsageError: the model, an option or a value is unknown; the known ones are listed.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket in it is taken for an IPv6 address
        parts = urlsplit("")
    if parts.scheme != "sim" or not parts.netloc:
        raise UsageError(
            f"{url!r} is not a simulated module",
            hint="Write sim://MODEL; known modules: " + ", ".join(persona.name for persona in PERSONAS) + ".",
        )
    given: dict[str, str] = {}
    faults: list[str] = []
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        if key not in KNOWN_OPTIONS:
            raise _wrong(key, value, "unknown option")
        if key == "fault":
            faults.append(value)
        given[key] = value
    speed = given.get("speed", "max")
    if not is_speed(speed):
        raise _wrong("speed", speed, "max, real or a factor from 1 is needed")
    reset = given.get("reset", "")
    if reset not in ("", "rts", "dtr"):
        raise _wrong("reset", reset, "rts or dtr is needed")
    persona = find_persona(unquote(parts.netloc))
    if "push" in given and persona.way.name != "platform":
        raise _wrong("push", given["push"], f"no platform drives the update of a {persona.name}")
    return SimUrl(
        model=persona.name,
        faults=tuple(faults),
        speed=speed,
        latency_s=_integer("latency_ms", given.get("latency_ms", "1"), 0, 10_000) / 1000,
        timer_s=_integer("timer_ms", given.get("timer_ms", "0"), 0, 255) / 1000,
        reset=reset,  # type: ignore[arg-type]
        id=given.get("id", ""),
        options=_options(given),
    )


def _options(given: dict[str, str]) -> Options:
    if given.get("accept", "any") != "any":
        raise _wrong("accept", given["accept"], "only `any` can be accepted")
    if "accept" in given and not given.get("becomes"):
        raise _wrong("accept", "any", "becomes=VERSION is needed with it")
    if "imei" in given and not is_imei(given["imei"]):
        raise _wrong("imei", given["imei"], "fifteen digits are needed")
    return Options(
        version=given.get("version"),
        imei=given.get("imei"),
        csq=_integer("csq", given["csq"], 0, 99) if "csq" in given else None,
        baud=_integer("baud", given["baud"], 300, 4_000_000) if "baud" in given else None,
        echo=_flag("echo", given.get("echo", "0")),
        asleep=_flag("asleep", given.get("asleep", "0")),
        accept_any="accept" in given,
        becomes=given.get("becomes", ""),
        network=_flag("network", given.get("network", "1")),
        push=given.get("push", ""),
        seed=_integer("seed", given.get("seed", "0"), 0, 10**12 - 1),
    )


def make_module(
    model: str,
    options: Options | None = None,
    *,
    faults: Iterable[str] = (),
    on_change: Callable[[str], None] | None = None,
) -> SimModule:
    """Make a simulated module by its model's name; one that downloads by itself does so over HTTP.

    Raises:
        UsageError: the model or a fault is unknown.
    """
    options = options or Options()
    if options.fetch is None:
        options = replace(options, fetch=http_fetch)
    return SimModule(find_persona(model), options, faults=faults, on_change=on_change)


class SimLink:
    """A link to a simulated module, all in the caller's thread.

    Time passes on ``clock`` in reads and in changes of the rate, never by itself.

    Args:
        module: the module at the other end; its attributes tell its true state.
        clock: the time in which both live.
        baud: the host's rate.
        latency_s: the time that bytes from the adapter are on their way.
        timer_s: the latency timer of a USB adapter (FTDI: 0.016, in low-latency mode 0.001): it hands over
            its bytes when the timer runs out or 62 bytes are there; 0: every byte at once.
        reset: the control line that is wired to the reset pin, if any.
        wire: the wire that already leads to the module, where there is one.
    """

    def __init__(
        self,
        module: SimModule,
        clock: Clock,
        *,
        baud: int = 9600,
        latency_s: float = 0.0,
        timer_s: float = 0.0,
        reset: str = "",
        name: str | None = None,
        wire: Wire | None = None,
    ) -> None:
        self.module = module
        self.clock = clock
        self.name = name or f"sim://{module.persona.name}"
        self._wire = wire or Wire(module, baud, latency_s=latency_s, timer_s=timer_s, now=clock.monotonic())
        self._baud = baud
        self._reset = reset
        self._held = False
        self._closed = False

    @property
    def baud(self) -> int:
        """The host's rate in bit/s."""
        return self._baud

    def _check(self) -> None:
        if self._closed:
            raise LinkLost(f"{self.name} is closed")
        if self.module.unplugged:
            raise LinkLost(f"{self.name} was unplugged")

    def read(self, timeout_s: float) -> bytes:
        """Return the bytes that have arrived, at least one; ``b""`` if nothing came in ``timeout_s``.

        Raises:
            LinkLost: it is closed or the adapter was pulled out.
        """
        clock, module = self.clock, self.module
        now = clock.monotonic()
        end = now + timeout_s if timeout_s > 0 else now
        while True:
            if self._closed or module.unplugged:
                self._check()
            data = self._wire.wait(clock, now, end)
            if data is None:
                now = clock.monotonic()
            elif self._closed or module.unplugged:
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

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Set the control lines; the one that is wired to the reset pin resets when it is let go."""
        self._check()
        level = {"dtr": dtr, "rts": rts}.get(self._reset)
        if level is None:
            return
        if self._held and not level:
            now = self.clock.monotonic()
            self._wire.advance(now)
            self._wire.disturb(now, self.module.reset_pin(now))
        self._held = level

    def power_cycle(self) -> None:
        """Take the module's supply away for a moment."""
        now = self.clock.monotonic()
        self._wire.advance(now)
        self._wire.disturb(now, self.module.power_cut(now))

    @property
    def in_use(self) -> bool:
        """True if it is open and plugged in."""
        return not self._closed and not self.module.unplugged

    def replug(self, baud: int | None = None) -> "SimLink":
        """Close this link and return a new one to the same module, as after plugging the adapter in again.

        Args:
            baud: the host's rate; None: as before.
        """
        self.close()
        self.module.unplugged = False
        now = self.clock.monotonic()
        self._wire.cut(now)
        self._wire.set_baud(baud or self._baud, now)
        return SimLink(
            self.module,
            self.clock,
            baud=baud or self._baud,
            reset=self._reset,
            name=self.name,
            wire=self._wire,
        )

    def close(self) -> None:
        """Close the link; the module goes on. May be called twice."""
        self._closed = True


class SimHub:
    """The simulated modules behind ``sim://`` URLs; one with an ``id`` stays when its adapter is unplugged.

    Lanes may share one: it can be called from several threads.
    """

    def __init__(self) -> None:
        self._links: dict[str, SimLink] = {}
        self._lock = threading.Lock()

    def open(self, url: str, *, baud: int = 9600, clock: Clock | None = None) -> SimLink:
        """Open a simulated module by its URL, see `parse_sim_url`.

        Every call makes a new module, with an IMEI of its own, but for a URL with ``id=NAME``: the module of
        that id lives as long as the hub; the other options count the first time.

        Args:
            url: ``sim://MODEL?...``.
            baud: the host's rate.
            clock: the time to live in; without it the one that the URL's ``speed`` asks for. A module that
                is there already (``id``) stays in its own.

        Raises:
            UsageError: the URL is wrong.
            PortBusy: the module of that id is open.
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
                    f"{known.name} is open already", hint="Close the other link to this simulated module."
                )
            else:
                link = known.replug(baud)
            self._links[parsed.id] = link
        return link


def _new_link(parsed: SimUrl, url: str, baud: int, clock: Clock | None) -> SimLink:
    return SimLink(
        make_module(parsed.model, parsed.options.as_a_module_of_its_own(), faults=parsed.faults),
        clock or parsed.clock(),
        baud=baud,
        latency_s=parsed.latency_s,
        timer_s=parsed.timer_s,
        reset=parsed.reset,
        name=url,
    )


open_sim_link = SimHub().open
"""The opener of ``sim://`` ports: its hub is the process's, as the serial ports of a machine are."""
