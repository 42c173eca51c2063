"""The whole package in one data phase, behind a prompt and a line, then a restart that updates.

Neither a checksum nor a size limit is documented, and nothing can be resumed: a write that broke off, or was
refused, begins again at its first byte. Not one byte is sent before both the prompt and the line were
seen, or the head of the file would be lost without an error.
"""

import hashlib
from pathlib import Path

from atota.dialects.methods.raw_stream import RawStreamSpec
from atota.dialects.model import Dialect
from atota.fota.base import Options, Progress, slot_lost_on_reboot, slot_lost_on_silence
from atota.fota.streamed import Streamed
from atota.module.data_phase import DataPhase, DataPrompt
from atota.module.session import Session

_STORED_S = 60.0
"""How long the module may take to store the package; the manual gives no figure."""


class RawStream(Streamed):
    """The method for one module. Nothing is erased: the write command makes room by itself."""

    spec: RawStreamSpec

    def __init__(self, dialect: Dialect, spec: RawStreamSpec, options: Options) -> None:
        super().__init__(dialect, spec, options)
        self.window_s = spec.window_s

    def probe(self, session: Session) -> None:
        """Ask for the test form of the write command."""
        self.require_test_form(session, self.spec.test)

    def write(self, session: Session, package: Path, progress: Progress) -> str:
        """Open the data phase, wait for both signs, send everything."""
        data = package.read_bytes()
        prompt = DataPrompt(prompt=self.spec.prompt, line=self.spec.ready)
        phase = DataPhase(session, self.spec.open.format(size=len(data)), prompt, window_s=self.spec.window_s)
        with slot_lost_on_silence(), slot_lost_on_reboot("the module rebooted while it was sent the package"):
            refusal = phase.open(self.spec.ready_s)
            if refusal is not None:
                raise self.refused("the module does not take the package", refusal)
            stored = phase.push(data, timeout_s=_STORED_S, on_sent=lambda done: progress(done, len(data)))
        if not stored.ok:
            raise self.refused("the module did not store the package", stored)
        self.counters.blocks = 1
        return hashlib.sha256(data).hexdigest()

    def activate(self, session: Session) -> bool:
        """Restart the module: its boot carries out the update."""
        return self.start(session, self.spec.start, "the module refused to restart")
