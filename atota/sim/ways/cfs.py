"""SIMCom's file system and ``AT+CFOTA``: a file in pieces behind ``DOWNLOAD``, then the module updates.

SIM7000 Series FS Application Note V1.01 and AT Command Manual V1.06 section 15.2 (the file commands), FOTA
Application Note V1.01 (``update.zip``, the texts, the results of AT+CFOTA?). SIM7070/7080/7090 have the same
words.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from atota.sim.boot import Step
from atota.sim.data import Counted
from atota.sim.judge import SlotVerdict
from atota.sim.reply import PLAIN, Reply
from atota.sim.updater import Chassis, PlainUpdater, Updater

NAME = b"update.zip"
FOTA = 1  # the directory /fota/
NOT_ALLOWED, FULL, NOT_FOUND = 3, 20, 22

_WRITE = re.compile(rb'\+CFSWFILE=(\d+),"([^"]{1,230})",(\d+),(\d+),(\d+)', re.IGNORECASE)
_READ = re.compile(rb'\+CFSRFILE=(\d+),"([^"]{1,230})",(\d+),(\d+),(\d+)', re.IGNORECASE)
_ONE = re.compile(rb'\+CFS(GFIS|DFILE)=(\d+),"([^"]{1,230})"', re.IGNORECASE)
_RENAME = re.compile(rb'\+CFSREN=(\d+),"([^"]{1,230})","([^"]{1,230})"', re.IGNORECASE)
_TESTS = {
    b"+CFSWFILE=?": b'+CFSWFILE: (0-3),"fileName",(0-1),(1-10240),(100-10000)',
    b"+CFSRFILE=?": b'+CFSRFILE: (0-3),"fileName",(0-1),(1-10240),(0-2147483647)',
    b"+CFSGFIS=?": b'+CFSGFIS: (0-3),"fileName"',
    b"+CFSDFILE=?": b'+CFSDFILE: (0-3),"fileName"',
    b"+CFOTA=?": b"+CFOTA: (0-1)",
}
_UPDATING, _GOOD, _FAILED, _CLEARED = 1, 6, 7, 8


@dataclass(frozen=True, slots=True)
class Cfs:
    """The rules of the file system.

    Attributes:
        capacity: free bytes when nothing is there.
        write_s: seconds for each KiB that is stored.
    """

    capacity: int = 22_151_168  # the manual's example of AT+CFSGFRS?
    leftover: int = 0
    most: int = 10239  # "less than 10240", though the test form says (1-10240)
    write_s: float = 0.005
    name: ClassVar[str] = "cfs"
    verbatim: ClassVar[bytes] = b""

    def updater(self, chassis: Chassis) -> Updater:
        """Make the state for one module."""
        return CfsUpdater(self, chassis)


class CfsUpdater(PlainUpdater):
    """The files, whether the buffer is allocated, and the result of the last update.

    ``/fota/update.zip`` is the slot; it is kept in the module's flash.
    """

    words = (b"CFSINIT", b"CFSTERM", b"CFSGFRS", b"CFSWFILE", b"CFSRFILE", b"CFSGFIS", b"CFSDFILE", b"CFOTA")

    def __init__(self, rules: Cfs, chassis: Chassis) -> None:
        self._rules = rules
        self._chassis = chassis
        self._files: dict[tuple[int, bytes], bytes] = {}
        self._pieces = 0
        self._result = _CLEARED
        self._open = False

    def reset(self) -> None:
        """Forget the buffer, which is in RAM; the files are not."""
        self._open = False

    def finished(self, verdict: SlotVerdict, *, said_good: bool) -> None:  # noqa: ARG002
        """Let AT+CFOTA? report the result that the text reported."""
        self._result = _GOOD if said_good else _FAILED

    def positions(self, line: bytes) -> frozenset[str]:
        """Count pieces of the slot's file from its last write in mode 0."""
        word = line.upper()
        if match := _WRITE.search(line):
            return frozenset({"0" if match[3] == b"0" else str(self._pieces)})
        names = {
            b"+CFSINIT": "prepare",
            b"+CFSDFILE=": "erase",
            b"+CFSGFIS=": "validate",
            b"+CFOTA=1": "start",
        }
        return frozenset(name for part, name in names.items() if part in word)

    def execute(self, command: bytes, now: float) -> Reply | None:  # noqa: ARG002
        """Carry out a command of the file system or AT+CFOTA."""
        word = command.upper()
        if not word.startswith((b"+CFS", b"+CFOTA")):
            return None
        if word in _TESTS:
            return Reply((_TESTS[word],))
        if word.startswith(b"+CFOTA"):
            return self._cfota(word)
        if word in (b"+CFSINIT", b"+CFSTERM"):
            opens = word == b"+CFSINIT"
            if self._open == opens:
                return Reply(error=PLAIN)
            self._open = opens
            return Reply(seconds=0.05)
        if not self._open:
            return Reply(error=NOT_ALLOWED)
        if word == b"+CFSGFRS?":
            return Reply((b"+CFSGFRS: %d" % self._free(),))
        if match := _WRITE.fullmatch(command):
            return self._write(match)
        if match := _READ.fullmatch(command):
            return self._read(match)
        if match := _RENAME.fullmatch(command):
            return self._rename((int(match[1]), match[2]), (int(match[1]), match[3]))
        match = _ONE.fullmatch(command)
        return self._one(match) if match else Reply(error=PLAIN)

    def _free(self) -> int:
        return self._rules.capacity - sum(len(data) for data in self._files.values())

    def _write(self, match: re.Match[bytes]) -> Reply:
        folder, mode, size, window = (int(match[group]) for group in (1, 3, 4, 5))
        if folder > 3 or mode > 1 or not 0 < size <= self._rules.most or not 100 <= window <= 10000:
            return Reply(error=PLAIN)
        if self._chassis.faults.refuses_length(size):
            return Reply(error=PLAIN)
        if size > self._free():
            return Reply(error=FULL)
        key = (folder, match[2])
        phase = Counted(
            self._chassis,
            size,
            window / 1000,
            lambda data, _now: self._store(key, mode, data),
            missed=Reply(error=NOT_ALLOWED),
            refused=Reply(error=NOT_ALLOWED),
        )
        return Reply(data=phase, prompt=(Step(0.0, b"\r\nDOWNLOAD\r\n"),))

    def _store(self, key: tuple[int, bytes], mode: int, data: bytes) -> Reply:
        old = self._files.get(key, b"")
        piece = 0 if mode == 0 else self._pieces
        self._keep(key, old + data if mode else data + old[len(data) :])
        if key == (FOTA, NAME):
            self._pieces = piece + 1
        return Reply(seconds=self._rules.write_s * (1 + len(data) / 1024), note=f"piece {piece}")

    def _keep(self, key: tuple[int, bytes], data: bytes | None) -> None:
        """Let a file hold ``data``; None removes it."""
        old = self._files.pop(key, b"")
        if data is not None:
            self._files[key] = data
        if key != (FOTA, NAME):
            return
        flash = self._chassis.flash
        if data is None or not old or not data.startswith(old):
            flash.erase()
            old = b""
        if data is not None:
            flash.write(len(old), data[len(old) :])

    def _read(self, match: re.Match[bytes]) -> Reply:
        folder, mode, size, position = (int(match[group]) for group in (1, 3, 4, 5))
        data = self._files.get((folder, match[2]))
        if data is None:
            return Reply(error=NOT_FOUND)
        start = position if mode else 0
        if mode > 1 or not 0 < size <= 10240 or start > len(data):
            return Reply(error=PLAIN)
        piece = data[start : start + size]
        return Reply(body=b"\r\n+CFSRFILE: %d\r\n" % len(piece) + piece, seconds=0.02)

    def _rename(self, old: tuple[int, bytes], new: tuple[int, bytes]) -> Reply:
        data = self._files.get(old)
        if data is None or new in self._files:
            return Reply(error=NOT_FOUND if data is None else NOT_ALLOWED)
        self._keep(old, None)
        self._keep(new, data)
        return Reply(seconds=0.05)

    def _one(self, match: re.Match[bytes]) -> Reply:
        key = (int(match[2]), match[3])
        if key not in self._files:
            return Reply(error=NOT_FOUND)
        if match[1].upper() == b"GFIS":
            return Reply((b"+CFSGFIS: %d" % len(self._files[key]),))
        if self._chassis.faults.strike("refuse-erase"):
            return Reply(error=NOT_ALLOWED)
        self._keep(key, None)
        return Reply(seconds=0.05, note="erased")

    def _cfota(self, word: bytes) -> Reply:
        if word == b"+CFOTA?":
            return Reply((b"+CFOTA: %d" % self._result,))
        if word == b"+CFOTA=0":
            self._result = _CLEARED
            return Reply()
        if word != b"+CFOTA=1":
            return Reply(error=PLAIN)
        if self._chassis.faults.strike("refuse-start"):
            return Reply(error=NOT_ALLOWED)
        self._result = _UPDATING
        return Reply(start=True, note="started")
