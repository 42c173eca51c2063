"""Gosuncn's stream: ``AT+ZCOMWRT=<length>``, the whole package behind ``> `` and ``CONNECT``, then AT+ZRST.

ME3616 AT Command Manual V1.5 (2018-06-19), sections 5.4 and 18. It has neither a checksum nor a limit of
size or time; those here are inferred.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from atota.sim.boot import Step
from atota.sim.data import Counted
from atota.sim.judge import SlotVerdict
from atota.sim.reply import PLAIN, Reply
from atota.sim.updater import Chassis, PlainUpdater, Updater

_WRITE = re.compile(rb"\+ZCOMWRT=(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Zcomwrt:
    """The rules of the stream.

    Attributes:
        connect_s: between ``> `` and ``CONNECT``; "sometimes only after several seconds".
        window_s: without a byte for so long it gives up.
    """

    capacity: int = 600 * 1024
    leftover: int = 0
    connect_s: float = 3.0
    window_s: float = 20.0
    write_s: float = 1.5
    name: ClassVar[str] = "zcomwrt"
    verbatim: ClassVar[bytes] = b""

    def updater(self, chassis: Chassis) -> Updater:
        """Make the state for one module."""
        return ZcomwrtUpdater(self, chassis)


class ZcomwrtUpdater(PlainUpdater):
    """The package that waits in flash for the restart."""

    words = (b"ZCOMWRT", b"ZRST")

    def __init__(self, rules: Zcomwrt, chassis: Chassis) -> None:
        self._rules = rules
        self._chassis = chassis
        self._waiting = False

    def finished(self, verdict: SlotVerdict, *, said_good: bool) -> None:  # noqa: ARG002
        """Forget the package: it is applied once."""
        self._waiting = False

    def positions(self, line: bytes) -> frozenset[str]:
        """Name the whole package one piece."""
        word = line.upper()
        return frozenset(
            {"0"} if b"+ZCOMWRT=" in word and b"=?" not in word else {"start"} if b"+ZRST" in word else ()
        )

    def execute(self, command: bytes, now: float) -> Reply | None:  # noqa: ARG002
        """Carry out AT+ZCOMWRT or AT+ZRST."""
        word = command.upper()
        if word == b"+ZRST":
            return self._restart()
        if not word.startswith(b"+ZCOMWRT"):
            return None
        if word == b"+ZCOMWRT=?":
            return Reply()
        match = _WRITE.fullmatch(word)
        if match is None or not 0 < int(match[1]) <= self._rules.capacity:
            return Reply(error=PLAIN)
        self._chassis.flash.erase()
        self._chassis.tell("erased")
        self._waiting = False
        phase = Counted(
            self._chassis,
            int(match[1]),
            self._rules.window_s,
            self._store,
            missed=Reply(error=PLAIN),
            refused=Reply(error=PLAIN),
            idle=True,
        )
        return Reply(
            data=phase,
            prompt=(Step(0.05, b"\r\n> "), Step(self._rules.connect_s, b"\r\nCONNECT\r\n")),
        )

    def _store(self, data: bytes, _now: float) -> Reply:
        self._chassis.flash.write(0, data)
        self._waiting = True
        return Reply(seconds=self._rules.write_s, note="piece 0")

    def _restart(self) -> Reply:
        if self._waiting and self._chassis.faults.strike("refuse-start"):
            return Reply(error=PLAIN)
        if self._waiting:
            return Reply(tail=b"\x00", start=True, note="started")
        return Reply(tail=b"\x00", reboot=b"")
