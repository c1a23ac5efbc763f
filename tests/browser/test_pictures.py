"""The pictures of the deeper pages in the documents: `SENDENSE_SHOTS=1` takes them anew."""

from datetime import date, timedelta

from playwright.sync_api import Page, expect

from tests.browser.conftest import DOCS, MOST_BYTES
from tests.browser.paper import Paper
from tests.browser.stage import GIB, MIB, Stage, at, disk, job
from tests.browser.test_appliances import appliance
from tests.browser.test_calendar import a_day, told
from tests.browser.test_hub_page import health
from tests.browser.test_job_page import event
from tests.browser.test_machine_page import a_machine, ended

SQL = "backup-sql-07-20261124-013500"
SPEEDS = [231, 246, 238, 252, 241, 229, 244, 236, 250, 233, 247, 240]


def a_page(stage: Stage, page: Page, address: str, jobs: list | None = None, height: int = 760) -> None:
    """Opens a deeper page, as large as its picture, with its answers in."""
    page.set_viewport_size({"width": 1440, "height": height})
    stage.open(address)
    stage.greet(jobs)
    stage.pass_time(1)


DISKS = [(233 * GIB, 233 * GIB), (int(177.6 * GIB), 240 * GIB), (int(74.9 * GIB), 227 * GIB)]
WHOLE = sum(total for _, total in DISKS)


def done(second: float) -> int:
    """Bytes copied by then: nothing before it began, nor while it was silent."""
    spoken = max(0.0, min(second, -1400) + 2300) + max(0.0, second + 1160)
    return min(int(spoken * 241 * MIB), sum(copied for copied, _ in DISKS))


def a_run() -> dict:
    """A backup of three disks, which was silent for four minutes in its middle."""
    states = [{"status": "completed"}, {"bottleneck": "read"}, {"bottleneck": "network"}]
    return job(
        SQL, vm_name="sql-07", total_kind="changed", appliance="rack-3", sender="clientd/0.1.0",
        created_at=at(-2350), started_at=at(-2348), last_telemetry_at=at(-2), last_moved_at=at(-2),
        bytes_transferred=done(0), total_bytes=WHOLE, progress_percent=100 * done(0) / WHOLE,
        transfer_speed_bps=247 * MIB, eta_seconds=930, eta_low_seconds=840, eta_high_seconds=1_300,
        heard_by="hub-a", sequence=471, revision=480,
        disks=[
            disk(index, 100 * copied / total, bytes_transferred=copied, total_bytes=total, **said)
            for index, ((copied, total), said) in enumerate(zip(DISKS, states, strict=True))
        ],
    )  # fmt: skip


def a_history() -> list[dict]:
    silent = f"no telemetry for 1m00s (last heard 2026-11-24T01:50:47Z at {100 * done(-1400) / WHOLE:.1f} %, "
    seen = [
        (-2350, "state", "sender", "pending", "pending", "pending"),
        (-2348, "state", "sender", "running", "starting", "pending -> running"),
        (-2300, "phase", "sender", "running", "transferring", "starting -> transferring"),
        (-1340, "state", "reaper", "stalled", "transferring", f"{silent}phase transferring)"),
        (-1160, "state", "sender", "running", "transferring", "stalled -> running"),
        (-420, "disk", "sender", "running", "transferring", "disk 0 completed"),
    ]
    return [
        event(
            at=at(second), kind=kind, said_by=who, status=status, current_phase=phase, detail=said,
            bytes_transferred=done(second), progress_percent=round(100 * done(second) / WHOLE, 1),
            sequence=1 + (2350 + min(second, -1400) + max(0, second + 1160)) // 5,
        )
        for second, kind, who, status, phase, said in seen
    ]  # fmt: skip


def a_chart() -> dict:
    spoken = [second for second in range(-2340, 0, 10) if not -1400 < second < -1160]
    return {
        "job_id": SQL,
        "step_seconds": 10.0,
        "samples": [
            {
                "at": at(second), "attempt": 1, "bytes_transferred": done(second),
                "transfer_speed_bps": SPEEDS[number % 12] * MIB if second > -2300 else 0,
                "current_phase": "transferring" if second > -2300 else "snapshot",
            }
            for number, second in enumerate(spoken)
        ],
        "gaps": [{"start": at(-1400), "end": at(-1160), "cause": "stalled"}],
    }  # fmt: skip


