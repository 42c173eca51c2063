"""Raw flash: erase the blocks that are needed, write pieces at their offsets, start with length and MD5.

The module compares length and digest before it starts anything, so a piece that was written twice or not
at all cannot become an update. After a lost response the piece is sent once more; if the module refuses it
(flash is written once per erase), everything is erased and written anew.
"""

import hashlib
from pathlib import Path

from atota.dialects.methods.flash_write import FlashWriteSpec
from atota.dialects.model import Dialect
from atota.dialects.ranges import halved
from atota.errors import NoAnswer, SlotLost, WriteFailed
from atota.fota.base import Options, Progress, slot_lost_on_reboot
from atota.fota.streamed import ANSWER_S, Streamed
from atota.module.data_phase import DataPhase, DataPrompt
from atota.module.session import Session

_ATTEMPTS = 3
_SHORTEST = 64
"""Bytes of the shortest piece that is tried, where the module refuses the longest at its first byte."""
_VERDICT_S = 30.0
"""How long the comparison may take before the module restarts; the manual gives no figure."""


class FlashWrite(Streamed):
    """The method for one module. No test form is documented, and set forms are never used to probe."""

    spec: FlashWriteSpec

    def __init__(self, dialect: Dialect, spec: FlashWriteSpec, options: Options) -> None:
        super().__init__(dialect, spec, options)
        self.window_s = float(spec.window_s)
        self._piece = min(options.block or spec.piece, spec.piece)
        self._size = 0
        self._md5 = ""
        self._written = 0
        self._is_shortened = False
        self._is_astray = False

    @property
    def room(self) -> int:
        """The bytes of the FOTA partition."""
        return self.spec.most_blocks * self.spec.erase_block

    def check(self, package: Path) -> None:
        """Refuse a package that the partition cannot hold, before it is erased."""
        self._size = self.size_of(package)
        with package.open("rb") as file:
            self._md5 = hashlib.file_digest(file, "md5").hexdigest()

    def prepare(self, session: Session) -> None:
        """Erase just the blocks that the package needs; nothing if this job has written to them already.

        After a write that went astray all blocks are erased: a damaged offset may have hit any of them.
        """
        super().prepare(session)
        if self._written:
            return
        blocks = self.spec.most_blocks if self._is_astray else -(-self._size // self.spec.erase_block)
        command = self.spec.erase.format(blocks=blocks)
        what = "the module refused to erase its FOTA partition"
        with slot_lost_on_reboot("the module rebooted during the erase"):
            self.require_ok(session, command, what, timeout_s=self.spec.erase_s)

    def write(self, session: Session, package: Path, progress: Progress) -> None:
        """Write from the last byte that the module acknowledged."""
        with package.open("rb") as file:
            file.seek(self._written)
            while chunk := file.read(self._piece):
                try:
                    with slot_lost_on_reboot(f"the module rebooted at byte {self._written}"):
                        self._write_piece(session, self._written, chunk)
                except WriteFailed:
                    shorter = 0 if self._written else self.shorten(len(chunk), halved(len(chunk), _SHORTEST))
                    if not shorter:
                        raise
                    self._piece, self._is_shortened = shorter, True
                    file.seek(0)
                    continue
                self._written += len(chunk)
                self.counters.blocks += 1
                progress(self._written, self._size)

    def activate(self, session: Session) -> bool:
        """Start: the module compares length and digest, updates, and restarts by itself.

        Raises:
            SlotLost: it found that they differ: the partition has to be written anew.
            WriteFailed: it refused to start.
        """
        self.forget_reports()
        command = self.spec.start.format(size=self._size, md5=self._md5)
        self.start(session, command, "the module refused to start the update")
        # OK alone is not yet the start: it compares first, and its next line may be damaged on the way.
        if self.follow(session, _VERDICT_S, None) or self.failure is None:
            return self._begun
        self._written, self._is_astray = 0, True
        raise SlotLost(
            f"the module found that its partition does not hold the package: {self.take_failure()}"
        )

    def _write_piece(self, session: Session, offset: int, chunk: bytes) -> None:
        is_unanswered = False
        # A shorter piece is offered once: either it is the right one, or the length was not the reason.
        for _ in range(1 if self._is_shortened and not offset else _ATTEMPTS):
            try:
                trouble = self._send_piece(session, offset, chunk)
            except NoAnswer as error:
                trouble, is_unanswered = error.message, True
            if trouble is None:
                return
            self.counters.retries += 1
        if is_unanswered:
            # Stored or not: flash that was written once has to be erased before it can be written again.
            self._written = 0
            raise SlotLost(f"the piece at byte {offset} is in doubt: {trouble}")
        raise WriteFailed(f"the module refused the piece at byte {offset}: {trouble}")

    def _send_piece(self, session: Session, offset: int, chunk: bytes) -> str | None:
        """Try once. Return None if the module took the piece, else its final result."""
        command = self.spec.write.format(length=len(chunk), offset=offset, window_s=self.spec.window_s)
        phase = DataPhase(session, command, DataPrompt(prompt=self.spec.prompt), window_s=self.window_s)
        refusal = phase.open(self.window_s + ANSWER_S)
        response = refusal or phase.push(chunk, timeout_s=self.window_s + ANSWER_S)
        if response.ok and refusal is None:
            return None
        if self.dialect.is_permanent(response.final):
            raise WriteFailed(f"the module refused the piece at byte {offset}: {self.final_words(response)}")
        return self.final_words(response)
