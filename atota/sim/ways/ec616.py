"""AT+NFWUPD as the EigenComm EC616 SDK implements it: HiSilicon's word, other rules and other answers.

From the handler and the task in the public EC616 SDK: codes 0-7 (the test form says 0-6), an erase is a
must, the segment number starts at 0 and grows by one, a repeat is an error, three idle minutes drop the
session. Code 2 looks at nothing: it says VERIFIED even where nothing was written. Code 5 asks for nothing
and resets inside the command.
"""

import re
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import ClassVar

from atota.sim.judge import SlotVerdict
from atota.sim.reply import PLAIN, Reply
from atota.sim.updater import Chassis, PlainUpdater, Updater
from atota.sim.ways.segments import CRC, NUMBER, positions, unquoted

_NOT_HEX = re.compile(rb"[^0-9A-Fa-f]")

PARAM_INVALID = Reply((b"+NFWUPD ERROR: PARAM INVALID",), bare=True)
UNSUPPORTED = Reply((b"+NFWUPD ERROR: OPER UNSUPPORTED",), bare=True)

UNFOUND, PARTIAL, UNVERIFIED, VERIFIED, UPGRADED, INVALID, UNDEF = range(7)
_STATUS = ("UNFOUND", "PARTIAL", "UNVERIFIED", "VERIFIED", "UPGRADED", "INVALID", "UNDEF")
_IDLE, _ERASED, _LOADING, _LOADED, _DONE = range(5)
_SUCCEEDED, _FAILED = 1, 99


@dataclass(frozen=True, slots=True)
class Ec616Nfwupd:
    """The rules of the EC616's AT+NFWUPD.

    Attributes:
        blocks: how many blocks of 32 KiB the erase walks through, 300 ms each.
        idle_s: so long without a command, and the session is dropped.
        package_name: the answer to code 3 for any slot.
    """

    blocks: int = 11
    least: int = 4
    most: int = 256
    idle_s: float = 180.0
    block_s: float = 0.02
    package_name: bytes = b"EC61x-ABUP-FOTA-DFWPKG"
    name: ClassVar[str] = "nfwupd"
    verbatim: ClassVar[bytes] = b"NFWUPD"

    @property
    def capacity(self) -> int:
        """The delta area of the FOTA region."""
        return self.blocks * 32 * 1024

    @property
    def leftover(self) -> int:
        """An earlier package stands there until the erase."""
        return 4096

    def updater(self, chassis: Chassis) -> Updater:
        """Make the state for one module."""
        return Ec616Updater(self, chassis)


