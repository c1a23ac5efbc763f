"""The page's commands for a terminal, run as they stand there, on a hub that wants tokens."""

import json
import os
import shutil
import subprocess

import pytest
from playwright.sync_api import Page, expect

from tests.browser import hub as hubs
from tests.waits import PATIENCE

CURL = """#!/bin/sh
printf '%s\\n' "$@" >> "$CALLED_WITH"
exec {curl} "$@"
"""


@pytest.fixture(scope="module")
def hub():
    """A hub that wants tokens, with a job that runs and one that is over."""
    with hubs.running(guarded=True) as running:
        running.send("it's running", status="running", vm_name="web-01")
        running.send("over", status="completed", vm_name="web-02")
        yield running


@pytest.fixture
def commands(hub, page: Page):
    """What the page of a job offers, by its purpose."""
    link = hub.token("link", "admin", "--hub", hub.address)
    page.goto(link.strip())
    expect(page.locator("tbody.job")).not_to_have_count(0)

    def of(job_id: str) -> dict[str, str]:
        page.evaluate("id => { location.hash = `#/job/${encodeURIComponent(id)}`; }", job_id)
        expect(page.locator("#commands dt").first).to_be_visible()
        expect(page.locator("#commands dd").first).to_contain_text(job_id[-4:])
        names = page.locator("#commands dt").all_inner_texts()
        return dict(zip(names, page.locator("#commands dd").all_inner_texts(), strict=True))

    return of


def test_following_and_cancelling_are_offered_while_a_job_is_not_over(commands):
    assert list(commands("it's running")) == ["show", "follow", "cancel", "keep", "as JSON"]
    assert list(commands("over")) == ["show", "keep", "as JSON"]


def test_the_token_is_in_no_programs_arguments(hub, commands, tmp_path):
    line = commands("it's running")["as JSON"]
    token = (hub.state / "admin.token").read_text().strip()
    wrapper, called_with = tmp_path / "curl", tmp_path / "called-with"
    wrapper.write_text(CURL.format(curl=shutil.which("curl")))
    wrapper.chmod(0o755)
    surroundings = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CALLED_WITH": str(called_with)}
    for shell in ("sh", "bash", "zsh", "fish"):
        done = subprocess.run(
            [shell, "-c", line],
            env={**os.environ, **surroundings, "SENDENSE_TOKEN": token},
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )
        assert json.loads(done.stdout)["job"]["id"] == "it's running", shell
    assert called_with.read_text().count("-H") == 4
    assert token not in called_with.read_text()
