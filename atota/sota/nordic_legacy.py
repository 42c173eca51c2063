"""Nordic's legacy DFU over UART (nRF5 SDK 11 and before, Adafruit's boards): HCI frames in SLIP.

A frame is ``C0 header payload crc16 C0``, the header with a sequence number of three bits; each is
acknowledged by ``C0 header C0`` with the number that is expected next. The payloads::

    03 00 00 00  04 00 00 00  0 0 size      start: an application of this size; its pages are erased now
    01 00 00 00  init packet  00 00
    04 00 00 00  at most 512 bytes
    05 00 00 00                             stop: the bank is copied, and the chip restarts

A frame with an unexpected number is dropped, and answered with the expected one (Adafruit_nRF52_Bootloader,
hci_transport.c): so one such frame finds the bootloader, and a repetition is harmless. The stop is
acknowledged before and regardless of the CRC check, so a finished transfer proves nothing.
"""

import binascii
import struct
from pathlib import Path

from atota.clock import Deadline
from atota.errors import NoAnswer, PackageError
from atota.settings.spec import Allowed
from atota.sota.flasher import LOST, Flasher, Progress
from atota.sota.nordic_package import DfuPackage, parse_dfu, slip, unslip

_INIT, _START, _DATA, _STOP = 1, 3, 4, 5
_APPLICATION = 4
_VENDOR, _INTEGRITY, _RELIABLE = 14, 0x40, 0x80
_PIECE = 512
_TRIES = 4
_ACK_S = 2.0
"""The usual client waits one second, which is too short for long erases (Adafruit_nRF52_nrfutil #34)."""
_PAGE, _ERASE_S, _LEAST_S = 4096, 0.0897, 0.5
"""Bytes of a page, seconds of its erase (nRF52832 product specification: 85 ms), and of any wait for one."""
_PIECES_OF_PAGE, _PAGE_WRITE_S = 8, 0.1
_PROBES, _PROBE_S = 3, 1.0


class NordicLegacy(Flasher):
    """The flasher of DFU packages without a signature."""

    block = _PIECE
    _package: DfuPackage | None = None
    _sequence = 1
    _erase_s = _LEAST_S

    @property
    def validates(self) -> bool:
        """False: the bootloader does not tell the result of its check."""
        return False

    def check(self, data: bytes, version: str) -> None:  # noqa: ARG002 - the version in it is a number of its own
        """Refuse what is not a legacy DFU package, or whose CRC does not fit."""
        dfu = parse_dfu(data)
        crc = struct.pack("<H", binascii.crc_hqx(dfu.application, 0xFFFF))
        if not 14 <= len(dfu.init) <= 64 or dfu.init[-2:] != crc:
            raise PackageError(
                "the init packet in the package is not one of the legacy DFU, or its CRC does not fit",
                hint='A signed package is for [chip] protocol = "nordic-secure".',
            )
        self._package = dfu

    def connect(self) -> None:
        """Send a frame out of sequence, and learn the number that the bootloader expects.

        Raises:
            NoAnswer: it does not answer.
        """
        self.wire.speak(self.chip.baud or 115200, "N")
        self.wire.discard()
        for _ in range(_PROBES):
            self.wire.write(_framed(0, struct.pack("<I", 0)))
            number = self._acknowledged(_PROBE_S)
            if number is not None:
                self._sequence = number
                return
        raise NoAnswer(
            "the DFU bootloader does not answer",
            hint=LOST if self.has_erased else "Check the wiring and [chip] enter of the board file.",
        )

    def inspect(self, data: bytes, allowed: Allowed) -> None:
        """Do nothing: the bootloader cannot be asked."""

    def write(self, package: Path, data: bytes, on_progress: Progress) -> None:  # noqa: ARG002 - it was parsed
        """Send start, init packet and application."""
        dfu = self._package or parse_dfu(data)
        size = len(dfu.application)
        self._erase_s = erase_s = max(_LEAST_S, -(-size // _PAGE) * _ERASE_S)
        self.has_erased = True
        self._send(struct.pack("<IIIII", _START, _APPLICATION, 0, 0, size), erase_s)
        self.wire.pause(erase_s)
        self._send(struct.pack("<I", _INIT) + dfu.init + b"\0\0")
        for number, at in enumerate(range(0, size, _PIECE), 1):
            self._send(struct.pack("<I", _DATA) + dfu.application[at : at + _PIECE])
            self.blocks += 1
            if number % _PIECES_OF_PAGE == 0:
                self.wire.pause(_PAGE_WRITE_S)
            on_progress(len(data) * min(size, at + _PIECE) // size, len(data))

    def activate(self) -> None:
        """Send the stop: the bank is copied, which erases the old application, and the chip restarts."""
        try:
            self._send(struct.pack("<I", _STOP), self._erase_s)
        except NoAnswer:
            self.note("the bootloader did not acknowledge the end: its application's version decides")
        self.wire.pause(self._erase_s)

    def _send(self, payload: bytes, more_s: float = 0.0) -> None:
        """Send a frame until it is acknowledged, with one number.

        Raises:
            NoAnswer: it is not.
        """
        following = (self._sequence + 1) % 8
        for attempt in range(_TRIES):
            self.retries += attempt > 0
            self.wire.write(_framed(self._sequence, payload))
            while (number := self._acknowledged(_ACK_S + more_s)) is not None:
                if number == following:
                    self._sequence = following
                    return
                if number == self._sequence:
                    break
        raise NoAnswer("the DFU bootloader stopped acknowledging", hint=LOST)

    def _acknowledged(self, limit_s: float) -> int | None:
        """Return the number that the bootloader expects next; None if it does not say in time."""
        limit = Deadline(self.wire.clock, limit_s)
        while not limit.expired:
            try:
                header = unslip(self.wire.frame(b"\xc0", limit.remaining))
            except NoAnswer:
                return None
            if len(header) >= 4 and sum(header[-4:]) % 256 == 0:
                return header[-4] >> 3 & 7
        return None


def _framed(sequence: int, payload: bytes) -> bytes:
    """Return a frame: the four bytes of a header sum up to zero."""
    header = bytes(
        (
            sequence | (sequence + 1) % 8 << 3 | _INTEGRITY | _RELIABLE,
            _VENDOR | (len(payload) & 0x0F) << 4,
            len(payload) >> 4,
        )
    )
    packet = header + bytes((-sum(header) % 256,)) + payload
    return b"\xc0" + slip(packet + struct.pack("<H", binascii.crc_hqx(packet, 0xFFFF)))
