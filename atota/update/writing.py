"""Fill the slot and have it validated; begin again, within bounds, when the module loses what it had."""

import re
from collections.abc import Callable
from pathlib import Path

from atota.errors import ModuleError, Refused, WriteFailed
from atota.fota.base import Method, SlotLost
from atota.module.baud import raise_baud
from atota.module.module import Module
from atota.module.session import Session

DEFAULT_RESTARTS = 2
"""Fresh writes after a reboot in mid-write, where the task names no number of its own."""


class RetriesUsedUpError(WriteFailed):
    """The module lost the slot more often than the task allows."""


class Writer:
    """Writes one package into one module's slot.

    Args:
        module: an identified module.
        method: the method that its dialect has.
        package: the verified package.
        transfer_baud: the rate to raise to; 0: none; None: the profile's default.
        restarts: fresh writes allowed after the first.
        progress: bytes done and in all.
        warn: told what went wrong and is being mended.
    """

    def __init__(
        self,
        module: Module,
        method: Method,
        package: Path,
        *,
        transfer_baud: int | None,
        restarts: int,
        progress: Callable[[int, int], None],
        warn: Callable[[str], None],
    ) -> None:
        self._module = module
        self._method = method
        self._package = package
        self._transfer_baud = transfer_baud
        self._restarts = restarts
        self._progress = progress
        self._warn = warn
        self._undo: list[str] = []

    @property
    def _session(self) -> Session:
        return self._module.session

    def prepare(self) -> None:
        """Quiet the module, raise the rate, make the slot ready."""
        self._again(self._prepare)

    def write(self) -> None:
        """Stream the package; a slot that is lost on the way is made ready and written anew."""
        self._again(self._write, after_loss=self._prepare)

    def validate(self) -> None:
        """Have the module judge the slot; if it loses it meanwhile, write it anew."""
        self._again(self._validate, after_loss=self._rewrite)

    def undo(self) -> None:
        """Take back what `prepare` changed, when the write is given up, as far as the module answers."""
        while self._undo:
            try:
                self._session.command(self._undo.pop())
            except ModuleError:
                return

    def _again(self, work: Callable[[], None], after_loss: Callable[[], None] | None = None) -> None:
        lost: SlotLost | None = None
        while True:
            try:
                if lost is not None:
                    self._recover(lost)
                    if after_loss is not None:
                        after_loss()
                work()
            except SlotLost as error:
                if self._restarts <= 0:
                    raise RetriesUsedUpError(error.message, hint=error.hint) from error
                self._restarts -= 1
                lost = error
            else:
                return

    def _recover(self, lost: SlotLost) -> None:
        """Find the module again, whatever rate it fell back to, and start from a known state."""
        self._warn(f"{lost.message}; writing anew ({self._restarts} more tries after this one)")
        self._module.find()
        for command in self._session.dialect.setup:
            self._session.command(command)

    def _prepare(self) -> None:
        session = self._session
        for step in session.dialect.prepare:
            if step.ask is not None and not self._applies(step.ask, step.when):
                continue
            if session.command(step.send, timeout_s=20.0).ok and step.undo and step.undo not in self._undo:
                self._undo.append(step.undo)
        self._raise_baud()
        self._method.prepare(session)

    def _applies(self, ask: str, when: str | None) -> bool:
        reply = self._session.command(ask)
        return reply.ok and re.search(when or "", "\n".join(reply.lines)) is not None

    def _raise_baud(self) -> None:
        raising = self._session.dialect.uart.raising
        target = self._transfer_baud
        if target is None:
            target = raising.default if raising is not None else 0
            if target <= self._session.link.baud:
                return
        if target == 0:
            return
        try:
            if not raise_baud(self._session, target):
                self._warn(f"the module would not go to {target} baud; the transfer takes longer")
        except Refused as error:
            if self._transfer_baud is not None:
                raise
            self._warn(error.message)

    def _write(self) -> None:
        self._method.write(self._session, self._package, self._progress)

    def _validate(self) -> None:
        self._method.validate(self._session)

    def _rewrite(self) -> None:
        self._prepare()
        self._write()
