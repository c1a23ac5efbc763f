"""How little is painted: of a long list only what a viewer sees, and of the browser's work only what changed."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.stage import Stage, disk, job

NOTE_PAINTED = """() => {
  window.painted = new Set();
  const note = ({ target }) => {
    const row = (target.closest ? target : target.parentElement)?.closest("tbody.job");
    if (row) window.painted.add(row.querySelector("a").textContent.trim());
  };
  const all = { subtree: true, childList: true, attributes: true, characterData: true };
  new MutationObserver((changes) => changes.forEach(note)).observe(document.querySelector("main"), all);
}"""
ROWS = """() => [...document.querySelectorAll("tbody.job")].map((row) => {
  const { top, bottom } = row.getBoundingClientRect();
  const name = row.querySelector("a").textContent.trim();
  const share = row.querySelector(".percent-column").textContent;
  return { name, share, isSeen: bottom > 0 && top < innerHeight };
})"""
SCROLL = """(to) => new Promise((done) => {
  addEventListener("scroll", done, { once: true });
  scrollTo(0, to);
})"""
ELEMENTS = "() => document.querySelectorAll('tbody.job *').length / document.querySelectorAll('tbody.job').length"
AT_ONCE = 4
"""Rows that come and go together."""


def fleet(number: int, share: float, revision: int = 1) -> list[dict]:
    """So many running jobs of none to three disks, each as far as the others."""
    return [
        job(
            f"vm-{index:03}",
            progress_percent=share,
            revision=revision,
            disks=[disk(at, share) for at in range(index % 4)],
        )
        for index in range(number)
    ]


@pytest.mark.parametrize(("number", "width"), [(300, 1440), (150, 1440), (300, 430), (150, 430)])
def test_just_the_rows_on_the_screen_follow_every_change(stage: Stage, page: Page, number: int, width: int):
    page.set_viewport_size({"width": width, "height": 900})
    stage.open()
    stage.greet(fleet(number, 50.0))
    page.evaluate(SCROLL, 4_000)
    page.evaluate(NOTE_PAINTED)
    stage.say("changes", sequence=11, jobs=fleet(number, 60.0, revision=2))
    rows = page.evaluate(ROWS)
    seen = {row["name"] for row in rows if row["isSeen"]}
    painted = set(page.evaluate("[...painted]"))
    assert len(seen) > 5
    assert {row["name"] for row in rows if row["share"] == "60.0 %"} == painted
    assert seen <= painted
    assert len(painted) <= len(seen) + 2 * AT_ONCE < len(rows)

    page.evaluate(SCROLL, 4_500)
    assert {row["share"] for row in page.evaluate(ROWS) if row["isSeen"]} == {"60.0 %"}

    stage.pass_time(2)
    assert {row["share"] for row in page.evaluate(ROWS)} == {"60.0 %"}


def test_rows_that_come_have_the_style_of_no_other_row_worked_out_anew(
    stage: Stage, page: Page, browser: Browser, tmp_path: Path
):
    stage.open()
    stage.greet(fleet(600, 50.0))
    page.evaluate(SCROLL, 4_000)
    before = {row["name"] for row in page.evaluate(ROWS)}
    trace = tmp_path / "trace.json"
    browser.start_tracing(page=page, path=trace, categories=["devtools.timeline"])
    page.evaluate(SCROLL, 4_000 + 46 * AT_ONCE)
    browser.stop_tracing()
    came = {row["name"] for row in page.evaluate(ROWS)} - before
    events = json.loads(trace.read_text())["traceEvents"]
    styled = sum(one["args"].get("elementCount", 0) for one in events if one["name"] == "UpdateLayoutTree")
    assert len(came) == AT_ONCE
    assert 0 < styled < 3 * AT_ONCE * page.evaluate(ELEMENTS)


def test_a_narrow_screen_shows_the_rows_that_it_is_scrolled_to(stage: Stage, page: Page):
    page.set_viewport_size({"width": 430, "height": 900})
    stage.open()
    stage.greet(fleet(300, 50.0))
    page.evaluate(SCROLL, 20_000)
    assert sum(row["isSeen"] for row in page.evaluate(ROWS)) > 5
