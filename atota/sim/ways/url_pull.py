"""AT+QFOTADL="http://...": the module fetches its package by itself (Quectel, several chips).

From Quectel's BC26 DFOTA user guide V1.0: a URL of at most 255 bytes, no HTTPS, ``OK`` within 300 ms, then
``+QIND: "FOTA",...`` lines. The guide's own example writes them sloppily (blanks, percent signs,
``HTTPTART``), and so does this module, by its seed. What begins and follows the reboot is in the persona's
boot text; `reword` spells it. Other members of the family differ in the numbers, in what they say of the
download, and in the parameters behind the URL.
"""

import random
import re
from dataclasses import dataclass
from typing import ClassVar

from atota.errors import ServerUnreachable
from atota.sim.network import Network
from atota.sim.reply import PLAIN, Reply
from atota.sim.updater import Chassis, PlainUpdater, Updater

_URL = re.compile(rb'\+QFOTADL="([^"]*)"((?:,\d{1,3}){0,3})', re.IGNORECASE)
_PERCENT = re.compile(rb'("(?:DOWNLOADING|UPDATING)"),(\d+)')


@dataclass(frozen=True, slots=True)
class Codes:
    """The numbers of HTTPEND and END; by default those of the BC26 DFOTA user guide V1.0."""

    download_failed: int = 12
    deactivated: int = 13
    activating: int = 20
    mismatched: int = 254
    invalid: int = 255


@dataclass(frozen=True, slots=True)
class UrlPull:
    """The rules of AT+QFOTADL with a URL.

    Attributes:
        longest: bytes of a URL.
        rate: bytes per second that the radio brings.
        each: percent between two progress lines.
        silence_s: how long nothing is said before an unreachable URL is given up (seen on a BC660K).
        attach_s: how long the network takes.
        secure: https is taken too.
        parameters: numbers may stand behind the URL.
        downloading: the download tells its progress.
        sloppy: lines are spelled in several ways, as in the guide's own example.
    """

    longest: int = 255
    capacity: int = 580 * 1024
    rate: int = 2500
    each: int = 5
    silence_s: float = 120.0
    attach_s: float = 5.0
    leftover: int = 0
    codes: Codes = Codes()
    secure: bool = False
    parameters: bool = False
    downloading: bool = True
    sloppy: bool = True
    name: ClassVar[str] = "qfotadl"
    verbatim: ClassVar[bytes] = b"QFOTADL"

    def updater(self, chassis: Chassis) -> Updater:
        """Make the state for one module."""
        return UrlPullUpdater(self, chassis)