def foretold(percent: int, seconds: int, low: int, high: int) -> dict:
    """What was said then, of a run that is not over."""
    return {
        "percent": percent, "predicted_seconds": seconds, "low_seconds": low, "high_seconds": high,
        "actual_seconds": None,
    }  # fmt: skip


def test_the_page_of_a_job(stage: Stage, page: Page, picture):
    detail = {
        "job": a_run(),
        "events": a_history(),
        "accuracy": {"of": "machine", "runs": 31, "within_percent": 11.2},
        "predictions": [foretold(25, 2_200, 1_700, 2_900), foretold(50, 1_450, 1_200, 1_900)],
    }  # fmt: skip
    Paper(page, f"/api/v1/jobs/{SQL}", detail)
    Paper(page, f"/api/v1/jobs/{SQL}/samples", a_chart())
    a_page(stage, page, f"/#/job/{SQL}", [a_run()], height=1080)
    expect(page.locator("#gaps li")).to_have_count(1)
    picture(page, "job")


NAMES = ("ci-1", "db-01", "dns-1", "dns-2", "erp", "files", "ldap", "mail", "sql-07", "web-01", "web-02", "wiki")


def a_fleet() -> list[dict]:
    fleet = [
        a_machine(
            name=name, runs=100, completed=100 - number % 4, failed=number % 4, success_percent=100.0 - number % 4,
            mean_bytes=(number + 2) * 7 * GIB, last_bytes=(number + 2) * 7 * GIB + number * GIB // 3,
            mean_seconds=240 + 97 * number, within_percent=6.0 + number, last_run_at=at(-3_600 - 977 * number),
            last_success_at=at(-3_600 - 977 * number),
        )
        for number, name in enumerate(NAMES)
    ]  # fmt: skip
    fleet[7].update(last_success_at=at(-3 * 86_400), failed=9, completed=91, success_percent=91.0)
    return fleet


def test_the_list_of_machines(stage: Stage, page: Page, picture):
    Paper(page, "/api/v1/machines", {"machines": a_fleet(), "next": None})
    now = [
        a_run(),
        job("web-9", vm_name="web-01", progress_percent=31.0),
        job("erp-4", vm_name="erp", status="stalled"),
    ]
    a_page(stage, page, "/#/machines?sort=success&order=asc", now, height=580)
    stage.until(lambda: page.locator(".machines-table tbody th").first.inner_text() == "mail")
    picture(page, "machines")


def test_the_page_of_a_machine(stage: Stage, page: Page, picture):
    days = [date(2026, 11, 23) - timedelta(days=ago) for ago in range(24)]
    runs = [
        ended(f"backup-sql-07-{day:%Y%m%d}-0200", ago=86_400 * (number + 1) - 12_000)
        for number, day in enumerate(days)
    ]
    for number, run in enumerate(runs):
        began = at(-86_400 * (number + 1) + 12_000 - 2_400 - 130 * (number % 5))
        run.update(created_at=began, started_at=began)
        run.update(bytes_transferred=(38 + 11 * (number % 3) + number) * GIB, backup_type="incremental")
    runs[4].update(status="failed", bytes_transferred=9 * GIB, closed_by="reaper", error_message=(
        "no telemetry for 5m12s (last heard 2026-11-19T02:14:07Z at 22.1 %, phase transferring)"
    ))  # fmt: skip
    runs[11].update(status="cancelled", bytes_transferred=20 * GIB)
    machine = a_machine(
        name="sql-07", runs=26, completed=24, failed=1, cancelled=1, success_percent=92.3, mean_bytes=52 * GIB,
        mean_seconds=2_710, last_bytes=38 * GIB,
        last_success_at=at(-74_400),
    )  # fmt: skip
    Paper(page, "/api/v1/machines/sql-07", {"machine": machine, "active": [], "runs": runs, "next": "more"})
    a_page(stage, page, "/#/machine/sql-07", [a_run()], height=860)
    expect(page.locator("#sizes canvas")).to_be_visible()
    picture(page, "machine")


