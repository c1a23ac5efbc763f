"""The page on a telephone: nothing is cut off or left alone on a line."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.stage import ORIGIN, Stage, at, job
from tests.browser.test_accessible import JOBS
from tests.browser.test_accessible_pages import papers

PAGES = {"/#/": "#running", "/#/job/old": "#events table"}


@pytest.mark.parametrize("width", [360, 390, 430, 600])
def test_pages_and_theme_are_on_one_line_of_a_telephone(stage: Stage, page: Page, width: int):
    page.set_viewport_size({"width": width, "height": 880})
    stage.open()
    stage.greet([job("a")])
    places = [one.bounding_box() for one in page.locator("nav a, .second-line button:visible").all()]
    middles = [box["y"] + box["height"] / 2 for box in places]
    assert len(places) > 5
    assert max(middles) - min(middles) < 4
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_where_more_stands_on_that_line_the_buttons_stay_together(stage: Stage, page: Page):
    session = {"name": "night-shift", "role": "operate"}
    page.route("**/api/v1/session", lambda route: route.fulfill(json=session))
    stage.open()
    stage.greet([job("a")])
    expect(page.locator(".account")).to_contain_text("night-shift")
    for width in range(560, 800, 10):
        page.set_viewport_size({"width": width, "height": 880})
        keys, theme = (page.get_by_role("button", name=name).bounding_box() for name in ("Keys", "Light"))
        assert keys["y"] == theme["y"], width


def test_why_a_job_needs_attention_is_read_whole_without_a_pointer(stage: Stage, page: Page):
    page.set_viewport_size({"width": 390, "height": 880})
    stage.open()
    reason = "disk 1: target: no space left on device at 8.0 GiB (ENOSPC), " * 3
    stage.greet([
        job("silent", status="stalled", last_telemetry_at=at(-90)),
        job("full", status="failed", completed_at=at(-60), error_message=reason),
    ])  # fmt: skip
    notes = page.locator(".note .cut")
    expect(notes).to_have_count(2)
    assert notes.evaluate_all("all => all.map(one => one.scrollWidth <= one.clientWidth)") == [True, True]
    rows = page.locator("tbody.job")
    assert rows.evaluate_all("all => all.map(one => one.scrollHeight <= one.clientHeight)") == [True, True]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_jobs_and_a_job_are_accessible_on_a_telephone_and_no_wider_than_it_is(
    stage: Stage, page: Page, axe, theme: str
):
    page.set_viewport_size({"width": 390, "height": 880})
    page.emulate_media(color_scheme=theme)
    papers(page)
    stage.open()
    stage.greet(JOBS)
    wide = {}
    for address, shown in PAGES.items():
        page.goto(ORIGIN + address)
        stage.until(lambda shown=shown: page.locator(shown).count() > 0)
        wide[address] = page.evaluate("document.documentElement.scrollWidth")
        page.clock.resume()
        assert axe(page) == [], address
    assert max(wide.values()) <= 390, wide
