"""An XMODEM receiver as a modem has one: 128 or 1024 bytes, CRC or checksum, up to ten NAKs.

Chuck Forsberg, "XMODEM/YMODEM Protocol Reference" (1988): the receiver begins with C for the CRC, falls back
to NAK for the checksum, acknowledges a repeated packet without storing it, cancels when one is missing, and
waits for the line to be quiet before it asks again.
"""

from binascii import crc_hqx
from collections.abc import Callable

from atota.sim.updater import Chassis

SOH, STX, EOT, ACK, NAK, CAN = b"\x01", b"\x02", b"\x04", b"\x06", b"\x15", b"\x18"
PAD = b"\x1a"
_SIZES = {SOH: 128, STX: 1024}
_QUIET_S = 1.0  # the line is quiet; also how long a byte within a packet may take
_TURN_S = 0.01


class XmodemReceiver:
    """A data phase that receives one file.

    Args:
        chassis: the module.
        begin_s: between the characters with which it asks for the first packet.
        wait_s: without a packet for so long it asks again.
        done: called with the bytes, padding included, and the time.
        unanswered: nothing came at all.
        failed: the transfer was begun and given up, or cancelled.
    """

    def __init__(
        self,
        chassis: Chassis,
        *,
        begin_s: float,
        wait_s: float,
        done: Callable[[bytes, float], None],
        unanswered: Callable[[float], None],
        failed: Callable[[float], None],
    ) -> None:
        self._chassis = chassis
        self._begin_s = begin_s
        self._wait_s = wait_s
        self._done = done
        self._unanswered = unanswered
        self._failed = failed
        self._data = bytearray()
        self._packet = bytearray()
        self._packets = 0
        self._asked = 0
        self._naks = 0
        self._crc = True
        self._noisy = self._cancelled = False
        self._timer = 0

    @property
    def bytes_needed(self) -> int:
        """The bytes that are missing until it does something."""
        return 1 if self._noisy or not self._packet else self._length() - len(self._packet)

    def begin(self, now: float) -> None:
        """Ask for the first packet."""
        self._after(now, 0.2, self._ask)

    def take(self, data: bytes, now: float) -> int:
        """Take bytes up to the end of a packet."""
        taken = data[: self.bytes_needed]
        if self._noisy:
            self._after(now, _QUIET_S, self._refuse)
        elif self._packet:
            self._packet += taken
            self._after(now, _QUIET_S, self._refuse)
            if len(self._packet) == self._length():
                self._complete(now)
        else:
            self._first(taken, now)
        return len(taken)

    def _length(self) -> int:
        return 3 + _SIZES[bytes(self._packet[:1])] + (2 if self._crc else 1)

    def _after(self, now: float, seconds: float, action: Callable[[float], None]) -> None:
        """Do it unless something else happens before."""
        self._timer += 1
        number = self._timer
        self._chassis.plan(now + seconds, lambda then: action(then) if number == self._timer else None)

    def _say(self, byte: bytes, now: float) -> None:
        self._chassis.send(now + _TURN_S, byte)

    def _ask(self, now: float) -> None:
        """Send C three times, then NAK ten times, then give up."""
        if self._asked == 13:
            self._end(self._unanswered, now)
            return
        self._crc = self._asked < 3
        self._asked += 1
        self._say(b"C" if self._crc else NAK, now)
        self._after(now, self._begin_s, self._ask)

    def _first(self, byte: bytes, now: float) -> None:
        cancelled, self._cancelled = self._cancelled, byte == CAN
        if byte in _SIZES:
            self._packet += byte
            self._after(now, _QUIET_S, self._refuse)
        elif byte == EOT and self._packets:
            self._say(ACK, now)
            self._end(lambda then: self._done(bytes(self._data), then), now)
        elif byte == CAN and cancelled:
            self._end(self._failed, now)

    def _complete(self, now: float) -> None:
        packet, self._packet = bytes(self._packet), bytearray()
        body = packet[3 : 3 + _SIZES[packet[:1]]]
        check = packet[3 + len(body) :]
        right = crc_hqx(body, 0).to_bytes(2) if self._crc else bytes([sum(body) & 0xFF])
        here = frozenset({str(self._packets)})
        if (
            packet[1] ^ packet[2] != 0xFF
            or check != right
            or self._chassis.faults.strike("refuse-data", here)
        ):
            self._noisy = True
            self._after(now, _QUIET_S, self._refuse)
        elif packet[1] == (self._packets + 1) & 0xFF:
            self._store(body, here, now)
        elif packet[1] == self._packets & 0xFF and self._packets:
            self._accept(now, lost=False)
        else:
            self._cancel(now)

    def _store(self, body: bytes, here: frozenset[str], now: float) -> None:
        faults = self._chassis.faults
        if faults.strike("reboot-in-data", here):
            self._chassis.crash(now)
            return
        if faults.strike("close-window", here):
            self._cancel(now)
            return
        short = faults.strike("short-write", here) is not None
        self._data += body[:-1] if short else body
        self._packets += 1
        self._accept(now, lost=faults.strike("lose-ack", here) is not None)

    def _accept(self, now: float, *, lost: bool) -> None:
        self._naks = 0
        if not lost:
            self._say(ACK, now)
        self._after(now, self._wait_s, self._refuse)

    def _refuse(self, now: float) -> None:
        self._packet.clear()
        self._noisy = False
        self._naks += 1
        if self._naks > 10:
            self._cancel(now)
            return
        self._say(NAK if self._packets or not self._crc else b"C", now)
        self._after(now, self._wait_s, self._refuse)

    def _cancel(self, now: float) -> None:
        self._say(CAN + CAN, now)
        self._end(self._failed, now)

    def _end(self, action: Callable[[float], None], now: float) -> None:
        self._timer += 1
        action(now)
