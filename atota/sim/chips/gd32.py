r"""A GD32 behind the bootloader in its ROM, which speaks the protocol of ST's AN3155.

Sources: AN3155 Rev 14 (commands, checksums, order of the acknowledgements), AN2606 (8E1, automatic rate by
the first byte, RDP), PM0075 (pages, half-words, times of STM32F10x flash, which GD32F10x has, too). The host
sends the byte 7F; from then on every command is its code and the complement::

    7F -> 79   11 EE -> 79   08 00 00 00 08 -> 79   FF 00 -> 79 and 256 bytes

A first byte other than 7F gives the UART a wrong rate, and only a reset helps. What comes while the
loader erases or writes is lost.
"""

from collections.abc import Generator
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import ClassVar

from atota.sim.chips.application import RAM, build_application, read_application, talk
from atota.sim.chips.chip import Need, Next, Program, SimChip
from atota.sim.chips.memory import ChipFlash

ACK, NACK, SYNC = 0x79, 0x1F, 0x7F
FLASH = 0x0800_0000
_SYSTEM = 0x1FFF_F000  # the system memory of a medium-density part, 2 KiB (PM0075 table 2)
_SIZE_REGISTER, _UNIQUE_ID, _OPTION_BYTES = 0x1FFF_F7E0, 0x1FFF_F7E8, 0x1FFF_F800
_ERASE_S = 0.04  # of a page, PM0075 section 5.3.9: 20 to 40 ms
_MASS_ERASE_S = 0.04
_WRITE_S = 52.5e-6  # of a half-word, the same table
_RATES = (1200, 256_000)
_ALWAYS = (0x00, 0x01, 0x02, 0x92)
"""The commands that a read-out protected part still carries out (AN3155: the flow charts, "ROP active")."""
_NAMES = {
    0x00: "get",
    0x01: "version",
    0x02: "get-id",
    0x11: "read",
    0x21: "go",
    0x31: "write",
    0x43: "erase",
    0x44: "erase",
    0x63: "protect",
    0x73: "unprotect-write",
    0x82: "readout",
    0x92: "unprotect",
}

Command = Generator[Need, bytes, Next | None]


@dataclass(frozen=True, slots=True)
class Gd32Part:
    """One part of the family.

    Attributes:
        product: the answer to GET ID.
        erase: the code of its erase command: 43, or 44 for the extended one.
    """

    product: int
    size: int
    page: int
    ram: int
    erase: int

    @property
    def commands(self) -> bytes:
        """The list that GET gives."""
        return bytes([0x00, 0x01, 0x02, 0x11, 0x21, 0x31, self.erase, 0x63, 0x73, 0x82, 0x92])


GD32_PARTS = {
    "GD32F103CB": Gd32Part(0x0410, 128 * 1024, 1024, 20 * 1024, 0x43),
    "GD32F303CC": Gd32Part(0x0414, 256 * 1024, 2048, 48 * 1024, 0x44),
}


def _checksum(data: bytes) -> int:
    return reduce(xor, data, 0)


