"""The port itself: its existence, permission, holders and adapter.

`gather` asks the system and changes nothing; `judge` and `judge_latency` make findings of the facts.
"""

import math
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from atota.doctor.findings import Finding, blamed, finding
from atota.errors import LinkError, PortNotFound
from atota.link import translate
from atota.link.holders import MODEM_MANAGER, Holder, holders_of, modem_manager
from atota.link.ports import PortInfo, list_ports

_finding = partial(finding, "port")

_UDEV_DATA = Path("/run/udev/data")
_IGNORED = ("E:ID_MM_DEVICE_IGNORE=1", "E:ID_MM_PORT_IGNORE=1")
_PTY_MASTERS = ("/dev/ptmx", "/dev/pts/ptmx")
_NETWORK = ("socket:", "rfc2217:")
_BLOCK = 256
"""Bytes a block where the module is not known yet: most firmwares of hex blocks take this length."""


class PortFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The system's facts of one port.

    ``trouble``: it does not exist, or we may not open it. ``manager``: ModemManager, if it runs;
    ``ignored``: udev's database says that ModemManager leaves the port alone.
    """

    name: str
    info: PortInfo
    trouble: LinkError | None = None
    holders: tuple[Holder, ...] = ()
    manager: Holder | None = None
    ignored: bool = False
    sees_all: bool = True


def is_url(name: str) -> bool:
    """True if a port is reached by a URL: then its adapter, if it has one, is elsewhere."""
    return "://" in name


def gather(name: str) -> PortFacts:
    """Ask the system about the port that the user calls ``name``."""
    trouble = _trouble(name)
    if isinstance(trouble, PortNotFound):
        return PortFacts(name=name, info=PortInfo(device=name), trouble=trouble)
    real = os.path.realpath(name)
    known = (port for port in list_ports() if os.path.realpath(port.device) == real)
    return facts_of(next(known, PortInfo(device=name)), name=name, trouble=trouble)


def facts_of(info: PortInfo, *, name: str | None = None, trouble: LinkError | None = None) -> PortFacts:
    """Ask the system for the facts that a list of ports lacks."""
    name = name or info.device
    return PortFacts(
        name=name,
        info=info,
        trouble=trouble or _trouble(name),
        holders=_others(name),
        manager=modem_manager(),
        ignored=_is_ignored(name),
        sees_all=not hasattr(os, "geteuid") or os.geteuid() == 0,
    )


def judge(facts: PortFacts) -> Iterator[Finding]:
    """Judge the facts that are known without opening the port."""
    if isinstance(facts.trouble, PortNotFound):
        yield blamed("port", "there", facts.trouble, port=facts.name)
        return
    yield _permission(facts)
    yield _held(facts)
    if facts.manager is not None and facts.manager not in facts.holders and facts.info.usb_id is not None:
        yield _manager(facts, facts.manager)
    yield _adapter(facts.info, facts.name)
    if facts.info.usb_id is not None:
        driver = facts.info.driver
        says = driver or "the system does not name the driver"
        yield _finding("driver", "ok" if driver else "unknown", says, port=facts.name)


def judge_url(name: str) -> Finding:
    """Return the one finding of a port behind a URL, which cannot be examined from here."""
    if not name.lower().startswith(_NETWORK):
        return _finding("adapter", "ok", "none: the program itself simulates this module", port=name)
    says = "at the far end of the network: its permission, holders, driver and latency timer are not seen"
    return _finding(
        "adapter", "unknown", says, "Run `atota doctor` on the machine it is connected to.", port=name
    )


def judge_latency(
    name: str, timer_ms: int | None, *, opened_ms: int | None, size: int, block: int = _BLOCK
) -> Finding | None:
    """Judge how long the driver holds back received bytes; None if it holds back nothing.

    Args:
        name: the port.
        timer_ms: the timer as it is set.
        opened_ms: its value while the port is open, which asks for low latency; None: it was not opened.
        size: bytes of an update, to state the cost.
        block: bytes of a block.
    """
    if timer_ms is None:
        return None
    now_ms = timer_ms if opened_ms is None else opened_ms
    if now_ms <= 1:
        meanwhile = "" if timer_ms <= 1 else f", {now_ms} ms while atota has the port"
        return _finding("latency", "ok", f"the driver's timer is {timer_ms} ms{meanwhile}", port=name)
    blocks = math.ceil(size / block)
    lost_s = blocks * (now_ms - 1) / 1000
    says = (
        f"the driver holds back received bytes for up to {now_ms} ms: about {lost_s:.0f} s more for an "
        f"update of {size} bytes in {blocks} blocks"
    )
    kernel = Path(os.path.realpath(name)).name
    command = f"echo 1 | sudo tee /sys/bus/usb-serial/devices/{kernel}/latency_timer"
    next_ = f"Lower it, until the adapter is plugged in anew: `{command}`"
    return _finding("latency", "warning", says, next_, port=name)


def _permission(facts: PortFacts) -> Finding:
    if facts.trouble is not None:
        return blamed("port", "permission", facts.trouble, port=facts.name)
    return _finding("permission", "ok", "you may open it", port=facts.name)


def _held(facts: PortFacts) -> Finding:
    if facts.holders:
        error = translate.busy(facts.name, list(facts.holders), facts.manager)
        return blamed("port", "holders", error, port=facts.name)
    if facts.sees_all:
        return _finding("holders", "ok", "no other program has it open", port=facts.name)
    says = "no program of yours has it open; those of other users are not seen"
    return _finding("holders", "ok", says, port=facts.name)


def _manager(facts: PortFacts, manager: Holder) -> Finding:
    if facts.ignored:
        says = f"{manager} runs, and leaves this adapter alone"
        return _finding(MODEM_MANAGER, "ok", says, port=facts.name)
    vendor = (facts.info.usb_id or "").partition(":")[0]
    says = f"{manager} runs, and sends AT commands to every serial port that is plugged in"
    next_ = translate.manager_hint(manager, certain=True, vendor=vendor)
    return _finding(MODEM_MANAGER, "warning", says, next_, port=facts.name)


def _adapter(info: PortInfo, name: str) -> Finding:
    if info.usb_id is not None:
        chip = info.chip or info.description or "an unknown chip"
        serial = f", serial number {info.serial_number}" if info.serial_number else ""
        location = f", at {info.location}" if info.location else ""
        says = f"{chip}, USB {info.usb_id}{serial}{location}"
    elif os.path.realpath(name).startswith("/dev/pts/"):
        says = "none: this is a pseudo-terminal, another program's"
    else:
        says = info.description or "a port of the machine's own, not on USB"
    return _finding("adapter", "ok", says, port=name)


def _trouble(name: str) -> LinkError | None:
    """Return the error if the port is missing or forbidden by its file; opening it may show more."""
    if sys.platform == "win32":  # ports have no files there
        return None
    if not os.path.lexists(name) or not Path(name).exists():
        return translate.missing(name)
    if not os.access(name, os.R_OK | os.W_OK):
        return translate.forbidden(name)
    return None


def _others(name: str) -> tuple[Holder, ...]:
    """Return the programs that have it open, except its makers, which hold the other side of a pty."""
    real = os.path.realpath(name)
    if not real.startswith("/dev/pts/"):
        return tuple(holders_of([real])[real])
    holders = holders_of([real, *_PTY_MASTERS])
    makers = {holder.pid for master in _PTY_MASTERS for holder in holders[master]}
    return tuple(holder for holder in holders[real] if holder.pid not in makers)


def _is_ignored(name: str) -> bool:
    """True if a udev rule keeps ModemManager off it; udev's database names devices by their numbers."""
    try:
        number = os.stat(name).st_rdev  # noqa: PTH116 (one call, for one field)
        text = (_UDEV_DATA / f"c{os.major(number)}:{os.minor(number)}").read_text(errors="replace")
    except (OSError, AttributeError):
        return False
    return any(mark in text.splitlines() for mark in _IGNORED)
