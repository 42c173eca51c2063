"""u-blox's firmware update over AT: ``AT+UFWUPD=3`` and XMODEM, then ``AT+UFWINSTALL``.

u-blox SARA-R4 AT commands manual UBX-17003787 R16, 14.1 and 14.2: literally ``CCC``, ten NAKs and ``OK``
without a sender, under 20 s; download mode goes on after a power loss; an install takes up to 20 minutes
without UART. System integration manual UBX-16029218 R03, 1.12.7: UFWUPD downloads, UFWINSTALL reboots and
installs.
"""

from dataclasses import dataclass
from typing import ClassVar

from atota.sim.boot import Step
from atota.sim.judge import SlotVerdict
from atota.sim.package import read_package
from atota.sim.reply import PLAIN, Reply
from atota.sim.updater import Chassis, PlainUpdater, Updater
from atota.sim.ways.xmodem import PAD, XmodemReceiver


@dataclass(frozen=True, slots=True)
class Ufwupd:
    """The rules of the download.

    Attributes:
        begin_s: between C and C, NAK and NAK; thirteen of them are under the manual's 20 s.
        starts: the forms of AT+UFWINSTALL that are taken.
    """

    capacity: int = 4 * 1024 * 1024
    leftover: int = 0
    begin_s: float = 1.5
    wait_s: float = 5.0
    starts: tuple[bytes, ...] = (b"+UFWINSTALL",)
    name: ClassVar[str] = "ufwupd"
    verbatim: ClassVar[bytes] = b""

    def updater(self, chassis: Chassis) -> Updater:
        """Make the state for one module."""
        return UfwupdUpdater(self, chassis)


class UfwupdUpdater(PlainUpdater):
    """Download mode, which outlives a reboot."""

    words = (b"UFWUPD", b"UFWINSTALL")

    def __init__(self, rules: Ufwupd, chassis: Chassis) -> None:
        self._rules = rules
        self._chassis = chassis
        self._downloading = False

    def awake(self, now: float) -> None:
        """Expect a download from its beginning if a power loss cut it off."""
        if self._downloading:
            self._chassis.enter_data(self._receiver(), now)

    def finished(self, verdict: SlotVerdict, *, said_good: bool) -> None:  # noqa: ARG002
        """Drop a package that could not be installed."""
        if not verdict.good:
            self._chassis.flash.erase()

    def positions(self, line: bytes) -> frozenset[str]:
        """Name both commands; faults within the transfer count packets."""
        word = line.upper()
        return frozenset({"prepare"} if b"+UFWUPD=3" in word else {"start"} if b"+UFWINSTALL" in word else ())

    def execute(self, command: bytes, now: float) -> Reply | None:  # noqa: ARG002
        """Carry out AT+UFWUPD or AT+UFWINSTALL."""
        word = command.upper()
        if word == b"+UFWUPD=?":
            return Reply((b"+UFWUPD: (3)",))
        if word == b"+UFWINSTALL=?":
            return Reply()
        if word in self._rules.starts:
            return self._install()
        if not word.startswith((b"+UFWUPD", b"+UFWINSTALL")):
            return None
        if word != b"+UFWUPD=3":
            return Reply(error=PLAIN)
        self._downloading = True
        self._chassis.flash.erase()
        return Reply(data=self._receiver(), prompt=(Step(0.3, b"\r\n+UFWUPD: ONGOING\r\n"),))

    def _receiver(self) -> XmodemReceiver:
        return XmodemReceiver(
            self._chassis,
            begin_s=self._rules.begin_s,
            wait_s=self._rules.wait_s,
            done=self._received,
            unanswered=lambda now: self._leave(Reply(), now),
            failed=lambda now: self._leave(Reply(error=PLAIN), now),
        )

    def _leave(self, reply: Reply, now: float) -> None:
        self._downloading = False
        self._chassis.leave_data(reply, now)

    def _received(self, data: bytes, now: float) -> None:
        package = read_package(data)
        size = len(data.rstrip(PAD)) if package is None else package.size
        if data[size:].strip(PAD):
            size = len(data)
        self._chassis.flash.write(0, data[:size])
        self._leave(Reply(seconds=1.0, note="received"), now)

    def _install(self) -> Reply:
        if not self._chassis.flash.end or self._chassis.faults.strike("refuse-start"):
            return Reply(error=PLAIN)
        return Reply(start=True, note="started")
