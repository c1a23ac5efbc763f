"""The page before a real hub that is told of a thousand jobs while the page is looked at and worked on."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Response, expect

from tests.browser import hub as hubs
from tests.browser.conftest import watched
from tests.browser.fleet import ALLOWED, COMPLETED, FAILED, JOBS, RUNNING, Fleet, job_id, machine
from tests.browser.hub import Hub

PAGES = {
    "/#/": "#running tbody.job",
    f"/#/job/{job_id(500)}": "#events table",
    "/#/machines": ".machines-table",
    f"/#/machine/{machine(1)}": ".runs-table",
    "/#/calendar": ".grid",
    "/#/appliances": ".appliances-table",
    "/#/hub": ".figures-table",
}
HOLD = """() => {
  window.held = [];
  window.patched = 0;
  window.requestAnimationFrame = (call) => held.push(call);
  const all = { subtree: true, childList: true, attributes: true, characterData: true };
  new MutationObserver(() => (patched += 1)).observe(document.querySelector("#running"), all);
}"""
"""Keeps what was to be done in the next animation frame, and counts how often the running jobs are patched."""


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """A hub with a thousand jobs that move."""
    with hubs.running(stall_after=600.0, fail_after=3_600.0, settings=ALLOWED) as running, Fleet(running):
        yield running


@pytest.fixture(autouse=True)
def nothing_refused(page: Page) -> Iterator[None]:
    """This hub is there all the time: nothing asked of it is refused, no line of the console is an error."""
    complaints: list[str] = []

    def answered(response: Response) -> None:
        if response.status >= 400:
            complaints.append(f"{response.status} {response.url}")

    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("response", answered)
    page.on("console", said)
    yield
    assert complaints == []


def running(page: Page) -> Locator:
    """The painted rows of the running jobs."""
    return page.locator("#running tbody.job")


def names(page: Page) -> list[str]:
    """Their machines, from above."""
    return running(page).locator("a").all_inner_texts()


def moves(row: Locator) -> None:
    """Returns when the row's bar has come further."""
    bar = row.get_by_role("progressbar").first
    drawn = bar.get_attribute("style")
    before = share(bar)  # read last: what is painted in between is no step that was waited for
    expect(bar).not_to_have_attribute("aria-valuenow", f"{before:g}")
    assert share(bar) > before
    assert bar.get_attribute("style") != drawn


def share(bar: Locator) -> float:
    """Percent, as a screen reader is told."""
    return float(bar.get_attribute("aria-valuenow") or "nan")


def test_of_a_thousand_moving_jobs_the_rows_near_the_screen_are_there_and_move(hub: Hub, page: Page):
    page.goto(hub.address)
    page.evaluate("window.isTheSamePage = true")
    expect(page.locator("#summary")).to_contain_text(f"{RUNNING} running, 0 stalled, {FAILED} failed")
    expect(page.locator("#attention tbody.job")).to_have_count(FAILED)
    expect(page.locator("#recent tbody.job")).to_have_count(COMPLETED)
    expect(page.get_by_role("table", name="Running")).to_have_attribute("aria-rowcount", str(RUNNING + 1))
    assert 5 < running(page).count() < 80
    moves(running(page).first)
    page.evaluate("scrollTo(0, document.querySelector('#recent').offsetTop - innerHeight)")
    last = running(page).last
    expect(last.locator("tr").first).to_have_attribute("aria-rowindex", str(RUNNING + 1))
    assert running(page).count() < 80
    moves(last)
    assert page.evaluate("isTheSamePage")


def test_the_keys_walk_over_rows_that_move_open_one_and_search(hub: Hub, page: Page):
    page.goto(hub.address)
    expect(running(page).first).to_be_visible()
    focus = page.locator(":focus")
    row = page.locator("tbody.job:has(:focus) > tr:first-child")
    for _ in range(FAILED + 60):
        page.keyboard.press("j")
    expect(row).to_have_attribute("aria-rowindex", "61")
    expect(focus).to_be_in_viewport()
    page.keyboard.press("k")
    expect(row).to_have_attribute("aria-rowindex", "60")
    moves(page.locator("tbody.job:has(:focus)"))
    name = focus.inner_text()
    page.keyboard.press("Enter")
    expect(page.locator("#job h2 bdi")).to_have_text(name)
    assert re.fullmatch(rf".*/#/job/backup-{name}-\d+-\d+", page.url)
    moves(page.locator("#job"))
    page.keyboard.press("/")
    search = page.get_by_label("Search by machine or job id")
    expect(search).to_be_focused()
    page.keyboard.type("jk?t/")
    expect(search).to_have_value("jk?t/")
    expect(page).to_have_url(f"{hub.address}/#/?q=jk%3Ft%2F")


