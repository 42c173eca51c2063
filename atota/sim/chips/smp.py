r"""MCUboot with its serial recovery, and an application with mcumgr, both over SMP on the UART.

Sources: Zephyr documentation, "SMP over console" (lines, CRC) and "Simple management protocol" (header,
groups of OS and image management); MCUboot documentation, "Serial recovery". A message is cut into lines::

    06 09 base64(length16 message crc16) 0A    04 14 base64 0A ...

The message has a header of eight bytes (operation and version, flags, length, group, sequence, command) and
a CBOR map. A message that is longer than the receiver's buffer, or broken, gets no answer.

*Recovery* runs if the boot pin asks for it, after a reset with ``boot_mode`` 1, and if slot 0 holds no whole
image. It writes slot 0 itself and looks at nothing: only the next start does. The *application* writes slot
1; what is marked for a test is swapped at the next start and swapped back at the one after, unless it was
confirmed. A swap that a power cut interrupts goes on at the next start, so it is one step here. With the
fault ``old-app`` an image that is marked fails MCUboot's validation ("Bootloader design", "High-level
operation"): it is erased, and the old application is started.
"""

import base64
import binascii
import struct
from collections.abc import Callable, Generator
from typing import Any

from atota.sim.chips import cbor, mcuboot
from atota.sim.chips.application import answer
from atota.sim.chips.chip import Need, Next, Program, SimChip
from atota.sim.chips.nordic import ERASE_S, PAGE, Bootloader

_READ, _WRITE = 0, 2
_OS, _IMAGE = 0, 1
_NAMES = {
    (_OS, 0): "echo",
    (_OS, 5): "reset",
    (_OS, 6): "params",
    (_IMAGE, 0): "state",
    (_IMAGE, 1): "upload",
}
_EINVAL, _ENOTSUP = 3, 8
_LINE = 127  # characters with the line feed, "SMP over console"
_UNIT = 4

Map = dict[str, Any]
Step = Generator[Need, bytes, Next | None]


def crc16(data: bytes) -> int:
    """Return the CRC-16 of SMP over console: XMODEM, polynomial 1021, from 0 on."""
    return binascii.crc_hqx(data, 0)


def lines_of(message: bytes) -> bytes:
    """Return the lines in which a message is sent."""
    body = struct.pack(">H", len(message) + 2) + message + struct.pack(">H", crc16(message))
    text = base64.b64encode(body)
    step = (_LINE - 3) // 4 * 4
    pieces = [text[at : at + step] for at in range(0, len(text), step)]
    return b"".join((b"\x04\x14" if number else b"\x06\x09") + p + b"\n" for number, p in enumerate(pieces))


