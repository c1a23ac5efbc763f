"""Badge: the state of some jobs for wikis and dashboards of others, as SVG and as JSON."""

from collections.abc import Sequence

from schemas.job import ACTIVE, ENDED
from schemas.query import BadgeQuery
from schemas.reading import Badge
from sendensed.actors.hearing import Hearing
from sendensed.core import badge
from sendensed.core.listing import Query
from sendensed.core.model import Job
from sendensed.net import query
from sendensed.net.http import Request, Response
from sendensed.net.route import Route, json
from sendensed.store.archive import Archive


class Badges:
    """The door for pictures."""

    def __init__(self, archive: Archive, hearing: Hearing) -> None:
        self._archive = archive
        self._hearing = hearing
        self.routes = (
            Route("GET", "/api/v1/badge.json", self._json, "read", query=BadgeQuery, says=Badge),
            Route("GET", "/api/v1/badge.svg", self._svg, "read", query=BadgeQuery, media="image/svg+xml"),
        )

    async def _json(self, request: Request, values: Sequence[str]) -> Response:
        return json(await self._badge(request))

    async def _svg(self, request: Request, values: Sequence[str]) -> Response:
        drawn = badge.svg(await self._badge(request))
        return Response(200, drawn, "image/svg+xml", (("Cache-Control", "no-store"),))

    async def _badge(self, request: Request) -> Badge:
        said = query.read(request.query, BadgeQuery)

        async def jobs(statuses: frozenset[str], limit: int) -> list[Job]:
            asked = Query(
                limit=limit,
                sort="completed",
                statuses=statuses,
                job_type=said.type or "",
                machine=said.machine,
                appliance=said.appliance,
            )
            return (await self._archive.page(asked)).jobs

        return badge.badge(
            said.label or said.machine or said.type or "backups",
            await jobs(ACTIVE, badge.MOST),
            await jobs(frozenset({"failed"}), badge.MOST),
            await jobs(ENDED, 1),
            self._hearing.clock.now(),
        )