def test_filters_search_and_order_stand_in_an_address_that_shows_the_same_again(
    hub: Hub, page: Page, browser: Browser
):
    page.goto(hub.address)
    page.get_by_label("Search by machine or job id").fill("DB-1")
    page.get_by_label("Type").select_option("backup")
    page.get_by_label("State").select_option("running")
    order = page.get_by_role("region", name="Running").get_by_role("button", name="Progress")
    order.click()
    order.click()
    address = f"{hub.address}/#/?q=DB-1&type=backup&status=running&sort=progress&order=desc"
    expect(page).to_have_url(address)
    wanted = [machine(number) for number in range(191, 100, -10) if number % 4 != 1]
    found = running(page).locator("a")
    expect(found).to_have_text(wanted)
    page.reload()
    expect(found).to_have_text(wanted)
    moves(running(page).first)
    with watched(browser) as other:
        other.goto(address)
        expect(running(other).locator("a")).to_have_text(wanted)
        expect(other.get_by_label("State")).to_have_value("running")
        expect(other.locator(".filters .quiet")).to_have_text(f"{len(wanted)} of {JOBS} live jobs")
    page.get_by_role("button", name="Clear filters").click()
    expect(page.get_by_role("table", name="Running")).to_have_attribute("aria-rowcount", str(RUNNING + 1))
    expect(page).to_have_url(f"{hub.address}/#/?sort=progress&order=desc")


def test_the_theme_turns_both_ways_while_rows_move_and_is_remembered(hub: Hub, page: Page):
    page.goto(hub.address)
    html, colour = page.locator("html"), "() => getComputedStyle(document.body).backgroundColor"
    moves(running(page).first)
    dark = page.evaluate(colour)
    page.keyboard.press("t")
    expect(html).to_have_attribute("data-theme", "light")
    light = page.evaluate(colour)
    assert light != dark
    moves(running(page).first)
    page.reload()
    moves(running(page).first)
    assert page.evaluate(colour) == light
    page.get_by_role("button", name="Dark").click()
    expect(html).to_have_attribute("data-theme", "dark")
    assert page.evaluate(colour) == dark
    moves(running(page).first)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_page_of_a_hub_at_work_is_accessible(hub: Hub, page: Page, axe, theme: str):
    page.emulate_media(color_scheme=theme)
    page.goto(hub.address)
    for address, shown in PAGES.items():
        page.goto(hub.address + address)
        expect(page.locator(shown).first).to_be_visible()
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        if address == "/#/appliances":
            are_told_apart(page)
        assert axe(page) == [], address


def are_told_apart(page: Page) -> None:
    """The appliances: which of them are worrying, and which is not."""
    rows = page.locator(".appliances-table tbody tr")
    expect(rows).to_have_text([
        re.compile("^branch.*It runs 0.1.0; others run 0.2.0"), re.compile("^rack-1.*nothing$"),
        re.compile("^rack-2.*Its clock is 1 min 1\\d s behind"),
    ])  # fmt: skip


def test_all_that_comes_between_two_animation_frames_is_painted_once(hub: Hub, page: Page):
    changes: list[str] = []

    def came(frame: str | bytes) -> None:
        if '"changes"' in str(frame)[:20]:
            changes.append(str(frame))

    page.on("websocket", lambda socket: socket.on("framereceived", came))
    page.goto(hub.address)
    bar = running(page).first.get_by_role("progressbar").first
    expect(bar).to_be_visible()
    page.evaluate(HOLD)
    page.wait_for_function("() => held.length > 0", polling=50)
    before = page.evaluate("patched")
    changes.clear()
    while len(changes) < 12:
        page.wait_for_timeout(50)
    assert page.evaluate("[held.length, patched]") == [1, before]
    shown = share(bar)
    page.evaluate("held.shift()(performance.now())")
    assert page.evaluate("patched") > before
    assert share(bar) > shown


def breach(hub: Hub, browser: Browser) -> None:
    """A visit whose first document runs a script that the policy forbids, and which then shows another one."""
    with watched(browser) as page:
        page.goto(hub.address)
        expect(running(page).first).to_be_visible()
        page.evaluate("document.body.append(Object.assign(document.createElement('script'), { text: '0' }))")
        page.reload()


def test_a_breach_of_the_policy_fails_a_test_though_its_document_is_left(hub: Hub, browser: Browser):
    with pytest.raises(AssertionError) as caught:
        breach(hub, browser)
    assert "CSP: script-src-elem inline" in str(caught.value)
