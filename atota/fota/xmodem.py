"""XMODEM after a command that opens the transfer. The protocol is the `xmodem` package's, not ours."""

import hashlib
import io
import logging
import re
from pathlib import Path

from xmodem import CAN, XMODEM, XMODEM1k

from atota.clock import Deadline
from atota.dialects.methods.xmodem import XmodemSpec
from atota.dialects.model import Dialect
from atota.errors import Interrupted, JobTimeout, SlotLost
from atota.fota.base import Options, Progress, slot_lost_on_reboot, slot_lost_on_silence
from atota.fota.streamed import ANSWER_S, Streamed
from atota.module.data_phase import DataPhase, DataPrompt
from atota.module.session import Session

logging.getLogger("xmodem").addHandler(logging.NullHandler())  # our own error reports the failure
_BLOCK_S = 10.0
"""XMODEM's own limit for the response to a packet."""
_STORED_S = 120.0
_GAP_S = 0.05
"""Within a line the bytes follow each other faster than this."""
_LINES = re.compile(rb"(\r?\n[ -~]{2,}\r\n)")
_BEGUN = re.compile(rb"(?:\A|\r?\n)[ -~]*\r?\Z|\r\Z")


class Xmodem(Streamed):
    """The method for one module.

    Nothing is probed: the command's set form already starts a download. Nothing is prepared: the next
    download replaces an unfinished one.
    """

    spec: XmodemSpec

    def __init__(self, dialect: Dialect, spec: XmodemSpec, options: Options) -> None:
        super().__init__(dialect, spec, options)
        self.window_s = spec.window_s

    @property
    def holds_package(self) -> bool:
        """True: each packet has a checksum."""
        return True

    def write(self, session: Session, package: Path, progress: Progress) -> str:
        """Open the transfer and send the file."""
        data = package.read_bytes()
        phase = self._open(session)
        pipe = _Pipe(session)
        phase.expect_result()
        sender = (XMODEM1k if self.spec.block == 1024 else XMODEM)(pipe.get, pipe.put)

        def on_packet(_total: int, good: int, _bad: int) -> None:
            self.counters.blocks = good
            progress(min(good * self.spec.block, len(data)), len(data))

        try:
            is_sent = sender.send(
                io.BytesIO(data), retry=self.spec.retries, timeout=_BLOCK_S, quiet=True, callback=on_packet
            )
        except (Interrupted, JobTimeout):
            session.link.write(CAN + CAN)  # the module gives up at once
            raise
        if not is_sent:
            phase.leave()
            raise SlotLost("the module broke the XMODEM transfer off")
        with slot_lost_on_silence():
            stored = phase.wait_result(_STORED_S, "the transfer", received=pipe.rest)
        if not stored.ok:
            raise self.refused("the module did not store the package", stored)
        return hashlib.sha256(data).hexdigest()

    def activate(self, session: Session) -> bool:
        """Install: the module restarts, and its port is dead until it has finished."""
        return self.start(session, self.spec.start, "the module refused to install the package")

    def _open(self, session: Session) -> DataPhase:
        prompt = DataPrompt(line=self.spec.ready)
        phase = DataPhase(session, self.spec.open, prompt, window_s=self.spec.window_s)
        with slot_lost_on_silence(), slot_lost_on_reboot("the module rebooted instead of taking the package"):
            refusal = phase.open(ANSWER_S)
        if refusal is not None:
            raise self.refused("the module does not take the package", refusal)
        return phase


class _Pipe:
    """The link as the XMODEM package sees it: bytes in, bytes out, in the link's own time.

    Lines of text that come in between are left out: only single bytes belong to the protocol.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting = bytearray()
        self._text = bytearray()
        self._half = b""  # a line that has begun

    def get(self, size: int, timeout: float = 1) -> bytes | None:
        """Return up to ``size`` bytes; None if none came in time."""
        deadline = Deadline(self._session.clock, timeout)
        while len(self._waiting) < size:
            is_over = deadline.expired
            self._session.check()
            wait_s = 0.0 if is_over else min(deadline.remaining, self._session.clock.slice_s)
            self._sift(self._session.link.read(wait_s))
            if is_over:
                break
        data = bytes(self._waiting[:size])
        del self._waiting[:size]
        return data or None

    def _sift(self, data: bytes) -> None:
        """Pass on the bytes of the protocol; a line that has begun waits for its rest.

        If more follows, the next call continues with it: a module's lines may never come to an end.
        """
        data, self._half = self._half + data, b""
        begun = _BEGUN.search(data)
        if begun is not None and (more := self._session.link.read(_GAP_S)):
            data, self._half = data[: begun.start()], data[begun.start() :] + more
        for index, piece in enumerate(_LINES.split(data)):
            if index % 2:
                self._text += piece
            else:
                self._waiting += piece.strip(b"\r\n")

    def put(self, data: bytes, timeout: float = 1) -> int | None:  # noqa: ARG002 - the package's interface
        """Send the bytes, and return their number."""
        self._session.link.write(data)
        return len(data)

    @property
    def rest(self) -> bytes:
        """The text that came meanwhile, and the bytes that were read beyond the protocol."""
        return bytes(self._text + self._waiting + self._half)
