r"""The bootloader of Nordic's SDK 11 and older, with two banks, over HCI packets in SLIP frames.

Sources: nRF5 SDK 11 documentation, "DFU bootloader example", "HCI transport" (header, three-wire UART of the
Bluetooth core specification, volume 4 part D), init packet; Adafruit's nRF52 bootloader (it waits a second
for a packet after a reset by DTR). A packet has a header of four bytes, a payload and a CRC-16::

    C0 D1 8E 01 .. 03000000 04000000 sd bl app crc C0     START: seq 1, ack 2, mode 4 is an application
    C0 10 00 00 F0 C0                                      the next one expected is seq 2

The transport acknowledges what came in order, whole and intact, before it is looked at; a packet with another
number is answered with the number expected and dropped. Nothing tells the host whether a packet made sense: a
STOP is acknowledged, too, when the CRC of the image is wrong, and then the old application starts.
"""

import binascii
import struct
from collections.abc import Generator

from atota.sim.chips import slip
from atota.sim.chips.application import build_application, read_application
from atota.sim.chips.chip import Need, Next, Program, SimChip
from atota.sim.chips.nordic import PAGE, RAM, Bootloader

BANK_0, BANK_1, END = 0x1C000, 0x48000, 0x74000
DEVICE_TYPE, DEVICE_REVISION, SOFTDEVICE = 0x0052, 0xFFFF, 0x0081  # the SoftDevice S132 2.0
_INIT, _START, _DATA, _STOP = 1, 3, 4, 5
_NAMES = {_INIT: "init", _START: "start", _DATA: "data", _STOP: "stop"}
_APPLICATION = 4
_LISTEN_S = 1.0
_LONGEST = 512 + 4

Step = Generator[Need, bytes, Next | None]


def crc16(data: bytes) -> int:
    """Return the CRC-16 of the SDK: CCITT, polynomial 1021, from FFFF on."""
    return binascii.crc_hqx(data, 0xFFFF)


def build_init_packet(
    image: bytes, version: int = 1, *, softdevices: tuple[int, ...] = (SOFTDEVICE,)
) -> bytes:
    """Make the init packet of an image."""
    head = struct.pack("<HHIH", DEVICE_TYPE, DEVICE_REVISION, version, len(softdevices))
    return head + struct.pack(f"<{len(softdevices)}H", *softdevices) + struct.pack("<H", crc16(image))


class LegacyDfu(Bootloader):
    """The legacy bootloader."""

    resets_by_dtr = True

    def __init__(self, chip: SimChip) -> None:
        super().__init__(chip)
        self._forget()

    def _forget(self) -> None:
        self.expected = 1
        self.size = self.taken = 0
        self.init = b""

    def factory(self) -> None:
        """Put the first application into bank 0."""
        options = self.chip.options
        image = options.image or build_application(options.version, base=BANK_0, ram=RAM)
        self.chip.flash.load(BANK_0, image)

    def application(self) -> str | None:
        """Return the version of the application in bank 0."""
        return read_application(self.chip.flash.read(BANK_0, BANK_1 - BANK_0), base=BANK_0, ram=RAM)

    def boot(self) -> Program:
        """Listen a second for a START; for ever if the boot pin says so or no application can run."""
        self.chip.set_uart(115200)
        self._forget()
        self.chip.enter("loader")
        limit = None if self.chip.may_load or self.application() is None else _LISTEN_S
        while True:
            frame = (yield slip.END) if limit is None or self.size else (yield slip.END, limit)
            if not frame:
                return "app"
            packet = slip.unescaped(frame[:-1])
            if not packet:
                continue
            following = yield from self._take(packet)
            if following is not None:
                return following

    def _acknowledge(self) -> bytes:
        head = bytes([self.expected << 3, 0, 0])
        return slip.framed(head + bytes([-sum(head) & 0xFF]))

    def _take(self, packet: bytes) -> Step:
        """Take a packet: first the transport's checks, then what it says."""
        if len(packet) < 6 or sum(packet[:4]) & 0xFF:
            return None
        number, kind = packet[0] & 7, packet[1] & 0x0F
        length = packet[1] >> 4 | packet[2] << 4
        body = packet[4:-2]
        is_sound = len(body) == length <= _LONGEST and crc16(packet[:-2]) == int.from_bytes(
            packet[-2:], "little"
        )
        if kind != 14 or packet[0] & 0xC0 != 0xC0 or not is_sound or len(body) < 4:
            return None
        if number != self.expected:
            self.chip.say(self._acknowledge())
            return None
        op = int.from_bytes(body[:4], "little")
        name = _NAMES.get(op, "unknown")
        verdict = self.chip.meet(name, self.chip.pieces if op == _DATA else None)
        if verdict == "unheard":
            return None
        self.expected = (self.expected + 1) % 8
        yield from self.chip.finish(self._acknowledge())
        if verdict == "nack":  # there is no such answer in this protocol: it is dropped
            return None
        handlers = {_START: self._start, _INIT: self._init, _DATA: self._data, _STOP: self._stop}
        return (yield from handlers[op](body[4:])) if op in handlers else None

    def _start(self, body: bytes) -> Step:
        """Erase bank 1; what comes meanwhile is lost."""
        if len(body) != 16:
            return None
        mode, softdevice, bootloader, size = struct.unpack("<IIII", body)
        if mode != _APPLICATION or softdevice or bootloader or size % 4 or not 0 < size <= END - BANK_1:
            self.chip.tell("a START that does not fit")
            return None
        self.size, self.taken, self.init = size, 0, b""
        yield from self.erase(BANK_1, size)
        return None

    def _init(self, body: bytes) -> Step:
        """Keep the init packet, which ends with two zero bytes of padding, if it is for this device."""
        if not self.size or len(body) < 14:
            return None
        kind, revision, _version, count = struct.unpack_from("<HHIH", body)
        if len(body) != 10 + 2 * count + 2 + 2:
            return None
        softdevices = struct.unpack_from(f"<{count}H", body, 10)
        fits = kind == DEVICE_TYPE and revision in (DEVICE_REVISION, 0)
        if fits and (SOFTDEVICE in softdevices or 0xFFFE in softdevices):
            self.init = body[:-2]
        else:
            self.chip.tell("an init packet for another device")
        yield 0.0
        return None

    def _data(self, body: bytes) -> Step:
        """Write whole words behind those that are there."""
        if not self.init or len(body) % 4 or self.taken + len(body) > self.size:
            self.chip.tell("a DATA that does not fit")
            return None
        yield from self.write(BANK_1 + self.taken, body)
        self.chip.pieces += 1
        self.taken += len(body)
        return None

    def _stop(self, _body: bytes) -> Step:
        """Compare the CRC, copy the bank if it is right, and restart."""
        image = self.chip.flash.read(BANK_1, self.taken)
        is_whole = bool(self.init) and self.taken == self.size
        if not is_whole or crc16(image) != int.from_bytes(self.init[-2:], "little"):
            self.chip.tell("the image is not valid")
            return "reset"
        for start in range(0, len(image), PAGE):
            yield from self.erase(BANK_0 + start, PAGE)
            yield from self.write(BANK_0 + start, image[start : start + PAGE])
        return "reset"
