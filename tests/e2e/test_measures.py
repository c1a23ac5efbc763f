"""Several workers measure as one: whichever answers a scrape, its counters are the sums, and none ever falls."""

import os
import signal
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import Hub, children, eventually
from tests.waits import PATIENCE

WORKERS, JOBS, STEP = 3, 8, 1000
GROWING = ("_total", "_bucket", "_count", "_sum")

Series = dict[tuple[str, ...], float]


class Scraped:
    """What scrapes told: the newest, and that no counter was ever told to be less than before."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.told: Series = {}

    def scrape(self) -> Series:
        """One more, over a connection of its own."""
        with urllib.request.urlopen(f"{self.hub.url}/metrics", timeout=PATIENCE) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        told = {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}
        for series, value in self.told.items():
            if series[0].endswith(GROWING):
                assert told.get(series, 0) >= value, series
        self.told = told
        return told


def post_round(hub: Hub, number: int) -> None:
    """The next update of every job, over connections of their own; returns when all are acknowledged."""

    def post(job: int) -> bool:
        said = {"status": "running", "sequence": number, "bytes_transferred": number * STEP}
        return hub.post(f"job-{job}", **said)["applied"]

    with ThreadPoolExecutor(4) as senders:
        assert all(senders.map(post, range(JOBS)))


def assert_sums(scraped: Scraped, rounds: int) -> None:
    """Whoever is asked has counted every update that was acknowledged, once."""
    for _ in range(10):
        told = scraped.scrape()
        assert told["sendensed_telemetry_delay_seconds_count",] == rounds * JOBS
        assert told["sendensed_batched_jobs_total",] == rounds * JOBS
        assert told["sendensed_copied_bytes_total",] == rounds * JOBS * STEP
        assert told["sendensed_state_changes_total", "sender", "running"] == JOBS


def serving(hub: Hub) -> int:
    return hub.get("/api/v1/health")["workers"]


def test_whichever_worker_is_scraped_tells_the_sum_of_all_also_when_one_was_killed(make_hub):
    hub = make_hub(workers=WORKERS)
    scraped = Scraped(hub)
    assert len({hub.get("/api/v1/health")["hub"] for _ in range(40)}) == WORKERS  # connections meet all of them
    for rounds in range(1, 5):
        post_round(hub, rounds)
        assert_sums(scraped, rounds)
    eventually("all are ready", lambda: all(scraped.scrape()["sendensed_ready", n] for n in "123"))
    killed = eventually("its processes", lambda: children(hub.process.pid))[0]
    os.kill(killed, signal.SIGKILL)
    eventually("two serve", lambda: serving(hub) == WORKERS - 1)
    assert_sums(scraped, rounds)
    eventually("three serve again", lambda: scraped.scrape() and serving(hub) == WORKERS)
    for rounds in range(5, 9):
        assert_sums(scraped, rounds - 1)
        post_round(hub, rounds)
    assert_sums(scraped, rounds)
    figures = hub.get("/api/v1/health")["figures"]
    assert figures["queue_limit"] == sum(scraped.told["sendensed_queue_limit", number] for number in "123")
    assert figures["uptime_seconds"] >= 0
    assert hub.stop() == 0
