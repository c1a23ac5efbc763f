"""The page of one job: a real hub under real telemetry, and a paper one for its bad days."""

import json
import urllib.request

import pytest
from playwright.sync_api import Page, expect

from tests.browser import hub as hubs
from tests.browser.hub import GIB, Hub, disk
from tests.browser.paper import Paper
from tests.browser.stage import Stage, at, job
from tests.waits import PATIENCE

PAYLOAD = "<img src=x onerror=pwned=1><script>pwned=1</script>\"'><svg onload=pwned=1> \u202eabc"


@pytest.fixture(scope="module")
def hub():
    """A hub that calls a job stalled after 5 s, and ticks every 0.5 s."""
    with hubs.running() as running:
        yield running


def asked(hub: Hub, path: str):
    with urllib.request.urlopen(hub.address + path, timeout=PATIENCE) as answer:
        return json.load(answer)


def event(**said):
    return {
        "at": at(-30), "kind": "state", "said_by": "sender", "status": "running", "attempt": 1, "sequence": 1,
        "bytes_transferred": 0, "progress_percent": 0.0, "current_phase": "starting",
        "detail": "pending -> running", **said,
    }  # fmt: skip


def detail(**said):
    shown = job("old", status="running")
    return {"job": shown, "events": [event()], "predictions": [], "accuracy": None, **said}


def samples(*seconds: float, gaps=()):
    return {
        "job_id": "old",
        "step_seconds": 5.0,
        "samples": [
            {
                "at": at(second), "attempt": 1, "bytes_transferred": 0, "transfer_speed_bps": 2**28,
                "current_phase": "transferring",
            }
            for second in seconds
        ],
        "gaps": [{"start": at(start), "end": at(end), "cause": cause} for start, end, cause in gaps],
    }  # fmt: skip


def test_a_job_has_an_address_of_its_own_and_its_numbers_move_there(hub: Hub, page: Page, shoot):
    name = "backup-web-01-20261124-021200"
    said = {"vm_name": "web-01", "backup_type": "incremental", "total_kind": "changed", "sender": "clientd/0.1.0"}

    def send(sequence: int, phase: str, first: float, second: float) -> None:
        disks = [disk(0, first, bottleneck="read"), disk(1, second, bottleneck="write")]
        hub.send(name, sequence=sequence, status="running", current_phase=phase, disks=disks, **said)

    send(1, "snapshot", 0, 0)
    page.goto(f"{hub.address}/#/job/{name}")
    expect(page.locator("#job h2")).to_contain_text("web-01")
    send(2, "transferring", 30, 10)
    bars = page.locator(".disk-table [role=progressbar]")
    expect(bars.nth(0)).to_have_attribute("aria-valuenow", "30")
    send(3, "transferring", 50, 40)
    expect(bars.nth(0)).to_have_attribute("aria-valuenow", "50")
    expect(page.locator(".headline .big")).to_have_text("45.0 %")
    expect(page.locator("#bottleneck")).to_have_text(
        "slowed by reading the source (disk 0), writing the target (disk 1)"
    )
    expect(page.locator(".disk-table .slow")).to_have_text("Slowed by")
    expect(page.locator(".chart canvas")).to_be_visible()
    expect(page.locator(".in-words")).to_contain_text("snapshot")
    expect(page.locator(".in-words")).to_contain_text("transferring")
    history = page.get_by_role("table", name="History")
    expect(history).to_contain_text("snapshot -> transferring")
    expect(history.locator("tbody tr").last).to_contain_text("the sender")
    for command in (
        f"sendensed job --hub {hub.address} {name}",
        f"sendensed watch --hub {hub.address} {name}",
        f"sendensed cancel --hub {hub.address} {name}",
        f"curl -sS -H @- {hub.address}/api/v1/jobs/{name}",
    ):
        expect(page.locator("#commands")).to_contain_text(command)
    shoot(page, "job-page-dark")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 800, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 800
    shoot(page, "job-page-light-800")
    page.locator("#job h2").get_by_role("link", name="web-01").click()
    expect(page.locator("#machine h2")).to_have_text("web-01")


