"""The ``sim://`` URLs: a simulated module or chip, its options and its faults."""

import re
from collections.abc import Callable
from typing import get_args
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from atota.clock import Clock, clock_at, is_speed
from atota.errors import UsageError
from atota.sim.chips.catalogue import CHIPS, find_chip, make_chip
from atota.sim.chips.options import BootPin, ChipOptions
from atota.sim.device import Device
from atota.sim.modules import make_module
from atota.sim.options import Options
from atota.sim.personas.catalogue import PERSONAS, find_persona
from atota.values import is_imei


class SimUrl(msgspec.Struct, frozen=True, kw_only=True):
    """A ``sim://`` URL taken apart.

    Attributes:
        speed: ``max``, ``real`` or a factor.
        id: see `atota.sim.link.SimHub`.
        options: of a module.
        chip: of a chip; None for a module.
    """

    model: str
    faults: tuple[str, ...] = ()
    speed: str = "max"
    latency_s: float = 0.001  # a USB adapter in low-latency mode
    timer_s: float = 0.0
    id: str = ""
    options: Options = Options()
    chip: ChipOptions | None = None

    def clock(self) -> Clock:
        """A new clock at the URL's speed."""
        return clock_at(self.speed)

    def device(self, on_change: Callable[[str], None] | None = None) -> Device:
        """Make the module or chip that the URL describes, with an identity of its own.

        Raises:
            UsageError: a fault is unknown.
        """
        if self.chip is not None:
            chip = self.chip.as_a_chip_of_its_own()
            return make_chip(self.model, chip, faults=self.faults, on_change=on_change)
        options = self.options.as_a_module_of_its_own()
        return make_module(self.model, options, faults=self.faults, on_change=on_change)


_WIRE_KEYS = "fault seed speed latency_ms timer_ms id".split()  # noqa: SIM905
_MODULE_KEYS = (  # noqa: SIM905
    "baud version imei accept becomes csq echo asleep reset network push"
).split()
_CHIP_KEYS = "version serial part protocol boot lines".split()  # noqa: SIM905


def _wrong(key: str, value: str, needed: str, own: list[str] = _MODULE_KEYS) -> UsageError:
    keys = ", ".join((*_WIRE_KEYS, *own))
    return UsageError(f"sim:// option {key}={value!r}: {needed}", hint=f"Known options: {keys}.")


def _integer(key: str, value: str, least: int, most: int) -> int:
    if not re.fullmatch(r"\d{1,12}", value) or not least <= int(value) <= most:
        raise _wrong(key, value, f"a number from {least} to {most} is needed")
    return int(value)


def _flag(key: str, value: str) -> bool:
    return _integer(key, value, 0, 1) == 1


def parse_sim_url(url: str) -> SimUrl:
    """Take a ``sim://MODEL?option=value&...`` URL apart.

    Options of every device: ``fault`` (see `atota.sim.faults` and `atota.sim.chips.faults`; repeat it or join
    with ``+``), ``seed``, ``speed`` (``max``: simulated time; ``real``; a number: that many times as fast),
    ``latency_ms``, ``timer_ms`` (of a USB adapter, see `atota.sim.link.SimLink`; 0: none), ``id=NAME``
    (opened again in this process, it is the same device), ``version`` (of the firmware or the application).

    Options of a module: ``baud`` (the rate it is fixed to; without it a module that can takes the rate of the
    first AT), ``imei``, ``csq``, ``accept=any`` with ``becomes=VERSION``, ``push=VERSION`` (the platform's
    target, where it drives the update), ``network=0`` (no network), ``echo=1``, ``asleep=1``,
    ``reset=rts|dtr`` (that line is wired to the reset pin).

    Options of a chip: ``serial`` (its unique number, hexadecimal), ``part`` (another part of the family),
    ``protocol`` (of its bootloader, where there are several), ``boot=loader`` (its boot pin is strapped),
    ``lines=0`` (DTR and RTS are not wired to its pins).

    Raises:
        UsageError: the model, an option or a value is unknown; the known ones are listed.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket in it is taken for an IPv6 address
        parts = urlsplit("")
    if parts.scheme != "sim" or not parts.netloc:
        known = ", ".join((*(persona.name for persona in PERSONAS), *CHIPS))
        raise UsageError(
            f"{url!r} is not a simulated module", hint=f"Write sim://MODEL; known modules and chips: {known}."
        )
    model = unquote(parts.netloc)
    chip = find_chip(model)
    own = _CHIP_KEYS if chip else _MODULE_KEYS
    given: dict[str, str] = {}
    faults: list[str] = []
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        if key not in own and key not in _WIRE_KEYS:
            raise _wrong(key, value, "unknown option", own)
        if key == "fault":
            faults.append(value)
        given[key] = value
    speed = given.get("speed", "max")
    if not is_speed(speed):
        raise _wrong("speed", speed, "max, real or a factor from 1 is needed", own)
    return SimUrl(
        model=chip or find_persona(model).name,
        faults=tuple(faults),
        speed=speed,
        latency_s=_integer("latency_ms", given.get("latency_ms", "1"), 0, 10_000) / 1000,
        timer_s=_integer("timer_ms", given.get("timer_ms", "0"), 0, 255) / 1000,
        id=given.get("id", ""),
        options=Options() if chip else _options(model, given),
        chip=_chip_options(chip, given) if chip else None,
    )


def _chip_options(chip: str, given: dict[str, str]) -> ChipOptions:
    kind = CHIPS[chip]
    boot = given.get("boot", "app")
    if boot not in get_args(BootPin):
        raise _wrong("boot", boot, "app or loader is needed", _CHIP_KEYS)
    for key, known in (("part", kind.parts), ("protocol", kind.protocols)):
        if key in given and given[key] not in known:
            raise _wrong(key, given[key], f"one of {', '.join(known) or 'none'} is needed", _CHIP_KEYS)
    serial = given.get("serial")
    if serial is not None and not re.fullmatch(r"[0-9a-fA-F]{12}", serial):
        raise _wrong("serial", serial, "twelve hexadecimal digits are needed", _CHIP_KEYS)
    version = given.get("version", ChipOptions().version)
    if not re.fullmatch(r"[\x21-\x7e]{1,31}", version):
        raise _wrong(
            "version", version, "1 to 31 printable characters without a space are needed", _CHIP_KEYS
        )
    return ChipOptions(
        version=version,
        serial=serial.lower() if serial else None,
        part=given.get("part", kind.parts[0]),
        protocol=given.get("protocol", kind.protocols[0]),
        boot=boot,  # type: ignore[arg-type]
        lines=_flag("lines", given.get("lines", "1")),
        seed=_integer("seed", given.get("seed", "0"), 0, 10**12 - 1),
    )


def _options(model: str, given: dict[str, str]) -> Options:
    persona = find_persona(model)
    if "push" in given and persona.way.name != "platform":
        raise _wrong("push", given["push"], f"no platform drives the update of a {persona.name}")
    reset = given.get("reset", "")
    if reset not in ("", "rts", "dtr"):
        raise _wrong("reset", reset, "rts or dtr is needed")
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
        reset=reset,  # type: ignore[arg-type]
        accept_any="accept" in given,
        becomes=given.get("becomes", ""),
        network=_flag("network", given.get("network", "1")),
        push=given.get("push", ""),
        seed=_integer("seed", given.get("seed", "0"), 0, 10**12 - 1),
    )
