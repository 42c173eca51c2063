"""From the start command to the version that was read back; all over again if the start was lost."""

from atota.errors import (
    AtotaError,
    Interrupted,
    JobTimeout,
    LinkLost,
    OldVersion,
    PackageTurnedDown,
    RebootTimeout,
    SameName,
    SlotLost,
)
from atota.journal.facts import ConfirmedFact, VersionsFact
from atota.update.context import JobContext
from atota.update.state import JobState
from atota.update.target import Target
from atota.update.write import Writer
from atota.values import Change


class Starter:
    """The start of one update, seen through to its end.

    Args:
        context: the parts of the job.
        target: the target; its slot is written and, where that can be, validated.
        versions: the versions before and after.
    """

    def __init__(self, context: JobContext, target: Target, versions: VersionsFact) -> None:
        self._context = context
        self._target = target
        self._versions = versions

    def run(self, writer: Writer) -> str:
        """Start, wait, confirm; return the version that was read back.

        Args:
            writer: has filled the slot, and can fill it again.

        Raises:
            PackageTurnedDown: the target refused the package before it restarted.
            WriteFailed: it refused to start, or loses its slot again and again.
            RebootTimeout: it did not come back in time.
            OldVersion: it runs what it ran.
        """
        is_certain, survived, turned_down = False, 0, ""
        while True:
            try:
                is_certain = is_certain or self._activate()
                survived += 1
                # One start may have been lost; a target that ends each of them as it was, failed to update.
                return self.survive(is_certain=is_certain or (survived > 1 and not writer.has_retries))
            except PackageTurnedDown as refusal:
                # Bytes that nothing compared may be damaged; the same end twice is the package's own fault.
                refusal.is_final = refusal.is_final or refusal.message == turned_down
                if refusal.is_final or not writer.has_retries:
                    raise
                turned_down, is_certain = refusal.message, False
                self._refill(writer, SlotLost(refusal.message, hint=refusal.hint))
            except SlotLost as lost:
                is_certain = self._refill(writer, lost)

    def _refill(self, writer: Writer, lost: SlotLost) -> bool:
        """Fill the slot again after its start was lost; True if the target was updated all the same."""
        self.is_lost()
        writer.recover(lost)
        change = self._target.versions().change_from(self._versions.printed_before, self._versions.expected)
        is_updated = change is Change.UPDATED
        if is_updated:
            self._context.machine.to(JobState.MAY_HAVE_STARTED)
        else:
            writer.refill()
        return is_updated

    def may_have_started(self) -> None:
        """Note that the target may have started by itself."""
        self._context.machine.to(JobState.MAY_HAVE_STARTED)

    def is_lost(self) -> None:
        """Note that the start was lost; a target that starts by itself may still start."""
        if not self._target.starts_itself:
            self._context.machine.to(JobState.CHANGED)

    def survive(self, *, is_certain: bool) -> str:
        """Wait for the target, and return the version that was read back.

        Raises:
            PackageTurnedDown: it refused the package before it restarted.
            RebootTimeout: it did not come back in time, or its version texts tell no build from another.
            OldVersion: it runs what it ran, and surely had been started.
            SlotLost: it runs what it ran, and the start seems to have been lost.
        """
        progress, machine, entry = self._context.progress, self._context.machine, self._context.entry
        restart = self._target.restart(
            self._versions.printed_before,
            self._versions.expected,
            limit_s=self._context.spec.reboot_timeout_s,
            is_certain=is_certain,
            on_percent=lambda percent: progress.show("reboot", percent, 100, percent=True),
        )
        try:
            with progress.stage("reboot"):
                restart.wait()
            with progress.stage("confirm"):
                after = restart.confirm()
        except PackageTurnedDown:
            machine.to(JobState.WRITTEN)
            raise
        except (OldVersion, SameName) as error:
            if not (is_certain or restart.has_update_cause):
                raise SlotLost(
                    f"{error.message}: the start seems to have been lost", hint=error.hint
                ) from error
            is_old = isinstance(error, OldVersion)
            machine.to(JobState.ENDED_OLD if is_old else JobState.ENDED_UNKNOWN)
            if is_old:
                entry.fact(ConfirmedFact(self._versions.before, self._versions.before_full))
            raise
        except RebootTimeout:
            machine.to(JobState.ENDED_UNKNOWN)
            raise
        machine.to(JobState.CONFIRMED)
        entry.fact(ConfirmedFact(self._versions.expected, after.full))
        return self._versions.expected

    def _activate(self) -> bool:
        """Start the update; True if the target said that it starts."""
        machine, target = self._context.machine, self._target
        with self._context.progress.stage("activate"):
            if target.can_start_before_activate:
                machine.to(JobState.MAY_HAVE_STARTED)
            target.checkpoint()
            machine.to(JobState.MAY_HAVE_STARTED)
            if self._context.stop.is_noted:
                self._retract()
                raise Interrupted("stopped by the user")
            try:
                is_certain = target.activate()
            except LinkLost as lost:
                target.reconnect(lost)
                return False
            except (Interrupted, JobTimeout):
                raise
            except AtotaError:
                self._retract()
                raise
            if is_certain and not target.may_turn_down:
                machine.to(JobState.STARTED)
            return is_certain

    def _retract(self) -> None:
        """Note that the start was refused or not sent; a target that starts early may have started."""
        if not self._target.can_start_before_activate:
            self._context.machine.to(JobState.WRITTEN)
