"""The page in a real browser, with its policy on."""

import io
import itertools
import re
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from atota.station.lane import LaneState, Verdict
from atota.station.view import Command, Counters, LaneView, Notice, ReleaseCommand, Reply, ScanCommand, Sound
from tests.station.page.conftest import Served, station

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.timeout(120)
HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
PASSED = LaneView(number=2, state=LaneState.PASSED, verdict=Verdict.PASS, imei="867512345678905")
FAILED = LaneView(
    number=3, state=LaneState.FAILED, verdict=Verdict.FAIL, sentence="the module rolled back", hint="Red bin."
)


def tile(page: "Page", number: int, **attributes: str) -> Any:
    conditions = "".join(f'[data-{name}="{value}"]' for name, value in attributes.items())
    return page.locator(f'[data-lane="{number}"]{conditions}')


def live(page: "Page", served: Served) -> None:
    """Wait until the stream has told something that the page did not have from the beginning."""
    page.goto(served.url)
    served.hub.put_counters(Counters(retested=41))
    page.locator('[data-counter="retested"]', has_text="41").wait_for()


def test_a_unit_passes_and_is_removed(context: "BrowserContext", served: Served) -> None:
    page = context.new_page()
    live(page, served)
    for state in ("appeared", "settling", "identifying", "running"):
        served.hub.put_lane(LaneView(number=2, state=LaneState(state), progress=0.5))
        tile(page, 2, state=state).wait_for()
    served.hub.put_lane(PASSED)
    tile(page, 2, state="passed", verdict="pass").wait_for()
    assert "PASS" in tile(page, 2).inner_text()
    assert "✓" in tile(page, 2).inner_text()
    served.hub.put_counters(Counters(passed=1))
    page.locator('[data-counter="passed"]', has_text="1").wait_for()
    served.hub.put_lane(LaneView(number=2, state=LaneState.EMPTY))
    tile(page, 2, state="empty").wait_for()
    assert tile(page, 2).get_attribute("data-verdict") is None


def test_a_failure_asks_for_its_sound_and_is_spoken(context: "BrowserContext", served: Served) -> None:
    page = context.new_page()
    live(page, served)
    page.evaluate(
        """() => { window.sounds = [];
             document.addEventListener("station-sound", event => window.sounds.push(event.detail)); }"""
    )
    served.hub.put_lane(FAILED)
    served.hub.put_sound(Sound(name="fail", lane=3))
    page.locator("#alarm", has_text="FAIL").wait_for(state="attached")
    assert page.evaluate("() => window.sounds") == [{"name": "fail", "lane": 3}]
    assert "Sound is off" in page.locator("#sound").inner_text()
    page.locator("#sound").click()
    page.locator('#sound[data-on="true"]').wait_for()


def test_a_page_whose_server_was_killed_greys_itself_and_shows_no_verdict(
    context: "BrowserContext", served: Served
) -> None:
    page = context.new_page()
    live(page, served)
    served.hub.put_lane(PASSED)
    tile(page, 2, verdict="pass").wait_for()
    served.stop()
    page.locator("body[data-stale]").wait_for()
    assert page.locator("[data-verdict]").count() == 0
    assert "PASS" not in page.locator("main").inner_text()
    served.hub.put_lane(LaneView(number=2, state=LaneState.EMPTY))
    served.hub.put_lane(FAILED)
    served.start()
    tile(page, 3, verdict="fail").wait_for()
    assert page.locator("body[data-stale]").count() == 0
    assert tile(page, 2).get_attribute("data-verdict") is None


def test_another_run_of_the_station_makes_the_page_anew(context: "BrowserContext", served: Served) -> None:
    page = context.new_page()
    live(page, served)
    served.stop()
    served.start(station(lanes=3))
    page.locator('body:not([data-stale]) #lanes.columns-4:not(:has([data-lane="8"]))').wait_for()
    assert page.locator("[data-lane]").count() == 3