class Gd32(SimChip):
    """A GD32. ``protected``: read-out protection is on."""

    parts: ClassVar[tuple[str, ...]] = tuple(GD32_PARTS)
    protocols: ClassVar[tuple[str, ...]] = ("an3155",)

    def factory(self) -> ChipFlash:
        """Return its flash with the first application in it."""
        self.part = GD32_PARTS[self.options.part or self.parts[0]]
        self.protected = self.faults.lasts("protected") is not None
        self.write_protected = False
        self._ram = bytearray(self.part.ram)
        flash = ChipFlash(FLASH, self.part.size, self.part.page, 2, "once", self.faults, self.tell)
        image = self.options.image
        flash.load(FLASH, build_application(self.options.version, base=FLASH) if image is None else image)
        return flash

    def application(self) -> str | None:
        """Return the version of the application at the beginning of the flash."""
        return read_application(bytes(self.flash.cells), base=FLASH, ram=self.part.ram)

    def run_application(self, version: str) -> Program:
        """Run the application."""
        return talk(self, version)

    def demodulate(self, data: bytes, baud: int) -> bytes | None:
        """Measure the rate by the first byte; beyond the limits, it is never right."""
        if self.auto_rate and not _RATES[0] <= baud <= _RATES[1]:
            return None
        return super().demodulate(data, baud)

    # --- the loader ----------------------------------------------------------------------------------

    def boot(self) -> Program:
        """Run the loader in ROM if the boot pin says so."""
        if not self.may_load:
            return "app"
        self.set_uart(115200, "E")
        self.auto_rate = True
        self.enter("loader")
        first = yield 1
        if first[0] != SYNC:
            self.tell("measured a wrong rate")
            self.set_uart(1, "E")
            yield from self._deaf()
        if self.meet("sync") == "":
            yield from self.finish(bytes([ACK]))
        while True:
            code, complement = yield 2
            following = yield from self._command(code, complement)
            if following is not None:
                return following

    def _deaf(self) -> Command:
        while True:
            yield 1

    def _command(self, code: int, complement: int) -> Command:
        verdict = self.meet(_NAMES.get(code, "unknown"), self.pieces if _NAMES.get(code) == "write" else None)
        if verdict == "unheard":
            return None
        known = code in self.part.commands and code ^ complement == 0xFF
        closed = self.protected and code not in _ALWAYS
        if not known or closed or verdict == "nack":
            self.say(bytes([NACK]))
            return None
        return (yield from self._carry_out(code))

    def _carry_out(self, code: int) -> Command:
        if code == 0x00:
            listed = self.part.commands
            yield from self.finish(bytes([ACK, len(listed), 0x22, *listed, ACK]))
        elif code == 0x01:
            yield from self.finish(bytes([ACK, 0x22, 0x00, 0x00, ACK]))
        elif code == 0x02:
            yield from self.finish(bytes([ACK, 1]) + self.part.product.to_bytes(2, "big") + bytes([ACK]))
        else:
            self.say(bytes([ACK]))
            handlers = {0x11: self._read, 0x31: self._write, 0x43: self._erase, 0x44: self._erase_extended}
            if code in handlers:
                yield from handlers[code]()
            elif code == 0x21:
                return (yield from self._start())
            else:
                return (yield from self._protect(code))
        return None

    def _refuse(self) -> None:
        self.say(bytes([NACK]))

    def _address(self) -> Generator[int, bytes, int | None]:
        field = yield 5
        if _checksum(field):
            return None
        return int.from_bytes(field[:4], "big")

    def _memory(self, address: int, length: int) -> bytes | None:
        """Return what is there; None: nothing is, or not so much."""
        if self.flash.holds(address, length):
            return self.flash.read(address, length)
        if address >= RAM and address + length <= RAM + len(self._ram):
            return bytes(self._ram[address - RAM : address - RAM + length])
        if address >= _SYSTEM and address + length <= _OPTION_BYTES + 16:
            return bytes(self._system()[address - _SYSTEM :][:length])
        return None

    def _system(self) -> bytes:
        """Return the system memory and the option bytes behind it."""
        area = bytearray(b"\xff" * (_OPTION_BYTES + 16 - _SYSTEM))
        kib = (self.part.size // 1024).to_bytes(2, "little")
        unique = b"GD32SM" + self.serial
        area[_SIZE_REGISTER - _SYSTEM : _SIZE_REGISTER - _SYSTEM + 2] = kib
        area[_UNIQUE_ID - _SYSTEM : _UNIQUE_ID - _SYSTEM + 12] = unique
        area[_OPTION_BYTES - _SYSTEM : _OPTION_BYTES - _SYSTEM + 2] = (
            b"\x00\xff" if self.protected else b"\xa5\x5a"
        )
        return bytes(area)

    def _read(self) -> Command:
        address = yield from self._address()
        if address is None or self._memory(address, 1) is None:
            self._refuse()
            return None
        self.say(bytes([ACK]))
        count, complement = yield 2
        data = self._memory(address, count + 1)
        if count ^ complement != 0xFF or data is None:
            self._refuse()
            return None
        yield from self.finish(bytes([ACK]) + data)
        return None

    def _write(self) -> Command:
        address = yield from self._address()
        if address is None or address % 4 or not self._is_writable(address, 4):
            self._refuse()
            return None
        self.say(bytes([ACK]))
        count = (yield 1)[0]
        body = yield count + 2
        data, check = body[:-1], body[-1]
        if len(data) % 4 or count ^ _checksum(data) ^ check or not self._is_writable(address, len(data)):
            self._refuse()
            return None
        if address >= RAM:
            self._ram[address - RAM : address - RAM + len(data)] = data
        elif not self.write_protected:
            yield len(data) / 2 * _WRITE_S
            self.pieces += 1
            self.flash.write(address, data)
        yield from self.finish(bytes([ACK]))
        return None

    def _is_writable(self, address: int, length: int) -> bool:
        return self.flash.holds(address, length) or (
            address >= RAM and address + length <= RAM + len(self._ram)
        )

    def _erase(self) -> Command:
        count = (yield 1)[0]
        if count == 0xFF:
            if (yield 1) != b"\x00":
                self._refuse()
                return None
            return (yield from self._erase_all())
        body = yield count + 2
        pages, check = list(body[:-1]), body[-1]
        return (yield from self._erase_pages(pages, is_sound=count ^ _checksum(body[:-1]) == check))

    def _erase_extended(self) -> Command:
        head = yield 2
        count = int.from_bytes(head, "big")
        if count >= 0xFFF0:
            check = (yield 1)[0]
            if count != 0xFFFF or check != _checksum(head):
                self._refuse()
                return None
            return (yield from self._erase_all())
        body = yield 2 * (count + 1) + 1
        pages = [int.from_bytes(body[at : at + 2], "big") for at in range(0, len(body) - 1, 2)]
        return (yield from self._erase_pages(pages, is_sound=_checksum(head + body) == 0))

    def _erase_pages(self, pages: list[int], *, is_sound: bool) -> Command:
        size = self.part.page
        if not is_sound or max(pages) * size >= self.part.size:
            self._refuse()
            return None
        for page in pages:
            yield _ERASE_S
            if not self.write_protected:
                self.flash.erase(FLASH + page * size, size)
        yield from self.finish(bytes([ACK]))
        return None

    def _erase_all(self) -> Command:
        if self.faults.strike("no-mass-erase"):
            self._refuse()
            return None
        yield _MASS_ERASE_S
        if not self.write_protected:
            self.flash.erase(FLASH, self.part.size)
        yield from self.finish(bytes([ACK]))
        return None

    def _start(self) -> Command:
        address = yield from self._address()
        if address is None or self._memory(address, 8) is None:
            self._refuse()
            return None
        yield from self.finish(bytes([ACK]))
        return "app" if address == FLASH else "hang"

    def _protect(self, code: int) -> Command:
        if code == 0x63:
            count = (yield 1)[0]
            body = yield count + 2
            if count ^ _checksum(body):
                self._refuse()
                return None
            self.write_protected = True
        elif code == 0x73:
            self.write_protected = False
        elif code == 0x82:
            self.protected = True
        else:
            yield _MASS_ERASE_S
            self.flash.erase(FLASH, self.part.size)
            self.protected = False
        self.tell(f"carried out {_NAMES[code]}")
        yield from self.finish(bytes([ACK]))
        return "reset"
