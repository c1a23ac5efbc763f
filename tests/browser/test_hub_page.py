"""The hub's own page: ready or not and why, and what it measures of itself."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser import hub as hubs
from tests.browser.hub import GIB, Hub
from tests.browser.paper import Paper
from tests.browser.stage import Stage, at

FIGURES = {
    "telemetry_delay_p95_ms": 12.34, "queue_depth": 3, "queue_limit": 4096, "batch_size": 3.14159, "batch_ms": 8.2,
    "database_ms": 1500.0, "viewers": 2, "viewer_skips": 7, "uptime_seconds": 93_784,
}  # fmt: skip


def health(**said):
    return {
        "live": True, "ready": True, "reasons": [], "warnings": [], "version": "0.1.0", "hub": "hub-a",
        "database": "embedded PostgreSQL", "open": False, "time": at(), "figures": FIGURES, **said,
    }  # fmt: skip


def shown(stage: Stage, page: Page, **said) -> Paper:
    paper = Paper(page, "/api/v1/health", health(**said))
    stage.open("/#/hub")
    stage.greet()
    stage.pass_time(1)
    return paper


def row(page: Page, name: str):
    return page.locator(".figures-table tbody tr").filter(has=page.get_by_role("rowheader", name=name))


@pytest.fixture(scope="module")
def hub():
    """A hub that ticks every 0.5 s, and calls no job stalled while a test looks at it."""
    with hubs.running(stall_after=120.0) as running:
        yield running


def test_a_hub_tells_what_it_measures_and_keeps_it_greyed_when_it_is_gone(hub: Hub, page: Page, shoot):
    for number in range(20):
        hub.send("web-1", sequence=number, status="running", bytes_transferred=number * GIB, total_bytes=40 * GIB)
    page.goto(f"{hub.address}/#/hub")
    expect(page.locator("#readiness")).to_contain_text("Ready")
    expect(row(page, "Telemetry delay, p95").locator(".value")).to_contain_text("ms")
    expect(row(page, "Queue").locator(".value")).to_contain_text(" of ")
    expect(row(page, "Viewers").locator(".value")).to_have_text("1")
    expect(page.locator("#hub")).to_contain_text("embedded PostgreSQL")
    expect(page.locator("#hub")).to_contain_text(f"{hub.address}/api/v1/health")
    trend = page.locator(".trend path").first
    expect(page.locator(".trend").first).to_be_visible()
    drawn = trend.get_attribute("d")
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    assert len(trend.get_attribute("d")) >= len(drawn)
    page.keyboard.press("t")
    shoot(page, "hub")
    hub.kill()
    expect(page.locator("#hub .old-answer")).to_contain_text("Old: the hub's figures as of")
    expect(page.locator("#hub .old .figures-table")).to_be_visible()
    shoot(page, "hub-gone")
    hub.start()
    expect(page.locator("#hub .old-answer")).to_have_count(0)


def test_a_hub_that_is_not_ready_says_every_reason_and_where_to_look(stage: Stage, page: Page, shoot):
    paper = shown(stage, page)
    expect(page.locator("#readiness")).to_contain_text("Ready")
    paper.status = 503
    paper.body = health(
        ready=False, reasons=["the database has not answered for over 15 s", "the hub is stopping"]
    )
    stage.tick(ready=False)
    stage.pass_time(1)
    expect(page.locator("#readiness")).to_contain_text(
        "Not readythe database has not answered for over 15 s; the hub is stopping"
    )
    expect(page.locator("#hub")).to_contain_text("journalctl -u sendensed")
    expect(page.locator("#hub .old-answer")).to_have_count(0)
    shoot(page, "hub-not-ready")


def test_a_hub_of_several_workers_says_whose_the_figures_are(stage: Stage, page: Page):
    paper = shown(stage, page, workers=1)
    expect(page.locator("#hub .facts")).to_contain_text("hub-a")
    expect(page.locator("#hub .facts")).not_to_contain_text("workers")
    paper.body = health(hub="hub-a/2", workers=3)
    stage.pass_time(10)
    expect(page.locator("#hub .facts")).to_contain_text("hub-a/2, one of 3 workers; the figures are of all")


def test_figures_are_rounded_told_in_words_and_what_is_slow_is_said(stage: Stage, page: Page, shoot):
    shown(stage, page, warnings=["the certificate ends in 12 days"])
    expect(row(page, "Telemetry delay").locator(".value")).to_have_text("12 ms")
    expect(row(page, "Batch").first.locator(".value")).to_have_text("3.1 updates")
    expect(row(page, "Commit of a batch").locator(".value")).to_have_text("8.2 ms")
    expect(row(page, "Database answers").locator(".value")).to_have_text("1.5 s")
    expect(row(page, "Database answers").locator(".worry")).to_contain_text("The way to the database is slow.")
    expect(page.locator("#hub")).to_contain_text("the certificate ends in 12 days")
    expect(page.locator(".facts")).to_contain_text("1 d 2 h")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 800, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 800
    shoot(page, "hub-light-800")


def test_what_was_never_measured_is_a_dash_and_never_zero(stage: Stage, page: Page):
    nothing = {
        **FIGURES,
        "telemetry_delay_p95_ms": None,
        "batch_size": None,
        "batch_ms": None,
        "database_ms": None,
    }
    shown(stage, page, figures=nothing)
    for name in ("Telemetry delay", "Commit of a batch", "Database answers"):
        expect(row(page, name).locator(".value")).to_have_text("\u2013")


def test_a_full_queue_is_said_with_what_follows_from_it(stage: Stage, page: Page):
    shown(stage, page, figures={**FIGURES, "queue_depth": 4000})
    expect(row(page, "Queue").locator(".worry")).to_contain_text("Nearly full")


def test_names_of_hubs_and_databases_are_text(stage: Stage, page: Page):
    payload = "<img src=x onerror=pwned=1><script>pwned=1</script>"
    shown(stage, page, hub=payload, database=payload, version=payload, warnings=[payload], reasons=[payload])
    expect(page.locator(".facts")).to_contain_text(payload)
    assert page.locator("img, script:not([src])").count() == 0
    assert page.evaluate("window.pwned") is None
