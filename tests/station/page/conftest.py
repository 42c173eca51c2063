"""A served page that can be taken away and brought back."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from atota.station.hub import Hub
from atota.station.lane import LaneState
from atota.station.page.serve import serving
from atota.station.view import LaneView, StationView


def station(lanes: int = 8, **more: object) -> Hub:
    """A station whose lanes are empty."""
    tiles = tuple(LaneView(number=number, state=LaneState.EMPTY) for number in range(1, lanes + 1))
    return Hub(StationView(name="bench 7", boot="", lanes=tiles, **more))  # type: ignore[arg-type]


class Served:
    """A page that can be taken away and brought back at the same address."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._stack = ExitStack()
        self.url = self._stack.enter_context(serving(hub, "127.0.0.1:0"))

    def stop(self) -> None:
        self._stack.close()

    def start(self, hub: Hub | None = None) -> None:
        self.hub = hub or self.hub
        self._stack.enter_context(serving(self.hub, self.url.split("/")[2]))


@pytest.fixture
def served() -> Iterator[Served]:
    page = Served(station())
    yield page
    page.stop()
