"""Page: what the jobs' page costs: bytes and time to the first row, and its frames while every job changes.

A real hub, a real Chromium, a thousand running jobs of two disks each, all of them updated four times a second.
The hub, its PostgreSQL, the sender and the browser share the machine, so of the times those of the page's own
thread say most: they are what a paint costs, whoever else wants the processor. Last, as the measure of what a
browser can do there at all, a still page of the same look is scrolled beside the same load: all of its rows are
there, nothing of it changes, and it runs no script but the one that scrolls.

    python -m tests.benchmarks.page --jobs 1000 --rate 4 --seconds 20
"""

import argparse
import json
import shutil
import statistics
import threading
import time
import urllib.request

from playwright.sync_api import Browser, CDPSession, Page, ViewportSize, sync_playwright

from tests.browser import hub as hubs
from tests.browser.conftest import CHROMIUM_ARGUMENTS
from tests.browser.hub import Hub, disk

SETTINGS = "[access]\nrate = 1000000\nburst = 1000000\n"
SCREEN: ViewportSize = {"width": 1440, "height": 900}
FIRST_ROW = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("tbody.job")) return;
  observer.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => (window.firstRow = performance.now())));
}).observe(document, { childList: true, subtree: true });
"""
STILL = """
([markup, rows]) => {
  const app = document.getElementById("app");
  app.innerHTML = markup;
  const table = app.querySelector("#running table");
  for (const gap of table.querySelectorAll("tbody:not(.job)")) gap.remove();
  const painted = [...table.tBodies];
  for (let row = painted.length; row < rows; row += 1)
    table.append(painted[row % painted.length].cloneNode(true));
}
"""
FRAMES = """
async ([milliseconds, isScrolled]) => {
  const gaps = [], tasks = [];
  let step = 40;
  const note = (list) => tasks.push(...list.getEntries().map((task) => task.duration));
  const observer = new PerformanceObserver(note);
  observer.observe({ type: "longtask" });
  const start = performance.now();
  let last = await new Promise(requestAnimationFrame);
  while (performance.now() - start < milliseconds) {
    if (isScrolled) {
      const stood = scrollY;
      scrollBy(0, step);
      if (scrollY === stood) step = -step;
    }
    const at = await new Promise(requestAnimationFrame);
    gaps.push(at - last);
    last = at;
  }
  observer.disconnect();
  return { gaps, tasks };
}
"""


class Sender:
    """Sends the next update of every job, so many times a second, until it is stopped."""

    def __init__(self, hub: Hub, jobs: int, rate: float) -> None:
        self._hub, self._jobs, self._rate = hub, jobs, rate
        self._sequence = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.rounds = 0

    def send(self) -> None:
        """One update of each, as one request."""
        self._sequence += 1
        share = 5 + self._sequence % 900 / 10
        updates = [
            {
                "job_type": "backup",
                "job_id": f"backup-vm-{number:04}-20261124-021200",
                "sequence": self._sequence,
                "status": "running",
                "current_phase": "transferring",
                "total_kind": "allocated",
                "disks": [disk(0, share), disk(1, share / 2)],
            }
            for number in range(self._jobs)
        ]
        content = json.dumps({"updates": updates}).encode()
        address = f"{self._hub.address}/api/v1/telemetry"
        request = urllib.request.Request(address, content, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            results = json.load(answer)["results"]
        assert all(result["status"] == "success" for result in results), results[:1]

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            self.send()
            self.rounds += 1
            due = max(due + 1 / self._rate, time.monotonic())
            self._stop.wait(due - time.monotonic())

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


class Wire:
    """What comes over the network, in bytes: files as sent, and the feed's messages."""

    def __init__(self, session: CDPSession) -> None:
        self.files = self.feed = self.changes = 0
        session.send("Network.enable")
        session.on("Network.loadingFinished", self._add_file)
        session.on("Network.webSocketFrameReceived", self._add_frame)

    def _add_file(self, event: dict) -> None:
        self.files += int(event["encodedDataLength"])

    def _add_frame(self, event: dict) -> None:
        said = event["response"]["payloadData"]
        self.feed += len(said)
        self.changes += said.startswith('{"type":"changes"')


