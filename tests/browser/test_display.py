"""What the page says when its numbers are old, uncertain or strange: states that a healthy hub never shows."""

import json
import re
from datetime import timedelta
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.stage import GIB, NOW, ORIGIN, Stage, at, disk, job


def row(page: Page, name: str):
    """The line of a job."""
    return page.locator("tbody.job").filter(has=page.get_by_role("link", name=name, exact=True))


@pytest.mark.parametrize("width", [1440, 1300, 1150, 1000])
def test_a_jobs_note_runs_over_all_columns_and_takes_none_of_their_room(
    stage: Stage, page: Page, width: int, shoot
):
    page.set_viewport_size({"width": width, "height": 700})
    stage.open()
    disks = [disk(0, 30.0), disk(1, 20.0)]
    stage.greet([
        job("silent", status="stalled", disks=disks, last_telemetry_at=at(-90)),
        job("full", status="failed", completed_at=at(-60), error_message="no room " * 60),
        job("fine", disks=disks),
    ])  # fmt: skip

    def columns(section: str) -> list[tuple[float, float]]:
        cells = page.locator(f"#{section} thead th:visible")
        return [(box["x"], box["width"]) for box in (cell.bounding_box() for cell in cells.all())]

    assert columns("attention") == columns("running")
    table = page.locator("#attention table").bounding_box()
    for note in page.locator("#attention .note .cut").all():
        box = note.bounding_box()
        assert box["x"] > table["x"] + 100
        assert table["width"] - 140 < box["width"] < table["width"] - 100
    shoot(page, f"notes-{width}")


def test_a_lost_feed_is_said_at_once_with_the_time_its_numbers_are_from(stage: Stage, page: Page):
    stage.open()
    stage.greet([job("web-01")])
    expect(page.locator("#summary")).to_have_text(
        "1 running, 0 stalled, 0 failed; finish 03:15 to 03:16; last telemetry 2 s ago"
    )
    stage.hang_up()
    expect(page.locator("#feed-lost")).to_contain_text(
        "Live feed lost 0 s ago; numbers are as of 03:14:07; trying again"
    )
    expect(page.locator("main")).to_have_class("stale")
    assert page.locator("main").evaluate("(main) => getComputedStyle(main).filter") == "grayscale(1)"
    assert page.title() == "feed lost · Sendense"


def test_ages_count_on_while_the_feed_is_lost(stage: Stage, page: Page):
    stage.open()
    stage.greet([job("web-01")])
    stage.pass_time(20.5)
    expect(page.locator("#feed-lost")).to_contain_text("Live feed lost 20 s ago")
    expect(page.locator("#summary")).to_contain_text("last telemetry 22 s ago")
    expect(row(page, "web-01").locator(".heard-column")).to_have_text("22 s agomoved 22 s ago")


def test_only_a_fresh_frame_ends_the_banner_and_the_position_is_resumed(stage: Stage, page: Page):
    stage.open()
    stage.greet([job("web-01")], sequence=41)
    stage.hang_up()
    stage.pass_time(1.5)
    assert stage.asked[-1].endswith("/api/v1/feed?since=41")
    stage.say("hello", hub="hub-a", heartbeat=5.0, protocol=1)
    expect(page.locator("#feed-lost")).to_contain_text("trying again now")
    stage.say("changes", sequence=42, jobs=[job("web-01", revision=2, progress_percent=75.0)])
    expect(page.locator("#feed-lost")).to_have_count(0)
    expect(row(page, "web-01").locator(".percent-column")).to_have_text("75.0 %")


def test_the_operator_need_not_wait_for_the_next_try(stage: Stage, page: Page):
    stage.open()
    stage.greet()
    stage.hang_up()
    page.get_by_role("button", name="Try now").click()
    stage.pass_time(0.1)
    assert len(stage.asked) == 2


def test_a_hub_that_was_never_reached_has_no_numbers_to_show(stage: Stage, page: Page):
    stage.open()
    stage.hang_up()
    expect(page.locator("#feed-lost")).to_contain_text(
        "No live feed: the hub does not answer; trying again in 1 s"
    )
    expect(page.locator("#summary")).to_have_text("Connecting to the hub")
    expect(page.locator("#empty")).to_have_count(0)


