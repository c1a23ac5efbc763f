"""The page before a real hub: telemetry goes in, and the page shows it without being loaded again."""

import json
import re
import urllib.request

import pytest
from playwright.sync_api import Page, expect

from tests.browser import hub as hubs
from tests.browser.hub import GIB, Hub, disk
from tests.waits import PATIENCE

NASTY = 'VM 7 %2F ?a=b#c/<script>pwned=1</script> "é" \u202emoc.evil'
PAYLOAD = "<img src=x onerror=pwned=1><script>pwned=1</script>\"'><svg onload=pwned=1> \u202eabc"


@pytest.fixture(scope="module")
def hub():
    """A hub that calls a job stalled after 5 s, and ticks every 0.5 s."""
    with hubs.running() as running:
        yield running


def row(page: Page, name: str):
    """The line of a job."""
    return page.locator("tbody.job").filter(has=page.get_by_role("link", name=name, exact=True))


def test_an_empty_hub_gives_the_exact_next_command(hub: Hub, page: Page, shoot):
    page.goto(hub.address)
    expect(page.locator("#empty code")).to_have_text(
        f"clientd run --job-id backup-demo --disk SOURCE=TARGET --hub {hub.address}"
    )
    expect(page.locator("#summary")).to_have_text("0 running, 0 stalled, 0 failed; no telemetry yet")
    notice = page.locator("#open-mode")
    expect(notice).to_have_text("open mode: no sign-in, loopback only")
    red, green, blue = map(int, re.findall(r"\d+", notice.evaluate("one => getComputedStyle(one).color"))[:3])
    assert red > 1.5 * max(green, blue)
    shoot(page, "empty")


def test_bars_of_a_job_and_its_disks_move_without_a_reload(hub: Hub, page: Page, shoot):
    page.goto(hub.address)
    page.evaluate("window.isTheSamePage = true")

    def send(sequence: int, first: float, second: float) -> None:
        hub.send(
            "backup-web-01-20261124-021200",
            sequence=sequence,
            status="running",
            current_phase="transferring",
            total_kind="allocated",
            disks=[disk(0, first), disk(1, second)],
        )

    send(1, 25, 0)
    web = row(page, "web-01")
    bars = [web.get_by_role("progressbar", name=name, exact=True) for name in ("web-01", "disk 0", "disk 1")]
    for bar, share in zip(bars, ("12.5", "25", "0"), strict=True):
        expect(bar).to_have_attribute("aria-valuenow", share)
    expect(web.locator(".left-column")).to_have_text("measuring")
    send(2, 50, 30)
    for bar, share in zip(bars, ("40", "50", "30"), strict=True):
        expect(bar).to_have_attribute("aria-valuenow", share)
    expect(bars[0]).to_have_attribute("aria-valuetext", "40.0 %, 16.0 GiB of 40.0 GiB, running")
    expect(web.locator(".percent-column")).to_have_text("40.0 %")
    expect(web.locator(".bytes-column")).to_have_text("16.0 GiBof 40.0 GiB allocated")
    expect(web.locator(".disk .label .exact")).to_have_text(["50.0 %", "30.0 %"])
    widths = [bar.evaluate("(bar) => getComputedStyle(bar).backgroundSize") for bar in bars]
    assert widths == ["40% 100%", "50% 100%", "30% 100%"]
    assert page.evaluate("window.isTheSamePage")
    shoot(page, "running")


def test_a_silent_job_is_called_stalled_in_words_and_told_aloud(hub: Hub, page: Page, shoot):
    hub.send("sql-7", sequence=1, status="running", bytes_transferred=GIB, total_bytes=4 * GIB)
    page.goto(hub.address)
    stalled = page.locator("#attention").filter(has=row(page, "sql-7"))
    expect(row(page, "sql-7").locator(".state")).to_have_text("stalled")
    expect(stalled.locator(".note").filter(has_text="No telemetry since").first).to_be_visible()
    expect(row(page, "sql-7").locator(".left-column")).to_have_text("stalled")
    expect(page.locator("#spoken")).to_contain_text("stalled")
    assert "stalled" in page.title()
    shoot(page, "stalled")


