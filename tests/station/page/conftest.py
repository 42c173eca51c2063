"""A served page, and a real browser: the distribution's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from atota.station.hub import Hub
from atota.station.lane import LaneState
from atota.station.page.serve import serving
from atota.station.view import LaneView, StationView

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


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


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is missing: pip install playwright"
    )
    if CHROMIUM is None:
        pytest.skip("Chromium is missing: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield program
        program.close()


@pytest.fixture
def context(browser: "Browser") -> "Iterator[BrowserContext]":
    made = browser.new_context(viewport={"width": 1920, "height": 1080}, reduced_motion="reduce")
    made.set_default_timeout(20_000)
    yield made
    made.close()
