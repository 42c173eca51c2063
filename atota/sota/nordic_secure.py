"""Nordic's Secure DFU over UART (nRF5 SDK 12 to 17): objects with CRCs, and a signed init packet.

Frames are SLIP with an end marker only. A request is an operation and its values; a response is ``60``, the
operation and a result::

    09 01                          60 09 01 01                 ping
    02 00 00                       60 02 01                    no receipts
    07                             60 07 01 mtu16
    06 type                        60 06 01 max32 offset32 crc32   select: 1 init packet, 2 application
    01 type size32                 60 01 01                    create
    08 bytes…                      (none)                      write
    03                             60 03 01 offset32 crc32     CRC of all that was written
    04                             60 04 01                    execute

An offset of an earlier transfer is trusted only if the CRC of our own first bytes fits. The last execute
checks the signed hash and resets the chip, so it is what activates the package.
"""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from atota.clock import Deadline
from atota.errors import NoAnswer, SlotLost
from atota.settings.spec import Allowed
from atota.sota.flasher import LOST, Flasher, Progress
from atota.sota.nordic_package import DfuPackage, parse_dfu, slip, unslip

_CREATE, _NO_RECEIPTS, _CRC, _EXECUTE, _SELECT, _MTU, _WRITE, _PING = 1, 2, 3, 4, 6, 7, 8, 9
_INIT, _APPLICATION = 1, 2
_RESPONSE, _OK, _NOT_PERMITTED, _EXTENDED = 0x60, 0x01, 0x08, 0x0B
_PINGS, _PING_S = 5, 1.0
_REPLY_S = 5.0
"""Limit for a response; an object of 4096 bytes is erased and written meanwhile."""
_LAST_S = 30.0
"""Limit for the last execute, which hashes the whole application."""
_TRIES = 3
_RESULTS = {
    2: "it does not know the request", 3: "a parameter is wrong", 4: "it has not enough memory",
    5: "the object does not fit", 7: "the type is unknown", 8: "the request is not permitted now",
    10: "the operation failed",
}  # fmt: skip
_REASONS = {
    3: "an unknown command", 4: "the init packet is malformed", 5: "the version is too low",
    6: "the hardware version does not fit", 7: "the SoftDevice does not fit", 8: "the signature is missing",
    9: "the type of the hash is unknown", 10: "the hash could not be computed",
    11: "the type of the signature is unknown",
    12: "the hash does not fit", 13: "there is not enough space", 14: "the firmware is already present",
}  # fmt: skip