def test_seven_tabs_are_all_alive(context: "BrowserContext", served: Served) -> None:
    pages = [context.new_page() for _ in range(7)]
    for page in pages:
        page.goto(served.url, wait_until="domcontentloaded")
    served.hub.put_lane(FAILED)
    for page in pages:
        page.bring_to_front()
        tile(page, 3, verdict="fail").wait_for()


def test_texts_from_outside_are_only_texts(context: "BrowserContext", served: Served) -> None:
    hostile = LaneView(number=1, state=LaneState.RUNNING, sentence=HOSTILE, serial=HOSTILE, model=HOSTILE)
    served.hub.put_lane(hostile)
    served.hub.put_notice(Notice(key=HOSTILE, text=HOSTILE, hint=HOSTILE))
    served.hub.put_head(operator=HOSTILE, scanned=HOSTILE)
    page = context.new_page()
    live(page, served)
    served.hub.put_lane(LaneView(number=4, state=LaneState.BLOCKED, blocked=HOSTILE))
    tile(page, 4, state="blocked").wait_for()
    tile(page, 1).click()
    page.locator("dialog[open]", has_text="onerror").wait_for()
    assert page.title() == "bench 7 · station"
    assert page.locator("img").count() == 0
    assert HOSTILE in page.locator("#notices").inner_text()


def test_a_scanner_that_types_is_read_while_lanes_make_progress(
    context: "BrowserContext", served: Served
) -> None:
    commands: list[Command] = []

    def receive(command: Command) -> Reply:
        commands.append(command)
        return Reply(ok=True, sentence="bound to lane 4")

    served.hub.on_command(receive)
    page = context.new_page()
    live(page, served)
    for share in range(20):
        served.hub.put_lane(LaneView(number=1, state=LaneState.RUNNING, progress=share / 20))
    page.evaluate(
        """code => { for (const key of [...code, "Enter"])
             document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })); }""",
        "SN123456789",
    )
    page.locator("#answer", has_text="bound to lane 4").wait_for()
    assert commands == [ScanCommand(text="SN123456789")]
    assert page.locator('[data-figure="scanned"]').inner_text() == "SN123456789"


def test_a_scan_is_a_scan_wherever_the_focus_is(context: "BrowserContext", served: Served) -> None:
    commands: list[Command] = []

    def receive(command: Command) -> Reply:
        commands.append(command)
        return Reply(ok=True, sentence="bound to lane 4")

    served.hub.on_command(receive)
    page = context.new_page()
    live(page, served)
    served.hub.put_lane(LaneView(number=5, state=LaneState.BLOCKED, blocked="3 units in a row failed"))
    tile(page, 5, state="blocked").wait_for()
    page.locator('[data-lane="5"] .more').focus()
    page.keyboard.press("Enter")
    page.locator("dialog#lane [name=reason]").fill("new")
    page.evaluate(
        """code => { const field = document.querySelector("dialog#lane [name=reason]");
             field.focus();
             for (const key of [...code, "Enter"]) {
               const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
               if (field.dispatchEvent(event) && key.length === 1) field.value += key; } }""",
        "SN123456789",
    )
    page.locator("#answer", has_text="bound to lane 4").wait_for(state="attached")
    assert commands == [ScanCommand(text="SN123456789")]
    assert page.locator("dialog#lane [name=reason]").input_value() == "new"
    page.locator("dialog#lane[open]").wait_for()