class Watch:
    """Watches the frames of a page, and what they cost."""

    def __init__(self, browser: Browser, page: Page) -> None:
        self.page = page
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._all = browser.new_browser_cdp_session()
        self.wire = Wire(self._session)

    def _costs(self) -> dict[str, float]:
        """Chromium's own count in seconds of processor: the page's thread, its process, the display."""
        found = {one["name"]: one["value"] for one in self._session.send("Performance.getMetrics")["metrics"]}
        processes = self._all.send("SystemInfo.getProcessInfo")["processInfo"]
        found["Display"] = sum(one["cpuTime"] for one in processes if one["type"] == "GPU")
        return found

    def measure(self, seconds: float, name: str, *, scrolled: bool) -> None:
        """Watches for so long, and prints what the frames took."""
        before, brought = self._costs(), self.wire.changes
        found = self.page.evaluate(FRAMES, [seconds * 1000, scrolled])
        after, gaps = self._costs(), sorted(found["gaps"])
        spent = {key: 1000 * (after[key] - before[key]) for key in before}
        feeds, frames = self.wire.changes - brought, len(gaps)
        p50, p95, p99 = (statistics.quantiles(gaps, n=100)[cut] for cut in (49, 94, 98))
        print(f"{name}: {frames / seconds:.0f} frames/s, of the feed {feeds / seconds:.1f}/s")
        print(
            f"  from frame to frame: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, "
            f"longest {gaps[-1]:.0f} ms"
        )
        script, style, layout = (
            spent[f"{kind}Duration"] / seconds for kind in ("Script", "RecalcStyle", "Layout")
        )
        thread, process, display = (spent[kind] / frames for kind in ("ThreadTime", "ProcessTime", "Display"))
        print(
            f"  processor a frame: the page's thread {thread:.1f} ms, its raster and other threads "
            f"{max(process - thread, 0):.1f} ms, the display's process {display:.1f} ms"
        )
        print(f"  processor a second: script {script:.0f} ms, style {style:.0f} ms, layout {layout:.0f} ms")
        tasks, rows = found["tasks"], self.page.locator("tbody.job").count()
        print(f"  tasks over 50 ms: {len(tasks)}, longest {max(tasks, default=0):.0f} ms; rows painted: {rows}")


def still(browser: Browser, address: str, markup: str, rows: int) -> Page:
    """A page of the markup, with so many rows, that nothing changes."""
    # The widths of bars stand in the markup here, which the hub's own policy forbids.
    page = browser.new_page(viewport=SCREEN, bypass_csp=True)
    page.route("**/app.js", lambda route: route.abort())
    page.goto(address)
    page.evaluate(STILL, [markup, rows])
    return page


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.page", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--rate", type=float, default=4.0, help="updates of each job a second")
    parser.add_argument("--seconds", type=float, default=15.0)
    options = parser.parse_args()
    with (
        hubs.running(stall_after=600.0, fail_after=3_600.0, settings=SETTINGS) as hub,
        sync_playwright() as driver,
    ):
        sender = Sender(hub, options.jobs, options.rate)
        sender.send()
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport=SCREEN)
        watch = Watch(browser, page)
        page.add_init_script(FIRST_ROW)
        page.goto(hub.address)
        page.wait_for_function("() => window.firstRow")
        print(
            f"first row of {options.jobs} jobs painted after {page.evaluate('firstRow'):.0f} ms; "
            f"files {watch.wire.files / 1024:.0f} KiB, snapshot {watch.wire.feed / 1024:.0f} KiB"
        )
        watch.measure(3, "at rest", scrolled=False)
        sender.start()
        watch.measure(options.seconds, f"all at {options.rate:g}/s", scrolled=False)
        watch.measure(options.seconds, "the same, scrolled all the time", scrolled=True)
        markup = page.locator("#app").inner_html()
        page.close()
        baseline = Watch(browser, still(browser, hub.address, markup, options.jobs))
        baseline.measure(options.seconds, "a still page of that look, scrolled", scrolled=True)
        sender.stop()
        print(f"rounds of {options.jobs} updates sent: {sender.rounds}")
        browser.close()


if __name__ == "__main__":
    main()