def test_a_verification_is_seen_to_move_on_both_pages(hub: Hub, page: Page, shoot):
    said = {"status": "running", "current_phase": "verifying", "vm_name": "web-07", "disks": [disk(0, 100)]}
    hub.send("again", sequence=1, bytes_verified=GIB, bytes_to_verify=40 * GIB, **said)
    page.goto(hub.address)
    row = page.locator("tbody.job").filter(has_text="web-07")
    expect(row.locator(".bytes-column")).to_have_text("verified 1.0 GiBof 40.0 GiB")
    hub.send("again", sequence=2, bytes_verified=30 * GIB, bytes_to_verify=40 * GIB, **said)
    expect(row.locator(".bytes-column")).to_contain_text("verified 30.0 GiB")
    bar = row.get_by_role("progressbar").first
    expect(bar).to_have_attribute("aria-valuetext", "99.9 %, 20.0 GiB, verified 30.0 GiB of 40.0 GiB, running")
    expect(row.locator(".speed-column")).to_contain_text("\N{EN DASH}")
    expect(row.locator(".left-column")).to_have_text("verifying")
    shoot(page, "jobs-verifying")
    row.get_by_role("link", name="web-07").click()
    expect(page.locator("#verified")).to_have_text("verified 30.0 GiB of 40.0 GiB")
    hub.send("again", sequence=3, bytes_verified=31 * GIB, bytes_to_verify=40 * GIB, **said)
    expect(page.locator("#verified")).to_contain_text("verified 31.0 GiB")
    shoot(page, "job-verifying")
    hub.send("again", sequence=4, **{**said, "status": "completed"})
    expect(page.locator("#job h2 .state")).to_have_text("completed")
    expect(page.locator("#verified")).to_have_count(0)


def test_a_copy_that_is_verified_then_tells_its_own_time_left_and_that_within_its_column(
    stage: Stage, page: Page, shoot
):
    page.set_viewport_size({"width": 1440, "height": 500})
    said = job("old", eta_seconds=None, eta_reason="verification", eta_copy_seconds=43_500)
    stage.details["old"] = detail(job=said)
    stage.open()
    stage.greet([said])
    cell = page.locator("tbody.job .left-column")
    expect(cell).to_have_text("12 h 05 min+ verification")
    assert cell.evaluate("one => one.scrollWidth <= one.clientWidth")
    shoot(page, "jobs-to-be-verified")
    page.locator("tbody.job").get_by_role("link").first.click()
    stage.pass_time(1)
    expect(page.locator(".headline")).to_contain_text("time left: 12 h 05 min + verification")


def test_a_silent_jobs_gap_grows_on_the_chart_and_is_named(hub: Hub, page: Page, shoot):
    hub.send("silent", sequence=1, status="running", bytes_transferred=GIB, total_bytes=4 * GIB)
    page.goto(f"{hub.address}/#/job/silent")
    expect(page.locator("#job h2 .state")).to_have_text("stalled")
    expect(page.locator(".verdict")).to_contain_text("No telemetry since")
    expect(page.get_by_role("table", name="History")).to_contain_text("the hub, from silence")
    gap = page.locator("#gaps li")
    expect(gap).to_contain_text("the sender said nothing, and the job was called stalled")
    told = gap.inner_text()
    expect(gap).not_to_have_text(told)
    shoot(page, "job-silent")
    hub.send("silent", sequence=2, status="running", bytes_transferred=2 * GIB, total_bytes=4 * GIB)
    expect(page.locator("#job h2 .state")).to_have_text("running")


