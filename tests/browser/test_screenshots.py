"""The pictures of the jobs' page in the documents: `SENDENSE_SHOTS=1` takes them anew."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.stage import GIB, MIB, Stage, at, disk, job

SPEEDS = [236, 241, 229, 252, 260, 248, 233, 238, 255, 262, 247, 90, 101, 240, 258, 251, 243, 249, 256, 250]


def run(machine: str, share: float, left: int, **said) -> dict:
    """A backup under way, with its estimate."""
    total = 40 * GIB
    return job(
        f"backup-{machine}-20261124-020000",
        vm_name=machine,
        progress_percent=share,
        bytes_transferred=int(total * share / 100),
        total_bytes=total,
        eta_seconds=left,
        eta_low_seconds=int(left * 0.9),
        eta_high_seconds=int(left * 1.25),
        **{
            "appliance": "rack-1",
            "started_at": at(-900),
            "last_moved_at": at(-1),
            "last_telemetry_at": at(-1),
            **said,
        },
    )


def ended(machine: str, minutes: int, **said) -> dict:
    """A backup that ended so many minutes ago."""
    times = {"started_at": at(-127 * minutes), "completed_at": at(-60 * minutes)}
    return run(machine, 100.0, 0, status="completed", closed_by="sender", **times, **said)


JOBS = [
    run("web-01", 64.2, 840, disks=[disk(0, 91.0), disk(1, 37.4)], transfer_speed_bps=251 * MIB),
    run("web-02", 31.0, 1_620, backup_type="full", disks=[disk(i, 24.0 + 7 * i) for i in range(3)]),
    run("db-01", 99.9, 0, attempt=2, current_phase="verifying", bytes_verified=27 * GIB, bytes_to_verify=64 * GIB),
    run("dns-3", 88.9, 95, total_kind="changed", transfer_speed_bps=402 * MIB),
    run("mail", 12.4, 2_700, appliance="rack-2", total_kind="changed", transfer_speed_bps=118 * MIB),
    {**run("files", 3.0, 0, eta_reason="measuring", transfer_speed_bps=96 * MIB), "eta_seconds": None},
    {**run("erp", 0.0, 0, status="pending", current_phase="pending"), "started_at": None, "last_moved_at": None},
    {
        **run("sql-07", 71.8, 0, status="stalled", eta_reason="stalled", appliance="rack-3"),
        "last_telemetry_at": at(-96),
        "last_moved_at": at(-98),
        "eta_seconds": None,
    },
    run(
        "print", 44.0, 0, status="failed", completed_at=at(-260), closed_by="sender",
        error_message="disk 1: target: no space left on device at 8.0 GiB (ENOSPC)",
        disks=[disk(0, 100.0, status="completed"), disk(1, 40.0, status="failed")],
    ),
    *(ended(name, 11 * number) for number, name in enumerate(("ldap", "dns-1", "dns-2", "wiki", "ci-1"), 2)),
]  # fmt: skip


@pytest.fixture
def night(stage: Stage, page: Page) -> Stage:
    """The page in the middle of a night's backups."""
    page.set_viewport_size({"width": 1440, "height": 760})
    for one in JOBS[:6]:
        stage.details[f"{one['id']}/samples"] = {
            "job_id": one["id"],
            "step_seconds": 30.0,
            "samples": [
                {
                    "at": at(-600 + 30 * index),
                    "bytes_transferred": one["bytes_transferred"] - (600 - 30 * index) * 240 * MIB,
                    "transfer_speed_bps": speed * MIB,
                }
                for index, speed in enumerate(SPEEDS)
            ],
            "gaps": [],
        }
    stage.open()
    stage.greet(JOBS)
    stage.until(lambda: page.locator(".spark path[d*=L]").count() == 6)
    return stage


def test_the_jobs_page_in_both_themes(night: Stage, page: Page, picture):
    picture(page, "jobs-dark")
    page.keyboard.press("t")
    night.pass_time(0.2)
    picture(page, "jobs-light")


def test_the_jobs_page_when_its_feed_is_lost(night: Stage, page: Page, picture):
    night.pass_time(15)
    expect(page.locator("#feed-lost")).to_be_visible()
    picture(page, "jobs-lost")


def test_the_jobs_page_on_a_narrow_screen(night: Stage, page: Page, picture):
    page.set_viewport_size({"width": 430, "height": 880})
    night.pass_time(0.2)
    picture(page, "jobs-narrow")
