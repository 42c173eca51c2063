"""The seam between a job and the thing that it updates.

A *target* is a module behind AT (`atota.fota.target.ModuleTarget`) or a chip behind its own bootloader. The
job's states, journal, reports and recovery know only this protocol. The calls of a job come in this order::

    identify -> refusal -> choose -> probe -> check -> prepare -> write -> validate -> activate -> restart

`recover` may come after any of them that raised `SlotLost`, `LinkLost` or `ModuleError`; `restore` ends a
write that is given up.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from atota.clock import Clock, Deadline, StopToken
from atota.errors import AtotaError
from atota.link.ports import PortInfo
from atota.link.state import LineState
from atota.settings.spec import Allowed, JobSpec
from atota.values import Identity, MethodChoice, Refusal, Versions

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


class Restart(Protocol):
    """The restart that carries out an update, from the start command to the version that is read back."""

    @property
    def has_update_cause(self) -> bool:
        """True if the target restarted and gave a cause that proves the update."""
        ...

    def wait(self) -> None:
        """Wait until the target answers again.

        Raises:
            RebootTimeout: it did not in time.
            LinkLost: the port is lost for good.
        """
        ...

    def confirm(self) -> Versions:
        """Return the version texts that were read back, once the expected one is among them.

        Raises:
            PackageTurnedDown: the target refused the package before it restarted.
            OldVersion: the target runs what it ran.
            RebootTimeout: it stopped answering, or runs a third version.
        """
        ...


class Target(Protocol):
    """A module or a chip that a job updates, on an open port.

    Attributes:
        limit: the time limit of everything that waits.
    """

    limit: Deadline | None

    @property
    def adapter(self) -> PortInfo | None:
        """The adapter of the port, if it can be told from others."""
        ...

    @property
    def weights(self) -> dict[str, float]:
        """The share of each stage in the time of a job."""
        ...

    @property
    def streams(self) -> bool:
        """True if the package is sent from here; otherwise the target gets it by itself."""
        ...

    @property
    def validates(self) -> bool:
        """True if the slot is validated before the start, not in the boot after it."""
        ...

    @property
    def needs_address(self) -> bool:
        """True if the target fetches the package from the address that `set_url` names."""
        ...

    @property
    def starts_itself(self) -> bool:
        """True if, once it is made ready, the target's own platform may update it at any time.

        Such a target does not stream, and can start before `activate`.
        """
        ...

    @property
    def overwrites(self) -> bool:
        """True if the package is written over the running application, so that a cut leaves neither."""
        ...

    @property
    def can_start_before_activate(self) -> bool:
        """True if it may start once it has, or believes to have, the whole package."""
        ...

    @property
    def may_turn_down(self) -> bool:
        """True if it may still turn the package down after it took the start command."""
        ...

    @property
    def clock(self) -> Clock:
        """The time that the target's waits are counted in."""
        ...

    @property
    def block(self) -> int | None:
        """Bytes in one block of the package; None where it is not cut."""
        ...

    @property
    def blocks(self) -> int:
        """Blocks of the package that were acknowledged."""
        ...

    @property
    def retries(self) -> int:
        """Blocks that were sent again."""
        ...

    @property
    def boots(self) -> int:
        """Restarts that were seen."""
        ...

    @property
    def longest_silence_s(self) -> float:
        """The longest time without a byte from the target."""
        ...

    def close(self) -> None:
        """Close the port."""
        ...

    def checkpoint(self) -> None:
        """Raise if the user wants the end (`Interrupted`) or the job's time is over (`JobTimeout`)."""
        ...

    # -- before anything is changed ------------------------------------------------------------

    def identify(self) -> Identity:
        """Return who the target is.

        Raises:
            NoAnswer: no readable response came.
            Refused: its answers contradict the model that the user named.
        """
        ...

    def refusal(self, allowed: Allowed) -> Refusal | None:
        """Return why nothing may be written into this target, whatever the package; None if it may."""
        ...

    def package_refusal(self, allowed: Allowed, *, is_delta: bool) -> Refusal | None:
        """Return why the platform's package does not fit this target; None if it does.

        Args:
            allowed: the risks that the user takes.
            is_delta: the package is a difference between two versions.
        """
        ...

    def unreadable(self, expected: str) -> Refusal | None:
        """Return why ``expected`` could never be read as this target's version; None if it could."""
        ...

    @property
    def has_method(self) -> bool:
        """True if there is a way to write into the target."""
        ...

    def choose(self, block: int | None = None) -> MethodChoice:
        """Choose the method, and describe it; ``block``: the block length of an earlier run to continue.

        Raises:
            Refused: there is none for this target, or it cannot do what the user asked for.
        """
        ...

    def probe(self) -> None:
        """Ask, by harmless forms only, if the target has the chosen method.

        Raises:
            Refused: it does not.
        """
        ...

    def set_url(self, url: str) -> None:
        """Set the address from which the target fetches the package; it is a secret."""
        ...

    def check(self, package: Path, version: str) -> None:
        """Refuse a package that the target would refuse, or that does not bring it to ``version``.

        Raises:
            PackageError: its length or format does not fit, or it says that it holds another version.
        """
        ...

    # -- the slot ------------------------------------------------------------------------------

    def watch_line(self, known: LineState | None, on_change: Callable[[LineState], None]) -> None:
        """Begin with ``known`` of the line; give each change to ``on_change``, before the next block."""
        ...

    def prepare(
        self,
        package: Path,
        written: int,
        *,
        undo: tuple[str, ...],
        on_undo_changed: Callable[[tuple[str, ...]], None],
    ) -> int:
        """Make the slot ready.

        Args:
            package: the package that is written next.
            written: bytes of it that an earlier run knew to be in the slot.
            undo: the commands that take back what was changed so far, in the order of the changes.
            on_undo_changed: gets the commands that take the changed settings back, before each change.

        Returns:
            Bytes of the package that are proven to be in the slot; `write` continues behind them.
        """
        ...

    def write(self, package: Path, on_progress: Progress) -> str | None:
        """Write the package.

        Returns:
            The SHA-256 of the bytes that were sent; None if the file itself has to be looked at again.

        Raises:
            WriteFailed: the target refuses it.
            SlotLost: the slot is lost: `recover`, then `prepare` and `write` again.
        """
        ...

    def validate(self) -> None:
        """Have the target check its slot.

        Raises:
            WriteFailed: it is not valid.
        """
        ...

    def activate(self) -> bool:
        """Start the update.

        Returns:
            True if the target said that it starts; False if only its version will show it.

        Raises:
            WriteFailed: it refused; it runs what it ran.
            SlotLost: it restarted for another reason.
        """
        ...

    def restart(
        self,
        printed_before: Versions,
        expected: str,
        *,
        limit_s: float | None,
        is_certain: bool,
        on_percent: Callable[[int], None],
    ) -> Restart:
        """Return the restart that carries out the update that was just started.

        Args:
            printed_before: the version texts that the target printed before.
            expected: the name of the version that the update brings.
            limit_s: the longest wait for the restart; None: the target's usual limit.
            is_certain: the target said that it starts.
            on_percent: gets percent of the usual time.
        """
        ...

    # -- recovery ------------------------------------------------------------------------------

    def find(self) -> None:
        """Find the target on the open port again.

        Raises:
            NoAnswer: it does not answer.
        """
        ...

    def recover(self, lost: AtotaError) -> None:
        """Bring the target back to a known state, after its slot or the port was lost."""
        ...

    def reconnect(self, lost: AtotaError) -> None:
        """Bring a lost port back.

        Raises:
            LinkLost: it does not come back.
        """
        ...

    def reset(self) -> None:
        """Forget the conversation so far, after the target stopped answering."""
        ...

    def versions(self) -> Versions:
        """Return the version texts that the target prints now."""
        ...

    def restore(self, undo: tuple[str, ...], *, close: bool) -> None:
        """Take changed settings back as far as the target answers; ``close``: end the write first."""
        ...

    def keep_silent(self, window_s: float) -> None:
        """Send nothing until the target has been silent for ``window_s``: it may still await bytes."""
        ...

    def await_return(self, limit_s: float | None, dialect: str | None) -> None:
        """Wait for a target that an earlier run started; ``dialect`` is the one it spoke then.

        Raises:
            RebootTimeout: it did not come back in time.
        """
        ...


class TargetOpener(Protocol):
    """An opener of targets of one kind."""

    def __call__(
        self,
        spec: JobSpec,
        *,
        clock: Clock | None,
        stop: StopToken,
        note: Callable[[str], None],
        warn: Callable[[str], None],
        on_urc: Callable[[str], None],
    ) -> Target:
        """Open the port of a job.

        Args:
            spec: the job.
            clock: the time to live in; None: the port's own.
            stop: asks for the end; every wait looks at it.
            note: gets what happens while a call takes long, for people.
            warn: gets what did not work and is not needed.
            on_urc: gets unsolicited lines.

        Raises:
            LinkError: the port cannot be opened.
            UsageError: the job names a dialect or a model that does not exist.
        """
        ...
