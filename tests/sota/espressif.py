"""An ESP32 whose flash is a file, a program with esptool's commands, and images made byte by byte."""

import hashlib
import json
import struct
import sys
import zlib
from pathlib import Path

from atota.clock import Clock, SimulatedClock
from atota.link.base import Parity

FAKE = r'''
"""A program with esptool's commands, on a flash that is a file. Its behaviour is in a JSON file beside it."""
import json, pathlib, sys
here = pathlib.Path(__file__).parent
how = json.loads((here / "how.json").read_text())
flash = here / "flash.bin"
program, words = sys.argv[1], sys.argv[2:]
(here / "calls").open("a").write(json.dumps([program, *words]) + "\n")
options = {}
while words and words[0].startswith("--"):
    options[words.pop(0)] = words.pop(0)
def fatal(text):
    print(f"\nA fatal error occurred: {text}"); sys.exit(2)
if how.get("mute"):
    fatal("Failed to connect to ESP32: Wrong boot mode detected (0x13)!")
if how.get("other", 0) > 0:
    how["other"] -= 1
    (here / "how.json").write_text(json.dumps(how))
    fatal("This chip is ESP32-C3, not ESP32. Wrong chip argument?")
data = bytearray(flash.read_bytes())
if program == "espefuse":
    pathlib.Path(words[words.index("--file") + 1]).write_text(json.dumps(how["fuses"]))
elif words[0] == "read-flash":
    at, size = int(words[1], 16), int(words[2], 16)
    pathlib.Path(words[3]).write_bytes(data[at : at + size])
elif words[0] == "write-flash":
    at, new = int(words[1], 16), pathlib.Path(words[2]).read_bytes()
    print("Writing at 0x%08x ===> 50.0%% 1/2 bytes" % at, flush=True)
    if how.get("sabotage", 0) > 0:
        how["sabotage"] -= 1
        (here / "how.json").write_text(json.dumps(how))
        fatal("MD5 of file does not match data in flash!")
    if how.get("broken"):
        fatal("Serial data stream stopped: Possible serial noise or corruption.")
    if not how.get("lazy"):
        data[at : at + len(new)] = new
        flash.write_bytes(data)
    print("Writing at 0x%08x ===> 100.0%% 2/2 bytes" % at)
    if not how.get("unverified"):
        print("Hash of data verified.")
'''
OPEN = {"FLASH_CRYPT_CNT": {"value": 0}, "ABS_DONE_0": {"value": False}, "ABS_DONE_1": {"value": False}}


def image(version: str, *, project: str = "lamp", chip: int = 0, fill: int = 3000) -> bytes:
    """An application image: header, one segment with its descriptor, checksum, SHA-256."""
    descriptor = struct.pack(
        "<II8x32s32s16s16s32s32s",
        0xABCD5432,
        0,
        version.encode(),
        project.encode(),
        b"12:00:00",
        b"Nov 28 2026",
        b"v5.3",
        b"\x5a" * 32,
    )
    segment = descriptor + bytes(index % 251 for index in range(fill - len(descriptor)))
    data = struct.pack("<BBBBIBBBBHB8xB", 0xE9, 1, 2, 0x20, 0x40080000, 0xEE, 0, 0, 0, chip, 0, 1)
    assert len(data) == 24
    data += struct.pack("<II", 0x3F400020, len(segment)) + segment
    checksum = 0xEF
    for byte in segment:
        checksum ^= byte
    data += bytes(15 - len(data) % 16) + bytes((checksum,))
    return data + hashlib.sha256(data).digest()


def table(*rows: tuple[int, int, int, int, str]) -> bytes:
    """A partition table with its MD5."""
    data = b""
    for kind, subtype, offset, size, label in rows:
        data += b"\xaa\x50" + struct.pack("<BBII16sI", kind, subtype, offset, size, label.encode(), 0)
    data += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(data, usedforsecurity=False).digest()
    return data