class Assembler:
    """A message that lines are put together to; it has at most ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = b""
        self._needed = 0

    def take(self, line: bytes) -> bytes | None:
        """Take a line without its line feed; return a message that it completes."""
        start, text = line[:2], line[2:].rstrip(b"\r")
        if start not in (b"\x06\x09", b"\x04\x14") or len(line) >= _LINE + 1 or len(text) % 4:
            return None
        if start == b"\x06\x09":
            self._held, self._needed = b"", 0
        elif not self._held:
            return None
        try:
            self._held += base64.b64decode(text, validate=True)
        except ValueError:
            self._held = b""
            return None
        if len(self._held) >= 2:
            self._needed = 2 + int.from_bytes(self._held[:2], "big")
        if self._needed < 4 or self._needed > self._limit + 4 or len(self._held) > self._needed:
            self._held = b""
            return None
        if len(self._held) < self._needed:
            return None
        body, self._held = self._held[2:], b""
        message = body[:-2]
        return message if crc16(message) == int.from_bytes(body[-2:], "big") else None


class Mcuboot(Bootloader):
    """MCUboot. ``pending``: the mark on slot 1; ``confirmed``: slot 0 stays at the next start."""

    buffer, buffers = 1024, 1  # of the recovery
    app_buffer, app_buffers = 384, 4
    may_run_old = False

    def __init__(self, chip: SimChip) -> None:
        super().__init__(chip)
        self.pending = ""
        self.confirmed = True
        self.in_recovery = self.asked_recovery = False
        self.size = self.offset = 0
        self.upload_slot = mcuboot.SLOT_0

    def factory(self) -> None:
        """Put the first application into slot 0."""
        options = self.chip.options
        image = options.image or mcuboot.build_image(options.version)
        self.chip.flash.load(mcuboot.SLOT_0, image)

    def slot(self, address: int) -> bytes:
        """Return the bytes of a slot."""
        return self.chip.flash.read(address, mcuboot.SLOT_SIZE)

    def application(self) -> str | None:
        """Return the version of the application in slot 0."""
        image = mcuboot.read_image(self.slot(mcuboot.SLOT_0))
        return image.application if image else None

    def stored(self) -> str | None:
        """Return the version of the application that would run after a reset, or None."""
        runs = mcuboot.read_image(self.slot(self._next_slot()))
        return runs.application if runs else None

    def _next_slot(self) -> int:
        """Return the slot whose image is in slot 0 after the next start."""
        swaps = (self.pending or not self.confirmed) and not self.chip.faults.lasts("old-app")
        return mcuboot.SLOT_1 if swaps and mcuboot.read_image(self.slot(mcuboot.SLOT_1)) else mcuboot.SLOT_0

    # --- the start -----------------------------------------------------------------------------------

    def boot(self) -> Program:
        """Swap what is marked; run the recovery if there is a reason."""
        self.chip.set_uart(115200)
        is_asked, self.asked_recovery = self.asked_recovery, False
        if self.pending or not self.confirmed:
            yield from self._swap()
        image = mcuboot.read_image(self.slot(mcuboot.SLOT_0))
        self.in_recovery = is_asked or self.chip.may_load or image is None
        if not self.in_recovery:
            return "app"
        self.chip.enter("loader")
        return (yield from self._serve(self.buffer))

    def _swap(self) -> Generator[float, bytes, None]:
        swaps = self._next_slot() == mcuboot.SLOT_1
        self.confirmed = self.pending != "test" or not swaps
        if self.pending and self.chip.faults.lasts("old-app"):
            self.chip.flash.load(mcuboot.SLOT_1, b"\xff" * PAGE)
        self.pending = ""
        if not swaps:
            return
        yield 2 * mcuboot.SLOT_SIZE / PAGE * ERASE_S
        first, second = self.slot(mcuboot.SLOT_0), self.slot(mcuboot.SLOT_1)
        self.chip.flash.load(mcuboot.SLOT_0, second)
        self.chip.flash.load(mcuboot.SLOT_1, first)
        self.chip.tell("swapped the slots")

    def run_application(self, version: str) -> Program:
        """Print a banner, then answer SMP and ``AT+VER``."""
        self.in_recovery = False
        yield 0.05
        if not self.chip.faults.lasts("quiet-app"):
            self.chip.say(f"*** Booting Zephyr OS build v3.5.0 ***\r\nfw {version}\r\n".encode())
        return (yield from self._serve(self.app_buffer))

    # --- messages ------------------------------------------------------------------------------------

    def _serve(self, limit: int) -> Program:
        """Answer messages for ever."""
        assembler = Assembler(limit)
        self.size = self.offset = 0
        while True:
            line = (yield b"\n")[:-1]
            message = assembler.take(line)
            if message is not None:
                following = yield from self._take(message)
                if following is not None:
                    return following
            elif not self.in_recovery and line[:1] not in (b"\x06", b"\x04"):
                self.chip.say(answer(line, self.chip.version))

    def _take(self, message: bytes) -> Step:
        if len(message) < 8:
            return None
        first, _flags, length, group, sequence, command = struct.unpack_from(">BBHHBB", message)
        op, version = first & 7, first >> 3 & 3
        body = cbor.decode_map(message[8:]) or {}  # a body that cannot be read has no values
        if length != len(message) - 8 or op not in (_READ, _WRITE):
            return None
        name = _NAMES.get((group, command), "unknown")
        is_upload = (op, name) == (_WRITE, "upload")
        verdict = self.chip.meet(name, self.chip.pieces if is_upload else None)
        if verdict == "unheard":
            return None
        result: Map | int = _EINVAL
        if verdict != "nack":
            result = yield from self._carry_out(op, name, body)
        if isinstance(result, int):
            is_new = version and not self.in_recovery  # MCUboot speaks the first version only
            result = {"err": {"group": group, "rc": result}} if is_new else {"rc": result}
        data = cbor.encode(result)
        head = struct.pack(">BBHHBB", first + 1, 0, len(data), group, sequence, command)
        yield from self.chip.finish(lines_of(head + data))
        is_reset = name == "reset" and result.get("rc", 0) == 0 and "err" not in result
        return "reset" if is_reset else None

    def _carry_out(self, op: int, name: str, body: Map) -> Generator[Need, bytes, Map | int]:
        """Return the map of an answer, or an error number."""
        handlers: dict[tuple[int, str], Callable[[Map], Map | int]] = {
            (_WRITE, "reset"): self._reset,
            (_READ, "params"): self._params,
            (_READ, "state"): self._state,
        }
        if not self.in_recovery:
            handlers |= {(_WRITE, "echo"): self._echo, (_WRITE, "state"): self._mark}
        if (op, name) == (_WRITE, "upload"):
            return (yield from self._upload(body))
        handler = handlers.get((op, name))
        return handler(body) if handler else _ENOTSUP

    def _echo(self, body: Map) -> Map | int:
        text = body.get("d")
        return {"r": text} if isinstance(text, str) else _EINVAL

    def _reset(self, body: Map) -> Map | int:
        self.asked_recovery = not self.in_recovery and body.get("boot_mode") == 1
        return {"rc": 0} if self.in_recovery else {}

    def _params(self, _body: Map) -> Map | int:
        if self.in_recovery and self.chip.faults.lasts("old-recovery"):
            return _ENOTSUP
        size, count = (self.buffer, self.buffers) if self.in_recovery else (self.app_buffer, self.app_buffers)
        return {"buf_size": size, "buf_count": count}

    def _state(self, _body: Map) -> Map | int:
        images = []
        for number, address in enumerate((mcuboot.SLOT_0, mcuboot.SLOT_1)):
            data = self.slot(address)
            image = mcuboot.read_image(data)
            if image is not None:
                build = f".{image.build}" if image.build or self.in_recovery else ""
                row: Map = {"slot": number, "version": image.version + build, "hash": image.digest}
                images.append(row if self.in_recovery else {"image": 0, **row, **self._flags(number)})
            elif self.in_recovery and number == 0 and self.size and (head := mcuboot.version_in(data)):
                # Listed as it was written: nothing is checked before the next start.
                images.append({"slot": 0, "version": f"{head[0]}.{head[1]}"})
        return {"images": images, "splitStatus": 0} if not self.in_recovery else {"images": images}

    def _flags(self, number: int) -> dict[str, bool]:
        is_active = number == 0
        return {
            "bootable": True,
            "pending": not is_active and bool(self.pending),
            "confirmed": is_active and self.confirmed,
            "active": is_active,
            "permanent": not is_active and self.pending == "permanent",
        }

    def _mark(self, body: Map) -> Map | int:
        """Mark an image for a test, or confirm one."""
        digest, confirm = body.get("hash"), body.get("confirm", False)
        slots = [mcuboot.read_image(self.slot(one)) for one in (mcuboot.SLOT_0, mcuboot.SLOT_1)]
        digests = [image.digest if image else None for image in slots]
        if digest is None and confirm:
            digest = digests[0]
        if digest is None or digest not in digests:
            return _EINVAL
        if digest == digests[0]:
            if not confirm:
                return _EINVAL
            self.confirmed = True
        else:
            self.pending = "permanent" if confirm else "test"
        return self._state({})

    def _upload(self, body: Map) -> Generator[Need, bytes, Map | int]:
        """Take a piece; the answer tells the offset to go on from."""
        offset, data = body.get("off"), body.get("data")
        if not isinstance(offset, int) or not isinstance(data, bytes) or body.get("image", 0) != 0:
            return _EINVAL
        if offset == 0:
            size = body.get("len")
            if not isinstance(size, int) or not 0 < size <= mcuboot.SLOT_SIZE:
                return _EINVAL
            if not self.in_recovery and body.get("upgrade") and not self._is_newer(data):
                return _EINVAL
            self.upload_slot = mcuboot.SLOT_0 if self.in_recovery else mcuboot.SLOT_1
            self.size, self.offset = size, 0
            self.pending = ""
            yield from self.erase(self.upload_slot, size)
        if self.size and offset == self.offset:
            if self.offset + len(data) > self.size:
                return _EINVAL
            yield from self._store(data)
        return {"rc": 0, "off": self.offset} if self.in_recovery else {"off": self.offset}

    def _store(self, data: bytes) -> Generator[Need, bytes, None]:
        """Write whole words; the rest of a piece is asked for again, but at the image's end it is padded."""
        is_last = self.offset + len(data) == self.size
        if not is_last:
            data = data[: len(data) - len(data) % _UNIT]
        padded = data + b"\xff" * (-len(data) % _UNIT)
        yield from self.write(self.upload_slot + self.offset, padded)
        self.chip.pieces += 1
        self.offset += len(data)

    def _is_newer(self, data: bytes) -> bool:
        new, old = mcuboot.version_in(data), mcuboot.version_in(self.slot(mcuboot.SLOT_0))
        numbers = [tuple(map(int, one[0].split("."))) for one in (new, old) if one]
        return len(numbers) == 2 and numbers[0] > numbers[1]
