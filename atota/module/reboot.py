"""Wait for a module that was told to update itself: it goes down, is deaf for minutes, and comes back.

It may come back at another rate than it went at (settings are lost in some updates), go through its boot
text more than once, and print noise at the rate of its boot ROM.
"""

from collections.abc import Callable

from atota.clock import Deadline
from atota.errors import LinkError, LinkLost, RebootTimeout
from atota.module.session import Session

_LISTEN_S = 2.0
"""How long each rate is listened to before the module is asked."""
PATIENCE_SHARE = 0.05
"""The longer it is away, the more seldom it is asked: what that may cost is this share of the whole time."""
_LOOK_S = 5.0
"""How often it is shown that time passes."""
_ASK_S = 0.6
_ASKS = 3
"""A module that takes its rate from the first AT loses that one, and a sleeping one loses one, too."""
_GOING_DOWN_S = 5.0
"""A module that answered the start goes down within a few seconds."""


def await_return(
    session: Session,
    *,
    rates: tuple[int, ...],
    limit: Deadline,
    tick: Callable[[], None],
    patience_s: float = 0.0,
) -> None:
    """Wait until the module answers again; the link is left at the rate where it does.

    Args:
        session: the conversation in which the update was started.
        rates: where it may come back, likeliest first.
        limit: when to give up.
        tick: called at least every few seconds, to show that time passes.
        patience_s: how long it is surely busy and best left alone, unless it reboots.

    Raises:
        RebootTimeout: it did not come back in time.
        LinkLost: the port went away.
    """
    boots, began = session.boots, session.clock.monotonic()
    going = Deadline(session.clock, min(max(_GOING_DOWN_S, patience_s), limit.remaining))
    while not going.expired and not session.booting and session.boots == boots:
        session.listen(min(_LISTEN_S, going.remaining), until=lambda: session.booting)
        tick()
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
            noise = session.garbage_bytes
            _listen(session, session.clock.monotonic() - began, limit, tick)
            tick()
            if any(session.is_alive(_ASK_S) for _ in range(_ASKS)):
                return
            noise = session.garbage_bytes - noise
            tried[rate] = f"{rate} baud: " + (f"{noise} bytes of noise" if noise else "silence")
            tick()
            if limit.expired:
                raise RebootTimeout("the module did not come back in time", tried=tuple(tried.values()))


def _listen(session: Session, elapsed_s: float, limit: Deadline, tick: Callable[[], None]) -> None:
    """Wait for a banner, and beyond the least time for anything at all."""
    if session.await_boot(min(_LISTEN_S, limit.remaining), tick):
        return
    came = session.received_bytes
    longer = Deadline(session.clock, min(PATIENCE_SHARE * elapsed_s - _LISTEN_S, limit.remaining))
    while not longer.expired and session.received_bytes == came:
        session.listen(min(_LOOK_S, longer.remaining), until=lambda: session.received_bytes != came)
        tick()
    session.await_boot(0.0, tick)
