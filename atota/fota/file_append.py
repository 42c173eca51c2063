"""A file in the module's own file system, appended piece by piece, then started by a command.

Each piece waits for the line that asks for it, and has to be complete within the module's time window:
so it is cut to the bytes that the rate carries in that time. The module has no checksum of the file; its size
is queried, and, if the user wants it, the file is read back and hashed.

A lost response can be settled here: the module reports the length of its file, so the write resumes there.
"""

import hashlib
from pathlib import Path

from atota.at.params import whole_number
from atota.at.syntax import Command, RawRule
from atota.dialects.methods.file_append import FileAppendSpec
from atota.dialects.model import Dialect
from atota.dialects.ranges import halved, is_within
from atota.errors import ModuleRebooted, NoAnswer, Refused, SlotLost, WriteFailed
from atota.fota.base import Options, Progress, slot_lost_on_reboot
from atota.fota.streamed import ANSWER_S, Streamed
from atota.module.data_phase import DataPhase, DataPrompt, read_counted
from atota.module.session import Session

_WINDOW_SHARE = 0.8
"""The share of the module's window that a piece may fill; the rest is for slow adapters."""
_ATTEMPTS = 3
_SHORTEST = 512
"""Bytes of the shortest piece that is tried, where the module refuses the longest at its first byte."""
_READ_BACK_PIECE = 1024


