"""Metrics: the host's hubs as they are at the scrape, for Prometheus. No label names a run.

What is counted and timed is the sum of all workers, whichever answers, so that no counter falls between two
scrapes. What says how each stands has a label `worker` where there are several, and none where the hub is one
process: so the series of such a hub, by far the most, are what they were, and rules hold for both.
"""

from collections.abc import Callable, Iterator, Sequence

import structlog

from schemas import __version__
from sendensed.actors.hearing import Hearing
from sendensed.actors.measures import Measures
from sendensed.core.exposition import OPEN_METRICS, PLAIN, Family, Labels, write
from sendensed.core.summary import view
from sendensed.core.tally import Standing, Tally
from sendensed.net.http import Request, Response
from sendensed.net.route import Route
from sendensed.store import StoreUnavailable
from sendensed.store.archive import Archive

log = structlog.get_logger()

MACHINES = 1_000
"""Machines whose last success is told, the first by name: each is a series that Prometheus keeps. How many more
there are is told as well."""

_STANDING: tuple[tuple[str, str, Callable[[Standing], float]], ...] = (
    (
        "ready",
        "1 while the database answers, 0 also where a worker does not serve.",
        lambda hub: int(hub.is_ready),
    ),
    ("uptime_seconds", "Since the start.", lambda hub: round(hub.uptime, 3)),
    ("queue_depth", "Updates that wait for the writer.", lambda hub: hub.queue_depth),
    ("queue_limit", "Updates that may wait.", lambda hub: hub.queue_limit),
)


class Metrics:
    """What a scrape is answered. The database's part is left out while it does not answer."""

    def __init__(self, archive: Archive, hearing: Hearing, measures: Measures) -> None:
        self._archive = archive
        self._hearing = hearing
        self._measures = measures
        self.routes = (Route("GET", "/metrics", self._metrics, "read", media="text/plain"),)

    async def _metrics(self, request: Request, values: Sequence[str]) -> Response:
        is_open = "application/openmetrics-text" in request.headers.get("accept", "")
        kept = await self._kept()
        families = [*_measured(self._measures.read()), *kept]
        kind = OPEN_METRICS if is_open else PLAIN
        return Response(200, write(families, open_metrics=is_open), kind, (("Cache-Control", "no-store"),))

    async def _kept(self) -> list[Family]:
        """What the database knows, the same from every hub."""
        try:
            summary = view(await self._archive.summary(), self._hearing.clock.now())
            successes = await self._archive.successes(limit=MACHINES)
        except StoreUnavailable as error:
            log.warning("metrics without the database's part", reason=str(error))
            return []
        return [
            Family(
                "sendensed_jobs",
                "gauge",
                "Jobs that may still be heard of, by state.",
                {(("state", state),): getattr(summary, state) for state in ("pending", "running", "stalled")},
            ),
            Family(
                "sendensed_jobs_ended_24h",
                "gauge",
                "Jobs that ended within 24 hours, by state.",
                {
                    (("state", state),): getattr(summary, f"{state}_24h")
                    for state in ("completed", "failed", "cancelled")
                },
            ),
            Family(
                "sendensed_machine_last_success_timestamp_seconds",
                "gauge",
                "When the newest completed run of a machine ended.",
                {(("machine", name),): round(end.timestamp(), 3) for name, end in successes.ends},
            ),
            _gauge(
                "sendensed_machines_left_out",
                "Machines beyond those whose last success is told.",
                successes.beyond,
            ),
        ]


def _measured(tally: Tally) -> Iterator[Family]:
    """What the hubs know by themselves."""
    yield Family("sendensed_build_info", "gauge", "The hub's version.", {(("version", __version__),): 1})
    of_each: dict[Labels, Standing] = {
        ((("worker", str(number)),) if len(tally.hubs) > 1 else ()): hub
        for number, hub in enumerate(tally.hubs, 1)
    }
    for name, purpose, value in _STANDING:
        yield Family(
            f"sendensed_{name}", "gauge", purpose, {labels: value(hub) for labels, hub in of_each.items()}
        )
    yield _gauge("sendensed_viewers", "Viewers of the live feed.", sum(hub.viewers for hub in tally.hubs))
    yield _counter("sendensed_viewer_skips", "States that slow viewers skipped.", tally.viewer_skips)
    yield _counter("sendensed_copied_bytes", "Bytes that were heard to be copied.", tally.copied_bytes)
    yield _counter("sendensed_batched_jobs", "Jobs written in batches.", tally.batched)
    yield Family(
        "sendensed_state_changes",
        "counter",
        "Changes of a job's state by who said so.",
        {(("said_by", voice), ("state", state)): count for (voice, state), count in tally.flips.items()},
    )
    for name, purpose, histogram in (
        ("telemetry_delay", "From an update's arrival to its commit, or to its answer.", tally.total.delay),
        ("batch", "Commits of a batch.", tally.total.batch),
        ("database", "The database's answer to a beat.", tally.total.database),
    ):
        yield Family(f"sendensed_{name}_seconds", "histogram", purpose, {(): histogram})


def _gauge(name: str, purpose: str, value: float) -> Family:
    return Family(name, "gauge", purpose, {(): value})


def _counter(name: str, purpose: str, value: float) -> Family:
    return Family(name, "counter", purpose, {(): value})