TWO = table(
    (1, 2, 0x9000, 0x4000, "nvs"),
    (1, 0, 0xD000, 0x2000, "otadata"),
    (0, 0x10, 0x10000, 0x10000, "ota_0"),
    (0, 0x11, 0x20000, 0x10000, "ota_1"),
)
FACTORY = table((1, 2, 0x9000, 0x4000, "nvs"), (0, 0, 0x10000, 0x10000, "factory"))


def entry(sequence: int, *, state: int = 0xFFFFFFFF, crc: int | None = None) -> bytes:
    """One entry of otadata; sequence 1 has the check word 0x4743989A."""
    good = zlib.crc32(struct.pack("<I", sequence), 0xFFFFFFFF)
    return struct.pack("<I20sII", sequence, b"\xff" * 20, state, good if crc is None else crc)


class Esp:
    """The chip: its flash in a folder, its lines, and the text of its boot."""

    name = "esp"

    def __init__(
        self, folder: Path, *, layout: bytes = TWO, selected: tuple[bytes, bytes] | None = None
    ) -> None:
        self.folder = folder
        self.clock: Clock = SimulatedClock()
        self.baud = 115200
        self.fuses: dict[str, object] = dict(OPEN)
        self.is_stubborn = False
        self.is_quiet = False
        self._arrived = b""
        self._dtr = self._rts = False
        flash = bytearray(b"\xff" * 0x40000)
        flash[0x8000 : 0x8000 + len(layout)] = layout
        for sector, data in enumerate(selected or (entry(1), b"")):
            if layout is TWO:
                flash[0xD000 + sector * 0x1000 :][: len(data)] = data
                flash[0xD000 + sector * 0x1000 : 0xD000 + sector * 0x1000 + len(data)] = data
        (folder / "flash.bin").write_bytes(flash)
        (folder / "esptool.py").write_text(FAKE)
        self.behave()

    def behave(self, **how: object) -> None:
        """Set how esptool behaves."""
        (self.folder / "how.json").write_text(json.dumps({"fuses": self.fuses, **how}))

    def command(self, program: str) -> tuple[str, ...]:
        return sys.executable, str(self.folder / "esptool.py"), program

    @property
    def flash(self) -> bytes:
        return (self.folder / "flash.bin").read_bytes()

    @property
    def calls(self) -> list[list[str]]:
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def put(self, at: int, data: bytes) -> None:
        flash = bytearray(self.flash)
        flash[at : at + len(data)] = data
        (self.folder / "flash.bin").write_bytes(flash)

    # -- a link --------------------------------------------------------------------------------

    def read(self, timeout_s: float) -> bytes:
        data, self._arrived = self._arrived, b""
        if not data:
            self.clock.sleep(timeout_s)
        return data

    def write(self, data: bytes) -> None: ...

    def set_baud(self, baud: int) -> None:
        self.baud = baud

    def set_parity(self, parity: Parity) -> None: ...

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        before = self._rts
        self._dtr = self._dtr if dtr is None else dtr
        self._rts = self._rts if rts is None else rts
        if before and not self._rts and not self._dtr:
            self._arrived += self._boot()

    def close(self) -> None: ...

    def _boot(self) -> bytes:
        """The text of a boot, by the bootloader's rule: the valid entry with the larger number wins."""
        if self.is_quiet:
            return b"ets Jul 29 2019\r\n"
        best = (0, 0)
        for sector in (0, 1):
            sequence, _, state, crc = struct.unpack_from("<I20sII", self.flash, 0xD000 + sector * 0x1000)
            if sequence != 0xFFFFFFFF and crc == zlib.crc32(struct.pack("<I", sequence), 0xFFFFFFFF):
                best = max(best, (sequence, sector)) if state not in (3, 4) else best
        at = 0x10000 if self.is_stubborn or best[0] % 2 == 1 or best[0] == 0 else 0x20000
        version = self.flash[at + 0x30 : at + 0x50].split(b"\0")[0]
        if version.startswith(b"\xff"):
            return b"invalid header: 0xffffffff\r\n"
        return (
            b"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
            + b"I (89) boot: Loaded app from partition at offset 0x%x\r\n" % at
            + b"I (245) cpu_start: App version:      %s\r\n" % version
        )