def test_a_failed_job_stands_first_in_line_with_its_reason_and_its_failed_disk(hub: Hub, page: Page, shoot):
    page.goto(hub.address)
    failed = [disk(0, 100, status="completed"), disk(1, 40, status="failed", error_message="EIO at 8589934592")]
    hub.send("print", sequence=1, status="running", disks=[disk(0, 10), disk(1, 0)])
    hub.send("print", sequence=2, status="failed", disks=failed, error="disk 1: EIO at 8589934592")
    job = page.locator("#attention").locator(row(page, "print"))
    expect(job.locator(".state")).to_have_text("failed")
    expect(job.locator(".note")).to_have_text("disk 1: EIO at 8589934592")
    expect(job.locator(".disk.failed .label")).to_contain_text("1: 40.0 %")
    expect(page.locator("#summary")).to_contain_text("1 failed")
    shoot(page, "failed")


def test_a_completed_job_moves_to_the_recent_ones_at_100_percent(hub: Hub, page: Page):
    hub.send("done-1", sequence=1, status="running", bytes_transferred=3 * GIB, total_bytes=4 * GIB)
    page.goto(hub.address)
    expect(row(page, "done-1")).to_be_visible()
    hub.send("done-1", sequence=2, status="completed", bytes_transferred=4 * GIB, total_bytes=4 * GIB)
    done = page.locator("#recent").locator(row(page, "done-1"))
    expect(done.locator(".percent-column")).to_have_text("100 %")
    expect(done.locator(".bytes-column")).to_contain_text("4.0 GiB")


def test_a_row_is_reached_and_opened_by_keyboard_and_any_id_has_an_address(hub: Hub, page: Page, shoot):
    hub.send(NASTY, sequence=1, status="running", disks=[disk(0, 30), disk(1, 60)], sender="clientd/0.1.0")
    page.goto(hub.address)
    link = page.get_by_role("link", name=NASTY, exact=True)
    link.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#job h2 bdi")).to_have_text(NASTY)
    page.reload()
    expect(page.locator("#job h2 bdi")).to_have_text(NASTY)
    expect(page.locator(".disk-table [role=progressbar]")).to_have_count(2)
    expect(page.locator("#events")).to_contain_text("the sender")
    raw = page.get_by_role("link", name="Raw JSON").evaluate("(link) => link.href")
    with urllib.request.urlopen(raw, timeout=PATIENCE) as answer:
        assert json.load(answer)["job"]["id"] == NASTY
    hub.send(NASTY, sequence=2, status="running", disks=[disk(0, 40), disk(1, 60)])
    expect(page.locator(".headline .big")).to_have_text("50.0 %")
    expect(page.locator(".chart canvas")).to_be_visible()
    shoot(page, "job")


def test_what_senders_write_is_text_and_nothing_else(hub: Hub, page: Page, shoot):
    said = {
        "vm_name": f"{PAYLOAD}vm",
        "backup_type": PAYLOAD,
        "current_phase": PAYLOAD,
        "sender": PAYLOAD,
    }
    disks = [disk(0, 10, status=PAYLOAD, error_message=PAYLOAD), disk(1, 20, status=f"{PAYLOAD} x" * 3)]
    hub.send(PAYLOAD, sequence=1, status="running", disks=disks, **said)
    hub.send(f"{PAYLOAD}2", sequence=1, status="failed", disks=disks, error=PAYLOAD * 20, **said)
    page.goto(hub.address)
    expect(page.get_by_role("link", name=f"{PAYLOAD}vm", exact=True)).to_have_count(2)
    shoot(page, "hostile")
    page.locator("#attention tbody.failed").get_by_role("link", name=f"{PAYLOAD}vm", exact=True).click()
    expect(page.locator("#events")).to_contain_text(PAYLOAD)
    assert page.locator("img, script:not([src])").count() == 0
    assert page.evaluate("window.pwned") is None
    shoot(page, "hostile-job")


def test_a_killed_hub_is_said_at_once_and_the_page_comes_back_by_itself(hub: Hub, page: Page, shoot):
    page.goto(hub.address)
    page.evaluate("window.isTheSamePage = true")
    expect(row(page, "print")).to_be_visible()
    hub.kill()
    banner = page.locator("#feed-lost")
    expect(banner).to_contain_text("Live feed lost")
    expect(banner).to_contain_text("numbers are as of")
    expect(banner).to_contain_text("trying again")
    expect(page.locator("main.stale")).to_be_visible()
    assert page.title().startswith("feed lost")
    shoot(page, "lost")
    hub.start()
    expect(banner).to_have_count(0)
    expect(page.locator("main.stale")).to_have_count(0)
    hub.send("after", sequence=1, status="running", bytes_transferred=GIB, total_bytes=4 * GIB)
    expect(row(page, "after")).to_be_visible()
    expect(row(page, "print")).to_be_visible()
    assert page.evaluate("window.isTheSamePage")
