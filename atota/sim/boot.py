"""The start of a simulated module and the run of an update of its firmware, as data."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of text: after ``wait_s``, ``data`` at ``baud`` (None: the module's rate).

    ``data`` of ``{noise}`` is a few random bytes.
    """

    wait_s: float
    data: bytes
    baud: int | None = None


@dataclass(frozen=True, slots=True)
class Boot:
    """The start of a module.

    A plain start is ``steps`` then ``ending``, then ``late``. A start that applies an update is ``update``,
    then ``good`` or ``bad``, then ``ending``, then ``late_good`` or ``late_bad``; the version changes after
    ``good``. A start that takes up an update which a power cut interrupted is ``resumed`` (``good`` if it has
    none), then ``ending``, then ``late``. Up to the ending the module is deaf.

    Attributes:
        ending: ``{cause}`` in it stands for the cause of the reboot.
        update_cause: the cause after an update, applied or not.
        first_baud: the rate of the boot text; None: the stored one.
        switch_s: how long after the ending it stays at ``first_baud``.
        update_clears_nvm: an update puts every stored setting back, the rate included.
    """

    steps: tuple[Step, ...]
    update: tuple[Step, ...]
    ending: bytes
    update_cause: bytes = b""
    good: tuple[Step, ...] = ()
    bad: tuple[Step, ...] = ()
    late: tuple[Step, ...] = ()
    late_good: tuple[Step, ...] = ()
    late_bad: tuple[Step, ...] = ()
    ending_wait_s: float = 0.2
    first_baud: int | None = None
    switch_s: float = 0.0
    update_clears_nvm: bool = False
    resumed: tuple[Step, ...] = ()


def percent_steps(line: bytes, seconds: float, each: int) -> tuple[Step, ...]:
    """Lines with a percentage (``%d`` in ``line``) from 0 to 100 in steps of ``each``, over ``seconds``."""
    values = range(0, 101, each)
    pause = seconds / len(values)
    return tuple(Step(pause, b"\r\n" + line % value + b"\r\n") for value in values)
