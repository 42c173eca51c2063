"""A file upload that the module acknowledges as it goes and answers with size and checksum, then a start.

The checksum is the XOR of the file's big-endian 16-bit words; an odd last byte is the high half.
"""

import hashlib
import re
from pathlib import Path

from atota.at.params import whole_number
from atota.dialects.methods.ack_upload import AckUploadSpec
from atota.dialects.model import Dialect
from atota.errors import Refused, SlotLost
from atota.fota.base import Options, Progress, slot_lost_on_reboot, slot_lost_on_silence
from atota.fota.streamed import ANSWER_S, Streamed
from atota.module.data_phase import DataPhase, DataPrompt
from atota.module.response import Response
from atota.module.session import Session


def xor16(data: bytes) -> int:
    """Return the XOR of all big-endian 16-bit words; an odd last byte counts as the high half of a word."""
    padded = data + b"\0" * (len(data) % 2)
    high = low = 0
    for byte in padded[0::2]:
        high ^= byte
    for byte in padded[1::2]:
        low ^= byte
    return high << 8 | low


class AckUpload(Streamed):
    """The method for one module."""

    spec: AckUploadSpec

    def __init__(self, dialect: Dialect, spec: AckUploadSpec, options: Options) -> None:
        super().__init__(dialect, spec, options)
        self.window_s = spec.window_s

    @property
    def holds_package(self) -> bool:
        """True: size and checksum of the file were compared."""
        return True

    def probe(self, session: Session) -> None:
        """Ask for the test form of the upload command."""
        self.require_test_form(session, self.spec.test)

    def prepare(self, session: Session) -> None:
        """Remove the file of an earlier upload; if it does not exist, the refusal is ignored."""
        super().prepare(session)
        session.command(self.spec.delete)

    def write(self, session: Session, package: Path, progress: Progress) -> str:
        """Upload the file; size and checksum in the module's response must be the package's."""
        data = package.read_bytes()

        def on_sent(done: int) -> None:
            self.counters.blocks = -(-done // self.spec.ack_every)
            progress(done, len(data))

        with slot_lost_on_silence(), slot_lost_on_reboot("the module rebooted during the upload"):
            self.require_room(session, package, len(data), self.spec.free, total=self.spec.total)
            phase = self._open(session, len(data))
            stored = phase.push_acknowledged(
                data,
                ack=self.spec.ack.encode(),
                every=self.spec.ack_every,
                timeout_s=ANSWER_S,
                on_sent=on_sent,
            )
        if not stored.ok:
            raise self.refused("the module did not store the file", stored)
        self._verify(stored, data)
        return hashlib.sha256(data).hexdigest()

    def activate(self, session: Session) -> bool:
        """Start from the file; the module restarts by itself."""
        return self.start(session, self.spec.start, "the module refused to start the update")

    def _open(self, session: Session, size: int) -> DataPhase:
        """Open the data phase; an old file of that name that is in the way is deleted first.

        Raises:
            SlotLost: the module does not take the file.
            Refused: it has no room for it.
        """
        phase, refusal = self._ask_for_data(session, size)
        if refusal is not None and refusal.final.code in self.spec.exists:
            self.warn(f"the module still has a file of that name ({refusal.final}): deleting it")
            self.require_ok(session, self.spec.delete, "the module would not remove an old package")
            phase, refusal = self._ask_for_data(session, size)
        if refusal is None:
            return phase
        what = "the module does not take the file"
        if refusal.final.code in self.spec.full:
            hint = "Nothing was written. Delete files in the module, then run again."
            raise Refused(f"{what}: {self.final_words(refusal)}", hint=hint)
        raise self.refused(what, refusal)

    def _ask_for_data(self, session: Session, size: int) -> tuple[DataPhase, Response | None]:
        """Send the upload command. Return the phase, and the refusal if there is one."""
        prompt = DataPrompt(line=self.spec.ready)
        phase = DataPhase(session, self.spec.open.format(size=size), prompt, window_s=self.spec.window_s)
        return phase, phase.open(ANSWER_S)

    def _verify(self, stored: Response, data: bytes) -> None:
        match = re.search(self.spec.done, "\n".join(stored.lines))
        if match is None:
            raise SlotLost("the module did not report the size and checksum of the stored file")
        size, checksum = (text or "" for text in match.group(1, 2))
        expected = f"{xor16(data):04x}"
        if (whole_number(size), checksum.lower().lstrip("0").zfill(4)) != (len(data), expected):
            raise SlotLost(
                f"the module stored {size[:20]} bytes with checksum {checksum[:20]}; "
                f"the package has {len(data)} with {expected}"
            )
