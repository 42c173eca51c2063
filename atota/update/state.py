"""The state of one job: how far it has brought its target, and what that permits.

One question decides whether a job may undo its changes, whether it may be interrupted, what people are told
to do, and what the next run does after a crash: *may the update have begun?* The answer is the state, and
nothing else in the program knows or guesses it: no progress display, no outcome, no stage name.

::

    UNTOUCHED -> CHANGED -> WRITING -> WRITTEN -> MAY_HAVE_STARTED -> STARTED -> CONFIRMED
        |           |          |          |              |               |
        +-----------+--- FAILED (nothing was started) ---+               +--> ENDED_OLD, ENDED_UNKNOWN

A transition is written into the journal first and held afterwards (`JobMachine.to`). So a crash between the
two leaves a journal that claims more than was done, never less: a run that reads MAY_HAVE_STARTED looks at
the version before it writes anything.

The transitions, and the reason of each:

- UNTOUCHED -> CHANGED: before the first setting of the target is changed, or its slot is made ready.
- UNTOUCHED -> MAY_HAVE_STARTED: a target that starts by itself (`Target.starts_itself`) is about to be made
  ready; from then on its own platform may update it at any time, so for it writing *is* this state.
- CHANGED -> WRITING: before the first byte of the package. CHANGED -> WRITTEN: the target fetches the package
  itself, so nothing is written from here.
- WRITING, WRITTEN -> CHANGED: the slot was lost, and is made ready anew. Bytes that were
  acknowledged before do not count any more.
- WRITING -> WRITTEN: every byte is in the slot and, where the target can do that, validated.
- CHANGED, WRITING, WRITTEN -> MAY_HAVE_STARTED: before the start command is sent. From CHANGED and WRITING:
  a target that can start early (`Target.can_start_before_activate`) refused the write, perhaps because it
  is already updating; or any target is heard to update itself after its start seemed lost.
- MAY_HAVE_STARTED -> WRITTEN: the target refused the start, or the command was never sent.
- STARTED -> WRITTEN: it said that it starts, and turned the package down before it restarted.
- MAY_HAVE_STARTED -> CHANGED: the start was lost; the target runs what it ran, and its slot is in doubt.
- MAY_HAVE_STARTED -> STARTED: the target said that it starts, and cannot turn the package down any more.
- MAY_HAVE_STARTED, STARTED -> CONFIRMED: the expected version was read back.
- MAY_HAVE_STARTED, STARTED -> ENDED_OLD: it rebooted for the update and came back with the old version.
- MAY_HAVE_STARTED, STARTED -> ENDED_UNKNOWN: it did not come back in time, or with neither version.
- UNTOUCHED, CHANGED, WRITING, WRITTEN -> FAILED: the job ended in a way that settles its task.
- WRITTEN, MAY_HAVE_STARTED, STARTED, CONFIRMED -> UNTOUCHED: the update of an earlier run was turned
  down, did not take place, or is confirmed and was not what this job is asked for: it begins anew.

A job that continues an earlier run begins in the state of that run (`JobMachine.inherit`).

A job that ends without settling its task (the port was lost, Ctrl-C, a time limit) makes no transition: its
state stays as a crash would leave it, and the next run reads both alike.

Example: a BC28 whose power fails in mid-write, and whose start command is lost once::

    UNTOUCHED  CHANGED  WRITING  (reboot)  CHANGED  WRITING  WRITTEN  MAY_HAVE_STARTED
    (silence, old version)  CHANGED  WRITING  WRITTEN  MAY_HAVE_STARTED  STARTED  CONFIRMED
"""

import enum
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Self

import msgspec

from atota.clock import StopToken
from atota.journal.facts import JobState as JobState

_S = JobState

TRANSITIONS: Final[dict[JobState, frozenset[JobState]]] = {
    _S.UNTOUCHED: frozenset({_S.CHANGED, _S.MAY_HAVE_STARTED, _S.FAILED}),
    _S.CHANGED: frozenset({_S.WRITING, _S.WRITTEN, _S.MAY_HAVE_STARTED, _S.FAILED}),
    _S.WRITING: frozenset({_S.CHANGED, _S.WRITTEN, _S.MAY_HAVE_STARTED, _S.FAILED}),
    _S.WRITTEN: frozenset({_S.CHANGED, _S.MAY_HAVE_STARTED, _S.FAILED, _S.UNTOUCHED}),
    _S.MAY_HAVE_STARTED: frozenset(
        {_S.WRITTEN, _S.CHANGED, _S.STARTED, _S.CONFIRMED, _S.ENDED_OLD, _S.ENDED_UNKNOWN, _S.UNTOUCHED}
    ),
    _S.STARTED: frozenset({_S.WRITTEN, _S.CONFIRMED, _S.ENDED_OLD, _S.ENDED_UNKNOWN, _S.UNTOUCHED}),
    _S.CONFIRMED: frozenset({_S.UNTOUCHED}),
    _S.FAILED: frozenset(),
    _S.ENDED_OLD: frozenset(),
    _S.ENDED_UNKNOWN: frozenset(),
}
"""The transitions that are allowed, besides one to the present state; the docstring above has the reasons."""


