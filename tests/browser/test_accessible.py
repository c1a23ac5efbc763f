"""The page for people who see, hear or point otherwise: axe-core finds nothing, in both themes and all states."""

import pytest
from playwright.sync_api import Page

from tests.browser.stage import GIB, Stage, at, disk, job

JOBS = [
    job("web", vm_name="web-01", appliance="rack-1", attempt=2, disks=[disk(0, 70.0), disk(1, 30.0)]),
    job("mail", eta_seconds=None, eta_reason="unknown_total", total_bytes=0, progress_percent=None),
    job("waits", status="pending", bytes_transferred=0, progress_percent=0.0, eta_seconds=None, started_at=None),
    job("slow", not_moving=True, last_moved_at=at(-800)),
    job("sql", status="stalled", eta_seconds=None, eta_reason="stalled", last_telemetry_at=at(-95)),
    job(
        "print",
        status="failed",
        completed_at=at(-60),
        error_message="EIO",
        disks=[disk(i, 40.0) for i in range(9)],
    ),
    job("done", status="completed", completed_at=at(-60), progress_percent=100.0, bytes_transferred=40 * GIB),
    job("stopped", status="cancelled", completed_at=at(-60)),
]
ALARM = {"kind": "mass_silence", "since": at(-90), "raised_by": "hub-b", "detail": "5 of 6 active jobs are silent"}


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1440, 800])
def test_the_jobs_page_is_accessible_in_every_state(stage: Stage, page: Page, axe, theme: str, width: int):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)
    stage.open()
    stage.greet(JOBS)
    page.clock.resume()
    assert axe(page) == []
    stage.say("tick", time=at(), ready=False, alarms=[ALARM])
    assert axe(page) == []
    stage.hang_up()
    page.wait_for_selector("#feed-lost")
    assert axe(page) == []


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_filters_that_match_nothing_the_keys_and_an_empty_hub_are_accessible(stage, page: Page, axe, theme: str):
    page.emulate_media(color_scheme=theme)
    stage.open("/#/?q=nothing&sort=speed&order=desc")
    stage.greet(JOBS)
    page.clock.resume()
    page.wait_for_selector("#no-match")
    assert axe(page) == []
    page.keyboard.press("?")
    assert axe(page) == []
    page.keyboard.press("Escape")
    page.goto("http://hub.test/#/")
    stage.say("snapshot", sequence=20, jobs=[])
    page.wait_for_selector("#empty")
    assert axe(page) == []


def test_a_long_table_is_accessible(stage: Stage, page: Page, axe):
    stage.open()
    stage.greet([job(f"vm-{index}") for index in range(400)])
    page.clock.resume()
    assert axe(page) == []


def test_the_check_finds_what_is_wrong(stage: Stage, page: Page, axe):
    stage.open()
    stage.greet([job("a")])
    page.clock.resume()
    page.locator("#search").evaluate("(input) => input.removeAttribute('aria-label') ?? (input.placeholder = '')")
    page.locator("#summary").evaluate("(text) => (text.style.color = '#222')")
    assert {line.split(":")[0] for line in axe(page)} == {"serious color-contrast", "critical label"}