def test_a_job_is_cancelled_after_asking_back_and_the_answer_is_shown(hub: Hub, page: Page, shoot):
    hub.send("unwanted", sequence=1, status="running", bytes_transferred=GIB, total_bytes=4 * GIB)
    page.goto(f"{hub.address}/#/job/unwanted")
    button = page.get_by_role("button", name="Cancel this job")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="No, let it run")).to_be_focused()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    assert asked(hub, "/api/v1/jobs/unwanted")["job"]["cancel_requested_at"] is None
    page.keyboard.press("Enter")
    shoot(page, "job-cancel")
    # A stalled job is cancelled at once, and this one has been silent for as long as all of the above took.
    hub.send("unwanted", sequence=2, status="running", bytes_transferred=GIB, total_bytes=4 * GIB)
    page.get_by_role("button", name="Yes, cancel it").click()
    expect(page.locator(".cancel-answer")).to_contain_text("The hub has noted it")
    expect(page.get_by_role("table", name="History")).to_contain_text("asked to cancel")
    expect(page.locator(".cancel")).to_contain_text("An operator asked it to stop")
    hub.send("unwanted", sequence=3, status="cancelled", bytes_transferred=GIB, total_bytes=4 * GIB)
    expect(page.locator("#job h2 .state")).to_have_text("cancelled")
    expect(page.get_by_role("button", name="Ask again")).to_have_count(0)


def test_everything_that_senders_write_is_text_on_the_jobs_page(hub: Hub, page: Page, shoot):
    disks = [disk(0, 10, status=PAYLOAD, error_message=PAYLOAD), disk(1, 20, bottleneck=PAYLOAD)]
    hub.send(
        PAYLOAD,
        sequence=1,
        status="running",
        disks=disks,
        vm_name=PAYLOAD,
        backup_type=PAYLOAD,
        current_phase=PAYLOAD,
        sender=PAYLOAD,
    )
    hub.send(PAYLOAD, sequence=2, status="failed", current_phase=f"{PAYLOAD}2", error=PAYLOAD)
    page.goto(hub.address)
    page.evaluate("(id) => { location.hash = '#/job/' + encodeURIComponent(id); }", PAYLOAD)
    expect(page.locator("#job h2")).to_contain_text(PAYLOAD)
    for shown in (".verdict", "#events", ".in-words", ".disk-table", "#commands", "#job dl"):
        expect(page.locator(shown).first).to_contain_text(PAYLOAD if shown != "#commands" else "<img src=x")
    assert page.locator("img, script:not([src])").count() == 0
    assert page.evaluate("window.pwned") is None
    shoot(page, "job-hostile")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("backup-web_01", "backup-web_01"),
        ("a b", "'a b'"),
        ("it's $(rm -rf /)`", "'it'\\''s $(rm -rf /)`'"),
        ("-rf", "'-rf'"),
        ("", "''"),
        ("größe", "'größe'"),
    ],
)
def test_a_commands_word_means_just_its_text_to_a_shell(stage: Stage, page: Page, text, expected):
    stage.open_blank()
    assert page.evaluate("async (text) => (await import('/assets/shell.js')).word(text)", text) == expected


def test_who_may_only_read_is_told_why_there_is_no_cancelling_and_what_it_takes(stage: Stage, page: Page):
    Paper(page, "/api/v1/session", {"name": "eve", "role": "read", "expires_at": None})
    stage.open("/#/job/old")
    stage.greet([job("old")])
    expect(page.get_by_role("button", name="Cancel this job")).to_be_disabled()
    expect(page.locator(".cancel")).to_contain_text("this session may only read")
    expect(page.locator(".cancel")).to_contain_text("sendensed token create NAME --role operate")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "takes a token of the role operate"),
        (409, "Not cancelled: it has ended"),
        (401, "this session is over"),
        (503, "Not cancelled: it has ended"),
        (0, "whether the hub heard it is unknown"),
    ],
)
def test_a_refused_cancelling_says_what_the_hub_said(stage: Stage, page: Page, status, said):
    paper = Paper(page, "/api/v1/jobs/old/cancel", None)
    paper.refuse(status, "it has ended")
    stage.open("/#/job/old")
    stage.greet([job("old")])
    page.get_by_role("button", name="Cancel this job").click()
    page.get_by_role("button", name="Yes, cancel it").click()
    expect(page.locator(".cancel-answer")).to_contain_text(said)
    expect(page.get_by_role("button", name="Cancel this job")).to_be_focused()


