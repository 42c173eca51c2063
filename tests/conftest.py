"""What holds for every test: no example of a property has a time limit, for machines differ."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

    from tests.ptys import Pty

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

settings.register_profile("atota", deadline=None)
settings.load_profile("atota")


@pytest.fixture
def pty() -> "Iterator[Pty]":
    """A serial port whose other end the test has."""
    pytest.importorskip("termios")
    from tests.ptys import Pty

    made = Pty()
    yield made
    made.close()


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """The distribution's Chromium, driven by Playwright.

    It lives no longer than a module's tests: while it does, its event loop counts as the thread's, and no
    other test of the worker could start one.
    """
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
    """A person's browser at 1920 × 1080, which moves nothing."""
    made = browser.new_context(viewport={"width": 1920, "height": 1080}, reduced_motion="reduce")
    made.set_default_timeout(20_000)
    yield made
    made.close()
