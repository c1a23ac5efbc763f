"""Page: what the jobs' page costs: bytes and time to the first row, and its frames while every job changes.

A real hub, a real Chromium, a thousand running jobs of two disks each, all of them updated four times a second.
The hub, its PostgreSQL, the sender and the browser share the machine, so of the times those of the page's own
thread say most: they are what a paint costs, whoever else wants the processor.

    python -m tests.benchmarks.page --jobs 1000 --rate 4 --seconds 20
"""

import argparse
import json
import shutil
import statistics
import threading
import time
import urllib.request

from playwright.sync_api import CDPSession, Page, sync_playwright

from tests.browser import hub as hubs
from tests.browser.conftest import CHROMIUM_ARGUMENTS
from tests.browser.hub import Hub, disk

SETTINGS = "[access]\nrate = 1000000\nburst = 1000000\n"
FIRST_ROW = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("tbody.job")) return;
  observer.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => (window.firstRow = performance.now())));
}).observe(document, { childList: true, subtree: true });
"""
FRAMES = """
async ([milliseconds, isScrolled]) => {
  const gaps = [], tasks = [];
  const note = (list) => tasks.push(...list.getEntries().map((task) => task.duration));
  const observer = new PerformanceObserver(note);
  observer.observe({ type: "longtask" });
  const start = performance.now();
  let last = await new Promise(requestAnimationFrame);
  while (performance.now() - start < milliseconds) {
    if (isScrolled) scrollBy(0, 40);
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


def metrics(session: CDPSession) -> dict[str, float]:
    """Chromium's own count of what the page's thread did, in seconds of processor."""
    return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}


def measure(page: Page, session: CDPSession, wire: Wire, seconds: float, name: str, *, scrolled: bool) -> None:
    """Watches the page for so long, and prints what its frames took."""
    before, brought = metrics(session), wire.changes
    found = page.evaluate(FRAMES, [seconds * 1000, scrolled])
    after, gaps = metrics(session), sorted(found["gaps"])
    feeds = max(wire.changes - brought, 1)
    script, style, layout = (
        1000 * (after[f"{kind}Duration"] - before[f"{kind}Duration"]) / feeds
        for kind in ("Script", "RecalcStyle", "Layout")
    )
    p50, p95, p99 = (statistics.quantiles(gaps, n=100)[cut] for cut in (49, 94, 98))
    print(f"{name}: {len(gaps) / seconds:.0f} frames/s, of the feed {feeds / seconds:.1f}/s")
    print(
        f"  from frame to frame: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, longest {gaps[-1]:.0f} ms"
    )
    print(f"  for each of the feed: script {script:.1f} ms, style {style:.1f} ms, layout {layout:.1f} ms")
    tasks, rows = found["tasks"], page.locator("tbody.job").count()
    print(f"  tasks over 50 ms: {len(tasks)}, longest {max(tasks, default=0):.0f} ms; rows painted: {rows}")


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
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        session = page.context.new_cdp_session(page)
        wire = Wire(session)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.add_init_script(FIRST_ROW)
        page.goto(hub.address)
        page.wait_for_function("() => window.firstRow")
        print(
            f"first row of {options.jobs} jobs painted after {page.evaluate('firstRow'):.0f} ms; "
            f"files {wire.files / 1024:.0f} KiB, snapshot {wire.feed / 1024:.0f} KiB"
        )
        measure(page, session, wire, 3, "at rest", scrolled=False)
        sender.start()
        measure(page, session, wire, options.seconds, f"all at {options.rate:g}/s", scrolled=False)
        measure(page, session, wire, options.seconds, "the same, scrolled all the time", scrolled=True)
        sender.stop()
        print(f"rounds of {options.jobs} updates sent: {sender.rounds}")
        browser.close()


if __name__ == "__main__":
    main()