class FileAppend(Streamed):
    """The method for one module.

    Raises:
        Refused: the length of a piece is below 1.
    """

    spec: FileAppendSpec

    def __init__(self, dialect: Dialect, spec: FileAppendSpec, options: Options) -> None:
        super().__init__(dialect, spec, options)
        self.window_s = spec.window_ms / 1000
        self.block = self._piece = min(options.block or spec.piece, spec.piece)
        self._is_open = False
        self._stored = 0
        self._is_shortened = False
        if self._piece < 1:
            raise Refused(f"a piece cannot have {self._piece} bytes")

    @property
    def holds_package(self) -> bool:
        """True if the file is read back and compared."""
        return self.options.read_back and self.spec.read is not None

    def probe(self, session: Session) -> None:
        """Ask for the test form of the write command."""
        self.require_test_form(session, self.spec.test)

    def prepare(self, session: Session) -> None:
        """Open the file system; one that an earlier session left open is closed first."""
        super().prepare(session)
        if not session.command(self.spec.begin).ok:
            self.send_quietly(session, self.spec.end)
            self.require_ok(session, self.spec.begin, "the module would not open its file system")
        self._is_open = True

    def resume_at(self, session: Session, package: Path, written: int) -> int | None:
        """Resume at the end of the file that an earlier run left, if the whole of it will be read back.

        The module reports its length only; the comparison at the end proves the rest.
        """
        if not self.options.read_back or self.spec.read is None or written <= 0:
            return None
        self.prepare(session)
        size = self._file_size(session)
        if size is None or not written <= size <= package.stat().st_size:
            return None
        self._stored = size
        return size

    def write(self, session: Session, package: Path, progress: Progress) -> None:
        """Write the file, from the end of the module's own file if this job wrote that."""
        size = package.stat().st_size
        with slot_lost_on_reboot("the module rebooted while its file was written"):
            try:
                offset = self._make_room(session, package, size)
                with package.open("rb") as file:
                    file.seek(offset)
                    while chunk := file.read(self._piece_for(session)):
                        try:
                            self._append(session, offset, chunk)
                        except WriteFailed:
                            if offset or not self._shorten_pieces(len(chunk)):
                                raise
                            file.seek(0)
                            continue
                        offset += len(chunk)
                        self._stored = offset
                        self.counters.blocks += 1
                        progress(offset, size)
                self._verify(session, package, size)
            except ModuleRebooted:
                self._is_open = False
                raise
            finally:
                self._close(session)

    def activate(self, session: Session) -> bool:
        """Start: the module checks the file, updates, and restarts by itself."""
        if self.spec.clear is not None:
            self.send_quietly(session, self.spec.clear)
        return self.start(session, self.spec.start, "the module refused to start the update")

    def close(self, session: Session) -> None:
        """Close the file system, also in the middle of a piece."""
        super().close(session)
        self._close(session)

    def result(self, session: Session) -> str | None:
        """Return the module's own code of its last update, in words."""
        failure = super().result(session)
        try:
            response = session.command(self.spec.outcome.send)
        except (NoAnswer, ModuleRebooted):
            return failure
        code = whole_number(self.spec.outcome.find(response.lines))
        if code is None:
            return failure
        if is_within(code, self.spec.good_outcomes):
            self.has_succeeded = failure is None
            return failure
        words = self.spec.outcome_words.get(str(code), "not documented")
        report = f"{self.spec.outcome.send} answers {code} ({words})"
        if is_within(code, self.spec.failed_outcomes):
            self.failure = report
        return report

    def _make_room(self, session: Session, package: Path, size: int) -> int:
        """Return the offset to resume at: the end of the module's file, if exactly this job stored it.

        Any other file is removed: writing anew would leave the end of a longer one in place. Before that the
        free room is asked for, to which the file's own is added.

        Raises:
            Refused: the package, or the rest of it, does not fit.
        """
        stored = self._file_size(session)
        if stored is not None and 0 < stored == self._stored <= size:
            self.require_room(session, package, size - stored, self.spec.free)
            return stored
        self._stored = 0
        self.require_room(session, package, size, self.spec.free, gain=stored or 0)
        if stored is not None and self.spec.delete is not None:
            self.require_ok(session, self.spec.delete, "the module would not remove an old package")
        return 0

    def _shorten_pieces(self, length: int) -> bool:
        """Take shorter pieces, after the module refused the first one; False if there are none."""
        shorter = self.shorten(length, halved(length, _SHORTEST))
        self._piece, self._is_shortened = shorter or self._piece, True
        return bool(shorter)

    def _piece_for(self, session: Session) -> int:
        carried = int(self.spec.window_ms / 1000 * session.link.baud / 10 * _WINDOW_SHARE)
        return max(1, min(self._piece, carried))

    def _append(self, session: Session, offset: int, chunk: bytes) -> None:
        """Write one piece; after a lost or bad response the length of the module's file decides."""
        # A shorter piece is offered once: either it is the right one, or the length was not the reason.
        attempts = 1 if self._is_shortened and not offset else _ATTEMPTS
        for attempt in range(1, attempts + 1):
            is_silent = False
            try:
                trouble = self._send_piece(session, offset, chunk)
            except NoAnswer as error:
                trouble, is_silent = error.message, True
            if trouble is None:
                return
            self.counters.retries += 1
            size = self._file_size(session)
            if size == offset + len(chunk):
                return
            if is_silent and size is None:
                # A module that reboots at another rate sends nothing readable; its files are closed then.
                raise SlotLost(f"the module no longer has its file open: {trouble}")
            if size != offset and not (size is None and offset == 0):
                stored = "no length" if size is None else f"{size} bytes"
                raise SlotLost(f"the module's file has {stored} after {offset} bytes were written: {trouble}")
            if attempt == attempts:
                raise WriteFailed(f"the module refused the piece at byte {offset}: {trouble}")

    def _send_piece(self, session: Session, offset: int, chunk: bytes) -> str | None:
        """Try once. Return None if the module took the piece, else its final result."""
        command = self.spec.write.format(
            mode=int(offset > 0), length=len(chunk), window_ms=self.spec.window_ms
        )
        timeout_s = self.window_s + ANSWER_S
        phase = DataPhase(session, command, DataPrompt(line=self.spec.ready), window_s=self.window_s)
        refusal = phase.open(timeout_s)
        response = refusal or phase.push(chunk, timeout_s=timeout_s)
        if response.ok and refusal is None:
            return None
        if self.dialect.is_permanent(response.final):
            raise WriteFailed(f"the module refused the piece at byte {offset}: {self.final_words(response)}")
        return self.final_words(response)

    def _file_size(self, session: Session) -> int | None:
        response = session.command(self.spec.size.send)
        return whole_number(self.spec.size.find(response.lines)) if response.ok else None

    def _verify(self, session: Session, package: Path, size: int) -> None:
        stored = self._file_size(session)
        if stored is None:
            raise SlotLost("the module does not report the length of its file")
        if stored != size:
            raise SlotLost(f"the module's file has {stored} bytes; the package has {size}")
        if self.options.read_back and self.spec.read is not None and self.spec.read_header is not None:
            self._compare(session, package, size, self.spec.read, self.spec.read_header)

    def _compare(self, session: Session, package: Path, size: int, read: str, header_line: str) -> None:
        """Read the whole file back, and compare its hash with the package's."""
        digest = hashlib.sha256()
        header = RawRule(header=header_line.encode())
        for offset in range(0, size, _READ_BACK_PIECE):
            length = min(_READ_BACK_PIECE, size - offset)
            command = Command(text=read.format(length=length, offset=offset), raw=header)
            response, data = read_counted(session, command, timeout_s=ANSWER_S)
            if not response.ok or len(data) != length:
                raise WriteFailed(f"the module's file cannot be read back at byte {offset}")
            digest.update(data)
        with package.open("rb") as file:
            package_digest = hashlib.file_digest(file, "sha256")
        if digest.digest() != package_digest.digest():
            self._stored = 0
            raise SlotLost("the file read back from the module is not the package")

    def _close(self, session: Session) -> None:
        """Close the file system, always: the next session could not open it otherwise."""
        if self._is_open:
            self._is_open = False
            self.send_quietly(session, self.spec.end)