class UrlPullUpdater(PlainUpdater):
    """One download at a time, which fills the slot; a good package starts the update."""

    words = (b"QFOTADL",)

    def __init__(self, rules: UrlPull, chassis: Chassis) -> None:
        self._rules = rules
        self._chassis = chassis
        self._random = random.Random(f"qind {chassis.options.seed}")  # noqa: S311
        self._network = Network(chassis, attach_s=rules.attach_s)
        self.committed = False  # a download ends in the update, if the package is good

    def positions(self, line: bytes) -> frozenset[str]:
        """Name AT+QFOTADL with a URL the start."""
        return frozenset({"start"} if _URL.search(line) else ())

    def reset(self) -> None:
        """Forget a download begun; the slot keeps its bytes."""
        self.committed = False
        self._network.reset()

    def execute(self, command: bytes, now: float) -> Reply | None:
        """Carry out ``AT+QFOTADL`` or one of the network's commands."""
        if command[:8].upper() != b"+QFOTADL":
            return self._network.execute(command, now)
        if command[8:] == b"=?":
            return Reply()
        match = _URL.fullmatch(command)
        if match is None or not self._allowed(match[1]) or self.committed:
            return Reply(error=PLAIN)
        if match[2] and not self._rules.parameters:
            return Reply(error=PLAIN)
        if self._chassis.faults.strike("refuse-start"):
            return Reply(error=PLAIN)
        self.committed = True
        url = match[1].decode("ascii")
        return Reply(seconds=0.1, note="download asked for", then=lambda then: self._begin(url, then))

    def _allowed(self, url: bytes) -> bool:
        schemes = rb"https?://[^/]" if self._rules.secure else rb"http://[^/]"
        return len(url) <= self._rules.longest and url.isascii() and bool(re.match(schemes, url))

    # --- the lines -----------------------------------------------------------------------------------

    def reword(self, line: bytes) -> bytes:
        """Spell a line as the guide's example does at times; b"" if it is left out."""
        faults = self._chassis.faults
        if b"+QIND" not in line:
            return line
        if faults.lasts("quiet-update"):
            return b""
        style = self._random.random() if self._rules.sloppy else 0.6
        if style < 0.1 and _PERCENT.search(line):
            return b""
        if style < 0.4:
            line = _PERCENT.sub(rb"\1, \2%", line)
        elif style < 0.5:
            line = _PERCENT.sub(rb"\1,\2%", line)
        if style < 0.2:
            line = line.replace(b"HTTPSTART", b"HTTPTART")
        if style > 0.9:
            line = line.replace(b'"FOTA",', b'"FOTA", ')
        return line[: len(line) // 2] if faults.strike("cut-urc") else line

    def _say(self, now: float, text: bytes) -> None:
        self._chassis.send(now, self.reword(b'\r\n+QIND: "FOTA",' + text + b"\r\n"))

    # --- the download --------------------------------------------------------------------------------

    def _begin(self, url: str, now: float) -> None:
        if self._network.attaching(now):
            self._chassis.plan(now + 0.2, lambda then: self._over(self._rules.codes.activating, then))
        elif not self._network.attached(now):
            self._chassis.plan(now + 0.2, lambda then: self._over(self._rules.codes.deactivated, then))
        else:
            self._chassis.plan(now + 0.5, lambda then: self._fetch(url, then))

    def _fetch(self, url: str, now: float) -> None:
        self._say(now, b'"HTTPSTART"')
        package = None if self._chassis.faults.strike("fail-download") else self._get(url)
        if package is None or len(package) > self._rules.capacity:
            failed = self._rules.codes.download_failed
            self._chassis.plan(now + self._rules.silence_s, lambda then: self._over(failed, then))
            return
        self._chassis.tell(f"fetched {len(package)} bytes")
        seconds = len(package) / self._rules.rate
        if self._chassis.faults.strike("reboot-in-download"):
            self._chassis.plan(now + seconds * 0.52, self._chassis.crash)
        self._progress(0, package, seconds, now)

    def _get(self, url: str) -> bytes | None:
        fetch = self._chassis.options.fetch
        try:
            return None if fetch is None else fetch(url)
        except ServerUnreachable as error:
            self._chassis.tell(f"fetch failed: {error}")
            return None

    def _progress(self, percent: int, package: bytes, seconds: float, now: float) -> None:
        if not self._network.attached(now):
            self._over(self._rules.codes.deactivated, now)
            return
        if self._rules.downloading:
            self._say(now, b'"DOWNLOADING",%d' % percent)
        if percent >= 100:
            self._chassis.flash.erase()
            self._chassis.flash.write(0, package)
            self._chassis.plan(now + 0.3, lambda then: self._over(0, then))
            return
        following = min(100, percent + self._rules.each)
        wait = seconds * (following - percent) / 100
        self._chassis.plan(now + wait, lambda then: self._progress(following, package, seconds, then))

    def _over(self, error: int, now: float) -> None:
        self._say(now, b'"HTTPEND",%d' % error)
        if error:
            self.committed = False
            return
        verdict = self._chassis.judge()
        if verdict.good:
            self._chassis.plan(now + 1.0, self._chassis.start_update)
            return
        is_mismatched = verdict.status == "PACKAGE_VERSION_MISMATCHED"
        code = self._rules.codes.mismatched if is_mismatched else self._rules.codes.invalid
        self._chassis.plan(now + 1.0, lambda then: self._refuse(code, then))

    def _refuse(self, code: int, now: float) -> None:
        self.committed = False
        self._say(now, b'"START"')
        self._say(now + 0.5, b'"END",%d' % code)
