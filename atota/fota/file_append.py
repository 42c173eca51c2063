"""A file in the module's own file system, appended piece by piece, then started by a command.

Each piece waits for the line that asks for it, and has to be complete within the module's time window:
so it is cut to what the rate carries in that time. The module has no checksum of the file; its size is
asked, and, where the user wants it, the file is read back and hashed.

A lost answer is no riddle here: the module tells how long its file is, so the write goes on from there.
"""

import hashlib
from pathlib import Path

from atota.at.params import whole_number
from atota.at.syntax import Command, RawRule
from atota.dialects.model import Dialect
from atota.dialects.streams import FileAppend
from atota.errors import ModuleRebooted, NoAnswer, Refused, WriteFailed
from atota.fota.base import Progress, SlotLost
from atota.fota.streamed import ANSWER_S, Streamed
from atota.module.data_phase import DataPhase, DataPrompt, read_counted
from atota.module.session import Session

_WINDOW_SHARE = 0.8
"""The share of the module's window that a piece may fill; the rest is for adapters that dawdle."""
_ATTEMPTS = 3
_READ_BACK_PIECE = 1024


class AppendedFile(Streamed):
    """The method for one module.

    Args:
        dialect: the profile; its method must be of this kind.
        piece: bytes a piece, if not the profile's.
        read_back: read the file back and compare its hash before the start.
    """

    def __init__(self, dialect: Dialect, *, piece: int | None = None, read_back: bool = False) -> None:
        if not isinstance(dialect.method, FileAppend):
            raise Refused(f"the dialect {dialect.name} has no such method")
        super().__init__(dialect, dialect.method.watch, window_s=dialect.method.window_ms / 1000)
        self._method = dialect.method
        self._piece = min(piece or self._method.piece, self._method.piece)
        self._read_back = read_back
        self._open = False
        self._stored = 0
        self.block = self._piece
        if self._piece < 1:
            raise Refused(f"pieces of {piece} bytes make no sense")

    def probe(self, session: Session) -> None:
        """Ask for the test form of the write command."""
        self.test(session, self._method.test)

    def prepare(self, session: Session) -> None:
        """Open the file system; what an earlier session left open is closed first."""
        self.tally.blocks = 0
        reply = session.command(self._method.begin)
        if not reply.ok:
            self.quietly(session, self._method.end)
            self.required(session, self._method.begin, "the module would not open its file system")
        self._open = True

    def take_up(self, session: Session, package: Path, written: int) -> int | None:
        """Go on at the end of the file that an earlier run left, if the whole of it will be read back.

        The module tells its length, and no more; only the comparison at the end proves the rest.
        """
        if not self._read_back or self._method.read is None or written <= 0:
            return None
        self.prepare(session)
        there = self._file_size(session)
        if there is None or not written <= there <= package.stat().st_size:
            return None
        self._stored = there
        return there

    def write(self, session: Session, package: Path, progress: Progress) -> None:
        """Write the file, from where the module's own file ends if that is what we wrote."""
        size = package.stat().st_size
        try:
            offset = self._resumable(session, size)
            self._make_room(session, size, offset)
            with package.open("rb") as file:
                file.seek(offset)
                while chunk := file.read(self._piece_for(session)):
                    self._append(session, offset, chunk)
                    offset += len(chunk)
                    self._stored = offset
                    self.tally.blocks += 1
                    progress(offset, size)
            self._verify(session, package, size)
        except ModuleRebooted as error:
            self._open = False
            raise SlotLost(f"the module rebooted while its file was written ({error.cause})") from error
        finally:
            self._close(session)

    def activate(self, session: Session) -> bool:
        """Start: the module checks the file, updates, and restarts by itself."""
        if self._method.clear is not None:
            self.quietly(session, self._method.clear)
        return self.start(session, self._method.start, "the module refused to start the update")

    def close(self, session: Session) -> None:
        """Close the file system, also in the middle of a piece."""
        super().close(session)
        self._close(session)

    def result(self, session: Session) -> str | None:
        """The module's own code of its last update, in words."""
        heard = super().result(session)
        try:
            reply = session.command(self._method.outcome.send)
        except (NoAnswer, ModuleRebooted):
            return heard
        code = self._method.outcome.find(reply.lines)
        if code is None or code in self._method.good_outcomes:
            return heard
        words = self._method.outcome_words.get(code, "not documented")
        return f"{self._method.outcome.send} says {code} ({words})"

    def _make_room(self, session: Session, size: int, offset: int) -> None:
        """Before the first byte: does the package, or what is left of it, fit?"""
        reply = session.command(self._method.free.send)
        free = whole_number(self._method.free.find(reply.lines)) if reply.ok else None
        if free is not None and free < size - offset:
            raise WriteFailed(
                f"the module has {free} bytes free; {size - offset} are needed",
                hint="Delete files in the module, or power-cycle it; nothing was written.",
            )

    def _resumable(self, session: Session, size: int) -> int:
        """Where to go on: at the end of the module's file, if it is exactly what this job stored.

        Any other file is removed: writing anew would leave the end of a longer one in place.
        """
        there = self._file_size(session)
        if there is not None and 0 < there == self._stored <= size:
            return there
        self._stored = 0
        if there is not None and self._method.delete is not None:
            self.required(session, self._method.delete, "the module would not remove an old package")
        return 0

    def _piece_for(self, session: Session) -> int:
        carried = int(self._method.window_ms / 1000 * session.link.baud / 10 * _WINDOW_SHARE)
        return max(1, min(self._piece, carried))

    def _append(self, session: Session, offset: int, chunk: bytes) -> None:
        """Write one piece; after a lost or bad answer the module's file tells whether it was stored."""
        for attempt in range(1, _ATTEMPTS + 1):
            silent = False
            try:
                trouble = self._send_piece(session, offset, chunk)
            except NoAnswer as error:
                trouble, silent = error.message, True
            if trouble is None:
                return
            self.tally.retries += 1
            there = self._file_size(session)
            if there == offset + len(chunk):
                return
            if silent and there is None:
                # At a rate of its own choice a module reboots without a word: its files are closed then.
                raise SlotLost(f"the module does not know its file any more: {trouble}")
            if there != offset and not (there is None and offset == 0):
                raise SlotLost(f"the module's file has {there} bytes where {offset} were written: {trouble}")
            if attempt == _ATTEMPTS:
                raise WriteFailed(f"the module refused the piece at byte {offset}: {trouble}")

    def _send_piece(self, session: Session, offset: int, chunk: bytes) -> str | None:
        """One try. None if the module took it, else what it said."""
        text = self._method.write.format(
            mode=int(offset > 0), length=len(chunk), window_ms=self._method.window_ms
        )
        timeout_s = self.window_s + ANSWER_S
        phase = DataPhase(session, text, DataPrompt(line=self._method.ready), window_s=self.window_s)
        refused = phase.open(timeout_s)
        reply = refused or phase.push(chunk, timeout_s=timeout_s)
        if reply.ok and refused is None:
            return None
        return self.said(reply)

    def _file_size(self, session: Session) -> int | None:
        reply = session.command(self._method.size.send)
        found = self._method.size.find(reply.lines) if reply.ok else None
        return whole_number(found)

    def _verify(self, session: Session, package: Path, size: int) -> None:
        there = self._file_size(session)
        if there != size:
            raise SlotLost(f"the module's file has {there} bytes; the package has {size}")
        if self._read_back and self._method.read is not None and self._method.read_header is not None:
            self._compare(session, package, size, self._method.read, self._method.read_header)

    def _compare(self, session: Session, package: Path, size: int, read: str, header_line: str) -> None:
        """Read the whole file back, and compare its hash with the package's."""
        digest = hashlib.sha256()
        header = RawRule(header=header_line.encode())
        for offset in range(0, size, _READ_BACK_PIECE):
            length = min(_READ_BACK_PIECE, size - offset)
            text = read.format(length=length, offset=offset)
            reply, data = read_counted(session, Command(text=text, raw=header), timeout_s=ANSWER_S)
            if not reply.ok or len(data) != length:
                raise WriteFailed(f"the module's file cannot be read back at byte {offset}")
            digest.update(data)
        with package.open("rb") as file:
            wanted = hashlib.file_digest(file, "sha256")
        if digest.digest() != wanted.digest():
            self._stored = 0
            raise SlotLost("what was read back from the module is not the package")

    def _close(self, session: Session) -> None:
        """Close the file system, always: the next session could not open it otherwise."""
        if self._open:
            self._open = False
            self.quietly(session, self._method.end)
