"""A real client is killed before the eyes of the page."""

import os
import subprocess
import sys

import pytest
from playwright.sync_api import Page, expect

from tests.browser import hub as hubs
from tests.browser.hub import ROOT, Hub
from tests.waits import PATIENCE

MIB = 2**20


@pytest.fixture(scope="module")
def hub():
    """A hub of little patience: 2 s of silence to stalled, 8 to failed."""
    with hubs.running(stall_after=2.0, fail_after=8.0) as running:
        yield running


def test_a_killed_client_is_called_stalled_then_failed_on_the_page(hub: Hub, page: Page, tmp_path, shoot):
    source, target = tmp_path / "source.img", tmp_path / "target.img"
    source.write_bytes(os.urandom(64 * MIB))
    page.goto(hub.address)
    page.evaluate("window.isTheSamePage = true")
    command = [sys.executable, "-m", "clientd", "run", "--job-id", "backup-doomed-20261124-021200", "--json"]
    command += ["--hub", hub.address, "--disk", f"{source}={target}", "--max-rate", "2M"]
    command += ["--state-dir", str(tmp_path / "spool")]
    client = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        row = page.locator("tbody.job").filter(has_text="doomed")
        expect(page.locator("#running").locator(row)).to_be_visible(timeout=30_000)
        expect(row.locator(".phase-column")).to_contain_text("transferring2 of 3")
        bar = row.get_by_role("progressbar").first
        before = float(bar.get_attribute("aria-valuenow") or 0)
        page.wait_for_function(
            "([before]) => Number(document.querySelector('.job [role=progressbar]').ariaValueNow) > before",
            arg=[before],
        )
    finally:
        client.kill()
        client.wait(timeout=PATIENCE)
    attention = page.locator("#attention").locator(row)
    expect(attention.locator(".state")).to_have_text("stalled")
    expect(attention.locator(".note")).to_contain_text("No telemetry since")
    expect(page.locator("#spoken")).to_contain_text("doomed is stalled.")
    expect(attention.locator(".state")).to_have_text("failed")
    expect(attention.locator(".note")).to_contain_text("Closed by the hub, from silence: no telemetry for")
    expect(page.locator("#spoken")).to_contain_text("doomed is failed.")
    expect(page).to_have_title("1 failed · Sendense")
    assert page.evaluate("window.isTheSamePage")
    shoot(page, "fallen")
