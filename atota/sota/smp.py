"""MCUboot and Zephyr by SMP over UART: serial recovery, or mcumgr in the running application.

A message is base64 with its length and CRC, in lines of at most 128 bytes::

    06 09 base64(length message crc16) 0A      the first line; 04 14 begins the ones behind it
    message: operation flags length group sequence id CBOR

The same commands have two meanings. In the *application* an upload fills the second slot: it is tested by
its hash, the chip is reset, and the new application is confirmed once it runs. In *recovery* an upload
replaces the running slot, and the list of images proves nothing: recovery lists a tampered image too, and
falls back into itself after the reset. So the version counts only from a list with an active image, which is
the application's own.

Request sizes differ between the two, and a request that is too long is dropped in silence: the size is asked
for at each connection. Replies are matched by their sequence number, and a request is repeated: its offset
makes an upload proof against replies that come late (smpclient #104).
"""

import base64
import binascii
import hashlib
import struct
from pathlib import Path

import msgspec

from atota.clock import Deadline
from atota.errors import NoAnswer, PackageError, SlotLost
from atota.settings.spec import Allowed
from atota.sota.cbor import Value, decode, encode
from atota.sota.flasher import LOST, Flasher, Progress

_FIRST, _NEXT = b"\x06\x09", b"\x04\x14"
_LINE = 124
"""Base64 characters in a line: receivers decode each line alone, so it is a multiple of four."""
_READ, _WRITE = 0, 2
_OS, _IMAGE = 0, 1
_RESET, _PARAMETERS, _STATE, _UPLOAD = 5, 6, 0, 1
_AROUND = 8 + 2
"""Bytes of a header, and those by which the length of a byte string in CBOR grows."""
_REPLY_S, _TRIES = 2.0, 4
_ERASE_S = 45.0
"""Limit for the first piece of an upload: the slot is erased before it is answered."""
_RESTART_S = 2.0
"""Time after the reset command in which the old application may still answer."""
_MAGIC, _TLV_MAGIC, _TLV_PROTECTED, _TLV_SHA256 = 0x96F3B83D, 0x6907, 0x6908, 0x10


class McubootImage(msgspec.Struct, frozen=True):
    """An image whose digest fits: its version and the hash by which it is named."""

    version: str
    hash: bytes


def parse_mcuboot(data: bytes) -> McubootImage:
    """Parse an image of MCUboot (docs "image format") and check its digest.

    Raises:
        PackageError: it is not one, or it is damaged.
    """
    if len(data) < 32 or struct.unpack_from("<I", data)[0] != _MAGIC:
        raise PackageError(
            "the package is not an MCUboot image",
            hint="Upload the signed binary: zephyr.signed.bin, or app_update.bin.",
        )
    header, protected, size = struct.unpack_from("<HHI", data, 8)
    major, minor, revision, build = struct.unpack_from("<BBHI", data, 20)
    end = header + size + protected
    if len(data) < end + 4 or struct.unpack_from("<H", data, end)[0] != _TLV_MAGIC:
        raise PackageError("the package is cut off, or has no trailer behind its image")
    total = struct.unpack_from("<H", data, end + 2)[0]
    at = end + 4
    while at + 4 <= min(len(data), end + total):
        kind, length = struct.unpack_from("<HH", data, at)
        if kind == _TLV_SHA256:
            digest = data[at + 4 : at + 4 + length]
            if digest != hashlib.sha256(data[:end]).digest():
                raise PackageError("the SHA-256 in the package does not fit its bytes")
            return McubootImage(f"{major}.{minor}.{revision}" + (f".{build}" if build else ""), digest)
        at += 4 + length
    raise PackageError("the package has no SHA-256 in its trailer")


