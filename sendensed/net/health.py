"""Health: whether the hub can do its work, why not, and what it measures of itself."""

from collections.abc import Callable, Sequence

from schemas import __version__
from schemas.reading import Figures, Replay
from schemas.reading import Health as HealthView
from sendensed.actors.hearing import Hearing
from sendensed.actors.measures import Measures
from sendensed.core.tally import Tally
from sendensed.net.http import Request, Response
from sendensed.net.route import Route, json
from sendensed.net.tls import Certificate

_REFUSING = (
    "more telemetry comes in than the hub can take: over a tenth of it is refused, and no job is called silent"
    " meanwhile; give the hub more processors or workers, or its senders a longer beat"
)


class Health:
    """The hub's word on itself."""

    def __init__(
        self,
        hearing: Hearing,
        measures: Measures,
        is_draining: Callable[[], bool],
        database: str,
        *,
        is_open: bool,
        certificate: Certificate | None,
        replay: Replay | None,
    ) -> None:
        self._hearing = hearing
        self._measures = measures
        self._is_draining = is_draining
        self._database = database
        self._is_open = is_open
        self._certificate = certificate
        self._replay = replay
        self.routes = (
            Route("GET", "/api/v1/health", self._health, "public", says=HealthView, statuses=("200", "503")),
        )

    async def _health(self, request: Request, values: Sequence[str]) -> Response:
        reasons = []
        if not self._hearing.is_ready:
            reasons.append("the database has not answered for over 15 s")
        if self._is_draining():
            reasons.append("the hub is stopping")
        tally = self._measures.read()
        health = HealthView(
            live=True,
            ready=not reasons,
            reasons=tuple(reasons),
            version=__version__,
            hub=self._hearing.hub,
            database=self._database if request.caller.may("read") else "",
            open=self._is_open,
            warnings=self._warnings(),
            replay=self._replay,
            time=self._hearing.clock.now(),
            figures=_figures(tally),
            workers=sum(hub.serves for hub in tally.hubs),
        )
        return json(health, 503 if reasons else 200)

    def _warnings(self) -> tuple[str, ...]:
        known = self._certificate.warnings(self._hearing.clock.now()) if self._certificate else ()
        return (*known, _REFUSING) if self._hearing.is_refusing else known


def _figures(tally: Tally) -> Figures:
    recent = tally.recent
    return Figures(
        telemetry_delay_p95_ms=_milliseconds(recent.delay.quantile(0.95)),
        queue_depth=sum(hub.queue_depth for hub in tally.hubs),
        queue_limit=sum(hub.queue_limit for hub in tally.hubs),
        batch_size=tally.batch_size,
        batch_ms=_milliseconds(recent.batch.mean()),
        database_ms=_milliseconds(recent.database.mean()),
        viewers=sum(hub.viewers for hub in tally.hubs),
        viewer_skips=tally.viewer_skips,
        uptime_seconds=int(max(hub.uptime for hub in tally.hubs)),
    )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
