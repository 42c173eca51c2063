"""AT+NFWUPD as the module sees it: a slot, a counter and many ways to say no.

The rules of counter, checksum and errors are those of the Hi2115 B500 AT layer, observed by running that
firmware's own handlers; codes, lengths and flows per family are in the personas.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import xor

from atota.sim.flash import Flash
from atota.sim.judge import Verdict
from atota.sim.persona import Nfwupd

BAD_PARAMETER = 50
FAILED = 4
INTERNAL = 514  # an empty parameter or one too many

_CRC = re.compile(rb"[0-9A-Fa-f]{2}")
_NUMBER = re.compile(rb"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one NFWUPD command. ``error`` of None is ``OK``."""

    lines: tuple[bytes, ...] = ()
    error: int | None = None
    seconds: float = 0.01
    start: bool = False
    note: str = ""


class Updater:
    """The state behind AT+NFWUPD.

    Args:
        rules: what this kind of module allows.
        flash: the slot; it outlives a reboot, the counters do not.
        judge: asks the security core about the slot.
    """

    def __init__(self, rules: Nfwupd, flash: Flash, judge: Callable[[], Verdict]) -> None:
        self._rules = rules
        self._flash = flash
        self._judge = judge
        self.last_result: str | None = None
        self.blocks = 0
        self.reset()

    def reset(self) -> None:
        """What a reboot does: the counters are in RAM, the slot is not."""
        self._last = 0
        self._offset = 0
        self._validated = False
        self._parsed: Verdict | None = None

    def execute(self, text: bytes) -> Result:
        """Carry out ``AT+NFWUPD=<text>``."""
        parameters = text.split(b",")
        if len(parameters) > 5 or b"" in parameters:
            return Result(error=INTERNAL)
        values = [p[1:-1] if len(p) > 1 and p[:1] == p[-1:] == b'"' else p for p in parameters]
        if not _NUMBER.fullmatch(values[0]):
            return Result(error=BAD_PARAMETER)
        code = int(values[0])
        if code == 1:
            return self._download(values)
        if len(values) > 1:
            return Result(error=BAD_PARAMETER)
        if code == 0 and self._rules.erase:
            return self._erase()
        if code == 2:
            return self._validate()
        if code in (3, 4) and self._rules.names:
            return self._describe(code)
        if code == 5:
            return self._start()
        return Result(error=FAILED if code in (3, 4) else BAD_PARAMETER)

    def _touch(self) -> None:
        self._validated = False
        self._parsed = None
        self.last_result = None

    def _erase(self) -> Result:
        self._touch()
        self._flash.erase()
        self._last = self._offset = 0
        return Result(seconds=self._rules.erase_s, note="erased")

    def _download(self, values: list[bytes]) -> Result:
        refused = Result(error=BAD_PARAMETER)
        if len(values) != 5 or not all(_NUMBER.fullmatch(value) for value in values[1:3]):
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
        return Result(seconds=self._rules.block_s, note=f"block {number}")

    def _decode(self, length: int, text: bytes, crc: bytes) -> bytes | None:
        """The segment, or None if length, hex or XOR8 is wrong."""
        rules = self._rules
        if not 0 < length <= rules.most or length % rules.multiple or len(text) != 2 * length:
            return None
        try:
            data = bytes.fromhex(text.decode("ascii"))
        except ValueError:
            return None
        if len(data) != length or not _CRC.fullmatch(crc) or reduce(xor, data) != int(crc, 16):
            return None
        return data

    def _line(self, text: str) -> bytes:
        line = self._rules.prefix + text.encode()
        return line if self._rules.wrap is None else line[: self._rules.wrap - 1]

    def _validate(self) -> Result:
        rules = self._rules
        if not rules.validate_first:
            return Result((self._line(self._read_status()),))
        if self.last_result is not None:
            return self._answer_status(self.last_result, rules.start_s)
        if not self._flash.end:
            return self._answer_status("PACKAGE_NOT_DOWNLOADED", rules.start_s)
        verdict = self._judge()
        self._validated = verdict.good or not rules.status
        return self._answer_status(verdict.status, rules.validate_s)

    def _answer_status(self, status: str, seconds: float) -> Result:
        note = f"validated: {status}"
        if self._rules.status:
            return Result((self._line(status),), seconds=seconds, note=note)
        error = BAD_PARAMETER if status == "PACKAGE_NOT_DOWNLOADED" else None
        return Result(error=error, seconds=seconds, note=note)

    def _read_status(self) -> str:
        """Code 2 where the boot validates: it reads, it does not look into the package."""
        if self._parsed is not None:
            return self._parsed.status
        if self.last_result is not None:
            return self.last_result
        return "PACKAGE_NOT_PROCESSED" if self._flash.end else "PACKAGE_NOT_DOWNLOADED"

    def _describe(self, code: int) -> Result:
        """Codes 3 and 4 parse the slot first."""
        verdict = self._judge() if self._flash.end else Verdict("PACKAGE_NOT_DOWNLOADED")
        if self._flash.end:
            self._parsed = verdict
        if not verdict.good:
            return Result((self._line(verdict.status),), FAILED)
        if code == 3:
            return Result((self._rules.prefix + verdict.name.encode("ascii", "replace"),))
        number = int.from_bytes(hashlib.sha256(verdict.target.encode()).digest()[:4])
        return Result((self._rules.prefix + str(number).encode(),))

    def _start(self) -> Result:
        if self._rules.validate_first and not self._validated:
            return self.refuse_start("PACKAGE_NOT_VALIDATION")
        if not self._flash.end or self.last_result is not None:
            return self.refuse_start("PACKAGE_NOT_DOWNLOADED")
        return Result(seconds=self._rules.start_s, start=True, note="started")

    def refuse_start(self, status: str) -> Result:
        """The refusal of code 5."""
        lines = (self._line(status),) if self._rules.refusal_line else ()
        return Result(lines, BAD_PARAMETER)
