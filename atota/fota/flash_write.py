"""Raw flash: erase the blocks that are needed, write pieces at their offsets, start with length and MD5.

The module compares length and digest before it starts anything, so a piece that was written twice or not
at all cannot become an update. After a lost answer the piece is sent once more; if the module will not
have it (flash is written once per erase), everything is erased and written anew.
"""

import hashlib
from pathlib import Path

from atota.dialects.model import Dialect
from atota.dialects.streams import FlashWrite
from atota.errors import ModuleRebooted, NoAnswer, PackageError, Refused, WriteFailed
from atota.fota.base import Progress, SlotLost
from atota.fota.streamed import ANSWER_S, Streamed
from atota.module.data_phase import DataPhase, DataPrompt
from atota.module.session import Session

_ATTEMPTS = 3
_VERDICT_S = 30.0
"""How long the comparison may take before the module restarts; the manual gives no figure."""


class WrittenFlash(Streamed):
    """The method for one module.

    Args:
        dialect: the profile; its method must be of this kind.
        piece: bytes a piece, if not the profile's.
    """

    def __init__(self, dialect: Dialect, *, piece: int | None = None) -> None:
        if not isinstance(dialect.method, FlashWrite):
            raise Refused(f"the dialect {dialect.name} has no such method")
        super().__init__(dialect, dialect.method.watch, window_s=dialect.method.window_s)
        self._method = dialect.method
        self._piece = min(piece or self._method.piece, self._method.piece)
        self._size = 0
        self._md5 = ""
        self._written = 0

    def check(self, package: Path) -> None:
        """Refuse what the partition cannot hold, before it is erased."""
        self._size = self.size_of(package)
        room = self._method.most_blocks * self._method.erase_block
        if self._size > room:
            raise PackageError(f"{package.name} has {self._size} bytes; the FOTA partition holds {room}")
        with package.open("rb") as file:
            self._md5 = hashlib.file_digest(file, "md5").hexdigest()

    def probe(self, session: Session) -> None:
        """Nothing to ask: no test form is documented, and set forms are never used to probe."""

    def prepare(self, session: Session) -> None:
        """Erase just the blocks that the package needs; not those that this job has written already."""
        self.tally.blocks = 0
        if self._written:
            return
        blocks = -(-self._size // self._method.erase_block)
        command = self._method.erase.format(blocks=blocks)
        try:
            self.required(
                session,
                command,
                "the module refused to erase its FOTA partition",
                timeout_s=self._method.erase_s,
            )
        except ModuleRebooted as error:
            raise SlotLost(f"the module rebooted during the erase ({error.cause})") from error

    def write(self, session: Session, package: Path, progress: Progress) -> None:
        """Write from the last byte that the module acknowledged."""
        try:
            with package.open("rb") as file:
                file.seek(self._written)
                while chunk := file.read(self._piece):
                    self._write_piece(session, self._written, chunk)
                    self._written += len(chunk)
                    self.tally.blocks += 1
                    progress(self._written, self._size)
        except ModuleRebooted as error:
            raise SlotLost(f"the module rebooted at byte {self._written} ({error.cause})") from error

    def activate(self, session: Session) -> bool:
        """Start: the module compares length and digest, updates, and restarts by itself.

        Raises:
            SlotLost: it found that they differ: the partition has to be written anew.
            WriteFailed: it refused to start.
        """
        self._begun, self.failure = False, None
        command = self._method.start.format(size=self._size, md5=self._md5)
        self.start(session, command, "the module refused to start the update")
        # OK alone is not yet the start: it compares first, and what it then says may be damaged on the way.
        if self.follow(session, _VERDICT_S, None) or self.failure is None:
            return self._begun
        failure, self.failure = self.failure, None
        self._written = 0
        raise SlotLost(f"the module found that its partition does not hold the package: {failure}")

    def _write_piece(self, session: Session, offset: int, chunk: bytes) -> None:
        unanswered = False
        for _ in range(_ATTEMPTS):
            try:
                trouble = self._send_piece(session, offset, chunk)
            except NoAnswer as error:
                trouble, unanswered = error.message, True
            if trouble is None:
                return
            self.tally.retries += 1
        if unanswered:
            # Stored or not: flash that was written once has to be erased before it can be written again.
            self._written = 0
            raise SlotLost(f"the piece at byte {offset} is in doubt: {trouble}")
        raise WriteFailed(f"the module refused the piece at byte {offset}: {trouble}")

    def _send_piece(self, session: Session, offset: int, chunk: bytes) -> str | None:
        """One try. None if the module took it, else what it said."""
        text = self._method.write.format(length=len(chunk), offset=offset, window_s=self._method.window_s)
        window_s = float(self._method.window_s)
        phase = DataPhase(session, text, DataPrompt(prompt=self._method.prompt), window_s=window_s)
        refused = phase.open(window_s + ANSWER_S)
        reply = refused or phase.push(chunk, timeout_s=window_s + ANSWER_S)
        if reply.ok and refused is None:
            return None
        return self.said(reply)
