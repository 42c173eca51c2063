"""GD32, and other chips with the ROM bootloader of ST's AN3155: in-system programming over UART, 8E1.

The bytes of a command, its complement, and the acknowledgement of each step::

    host                       chip
    7F                         79                     sync; 1F from a bootloader that is in step already
    00 FF                      79 N version commands… 79
    02 FD                      79 01 hi lo 79
    11 EE  address^  N-1 ~     79  79  79 data
    31 CE  address^  N-1 data^ 79  79  79             ^: followed by the XOR of the bytes
    43 BC  N-1 pages… ^        79  79                 44 BB: with numbers of 16 bits
    21 DE  address^            79  79                 go
    92 6D                      79  79                 protection off: all flash is erased, and the chip resets

The response to GET decides which commands there are. A refusal (1F) right behind READ or WRITE means that the
flash is protected against reading. Only the pages of the application are erased. Its first 256 bytes, the
vector table, are written last: a torn write never starts half an application. Everything is read back, since
some clones acknowledge writes and ignore them (stm32-tkg-hid #12).
"""

from functools import reduce
from operator import xor
from pathlib import Path

from atota.clock import Deadline
from atota.errors import NoAnswer, PackageError, Refused, SlotLost
from atota.settings.spec import Allowed
from atota.sota.flasher import LOST, Flasher, Progress

_ACK, _NACK = b"\x79", b"\x1f"
_FLASH = 0x08000000
_BLOCK = 256
_BLOCK_VW55X = 240
"""GD32VW55x takes 240 bytes, and answers 06 (part number) in place of 02 (GET ID): stm32loader PR #102."""
_SYNCS, _SYNC_S = 5, 0.5
_BYTE_S = 1.0
_PAGE_S = 0.5
"""Limit for the erase of one page; GD32F103 needs 40 ms, and slower parts exist."""
_MASS_S = 30.0
_BATCH = 32
"""Pages of one erase command, so that progress is seen."""
_SIZE_REGISTER = 0x1FFFF7E0
"""KiB of flash in the parts with F1 layout (RM0008, 45.1), whose product ids follow (AN2606)."""
_F1_IDS = frozenset({0x410, 0x412, 0x414, 0x418, 0x420, 0x428, 0x430})
_SMALL_PAGES_KIB = 128
"""Parts with more flash have pages of 2 KiB (RM0008, 3.3.3; stm32loader #31)."""
_FORMATS = {b"\x7fELF": "an ELF file", b"PK\x03\x04": "a zip file", b":": "an Intel HEX file"}


