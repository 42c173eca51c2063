"""The hub between the lanes and those who watch: it holds the picture, and tells every change of it.

Any thread may put a change or subscribe. A subscriber gets a snapshot first, and then each change in its
order. One that does not keep up gets a new snapshot instead of the changes that it missed: the picture
counts, not the way to it.
"""

import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from atota.station.view import Command, Counters, HubEvent, Kind, LaneView, Notice, Reply, Sound, StationView

BACKLOG = 1000
"""Events that wait for one subscriber before a snapshot replaces them."""


class Subscription:
    """The events of one watcher. Made by `Hub.subscribe`."""

    def __init__(self, snapshot: HubEvent) -> None:
        self._events: queue.Queue[HubEvent] = queue.Queue()
        self._events.put(snapshot)

    def get(self, timeout_s: float | None = None) -> HubEvent | None:
        """Return the next event; None if there was none in ``timeout_s`` (None: wait for ever)."""
        try:
            return self._events.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def _put(self, event: HubEvent, snapshot: Callable[[], HubEvent]) -> None:
        if self._events.qsize() >= BACKLOG:
            while not self._events.empty():
                self._events.get_nowait()
            event = snapshot()
        self._events.put(event)


class Hub:
    """The picture of one station.

    Args:
        view: the picture at the beginning.
    """

    def __init__(self, view: StationView) -> None:
        self._view = msgspec.structs.replace(view, boot=view.boot or uuid.uuid4().hex[:12])
        self._number = 0
        self._lock = threading.RLock()
        self._subscriptions: list[Subscription] = []
        self._commands: Callable[[Command], Reply] | None = None

    def snapshot(self) -> StationView:
        """Return the picture."""
        with self._lock:
            return self._view

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Watch the station for as long as the block lasts; the first event is a snapshot."""
        with self._lock:
            subscription = Subscription(self._event("snapshot", self._view))
            self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            with self._lock:
                self._subscriptions.remove(subscription)

    # -- changes --------------------------------------------------------------------------------------

    def put_lane(self, lane: LaneView) -> None:
        """Replace a lane; nothing is told if it is as it was."""
        with self._lock:
            if lane in self._view.lanes:
                return
            lanes = tuple(lane if old.number == lane.number else old for old in self._view.lanes)
            self._change("lane", lane, lanes=lanes)

    def put_counters(self, counters: Counters) -> None:
        """Replace the header's numbers."""
        with self._lock:
            if counters != self._view.counters:
                self._change("counters", counters, counters=counters)

    def put_notice(self, notice: Notice) -> None:
        """Replace the banner of the notice's key, or take it away if the text is empty."""
        with self._lock:
            notices = self._view.notices
            if notice in notices or (not notice.text and all(old.key != notice.key for old in notices)):
                return
            others = tuple(old for old in notices if old.key != notice.key)
            self._change("notice", notice, notices=(*others, notice) if notice.text else others)

    def put_sound(self, sound: Sound) -> None:
        """Ask every page for a sound."""
        with self._lock:
            self._change("sound", sound)

    def put_head(self, *, operator: str | None, scanned: str) -> None:
        """Replace the operator and the last code that was read; a new snapshot is told."""
        with self._lock:
            view = msgspec.structs.replace(self._view, operator=operator, scanned=scanned)
            if view != self._view:
                self._view = view
                self._change("snapshot", view)

    def _change(
        self, kind: Kind, data: StationView | LaneView | Counters | Notice | Sound, **fields: object
    ) -> None:
        self._view = msgspec.structs.replace(self._view, **fields)
        event = self._event(kind, data)
        for subscription in self._subscriptions:
            subscription._put(event, lambda: self._event("snapshot", self._view))  # noqa: SLF001 - its maker

    def _event(self, kind: Kind, data: StationView | LaneView | Counters | Notice | Sound) -> HubEvent:
        self._number += 1
        return HubEvent(number=self._number, kind=kind, data=data)

    # -- commands -------------------------------------------------------------------------------------

    def on_command(self, receive: Callable[[Command], Reply]) -> None:
        """Set the receiver of the operator's commands."""
        self._commands = receive

    def send(self, command: Command) -> Reply:
        """Give a command of the operator to the station, and return its answer."""
        if self._commands is None:
            return Reply(ok=False, sentence="the station is not running")
        return self._commands(command)
