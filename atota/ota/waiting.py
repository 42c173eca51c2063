"""Waits that have a name, look at the stop token, and can be shown."""

from collections.abc import Callable

from atota.clock import Clock, Deadline, StopToken
from atota.errors import Interrupted

OnWait = Callable[[str, float], None]
"""Told why we wait and for how many seconds, before the wait begins."""

BACK_OFF_S = (
    1.0,
    2.0,
    4.0,
    8.0,
    16.0,
)  # ours: short enough for a bench, long enough for a restart of a proxy


def back_off(failures: int) -> float:
    """Seconds to wait after the ``failures``-th failure in a row (1 is the first)."""
    return BACK_OFF_S[min(max(failures, 1), len(BACK_OFF_S)) - 1]


def check_stop(stop: StopToken | None) -> None:
    """Raise if the user asked for the end.

    Raises:
        Interrupted: the stop token is set.
    """
    if stop is not None and stop.is_set:
        raise Interrupted("stopped while talking to the platform")


def wait(clock: Clock, seconds: float, stop: StopToken | None) -> None:
    """Let ``seconds`` pass, looking at the stop token all the while.

    Raises:
        Interrupted: the stop token was set.
    """
    deadline = Deadline(clock, seconds)
    check_stop(stop)
    while not deadline.expired:
        clock.sleep(min(clock.slice_s, deadline.remaining))
        check_stop(stop)