class Gd32(Flasher):
    """The flasher of the ROM bootloader."""

    block = _BLOCK

    # -- the package ---------------------------------------------------------------------------

    @property
    def _address(self) -> int:
        return self.chip.address or _FLASH

    @property
    def _room(self) -> int:
        """Bytes of the application's region."""
        behind = _FLASH + (self.chip.flash_size or 0) - self._address
        return min(self.chip.size or behind, behind)

    def check(self, data: bytes, version: str) -> None:  # noqa: ARG002 - these images do not tell their version
        """Refuse what is not a binary for this address: initial stack in SRAM, reset vector in the region."""
        for magic, name in _FORMATS.items():
            if data.startswith(magic):
                raise PackageError(
                    f"the package is {name}, and the bootloader takes binary images",
                    hint="Convert it with objcopy -O binary, and have the operator upload that file.",
                )
        if len(data) > self._room:
            raise PackageError(f"the package has {len(data)} bytes, and the region only {self._room}")
        stack, reset = (int.from_bytes(data[at : at + 4], "little") for at in (0, 4))
        is_inside = self._address <= reset - 1 < self._address + len(data)
        if len(data) < 8 or not 0x20000000 <= stack < 0x20100000 or reset % 2 != 1 or not is_inside:
            raise PackageError(
                f"the package does not begin with a vector table for 0x{self._address:08x}",
                hint="Check the link address of the image, and [chip] address in the board file.",
            )

    # -- the bootloader ------------------------------------------------------------------------

    def connect(self) -> None:
        """Get in step, and ask which commands there are.

        Raises:
            NoAnswer: nothing acknowledged.
        """
        self.wire.speak(self.chip.baud or 115200, "E")
        for _ in range(_SYNCS):
            self.wire.discard()
            self.wire.write(b"\x7f")
            if self._answer(_SYNC_S) is not None:
                break
        else:
            raise NoAnswer(
                "the chip's bootloader does not answer",
                hint=LOST
                if self.has_erased
                else "Check BOOT0, NRST, TX/RX and ground. The bootloader speaks 8E1 on PA9 and PA10.",
                tried=(f"sent 7F {_SYNCS} times at {self.wire.link.baud} bit/s, 8E1",),
            )
        self._commands = self._get()
        if 0x06 in self._commands and 0x02 not in self._commands:
            self.block = _BLOCK_VW55X

    def _answer(self, timeout_s: float) -> bool | None:
        """Return True for an acknowledgement, False for a refusal, None for neither in time."""
        limit = Deadline(self.wire.clock, timeout_s)
        while byte := self.wire.take(1, limit.remaining):
            if byte in (_ACK, _NACK):
                return byte == _ACK
        return None

    def _step(self, data: bytes, timeout_s: float = _BYTE_S) -> bool:
        """Send one step of a command; True if it was acknowledged.

        Raises:
            NoAnswer: it was neither acknowledged nor refused.
        """
        self.wire.write(data)
        answer = self._answer(timeout_s)
        if answer is None:
            raise NoAnswer("the chip's bootloader stopped answering", hint=LOST if self.has_erased else None)
        return answer

    def _command(self, code: int) -> bool:
        return self._step(bytes((code, code ^ 0xFF)))

    def _get(self) -> bytes:
        if not self._command(0x00):
            raise NoAnswer("the chip's bootloader refuses GET")
        length = self.wire.take(1, _BYTE_S)
        body = self.wire.take(length[0] + 1 if length else 0, _BYTE_S)
        if not length or len(body) != length[0] + 1 or not self._answer(_BYTE_S):
            raise NoAnswer("the chip's bootloader does not answer GET as AN3155 says")
        return body[1:]

    def inspect(self, data: bytes, allowed: Allowed) -> None:
        """Compare id and geometry with the profile, and see if the flash is protected.

        An answer that ends the job or erases the whole chip is asked for twice: nothing checks the wire.
        """
        product = self._product()
        if self._is_another(product):
            product = self._product()
        if product is not None and self._is_another(product):
            names = ", ".join(f"0x{one:03x}" for one in self.chip.ids or ())
            raise Refused(
                f"the chip's product id is 0x{product:03x}, and the profile names {names}",
                hint="If it is the right chip, name ids, page and flash_size in [chip] of the board file.",
            )
        address = _SIZE_REGISTER if product in _F1_IDS else self._address
        size = self._read(address, 2)
        if size is None:
            size = self._read(address, 2)
        self._is_protected = size is None
        if size is None:
            if not allowed.erase:
                raise Refused(
                    "the chip is protected against reading: lifting that erases all of its flash",
                    hint="Give --allow-erase if it holds no bootloader or parameters that are needed.",
                )
        elif product in _F1_IDS:
            self._compare(int.from_bytes(size, "little"), len(data))

    def _is_another(self, product: int | None) -> bool:
        return product is not None and bool(self.chip.ids) and product not in (self.chip.ids or ())

    def _compare(self, kib: int, length: int) -> None:
        """Compare the flash size that the chip tells with the profile's geometry."""
        if kib in (0, 0xFFFF):
            return
        if self._address - _FLASH + length > kib * 1024:
            raise PackageError(f"the package ends behind the chip's {kib} KiB of flash")
        if kib > _SMALL_PAGES_KIB and self.chip.page == 1024:
            raise Refused(
                f"the chip has {kib} KiB of flash, and such parts have pages of 2048 bytes, not 1024",
                hint="Name page = 2048 and flash_size in [chip] of the board file.",
            )

    def _product(self) -> int | None:
        if 0x02 not in self._commands or not self._command(0x02):
            return None
        length = self.wire.take(1, _BYTE_S)
        body = self.wire.take(length[0] + 1 if length else 0, _BYTE_S)
        return int.from_bytes(body, "big") if self._answer(_BYTE_S) and len(body) == 2 else None

    # -- the flash -----------------------------------------------------------------------------

    def write(self, package: Path, data: bytes, on_progress: Progress) -> None:  # noqa: ARG002 - the data are read
        """Erase the application's pages and write it, its vector table last."""
        self._data = data
        self.has_erased = True
        if self._is_protected:
            self._unprotect()
        self._erase(len(data))
        padded = data + b"\xff" * (-len(data) % 4)
        offsets = [*range(self.block, len(padded), self.block), 0]
        for number, offset in enumerate(offsets, 1):
            self._write(self._address + offset, padded[offset : offset + self.block])
            self.blocks += 1
            on_progress(min(len(data), number * self.block), len(data))

    def _unprotect(self) -> None:
        """Lift the read-out protection: the chip erases itself and resets."""
        if not self._command(0x92) or self._answer(_MASS_S) is not True:
            raise self.failure("the chip refuses to lift its protection against reading")
        limit = Deadline(self.wire.clock, _MASS_S)
        while True:
            try:
                self.connect()
                return
            except NoAnswer:
                if limit.expired:
                    raise

    def _erase(self, size: int) -> None:
        page = self.chip.page or 1024
        first = (self._address - _FLASH) // page
        pages = range(first, first + -(-size // page))
        is_wide = 0x44 in self._commands
        for start in range(0, len(pages), _BATCH):
            some = pages[start : start + _BATCH]
            width = 2 if is_wide else 1
            numbers = b"".join(number.to_bytes(width, "big") for number in (len(some) - 1, *some))
            if not self._command(0x44 if is_wide else 0x43):
                raise self._lost(f"the chip refuses to erase pages {some[0]} to {some[-1]}: it is protected")
            if not self._step(_summed(numbers), _BYTE_S + _PAGE_S * len(some)):
                raise self._lost(f"the chip could not erase pages {some[0]} to {some[-1]}")
            self.wire.check()

    def _write(self, address: int, block: bytes) -> None:
        """Write one block; noise on the wire costs one repetition."""
        for attempt in (1, 2):
            if not self._command(0x31):
                raise self._lost(f"the chip refuses to write at 0x{address:08x}: it is protected")
            if not self._step(_summed(address.to_bytes(4, "big"))):
                raise self._lost(f"the chip refuses the address 0x{address:08x}")
            if self._step(_summed(bytes((len(block) - 1,)) + block)):
                return
            self.retries += attempt
        raise self._lost(f"the chip does not take the block at 0x{address:08x}")

    def _read(self, address: int, size: int) -> bytes | None:
        """Read flash; None if it is protected, fewer bytes if the rest does not arrive."""
        if not self._command(0x11):
            return None
        if not self._step(_summed(address.to_bytes(4, "big"))):
            raise self._lost(f"the chip refuses to read at 0x{address:08x}")
        if not self._step(bytes((size - 1, size - 1 ^ 0xFF))):
            raise self._lost(f"the chip refuses to read {size} bytes")
        return self.wire.take(size, _BYTE_S + size * 11 / self.wire.link.baud)

    def _lost(self, message: str) -> SlotLost:
        """Make the error of a refusal: one byte too many or too few shifts every command behind it.

        The write begins again with a reset, which brings both ends in step; a lasting refusal ends it.
        """
        return SlotLost(message, hint=self.failure("").hint)

    def validate(self) -> None:
        """Read everything back and compare, a block that differs twice: nothing checks the wire."""
        for offset in range(0, len(self._data), self.block):
            block, address = self._data[offset : offset + self.block], self._address + offset
            if self._read(address, len(block)) != block:
                self.wire.discard()
                self._require(block, address)
            self.wire.check()

    def _require(self, block: bytes, address: int) -> None:
        """Read one block once more: the wire may have lost a byte that the flash has."""
        read = self._read(address, len(block))
        if read is None:
            raise self._lost("the chip refuses to read what was written")
        if len(read) < len(block):
            raise self._lost("the chip stopped in the middle of its flash")
        if read != block:
            at = next(i for i, (one, other) in enumerate(zip(read, block, strict=True)) if one != other)
            raise self._lost(f"the flash differs from the package at 0x{address + at:08x}")

    def activate(self) -> None:
        """Jump to the application, where no line restarts the chip."""
        if self.wire.has_lines and self.chip.leave:
            return
        if not (self._command(0x21) and self._step(_summed(self._address.to_bytes(4, "big")))):
            raise self.failure("the chip refuses to start the application")


def _summed(data: bytes) -> bytes:
    """Return the bytes with their checksum behind: the XOR of all."""
    return data + bytes((reduce(xor, data),))
