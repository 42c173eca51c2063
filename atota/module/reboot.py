"""The reboot of a module that was told to update itself: it goes down, is deaf for minutes, and comes back.

States::

    going down --banner, or a few seconds--> away --banner or bytes, then AT is answered--> back
                                              |  ^
                                              `--' each rate in turn: listen, then AT, three times

The module may come back at another rate than it went at (some updates lose its settings), go through its boot
text more than once, and print noise at the rate of its boot ROM. Each rate is listened to first: a command in
the middle of a boot is lost at best. The longer the module is away, the longer each rate is listened to, so
that the waiting costs at most a fixed share of the whole time.
"""

from collections.abc import Callable

from atota.clock import Deadline
from atota.errors import LinkError, LinkLost, RebootTimeout
from atota.module.self_update import LineLog
from atota.module.session import Session

_LISTEN_S = 2.0
"""How long each rate is listened to before an AT is sent."""
PATIENCE_SHARE = 0.05
"""The share of the time so far for which one rate is listened to, at most."""
_TICK_S = 5.0
_ALIVE_S = 0.6
_ATTEMPTS = 3
"""A module that takes its rate from the first AT loses that one, and a sleeping one loses one, too."""
_GOING_DOWN_S = 5.0
"""A module that accepted the start goes down within a few seconds."""


def await_return(
    session: Session,
    *,
    rates: tuple[int, ...],
    limit: Deadline,
    tick: Callable[[], None],
    patience_s: float = 0.0,
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """Wait until the module answers again; the link is left at the rate where it does.

    Args:
        session: the conversation in which the update was started.
        rates: where it may come back, likeliest first, bit/s.
        limit: when to give up.
        tick: called at least every few seconds, to show that time passes.
        patience_s: how long it is surely busy and best left alone, unless it reboots.
        is_over: True once it is known not to be busy any more; asked after each ``tick``.

    Raises:
        RebootTimeout: it did not come back in time.
        LinkLost: the port went away.
    """
    began = session.clock.monotonic()
    _await_going_down(session, min(max(_GOING_DOWN_S, patience_s), limit.remaining), tick, is_over)
    tried: dict[int, str] = {}
    while True:
        for rate in rates:
            try:
                if session.link.baud != rate:
                    session.set_baud(rate)
            except LinkLost:
                raise
            except LinkError as error:
                tried[rate] = f"{rate} baud: {error.message}"
                continue
            with LineLog(session) as log:
                _listen(session, session.clock.monotonic() - began, limit, tick)
                tick()
                if any(session.is_alive(_ALIVE_S) for _ in range(_ATTEMPTS)):
                    return
                tried[rate] = log.description
            tick()
            if limit.expired:
                raise RebootTimeout("the module did not come back in time", tried=tuple(tried.values()))


def _await_going_down(
    session: Session, seconds: float, tick: Callable[[], None], is_over: Callable[[], bool]
) -> None:
    """Send nothing for ``seconds``, or until a banner begins: the module may still be shutting down."""
    boots = session.boots
    deadline = Deadline(session.clock, seconds)
    while not (deadline.expired or session.booting or session.boots != boots or is_over()):
        session.listen(min(_LISTEN_S, deadline.remaining), until=lambda: session.booting)
        tick()


def _listen(session: Session, elapsed_s: float, limit: Deadline, tick: Callable[[], None]) -> None:
    """Wait for a banner; after the least time, for any byte."""
    if session.await_boot(min(_LISTEN_S, limit.remaining), tick):
        return
    received = session.received_bytes
    longer = Deadline(session.clock, min(PATIENCE_SHARE * elapsed_s - _LISTEN_S, limit.remaining))
    while not longer.expired and session.received_bytes == received:
        session.listen(min(_TICK_S, longer.remaining), until=lambda: session.received_bytes != received)
        tick()
    session.await_boot(0.0, tick)
