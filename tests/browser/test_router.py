"""Addresses of the page: what they show, and that they can be handed on."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.stage import ORIGIN, Stage, job

HOME = {"page": "overview", "id": None, "query": {}}
NASTY = 'VM 7 %2F ?a=b#c/"\u00e9" \u202e'


@pytest.fixture
def router(stage: Stage, page: Page):
    """`router("parse", "#/hub")`: what a function of the router returns."""
    stage.open_blank()

    def called(function: str, *arguments: object) -> object:
        return page.evaluate(
            "async ([origin, name, given]) => (await import(`${origin}/assets/router.js`))[name](...given)",
            [ORIGIN, function, list(arguments)],
        )

    return called


@pytest.mark.parametrize(
    "route",
    [
        HOME,
        {**HOME, "query": {"q": "web & db", "sort": "speed"}},
        {"page": "job", "id": NASTY, "query": {"disk": "3"}},
        {"page": "machine", "id": NASTY, "query": {}},
        *(
            {"page": name, "id": None, "query": {"range": "7d"}}
            for name in ("machines", "calendar", "appliances", "hub")
        ),
    ],
)
def test_every_route_is_read_back_from_its_own_address(router, route):
    assert router("parse", router("address", route)) == route


def test_addresses_read_as_people_write_them(router):
    assert router("address", HOME) == "#/"
    assert router("address", {"page": "job", "id": "backup-a/b"}) == "#/job/backup-a%2Fb"
    assert router("address", {"page": "hub", "query": {"a": "", "b": None}}) == "#/hub"
    assert router("parse", "") == HOME
    assert router("parse", "#") == HOME


@pytest.mark.parametrize(
    "strange",
    ["#/job", "#/job/", "#/job/%E0%A4%A", "#/job/a/b", "#/hub/a", "#/__proto__", "#/nothing", "#/toString/x"],
)
def test_an_address_that_is_none_of_ours_is_the_jobs_page(router, strange):
    assert router("parse", strange) == HOME


def test_the_header_links_the_pages_and_marks_the_one_shown(stage: Stage, page: Page):
    stage.open("/#/job/web-01")
    stage.greet([job("web-01")])
    links = page.get_by_role("navigation", name="Pages")
    expect(links.get_by_role("link", name="Jobs")).to_have_attribute("aria-current", "true")
    links.get_by_role("link", name="Jobs").click()
    stage.pass_time(0.1)
    expect(links.get_by_role("link", name="Jobs")).to_have_attribute("aria-current", "page")
