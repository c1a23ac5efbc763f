"""The calendar: machines by days of the viewer's zone, by keyboard, and with every day's outcome in words."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import hub as hubs
from tests.browser.hub import GIB, Hub
from tests.browser.paper import Paper
from tests.browser.stage import Stage

PAYLOAD = "<img src=x onerror=pwned=1><script>pwned=1</script>\"'><svg onload=pwned=1> \u202eabc"
TODAY = date(2026, 11, 24)


@pytest.fixture(scope="module")
def hub():
    """A hub that ticks every 0.5 s, and calls no job stalled while a test looks at it."""
    with hubs.running(stall_after=120.0) as running:
        yield running


def a_day(ago: int, last: str, last_id: str = "run", **counts: int) -> dict[str, Any]:
    told = {"completed": 0, "failed": 0, "cancelled": 0, "active": 0, **counts}
    return {"day": str(TODAY - timedelta(days=ago)), "last_id": last_id, "last_status": last, **told}


def told(machines: dict[str, list[dict[str, Any]]], **said: Any) -> Callable[[Any], dict[str, Any]]:
    """What the hub answers, for the days it is asked for."""

    def answer(query: dict[str, list[str]]) -> dict[str, Any]:
        last = date.fromisoformat(query.get("to", [str(TODAY)])[0])
        first = date.fromisoformat(query.get("from", [str(last - timedelta(days=13))])[0])
        shown = [
            {"name": name, "days": [day for day in days if str(first) <= day["day"] <= str(last)]}
            for name, days in machines.items()
        ]
        return {
            "first_day": str(first), "last_day": str(last), "today": str(TODAY), "zone": query["zone"][0],
            "machines": shown, "next": None, **said,
        }  # fmt: skip

    return answer


MACHINES = {
    "web-01": [
        a_day(3, "completed", "web-a", completed=1),
        a_day(1, "completed", completed=1, failed=1),
        a_day(0, "running", "web-b", active=1),
    ],
    "sql-7": [a_day(3, "failed", "sql-a", failed=1), a_day(2, "cancelled", cancelled=2)],
    "idle": [],
}


def shown(stage: Stage, page: Page, machines: Any = None, address: str = "/#/calendar") -> Paper:
    """Opens the calendar of a paper hub."""
    paper = Paper(page, "/api/v1/calendar", told(machines or MACHINES))
    stage.open(address)
    stage.greet()
    stage.pass_time(1)
    expect(page.locator(".grid")).to_be_visible()
    return paper


def test_a_run_of_today_stands_on_its_day_and_follows_what_becomes_of_it(hub: Hub, page: Page, shoot):
    page.goto(f"{hub.address}/#/calendar")
    expect(page.locator("#calendar pre")).to_contain_text(
        f"--vm-name web-01 --disk SOURCE=TARGET --hub {hub.address}"
    )
    hub.send("web-1", sequence=1, status="running", vm_name="web-01", bytes_transferred=GIB, total_bytes=4 * GIB)
    cell = page.locator(".grid td.today .outcome")
    expect(cell).to_have_class("outcome running ")
    hub.send("web-1", sequence=2, status="failed", vm_name="web-01", error="EIO")
    expect(cell).to_have_class("outcome failed ")
    hub.send("web-2", sequence=1, status="completed", vm_name="web-01", bytes_transferred=GIB)
    expect(cell).to_have_attribute("title", re.compile("1 completed, 1 failed; the last one completed$"))
    expect(cell.locator(".mark")).to_have_text("!")
    shoot(page, "calendar")
    cell.click()
    expect(page.locator("#chosen")).to_contain_text("web-1")
    expect(page.locator("#chosen")).to_contain_text("web-2")
    page.go_back()
    page.locator(".grid tbody th a").click()
    expect(page.locator("#machine h2")).to_have_text("web-01")


def test_names_of_machines_are_text_in_the_calendar(hub: Hub, page: Page):
    hub.send(PAYLOAD, sequence=1, status="completed", vm_name=PAYLOAD, bytes_transferred=1)
    page.goto(f"{hub.address}/#/calendar")
    expect(page.get_by_role("link", name=PAYLOAD, exact=True)).to_be_visible()
    assert page.locator("img, script:not([src])").count() == 0
    assert page.evaluate("window.pwned") is None


def test_each_day_has_its_outcome_as_a_symbol_and_in_words(stage: Stage, page: Page, shoot):
    paper = shown(stage, page)
    assert paper.queries[0]["zone"] == ["Europe/Berlin"]
    rows = page.locator(".grid tbody tr")
    web, sql, idle = (rows.nth(number) for number in range(3))
    expect(web.locator(".outcome")).to_have_count(3)
    expect(web.locator("td").nth(10).locator("a")).to_have_attribute("href", "#/job/web-a")
    mixed = web.locator("td").nth(12).locator("a")
    expect(mixed).to_have_attribute("title", "web-01, Mon 23 Nov: 1 completed, 1 failed; the last one completed")
    expect(mixed.locator("[aria-hidden]")).to_have_text(["", "2", "!"])
    expect(sql.locator("td").nth(10).locator("a svg")).to_have_count(1)
    expect(idle.locator(".no-run")).to_have_count(14)
    expect(idle.locator("td").first).to_contain_text("no run")
    expect(page.locator("#calendar .legend")).to_contain_text("Days begin at midnight in Europe/Berlin.")
    shoot(page, "calendar-paper-dark")
    page.emulate_media(color_scheme="light")
    shoot(page, "calendar-paper-light")


def test_several_runs_of_one_day_are_shown_on_the_machines_page(stage: Stage, page: Page):
    shown(stage, page)
    link = page.locator(".grid tbody tr").nth(0).locator("td").nth(12).locator("a")
    assert (link.get_attribute("href") or "").endswith(
        "#/machine/web-01?from=2026-11-22T23%3A00%3A00.000Z&to=2026-11-23T23%3A00%3A00.000Z"
    )


def test_arrow_keys_walk_over_the_runs_and_tab_comes_to_one_of_them(stage: Stage, page: Page):
    shown(stage, page)
    expect(page.locator(".outcome[tabindex='0']")).to_have_count(1)
    page.locator(".outcome[tabindex='0']").focus()

    def focused() -> str:
        stage.pass_time(0.1)
        return (page.evaluate("document.activeElement.getAttribute('title')") or "").split(":")[0]

    walked = [focused()]
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
        walked.append(focused())
    assert walked == [
        "web-01, Sat 21 Nov",
        "web-01, Mon 23 Nov",
        "web-01, Tue 24 Nov",
        "web-01, Tue 24 Nov",
        "sql-7, Sun 22 Nov",
        "sql-7, Sat 21 Nov",
        "web-01, Sat 21 Nov",
        "web-01, Sat 21 Nov",
    ]
    expect(page.locator(".outcome[tabindex='0']")).to_have_count(1)
    page.keyboard.press("Enter")
    stage.pass_time(0.2)
    assert page.url.endswith("#/job/web-a")


def test_the_days_stand_in_the_address_and_are_walked_by_links(stage: Stage, page: Page):
    paper = shown(stage, page)
    page.get_by_role("link", name="Earlier").click()
    stage.pass_time(1)
    expect(page.locator(".range strong")).to_have_text("Wed 28 Oct to Tue 10 Nov")
    assert page.url.endswith("#/calendar?from=2026-10-28&to=2026-11-10")
    page.get_by_role("link", name="31 days").click()
    stage.pass_time(1)
    expect(page.locator(".grid thead th")).to_have_count(32)
    page.get_by_role("link", name="Today").click()
    stage.pass_time(1)
    expect(page.locator(".range strong")).to_have_text("Wed 11 Nov to Tue 24 Nov")
    asked = [(query.get("from"), query.get("to")) for query in paper.queries]
    assert [days for days, _ in groupby(asked)] == [
        (None, None),
        (["2026-10-28"], ["2026-11-10"]),
        (["2026-10-11"], ["2026-11-10"]),
        (None, None),
    ]


def test_an_address_with_days_that_are_none_shows_the_usual_ones(stage: Stage, page: Page):
    paper = shown(stage, page, address="/#/calendar?from=2026-02-30&to=x")
    assert "from" not in paper.queries[0]
    expect(page.locator(".range strong")).to_have_text("Wed 11 Nov to Tue 24 Nov")


def test_a_hub_that_does_not_know_the_viewers_zone_is_asked_for_utc_and_the_page_says_so(stage, page: Page):
    known = told(MACHINES)

    def answer(query):
        if query["zone"] != ["UTC"]:
            paper.status = 400
            return {"error": {"code": "invalid", "message": "zone: 'Europe/Berlin' is no zone", "field": "zone"}}
        paper.status = 200
        return known(query)

    paper = Paper(page, "/api/v1/calendar", answer)
    stage.open("/#/calendar")
    stage.greet()
    stage.pass_time(1)
    expect(page.locator("#calendar .legend")).to_contain_text("midnight UTC: this hub does not know your zone")


@pytest.mark.parametrize("width", [1400, 800])
def test_two_months_fit_the_window_and_the_newest_days_are_in_sight(stage: Stage, page: Page, width, shoot):
    page.set_viewport_size({"width": width, "height": 900})
    shown(stage, page, address="/#/calendar?from=2026-09-24&to=2026-11-24")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator(".grid thead th.today")).to_be_in_viewport()
    shoot(page, f"calendar-two-months-{width}")
