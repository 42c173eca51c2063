"""SIMCom's FOTA partition and ``AT+CFOTA=5``: erase, write behind ``>``, start with length and MD5.

SIM7020 Series AT Command Manual V1.05 chapter 19. The texts are those of the same series' application note
on the China Telecom platform V1.04, chapter 6; that mode 5 prints the same ones is inferred.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import ClassVar

from atota.sim.boot import Step
from atota.sim.data import Counted
from atota.sim.reply import PLAIN, Reply
from atota.sim.updater import Chassis, PlainUpdater, Updater

BLOCK = 4096
BLOCKS = 145  # 580 KiB, 0x08313000 to 0x083A4000
NOT_ALLOWED, MEMORY_FAILURE, BAD_PARAMETER = 3, 23, 50

_ERASE = re.compile(rb"\+CFLE=(\d+),(\d+),(\d+)")
_WRITE = re.compile(rb"\+CFLW=(\d+),(\d+),(\d+),(\d+),(\d+)")
_START = re.compile(rb'\+CFOTA=5,(\d+),"?([0-9A-F]{32})"?')
_WORDS = {b"+CFLE=": "erase", b"+CFOTA=5": "start"}


@dataclass(frozen=True, slots=True)
class Cflw:
    """The rules of the FOTA partition.

    Attributes:
        erase_s: seconds for each block.
        check_s: seconds until the check of length and MD5 is through.
    """

    capacity: int = BLOCK * BLOCKS
    leftover: int = BLOCK * BLOCKS
    most: int = 512
    erase_s: float = 0.05
    write_s: float = 0.02
    check_s: float = 3.0
    name: ClassVar[str] = "cflw"
    verbatim: ClassVar[bytes] = b""

    def updater(self, chassis: Chassis) -> Updater:
        """Make the state for one module."""
        return CflwUpdater(self, chassis)


class CflwUpdater(PlainUpdater):
    """The partition keeps no account: only its bytes count, so a write without an erase is taken."""

    words = (b"CFLE", b"CFLW", b"CFLR", b"CFOTA")

    def __init__(self, rules: Cflw, chassis: Chassis) -> None:
        self._rules = rules
        self._chassis = chassis
        self._pieces = 0
        self.committed = False

    def reset(self) -> None:
        """Forget a check that goes on."""
        self.committed = False

    def positions(self, line: bytes) -> frozenset[str]:
        """Count pieces from the last erase."""
        word = line.upper()
        if b"+CFLW=" in word:
            return frozenset({str(self._pieces)})
        return frozenset(name for part, name in _WORDS.items() if part in word)

    def execute(self, command: bytes, now: float) -> Reply | None:  # noqa: ARG002
        """Carry out AT+CFLE, AT+CFLW, AT+CFLR or AT+CFOTA."""
        word = command.upper()
        if not word.startswith((b"+CFL", b"+CFOTA")):
            return None
        if match := _ERASE.fullmatch(word):
            return self._erase(*(int(number) for number in match.groups()))
        if match := _WRITE.fullmatch(word):
            return self._write(*(int(number) for number in match.groups()))
        if match := _START.fullmatch(word):
            return self._start(int(match[1]), match[2].decode().lower())
        if word.startswith(b"+CFLR="):
            return Reply(error=NOT_ALLOWED)  # the FOTA partition can't be read back
        if re.fullmatch(rb"\+CFOTA=[12](,.*)?", word):
            return Reply(then=self._no_package)
        return Reply(error=BAD_PARAMETER if b"=" in word and not word.endswith(b"?") else PLAIN)

    def _erase(self, mode: int, address: int, count: int) -> Reply:
        if mode != 0 or address != 0 or not 1 <= count <= BLOCKS:
            return Reply(error=BAD_PARAMETER)
        seconds = self._rules.erase_s * count
        if self._chassis.faults.strike("refuse-erase"):
            return Reply(error=MEMORY_FAILURE, seconds=seconds)
        self._chassis.flash.erase(count * BLOCK)
        self._pieces = 0
        return Reply(seconds=seconds, note="erased")

    def _write(self, mode: int, address: int, size: int, offset: int, window: int) -> Reply:
        fits = 0 < size <= self._rules.most and offset + size <= self._rules.capacity
        fits = fits and not self._chassis.faults.refuses_length(size)
        if mode != 0 or address != 0 or not fits or not 1 <= window <= 100:
            return Reply(error=BAD_PARAMETER)
        phase = Counted(
            self._chassis,
            size,
            float(window),
            lambda data, _now: self._store(offset, data),
            missed=Reply(error=PLAIN),
            refused=Reply(error=MEMORY_FAILURE),
        )
        return Reply(data=phase, prompt=(Step(0.0, b"\r\n>"),))

    def _store(self, offset: int, data: bytes) -> Reply:
        self._chassis.flash.write(offset, data)
        self._pieces += 1
        return Reply(seconds=self._rules.write_s, note=f"piece {self._pieces - 1}")

    def _start(self, size: int, digest: str) -> Reply:
        if self._chassis.faults.strike("refuse-start"):
            return Reply(error=NOT_ALLOWED)
        if not 0 < size <= self._rules.capacity:
            return Reply(error=BAD_PARAMETER)
        data = self._chassis.flash.written()
        fits = hashlib.md5(data[:size], usedforsecurity=False).hexdigest() == digest and len(data) == size
        if self._chassis.faults.strike("refuse-md5"):
            fits = False
        self.committed = fits
        return Reply(
            then=lambda now: self._chassis.plan(now + self._rules.check_s, self._good if fits else self._bad)
        )

    def _good(self, now: float) -> None:
        self.committed = False
        if not self._chassis.faults.lasts("quiet-update"):
            self._chassis.send(now, b"\r\n+CFOTA: Package check success\r\n")
            self._chassis.send(now + 0.5, b"\r\n+CFOTA: Start to update,please wait for reset\r\n")
        self._chassis.tell("started")
        self._chassis.start_update(now + 1.0)

    def _bad(self, now: float) -> None:
        self._chassis.tell("length or MD5 differ")
        if not self._chassis.faults.lasts("quiet-update"):
            self._chassis.send(now, b"\r\n+CFOTA: Update fail\r\n")

    def _no_package(self, now: float) -> None:
        line = b"\r\n+CFOTA: No update package\r\n"
        self._chassis.plan(now + 5.0, lambda then: self._chassis.send(then, line))
