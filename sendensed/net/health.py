"""Health: whether the hub can do its work, why not, and what it measures of itself."""

from collections.abc import Callable, Sequence

import trio

from schemas import __version__
from schemas.reading import Figures
from schemas.reading import Health as HealthView
from sendensed.actors.fanout import Fanout
from sendensed.actors.hearing import Hearing
from sendensed.actors.receiver import Receiver
from sendensed.net.http import Request, Response
from sendensed.net.route import Route, json
from sendensed.net.tls import Certificate


class Health:
    """The hub's word on itself."""

    def __init__(
        self,
        hearing: Hearing,
        fanout: Fanout,
        receiver: Receiver,
        is_draining: Callable[[], bool],
        hub: str,
        database: str,
        *,
        is_open: bool,
        certificate: Certificate | None,
    ) -> None:
        self._hearing = hearing
        self._fanout = fanout
        self._receiver = receiver
        self._is_draining = is_draining
        self._hub = hub
        self._database = database
        self._is_open = is_open
        self._certificate = certificate
        self.routes = (
            Route("GET", "/api/v1/health", self._health, "public", says=HealthView, statuses=("2XX", "503")),
        )

    async def _health(self, request: Request, values: Sequence[str]) -> Response:
        reasons = []
        if not self._hearing.is_ready:
            reasons.append("the database has not answered for over 15 s")
        if self._is_draining():
            reasons.append("the hub is stopping")
        health = HealthView(
            live=True,
            ready=not reasons,
            reasons=tuple(reasons),
            version=__version__,
            hub=self._hub,
            database=self._database if request.caller.may("read") else "",
            open=self._is_open,
            warnings=self._certificate.warnings(self._hearing.clock.now()) if self._certificate else (),
            time=self._hearing.clock.now(),
            figures=self._figures(trio.current_time()),
        )
        return json(health, 503 if reasons else 200)

    def _figures(self, at: float) -> Figures:
        gauges = self._hearing.gauges
        return Figures(
            telemetry_delay_p95_ms=_milliseconds(gauges.delay.percentile(at, 0.95)),
            queue_depth=self._receiver.queue_depth,
            queue_limit=self._receiver.queue_limit,
            batch_size=gauges.batch_size,
            batch_ms=_milliseconds(gauges.batch.mean(at)),
            database_ms=_milliseconds(gauges.database.mean(at)),
            viewers=self._fanout.viewers,
            viewer_skips=self._fanout.skips,
            uptime_seconds=int(at - gauges.started_at),
        )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
