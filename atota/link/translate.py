"""Translation of the exceptions of the operating system and of pyserial into atota's errors.

pyserial raises `SerialException` (an `OSError`, often without its number), bare `OSError`,
`termios.error` (not an `OSError`), `ValueError`, `TypeError` and `AttributeError` (a port that was
closed meanwhile). The type depends on the system and the call.
"""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from atota.errors import LineUnavailable, LinkError, LinkLost, PortBusy, PortForbidden, PortNotFound
from atota.link.holders import MODEM_MANAGER, Holder, held_by_us, holders, modem_manager
from atota.link.ports import list_ports, port_names, stable_names

if sys.platform == "win32":
    FOREIGN: tuple[type[Exception], ...] = (OSError, TypeError, ValueError, AttributeError)
else:
    import grp
    import termios

    FOREIGN = (OSError, TypeError, ValueError, AttributeError, termios.error)

_MISSING = {errno.ENOENT, errno.ENODEV, errno.ENXIO}
_BUSY = {errno.EBUSY, errno.EAGAIN}
_NO_LINE = {errno.ENOTTY, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
_UDEV_FILE = "/etc/udev/rules.d/99-serial.rules"


def open_fault(name: str, exc: BaseException) -> LinkError:
    """Return the error for a port ``name`` that could not be opened."""
    if "://" in name:
        return PortNotFound(
            f"{name} could not be opened: {_reason(exc)}",
            hint="Check host and port, and that the serial server runs; most accept one client at a time.",
        )
    number = _number(exc)
    if number in _MISSING:
        return missing(name)
    if number in _BUSY:
        return busy(name, holders(name), modem_manager())
    if number in (errno.EACCES, errno.EPERM):
        # Windows says "access denied" when another program has the port open.
        return busy(name, [], None) if sys.platform == "win32" else forbidden(name)
    if number in (errno.ENOTTY, errno.EISDIR):
        return PortNotFound(f"{name} is not a serial port", hint=_ports_hint())
    if number == errno.EIO:
        return PortNotFound(f"{name} has no hardware behind it", hint=_ports_hint())
    return LinkError(f"{name} could not be opened: {_reason(exc)}")


def missing(name: str) -> PortNotFound:
    """Return the error for a port that does not exist; the hint lists those that do."""
    full = f"/dev/{name}"
    if os.sep not in name and Path(full).exists():
        return PortNotFound(f"no serial port {name}", hint=f"Did you mean {full}?")
    return PortNotFound(f"no serial port {name}", hint=_ports_hint())


def busy(name: str, others: list[Holder], manager: Holder | None) -> PortBusy:
    """Return the error for a port that another program has open, with the way to stop that program."""
    if others:
        text = f"{name} is in use by " + ", ".join(str(holder) for holder in others)
    elif held_by_us(name):
        return PortBusy(f"{name} is already open in this program", hint="Give each lane a port of its own.")
    else:
        text = f"{name} is in use by another program"
    if manager is not None and (not others or any(holder.name == MODEM_MANAGER for holder in others)):
        return PortBusy(text, hint=manager_hint(manager, certain=bool(others)))
    if others:
        return PortBusy(text, hint=f"Close {others[0].name} and run the command again.")
    if sys.platform == "win32":
        return PortBusy(text, hint="Close the terminal program or IDE that has it open.")
    return PortBusy(text, hint=f"Find it with `sudo fuser -v {name}` and close it.")


def manager_hint(manager: Holder, *, certain: bool, vendor: str | None = None) -> str:
    """Return the hint that stops ModemManager; ``vendor``: the adapter's USB vendor in hex, if known."""
    who = "ModemManager probes new serial ports" if certain else f"It may be {manager}, which probes ports"
    example = "" if vendor else " (for 0403 put the vendor that `atota ports` shows)"
    return (
        f"{who}. Stop it: `sudo systemctl stop ModemManager`; or keep it off this adapter for good with the "
        f'line ATTRS{{idVendor}}=="{vendor or "0403"}", ENV{{ID_MM_DEVICE_IGNORE}}="1" in {_UDEV_FILE}'
        f"{example}, then `sudo udevadm control --reload` and plug the adapter in again."
    )


def forbidden(name: str) -> PortForbidden:
    """Return the error for a port that the user may not open, with the group that may."""
    text = f"you may not open {name}"
    if sys.platform == "win32":
        return PortForbidden(text)
    rule = f'{_udev_match(name)}, GROUP="dialout", MODE="0660" in {_UDEV_FILE}'
    try:
        status = Path(name).stat()
    except OSError:
        return PortForbidden(text)
    try:
        group = grp.getgrgid(status.st_gid)
    except KeyError:
        return PortForbidden(
            f"{text}: it belongs to group {status.st_gid}, which has no name",
            hint=f"Give it to a group of yours with a udev rule: {rule}.",
        )
    text = f"{text}: it belongs to group {group.gr_name}, mode {status.st_mode & 0o777:04o}"
    if os.path.realpath(name).startswith("/dev/pts/"):
        hint = "Run the program that made this pseudo-terminal as your user; no udev rule holds for it."
    elif status.st_mode & 0o060 != 0o060 or group.gr_gid == 0:
        hint = f"The group can't help here; give the port to one that can, with a udev rule: {rule}."
    elif group.gr_gid in os.getgroups():
        hint = "You are in that group, so something else forbids it: a container, a sandbox or an ACL."
    elif _user() in group.gr_mem:
        hint = (
            f"You have joined {group.gr_name} since you logged in; log in again, or `newgrp {group.gr_name}`."
        )
    else:
        hint = f"Run `sudo usermod -aG {group.gr_name} {_user() or '$USER'}` and log in again."
    return PortForbidden(text, hint=hint)


def _udev_match(name: str) -> str:
    """Return the part of a udev rule that matches this port: its adapter, or a name that does not change."""
    real = os.path.realpath(name)
    info = next((port for port in list_ports() if os.path.realpath(port.device) == real), None)
    vendor, _, product = ((info.usb_id if info is not None else None) or "").partition(":")
    if not vendor:
        return f'KERNEL=="{Path(real).name}"'
    return f'SUBSYSTEM=="tty", ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}"'


def use_fault(name: str, exc: BaseException) -> LinkLost:
    """Return the error for an open port ``name`` that was lost."""
    if isinstance(exc, TimeoutError) or type(exc).__name__ == "SerialTimeoutException":
        return LinkLost(
            f"{name} no longer accepts data: {_reason(exc)}",
            hint="Check flow control (are RTS and CTS wired?), or plug the adapter in again.",
        )
    if isinstance(exc, (TypeError, ValueError, AttributeError)):
        return LinkLost(f"{name} was closed while it was in use")
    return LinkLost(f"{name} went away: {_reason(exc)}")


def line_fault(name: str, exc: BaseException) -> LinkError:
    """Return the error for a control line that could not be set: it does not exist, or the port is lost."""
    absent = isinstance(exc, ValueError) or "timeout while waiting for option" in str(exc)
    if absent or _number(exc) in _NO_LINE:
        return LineUnavailable(f"{name} has no such control line")
    return use_fault(name, exc)


@contextlib.contextmanager
def using(name: str) -> Iterator[None]:
    """Translate every exception that the use of the open port ``name`` raises."""
    try:
        yield
    except FOREIGN as exc:
        raise use_fault(name, exc) from exc


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes: pyserial drops the number on the way up."""
    current: BaseException | None = exc
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _number(exc: BaseException) -> int | None:
    for link in _chain(exc):
        number = getattr(link, "errno", None)
        if number is None and link.args and isinstance(link.args[0], int):
            number = link.args[0]  # termios.error
        if isinstance(number, int):
            return number
    text = str(exc)  # Windows: "could not open port 'COM9': FileNotFoundError(2, ...)"
    if "FileNotFoundError" in text:
        return errno.ENOENT
    return errno.EACCES if "PermissionError" in text else None


def _reason(exc: BaseException) -> str:
    """Return the system's own words for the problem, without pyserial's wrapping."""
    for link in _chain(exc):
        text = getattr(link, "strerror", None)
        if text and getattr(link, "errno", None) is not None and type(link).__module__ != "serial.serialutil":
            return str(text)
    return str(exc) or type(exc).__name__


def _ports_hint() -> str:
    names = port_names()
    if not names:
        return "This machine has no serial port: check the cable, the adapter and its driver."
    hint = f"Ports of this machine: {', '.join(names)}."
    if stable := stable_names():
        hint += f" Names that stay the same when ports are renumbered: {', '.join(stable)}."
    return hint


def _user() -> str | None:
    return os.environ.get("SUDO_USER") or os.environ.get("USER") or os.environ.get("LOGNAME")
