"""What the browser's tests share: one headless Chromium a file, and pages that may not complain of anything."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import stage as stages
from tests.browser.stage import Stage
from tests.waits import PATIENCE

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
README = Path(__file__).parents[2] / "README.md"
DOCS = README.parent / "docs"
MOST_BYTES = 150 * 1024
"""Of a picture in the documents."""
expect.set_options(timeout=1000 * PATIENCE)
WATCH = """
document.addEventListener("securitypolicyviolation", (event) => {
  window.tellBreach(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


@pytest.fixture(scope="module")
def browser():
    """A Chromium that ends with the file: its driver's event loop would disturb other tests' loops.

    The driver needs a loop of asyncio's own; where trio-asyncio is imported, a plain one is made only if asked.
    """
    asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS, headless=True
            )
            yield chromium
            chromium.close()
    finally:
        asyncio.set_event_loop_policy(None)


@contextmanager
def watched(browser: Browser) -> Iterator[Page]:
    """An empty page, 1440 x 900, of a viewer in Berlin. Raises AssertionError at its end if it complained.

    Complaints are script errors, console errors and CSP reports, of all documents that it showed. What the network
    refuses is no complaint: Chromium itself writes a line when a hub is away.
    """
    context = browser.new_context(
        viewport={"width": 1440, "height": 900},
        color_scheme="dark",
        locale="en-GB",
        reduced_motion="reduce",
        timezone_id="Europe/Berlin",
    )
    context.set_default_timeout(1000 * PATIENCE)
    complaints: list[str] = []
    context.expose_function("tellBreach", lambda report: complaints.append(f"CSP: {report}"))
    context.add_init_script(WATCH)
    opened = context.new_page()
    opened.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    opened.on("console", lambda message: _hear(complaints, message.type, message.text))
    yield opened
    opened.evaluate("null")  # what it has complained of comes before the answer
    context.close()
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose complaints fail the test."""
    with watched(browser) as opened:
        yield opened


def _hear(complaints: list[str], kind: str, text: str) -> None:
    if kind in ("error", "warning") and not re.search(
        r"net::ERR_|WebSocket connection to|Failed to load resource", text
    ):
        complaints.append(f"console: {text}")


@pytest.fixture
def stage(page: Page) -> Stage:
    """The page from disk, and a feed that the test itself speaks."""
    return Stage(page)


@pytest.fixture
def axe():
    """`axe(page)`: what axe-core finds wrong for people with other senses, as lines; as strict as WCAG AA."""
    script = (stages.WEB / "node_modules" / "axe-core" / "axe.min.js").read_text()

    def found(shown: Page) -> list[str]:
        shown.evaluate(script)
        return shown.evaluate(
            """async () => {
                const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
                const { violations } = await axe.run({ runOnly: rules });
                const line = (rule) => (node) => `${rule.impact} ${rule.id}: ${node.html}`;
                return violations.flatMap((rule) => rule.nodes.map(line(rule)));
            }"""
        )

    return found


@pytest.fixture
def shoot(request, tmp_path):
    """`shoot(page, name)` keeps a picture: among the test's files, or in `shots/` where SENDENSE_SHOTS is set."""
    kept = Path(__file__).parent / "shots" if os.environ.get("SENDENSE_SHOTS") else tmp_path
    kept.mkdir(exist_ok=True)

    def take(shown: Page, name: str) -> None:
        assert shown.screenshot(path=kept / f"{name}.png", full_page=True, animations="disabled")

    return take


@pytest.fixture
def picture(tmp_path):
    """`picture(page, name)` takes one of the screenshots that the documents show.

    They are written anew where SENDENSE_SHOTS is set, and else taken all the same but thrown away.
    """
    kept = DOCS / "screenshots" if os.environ.get("SENDENSE_SHOTS") else tmp_path
    kept.mkdir(exist_ok=True)

    def take(shown: Page, name: str) -> None:
        path = kept / f"{name}.png"
        assert shown.screenshot(path=path, animations="disabled")
        if kept == DOCS / "screenshots":
            make_small = ["pngquant", "--force", "--strip", "--speed", "1", "--output", path, "128", path]
            subprocess.run(make_small, check=True, timeout=PATIENCE)
            assert path.stat().st_size < MOST_BYTES
        assert f"screenshots/{name}.png" in "".join(path.read_text() for path in [README, *DOCS.glob("*.md")])

    return take
