"""Replay: an exported run is shown again by the hub's own page, in the run's time and faster."""

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from schemas import bundle
from schemas.job import EventView, JobDetail
from schemas.reading import Gap, Sample, Samples
from sendensed.core.model import Disk, Job
from sendensed.core.view import job_view
from tests.browser.hub import GIB, ROOT
from tests.waits import PATIENCE

NIGHT = datetime(2026, 11, 23, 2, 0, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NIGHT + timedelta(seconds=seconds)


@pytest.fixture
def recorded(tmp_path):
    """A run of 40 min that was silent from the 10th to the 15th, and failed."""
    spoken = [second for second in range(5, 2400, 5) if not 600 < second < 900]
    samples = tuple(
        Sample(at(second), 1, second * GIB // 60, 17 * 2**20 + second, "transferring") for second in spoken
    )
    rows = (
        (5, "state", "sender", "running", "running"),
        (5, "disk", "sender", "running", "disk 0 running"),
        (5, "disk", "sender", "running", "disk 1 pending"),
        (660, "state", "reaper", "stalled", "no telemetry for 1m00s"),
        (900, "state", "sender", "running", "stalled -> running"),
        (1500, "disk", "sender", "running", "disk 1 running"),
        (2400, "state", "sender", "failed", "the target's disk is full"),
    )
    events = tuple(
        EventView(at(second), kind, who, status, 1, None, second * GIB // 60, None, "transferring", detail)
        for second, kind, who, status, detail in rows
    )
    job = job_view(
        Job(
            id="backup-web01-20261123-020000",
            job_type="backup",
            vm_name="web01",
            created_at=NIGHT,
            started_at=at(5),
            completed_at=at(2400),
            last_telemetry_at=at(2400),
            status="failed",
            closed_by="sender",
            error_message="the target's disk is full",
            current_phase="transferring",
            bytes_transferred=40 * GIB,
            total_bytes=80 * GIB,
            progress_percent=50.0,
            sender="clientd/0.1.0",
            disks=(
                Disk(0, 30 * GIB, 40 * GIB, 75.0, "failed", "the target's disk is full"),
                Disk(1, 10 * GIB, 40 * GIB, 25.0, "cancelled"),
            ),
        )
    )
    chart = Samples(job.id, 5.0, samples, (Gap(at(600), at(900), "stalled"),))
    path = tmp_path / "run.ndjson"
    lines = bundle.write(JobDetail(job, events), chart, hub="hub-a", version="0.1.0", now=at(3000))
    path.write_bytes(b"\n".join(lines))
    return path


@pytest.fixture
def replay(recorded):
    """Starts replays of it; gives their address, and ends them as an operator does."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> str:
        words = [sys.executable, "-m", "sendensed", "replay", str(recorded), *options]
        one = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(one)
        return one.stdout.readline().strip()

    yield start
    for one in started:
        one.send_signal(signal.SIGINT)
        _, said = one.communicate(timeout=PATIENCE)
        assert one.returncode == 130
        assert "backup-web01-20261123-020000 from 2026-11-23T02:00:00Z to 2026-11-23T02:40:00Z" in said
        assert "Traceback" not in said


def test_the_run_goes_by_on_the_page_faster_than_it_was_and_ends_as_it_did(replay, page: Page, shoot):
    page.goto(replay("--speed", "80", "--from", "8m"))
    row = page.locator("tbody.job").filter(has_text="web01")
    expect(row).to_contain_text("running")
    expect(row).to_contain_text("stalled")
    expect(row).to_contain_text("running")
    shoot(page, "replay-running")
    expect(row).to_contain_text("failed")
    row.get_by_role("link", name="web01").first.click()
    expect(page.locator("#job")).to_contain_text("the target's disk is full")
    expect(page.locator("#job")).to_contain_text("no telemetry for 1m00s")
    shoot(page, "replay-ended")


def test_every_page_of_a_replay_says_that_it_is_none_of_a_live_hub(replay, page: Page, axe, shoot):
    address = replay("--speed", "0.5", "--from", "20m")
    for place in (
        "",
        "machines",
        "machine/web01",
        "calendar",
        "appliances",
        "hub",
        "job/backup-web01-20261123-020000",
    ):
        page.goto(f"{address}#/{place}")
        badge = page.locator("header #replayed")
        expect(badge).to_contain_text("Replay of backup-web01-20261123-020000 — not live.")
        expect(badge).to_contain_text("What hub hub-a showed, going by 0.5 times as fast")
        expect(page.locator(".pulse")).to_contain_text("replay")
        expect(page.locator(".pulse")).not_to_contain_text("live")
        expect(page).to_have_title("Replay: 1 running · Sendense")
        page.set_viewport_size({"width": 390, "height": 880})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, place
        page.set_viewport_size({"width": 1440, "height": 900})
    assert axe(page) == []
    expect(page.get_by_role("button", name="Cancel this job")).to_have_count(0)
    bars = page.get_by_role("table", name="Disks").get_by_role("progressbar")
    expect(bars).to_have_count(2)
    expect(bars.first).to_have_attribute("aria-valuenow", "50")
    expect(page.locator("#disks-unknown")).to_have_count(0)
    shoot(page, "replay-job")
    page.goto(replay("--speed", "0.5", "--from", "26m") + "#/job/backup-web01-20261123-020000")
    expect(page.locator("#disks-unknown")).to_contain_text("How far its 2 disks were at this time is not kept")
    expect(page.get_by_role("table", name="Disks")).to_have_count(0)
    ended = replay("--from", "40m")
    page.goto(ended)
    expect(page.locator("#replayed")).to_contain_text("at its end: it stands still")


def test_disks_that_ran_at_once_have_their_bars_where_the_bundle_tells_them(recorded, replay, page: Page, shoot):
    lines = [json.loads(line) for line in recorded.read_bytes().splitlines()]
    for line in lines:
        if line["kind"] == "sample":
            line["disks"] = [[0, line["bytes_transferred"] // 4], [1, line["bytes_transferred"] // 2]]
    recorded.write_text("\n".join(map(json.dumps, lines)))
    page.goto(replay("--speed", "0.5", "--from", "26m") + "#/job/backup-web01-20261123-020000")
    bars = page.get_by_role("table", name="Disks").get_by_role("progressbar")
    expect(bars).to_have_count(2)
    expect(bars.nth(0)).to_have_attribute("aria-valuenow", re.compile(r"^16\."))  # 6.5 of 40 GiB
    expect(bars.nth(1)).to_have_attribute("aria-valuenow", re.compile(r"^32\."))
    expect(page.locator("#disks-unknown")).to_have_count(0)
    shoot(page, "replay-disks")


def test_a_verification_has_its_points_where_the_bundle_tells_them(recorded, replay, page: Page, shoot):
    lines = [json.loads(line) for line in recorded.read_bytes().splitlines()]
    points = [line for line in lines if line["kind"] == "sample" and line["at"] >= "2026-11-23T02:20:00Z"]
    for number, line in enumerate(points):
        line.update(current_phase="verifying", bytes_verified=number * GIB // 12)
    lines[1]["job"]["bytes_to_verify"] = 20 * GIB
    recorded.write_text("\n".join(map(json.dumps, lines)))
    address = replay("--speed", "0.5", "--from", "25m")
    page.goto(address)
    expect(page.locator("tbody.job .bytes-column")).to_have_text("verified 5.0 GiBof 20.0 GiB")
    page.goto(f"{address}#/job/backup-web01-20261123-020000")
    expect(page.locator("#verified")).to_have_text("verified 5.0 GiB of 20.0 GiB")
    shoot(page, "replay-verifying")
    for line in points:
        del line["bytes_verified"]
    recorded.write_text("\n".join(map(json.dumps, lines)))
    page.goto(replay("--speed", "0.5", "--from", "25m") + "#/job/backup-web01-20261123-020000")
    expect(page.locator("#job dl").first).to_contain_text("verifying")
    expect(page.locator("#verified")).to_have_count(0)


def ask(address: str, method: str = "GET") -> tuple[int, dict]:
    try:
        request = urllib.request.Request(address, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_the_hubs_addresses_answer_as_of_the_runs_present_and_nothing_can_be_changed(replay):
    address = replay("--speed", "0.1", "--from", "20m")
    code, whole = ask(f"{address}api/v1/jobs/backup-web01-20261123-020000")
    assert (code, whole["job"]["status"]) == (200, "running")
    known = [(disk["disk_index"], disk["bytes_transferred"], disk["status"]) for disk in whole["job"]["disks"]]
    assert known == [(0, 20 * GIB, "running"), (1, 0, "pending")]
    assert whole["job"]["bytes_transferred"] == 20 * GIB
    assert 17 * 2**20 < whole["job"]["transfer_speed_bps"] < 18 * 2**20
    states = [event["status"] for event in whole["events"] if event["kind"] == "state"]
    assert states == ["running", "stalled", "running"]
    _, chart = ask(f"{address}api/v1/jobs/backup-web01-20261123-020000/samples")
    assert [gap["cause"] for gap in chart["gaps"]] == ["stalled"]
    assert chart["samples"][-1]["at"] == "2026-11-23T02:20:00Z"
    _, health = ask(f"{address}api/v1/health")
    assert health["hub"] == "replay of hub-a"
    assert health["replay"] == {
        "job_id": "backup-web01-20261123-020000", "hub": "hub-a", "end_at": "2026-11-23T02:40:00Z", "speed": 0.1,
        "disks": 2,
    }  # fmt: skip
    assert health["time"].startswith("2026-11-23T02:20:")
    assert ask(f"{address}api/v1/summary")[1]["running"] == 1
    assert ask(f"{address}api/v1/machines/web01")[0] == 200
    assert [one["name"] for one in ask(f"{address}api/v1/appliances")[1]["appliances"]] == ["clientd"]
    code, refused = ask(f"{address}api/v1/jobs/backup-web01-20261123-020000/cancel", "POST")
    assert (code, refused["error"]["code"]) == (403, "replay")


def test_what_is_no_bundle_or_not_for_this_machine_alone_is_refused(recorded, tmp_path):
    def refused(*words: str) -> tuple[int, str]:
        said = subprocess.run(
            [sys.executable, "-m", "sendensed", "replay", *words], cwd=ROOT, capture_output=True, text=True,
            timeout=PATIENCE, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert said.stdout == ""
        return said.returncode, said.stderr

    assert refused(str(tmp_path / "none"))[0] == 6
    (tmp_path / "other").write_text("{}")
    assert refused(str(tmp_path / "other"))[0] == 1
    assert refused("-") == (1, "sendensed: - cannot be shown: it is no bundle: header and job are missing; "
                            "sendensed export writes such files\n")  # fmt: skip
    code, said = refused(str(recorded), "--listen", "0.0.0.0:0")
    assert code == 2
    assert "loopback addresses only" in said