def test_a_hub_without_its_database_is_said_and_why(stage: Stage, page: Page, shoot):
    stage.open()
    stage.greet([job("web-01")])
    stage.health.update(ready=False, reasons=["the database has not answered for over 15 s"])
    stage.tick(ready=False)
    expect(page.locator("#not-ready")).to_contain_text("The hub cannot reach its database")
    expect(page.locator("#not-ready")).to_contain_text("not judged meanwhile")
    why = page.locator("#not-ready").get_by_text("(the database has not answered for over 15 s)")
    stage.until(lambda: why.count() == 1)
    shoot(page, "not-ready")
    stage.tick(ready=True)
    expect(page.locator("#not-ready")).to_have_count(0)


def test_ages_are_counted_by_the_hubs_clock_and_not_by_this_computers(stage: Stage, page: Page):
    stage.open(moment=NOW + timedelta(hours=7))
    stage.greet([job("web-01")])
    expect(page.locator("#summary")).to_contain_text("last telemetry 2 s ago")
    expect(page.locator(".pulse")).to_contain_text("03:14:07")


def test_a_job_that_is_heard_but_does_not_move_needs_attention(stage: Stage, page: Page):
    stage.open()
    stage.greet([job("web-01", last_moved_at=at(-720), not_moving=True)])
    expect(page.locator("#attention .note")).to_have_text(
        "Heard, but nothing has moved for 12 min 00 s, phase transferring."
    )
    expect(page.locator("#summary")).to_contain_text("1 running, 0 stalled, 0 failed, 1 not moving")


def test_an_end_that_the_hub_inferred_says_so(stage: Stage, page: Page):
    stage.open()
    reaped = {"status": "failed", "closed_by": "reaper", "completed_at": at(-60), "eta_seconds": 0}
    stage.greet([job("old-dc", error_message="no telemetry for 5m12s", **reaped)])
    expect(page.locator("#attention .note")).to_have_text(
        "Closed by the hub, from silence: no telemetry for 5m12s"
    )
    expect(row(page, "old-dc").locator(".left-column")).to_have_text("took 58 s")
    expect(row(page, "old-dc").locator(".heard-column")).to_have_text("ended 03:13:07")


def test_an_unknown_total_is_hatched_and_has_no_value(stage: Stage, page: Page):
    stage.open()
    unknown = {"total_bytes": 0, "total_kind": "", "progress_percent": None}
    stage.greet([job("mail", eta_seconds=None, eta_reason="unknown_total", bytes_transferred=12 * GIB, **unknown)])
    bar = row(page, "mail").get_by_role("progressbar")
    assert bar.get_attribute("aria-valuenow") is None
    expect(bar).to_have_attribute("aria-valuetext", "progress unknown, 12.0 GiB of unknown, running")
    expect(row(page, "mail").locator(".left-column")).to_have_text("total unknown")
    expect(row(page, "mail").locator(".percent-column")).to_have_text("\u2013")


def test_a_disk_left_behind_by_a_failed_job_is_unfinished_and_not_failed(stage: Stage, page: Page):
    stage.open()
    disks = [disk(0, 50.0, status="failed"), disk(1, 20.0)]
    stage.greet([job("print", status="failed", completed_at=at(-60), disks=disks)])
    bars = row(page, "print").locator(".disk [role=progressbar]")
    expect(bars.nth(0)).to_have_attribute("aria-valuetext", "50.0 %, 10.0 GiB of 20.0 GiB, failed")
    expect(bars.nth(1)).to_have_attribute("aria-valuetext", "20.0 %, 4.0 GiB of 20.0 GiB, unfinished")


def test_a_job_of_256_disks_shows_some_and_counts_the_others(stage: Stage, page: Page):
    stage.open("/")
    stage.greet([job("huge", disks=[disk(index, 40.0) for index in range(256)])])
    expect(row(page, "huge").locator(".disk")).to_have_count(24)
    expect(row(page, "huge").locator(".more")).to_have_text("+232")
    page.goto(f"{ORIGIN}/#/job/huge")
    stage.pass_time(0.1)
    expect(page.locator(".disk-table [role=progressbar]")).to_have_count(256)


def test_an_id_that_the_hub_does_not_know_is_said_so(stage: Stage, page: Page):
    stage.open("/#/job/no%20such%2Fjob")
    stage.greet([job("other")])
    expect(page.locator("#job")).to_contain_text("The hub knows no job with this id: no such/job")


def test_an_address_that_cannot_be_read_shows_all_jobs(stage: Stage, page: Page):
    stage.open("/#/job/%E0%A4%A")
    stage.greet([job("web-01")])
    expect(row(page, "web-01")).to_be_visible()


