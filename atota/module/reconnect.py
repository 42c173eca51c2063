"""Reconnection: find an adapter that was pulled out, or fell off the bus, by its USB identity.

The system may give the adapter another device name when it comes back.
"""

import os
from collections.abc import Callable
from typing import Protocol

from atota.clock import Clock, Deadline
from atota.errors import LinkError, LinkLost
from atota.link import ports
from atota.link.ports import PortInfo
from atota.module.identify import read_imei
from atota.module.module import Module
from atota.values import is_unique_imei, mask

_RETURN_S = 60.0
"""How long a person may take to plug the adapter in again."""
_LOOK_EVERY_S = 0.5


class ModuleExchanged(LinkError):
    """Another module is on the port than the one that the job works on."""

    code = "link.exchanged"
    default_hint = (
        "Put the first module back and run the same command; it continues where that module stands."
    )


class Adapters(Protocol):
    """The adapters of this machine."""

    def remember(self, port: str) -> PortInfo | None:
        """Return the identity of this port's adapter, or None if it has none."""
        ...

    def find(self, known: PortInfo) -> str | None:
        """Return the device name that it has now, or None if it is absent."""
        ...


class UsbAdapters:
    """The adapters on the USB."""

    def remember(self, port: str) -> PortInfo | None:
        """Return the port as the system describes it, if it is on the USB."""
        if "://" in port:
            return None
        device = os.path.realpath(port)
        for info in ports.list_ports():
            if info.usb_id is not None and os.path.realpath(info.device) == device:
                return info
        return None

    def find(self, known: PortInfo) -> str | None:
        """Look for the same USB id and serial number, else the same socket."""
        return ports.find_again(known)


class Reopened(Protocol):
    """A thing on a port that can be opened again: a module, or a chip's wire."""

    @property
    def clock(self) -> Clock:
        """The time of its link."""
        ...

    def close(self) -> None:
        """Close the port."""
        ...

    def reopen(self, port: str) -> None:
        """Continue on ``port``.

        Raises:
            LinkError: it cannot be opened (yet).
        """
        ...

    def check(self) -> None:
        """Raise if the user or the job's time limit wants the end."""
        ...


class Reconnector:
    """The way back to one module or chip whose link may be lost.

    Args:
        lost: the module or the chip's wire.
        adapters: the adapters of this machine.
        port: the port as the user named it.
        note: called with a sentence for the user before each wait.
    """

    def __init__(self, lost: Reopened, adapters: Adapters, port: str, note: Callable[[str], None]) -> None:
        self._thing = lost
        self._adapters = adapters
        self._port = port
        self._note = note
        self._known = adapters.remember(port)

    def back(self, lost: LinkLost) -> None:
        """Wait for the adapter and open it again; the module's rate may have changed meanwhile.

        Raises:
            LinkLost: ``lost`` itself, if the adapter has no identity; else the adapter stayed away.
            Interrupted: the stop token was set.
            JobTimeout: the job's limit has passed.
        """
        if self._known is None:
            raise lost
        thing = self._thing
        thing.close()
        self._note(f"{lost.message}; waiting {_RETURN_S:g} s for the adapter to come back")
        limit = Deadline(thing.clock, _RETURN_S)
        problem = "it did not come back"
        while not limit.expired:
            thing.check()
            name = self._adapters.find(self._known)
            if name is not None:
                try:
                    thing.reopen(name)
                except LinkError as error:
                    problem = error.message  # just plugged in: the system may still be setting it up
                else:
                    self._note(f"the adapter is back as {name}")
                    return
            thing.clock.sleep(min(_LOOK_EVERY_S, thing.clock.slice_s))
        raise LinkLost(lost.message, tried=(f"waited {_RETURN_S:g} s for the adapter: {problem}",))


class ModuleReconnector(Reconnector):
    """The way back to one module, and to no other.

    An adapter without a serial number of its own is found again by its USB socket, and one with it may have
    got another module meanwhile: an operator pulls a unit and plugs the next one in.

    Attributes:
        imei: the module's IMEI, once it is known.
    """

    def __init__(self, module: Module, adapters: Adapters, port: str, note: Callable[[str], None]) -> None:
        super().__init__(module, adapters, port, note)
        self.imei: str | None = None
        self._module = module
        self._was_away = False

    def back(self, lost: LinkLost) -> None:
        """Wait for the adapter; from now on `require_same` looks at the module."""
        self._was_away = True
        super().back(lost)

    def require_same(self) -> None:
        """Refuse another module than the one that the job began with, once the adapter was away.

        Raises:
            ModuleExchanged: it prints another IMEI; nothing more is sent to it.
        """
        known = self.imei
        if not self._was_away or known is None or not is_unique_imei(known):
            return
        imei = read_imei(self._module.session)
        if imei is None or not is_unique_imei(imei):
            return
        self._was_away = False
        if imei != known:
            self._module.close()
            raise ModuleExchanged(
                f"the adapter came back with another module: {mask(imei)}, not {mask(known)}"
            )
