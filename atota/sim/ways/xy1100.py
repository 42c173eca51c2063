"""AT+NFWUPD as the XinYi XY1100 SDKs implement it: HiSilicon's word on another chip.

From the public SDKs: the segment number equals the module's own counter, any length up to 512, nothing is
taken without an erase, code 5 is refused unless code 2 found the package good. The state is one word in RAM:
after a good code 2 the module counts as downloaded, so a second code 2 says that nothing was downloaded, and
no segment is taken.
"""

import re
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import ClassVar

from atota.sim.reply import Reply
from atota.sim.updater import Chassis, PlainUpdater, Updater
from atota.sim.ways.segments import CRC, NUMBER, positions, unquoted

PARAM_INVALID = 8001  # XinYi SDK, enum AT_XY_ERR
NOT_ALLOWED = 8002

_IDLE, _LOADING, _GOOD = range(3)


@dataclass(frozen=True, slots=True)
class Xy1100Nfwupd:
    """The rules of the XY1100's AT+NFWUPD.

    Attributes:
        test: the answer to ``=?``.
        good: the text of code 2 for a good package; None: the older SDK, where codes 3 and 4 do not exist and
            code 2 has its result alone.
    """

    test: bytes = b"+NFWUPD:(0-5)"
    good: bytes | None = b"PACKAGE_OK "
    most: int = 512
    capacity: int = 384 * 1024
    erase_s: float = 4.0
    block_s: float = 0.02
    validate_s: float = 5.0
    name: ClassVar[str] = "nfwupd"
    verbatim: ClassVar[bytes] = b"NFWUPD"

    @property
    def leftover(self) -> int:
        """An earlier package stands there until the erase."""
        return 4096

    def updater(self, chassis: Chassis) -> Updater:
        """Make the state for one module."""
        return Xy1100Updater(self, chassis)


class Xy1100Updater(PlainUpdater):
    """One word of state and a counter, both in RAM."""

    words = (b"NFWUPD",)

    def __init__(self, rules: Xy1100Nfwupd, chassis: Chassis) -> None:
        self._rules = rules
        self._chassis = chassis
        self._permitted = True  # AT+FOTACTR; kept over a reboot [inferred]
        self.reset()

    def reset(self) -> None:
        """Forget counter and state."""
        self._state = _IDLE
        self._count = self._offset = 0

    def positions(self, line: bytes) -> frozenset[str]:
        """Return the segment's number, or the name of the code."""
        return positions(line)

    def execute(self, command: bytes, now: float) -> Reply | None:  # noqa: ARG002
        """Carry out ``AT+NFWUPD`` or ``AT+FOTACTR``."""
        word = command.upper()
        if word.startswith(b"+FOTACTR"):
            return self._control(word[8:])
        if not word.startswith(b"+NFWUPD"):
            return None
        rest = command[7:]
        if rest == b"=?":
            return Reply((self._rules.test,))
        if not rest.startswith(b"=") or rest == b"=":
            return Reply(error=NOT_ALLOWED)
        values = unquoted(rest[1:])
        if not NUMBER.fullmatch(values[0]):
            return Reply(error=PARAM_INVALID)
        return self._code(int(values[0]), values)

    def _control(self, rest: bytes) -> Reply:
        if rest == b"?":
            return Reply((b"+FOTACTR:%d,%d" % (self._state != _IDLE, self._permitted),))
        if rest not in (b"=0", b"=1"):
            return Reply(error=PARAM_INVALID)
        self._permitted = rest == b"=1"
        return Reply()

    def _code(self, code: int, values: list[bytes]) -> Reply:
        if code == 0:
            return self._erase()
        if code == 1 and self._store(values):
            return Reply(seconds=self._rules.block_s, note=f"block {self._count - 1}")
        if code == 2:
            return self._validate()
        if code in (3, 4) and self._state == _GOOD and self._rules.good is not None:
            return Reply((b"+NFWUPD:xyDelta" if code == 3 else b"+NFWUPD:V1.0",))
        if code == 5:
            return self._start()
        return Reply(error=NOT_ALLOWED)

    def _erase(self) -> Reply:
        if self._chassis.faults.strike("refuse-erase"):
            return Reply(error=NOT_ALLOWED, seconds=self._rules.erase_s)
        self._chassis.flash.erase()
        self._count = self._offset = 0
        self._state = _LOADING
        return Reply(seconds=self._rules.erase_s, note="erased")

    def _store(self, values: list[bytes]) -> bool:
        """Take a segment; False if anything about it is wrong."""
        if self._state != _LOADING or len(values) != 5 or not all(map(NUMBER.fullmatch, values[1:3])):
            return False
        number, length = int(values[1]), int(values[2])
        if number != self._count or not 0 < length <= self._rules.most or len(values[3]) != 2 * length:
            return False
        if not re.fullmatch(rb"[0-9A-Fa-f]+", values[3]) or not CRC.fullmatch(values[4]):
            return False
        data = bytes.fromhex(values[3].decode())
        if reduce(xor, data) != int(values[4], 16) or not self._chassis.flash.write(self._offset, data):
            return False
        self._count += 1
        self._offset += length
        return True

    def _validate(self) -> Reply:
        if self._state != _LOADING or not self._count:
            return self._status(b"PACKAGE_NOT_DOWNLOADED", good=False, seconds=0.05)
        verdict = self._chassis.judge()
        if verdict.good:
            self._state = _GOOD
        text = (self._rules.good or b"") if verdict.good else b"PACKAGE_VALIDATION_FAILURE"
        return self._status(text, good=verdict.good, seconds=self._rules.validate_s)

    def _status(self, text: bytes, *, good: bool, seconds: float) -> Reply:
        note = "validated: good" if good else f"validated: {text.decode()}"
        if self._rules.good is None:
            return Reply(error=None if good else NOT_ALLOWED, seconds=seconds, note=note)
        return Reply((b"+NFWUPD:" + text,), seconds=seconds, note=note)

    def _start(self) -> Reply:
        if self._state != _GOOD or self._chassis.faults.strike("refuse-start"):
            return Reply(error=NOT_ALLOWED)
        return Reply((b"+FIRMWARE UPDATING",), bare=True, seconds=0.05, start=True, note="started")