def test_a_job_too_old_for_the_feed_is_read_over_http(stage: Stage, page: Page):
    stage.details["old"] = json.loads(
        json.dumps({"job": job("old", status="completed", eta_seconds=0), "events": []})
    )
    stage.open("/#/job/old")
    stage.greet([job("other")])
    expect(page.locator("#job h2")).to_contain_text("completed")


def test_without_scripts_the_page_says_what_it_needs(browser):
    with browser.new_context(java_script_enabled=False) as context:
        stage = Stage(context.new_page())
        stage.page.goto(ORIGIN)
        assert "needs JavaScript" in (stage.page.locator("noscript").text_content() or "")


def test_a_page_whose_scripts_are_missing_says_so_after_a_while(page: Page):
    stage = Stage(page)
    page.route("**/vendor/preact.js", lambda route: route.fulfill(status=404, body=""))
    page.goto(ORIGIN)
    excuse = stage.page.get_by_text("The page's scripts have not loaded.")
    expect(excuse).to_be_hidden()
    excuse.evaluate("(text) => text.getAnimations().forEach((wait) => wait.finish())")
    expect(excuse).to_be_visible()


PAYLOAD = "<img src=x onerror=pwned=1><script>pwned=1</script>\"'><svg onload=pwned=1> \u202eabc"


def test_a_payload_in_every_field_that_is_shown_is_text_and_nothing_else(stage: Stage, page: Page):
    words = ("vm_name", "backup_type", "job_type", "current_phase", "total_kind", "error_message", "sender")
    said = dict.fromkeys((*words, "appliance", "eta_reason", "closed_by", "heard_by"), PAYLOAD)
    disks = [disk(index, 10.0, status=PAYLOAD, error_message=PAYLOAD) for index in range(2)]
    states = ("running", "pending", "stalled", "failed", "completed", PAYLOAD)
    jobs = [job(f"{PAYLOAD}{state}", status=state, disks=disks, completed_at=at(-60), **said) for state in states]
    stage.health.update(hub=PAYLOAD, version=PAYLOAD, database=PAYLOAD, ready=False, reasons=[PAYLOAD])
    page.route("**/api/v1/session", lambda route: route.fulfill(json={"name": PAYLOAD, "role": PAYLOAD}))
    stage.open(f"/#/?type={quote(PAYLOAD)}&appliance={quote(PAYLOAD)}&q={quote(PAYLOAD)}&sort={quote(PAYLOAD)}")
    stage.greet(jobs)
    alarm = {"kind": PAYLOAD, "since": at(), "raised_by": PAYLOAD, "detail": PAYLOAD}
    stage.say("tick", time=at(), ready=False, alarms=[alarm])
    stage.until(lambda: page.locator("tbody.job").count() == len(jobs) and page.locator(".account").count() == 1)
    expect(page.locator(".notice.alarm")).to_contain_text(PAYLOAD)
    assert page.locator("img, #app script, [onload], [onerror]").count() == 0
    assert page.evaluate("window.pwned") is None


def test_a_nights_first_line_is_one_line_at_1440_with_the_notice_of_open_mode_below_it(
    stage: Stage, page: Page, shoot
):
    page.set_viewport_size({"width": 1440, "height": 700})
    stage.health["open"] = True
    stage.open()
    running = {"eta_low_seconds": 5_000, "eta_high_seconds": 6_000}
    stage.greet([
        *(job(f"run-{number}", **running) for number in range(14)),
        job("new", eta_seconds=None, eta_reason="measuring"),
        job("still", not_moving=True, **running),
        job("next", status="pending", started_at=None),
        job("silent", status="stalled", last_telemetry_at=at(-90)),
        *(job(f"full-{number}", status="failed", completed_at=at(-60)) for number in range(11)),
    ])  # fmt: skip
    summary, notice = page.locator("#summary"), page.locator("#open-mode")
    expect(summary).to_contain_text(
        re.compile("^16 running, 1 pending, 1 stalled, 11 failed, 1 not moving; finish .* to .*; last telemetry")
    )
    line, said = summary.bounding_box(), notice.bounding_box()
    assert line["height"] < 1.5 * float(summary.evaluate("one => parseFloat(getComputedStyle(one).lineHeight)"))
    assert said["y"] > line["y"] + line["height"]
    assert page.locator(".second-line").bounding_box()["height"] < 45
    shoot(page, "open-mode-1440")