class Ec616Updater(PlainUpdater):
    """The update task of the SDK: made by the first command, dropped after three idle minutes."""

    words = (b"NFWUPD",)

    def __init__(self, rules: Ec616Nfwupd, chassis: Chassis) -> None:
        self._rules = rules
        self._chassis = chassis
        self._flash = chassis.flash
        self._stored_result = 0  # the boot writes it behind the delta; the erase takes it away
        self._last_command: float | None = None
        self.reset()

    def reset(self) -> None:
        """Begin the task anew, with the result that the boot stored."""
        self._total = self._sn = 0
        self._result, self._state, self._package = 0, _IDLE, UNDEF
        if self._stored_result:
            self._result, self._state = self._stored_result, _DONE
            self._package = UPGRADED if self._stored_result == _SUCCEEDED else INVALID

    def finished(self, verdict: SlotVerdict, *, said_good: bool) -> None:  # noqa: ARG002
        """Note OK or NO behind the delta, as the boot does if it found a package."""
        if verdict.status != "PACKAGE_NOT_DOWNLOADED":
            self._stored_result = _SUCCEEDED if verdict.good else _FAILED
        self.reset()

    def positions(self, line: bytes) -> frozenset[str]:
        """Return the segment's number, or the name of the code."""
        return positions(line)

    def execute(self, command: bytes, now: float) -> Reply | None:
        """Carry out ``AT+NFWUPD``."""
        if command[:7].upper() != b"+NFWUPD":
            return None
        rest = command[7:]
        if rest == b"=?":
            return Reply((b"+NFWUPD: (0-6)",))
        if not rest.startswith(b"="):
            return UNSUPPORTED
        values = self._parameters(rest[1:])
        if values is None:
            return PARAM_INVALID
        if self._last_command is not None and now - self._last_command > self._rules.idle_s:
            self.reset()
            self._chassis.tell("session dropped")
        self._last_command = now
        return self._code(int(values[0]), values)

    def _parameters(self, text: bytes) -> list[bytes] | None:
        """The parameters without quotes, or None if the parser refuses them."""
        values = unquoted(text)
        if len(values) > 5 or not all(NUMBER.fullmatch(value) for value in values[:3]) or int(values[0]) > 7:
            return None
        if len(values) > 1 and int(values[1]) > 0xFFFF:
            return None
        length = int(values[2]) if len(values) > 2 else 0
        if len(values) > 2 and not self._rules.least <= length <= self._rules.most:
            return None
        if len(values[3]) != 2 * length if len(values) > 3 else length:
            return None
        return None if len(values) > 4 and not CRC.fullmatch(values[4]) else values

    def _code(self, code: int, values: list[bytes]) -> Reply:
        if code == 0:
            return self._erase()
        if code == 1:
            return self._download(values)
        if code == 2:
            self._verify()
            return Reply((self._status(),), note=f"validated: {self._status().decode()}")
        if code in (3, 4):
            return self._describe(code)
        if code == 5:
            return self._start()
        if code == 6:
            self._state, self._package = _LOADED, UNVERIFIED
            return Reply()
        numbers = (self._total, self._sn, self._result, self._state, self._package, 0)
        return Reply((b"+NFWUPD: %d, %d, %d, %d, %d, %d" % numbers,))

    def _status(self) -> bytes:
        return b"+NFWUPD: FWUPD_PS_PKG_" + _STATUS[self._package].encode()

    def _erase(self) -> Reply:
        seconds = 0.3 * (self._rules.blocks + 1)
        if self._chassis.faults.strike("refuse-erase"):
            return Reply(error=PLAIN, seconds=seconds)
        self._flash.erase()
        self._total = self._sn = self._result = self._stored_result = 0
        self._state, self._package = _ERASED, UNFOUND
        return Reply(seconds=seconds, note="erased")

    def _download(self, values: list[bytes]) -> Reply:
        refused = Reply(error=PLAIN)
        if self._state in (_IDLE, _DONE):
            return refused
        self._state = _LOADING
        text = values[3] if len(values) > 3 else b""
        number = int(values[1]) if len(values) > 1 else 0
        if not text or len(text) // 2 % 4 or number != (self._sn + 1 if self._total else 0):
            return refused
        # A character that is not a hex digit counts as 0.
        data = bytes.fromhex(_NOT_HEX.sub(b"0", text).decode())
        crc = int(values[4], 16) if len(values) > 4 else 0
        if reduce(xor, data) != crc or not self._flash.write(self._total, data):
            return refused
        self._total += len(data)
        self._sn, self._package = number, PARTIAL
        return Reply(seconds=self._rules.block_s, note=f"block {number}")

    def _verify(self) -> None:
        """Set the status: nothing is verified, but a slot just erased or updated keeps its own."""
        if self._state in (_ERASED, _DONE) or (self._state == _IDLE and self._package != UNDEF):
            return
        self._package = VERIFIED

    def _describe(self, code: int) -> Reply:
        self._verify()
        if self._package not in (VERIFIED, UPGRADED):
            return Reply((self._status(),))
        text = self._rules.package_name if code == 3 else self._chassis.version.encode("ascii", "replace")
        return Reply((b"+NFWUPD: " + text,))

    def _start(self) -> Reply:
        if self._chassis.faults.strike("refuse-start"):
            return Reply(error=PLAIN)
        return Reply(bare=True, seconds=0.05, start=True, note="started")