def test_gaps_of_the_hub_are_named_in_words_with_their_time(stage: Stage, page: Page, shoot):
    gaps = [(-900, -600, "hub_away"), (-300, -200, "between_attempts")]
    Paper(page, "/api/v1/jobs/old/samples", samples(-1000, -900, -600, -300, -200, -2, gaps=gaps))
    stage.details["old"] = detail()
    stage.open("/#/job/old")
    stage.greet([job("old", created_at=at(-1000))])
    stage.pass_time(1)
    expect(page.locator("#gaps li")).to_have_text(
        [
            "no hub was there to hear 02:59:07, 5 min 00 s",
            "one attempt had ended and the next had not begun 03:09:07, 1 min 40 s",
        ]
    )
    shoot(page, "job-gaps")


def test_a_failed_reading_keeps_what_was_there_and_says_how_old_it_is(stage: Stage, page: Page, shoot):
    history = Paper(page, "/api/v1/jobs/old", detail())
    Paper(page, "/api/v1/jobs/old/samples", samples(-10, -5))
    stage.open("/#/job/old")
    stage.greet([job("old")])
    expect(page.locator("#events")).to_contain_text("pending -> running")
    history.refuse(503, "the hub cannot read its database now; ask again")
    stage.say("changes", sequence=11, jobs=[job("old", revision=2, current_phase="verifying")])
    notice = page.locator("#events .old-answer")
    expect(notice).to_contain_text("Old: the history as of 03:14:07")
    expect(notice).to_contain_text("The hub says: the hub cannot read its database now; ask again")
    expect(page.locator("#events .old")).to_contain_text("pending -> running")
    shoot(page, "job-old-history")
    history.status, history.body = 200, detail()
    stage.tick(at(4))
    stage.pass_time(6)
    stage.tick(at(10))
    expect(notice).to_have_count(0)


def test_a_stall_that_came_and_went_between_two_frames_is_in_the_history_at_once(stage: Stage, page: Page):
    stage.details["old"] = detail()
    stage.open("/#/job/old")
    stage.greet([job("old", event_count=1)])
    expect(page.locator("#events")).to_contain_text("pending -> running")
    stalled = event(said_by="reaper", status="stalled", detail="no telemetry for 1m00s")
    stage.details["old"] = detail(events=[event(), stalled, event(detail="stalled -> running")])
    stage.say("changes", sequence=11, jobs=[job("old", revision=3, event_count=3)])
    expect(page.locator("#events")).to_contain_text("no telemetry for 1m00s")
    expect(page.locator("#events")).to_contain_text("stalled -> running")


def test_an_estimate_has_its_range_and_how_good_such_estimates_are(stage: Stage, page: Page):
    accuracy = {"of": "machine", "runs": 23, "within_percent": 11.2}
    predictions = [
        {"percent": 25, "predicted_seconds": 300, "low_seconds": 240, "high_seconds": 400, "actual_seconds": None}
    ]
    stage.details["old"] = detail(accuracy=accuracy, predictions=predictions)
    stage.open("/#/job/old")
    stage.greet([job("old", eta_seconds=3605, eta_low_seconds=3002, eta_high_seconds=4802)])
    expect(page.locator(".headline")).to_contain_text("done 04:14 (in 1 h 00 min), between 04:04 and 04:34")
    expect(page.locator(".headline")).to_contain_text("usually within 12 %, by the last 23 runs of this machine")
    expect(page.locator("#predictions")).to_contain_text("At 25 % the hub said 5 min 00 s more")


def test_a_long_history_shows_its_newest_part_until_all_is_asked_for(stage: Stage, page: Page):
    stage.details["old"] = detail(events=[event(sequence=number) for number in range(100)])
    stage.open("/#/job/old")
    stage.greet([job("old")])
    rows = page.locator("#events tbody tr")
    expect(rows).to_have_count(40)
    expect(rows.first).to_contain_text("update 99")
    page.get_by_role("button", name="Show 60 older events").click()
    stage.pass_time(0.1)
    expect(rows).to_have_count(100)
