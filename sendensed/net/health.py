"""Health: whether the hub can do its work, and why not."""

from collections.abc import Callable, Sequence

from schemas import __version__
from schemas.job import Health as HealthView
from sendensed.actors.writer import Hearing
from sendensed.net.http import Request, Response
from sendensed.net.route import Route, json


class Health:
    """The hub's word on itself."""

    def __init__(self, hearing: Hearing, is_draining: Callable[[], bool], hub: str, database: str) -> None:
        self._hearing = hearing
        self._is_draining = is_draining
        self._hub = hub
        self._database = database
        self.routes = (Route("GET", "/api/v1/health", self._health, "public"),)

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
            database=self._database,
            open=True,
            time=self._hearing.clock.now(),
        )
        return json(health, 503 if reasons else 200)