class Smp(Flasher):
    """The flasher of MCUboot images."""

    meets_application = True
    _is_recovery = False
    _image: McubootImage | None = None
    _name = ""
    _is_reset = False
    _sequence = 0

    @property
    def overwrites(self) -> bool:
        """True in recovery, which replaces the running slot."""
        return self._is_recovery

    def check(self, data: bytes, version: str) -> None:
        """Refuse what is not a whole image with this version."""
        image = parse_mcuboot(data)
        # Images have numbers alone, and people write V before them.
        if version.lstrip("vV") not in (image.version, f"{image.version}.0"):
            raise PackageError(
                f"the package says that it holds version {image.version}, and not {version}",
                hint="Upload the build of that version, or give --expect-version as the image calls itself.",
            )
        self._image, self._name = image, version

    def connect(self) -> None:
        """Ask for the images and the size of requests."""
        self.wire.speak(self.chip.baud or 115200, "N")
        if self.chip.recovery:
            self._start_recovery()
        self._is_recovery = self._active() is None
        self.block = self._request_size()

    def _start_recovery(self) -> None:
        """Have an application that runs restart into serial recovery (Zephyr, "OS management", boot mode 1).

        An application without image management refuses the list of images; recovery never does.
        """
        reply = self._ask(_READ, _IMAGE, _STATE, {})
        if _code(reply) or any(image.get("active") for image in _images_of(reply)):
            if code := _code(self._ask(_WRITE, _OS, _RESET, {"boot_mode": 1})):
                raise self.failure(f"the application refuses to restart into serial recovery: error {code}")
            self.wire.pause(_RESTART_S)

    def inspect(self, data: bytes, allowed: Allowed) -> None:  # noqa: ARG002 - the bootloader checks the image
        """Say where the upload goes."""
        slot = "running slot, by the bootloader" if self._is_recovery else "second slot, by the application"
        self.note(f"uploading into the {slot}")

    # -- the upload ----------------------------------------------------------------------------

    def write(self, package: Path, data: bytes, on_progress: Progress) -> None:  # noqa: ARG002 - the data are read
        """Upload the image; each reply says where to continue."""
        self.has_erased, self._is_reset = True, False
        offset, last = 0, -1
        while offset < len(data):
            message: dict[str, Value] = {"off": offset}
            if offset == 0:
                message = {"image": 0, "len": len(data), "off": 0, "sha": hashlib.sha256(data).digest()}
            room = (self.block or 512) - len(encode({**message, "data": b""})) - _AROUND
            message["data"] = data[offset : offset + max(room, 16)]
            reply = self._ask(_WRITE, _IMAGE, _UPLOAD, message, limit_s=_ERASE_S if offset == 0 else _REPLY_S)
            code = _code(reply)
            answer = reply.get("off")
            if code or not isinstance(answer, int):
                raise self.failure(f"the upload is refused at byte {offset}: error {code}")
            if answer <= last or answer > len(data):
                raise SlotLost(f"the upload does not go on behind byte {offset}", hint=self.failure("").hint)
            self.retries += answer < offset
            offset, last = answer, min(answer, offset)
            self.blocks += 1
            on_progress(offset, len(data))

    def validate(self) -> None:
        """Find the image in the second slot by its hash; recovery's list proves nothing."""
        if self._is_recovery or self._image is None:
            return
        if not any(image.get("hash") == self._image.hash for image in self._images()):
            raise SlotLost("the chip does not list the image that was uploaded", hint=self.failure("").hint)

    def activate(self) -> None:
        """Mark the image for one test in the application, and reset."""
        if not self._is_recovery and self._image is not None:
            reply = self._ask(_WRITE, _IMAGE, _STATE, {"hash": self._image.hash, "confirm": False})
            if code := _code(reply):
                raise self.failure(f"the chip refuses to test the image: error {code}")
        self._is_reset = True
        self._ask(_WRITE, _OS, _RESET, {})
        self.wire.pause(_RESTART_S)

    def running_version(self) -> str | None:
        """Return the version of the active image; a tested one that runs is confirmed."""
        self.wire.speak(self.chip.app_baud or 115200, "N")
        try:
            active = self._active()
            if active is None:
                self.state_words = "the chip is in its serial recovery, which has no application to start"
                return None
            if self._is_reset and self._image is not None and active.get("hash") == self._image.hash:
                if not active.get("confirmed"):
                    self._ask(_WRITE, _IMAGE, _STATE, {"hash": self._image.hash, "confirm": True})
                    active = self._active() or {}
                if not active.get("confirmed"):
                    self.state_words = "the new application runs, and cannot be confirmed: it will roll back"
                    return None
        except NoAnswer as silence:
            self.state_words = silence.message
            return None
        version = active.get("version")
        if self._image is not None and version in (self._image.version, f"{self._image.version}.0"):
            return self._name
        return version if isinstance(version, str) else None

    def _active(self) -> dict[str, Value] | None:
        return next((image for image in self._images() if image.get("active")), None)

    # -- messages ------------------------------------------------------------------------------

    def _images(self) -> list[dict[str, Value]]:
        return _images_of(self._ask(_READ, _IMAGE, _STATE, {}))

    def _request_size(self) -> int:
        """Return the longest message that the chip takes, its framing included.

        Builds of recovery without the command answer with an error or not at all.
        """
        default = self.chip.buffer or 512
        try:
            size = self._ask(_READ, _OS, _PARAMETERS, {}, tries=1).get("buf_size")
        except NoAnswer:
            return _message_size(default)
        return _message_size(size if isinstance(size, int) and 96 <= size <= 65536 else default)

    def _ask(
        self,
        operation: int,
        group: int,
        command: int,
        value: dict[str, Value],
        *,
        limit_s: float = _REPLY_S,
        tries: int = _TRIES,
    ) -> dict[str, Value]:
        """Send a request, repeat it if need be, and return its reply.

        Raises:
            NoAnswer: none came.
        """
        self._sequence = (self._sequence + 1) % 256
        body = encode(value)
        message = struct.pack(">BBHHBB", operation, 0, len(body), group, self._sequence, command) + body
        self.wire.discard()
        for attempt in range(tries):
            self.retries += attempt > 0 and command == _UPLOAD
            self.wire.write(_framed(message))
            reply = self._reply(message, limit_s)
            if reply is not None:
                return reply
        raise NoAnswer(
            "the chip does not answer SMP requests",
            hint=LOST
            if self._is_recovery and self.has_erased
            else "Check wiring and rate; start serial recovery on a board whose application has no SMP.",
            tried=(f"sent the request {tries} times at {self.wire.link.baud} bit/s",),
        )

    def _reply(self, request: bytes, limit_s: float) -> dict[str, Value] | None:
        """Return the reply to a request; replies to others are late, and other lines are the console's."""
        limit = Deadline(self.wire.clock, limit_s)
        packet = b""
        while not limit.expired:
            try:
                line = self.wire.frame(b"\n", limit.remaining)
            except NoAnswer:
                return None
            for mark in (_FIRST, _NEXT):
                if mark in line:
                    packet = (b"" if mark == _FIRST else packet) + _decoded(line.partition(mark)[2])
                    break
            else:
                continue
            message = _unpacked(packet)
            if message is not None and message[4:8] == request[4:8] and message[0] & 7 == request[0] + 1:
                try:
                    value = decode(message[8:])
                except ValueError:
                    return None
                return value if isinstance(value, dict) else {}
        return None