def test_the_calendar(stage: Stage, page: Page, picture):
    machines = {
        name: [
            a_day(ago, "completed", completed=1) if (ago * 7 + number * 5) % 23 else a_day(ago, "failed", failed=1)
            for ago in range(13, -1, -1)
            if not (number == 4 and ago in (5, 6))
        ]
        for number, name in enumerate(NAMES)
    }
    machines["mail"][-3:] = [
        a_day(2, "failed", failed=1),
        a_day(1, "failed", failed=2),
        a_day(0, "running", active=1),
    ]
    machines["web-02"][-5] = a_day(4, "completed", completed=1, failed=1)
    machines["wiki"][-8] = a_day(7, "cancelled", cancelled=1)
    Paper(page, "/api/v1/calendar", told(machines))
    a_page(stage, page, "/#/calendar", [a_run()], height=600)
    page.wait_for_selector(".grid")
    picture(page, "calendar")


def test_the_appliances(stage: Stage, page: Page, picture):
    fleet = [
        appliance("rack-1", active=14),
        appliance("rack-2", active=9, clock_skew_seconds=-75.0),
        appliance("rack-3", active=3, spool_depth=3, spool_age_seconds=140.0),
        appliance("branch-east", active=2, last_heard_at=at(-210)),
        appliance("branch-west", active=0, version="0.1.0", last_heard_at=at(-7_200)),
    ]
    Paper(page, "/api/v1/appliances", {"appliances": fleet})
    a_page(stage, page, "/#/appliances", [a_run()], height=520)
    page.wait_for_selector(".appliances-table")
    picture(page, "appliances")


def test_the_hub(stage: Stage, page: Page, picture):
    figures = {
        "telemetry_delay_p95_ms": 12.0, "queue_depth": 3, "queue_limit": 4_096, "batch_size": 6.4, "batch_ms": 8.2,
        "database_ms": 1.4, "viewers": 4, "viewer_skips": 7, "uptime_seconds": 93_784,
    }  # fmt: skip
    paper = Paper(page, "/api/v1/health", health(figures=figures, warnings=["the certificate ends in 12 days"]))
    a_page(stage, page, "/#/hub", [a_run()], height=720)
    for number in range(1, 26):
        share = 1 + ((number * 7) % 11) / 20
        moved = {
            name: figures[name] * share
            for name in ("telemetry_delay_p95_ms", "batch_size", "batch_ms", "database_ms")
        }
        more = {"queue_depth": number * 5 % 8, "viewers": 3 + number // 9, "viewer_skips": 7 + number // 4}
        paper.body = health(
            figures={**figures, **moved, **more}, time=at(5 * number), warnings=["the certificate ends in 12 days"]
        )
        read = len(paper.queries)
        stage.tick(at(5 * number))
        stage.until(lambda read=read: len(paper.queries) > read)
    heard = {**a_run(), "last_telemetry_at": at(124), "revision": 490}
    stage.say("changes", sequence=11, jobs=[heard])
    picture(page, "hub")


def test_signing_in(stage: Stage, page: Page, picture):
    page.set_viewport_size({"width": 1000, "height": 420})
    stage.open("/login")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    picture(page, "login")


def test_a_hub_without_a_job(stage: Stage, page: Page, picture):
    a_page(stage, page, "/", [], height=520)
    expect(page.locator("#empty")).to_be_visible()
    picture(page, "empty")


def test_the_pictures_in_the_documents_are_there_and_small():
    text = "".join(path.read_text() for path in [DOCS.parent / "README.md", *DOCS.glob("*.md")])
    kept = sorted((DOCS / "screenshots").glob("*.png"))
    assert len(kept) > 10
    for path in kept:
        assert f"screenshots/{path.name}" in text, path
        assert path.stat().st_size < MOST_BYTES, path
