"""The event stream of one page: Server-Sent Events made of the hub's events.

A stream begins with a snapshot, whatever the page knew before. Events are collected for a tenth of a second;
of a lane that only makes progress the newest one is sent, at most five times a second. A page without an
event for eight seconds greys itself, so a ping comes every two.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import msgspec

from atota.clock import StopToken
from atota.station.hub import Hub, Subscription
from atota.station.view import HubEvent, LaneView

TICK_S = 0.1
PROGRESS_S = 0.2
PING_S = 2.0


async def events(hub: Hub, stop: StopToken, now: Callable[[], float]) -> AsyncIterator[bytes]:
    """Yield the bytes of a stream until ``stop`` is set."""
    encoder = msgspec.json.Encoder()
    boot = hub.snapshot().boot
    with hub.subscribe() as subscription:
        held: dict[int, HubEvent] = {}
        sent: dict[int, LaneView] = {}
        progress_at = ping_at = now()
        yield b"retry: 1000\n\n"
        while not stop.is_set:
            due = list(_drained(subscription, held, sent))
            if now() - progress_at >= PROGRESS_S:
                due += _released(held, sent)
                progress_at = now()
            if due:
                yield b"".join(_encoded(boot, event, encoder) for event in due)
                ping_at = now()
            elif now() - ping_at >= PING_S:
                yield b"event: ping\ndata: {}\n\n"
                ping_at = now()
            await asyncio.sleep(TICK_S)


def _drained(
    subscription: Subscription, held: dict[int, HubEvent], sent: dict[int, LaneView]
) -> Iterator[HubEvent]:
    """Yield what is sent at once; a lane's mere progress is kept in ``held``."""
    while (event := subscription.get(0)) is not None:
        lane = event.data
        if isinstance(lane, LaneView):
            before = sent.get(lane.number)
            if before is not None and (before.state, before.verdict) == (lane.state, lane.verdict):
                held[lane.number] = event
                continue
            held.pop(lane.number, None)
            sent[lane.number] = lane
        elif event.kind == "snapshot":
            held.clear()
            sent.clear()
        yield event


def _released(held: dict[int, HubEvent], sent: dict[int, LaneView]) -> list[HubEvent]:
    released = list(held.values())
    for event in released:
        assert isinstance(event.data, LaneView)
        sent[event.data.number] = event.data
    held.clear()
    return released


def _encoded(boot: str, event: HubEvent, encoder: msgspec.json.Encoder) -> bytes:
    data = encoder.encode(event.data)
    return b"id: %s:%d\nevent: %s\ndata: %s\n\n" % (boot.encode(), event.number, event.kind.encode(), data)
