"""The ``sim://`` URLs: a simulated module or chip, its options and its faults."""

import re
from collections.abc import Callable, Mapping
from typing import get_args
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from atota.clock import Clock, clock_at, is_speed
from atota.errors import UsageError
from atota.names import advice
from atota.sim.chips.catalogue import CHIPS, find_chip, make_chip
from atota.sim.chips.options import CHIP_OPTIONS, BootPin, ChipOptions
from atota.sim.device import Device
from atota.sim.modules import make_module
from atota.sim.options import KNOWN_OPTIONS, OptionKind, Options
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


def _wrong(key: str, value: str, needed: str, known: Mapping[str, OptionKind] = KNOWN_OPTIONS) -> UsageError:
    kind = known.get(key)
    form = f"Write {kind.usage}." if kind is not None else advice(key, known, known="Known options")
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

    `KNOWN_OPTIONS` has a module's options, `CHIP_OPTIONS` a chip's.

    Raises:
        UsageError: the model, an option or a value is unknown; the known ones are listed.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket in it is taken for an IPv6 address
        parts = urlsplit("")
    if parts.scheme != "sim" or not parts.netloc:
        names = ", ".join((*(persona.name for persona in PERSONAS), *CHIPS))
        raise UsageError(
            f"{url!r} is not a simulated module", hint=f"Write sim://MODEL; known modules and chips: {names}."
        )
    model = unquote(parts.netloc)
    chip = find_chip(model)
    known = CHIP_OPTIONS if chip else KNOWN_OPTIONS
    given: dict[str, str] = {}
    faults: list[str] = []
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        if key not in known:
            raise _wrong(key, value, "unknown option", known)
        if key == "fault":
            faults.append(value)
        given[key] = value
    speed = given.get("speed", "max")
    if not is_speed(speed):
        raise _wrong("speed", speed, "max, real or a factor from 1 is needed", known)
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
        raise _wrong("boot", boot, "app or loader is needed", CHIP_OPTIONS)
    for key, values in (("part", kind.parts), ("protocol", kind.protocols)):
        if key in given and given[key] not in values:
            raise _wrong(key, given[key], f"one of {', '.join(values) or 'none'} is needed", CHIP_OPTIONS)
    serial = given.get("serial")
    if serial is not None and not re.fullmatch(r"[0-9a-fA-F]{12}", serial):
        raise _wrong("serial", serial, "twelve hexadecimal digits are needed", CHIP_OPTIONS)
    version = given.get("version", ChipOptions().version)
    if not re.fullmatch(r"[\x21-\x7e]{1,31}", version):
        raise _wrong(
            "version", version, "1 to 31 printable characters without a space are needed", CHIP_OPTIONS
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
    lines = {key: given.get(key, "") for key in ("reset", "power")}
    for key, line in lines.items():
        if line not in ("", "rts", "dtr"):
            raise _wrong(key, line, "rts or dtr is needed")
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
        reset=lines["reset"],  # type: ignore[arg-type]
        power=lines["power"],  # type: ignore[arg-type]
        accept_any="accept" in given,
        becomes=given.get("becomes", ""),
        network=_flag("network", given.get("network", "1")),
        push=given.get("push", ""),
        seed=_integer("seed", given.get("seed", "0"), 0, 10**12 - 1),
    )
