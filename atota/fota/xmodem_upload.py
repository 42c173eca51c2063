"""XMODEM after a command that opens the transfer. The protocol is the `xmodem` package's, not ours."""

import hashlib
import io
import logging
import re
from pathlib import Path

from xmodem import CAN, XMODEM, XMODEM1k

from atota.clock import Deadline
from atota.dialects.model import Dialect
from atota.dialects.streams import XmodemUpload
from atota.errors import Interrupted, JobTimeout, ModuleRebooted, NoAnswer, Refused
from atota.fota.base import Progress, SlotLost
from atota.fota.streamed import ANSWER_S, Streamed
from atota.module.data_phase import DataPhase, DataPrompt
from atota.module.session import Session

logging.getLogger("xmodem").addHandler(logging.NullHandler())  # what went wrong is told by our own error
_BLOCK_S = 10.0
"""XMODEM's own limit for an answer to a block."""
_STORED_S = 120.0
_GAP_S = 0.05
"""Within a line the bytes follow each other faster than this."""
_LINES = re.compile(rb"(\r?\n[ -~]{2,}\r\n)")
_BEGUN = re.compile(rb"(?:\A|\r?\n)[ -~]*\r?\Z|\r\Z")


class XmodemFile(Streamed):
    """The method for one module.

    Args:
        dialect: the profile; its method must be of this kind.
    """

    def __init__(self, dialect: Dialect) -> None:
        if not isinstance(dialect.method, XmodemUpload):
            raise Refused(f"the dialect {dialect.name} has no such method")
        super().__init__(dialect, dialect.method.watch, window_s=dialect.method.window_s)
        self._method = dialect.method

    def probe(self, session: Session) -> None:
        """Nothing to ask: the command's set form already starts a download."""

    def prepare(self, session: Session) -> None:  # noqa: ARG002 - part of every method
        """Nothing to make ready: an unfinished download is begun anew by the next one."""
        self.tally.blocks = 0

    def write(self, session: Session, package: Path, progress: Progress) -> str:
        """Open the transfer and send the file."""
        data = package.read_bytes()
        phase = self._open(session)
        pipe = _Pipe(session)
        phase.expect_result()
        sender = (XMODEM1k if self._method.block == 1024 else XMODEM)(pipe.get, pipe.put)

        def tell(_total: int, good: int, _bad: int) -> None:
            self.tally.blocks = good
            progress(min(good * self._method.block, len(data)), len(data))

        try:
            taken = sender.send(
                io.BytesIO(data), retry=self._method.retries, timeout=_BLOCK_S, quiet=True, callback=tell
            )
        except (Interrupted, JobTimeout):
            session.link.write(CAN + CAN)  # the module gives up at once
            raise
        if not taken:
            phase.leave()
            raise SlotLost("the module broke the XMODEM transfer off")
        try:
            reply = phase.wait_result(_STORED_S, "the transfer", received=pipe.rest)
        except NoAnswer as error:
            raise SlotLost(error.message) from error
        if not reply.ok:
            raise SlotLost(f"the module did not store the package: {self.said(reply)}")
        return hashlib.sha256(data).hexdigest()

    def activate(self, session: Session) -> bool:
        """Install: the module restarts, and its port is dead until it has finished."""
        return self.start(session, self._method.start, "the module refused to install the package")

    def _open(self, session: Session) -> DataPhase:
        prompt = DataPrompt(line=self._method.ready)
        phase = DataPhase(session, self._method.open, prompt, window_s=self._method.window_s)
        try:
            refused = phase.open(ANSWER_S)
        except NoAnswer as error:
            raise SlotLost(error.message) from error
        except ModuleRebooted as error:
            raise SlotLost(f"the module rebooted instead of taking the package ({error.cause})") from error
        if refused is not None:
            raise SlotLost(f"the module does not take the package: {self.said(refused)}")
        return phase


class _Pipe:
    """The link as the XMODEM package sees it: bytes in, bytes out, in the link's own time.

    Lines of text that the module says in between are left out: only single bytes belong to the protocol.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting = bytearray()
        self._text = bytearray()
        self._half = b""  # a line that has begun

    def get(self, size: int, timeout: float = 1) -> bytes | None:
        """Up to ``size`` bytes; None if nothing came in time."""
        deadline = Deadline(self._session.clock, timeout)
        while len(self._waiting) < size:
            over = deadline.expired
            self._session.check()
            came = self._session.link.read(
                0.0 if over else min(deadline.remaining, self._session.clock.slice_s)
            )
            self._sift(came)
            if over:
                break
        taken = bytes(self._waiting[:size])
        del self._waiting[:size]
        return taken or None

    def _sift(self, came: bytes) -> None:
        """Pass on what belongs to the protocol; a line that has begun waits for more of it.

        Where something follows, the next call goes on with it: a module's lines may never come to an end.
        """
        came, self._half = self._half + came, b""
        begun = _BEGUN.search(came)
        if begun is not None and (more := self._session.link.read(_GAP_S)):
            came, self._half = came[: begun.start()], came[begun.start() :] + more
        for place, piece in enumerate(_LINES.split(came)):
            if place % 2:
                self._text += piece
            else:
                self._waiting += piece.strip(b"\r\n")

    def put(self, data: bytes, timeout: float = 1) -> int | None:  # noqa: ARG002 - the package's interface
        """Send; the number of bytes."""
        self._session.link.write(data)
        return len(data)

    @property
    def rest(self) -> bytes:
        """The text that came meanwhile, and what was read beyond the protocol."""
        return bytes(self._text + self._waiting + self._half)
