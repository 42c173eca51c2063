r"""Nordic's secure bootloader (nRF5 SDK 12 to 17) on the UART.

Sources: nRF5 SDK 15 documentation, "DFU transport: UART" (SLIP with an end marker only), "DFU protocol" (the
requests, their order, the result codes), "Secure DFU bootloader" (validation, extended errors)::

    09 05 C0                            ping, id 5
    60 09 01 05 C0
    06 01 C0                            select the command object
    60 06 01 00020000 00000000 00000000 C0      at most 512 bytes, offset 0, CRC 0

The init packet is the command object; executing it checks signature and versions. The image comes in data
objects of a page each, which are created (a page is erased), written, and executed; the last one ends with
the hash of the whole. Then the chip restarts, the bootloader copies the bank and starts it. ``select`` tells
how much is there: objects that were executed survive a reset (NRF_DFU_SAVE_PROGRESS_IN_FLASH), and the init
packet has to be executed again after one.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable, Generator

from atota.sim.chips import init_packet, p256, slip
from atota.sim.chips.application import build_application, read_application
from atota.sim.chips.chip import Need, Next, Program, SimChip
from atota.sim.chips.nordic import PAGE, RAM, Bootloader, numbers_of

BANK_0, BANK_1, END = 0x26000, 0x4C000, 0x72000
_MTU = 131  # two of the SDK's 64 bytes escaped, and three
_COMMAND, _DATA = 1, 2
_MOST_COMMAND = 512
_OK, _UNKNOWN, _PARAMETER, _RESOURCES, _OBJECT, _TYPE, _NOT_PERMITTED, _EXTENDED = 1, 2, 3, 4, 5, 7, 8, 0x0B
_INIT_INVALID, _VERSION, _HARDWARE, _SOFTDEVICE, _UNSIGNED, _HASH_KIND, _HASH, _SIGNATURE = (
    0x04,
    0x05,
    0x06,
    0x07,
    0x08,
    0x09,
    0x0C,
    0x0A,
)
_NAMES = {
    0x01: "create",
    0x02: "receipts",
    0x03: "crc",
    0x04: "execute",
    0x06: "select",
    0x07: "mtu",
    0x08: "write",
    0x09: "ping",
    0x0A: "hardware",
    0x0B: "version",
    0x0C: "abort",
}
_PUBLIC_KEY = p256.public_key(init_packet.VENDOR_KEY)

Step = Generator[Need, bytes, Next | None]


class _Refused(Exception):
    """A request ends with a result code."""

    def __init__(self, result: int, extended: int | None = None) -> None:
        super().__init__()
        self.code = bytes([result] if extended is None else [result, extended])


class SecureDfu(Bootloader):
    """The secure bootloader. ``version``: of the firmware, as the last init packet said."""

    def __init__(self, chip: SimChip) -> None:
        super().__init__(chip)
        self.version = 0
        self.ready = 0  # bytes in bank 1 that are to be copied
        self.receipts = self.written = 0
        self._forget_image()
        self.command, self.command_size = b"", 0
        self.current = 0

    def _forget_image(self) -> None:
        self.init: init_packet.InitPacket | None = None
        self.done = self.offset = self.object_size = 0

    def factory(self) -> None:
        """Put the first application into bank 0."""
        options = self.chip.options
        major, minor, revision = numbers_of(options.version)
        self.version = major << 16 | minor << 8 | revision
        image = options.image or build_application(options.version, base=BANK_0, ram=RAM)
        self.size = len(image)
        self.chip.flash.load(BANK_0, image)

    def application(self) -> str | None:
        """Return the version of the application in bank 0."""
        return read_application(self.chip.flash.read(BANK_0, BANK_1 - BANK_0), base=BANK_0, ram=RAM)

    # --- the start -----------------------------------------------------------------------------------

    def boot(self) -> Program:
        """Copy a bank that is ready; run the loader if the boot pin says so or nothing can run."""
        self.chip.set_uart(115200)
        self.receipts = 0
        if self.ready:
            yield from self._copy()
        if not self.chip.may_load and self.application() is not None:
            return "app"
        self.chip.enter("loader")
        self.current, self.init, self.object_size, self.offset = 0, None, 0, self.done
        while True:
            frame = yield slip.END
            request = slip.unescaped(frame[:-1])
            if request and len(frame) <= _MTU:
                following = yield from self._take(request)
                if following is not None:
                    return following

    def _copy(self) -> Generator[float, bytes, None]:
        """Copy bank 1 to bank 0; a power cut in it begins again."""
        image = self.chip.flash.read(BANK_1, self.ready + -self.ready % 4)
        for start in range(0, len(image), PAGE):
            yield from self.erase(BANK_0 + start, PAGE)
            yield from self.write(BANK_0 + start, image[start : start + PAGE])
        self.size, self.ready = self.ready, 0

    # --- requests ------------------------------------------------------------------------------------

    def _answer(self, op: int, data: bytes) -> bytes:
        return slip.escaped(bytes([0x60, op]) + data) + slip.END

    def _take(self, request: bytes) -> Step:
        op, body = request[0], request[1:]
        name = _NAMES.get(op, "unknown")
        verdict = self.chip.meet(name, self.chip.pieces if name == "write" else None)
        if verdict == "unheard":
            return None
        handlers: dict[int, Callable[[bytes], Generator[Need, bytes, bytes | None]]] = {
            0x01: self._create,
            0x02: self._set_receipts,
            0x03: self._crc,
            0x04: self._execute,
            0x06: self._select,
            0x07: self._mtu,
            0x08: self._take_bytes,
            0x09: self._ping,
            0x0A: self._hardware,
            0x0B: self._version,
            0x0C: self._abort,
        }
        try:
            if op not in handlers:
                self._refuse(_UNKNOWN)
            if verdict == "nack":
                self._refuse(0x0A)
            data = yield from handlers[op](body)
        except _Refused as refused:
            if name != "write":
                self.chip.say(self._answer(op, refused.code))
            return None
        if data is not None:
            yield from self.chip.finish(self._answer(0x03 if name == "write" else op, bytes([_OK]) + data))
        ended = name == "abort" or (name == "execute" and self.ready)
        return "reset" if ended else None

    def _refuse(self, result: int, extended: int | None = None) -> None:
        raise _Refused(result, extended)

    def _need(self, body: bytes, size: int) -> None:
        if len(body) != size:
            self._refuse(_PARAMETER)

    def _ping(self, body: bytes) -> Generator[Need, bytes, bytes | None]:
        self._need(body, 1)
        yield 0.0
        return body

    def _set_receipts(self, body: bytes) -> Generator[Need, bytes, bytes | None]:
        self._need(body, 2)
        yield 0.0
        self.receipts, self.written = int.from_bytes(body, "little"), 0
        return b""

    def _mtu(self, body: bytes) -> Generator[Need, bytes, bytes | None]:
        self._need(body, 0)
        yield 0.0
        return _MTU.to_bytes(2, "little")

    def _hardware(self, body: bytes) -> Generator[Need, bytes, bytes | None]:
        self._need(body, 0)
        yield 0.0
        return struct.pack("<IIIII", 0x52832, 0x41414230, 512 * 1024, 64 * 1024, PAGE)

    def _version(self, body: bytes) -> Generator[Need, bytes, bytes | None]:
        """Tell an image: 0 the bootloader, 1 the SoftDevice, 2 the application."""
        self._need(body, 1)
        yield 0.0
        if self.chip.faults.lasts("no-version"):
            self._refuse(_UNKNOWN)
        images = {
            0: (2, 1, END, 0x6000),
            1: (0, 6001001, 0x1000, BANK_0 - 0x1000),
            2: (1, self.version, BANK_0, self.size),
        }
        kind, version, address, length = images.get(body[0], (0xFF, 0, 0, 0))
        return struct.pack("<BIII", kind, version, address, length)

    def _abort(self, body: bytes) -> Generator[Need, bytes, bytes | None]:
        self._need(body, 0)
        yield 0.0
        return None

    def _state(self) -> bytes:
        """Return offset and CRC of the object that is selected."""
        if self.current == _COMMAND:
            return struct.pack("<II", len(self.command), zlib.crc32(self.command))
        image = self.chip.flash.read(BANK_1, self.offset)
        return struct.pack("<II", self.offset, zlib.crc32(image))

    def _select(self, body: bytes) -> Generator[Need, bytes, bytes | None]:
        self._need(body, 1)
        yield 0.0
        if body[0] not in (_COMMAND, _DATA):
            self._refuse(_TYPE)
        self.current = body[0]
        most = _MOST_COMMAND if self.current == _COMMAND else PAGE
        return struct.pack("<I", most) + self._state()

    def _crc(self, body: bytes) -> Generator[Need, bytes, bytes | None]:
        self._need(body, 0)
        yield 0.0
        if not self.current:
            self._refuse(_NOT_PERMITTED)
        return self._state()

    def _create(self, body: bytes) -> Generator[Need, bytes, bytes | None]:
        self._need(body, 5)
        kind, size = struct.unpack("<BI", body)
        yield 0.0
        if kind not in (_COMMAND, _DATA):
            self._refuse(_TYPE)
        self.current = kind
        if not size:
            self._refuse(_PARAMETER)
        if kind == _COMMAND:
            if size > _MOST_COMMAND:
                self._refuse(_RESOURCES)
            self._forget_image()
            self.command, self.command_size = b"", size
            return b""
        if self.init is None:
            self._refuse(_NOT_PERMITTED)
        assert self.init is not None
        if size > PAGE or self.done + size > self.init.size:
            self._refuse(_RESOURCES)
        if size % PAGE and self.done + size != self.init.size:
            self._refuse(_PARAMETER)
        self.offset, self.object_size = self.done, size
        yield from self.erase(BANK_1 + self.done, PAGE)
        return b""

    def _take_bytes(self, body: bytes) -> Generator[Need, bytes, bytes | None]:
        """Take bytes; only a receipt is answered."""
        yield 0.0
        if self.current == _COMMAND:
            if len(self.command) + len(body) > self.command_size:
                self._refuse(_RESOURCES)
            self.command += body
        elif self.current == _DATA and self.object_size:
            if self.offset - self.done + len(body) > self.object_size:
                self._refuse(_RESOURCES)
            yield from self._store(body)
        else:
            self._refuse(_NOT_PERMITTED)
        self.written += 1
        if self.receipts and self.written % self.receipts == 0:
            return self._state()
        return None

    def _store(self, body: bytes) -> Generator[Need, bytes, None]:
        """Write bytes behind those that are there, in words that are filled up with ones."""
        at = BANK_1 + self.offset
        lead = at % 4
        padded = b"\xff" * lead + body
        padded += b"\xff" * (-len(padded) % 4)
        self.chip.pieces += 1
        if lead:  # the first word has bytes already: NOR flash clears the further bits
            misuses = self.chip.flash.misuses
            yield from self.write(at - lead, padded[:4])
            self.chip.flash.misuses = misuses
            padded = padded[4:]
        yield from self.write(at - lead + (4 if lead else 0), padded)
        self.offset += len(body)

    def _execute(self, body: bytes) -> Generator[Need, bytes, bytes | None]:
        self._need(body, 0)
        if self.current == _COMMAND:
            if not self.command_size or len(self.command) != self.command_size:
                self._refuse(_NOT_PERMITTED)
            yield 0.1  # the signature: CC310 or micro-ecc on a Cortex-M4
            self._accept(init_packet.read_init_packet(self.command))
            return b""
        if self.init is None or not self.object_size or self.offset != self.done + self.object_size:
            self._refuse(_NOT_PERMITTED)
        assert self.init is not None
        yield 0.01
        self.done, self.object_size = self.offset, 0
        if self.done == self.init.size:
            image = self.chip.flash.read(BANK_1, self.done)
            init = self.init
            self._forget_image()
            self.command, self.command_size = b"", 0
            if hashlib.sha256(image).digest() != init.digest:
                self._refuse(_EXTENDED, _HASH)
            self.version, self.ready = init.version, init.size
        return b""

    def _accept(self, init: init_packet.InitPacket | None) -> None:
        """Check an init packet; the first thing that is wrong refuses it."""
        if init is None or init.kind != init_packet.APPLICATION:
            self._refuse(_EXTENDED, _INIT_INVALID)
        assert init is not None
        known = (init_packet.SOFTDEVICE, init_packet.ANY_SOFTDEVICE)
        checks = (
            (init.is_signed, _UNSIGNED),
            (init.has_signature_of(_PUBLIC_KEY), None),
            (init.hardware == init_packet.HARDWARE, _HARDWARE),
            (any(one in known for one in init.softdevices), _SOFTDEVICE),
            (init.version >= self.version, _VERSION),
            (init.hash_kind == init_packet.SHA256, _HASH_KIND),
        )
        for is_good, extended in checks:
            if not is_good:
                self._refuse(_OBJECT if extended is None else _EXTENDED, extended)
        if not 0 < init.size <= END - BANK_1:
            self._refuse(_EXTENDED, 0x0D)
        self.init = init
