"""Fill the slot and have it validated; begin again, within bounds, when the module loses what it had."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from atota.clock import Deadline
from atota.errors import AtotaError, LinkError, LinkLost, ModuleError, PackageError, Refused, WriteFailed
from atota.fota.base import Method, SlotLost
from atota.module.baud import raise_baud, transfer_rate
from atota.module.module import Module
from atota.module.query import send_query, wait_until_free
from atota.module.session import Session
from atota.ota.package import digests_of
from atota.values import Digests

DEFAULT_RESTARTS = 2
"""Fresh writes after a reboot in mid-write, where the task names no number of its own."""
UNDO_S = 10.0


class Left(msgspec.Struct, frozen=True):
    """What a run that was cut off left in the module: so many bytes of a package, and what to take back."""

    written: int = 0
    sha256: str = ""
    undo: tuple[str, ...] = ()


class RetriesUsedUpError(WriteFailed):
    """The module lost the slot more often than the task allows."""

    code = "write.retries-used-up"


class Writer:
    """Writes one package into one module's slot.

    Args:
        module: an identified module.
        method: the method that its dialect has.
        package: the verified package.
        digests: what it was verified to be.
        transfer_baud: the rate to raise to; 0: none; None: the profile's default.
        restarts: fresh writes allowed after the first.
        progress: bytes done and in all.
        warn: told what went wrong and is being mended.
        reconnect: brings a lost link back, or raises.
        left: what an earlier run, cut off in its write, left in the module.
        undo_changed: told the commands that would take back what was changed, whenever they change.
    """

    def __init__(
        self,
        module: Module,
        method: Method,
        package: Path,
        digests: Digests,
        *,
        transfer_baud: int | None,
        restarts: int,
        progress: Callable[[int, int], None],
        warn: Callable[[str], None],
        reconnect: Callable[[LinkLost], None],
        left: Left | None = None,
        undo_changed: Callable[[list[str]], None] = lambda _: None,
    ) -> None:
        self._module = module
        self._method = method
        self._package = package
        self._digests = digests
        self._transfer_baud = transfer_baud
        self._restarts = restarts
        self._progress = progress
        self._warn = warn
        self._reconnect = reconnect
        left = left or Left()
        self._undo = list(left.undo)
        self._undo_changed = undo_changed
        self._written = left.written if left.sha256 == digests.sha256 else 0

    @property
    def _session(self) -> Session:
        return self._module.session

    @property
    def is_last_try(self) -> bool:
        """Whether no fresh write is left."""
        return self._restarts <= 0

    def prepare(self) -> int:
        """Quiet the module, raise the rate, make the slot ready.

        Returns:
            Bytes of the package that are in the slot already, from an earlier run.
        """
        taken_up = 0

        def begin() -> None:
            nonlocal taken_up
            self._quiet()
            written, self._written = self._written, 0
            found = self._method.resume_at(self._session, self._package, written) if written else None
            if found is None:
                self._method.prepare(self._session)
            taken_up = found or 0

        self._again(begin)
        return taken_up

    def write(self) -> None:
        """Stream the package; a slot that is lost on the way is made ready and written anew."""
        self._again(self._write, after_loss=self._prepare)

    def validate(self) -> None:
        """Have the module judge the slot; if it loses it meanwhile, write it anew."""
        self._again(self._validate, after_loss=self._rewrite)

    def recover(self, lost: SlotLost) -> None:
        """After a slot was lost at the start of the update: find the module again, if another try is left."""
        self._count(lost)
        self._find(lost)

    def refill(self) -> None:
        """Everything again, after `recover`."""
        work = self._rewrite if not self._method.spec.validates else self._rewrite_and_validate
        self._again(work)

    def undo(self) -> None:
        """Take back what `prepare` changed, when the update is given up, as far as the module answers."""
        self._session.limit = Deadline(self._session.clock, self._method.window_s + UNDO_S)
        try:
            self._method.close(self._session)
        except AtotaError:
            return
        give_back(self._session, self._undo)

    def _again(self, work: Callable[[], None], after_loss: Callable[[], None] | None = None) -> None:
        lost: AtotaError | None = None
        while True:
            try:
                if lost is not None:
                    self._find(lost)
                    if after_loss is not None:
                        after_loss()
                work()
                return
            except (SlotLost, LinkLost, ModuleError) as error:
                self._count(error)
                lost = error

    def _count(self, lost: AtotaError) -> None:
        """Spend one fresh write.

        Raises:
            RetriesUsedUpError: none is left, and the module still answers.
            NoAnswer: none is left, and it answers no more.
            LinkLost: none is left, and the port is lost.
        """
        if self._restarts > 0:
            self._restarts -= 1
            return
        if isinstance(lost, LinkLost):
            raise lost
        self._module.find()
        raise RetriesUsedUpError(lost.message, hint=lost.hint, tried=lost.tried) from lost

    def _find(self, lost: AtotaError) -> None:
        """Find the module again, whatever rate it fell back to, and start from a known state."""
        self._warn(f"{lost.message}; beginning the write anew ({self._restarts} more tries after this one)")
        if isinstance(lost, LinkLost):
            self._reconnect(lost)
        self._module.find()
        wait_until_free(self._session)
        for command in self._session.dialect.setup:
            send_query(self._session, command)

    def _prepare(self) -> None:
        self._quiet()
        self._method.prepare(self._session)

    def _quiet(self) -> None:
        """Send what the dialect wants sent before a transfer, and raise the rate."""
        session = self._session
        for step in session.dialect.prepare:
            if step.ask is not None and not self._applies(step.ask, step.when):
                continue
            # Noted before it is sent: whoever interrupts it does not know whether the module took it.
            new = step.undo is not None and step.undo not in self._undo
            if step.undo is not None and new:
                self._undo.append(step.undo)
                self._undo_changed(self._undo)
            if not session.command(step.send, timeout_s=20.0).ok and new:
                self._undo.pop()
                self._undo_changed(self._undo)
        self._raise_baud()

    def _applies(self, ask: str, when: str | None) -> bool:
        reply = self._session.command(ask)
        return reply.ok and re.search(when or "", "\n".join(reply.lines)) is not None

    def _raise_baud(self) -> None:
        baud = self._session.link.baud
        target = transfer_rate(self._session.dialect, baud, self._transfer_baud)
        if target == baud:
            return
        try:
            if not raise_baud(self._session, target):
                self._warn(f"the module would not go to {target} baud; the transfer takes longer")
        except LinkLost:
            raise
        except (Refused, LinkError) as error:
            if self._transfer_baud is not None:
                raise
            self._warn(error.message)

    def _write(self) -> None:
        if not self._method.spec.streams:
            return
        sent = self._method.write(self._session, self._package, self._progress)
        if (sent or digests_of(self._package).sha256) != self._digests.sha256:
            raise PackageError(
                f"{self._package.name} was changed while it was written into the module",
                hint="Nothing was started; the module runs its old firmware. Run the command again.",
            )

    def _validate(self) -> None:
        self._method.validate(self._session)

    def _rewrite(self) -> None:
        self._prepare()
        self._write()

    def _rewrite_and_validate(self) -> None:
        self._rewrite()
        self._validate()


def give_back(session: Session, undo: list[str]) -> None:
    """Send the commands that take back what was changed, the last first, as far as the module answers."""
    while undo:
        try:
            session.command(undo[-1])
        except AtotaError:
            return
        undo.pop()
