"""AT+NFWUPD as the module sees it: a slot, a counter and many ways to say no.

The rules of counter, checksum and errors are those of the Hi2115 B500 AT layer, observed by running that
firmware's own handlers; codes, lengths and flows per family are in the personas.
"""

import hashlib
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import ClassVar

from atota.sim.judge import SlotVerdict
from atota.sim.reply import Reply
from atota.sim.updater import Chassis, PlainUpdater, Updater
from atota.sim.ways.segments import CRC, NUMBER, positions, unquoted

BAD_PARAMETER = 50
FAILED = 4
INTERNAL = 514  # an empty parameter or one too many


@dataclass(frozen=True, slots=True)
class Nfwupd:
    """The rules of AT+NFWUPD.

    Attributes:
        test: the answer to ``=?``.
        prefix: how an answer begins, with or without a space.
        erase: code 0 exists; without it sn 0 clears the slot.
        names: codes 3 and 4 exist.
        status: code 2 reports a status; without it a bare ``OK`` for any slot.
        validate_first: code 5 is refused until code 2 found the package good; otherwise the boot checks.
        refusal_line: code 5 says why it refuses before the error.
        wrap: bytes of the buffer in which a status line is made, its ending zero included; None: ample.
        refuses_while_validating: commands are answered with error 51 meanwhile (else: not heard).
    """

    test: bytes
    prefix: bytes
    erase: bool
    names: bool
    status: bool
    validate_first: bool
    refusal_line: bool
    most: int
    multiple: int = 1
    wrap: int | None = None
    refuses_while_validating: bool = False
    capacity: int = 512 * 1024
    erase_s: float = 4.0
    block_s: float = 0.03
    validate_s: float = 6.0
    start_s: float = 0.3
    name: ClassVar[str] = "nfwupd"
    verbatim: ClassVar[bytes] = b"NFWUPD"

    @property
    def leftover(self) -> int:
        """Bytes of an earlier update: they stand in the way only where the host has to erase."""
        return 4096 if self.erase else 0

    def updater(self, chassis: Chassis) -> Updater:
        """Make the state for one module."""
        return NfwupdUpdater(self, chassis)


