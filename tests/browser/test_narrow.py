"""The page on a telephone: nothing is cut off or left alone on a line."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.paper import Paper
from tests.browser.stage import ORIGIN, Stage, at, disk, job
from tests.browser.test_accessible import JOBS
from tests.browser.test_accessible_pages import PAGES, RUNNING, papers
from tests.browser.test_machine_page import a_machine

DISKS = [disk(0, 70.0), disk(1, 30.0, bottleneck="network"), disk(2, 40.0, status="failed", error_message="EIO")]

TEXTS_THAT_OVERLAP = """() => {
  const found = [];
  for (const row of document.querySelectorAll("main table:not(.grid) tr")) { // days scroll under their machines
    const texts = [];
    const walk = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const text = walk.currentNode;
      if (!text.data.trim() || text.parentElement.closest(".unseen, .cut, .clamp, .label")) continue;
      const range = document.createRange();
      range.selectNodeContents(text);
      for (const box of range.getClientRects()) if (box.width > 1) texts.push({ text: text.data, box });
    }
    for (const [index, { text, box }] of texts.entries())
      for (const other of texts.slice(index + 1)) {
        const wide = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const high = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        if (wide > 1 && high > 4) found.push(`${text} | ${other.text}`);
      }
  }
  return found;
}"""


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
@pytest.mark.parametrize("width", [360, 390])
def test_every_page_is_accessible_on_a_telephone_and_no_wider_than_it_is(
    stage: Stage, page: Page, axe, theme: str, width: int
):
    page.set_viewport_size({"width": width, "height": 880})
    page.emulate_media(color_scheme=theme)
    papers(page)
    stage.open()
    stage.greet([RUNNING, job("old", vm_name="web-02", disks=DISKS), *JOBS])
    wide = {}
    for address, shown in {"/#/": "#running", **PAGES}.items():
        page.goto(ORIGIN + address)
        stage.until(lambda shown=shown: page.locator(shown).count() > 0)
        wide[address] = page.evaluate("document.documentElement.scrollWidth")
        page.clock.resume()
        assert axe(page) == [], address
    page.goto(f"{ORIGIN}/login")
    wide["/login"] = page.evaluate("document.documentElement.scrollWidth")
    assert axe(page) == []
    assert max(wide.values()) <= width, wide


@pytest.mark.parametrize("width", [360, 600, 801])
def test_no_value_of_a_table_stands_upon_another(stage: Stage, page: Page, width: int):
    page.set_viewport_size({"width": width, "height": 880})
    papers(page)
    long = a_machine(name="a-long-name.of-a-machine.example.com", last_success_at=at(-59 * 60 - 58))
    Paper(page, "/api/v1/machines", {"machines": [a_machine(), long], "next": None})
    stage.open()
    stage.greet([RUNNING, job("old", vm_name="web-02", disks=DISKS), *JOBS])
    for address, shown in {"/#/": "#running", **PAGES}.items():
        page.goto(ORIGIN + address)
        stage.until(lambda shown=shown: page.locator(shown).count() > 0)
        stage.pass_time(1)
        assert page.evaluate(TEXTS_THAT_OVERLAP) == [], address


def test_a_row_of_machines_or_runs_says_on_a_telephone_what_each_value_is(stage: Stage, page: Page):
    page.set_viewport_size({"width": 390, "height": 880})
    papers(page)
    stage.open("/#/machines")
    stage.greet([RUNNING])
    row = page.locator(".machines-table tbody tr")
    names = "all => all.map(one => getComputedStyle(one, '::before').content.split('\"')[1])"
    assert row.locator("td[data-label]:visible").evaluate_all(names) == [
        "Last good run", "Last run", "Success", "Last size", "Mean duration", "Estimates",
    ]  # fmt: skip
    page.get_by_role("button", name="Success").click()
    heading = page.get_by_role("columnheader", name="Success")
    stage.until(lambda: heading.get_attribute("aria-sort") == "ascending")
    page.goto(f"{ORIGIN}/#/machine/web-01")
    stage.until(lambda: page.locator(".runs-table").count() > 0)
    run = page.locator(".runs-table tbody").first.locator("td[data-label]:visible")
    assert run.evaluate_all(names) == ["Created", "Type", "Size", "Took", "Average", "Attempt"]
