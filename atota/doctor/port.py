"""The port itself: is it there, may we open it, who has it, what adapter is it.

`gather` asks the system and changes nothing; `judge` and `judge_latency` make findings of what it told.
"""

import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from atota.doctor.findings import Finding, State, blamed
from atota.errors import LinkError, PortNotFound
from atota.link import translate
from atota.link.holders import MODEM_MANAGER, Holder, holders_of, modem_manager
from atota.link.ports import PortInfo, list_ports

_UDEV_DATA = Path("/run/udev/data")
_IGNORED = ("E:ID_MM_DEVICE_IGNORE=1", "E:ID_MM_PORT_IGNORE=1")
_PTY_MASTERS = ("/dev/ptmx", "/dev/pts/ptmx")
_NETWORK = ("socket:", "rfc2217:")
_BLOCK = 256
"""Bytes a block where no module has told yet which it takes: what most firmwares of hex blocks take."""


class PortFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the system says of one port.

    ``trouble``: it is not there, or we may not open it. ``manager``: ModemManager, if it runs;
    ``ignored`` by it, as udev has it.
    """

    name: str
    info: PortInfo
    trouble: LinkError | None = None
    holders: tuple[Holder, ...] = ()
    manager: Holder | None = None
    ignored: bool = False
    sees_all: bool = True


def is_url(name: str) -> bool:
    """Whether a port is reached by a URL: then its adapter, if it has one, is elsewhere."""
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
    """Ask the system what a list of ports does not tell."""
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
    """Judge what can be told without opening the port."""
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
        says = driver or "the system does not tell the driver"
        yield _finding(facts.name, "driver", "ok" if driver else "unknown", says)


def judge_url(name: str) -> Finding:
    """Say of a port behind a URL what cannot be seen from here."""
    if not name.lower().startswith(_NETWORK):
        return _finding(name, "adapter", "ok", "none: this module is played by the program itself")
    says = "at the far end of the network: its permission, holders, driver and latency timer are not seen"
    return _finding(name, "adapter", "unknown", says, "Run `atota doctor` on the machine that it hangs on.")


def judge_latency(
    name: str, timer_ms: int | None, *, opened_ms: int | None, size: int, block: int = _BLOCK
) -> Finding | None:
    """Judge how long the driver holds back what it received; None if it holds back nothing.

    Args:
        name: the port.
        timer_ms: the timer as it is set.
        opened_ms: what it is while we have the port, which asks for low latency; None: it was not opened.
        size: bytes of an update, to say what it costs.
        block: bytes of a block.
    """
    if timer_ms is None:
        return None
    now_ms = timer_ms if opened_ms is None else opened_ms
    if now_ms <= 1:
        meanwhile = "" if timer_ms <= 1 else f", {now_ms} ms while atota has the port"
        return _finding(name, "latency", "ok", f"the driver's timer is {timer_ms} ms{meanwhile}")
    blocks = math.ceil(size / block)
    lost_s = blocks * (now_ms - 1) / 1000
    says = (
        f"the driver holds back what it received for up to {now_ms} ms: about {lost_s:.0f} s more for an "
        f"update of {size} bytes in {blocks} blocks"
    )
    kernel = Path(os.path.realpath(name)).name
    command = f"echo 1 | sudo tee /sys/bus/usb-serial/devices/{kernel}/latency_timer"
    return _finding(name, "latency", "warning", says, f"Lower it, until it is plugged in anew: `{command}`")


def _permission(facts: PortFacts) -> Finding:
    if facts.trouble is not None:
        return blamed("port", "permission", facts.trouble, port=facts.name)
    return _finding(facts.name, "permission", "ok", "you may open it")


def _held(facts: PortFacts) -> Finding:
    if facts.holders:
        error = translate.busy(facts.name, list(facts.holders), facts.manager)
        return blamed("port", "holders", error, port=facts.name)
    if facts.sees_all:
        return _finding(facts.name, "holders", "ok", "no other program has it open")
    says = "no program of yours has it open; those of other users are not seen"
    return _finding(facts.name, "holders", "ok", says)


def _manager(facts: PortFacts, manager: Holder) -> Finding:
    if facts.ignored:
        says = f"{manager} runs, and leaves this adapter alone"
        return _finding(facts.name, MODEM_MANAGER, "ok", says)
    vendor = (facts.info.usb_id or "").partition(":")[0]
    return _finding(
        facts.name,
        MODEM_MANAGER,
        "warning",
        f"{manager} runs, and sends AT commands to every serial port that is plugged in",
        translate.manager_hint(manager, certain=True, vendor=vendor),
    )


def _adapter(info: PortInfo, name: str) -> Finding:
    if info.usb_id is not None:
        chip = info.chip or info.description or "a chip that is not known"
        serial = f", serial number {info.serial_number}" if info.serial_number else ""
        place = f", at {info.location}" if info.location else ""
        return _finding(name, "adapter", "ok", f"{chip}, USB {info.usb_id}{serial}{place}")
    if os.path.realpath(name).startswith("/dev/pts/"):
        return _finding(name, "adapter", "ok", "none: this is a pseudo-terminal, another program's")
    return _finding(name, "adapter", "ok", info.description or "a port of the machine's own, not on USB")


def _finding(name: str, check: str, state: State, says: str, next_: str = "") -> Finding:
    return Finding(group="port", check=check, state=state, says=says, next=next_, port=name)


def _trouble(name: str) -> LinkError | None:
    """Whether it is missing or forbidden, as far as its file tells."""
    if sys.platform == "win32":  # there are no files of ports: opening tells
        return None
    if not os.path.lexists(name) or not Path(name).exists():
        return translate.missing(name)
    if not os.access(name, os.R_OK | os.W_OK):
        return translate.forbidden(name)
    return None


def _others(name: str) -> tuple[Holder, ...]:
    """The programs that have it open; not those that make it, which hold the other side of a pty."""
    real = os.path.realpath(name)
    if not real.startswith("/dev/pts/"):
        return tuple(holders_of([real])[real])
    found = holders_of([real, *_PTY_MASTERS])
    makers = {holder.pid for master in _PTY_MASTERS for holder in found[master]}
    return tuple(holder for holder in found[real] if holder.pid not in makers)


def _is_ignored(name: str) -> bool:
    """Whether a udev rule keeps ModemManager off it; udev's database names devices by their numbers."""
    try:
        number = os.stat(name).st_rdev  # noqa: PTH116 (one call, for one field)
        text = (_UDEV_DATA / f"c{os.major(number)}:{os.minor(number)}").read_text(errors="replace")
    except (OSError, AttributeError):
        return False
    return any(mark in text.splitlines() for mark in _IGNORED)
