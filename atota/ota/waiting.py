"""Pauses between requests: each has a reason to show, and ends when the stop token is set."""

from atota.clock import Clock, Deadline, StopToken
from atota.errors import AtotaError, Interrupted
from atota.ota.base import Capabilities, OnWait

# ours: short enough for a bench, long enough for a restart of a proxy
BACK_OFF_S = (1.0, 2.0, 4.0, 8.0, 16.0)


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
    """Let ``seconds`` pass, with a look at the stop token in every slice.

    Raises:
        Interrupted: the stop token was set.
    """
    deadline = Deadline(clock, seconds)
    check_stop(stop)
    while not deadline.expired:
        clock.sleep(min(clock.slice_s, deadline.remaining))
        check_stop(stop)


class Pause:
    """The waits for a task that the operator has paused; they end when its token must have expired.

    Args:
        capabilities: the platform's; they have the length of a wait and of them all.
        clock: the time of the waits.
        stop: ends every wait.
        on_wait: receives the reason and the length of each wait, before it begins.
    """

    def __init__(
        self, capabilities: Capabilities, *, clock: Clock, stop: StopToken | None, on_wait: OnWait | None
    ) -> None:
        self._pause_s = capabilities.pause_s
        self._clock = clock
        self._stop = stop
        self._on_wait = on_wait
        self._deadline = Deadline(clock, capabilities.token_life_s)

    def wait(self, error: AtotaError, interval_s: float = 0.0) -> None:
        """Wait before the next request.

        Args:
            error: the refusal of the paused task; raised if the task was paused for too long.
            interval_s: the task's own interval in seconds; 0: it has none.
        """
        if self._deadline.expired:
            raise error
        seconds = interval_s or self._pause_s
        if self._on_wait is not None:
            self._on_wait("the operator has paused the task", float(seconds))
        wait(self._clock, seconds, self._stop)