class AfterCrash(enum.Enum):
    """The duty of the run after one that was cut off."""

    NOTHING = enum.auto()
    WRITE_AGAIN = enum.auto()
    CONFIRM = enum.auto()


class Meaning(msgspec.Struct, frozen=True):
    """The consequences of a state.

    Attributes:
        may_undo: nothing was started: changed settings may be taken back.
        must_not_interrupt: the target may be updating: one request to stop is only noted, and a journal that
            fails is only a warning, since the target has to be seen through to its end.
        may_await_bytes: the target may still wait for bytes of the package, and takes all that it is sent
            for them.
        after_crash: the duty of the next run.
    """

    may_undo: bool = False
    must_not_interrupt: bool = False
    may_await_bytes: bool = False
    after_crash: AfterCrash = AfterCrash.NOTHING


MEANINGS: Final[dict[JobState, Meaning]] = {
    _S.UNTOUCHED: Meaning(may_undo=True),
    _S.CHANGED: Meaning(may_undo=True, after_crash=AfterCrash.WRITE_AGAIN),
    _S.WRITING: Meaning(may_undo=True, may_await_bytes=True, after_crash=AfterCrash.WRITE_AGAIN),
    _S.WRITTEN: Meaning(may_undo=True, may_await_bytes=True, after_crash=AfterCrash.WRITE_AGAIN),
    _S.MAY_HAVE_STARTED: Meaning(
        must_not_interrupt=True, may_await_bytes=True, after_crash=AfterCrash.CONFIRM
    ),
    _S.STARTED: Meaning(must_not_interrupt=True, after_crash=AfterCrash.CONFIRM),
    _S.CONFIRMED: Meaning(must_not_interrupt=True, after_crash=AfterCrash.CONFIRM),
    _S.FAILED: Meaning(may_undo=True),
    _S.ENDED_OLD: Meaning(must_not_interrupt=True, after_crash=AfterCrash.CONFIRM),
    _S.ENDED_UNKNOWN: Meaning(must_not_interrupt=True, after_crash=AfterCrash.CONFIRM),
}
"""The consequences of each state."""

_RUN_AGAIN = "The module still runs what it ran before. Run the same command again to continue."
_OVERWRITTEN = (
    "The application in the chip may not be whole; its bootloader still takes one. "
    "Run the same command again to continue."
)
_LEAVE_POWERED = (
    "The update has started, or may have. Leave the module powered for ten minutes, "
    "then run `atota identify`: its version shows the result."
)


class JobMachine:
    """The state of one job. A context manager: it holds the shield of the stop token while it lasts.

    Args:
        write: writes a state into the journal; called before the state is held.
        stop: shielded while the target must not be interrupted.

    Attributes:
        overwrites: the package is being written over what the target runs (`Target.overwrites`), or was: a
            write that begins again is only prepared for now.
    """

    def __init__(self, write: Callable[[JobState], None], stop: StopToken) -> None:
        self.state = JobState.UNTOUCHED
        self.overwrites = False
        self._write = write
        self._stop = stop
        self._shield: AbstractContextManager[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lower_shield()

    def to(self, state: JobState) -> None:
        """Write a transition down, then hold it. A transition to the present state is only made anew.

        Raises:
            AssertionError: the table does not allow it.
            ConfigError: the journal cannot be written, and nothing was started yet.
            LimitReached: as for ConfigError: the disk is full.
        """
        if state is not self.state and state not in TRANSITIONS[self.state]:
            raise AssertionError(f"a job cannot go from {self.state} to {state}")
        self._write(state)
        self.state = state
        if self.must_not_interrupt and self._shield is None:
            self._shield = self._stop.shielded()
            self._shield.__enter__()
        elif not self.must_not_interrupt:
            self._lower_shield()

    def inherit(self, state: JobState) -> None:
        """Begin in the state of an earlier run, which the journal has already."""
        if self.state is not JobState.UNTOUCHED:
            raise AssertionError("a job inherits before its first transition")
        self.state = state

    def fail(self) -> None:
        """End with nothing started; no transition where the update may have begun."""
        if JobState.FAILED in TRANSITIONS[self.state]:
            self.to(JobState.FAILED)

    @property
    def may_undo(self) -> bool:
        """True if nothing was started, so that changed settings may be taken back."""
        return MEANINGS[self.state].may_undo

    @property
    def must_not_interrupt(self) -> bool:
        """True if the target may be updating."""
        return MEANINGS[self.state].must_not_interrupt

    @property
    def advice(self) -> str:
        """A sentence for people whose job was interrupted in this state."""
        if self.must_not_interrupt:
            return _LEAVE_POWERED
        return _OVERWRITTEN if self.overwrites else _RUN_AGAIN

    def _lower_shield(self) -> None:
        if self._shield is not None:
            self._shield.__exit__(None, None, None)
            self._shield = None
