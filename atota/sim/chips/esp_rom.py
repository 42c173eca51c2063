r"""The loader in an ESP32's ROM, and the stub that esptool loads into its RAM.

Source: esptool documentation, "Serial protocol" (ESP32): SLIP packets, commands and their data, errors,
checksum. A request is ``00 op length16 checksum32 data``, an answer ``01 op length16 value32 data status``::

    C0 00 08 24 00 00000000 07 07 12 20 55*32 C0      SYNC, which also measures the rate
    C0 01 08 04 00 07122055 00 00 00 00 C0            eight times

Until the first SYNC nothing else is answered; until SPI_ATTACH the flash is not there. FLASH_BEGIN erases,
FLASH_DATA must come in order and with the length that FLASH_BEGIN gave. The stub is never run: from its
start on, the simulator behaves as its documentation says.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable, Generator
from typing import NoReturn

from atota.sim.chips import esp_image, esp_registers, slip
from atota.sim.chips.chip import Need, Next, Program, SimChip

SYNC_DATA = b"\x07\x07\x12\x20" + b"\x55" * 32
_NAMES = {
    0x02: "begin",
    0x03: "data",
    0x04: "end",
    0x05: "mem-begin",
    0x06: "mem-end",
    0x07: "mem-data",
    0x08: "sync",
    0x09: "write-reg",
    0x0A: "read-reg",
    0x0B: "set-params",
    0x0D: "attach",
    0x0E: "read-flash",
    0x0F: "baud",
    0x10: "begin",
    0x11: "data",
    0x12: "end",
    0x13: "md5",
    0xD0: "erase",
    0xD1: "erase",
    0xD2: "read-flash",
}
_ROM_BLOCK, _STUB_BLOCK, _RAM_BLOCK = 0x400, 0x4000, 0x1800
_INVALID, _FAILED, _CHECKSUM, _INFLATE = 0x05, 0x06, 0x07, 0x0B
_STUB_LENGTH, _STUB_CHECKSUM, _STUB_INVALID, _STUB_MODE, _STUB_INFLATE, _STUB_MUCH = (
    0xC0,
    0xC1,
    0xC3,
    0xC6,
    0xC7,
    0xC9,
)
_ERASE_S = 0.045  # of a sector: W25Q32JV datasheet, table 9.6, typical
_WRITE_S = 0.0007 / 256  # of a byte, from the page's time in the same table
_MD5_S = 0.25e-6  # of a byte; esptool allows 8 s a MB

Handler = Generator[Need, bytes, Next | None]


class _Refused(Exception):
    """A command ends with an error: the ROM's number and the stub's."""

    def __init__(self, rom: int, stub: int) -> None:
        super().__init__()
        self.rom, self.stub = rom, stub


def run(chip: SimChip) -> Program:
    """Run the loader until it is left."""
    return (yield from _Loader(chip).run())


class _Loader:
    def __init__(self, chip: SimChip) -> None:
        self.chip = chip
        self.registers = esp_registers.Registers(chip)
        self.is_synced = self.is_attached = self.is_stub = False
        self.ram_left = 0
        self.ram_loaded = False
        self.position = self.left = self.block = self.sequence = 0
        self.inflater: zlib._Decompress | None = None
        self.handlers: dict[int, Callable[[bytes], Handler]] = {
            0x02: self.flash_begin,
            0x03: self.flash_data,
            0x04: self.flash_end,
            0x05: self.mem_begin,
            0x06: self.mem_end,
            0x07: self.mem_data,
            0x09: self.write_register,
            0x0A: self.read_register,
            0x0B: self.set_params,
            0x0D: self.attach,
            0x0E: self.read_slow,
            0x0F: self.change_rate,
            0x10: self.deflated_begin,
            0x11: self.deflated_data,
            0x12: self.flash_end,
            0x13: self.md5,
        }

    # --- packets -------------------------------------------------------------------------------------

    def run(self) -> Program:
        """Take packets for ever."""
        self.chip.auto_rate = True
        while True:
            frame = yield slip.END
            packet = slip.unescaped(frame[:-1])
            if not packet or len(packet) < 8 or packet[0] != 0:
                if not self.is_synced:
                    self.chip.auto_rate = True  # noise: the rate is measured again
                continue
            following = yield from self.take(packet)
            if following is not None:
                return following

    def take(self, packet: bytes) -> Handler:
        """Carry a request out and answer it."""
        op, length, checksum = struct.unpack_from("<xBHI", packet)
        data = packet[8:]
        if op == 0x08 and data == SYNC_DATA:
            return (yield from self.sync())
        if not self.is_synced:
            return None
        name = _NAMES.get(op, "unknown")
        verdict = self.chip.meet(name, self.chip.pieces if name == "data" else None)
        if verdict == "unheard":
            return None
        try:
            if verdict == "nack":
                self.refuse(_FAILED, _STUB_INVALID)
            if length != len(data):
                self.refuse(_INVALID, _STUB_LENGTH)
            if op in (0x03, 0x07, 0x11) and esp_image.checksum(data[16:]) != checksum:
                self.refuse(_CHECKSUM, _STUB_CHECKSUM)
            handler = self.handlers.get(op, self.unknown)
            return (yield from handler(data))
        except _Refused as refused:
            code = refused.stub if self.is_stub else refused.rom
            self.chip.say(self.packet(op, b"", 0, bytes([1, code])))
            return None

    def packet(self, op: int, data: bytes, value: int, status: bytes) -> bytes:
        """Return an answer; the ROM's status has four bytes, the stub's two."""
        body = data + (status if self.is_stub else status + b"\0\0")
        return slip.framed(struct.pack("<BBHI", 1, op, len(body), value) + body)

    def answer(self, op: int, data: bytes = b"", *, value: int = 0) -> Generator[float, bytes, None]:
        """Answer a request that was carried out."""
        yield from self.chip.finish(self.packet(op, data, value, b"\0\0"))

    def refuse(self, rom: int, stub: int) -> NoReturn:
        """End a command with an error."""
        raise _Refused(rom, stub)

    def unknown(self, _data: bytes) -> Handler:
        """Refuse a command that is not in the list, GET_SECURITY_INFO among them."""
        yield 0.0
        self.refuse(_INVALID, _STUB_INVALID)

    def sync(self) -> Handler:
        """Answer eight times, with a value that tells ROM from stub."""
        self.chip.auto_rate = False
        self.is_synced = True
        if self.chip.meet("sync"):
            return None
        for _ in range(8):
            yield from self.answer(0x08, value=0 if self.is_stub else 0x20120707)
        return None

    def words(self, data: bytes, count: int) -> tuple[int, ...]:
        """Return exactly so many 32-bit words."""
        if len(data) != 4 * count:
            raise _Refused(_INVALID, _STUB_LENGTH)
        return struct.unpack(f"<{count}I", data)

    # --- registers and memory ------------------------------------------------------------------------

    def read_register(self, data: bytes) -> Handler:
        """READ_REG."""
        (address,) = self.words(data, 1)
        yield from self.answer(0x0A, value=self.registers.read(address))
        return None

    def write_register(self, data: bytes) -> Handler:
        """WRITE_REG; a packet may hold several writes."""
        if not data or len(data) % 16:
            raise _Refused(_INVALID, _STUB_LENGTH)
        for start in range(0, len(data), 16):
            address, value, mask, _delay = struct.unpack_from("<IIII", data, start)
            self.registers.write(address, value, mask)
        yield from self.answer(0x09)
        return None

    def mem_begin(self, data: bytes) -> Handler:
        """MEM_BEGIN."""
        size, _blocks, block, _offset = self.words(data, 4)
        if block > _RAM_BLOCK:
            raise _Refused(_FAILED, _STUB_LENGTH)
        self.ram_left = size
        self.sequence = 0
        yield from self.answer(0x05)
        return None

    def mem_data(self, data: bytes) -> Handler:
        """MEM_DATA."""
        length, sequence = struct.unpack_from("<II", data)
        if length != len(data) - 16 or sequence != self.sequence or length > self.ram_left:
            raise _Refused(_INVALID, _STUB_LENGTH)
        self.sequence += 1
        self.ram_left -= length
        self.ram_loaded = not self.ram_left
        yield from self.answer(0x07)
        return None

    def mem_end(self, data: bytes) -> Handler:
        """MEM_END: run what was loaded."""
        stay, entry = self.words(data, 2)
        if not self.ram_loaded:
            raise _Refused(_FAILED, _STUB_MODE)
        yield from self.answer(0x06)
        if not stay and entry:
            self.is_stub = self.is_attached = True
            self.handlers |= {0xD0: self.erase_flash, 0xD1: self.erase_region, 0xD2: self.read_fast}
            self.chip.say(slip.framed(b"OHAI"))
            self.chip.tell("the stub runs")
        return None

    def change_rate(self, data: bytes) -> Handler:
        """CHANGE_BAUDRATE: the answer leaves at the old rate."""
        rate, _old = self.words(data, 2)
        if not 1200 <= rate <= 5_000_000:
            raise _Refused(_FAILED, _STUB_INVALID)
        yield from self.answer(0x0F)
        self.chip.set_uart(rate)
        self.chip.tell(f"at {rate} baud")
        return None

    # --- flash ---------------------------------------------------------------------------------------

    def attach(self, data: bytes) -> Handler:
        """SPI_ATTACH; the ROM takes two words, the stub one."""
        self.words(data, 1 if self.is_stub else 2)
        self.is_attached = True
        yield from self.answer(0x0D)
        return None

    def set_params(self, data: bytes) -> Handler:
        """SPI_SET_PARAMS."""
        self.words(data, 6)
        yield from self.answer(0x0B)
        return None

    def region(self, address: int, size: int) -> None:
        """Refuse what is not in the flash, or the flash while it is not attached."""
        if not self.is_attached or not self.chip.flash.holds(address, size):
            raise _Refused(_FAILED, _STUB_MODE)

    def erase(self, address: int, size: int) -> Handler:
        """Erase every sector that a region touches."""
        sector = self.chip.flash.page
        start = address - address % sector
        for at in range(start, address + size, sector):
            yield _ERASE_S
            self.chip.flash.erase(at, sector)
        return None

    def flash_begin(self, data: bytes) -> Handler:
        """FLASH_BEGIN: the ROM takes four words; the stub a fifth one, for encryption."""
        return (yield from self.begin(0x02, data, is_deflated=False))

    def deflated_begin(self, data: bytes) -> Handler:
        """FLASH_DEFL_BEGIN."""
        return (yield from self.begin(0x10, data, is_deflated=True))

    def begin(self, op: int, data: bytes, *, is_deflated: bool) -> Handler:
        """Erase and get ready for blocks."""
        size, blocks, block, address, *_encrypted = self.words(data, 5 if self.is_stub else 4)
        self.region(address, size)
        if address % 4 or block > (_STUB_BLOCK if self.is_stub else _ROM_BLOCK):
            raise _Refused(_FAILED, _STUB_LENGTH)
        yield from self.erase(address, size)
        self.position, self.left, self.block, self.sequence = address, blocks, block, 0
        self.room = size + -size % max(1, block) if not is_deflated else size
        self.inflater = zlib.decompressobj() if is_deflated else None
        yield from self.answer(op)
        return None

    def flash_data(self, data: bytes) -> Handler:
        """FLASH_DATA."""
        return (yield from self.block_of(0x03, data, is_deflated=False))

    def deflated_data(self, data: bytes) -> Handler:
        """FLASH_DEFL_DATA."""
        return (yield from self.block_of(0x11, data, is_deflated=True))

    def block_of(self, op: int, data: bytes, *, is_deflated: bool) -> Handler:
        """Write one block."""
        if len(data) < 16:
            raise _Refused(_INVALID, _STUB_LENGTH)
        length, sequence = struct.unpack_from("<II", data)
        body = data[16:]
        if not self.left or is_deflated != (self.inflater is not None):
            raise _Refused(_FAILED, _STUB_MODE)
        if length != len(body) or length > self.block or sequence != self.sequence:
            raise _Refused(_INVALID, _STUB_LENGTH)
        if self.inflater is not None:
            try:
                body = self.inflater.decompress(body)
            except zlib.error as error:
                raise _Refused(_INFLATE, _STUB_INFLATE) from error
        if len(body) > self.room:
            raise _Refused(_FAILED, _STUB_MUCH)
        self.sequence += 1
        self.left -= 1
        self.chip.pieces += 1
        yield len(body) * _WRITE_S
        self.chip.flash.write(self.position, body)
        self.position += len(body)
        self.room -= len(body)
        yield from self.answer(op)
        return None

    def flash_end(self, data: bytes) -> Handler:
        """FLASH_END and FLASH_DEFL_END: 0 restarts the chip, 1 stays (stub) or runs the application (ROM)."""
        (stay,) = self.words(data, 1)
        yield from self.answer(0x12 if self.inflater is not None else 0x04)
        self.left, self.inflater = 0, None
        if not stay:
            return "reset"
        return None if self.is_stub else "app"

    def md5(self, data: bytes) -> Handler:
        """SPI_FLASH_MD5: the ROM answers with 32 digits, the stub with 16 bytes."""
        address, size, _zero, _zero2 = self.words(data, 4)
        self.region(address, size)
        yield max(size * _MD5_S, 0.0001)
        digest = hashlib.md5(self.chip.flash.read(address, size), usedforsecurity=False)
        yield from self.answer(0x13, digest.digest() if self.is_stub else digest.hexdigest().encode())
        return None

    def read_slow(self, data: bytes) -> Handler:
        """READ_FLASH_SLOW of the ROM: up to 64 bytes, 64 are sent."""
        address, size = self.words(data, 2)
        self.region(address, size)
        if self.is_stub or size > 64:
            raise _Refused(_FAILED, _STUB_INVALID)
        yield from self.answer(0x0E, self.chip.flash.read(address, size).ljust(64, b"\0"))
        return None

    def read_fast(self, data: bytes) -> Handler:
        """READ_FLASH of the stub: packets, of which so many may be without an acknowledgement, and an MD5."""
        address, size, block, inflight = self.words(data, 4)
        self.region(address, size)
        yield from self.answer(0xD2)
        content = self.chip.flash.read(address, size)
        sent = acknowledged = 0
        while acknowledged < size:
            while sent < size and sent - acknowledged < inflight * block:
                self.chip.say(slip.framed(content[sent : sent + block]))
                sent = min(size, sent + block)
            total = slip.unescaped((yield slip.END)[:-1])
            if total and len(total) == 4:
                acknowledged = int.from_bytes(total, "little")
        self.chip.say(slip.framed(hashlib.md5(content, usedforsecurity=False).digest()))
        return None

    def erase_flash(self, data: bytes) -> Handler:
        """ERASE_FLASH of the stub."""
        self.words(data, 0)
        yield 10.0  # W25Q32JV datasheet, table 9.6: chip erase, typical
        self.chip.flash.erase(0, self.chip.flash.size)
        yield from self.answer(0xD0)
        return None

    def erase_region(self, data: bytes) -> Handler:
        """ERASE_REGION of the stub: whole sectors."""
        address, size = self.words(data, 2)
        self.region(address, size)
        if address % self.chip.flash.page or size % self.chip.flash.page:
            raise _Refused(_FAILED, _STUB_LENGTH)
        yield from self.erase(address, size)
        yield from self.answer(0xD1)
        return None