@pytest.mark.parametrize(
    ("notice", "dialog", "button", "command"),
    [
        (Notice(key="s", level="stop", text="six failures", may_release=True), "stop", "[data-stop]", None),
        (
            Notice(key="l", level="warning", text="x", may_release=True, lane=5),
            "lane",
            '[data-do="release"]',
            5,
        ),
    ],
)
def test_a_stop_is_released_with_a_reason_by_the_keyboard_alone(
    context: "BrowserContext",
    served: Served,
    notice: Notice,
    dialog: str,
    button: str,
    command: int | None,
) -> None:
    commands: list[Command] = []

    def receive(given: Command) -> Reply:
        commands.append(given)
        return Reply(ok=True, sentence="released")

    served.hub.on_command(receive)
    page = context.new_page()
    live(page, served)
    served.hub.put_lane(LaneView(number=5, state=LaneState.BLOCKED, blocked="3 units in a row failed"))
    served.hub.put_notice(notice)
    page.locator("[data-release]").focus()
    page.keyboard.press("Enter")
    page.locator(f"dialog#{dialog}[open] [name=reason]").focus()
    page.keyboard.insert_text("cleaned the contacts")
    page.keyboard.press("Tab")
    page.keyboard.insert_text("Li")
    for _ in range(3):
        page.keyboard.press("Tab")
        if page.evaluate("button => document.activeElement.matches(button)", button):
            break
    page.keyboard.press("Enter")
    page.locator("#answer", has_text="released").wait_for()
    assert commands == [ReleaseCommand(lane=command, reason="cleaned the contacts", by="Li")]


def test_a_failed_unit_keeps_its_reason_while_its_lane_is_blocked(
    context: "BrowserContext", served: Served
) -> None:
    served.hub.put_lane(replace(FAILED, blocked="3 units in a row failed"))
    page = context.new_page()
    live(page, served)
    tile(page, 3, verdict="fail").locator(".sentence", has_text="the module rolled back").wait_for()
    served.hub.put_lane(LaneView(number=3, state=LaneState.BLOCKED, blocked="3 units in a row failed"))
    tile(page, 3, state="blocked").locator(".sentence", has_text="3 units in a row").wait_for()


def test_a_dialog_offers_only_what_its_lane_can_do(context: "BrowserContext", served: Served) -> None:
    served.hub.put_lane(LaneView(number=1, state=LaneState.OFF))
    served.hub.put_lane(LaneView(number=2, state=LaneState.REMOVE_UNIT, verdict=Verdict.FAIL))
    served.hub.put_lane(LaneView(number=3, state=LaneState.BLOCKED, blocked="3 units in a row failed"))
    page = context.new_page()
    live(page, served)
    for number, wishes in (
        (1, ["on"]),
        (2, ["removed", "again", "off"]),
        (3, ["release", "off"]),
        (4, ["off"]),
    ):
        page.locator(f'[data-lane="{number}"] .more').click()
        shown = page.locator("dialog#lane [data-do]:visible").evaluate_all(
            "all => all.map(one => one.dataset.do)"
        )
        assert shown == wishes
        page.keyboard.press("Escape")


def test_a_page_on_a_telephone_shows_every_lane_by_scrolling_down_alone(
    context: "BrowserContext", served: Served
) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    served.hub.put_lane(PASSED)
    live(page, served)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert page.locator('[data-lane="8"]').bounding_box()["height"] >= 100  # type: ignore[index]
    word, whole = page.locator('[data-lane="2"] .word').bounding_box(), tile(page, 2).bounding_box()
    assert word is not None
    assert whole is not None
    assert word["x"] + word["width"] <= whole["x"] + whole["width"]


def test_everything_is_done_with_the_keyboard(context: "BrowserContext", served: Served) -> None:
    commands: list[Command] = []

    def receive(command: Command) -> Reply:
        commands.append(command)
        return Reply(ok=True, sentence="done")

    served.hub.on_command(receive)
    page = context.new_page()
    live(page, served)
    page.locator('[data-lane="5"] .more').focus()
    page.keyboard.press("Enter")
    page.locator("dialog[open]").wait_for()
    page.locator('[data-do="off"]').focus()
    page.keyboard.press("Space")
    page.locator("#answer", has_text="done").wait_for()
    page.locator("#scan input").fill("OP:Wang")
    page.keyboard.press("Enter")
    page.locator('[data-figure="scanned"]', has_text="OP:Wang").wait_for()
    page.wait_for_timeout(200)
    assert [type(command).__name__ for command in commands] == ["SwitchCommand", "ScanCommand"]


