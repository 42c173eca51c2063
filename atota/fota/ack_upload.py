"""A file upload that the module acknowledges as it goes and answers with size and checksum, then a start.

The checksum is the XOR of the file's big-endian 16-bit words; an odd last byte is the high half.
"""

import hashlib
import re
from pathlib import Path

from atota.at.params import whole_number
from atota.dialects.model import Dialect
from atota.dialects.streams import AckUpload
from atota.errors import ModuleRebooted, NoAnswer, Refused
from atota.fota.base import Progress, SlotLost
from atota.fota.streamed import ANSWER_S, Streamed
from atota.module.data_phase import DataPhase, DataPrompt
from atota.module.response import Response
from atota.module.session import Session


def xor16(data: bytes) -> int:
    """The XOR of all big-endian 16-bit words; an odd last byte counts as the high half of a word."""
    padded = data + b"\0" * (len(data) % 2)
    high = low = 0
    for byte in padded[0::2]:
        high ^= byte
    for byte in padded[1::2]:
        low ^= byte
    return high << 8 | low


class AcknowledgedUpload(Streamed):
    """The method for one module.

    Args:
        dialect: the profile; its method must be of this kind.
    """

    def __init__(self, dialect: Dialect) -> None:
        if not isinstance(dialect.method, AckUpload):
            raise Refused(f"the dialect {dialect.name} has no such method")
        super().__init__(dialect, dialect.method.watch, window_s=dialect.method.window_s)
        self._method = dialect.method

    def probe(self, session: Session) -> None:
        """Ask for the test form of the upload command."""
        self.test(session, self._method.test)

    def prepare(self, session: Session) -> None:
        """Remove what an earlier upload left; that there is nothing to remove is no error."""
        self.tally.blocks = 0
        session.command(self._method.delete)

    def write(self, session: Session, package: Path, progress: Progress) -> str:
        """Upload the file; size and checksum in the module's answer must be the package's."""
        data = package.read_bytes()
        text = self._method.open.format(size=len(data))
        try:
            prompt = DataPrompt(line=self._method.ready)
            phase = DataPhase(session, text, prompt, window_s=self._method.window_s)
            refused = phase.open(ANSWER_S)
            if refused is not None:
                raise SlotLost(f"the module does not take the file: {self.said(refused)}")
            reply = phase.push_acknowledged(
                data,
                ack=self._method.ack.encode(),
                every=self._method.ack_every,
                timeout_s=ANSWER_S,
                on_sent=lambda done: self._sent(done, len(data), progress),
            )
        except NoAnswer as error:
            raise SlotLost(error.message) from error
        except ModuleRebooted as error:
            raise SlotLost(f"the module rebooted during the upload ({error.cause})") from error
        if not reply.ok:
            raise SlotLost(f"the module did not store the file: {self.said(reply)}")
        self._verify(reply, data)
        return hashlib.sha256(data).hexdigest()

    def activate(self, session: Session) -> bool:
        """Start from the file; the module restarts by itself."""
        return self.start(session, self._method.start, "the module refused to start the update")

    def _sent(self, done: int, total: int, progress: Progress) -> None:
        self.tally.blocks = -(-done // self._method.ack_every)
        progress(done, total)

    def _verify(self, reply: Response, data: bytes) -> None:
        match = re.search(self._method.done, "\n".join(reply.lines))
        if match is None:
            raise SlotLost("the module did not tell the size and checksum of what it stored")
        size, checksum = (text or "" for text in match.group(1, 2))
        wanted = f"{xor16(data):04x}"
        if (whole_number(size), checksum.lower().lstrip("0").zfill(4)) != (len(data), wanted):
            raise SlotLost(
                f"the module stored {size[:20]} bytes with checksum {checksum[:20]}; "
                f"the package has {len(data)} with {wanted}"
            )
