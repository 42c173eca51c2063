"""The whole package in one go, behind a prompt and a line, then a restart that carries out the update.

Neither a checksum nor a size limit is documented, and nothing can be resumed: what broke off, or was
refused, is sent again from its first byte. Not one byte goes out before both the prompt and the line were
seen, or the head of the file would be lost without an error.
"""

import hashlib
from pathlib import Path

from atota.dialects.model import Dialect
from atota.dialects.streams import RawStream
from atota.errors import ModuleRebooted, NoAnswer, Refused
from atota.fota.base import Progress, SlotLost
from atota.fota.streamed import Streamed
from atota.module.data_phase import DataPhase, DataPrompt
from atota.module.session import Session

_STORED_S = 60.0
"""How long the module may take to store what it was sent; the manual gives no figure."""


class Stream(Streamed):
    """The method for one module.

    Args:
        dialect: the profile; its method must be of this kind.
    """

    def __init__(self, dialect: Dialect) -> None:
        if not isinstance(dialect.method, RawStream):
            raise Refused(f"the dialect {dialect.name} has no such method")
        super().__init__(dialect, dialect.method.watch, window_s=dialect.method.window_s)
        self._method = dialect.method

    def probe(self, session: Session) -> None:
        """Ask for the test form of the write command."""
        self.test(session, self._method.test)

    def prepare(self, session: Session) -> None:  # noqa: ARG002 - part of every method
        """Nothing to erase: the write command makes room by itself."""
        self.tally.blocks = 0

    def write(self, session: Session, package: Path, progress: Progress) -> str:
        """Ask, wait for both signs, send everything."""
        data = package.read_bytes()
        text = self._method.open.format(size=len(data))
        prompt = DataPrompt(prompt=self._method.prompt, line=self._method.ready)
        phase = DataPhase(session, text, prompt, window_s=self._method.window_s)
        try:
            refused = phase.open(self._method.ready_s)
            if refused is not None:
                raise SlotLost(f"the module does not take the package: {self.said(refused)}")
            reply = phase.push(data, timeout_s=_STORED_S, on_sent=lambda done: progress(done, len(data)))
        except NoAnswer as error:
            raise SlotLost(error.message) from error
        except ModuleRebooted as error:
            raise SlotLost(f"the module rebooted while it was sent the package ({error.cause})") from error
        if not reply.ok:
            raise SlotLost(f"the module did not store the package: {self.said(reply)}")
        self.tally.blocks = 1
        return hashlib.sha256(data).hexdigest()

    def activate(self, session: Session) -> bool:
        """Restart the module: its boot carries out the update."""
        return self.start(session, self._method.start, "the module refused to restart")
