"""The managers' page in a real browser, with its strict policy: it stays current, or says that it is not."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atota.errors import Outcome
from atota.line.store import Store
from atota.line.tables import people, quota
from tests.line.servers import Line, sent
from tests.line.stations import imei_of, journal_in, write

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


@pytest.fixture
def page(context: "BrowserContext") -> "Page":
    return context.new_page()


@pytest.mark.timeout(300)
def test_the_page_renews_itself_and_greys_when_the_server_is_gone(
    store: Store, tmp_path: Path, folder: Path, page: "Page"
) -> None:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.clock.install()
    with Line(store, tmp_path / "state") as line, journal_in(folder) as journal:
        outbox = line.outbox(journal, line.key("st-1"))
        write(journal, 1)
        sent(outbox)
        page.goto(line.url)
        records = page.locator("[data-counter=records]")
        assert records.inner_text() == "1"
        for number in (2, 3):
            write(journal, number)
        sent(outbox)
        page.clock.run_for(2_500)
        page.locator("[data-counter=records]", has_text="3").wait_for()
        assert not page.locator("#stale").is_visible()
        page.fill("input[name=q]", imei_of(2))
        page.keyboard.press("Enter")
        page.locator("td", has_text="updated").wait_for()
        page.go_back()
        page.locator("[data-station=st-1][data-state=live]").wait_for()
    page.clock.run_for(20_000)
    page.locator("#stale").wait_for()
    assert "stale" in (page.locator("body").get_attribute("class") or "")
    assert problems == []


@pytest.mark.timeout(300)
def test_a_lead_logs_in_and_makes_a_batch(line: Line, page: "Page") -> None:
    with line.store.transaction() as session:
        people.add(session, "wang", "lead", "4711")
    page.goto(line.url)
    page.fill("input[name=name]", "wang")
    page.fill("input[name=pin]", "0000")
    page.keyboard.press("Enter")
    page.locator("#said", has_text="PIN is wrong").wait_for()
    page.fill("input[name=name]", "wang")
    page.fill("input[name=pin]", "4711")
    page.keyboard.press("Enter")
    page.fill("input[name=batch]", "B-7")
    page.fill("input[name=quota]", "50")
    page.get_by_role("button", name="Set").click()
    page.locator("#said", has_text="the batch B-7 is set").wait_for()
    page.get_by_role("link", name="B-7").wait_for()
    assert page.locator("header", has_text="wang, lead").is_visible()


@pytest.mark.timeout(300)
def test_the_page_has_no_barrier_for_anyone_who_reads_it(line: Line, folder: Path, page: "Page") -> None:
    """With every part filled: stations, failures, a conflict, the login, a unit's history."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing")
    with line.store.transaction() as session:
        people.add(session, "wang", "engineer", "4711")
        quota.new_batch(session, "B-1", 50)
    with journal_in(folder, "a") as first, journal_in(folder, "b") as second:
        for journal, station in ((first, "st-1"), (second, "st-2")):
            write(journal, 1, station=station, label="SN1")
            write(journal, 2, station=station, outcome=Outcome.WRITE_FAILED, code="E7")
            sent(line.outbox(journal, line.key(station)))
    page.goto(line.url)
    runner = axe.Axe()
    guest = runner.run(page)
    assert guest.violations_count == 0, guest.generate_report()
    page.fill("input[name=name]", "wang")
    page.fill("input[name=pin]", "4711")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Set").wait_for()
    page.goto(line.url)
    engineer = runner.run(page)
    assert engineer.violations_count == 0, engineer.generate_report()
    for path in (f"/unit?q={imei_of(1)}", "/batch/B-1"):
        page.goto(line.url + path)
        part = runner.run(page)
        assert part.violations_count == 0, (path, part.generate_report())