class NordicSecure(Flasher):
    """The flasher of signed DFU packages."""

    block = 4096
    _package: DfuPackage | None = None

    @property
    def validates(self) -> bool:
        """False: the last execute validates, and starts: it belongs to `activate`."""
        return False

    def check(self, data: bytes, version: str) -> None:  # noqa: ARG002 - the version in it is a number of its own
        """Refuse what is not a DFU package of an application."""
        self._package = parse_dfu(data)

    def connect(self) -> None:
        """Ping the bootloader, and learn the size of its frames.

        Raises:
            NoAnswer: it does not answer.
        """
        self.wire.speak(self.chip.baud or 115200, "N")
        self.wire.discard()
        for number in range(1, _PINGS + 1):
            try:
                self._ask(bytes((_PING, number)), _PING_S)
                break
            except NoAnswer:
                if number == _PINGS:
                    raise
        self._ask(bytes((_NO_RECEIPTS, 0, 0)))
        mtu = int.from_bytes(self._ask(bytes((_MTU,)))[:2], "little")
        # Each byte may be escaped, and the operation and the end marker are part of a frame.
        self._piece = max((mtu - 1) // 2 - 1, 16)

    def inspect(self, data: bytes, allowed: Allowed) -> None:
        """Do nothing: the bootloader itself checks version, hardware and signature before it erases."""

    def write(self, package: Path, data: bytes, on_progress: Progress) -> None:  # noqa: ARG002 - it was parsed
        """Send the init packet, then the application object by object."""
        dfu = self._package or parse_dfu(data)
        self._send_init(dfu.init)
        self.has_erased = True
        self._send_application(
            dfu.application, lambda done: on_progress(len(data) * done // len(dfu.application), len(data))
        )
        on_progress(len(data), len(data))

    def _send_init(self, init: bytes) -> None:
        _, offset, crc = self._select(_INIT)
        if (offset, crc) != (len(init), zlib.crc32(init)):
            self._object(_INIT, init, 0, init)
        self._ask(bytes((_EXECUTE,)))

    def _send_application(self, application: bytes, on_done: Callable[[int], None]) -> None:
        size, offset, crc = self._select(_APPLICATION)
        self.block = size or 4096
        first = self._resumed(application, offset, crc)
        for at in range(first, len(application), self.block):
            end = min(at + self.block, len(application))
            self._object(_APPLICATION, application[at:end], at, application)
            if end < len(application):
                self._ask(bytes((_EXECUTE,)))
            self.blocks += 1
            on_done(end)

    def _resumed(self, application: bytes, offset: int, crc: int) -> int:
        """Return the offset to continue at, behind whole objects that are proven to be ours."""
        whole = offset // (self.block or 4096) * (self.block or 4096)
        if not 0 < offset <= len(application) or zlib.crc32(application[:offset]) != crc or not whole:
            return 0
        if whole == len(application):
            whole -= self.block or 4096
        if offset == whole:
            # Written, and perhaps not executed yet; a second execute is refused without effect.
            self._ask(bytes((_EXECUTE,)), accepts=(_OK, _NOT_PERMITTED))
        self.note(f"the bootloader holds the first {whole} bytes already: continuing behind them")
        return whole

    def _object(self, kind: int, data: bytes, at: int, whole: bytes) -> None:
        """Create and write one object; its CRC is that of all bytes so far."""
        expected = (at + len(data), zlib.crc32(whole[: at + len(data)]))
        for attempt in range(_TRIES):
            self.retries += attempt > 0
            self._ask(struct.pack("<BBI", _CREATE, kind, len(data)))
            for start in range(0, len(data), self._piece):
                self.wire.write(slip(bytes((_WRITE,)) + data[start : start + self._piece]))
                self.wire.check()
            if struct.unpack("<II", self._ask(bytes((_CRC,)))[:8].ljust(8, b"\0")) == expected:
                return
        raise SlotLost(f"the bytes behind {at} do not arrive whole", hint=self.failure("").hint)

    def activate(self) -> None:
        """Execute the last object: the bootloader checks the whole application, and starts it."""
        try:
            self._ask(bytes((_EXECUTE,)), _LAST_S)
        except NoAnswer:
            self.note("the bootloader did not answer the last request: its application's version decides")

    def _select(self, kind: int) -> tuple[int, int, int]:
        size, offset, crc = struct.unpack("<III", self._ask(bytes((_SELECT, kind)))[:12].ljust(12, b"\0"))
        return size, offset, crc

    def _ask(self, request: bytes, limit_s: float = _REPLY_S, accepts: tuple[int, ...] = (_OK,)) -> bytes:
        """Send a request and return the values of its response.

        Raises:
            NoAnswer: none came.
            WriteFailed: the bootloader refuses it.
        """
        self.wire.write(slip(request))
        limit = Deadline(self.wire.clock, limit_s)
        while not limit.expired:
            try:
                response = unslip(self.wire.frame(b"\xc0", limit.remaining))
            except NoAnswer:
                break
            at = response.find(bytes((_RESPONSE, request[0])))
            if at < 0 or len(response) < at + 3:
                continue  # text of the application, or a late response to another request
            result, values = response[at + 2], response[at + 3 :]
            if result in accepts:
                return values
            raise self.failure(f"the bootloader refuses request {request[0]:02x}: {_reason(result, values)}")
        hint = LOST if self.has_erased else "Check the wiring, the rate and [chip] enter of the board file."
        raise NoAnswer("the DFU bootloader does not answer", hint=hint)


def _reason(result: int, values: bytes) -> str:
    if result == _EXTENDED and values:
        return _REASONS.get(values[0], f"extended error {values[0]}")
    return _RESULTS.get(result, f"result {result}")
