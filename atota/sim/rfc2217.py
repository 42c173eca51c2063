r"""A port server's side of RFC 2217: telnet whose subnegotiations set the rate, the parity and the lines.

Bytes are data, but for IAC (255), which begins a command; an IAC in the data is doubled. What the client asks
for is done in the order in which it came, between the bytes of data, and answered with its value::

    host      FF FB 2C   FF FA 2C 01 00 00 25 80 FF F0      WILL COM-PORT; SET-BAUDRATE 9600
    server    FF FD 2C   FF FA 2C 65 00 00 25 80 FF F0      DO COM-PORT;   the same, +100
"""

from collections.abc import Iterator
from typing import NamedTuple

from atota.sim.options import Parity

_IAC, _DONT, _DO, _WONT, _WILL, _SB, _SE = 255, 254, 253, 252, 251, 250, 240
_KNOWN = (0, 3, 44)  # binary transmission, suppress go-ahead, COM-PORT
_COM_PORT = 44
_BAUDRATE, _DATASIZE, _PARITY, _CONTROL = 1, 2, 3, 5
_PARITIES: dict[int, Parity] = {1: "N", 2: "O", 3: "E"}
_DTR_ON, _DTR_OFF, _RTS_ON, _RTS_OFF = 8, 9, 11, 12
_ANSWER = 100  # the server's commands are the client's and this
_LONGEST = 256  # bytes of a subnegotiation


class Lines(NamedTuple):
    """The control lines, as the client has set them."""

    dtr: bool
    rts: bool


class Rate(NamedTuple):
    """A rate in bit/s."""

    baud: int


class Framing(NamedTuple):
    """The parity."""

    parity: Parity


Event = bytes | Lines | Rate | Framing


class TelnetPort:
    """The telnet layer of one client: bytes in, events and answers out.

    Attributes:
        answers: bytes for the client, to be taken away by the server.
    """

    def __init__(self) -> None:
        self.answers = b""
        self._held = b""
        self._lines = Lines(dtr=False, rts=False)
        self._baud, self._parity = 9600, 1

    @staticmethod
    def encoded(data: bytes) -> bytes:
        """Return data of the device as it goes to the client."""
        return data.replace(b"\xff", b"\xff\xff")

    def receive(self, data: bytes) -> Iterator[Event]:
        """Take bytes of the client; yield data and settings in their order."""
        self._held += data
        while self._held:
            if self._held[0] != _IAC:
                plain, iac, rest = self._held.partition(b"\xff")
                self._held = iac + rest
                yield plain
                continue
            size = self._command_size()
            if not size:
                return
            command, self._held = self._held[:size], self._held[size:]
            yield from self._command(command)

    def _command_size(self) -> int:
        """Return the length of the command at the beginning; 0: it is not complete."""
        held = self._held
        if len(held) < 2:
            return 0
        if held[1] != _SB:
            size = 3 if held[1] in (_DO, _DONT, _WILL, _WONT) else 2
            return size if len(held) >= size else 0
        position = 2
        while (position := held.find(b"\xff", position)) >= 0 and position + 1 < len(held):
            if held[position + 1] == _SE:
                return position + 2
            position += 2
        return 2 if len(held) > _LONGEST else 0

    def _command(self, command: bytes) -> Iterator[Event]:
        code = command[1]
        if code == _IAC:
            yield b"\xff"
        elif code in (_DO, _WILL):
            known = command[2] in _KNOWN
            good, bad = (_WILL, _WONT) if code == _DO else (_DO, _DONT)
            self.answers += bytes([_IAC, good if known else bad, command[2]])
        elif code == _SB and len(command) > 5 and command[2] == _COM_PORT:
            yield from self._setting(command[3], command[4:-2].replace(b"\xff\xff", b"\xff"))

    def _setting(self, name: int, value: bytes) -> Iterator[Event]:
        if name == _BAUDRATE and len(value) == 4:
            baud = int.from_bytes(value, "big")
            if baud:  # 0 asks for the rate
                self._baud = baud
                yield Rate(baud)
            value = self._baud.to_bytes(4, "big")
        elif name == _PARITY and value[0] in _PARITIES:
            self._parity = value[0]
            yield Framing(_PARITIES[value[0]])
        elif name == _CONTROL:
            dtr = {_DTR_ON: True, _DTR_OFF: False}.get(value[0], self._lines.dtr)
            rts = {_RTS_ON: True, _RTS_OFF: False}.get(value[0], self._lines.rts)
            if value[0] in (_DTR_ON, _DTR_OFF, _RTS_ON, _RTS_OFF):
                self._lines = Lines(dtr=dtr, rts=rts)
                yield self._lines
        answer = value.replace(b"\xff", b"\xff\xff")
        self.answers += bytes([_IAC, _SB, _COM_PORT, name + _ANSWER]) + answer + bytes([_IAC, _SE])