def _code(reply: dict[str, Value]) -> int:
    """Return the error of a reply, of either version of the protocol; 0 without one."""
    error = reply.get("err")
    code = error.get("rc") if isinstance(error, dict) else reply.get("rc")
    return code if isinstance(code, int) else 0


def _images_of(reply: dict[str, Value]) -> list[dict[str, Value]]:
    images = reply.get("images", [])
    return [image for image in images if isinstance(image, dict)] if isinstance(images, list) else []


def _message_size(size: int) -> int:
    """Return the bytes of a message whose lines fill at most ``size`` bytes."""
    return size // (_LINE + 3) * (_LINE // 4 * 3) - 4 if size >= 2 * (_LINE + 3) else size * 3 // 4 - 8


def _framed(message: bytes) -> bytes:
    packet = struct.pack(">H", len(message) + 2) + message
    text = base64.b64encode(packet + struct.pack(">H", binascii.crc_hqx(message, 0)))
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return b"".join((_FIRST if not number else _NEXT) + line + b"\n" for number, line in enumerate(lines))


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        return b""


def _unpacked(packet: bytes) -> bytes | None:
    """Return the message of a whole packet whose CRC fits; None if it is not whole."""
    length = int.from_bytes(packet[:2], "big")
    if len(packet) < length + 2 or length < 10:
        return None
    message, crc = packet[2:length], packet[length : length + 2]
    return message if binascii.crc_hqx(message, 0) == int.from_bytes(crc, "big") else None
