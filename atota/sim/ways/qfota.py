"""Quectel's AT+QFOTADL from the module's file system, and pushed over the UART.

The package is checked before the module restarts: one that it does not accept ends with ``END,505`` and
without a reboot (LTE Standard(A) Series DFOTA Upgrade Guide V1.5, 4.1; seen on EC25).

Files: Quectel EC2x&EG25-G&EG9x&EM05 FILE AT Commands Manual V1.0 (AT+QFUPL with its acknowledgements and its
checksum, AT+QFDEL, AT+QFLST, AT+QFLDS). Update: EP06&EG06&EM06 DFOTA User Guide V1.0 (START, UPDATING, END).
The folder is /data/ufs/ on EC2x (fwupd) and /cache/ufs/ on EG18 (public notes of its update).
The pushed stream: a sample of Quectel's for a Cat.1 module. Inferred: the numbers of the file errors.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from atota.sim.boot import Step
from atota.sim.data import Counted
from atota.sim.judge import SlotVerdict
from atota.sim.reply import PLAIN, Reply
from atota.sim.updater import Chassis, PlainUpdater, Updater

ACK_EVERY = 1024
CHECK_FAILED, MISMATCHED = 505, 507  # <err> of END
CHECK_S = 2.0
INVALID, NOT_FOUND, EXISTS, WRITE_FAILED, NO_SPACE, TIMEOUT = 400, 405, 407, 409, 420, 421

_UPLOAD = re.compile(rb'\+QFUPL="(?:UFS:)?([^"]{1,80})",(\d{1,9})(?:,(\d{1,5}))?(?:,([01]))?', re.IGNORECASE)
_FILE = re.compile(rb'\+QF(DEL|LST)="(?:UFS:)?([^"]{1,80})"', re.IGNORECASE)
_START = re.compile(rb'\+QFOTADL="(/[^"]{1,20}/)([^"/]{1,80})"', re.IGNORECASE)
_PUSH = re.compile(rb'\+QFOTADL="FILE:(\d{1,9})"(?:,\d+){0,3}', re.IGNORECASE)


def xor16(data: bytes) -> int:
    """XOR of big-endian 16-bit words; an odd last byte is the high half."""
    high = low = 0
    for byte in data[::2]:
        high ^= byte
    for byte in data[1::2]:
        low ^= byte
    return high << 8 | low


@dataclass(frozen=True, slots=True)
class Qfota:
    """The rules of AT+QFOTADL: the ways that a package may come.

    Attributes:
        files: AT+QFUPL and AT+QFOTADL with the path of a stored file exist.
        folder: where the stored files are for AT+QFOTADL.
        push: AT+QFOTADL="FILE:<size>" exists.
        push_window_s: without a byte for so long the pushed stream has failed.
        broken: the number of FILEEND then.
    """

    files: bool = True
    folder: bytes = b"/data/ufs/"
    push: bool = False
    capacity: int = 8 * 1024 * 1024
    leftover: int = 0
    write_s: float = 0.4
    push_window_s: float = 30.0
    broken: int = 1
    name: ClassVar[str] = "qfota"
    verbatim: ClassVar[bytes] = b""

    def updater(self, chassis: Chassis) -> Updater:
        """Make the state for one module."""
        return QfotaUpdater(self, chassis)


class QfotaUpdater(PlainUpdater):
    """The files, in flash; the one stored or started last is the slot."""

    words = (b"QFUPL", b"QFDEL", b"QFLST", b"QFLDS", b"QFOTADL")

    def __init__(self, rules: Qfota, chassis: Chassis) -> None:
        self._rules = rules
        self._chassis = chassis
        self._files: dict[bytes, bytes] = {}
        self._slot: bytes | None = None

    def positions(self, line: bytes) -> frozenset[str]:
        """Name a file one piece; the faults within it count in KiB."""
        word = line.upper()
        if b"=?" in word:
            return frozenset()
        if b"+QFOTADL=" in word:
            return frozenset({"0" if b'"FILE:' in word else "start"})
        return frozenset({"0"} if b"+QFUPL=" in word else {"erase"} if b"+QFDEL=" in word else ())

    def execute(self, command: bytes, now: float) -> Reply | None:  # noqa: ARG002
        """Carry out a command on files or AT+QFOTADL."""
        word = command.upper()
        if word.startswith(b"+QFOTADL"):
            return self._fota(command, word)
        if not self._rules.files or not word.startswith((b"+QFUPL", b"+QFDEL", b"+QFLST", b"+QFLDS")):
            return None
        if word == b"+QFUPL=?":
            return Reply((b"+QFUPL: <filename>[,(1-%d)[,(1-65535)[,(0,1)]]]" % self._free(),))
        if word in (b'+QFLDS="UFS"', b"+QFLDS"):
            return Reply((b"+QFLDS: %d,%d" % (self._free(), self._rules.capacity),))
        if word in (b"+QFLST", b'+QFLST="*"', b'+QFLST="UFS:*"'):
            return Reply(tuple(self._listed(name) for name in self._files))
        if match := _UPLOAD.fullmatch(command):
            return self._upload(match)
        if match := _FILE.fullmatch(command):
            return self._file(match[1].upper(), match[2])
        return Reply(error=INVALID)

    def _free(self) -> int:
        return self._rules.capacity - sum(len(data) for data in self._files.values())

    def _listed(self, name: bytes) -> bytes:
        return b'+QFLST: "UFS:%s",%d' % (name, len(self._files[name]))

    def _file(self, word: bytes, name: bytes) -> Reply:
        if name not in self._files:
            return Reply(error=NOT_FOUND)
        if word == b"LST":
            return Reply((self._listed(name),))
        if self._chassis.faults.strike("refuse-erase"):
            return Reply(error=INVALID)
        del self._files[name]
        if self._slot == name:
            self._chassis.flash.erase()
        return Reply(seconds=0.05, note="erased")

    def _fill(self, name: bytes | None, data: bytes) -> None:
        self._slot = name
        self._chassis.flash.erase()
        self._chassis.flash.write(0, data)

    # --- AT+QFUPL ------------------------------------------------------------------------------------

    def _upload(self, match: re.Match[bytes]) -> Reply:
        name, size, timeout = match[1], int(match[2]), int(match[3] or 5)
        if name in self._files:
            return Reply(error=EXISTS)
        if not size or not 1 <= timeout <= 65535:
            return Reply(error=INVALID)
        if size > self._free():
            return Reply(error=NO_SPACE)
        phase = Counted(
            self._chassis,
            size,
            float(timeout),
            lambda data, _now: self._uploaded(name, data),
            missed=Reply(error=TIMEOUT),
            refused=Reply(error=WRITE_FAILED),
            each=ACK_EVERY if match[4] == b"1" else 0,
            each_taken=self._acknowledge,
            idle=True,
        )
        return Reply(data=phase, prompt=(Step(0.02, b"\r\nCONNECT\r\n"),))

    def _acknowledge(self, count: int, now: float) -> None:
        number = str(count // ACK_EVERY - 1)
        if not self._chassis.faults.strike("lose-ack", frozenset({number})):
            self._chassis.send(now + 0.005, b"A")

    def _uploaded(self, name: bytes, data: bytes) -> Reply:
        self._files[name] = data
        self._fill(name, data)
        checksum = xor16(data)
        if self._chassis.faults.strike("refuse-md5"):
            checksum ^= 0x0100
        line = b"+QFUPL: %d,%x" % (len(data), checksum)
        return Reply((line,), seconds=self._rules.write_s, note="piece 0")

    # --- AT+QFOTADL ----------------------------------------------------------------------------------

    def _fota(self, command: bytes, word: bytes) -> Reply:
        if word == b"+QFOTADL=?":
            return Reply()
        if self._rules.push and (match := _PUSH.fullmatch(command)):
            return self._push(int(match[1]))
        match = _START.fullmatch(command) if self._rules.files else None
        if match is None or match[1] != self._rules.folder or match[2] not in self._files:
            return Reply(error=PLAIN)
        if self._chassis.faults.strike("refuse-start"):
            return Reply(error=PLAIN)
        if self._slot != match[2]:
            self._fill(match[2], self._files[match[2]])
        verdict = self._chassis.judge()
        if verdict.good:
            return Reply(start=True, note="started")
        return Reply(note="package refused", then=lambda then: self._refuse(verdict, then + CHECK_S))

    def _refuse(self, verdict: SlotVerdict, now: float) -> None:
        is_mismatch = verdict.status == "PACKAGE_VERSION_MISMATCHED" and self._rules.push
        line = b'\r\n+QIND: "FOTA","END",%d\r\n' % (MISMATCHED if is_mismatch else CHECK_FAILED)
        self._chassis.plan(now, lambda then: self._chassis.send(then, line))

    def _push(self, size: int) -> Reply:
        if not 0 < size <= self._rules.capacity or self._chassis.faults.strike("refuse-start"):
            return Reply(error=PLAIN)
        marks = self._marks(size)
        broken = b'+QIND: "FOTA","FILEEND",%d' % self._rules.broken
        self._fill(None, b"")
        phase = Counted(
            self._chassis,
            size,
            self._rules.push_window_s,
            self._pushed,
            missed=Reply((broken,), bare=True),
            refused=Reply((broken,), bare=True),
            each=max(1, size // 20),
            each_taken=lambda _count, now: self._downloading(next(marks, None), now),
            idle=True,
        )
        first = (Step(0.0, b"\r\nOK\r\n"), Step(0.5, b'\r\n+QIND: "FOTA","FILESTART"\r\n'))
        return Reply(data=phase, prompt=first)

    @staticmethod
    def _marks(size: int) -> Iterator[int]:
        """The percentages at each twentieth."""
        each = max(1, size // 20)
        return ((count * 100 + size // 2) // size for count in range(each, size, each))

    def _downloading(self, percent: int | None, now: float) -> None:
        if percent is not None and not self._chassis.faults.lasts("quiet-update"):
            self._chassis.send(now + 0.005, b'\r\n+QIND: "FOTA","DOWNLOADING",%d\r\n' % percent)

    def _pushed(self, data: bytes, _now: float) -> Reply:
        self._chassis.flash.write(0, data)
        line = b'+QIND: "FOTA","FILEEND",0'
        verdict = self._chassis.judge()
        if verdict.good:
            return Reply((line,), bare=True, seconds=self._rules.write_s, note="piece 0", start=True)
        return Reply(
            (line,),
            bare=True,
            seconds=self._rules.write_s,
            note="piece 0",
            then=lambda then: self._refuse(verdict, then + CHECK_S),
        )