class NfwupdUpdater(PlainUpdater):
    """The state behind AT+NFWUPD: the slot outlives a reboot, the counters do not."""

    words = (b"NFWUPD",)

    def __init__(self, rules: Nfwupd, chassis: Chassis) -> None:
        self._rules = rules
        self._chassis = chassis
        self._flash = chassis.flash
        self.last_result: str | None = None
        self.blocks = 0
        self.reset()

    def positions(self, line: bytes) -> frozenset[str]:
        """Return the segment's number, or the name of the code."""
        return positions(line)

    def finished(self, verdict: SlotVerdict, *, said_good: bool) -> None:  # noqa: ARG002
        """Keep the status of the update, as the boot does."""
        self.last_result = verdict.status

    def reset(self) -> None:
        """Forget the counters, which are in RAM; the slot is not."""
        self._last = 0
        self._offset = 0
        self._validated = False
        self._parsed: SlotVerdict | None = None

    def execute(self, command: bytes, now: float) -> Reply | None:  # noqa: ARG002
        """Carry out ``AT+NFWUPD``; it has no execute and no read form."""
        if command[:7].upper() != b"+NFWUPD":
            return None
        rest = command[7:]
        if rest == b"=?":
            return Reply((self._rules.test,))
        return self._code(rest[1:]) if rest.startswith(b"=") else Reply(error=FAILED)

    def _code(self, text: bytes) -> Reply:
        parameters = text.split(b",")
        if len(parameters) > 5 or b"" in parameters:
            return Reply(error=INTERNAL)
        values = unquoted(text)
        if not NUMBER.fullmatch(values[0]):
            return Reply(error=BAD_PARAMETER)
        code = int(values[0])
        if code == 1:
            return self._download(values)
        if len(values) > 1:
            return Reply(error=BAD_PARAMETER)
        if code == 0 and self._rules.erase:
            return self._erase()
        if code == 2:
            return self._validate()
        if code in (3, 4) and self._rules.names:
            return self._describe(code)
        if code == 5:
            return self._start()
        return Reply(error=FAILED if code in (3, 4) else BAD_PARAMETER)

    @property
    def _validates_first(self) -> bool:
        return self._rules.validate_first or self._chassis.faults.lasts("validate-first") is not None

    def _touch(self) -> None:
        self._validated = False
        self._parsed = None
        self.last_result = None

    def _erase(self) -> Reply:
        if self._chassis.faults.strike("refuse-erase"):
            return Reply(error=FAILED, seconds=self._rules.erase_s)
        self._touch()
        self._flash.erase()
        self._last = self._offset = 0
        return Reply(seconds=self._rules.erase_s, note="erased")

    def _download(self, values: list[bytes]) -> Reply:
        refused = Reply(error=BAD_PARAMETER)
        if len(values) != 5 or not all(NUMBER.fullmatch(value) for value in values[1:3]):
            return refused
        number, length = int(values[1]), int(values[2])
        data = self._decode(length, values[3], values[4])
        if data is None or number > 0xFFFF:
            return refused
        wraps = self._last == 0xFFFF and number == 0
        if number != 0 and number != self._last + 1:
            return refused
        restarts = number == 0 and not wraps
        if restarts and not self._rules.erase:
            self._flash.erase()
        offset = 0 if restarts else self._offset
        if not self._flash.write(offset, data):
            return refused
        self._touch()
        self._last, self._offset = number, offset + length
        self.blocks += 1
        return Reply(seconds=self._rules.block_s, note=f"block {number}")

    def _decode(self, length: int, text: bytes, crc: bytes) -> bytes | None:
        """The segment, or None if length, hex or XOR8 is wrong."""
        rules = self._rules
        if self._chassis.faults.refuses_length(length):
            return None
        if not 0 < length <= rules.most or length % rules.multiple or len(text) != 2 * length:
            return None
        try:
            data = bytes.fromhex(text.decode("ascii"))
        except ValueError:
            return None
        if len(data) != length or not CRC.fullmatch(crc) or reduce(xor, data) != int(crc, 16):
            return None
        return data

    def _line(self, text: str) -> bytes:
        line = self._rules.prefix + text.encode()
        return line if self._rules.wrap is None else line[: self._rules.wrap - 1]

    def _validate(self) -> Reply:
        rules = self._rules
        if not self._validates_first:
            return Reply((self._line(self._read_status()),))
        if self.last_result is not None:
            return self._answer_status(self.last_result, rules.start_s)
        if not self._flash.end:
            return self._answer_status("PACKAGE_NOT_DOWNLOADED", rules.start_s)
        verdict = self._chassis.judge()
        self._validated = verdict.good or not rules.status
        return self._answer_status(verdict.status, rules.validate_s)

    def _answer_status(self, status: str, seconds: float) -> Reply:
        note, refuse = f"validated: {status}", self._rules.refuses_while_validating
        if self._rules.status:
            return Reply((self._line(status),), seconds=seconds, note=note, refuse=refuse)
        error = BAD_PARAMETER if status == "PACKAGE_NOT_DOWNLOADED" else None
        return Reply(error=error, seconds=seconds, note=note, refuse=refuse)

    def _read_status(self) -> str:
        """Code 2 where the boot validates: it reads, it does not look into the package."""
        if self._parsed is not None:
            return self._parsed.status
        if self.last_result is not None:
            return self.last_result
        return "PACKAGE_NOT_PROCESSED" if self._flash.end else "PACKAGE_NOT_DOWNLOADED"

    def _describe(self, code: int) -> Reply:
        """Codes 3 and 4 parse the slot first."""
        verdict = self._chassis.judge() if self._flash.end else SlotVerdict("PACKAGE_NOT_DOWNLOADED")
        if self._flash.end:
            self._parsed = verdict
        if not verdict.good:
            return Reply((self._line(verdict.status),), FAILED)
        if code == 3:
            return Reply((self._rules.prefix + verdict.name.encode("ascii", "replace"),))
        number = int.from_bytes(hashlib.sha256(verdict.target.encode()).digest()[:4])
        return Reply((self._rules.prefix + str(number).encode(),))

    def _start(self) -> Reply:
        if self._chassis.faults.strike("refuse-start"):
            return self._refuse_start("PACKAGE_NOT_VALIDATION")
        if self._validates_first and not self._validated:
            return self._refuse_start("PACKAGE_NOT_VALIDATION")
        if not self._flash.end or self.last_result is not None:
            return self._refuse_start("PACKAGE_NOT_DOWNLOADED")
        return Reply(seconds=self._rules.start_s, start=True, note="started")

    def _refuse_start(self, status: str) -> Reply:
        lines = (self._line(status),) if self._rules.refusal_line else ()
        return Reply(lines, BAD_PARAMETER)
