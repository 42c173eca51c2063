"""Fill a target's slot and have it validated; begin again, within bounds, when the slot is lost.

The ladder of a write::

    prepare -> write -> validate        each step may lose the slot (a reboot, a lost port, silence)
       ^         |          |
       +---------+----------+           one retry is spent, the target is found again, the write begins anew

With no retry left a target that still answers is a `RetriesUsedUp`, one that does not a `NoAnswer`, and a
lost port a `LinkLost`. The same retries pay for a start that was lost (`recover`, `refill`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from atota.clock import Deadline
from atota.errors import AtotaError, LinkLost, ModuleError, PackageError, SelfUpdating, SlotLost, WriteFailed
from atota.journal.facts import UndoFact
from atota.ota.package import digests_of
from atota.update.context import JobContext
from atota.update.state import JobState
from atota.update.target import Target
from atota.values import Digests

_PAUSE_S = 3.0
"""Between two losses: ours, so that no try is spent in the same trouble."""

DEFAULT_RETRIES = 2
"""Fresh writes after the first, where the task names no number of its own."""


class RetriesUsedUp(WriteFailed):
    """The target lost its slot more often than the task allows."""

    code = "write.retries"


class Writer:
    """The write of one package into one target's slot.

    Args:
        context: the parts of the job.
        target: an identified target with a chosen method.
        package: the verified package.
        digests: the digests that it was verified to have.
        retries: fresh writes allowed after the first.
        undo: commands that take back what an earlier run changed.
        written: bytes of this package that an earlier run knew to be in the slot.
    """

    def __init__(
        self,
        context: JobContext,
        target: Target,
        package: Path,
        digests: Digests,
        *,
        retries: int,
        undo: tuple[str, ...],
        written: int,
    ) -> None:
        self._context = context
        self._target = target
        self._package = package
        self._digests = digests
        self._retries = retries
        self._undo = undo
        self._written = written
        self._lost_at: float | None = None

    @property
    def has_retries(self) -> bool:
        """True if a fresh write is left."""
        return self._retries > 0

    def fill(self) -> None:
        """Prepare, write and validate: nothing is started yet."""
        progress, target = self._context.progress, self._target
        target.watch_line(self._context.entry.known_line(), self._context.entry.line)
        with progress.stage("prepare"):
            resumed = self._again(self._prepare)
            if resumed:
                progress.note(f"the slot holds the first {resumed} bytes already: continuing behind them")
        if target.streams:
            with progress.stage("write"):
                self._again(self._write, after_loss=self._prepare)
        else:
            progress.skip("write", "the module gets the package by itself")
        if not target.validates:
            progress.skip("validate", "the module checks the package when it starts the update")
        else:
            with progress.stage("validate"):
                self._again(self._validate, after_loss=self._rewrite)
        self._is_written()

    def recover(self, lost: SlotLost) -> None:
        """Find the target again after its start was lost, if a retry is left."""
        self._count(lost)
        self._find(lost)

    def refill(self) -> None:
        """Fill the slot again, after `recover`."""
        self._again(self._rewrite_and_validate)
        self._is_written()

    def undo(self) -> None:
        """Give the write up: take back what was changed, as far as the target answers."""
        self._context.restore(self._target, self._undo, close=True)

    def _again(self, work: Callable[[], int], after_loss: Callable[[], int] | None = None) -> int:
        """Do ``work`` until it succeeds or no retry is left; before each retry ``after_loss``."""
        lost: AtotaError | None = None
        while True:
            try:
                if lost is not None:
                    self._find(lost)
                    if after_loss is not None:
                        after_loss()
                return work()
            except (SlotLost, LinkLost, ModuleError) as error:
                self._count(error)
                lost = error

    def _count(self, lost: AtotaError) -> None:
        """Spend one retry.

        Raises:
            RetriesUsedUp: none is left, and the target still answers.
            NoAnswer: none is left, and it does not.
            LinkLost: none is left, and the port is lost.
        """
        if self._retries > 0:
            self._retries -= 1
            return
        if isinstance(lost, LinkLost):
            raise lost
        with self._notes_an_update():
            self._target.find()
        raise RetriesUsedUp(lost.message, hint=lost.hint, tried=lost.tried) from lost

    def _find(self, lost: AtotaError) -> None:
        tries = "1 more try" if self._retries == 1 else f"{self._retries or 'no'} more tries"
        self._context.progress.warn(f"{lost.message}; beginning the write again ({tries} after this one)")
        self._pause()
        with self._notes_an_update():
            self._target.recover(lost)

    def _pause(self) -> None:
        """Leave a target that was lost twice in a moment some time: another try at once would be wasted."""
        clock = self._target.clock
        wait = Deadline(clock, _PAUSE_S)
        if self._lost_at is not None and clock.monotonic() - self._lost_at < _PAUSE_S:
            while not wait.expired:
                self._target.checkpoint()
                clock.sleep(min(clock.slice_s, wait.remaining))
        self._lost_at = clock.monotonic()

    @contextmanager
    def _notes_an_update(self) -> Iterator[None]:
        """Note that the update has begun after all, where the target is heard to update itself."""
        try:
            yield
        except SelfUpdating:
            self._context.machine.to(JobState.MAY_HAVE_STARTED)
            raise

    def _prepare(self) -> int:
        """Make the slot ready; bytes of the package that are proven to be in it."""
        machine = self._context.machine
        machine.to(JobState.MAY_HAVE_STARTED if self._target.starts_itself else JobState.CHANGED)
        written, self._written = self._written, 0
        return self._target.prepare(
            self._package, written, undo=self._undo, on_undo_changed=self._on_undo_changed
        )

    def _on_undo_changed(self, undo: tuple[str, ...]) -> None:
        self._undo = undo
        self._context.entry.fact(UndoFact(undo))

    def _write(self) -> int:
        if not self._target.streams:
            return 0
        self._context.machine.overwrites = self._target.overwrites
        self._context.machine.to(JobState.WRITING)
        sha256 = self._target.write(self._package, self._on_written)
        if (sha256 or digests_of(self._package).sha256) != self._digests.sha256:
            raise PackageError(
                f"{self._package.name} was changed while it was written into the module",
                hint="Nothing was started; the module runs its old firmware. Run the command again.",
            )
        return 0

    def _on_written(self, done: int, total: int) -> None:
        self._context.entry.written(done, total, self._target.clock, block=self._target.block)
        self._context.progress.show("write", done, total)

    def _validate(self) -> int:
        self._target.validate()
        return 0

    def _rewrite(self) -> int:
        self._prepare()
        return self._write()

    def _rewrite_and_validate(self) -> int:
        self._rewrite()
        return self._validate() if self._target.validates else 0

    def _is_written(self) -> None:
        if not self._target.starts_itself:
            self._context.machine.to(JobState.WRITTEN)
