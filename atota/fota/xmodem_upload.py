"""XMODEM after a command that opens the transfer. The protocol is the `xmodem` package's, not ours."""

import io
import logging
from pathlib import Path

from xmodem import XMODEM, XMODEM1k

from atota.clock import Deadline
from atota.dialects.model import Dialect
from atota.dialects.streams import XmodemUpload
from atota.errors import ModuleRebooted, NoAnswer, Refused
from atota.fota.base import Progress, SlotLost
from atota.fota.streamed import ANSWER_S, Streamed
from atota.module.payload import Ready, ask, expect_result, wait_result
from atota.module.session import Session

logging.getLogger("xmodem").addHandler(logging.NullHandler())  # what went wrong is told by our own error
_BLOCK_S = 10.0
"""XMODEM's own limit for an answer to a block."""
_STORED_S = 120.0


class XmodemFile(Streamed):
    """The method for one module.

    Args:
        dialect: the profile; its method must be of this kind.
    """

    def __init__(self, dialect: Dialect) -> None:
        if not isinstance(dialect.method, XmodemUpload):
            raise Refused(f"the dialect {dialect.name} has no such method")
        super().__init__(dialect, dialect.method.watch)
        self._method = dialect.method

    def probe(self, session: Session) -> None:
        """Nothing to ask: the command's set form already starts a download."""

    def prepare(self, session: Session) -> None:  # noqa: ARG002 - part of every method
        """Nothing to make ready: an unfinished download is begun anew by the next one."""
        self.tally.blocks = 0

    def write(self, session: Session, package: Path, progress: Progress) -> None:
        """Open the transfer and send the file."""
        data = package.read_bytes()
        refused = ask(session, self._method.open, Ready(line=self._method.ready), timeout_s=ANSWER_S)
        if refused is not None:
            raise self.refused("the module does not take the package", refused)
        pipe = _Pipe(session)
        sender = (XMODEM1k if self._method.block == 1024 else XMODEM)(pipe.get, pipe.put)

        def tell(_total: int, good: int, _bad: int) -> None:
            self.tally.blocks = good
            progress(min(good * self._method.block, len(data)), len(data))

        taken = sender.send(
            io.BytesIO(data), retry=self._method.retries, timeout=_BLOCK_S, quiet=True, callback=tell
        )
        if not taken:
            raise SlotLost("the module broke the XMODEM transfer off")
        expect_result(session, self._method.open)
        pipe.give_back()
        try:
            reply = wait_result(session, _STORED_S, "the transfer")
        except NoAnswer as error:
            raise SlotLost(error.message) from error
        if not reply.ok:
            raise self.refused("the module did not store the package", reply)

    def activate(self, session: Session) -> None:
        """Install: the module restarts, and its port is dead until it has finished."""
        try:
            self.required(session, self._method.start, "the module refused to install the package")
        except ModuleRebooted:
            return


class _Pipe:
    """The link as the XMODEM package sees it: bytes in, bytes out, in the link's own time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting = bytearray()
        self._begun = False

    def get(self, size: int, timeout: float = 1) -> bytes | None:
        """Up to ``size`` bytes; None if nothing came in time."""
        deadline = Deadline(self._session.clock, timeout)
        while len(self._waiting) < size:
            over = deadline.expired
            self._session.check()
            self._waiting += self._session.link.read(
                0.0 if over else min(deadline.remaining, self._session.clock.slice_s)
            )
            if over:
                break
        if not self._begun:
            # What is left of the line that said the module is ready.
            self._waiting = self._waiting.lstrip(b"\r\n")
            self._begun = bool(self._waiting)
        taken = bytes(self._waiting[:size])
        del self._waiting[:size]
        return taken or None

    def put(self, data: bytes, timeout: float = 1) -> int | None:  # noqa: ARG002 - the package's interface
        """Send; the number of bytes."""
        self._session.link.write(data)
        return len(data)

    def give_back(self) -> None:
        """Hand what was read beyond the protocol back to the conversation."""
        self._session.exchange.receive(bytes(self._waiting))
        self._waiting.clear()
