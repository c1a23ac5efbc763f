"""Times are the viewer's, and UTC where the pointer rests on them: on every page, whatever it has to say."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.paper import Paper
from tests.browser.stage import Stage, at, job
from tests.browser.test_accessible_pages import PAGES, papers
from tests.browser.test_job_page import samples
from tests.browser.test_machine_page import a_detail, ended

BARE = """() => {
  const found = [];
  const texts = document.createTreeWalker(document.getElementById("app"), NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    if (!/\\d\\d:\\d\\d/.test(text.data) || /UTC|\\dZ/.test(text.data)) continue;
    if (!text.parentElement.closest("[title*=UTC]")) found.push(text.data);
  }
  return found;
}"""
"""The texts with a clock's time that do not have UTC."""
STALLED = {"status": "stalled", "eta_seconds": None, "eta_reason": "stalled", "last_telemetry_at": at(-95)}
JOBS = [
    job("web-3", vm_name="web-01", eta_low_seconds=4_000, eta_high_seconds=6_000, eta_seconds=5_000),
    job("soon", vm_name="web-01", eta_low_seconds=70, eta_high_seconds=90),
    job("silent", vm_name="web-01", **STALLED),
    job("done", status="completed", completed_at=at(-60)),
    job("old", created_at=at(-1000), not_moving=True, last_moved_at=at(-800), cancel_requested_at=at(-9)),
]
LOST = {"kind": "mass_silence", "since": at(-90), "raised_by": "hub-b", "detail": "5 of 6 active jobs are silent"}


def utc(page: Page, text: str):
    """What the pointer is told where it rests on the text."""
    return page.get_by_text(text, exact=True).first.get_attribute("title")


def opened(stage: Stage, address: str) -> None:
    stage.open(address)
    stage.greet(JOBS)
    stage.pass_time(1)


def test_no_time_on_the_jobs_page_is_without_utc(stage: Stage, page: Page):
    opened(stage, "/")
    assert page.evaluate(BARE) == []
    assert utc(page, "04:20") == "2026-11-24 03:20:45 UTC"
    assert utc(page, "04:55") == "2026-11-24 03:55:00 UTC"
    assert utc(page, "03:12:32") == "2026-11-24 02:12:32 UTC"
    row = page.locator("tbody.job").filter(has_text="soon").locator(".left-column")
    range_ = "four of five end within 03:15:15 to 03:15:35 (2026-11-24 02:15:15 to 02:15:35 UTC)"
    expect(row).to_have_attribute("title", range_)
    expect(page.locator("#summary")).to_have_text(
        "3 running, 1 stalled, 0 failed, 1 not moving; finish 04:20 to 04:55 (1 unknown); last telemetry 2 s ago"
    )
    stage.say("tick", time=at(), ready=False, alarms=[LOST])
    stage.hang_up()
    expect(page.locator("#feed-lost")).to_contain_text("numbers are as of")
    assert page.evaluate(BARE) == []


@pytest.mark.parametrize(("address", "shown"), [*PAGES.items(), ("/#/job/silent", "#events")])
def test_no_time_on_a_deeper_page_is_without_utc_fresh_or_old(stage: Stage, page: Page, address, shown):
    told_by = papers(page)
    opened(stage, address)
    page.wait_for_selector(shown)
    assert page.evaluate(BARE) == []
    for paper in told_by:
        paper.status = 0
    stage.tick(at(70))
    stage.until(lambda: page.locator(".old-answer").count() > 0)
    assert page.evaluate(BARE) == []


def test_the_charts_say_whose_their_times_are_and_give_utc_for_the_axis_and_the_cursor(stage: Stage, page: Page):
    Paper(page, "/api/v1/jobs/done/samples", samples(-300, -200, -100, -60))
    opened(stage, "/#/job/done")
    expect(page.locator(".times")).to_have_text("Times in Europe/Berlin")
    assert utc(page, "Europe/Berlin") == "2026-11-24 02:09:07 to 02:14:05 UTC"
    page.locator(".u-over").hover(position={"x": 1, "y": 60})
    stage.pass_time(0.1)
    expect(page.locator(".u-legend")).to_contain_text("03:09:07 (2026-11-24 02:09:07 UTC)")


def test_the_chart_of_sizes_and_the_days_chosen_have_utc_as_well(stage: Stage, page: Page):
    Paper(page, "/api/v1/machines/web-01", a_detail(ended("one"), ended("two", ago=90_000)))
    opened(stage, "/#/machine/web-01?from=2026-11-22T23:00:00Z&to=2026-11-23T23:00:00Z")
    expect(page.locator("#sizes .times")).to_have_text("Times in Europe/Berlin")
    expect(page.locator("#sizes .times [title$=UTC]")).to_have_count(1)
    assert utc(page, "Mon, 23 Nov 2026") == "2026-11-22 23:00:00 UTC"
