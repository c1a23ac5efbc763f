"""The deeper pages for people who see, hear or point otherwise: axe-core finds nothing, in both themes."""

import pytest
from playwright.sync_api import Page

from tests.browser.paper import Paper
from tests.browser.stage import Stage, at, disk, job
from tests.browser.test_appliances import appliance
from tests.browser.test_calendar import MACHINES, told
from tests.browser.test_hub_page import FIGURES, health
from tests.browser.test_job_page import detail, event, samples
from tests.browser.test_machine_page import a_detail, a_machine, ended

RUNNING = job("web-3", vm_name="web-01", disks=[disk(0, 70.0), disk(1, 30.0, bottleneck="read")])
PAGES = {
    "/#/job/old": "#events table",
    "/#/machines": ".machines-table",
    "/#/machine/web-01": ".runs-table",
    "/#/calendar": ".grid",
    "/#/appliances": ".appliances-table",
    "/#/hub": ".figures-table",
}


def papers(page: Page) -> list[Paper]:
    """A hub with something of everything."""
    gaps = [(-900, -600, "hub_away")]
    events = [event(), event(kind="phase", current_phase="transferring", detail="starting -> transferring")]
    accuracy = {"of": "machine", "runs": 23, "within_percent": 11.2}
    predictions = [
        {"percent": 25, "predicted_seconds": 300, "low_seconds": 240, "high_seconds": 400, "actual_seconds": 310}
    ]
    whole = detail(events=events, predictions=predictions, accuracy=accuracy)
    fleet = [appliance("rack-1"), appliance("rack-2", clock_skew_seconds=-75.0)]
    figures = {**FIGURES, "queue_depth": 4000}
    return [
        Paper(page, "/api/v1/jobs/old", whole),
        Paper(page, "/api/v1/jobs/old/samples", samples(-1000, -900, -600, -2, gaps=gaps)),
        Paper(page, "/api/v1/machines", {"machines": [a_machine()], "next": "more"}),
        Paper(page, "/api/v1/machines/web-01", a_detail(ended("one"), ended("two", "failed"), next_page="more")),
        Paper(page, "/api/v1/calendar", told(MACHINES)),
        Paper(page, "/api/v1/appliances", {"appliances": fleet}),
        Paper(page, "/api/v1/health", health(warnings=["the certificate ends in 12 days"], figures=figures)),
    ]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_page_is_accessible_fresh_and_old(stage: Stage, page: Page, axe, theme: str):
    page.emulate_media(color_scheme=theme)
    told_by = papers(page)
    for address, shown in PAGES.items():
        for paper in told_by:
            paper.status = 200
        stage.open(address)
        stage.greet([RUNNING, job("old", created_at=at(-1000), not_moving=True, last_moved_at=at(-800))])
        page.wait_for_selector(shown)
        stage.pass_time(1)
        page.clock.resume()
        assert axe(page) == [], address
        for paper in told_by:
            paper.status = 0
        stage.tick(at(70))
        page.wait_for_selector(".old-answer")
        assert axe(page) == [], f"{address}, old"


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_hub_without_anything_is_accessible(stage, page: Page, axe, theme):
    page.emulate_media(color_scheme=theme)
    Paper(page, "/api/v1/machines", {"machines": [], "next": None})
    Paper(page, "/api/v1/appliances", {"appliances": []})
    Paper(page, "/api/v1/calendar", told({}))
    for address in ("/#/machines", "/#/appliances", "/#/calendar"):
        stage.open(address)
        stage.greet()
        page.wait_for_selector(".nothing")
        page.clock.resume()
        assert axe(page) == [], address


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_question_before_cancelling_is_accessible(stage, page: Page, axe, theme):
    page.emulate_media(color_scheme=theme)
    stage.open("/#/job/old")
    stage.greet([job("old")])
    page.get_by_role("button", name="Cancel this job").click()
    page.wait_for_selector(".question")
    page.clock.resume()
    assert axe(page) == []
