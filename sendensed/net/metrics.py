"""Metrics: the hub's state as it is at the scrape, for Prometheus. No label names a run."""

from collections.abc import Iterator, Sequence

import structlog
import trio

from schemas import __version__
from sendensed.actors.fanout import Fanout
from sendensed.actors.hearing import Hearing
from sendensed.actors.receiver import Receiver
from sendensed.core.exposition import OPEN_METRICS, PLAIN, Family, write
from sendensed.core.summary import view
from sendensed.net.http import Request, Response
from sendensed.net.route import Route
from sendensed.store import StoreUnavailable
from sendensed.store.archive import Archive

log = structlog.get_logger()

MACHINES = 1_000
"""Machines whose last success is told, the first by name: each is a series that Prometheus keeps."""


class Metrics:
    """What a scrape is answered. The database's part is left out while it does not answer."""

    def __init__(self, archive: Archive, hearing: Hearing, fanout: Fanout, receiver: Receiver) -> None:
        self._archive = archive
        self._hearing = hearing
        self._fanout = fanout
        self._receiver = receiver
        self.routes = (Route("GET", "/metrics", self._metrics, "read", media="text/plain"),)

    async def _metrics(self, request: Request, values: Sequence[str]) -> Response:
        is_open = "application/openmetrics-text" in request.headers.get("accept", "")
        families = [*self._own(), *await self._kept()]
        kind = OPEN_METRICS if is_open else PLAIN
        return Response(200, write(families, open_metrics=is_open), kind, (("Cache-Control", "no-store"),))

    def _own(self) -> Iterator[Family]:
        """What this hub knows by itself."""
        hearing, gauges = self._hearing, self._hearing.gauges
        yield _gauge("sendensed_ready", "1 while the database answers.", int(hearing.is_ready))
        yield Family("sendensed_build_info", "gauge", "The hub's version.", {(("version", __version__),): 1})
        uptime = trio.current_time() - gauges.started_at
        yield _gauge("sendensed_uptime_seconds", "Since this hub's start.", round(uptime, 3))
        yield _counter(
            "sendensed_copied_bytes", "Bytes that this hub has heard to be copied.", gauges.copied_bytes
        )
        yield Family(
            "sendensed_state_changes",
            "counter",
            "Changes of a job's state by who said so.",
            {
                (("said_by", voice), ("state", state)): count
                for (voice, state), count in sorted(gauges.flips.items())
            },
        )
        yield Family(
            "sendensed_telemetry_delay_seconds",
            "histogram",
            "From the arrival of an update to its commit.",
            {(): gauges.delay.total},
        )
        yield Family("sendensed_batch_seconds", "histogram", "Commits of a batch.", {(): gauges.batch.total})
        yield _counter("sendensed_batched_jobs", "Jobs written in batches.", gauges.batched)
        yield Family(
            "sendensed_database_seconds",
            "histogram",
            "The database's answer to a beat.",
            {(): gauges.database.total},
        )
        yield _gauge("sendensed_queue_depth", "Updates that wait for the writer.", self._receiver.queue_depth)
        yield _gauge("sendensed_queue_limit", "Updates that may wait.", self._receiver.queue_limit)
        yield _gauge("sendensed_viewers", "Viewers of the live feed.", self._fanout.viewers)
        yield _counter("sendensed_viewer_skips", "States that slow viewers skipped.", self._fanout.skips)

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
                {(("machine", name),): round(end.timestamp(), 3) for name, end in successes},
            ),
        ]


def _gauge(name: str, purpose: str, value: float) -> Family:
    return Family(name, "gauge", purpose, {(): value})


def _counter(name: str, purpose: str, value: float) -> Family:
    return Family(name, "counter", purpose, {(): value})
