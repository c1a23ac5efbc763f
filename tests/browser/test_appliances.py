"""The appliances: who sends, and what is worrying about them, in words."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser import hub as hubs
from tests.browser.hub import GIB, Hub
from tests.browser.paper import Paper
from tests.browser.stage import NOW, Stage, at

PAYLOAD = "<img src=x onerror=pwned=1><script>pwned=1</script>\"'><svg onload=pwned=1> \u202eabc"


def appliance(name: str, **said):
    return {
        "name": name, "version": "0.2.0", "last_heard_at": at(-3), "clock_skew_seconds": 0.2, "spool_depth": 0,
        "spool_age_seconds": 0.0, "active": 1, **said,
    }  # fmt: skip


def shown(stage: Stage, page: Page, *appliances) -> Paper:
    paper = Paper(page, "/api/v1/appliances", {"appliances": list(appliances)})
    stage.open("/#/appliances")
    stage.greet()
    stage.pass_time(1)
    return paper


@pytest.fixture(scope="module")
def hub():
    """A hub that ticks every 0.5 s, and calls no job stalled while a test looks at it."""
    with hubs.running(stall_after=120.0) as running:
        yield running


def test_an_appliance_is_listed_as_soon_as_its_hub_has_noted_it(hub: Hub, page: Page, shoot):
    page.goto(f"{hub.address}/#/appliances")
    expect(page.locator("#appliances pre").last).to_have_text(
        f"clientd serve --hub {hub.address} --token-file FILE"
    )
    shoot(page, "appliances-none")
    hub.send("web-1", sequence=1, status="running", bytes_transferred=GIB, sender="clientd/0.1.0", age_ms=93_000)
    row = page.locator(".appliances-table tbody tr")
    expect(row).to_contain_text("clientd")
    expect(row).to_contain_text("0.1.0")
    expect(row).to_contain_text("1 job, up to 1 min 33 s")
    expect(row).to_contain_text("Words of 1 job waited there for up to 1 min 33 s")
    shoot(page, "appliances")


def test_a_calm_fleet_says_that_nothing_is_worrying(stage: Stage, page: Page):
    shown(stage, page, appliance("rack-1"), appliance("rack-2", active=0, last_heard_at=at(-9_000)))
    expect(page.locator("#appliances-summary")).to_have_text("2 appliances, nothing is worrying.")
    expect(page.locator(".appliances-table tbody tr").first).to_contain_text("in step")


def test_each_worry_is_a_sentence_with_what_to_do(stage: Stage, page: Page, shoot):
    shown(
        stage,
        page,
        appliance("deaf", last_heard_at=at(-200), active=2),
        appliance("late", spool_depth=3, spool_age_seconds=320.0),
        appliance("off", clock_skew_seconds=-75.0),
        appliance("old", version="0.1.10"),
        appliance("fine", version="0.10.0"),
    )
    rows = page.locator(".appliances-table tbody tr")
    expect(rows.nth(0)).to_contain_text(
        "It has 2 active jobs and has said nothing for 3 min 20 s: is clientd running there, and the tunnel up?"
    )
    expect(rows.nth(1)).to_contain_text("Words of 3 jobs waited there for up to 5 min 20 s")
    expect(rows.nth(2)).to_contain_text("Its clock is 1 min 15 s behind: set it by NTP")
    expect(rows.nth(3)).to_contain_text("It runs 0.1.10; others run 0.10.0.")
    expect(rows.nth(4).locator("td").last).to_have_text("nothing")
    expect(page.locator("#appliances-summary")).to_have_text("4 of 5 appliances need a look.")
    shoot(page, "appliances-worries-dark")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 800, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 800
    shoot(page, "appliances-worries-light-800")


def test_silence_becomes_a_worry_while_the_page_stands_open(stage: Stage, page: Page):
    shown(stage, page, appliance("rack-1"))
    expect(page.locator("#appliances-summary")).to_contain_text("nothing is worrying")
    for second in range(5, 75, 5):
        stage.tick(at(second))
    expect(page.locator(".worries")).to_contain_text(["It has 1 active job and has said nothing for 1 min"])


def test_the_times_are_the_viewers_with_utc_where_the_pointer_rests(stage: Stage, page: Page):
    shown(stage, page, appliance("rack-1"))
    time = page.locator(".appliances-table time")
    expect(time).to_have_text("3 s ago")
    expect(time).to_have_attribute("title", f"{NOW:%Y-%m-%d} 02:14:04 UTC")


def test_what_appliances_call_themselves_is_text(stage: Stage, page: Page):
    shown(stage, page, appliance(PAYLOAD, version=PAYLOAD, clock_skew_seconds=None))
    row = page.locator(".appliances-table tbody tr")
    expect(row.locator("th")).to_have_text(PAYLOAD)
    expect(row.locator("td").first).to_have_text(PAYLOAD)
    assert page.locator("img, script:not([src])").count() == 0
    assert page.evaluate("window.pwned") is None