def test_a_page_of_another_origin_can_change_nothing(context: "BrowserContext", served: Served) -> None:
    commands: list[Command] = []
    served.hub.on_command(lambda command: commands.append(command) or Reply(ok=True, sentence=""))  # type: ignore[func-returns-value]
    other = Served(station(lanes=1))
    page = context.new_page()
    page.goto(other.url + "healthz")
    status = page.evaluate(
        """async url => { try {
             await fetch(url + "api/release", { method: "POST", mode: "no-cors", body: '{"reason":"x"}' });
             return "sent"; } catch (error) { return "blocked"; } }""",
        served.url,
    )
    other.stop()
    assert status in ("sent", "blocked")
    assert commands == []


def _filled(lanes: int, language: str) -> Served:
    served = Served(station(lanes=lanes, language=language, batch="B-2026-118"))
    states = [
        LaneView(number=1, state=LaneState.RUNNING, stage="write", progress=0.3, sentence="write 30 %"),
        PASSED,
        FAILED,
        LaneView(
            number=4, state=LaneState.STATION_ERROR, verdict=Verdict.STATION_ERROR, sentence="no platform"
        ),
        LaneView(number=5, state=LaneState.BLOCKED, blocked="3 failures in a row"),
        LaneView(number=6, state=LaneState.WANTING_SCAN),
        LaneView(number=7, state=LaneState.REMOVE_UNIT, verdict=Verdict.PASS),
    ]
    for lane in states:
        served.hub.put_lane(lane)
    served.hub.put_notice(Notice(key="golden", level="stop", text="six failures in a row", may_release=True))
    return served


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("lanes", [8, 64])
def test_the_page_fits_the_screen_and_has_no_barrier(
    context: "BrowserContext", lanes: int, language: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing")
    served = _filled(lanes, language)
    try:
        page = context.new_page()
        live(page, served)
        assert page.evaluate("() => document.documentElement.scrollHeight <= innerHeight")
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        for part in (".number", ".word"):
            clipped = page.evaluate(
                """part => {
                     const right = one => one.getBoundingClientRect().right;
                     return [...document.querySelectorAll(part)]
                       .filter(one => one.textContent && right(one) > right(one.closest("[data-lane]")))
                       .map(one => one.textContent); }""",
                part,
            )
            assert clipped == []
        sizes = page.evaluate(
            """() => [".number", "[data-verdict=pass] .word", "[data-verdict=fail] .word"]
                 .flatMap(part => [...document.querySelectorAll(part)])
                 .map(one => parseFloat(getComputedStyle(one).fontSize))"""
        )
        assert min(sizes) >= 60
        result = axe.Axe().run(page)
        assert result.violations_count == 0, result.generate_report()
    finally:
        served.stop()


def _median(histogram: list[int]) -> int:
    sums = itertools.accumulate(histogram)
    return next(value for value, below in enumerate(sums) if below * 2 >= sum(histogram))


@pytest.mark.parametrize("deficiency", ["achromatopsia", "deuteranopia", "protanopia", "tritanopia"])
def test_verdicts_differ_in_lightness_for_each_eye(context: "BrowserContext", deficiency: str) -> None:
    image_module = pytest.importorskip("PIL.Image", reason="Pillow is missing")
    served = _filled(8, "en")
    try:
        page = context.new_page()
        live(page, served)
        session = context.new_cdp_session(page)
        session.send("Emulation.setEmulatedVisionDeficiency", {"type": deficiency})
        lightness = {}
        for number in (2, 3, 4):
            shot = tile(page, number).screenshot()
            image = image_module.open(io.BytesIO(shot)).convert("L")
            lightness[number] = _median(image.histogram())
        values = sorted(lightness.values())
        assert min(second - first for first, second in itertools.pairwise(values)) >= 40, lightness
        words = [re.sub(r"\s+", " ", tile(page, number).inner_text()) for number in (2, 3, 4)]
        assert ["PASS" in words[0], "FAIL" in words[1], "STATION" in words[2]] == [True] * 3
    finally:
        served.stop()
