"""Fleet: machines, their days, appliances, and the whole in a few figures."""

from collections.abc import Sequence
from datetime import UTC, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.fault import Invalid
from schemas.job import ACTIVE
from schemas.query import CalendarQuery, MachineQuery, MachinesQuery
from schemas.reading import ApplianceList, ApplianceView, Calendar, MachineDetail, MachineList, Summary
from sendensed.actors.hearing import Hearing
from sendensed.core import calendar, listing, machine, summary, view
from sendensed.core.listing import Mark, Query
from sendensed.net import query
from sendensed.net.http import Request, Response, fault
from sendensed.net.route import Route, json
from sendensed.store.archive import Archive

_ACTIVE_MOST = 100
"""Active jobs of one machine that are shown: one is the rule, more are a mistake worth seeing."""
_NAMES = Query(descending=False)
"""The order of machines, for their cursors."""


class Fleet:
    """The readers' door to what the jobs belong to."""

    def __init__(self, archive: Archive, hearing: Hearing) -> None:
        self._archive = archive
        self._hearing = hearing
        self.routes = (
            Route("GET", "/api/v1/machines", self._machines, "read", query=MachinesQuery, says=MachineList),
            Route(
                "GET",
                "/api/v1/machines/{name}",
                self._machine,
                "read",
                query=MachineQuery,
                says=MachineDetail,
                refuses=("404",),
            ),
            Route("GET", "/api/v1/calendar", self._calendar, "read", query=CalendarQuery, says=Calendar),
            Route("GET", "/api/v1/appliances", self._appliances, "read", says=ApplianceList),
            Route("GET", "/api/v1/summary", self._summary, "read", says=Summary),
        )

    async def _machines(self, request: Request, values: Sequence[str]) -> Response:
        said = query.read(request.query, MachinesQuery)
        after = listing.read_cursor(said.cursor, "created", descending=False).id if said.cursor else ""
        found = await self._archive.machines(limit=said.limit + 1, after=after, text=said.q)
        shown = found[: said.limit]
        more = listing.cursor(_NAMES, Mark(None, shown[-1][0])) if len(found) > len(shown) else None
        return json(MachineList(tuple(machine.view(name, runs) for name, runs in shown), more))

    async def _machine(self, request: Request, values: Sequence[str]) -> Response:
        said, name = query.read(request.query, MachineQuery), values[0]
        found = [] if "\x00" in name or not name else await self._archive.machines(limit=1, names=[name])
        if not found:
            return fault(404, "not_found", f"no job has come from a machine named '{name[:200]}'")
        after = listing.read_cursor(said.cursor, "created", descending=True) if said.cursor else None
        asked = Query(limit=said.limit, machine=name, after=after)
        page = await self._archive.page(asked)
        active = await self._archive.page(Query(limit=_ACTIVE_MOST, machine=name, statuses=ACTIVE))
        return json(
            MachineDetail(
                machine.view(*found[0]),
                tuple(view.job_view(job) for job in active.jobs),
                tuple(view.job_view(job) for job in page.jobs),
                listing.cursor(asked, page.next) if page.next else None,
            )
        )

    async def _calendar(self, request: Request, values: Sequence[str]) -> Response:
        said = query.read(request.query, CalendarQuery)
        zone = _zone(said.zone)
        today = self._hearing.clock.now().astimezone(zone).date()
        first, days = calendar.span(said.first_day, said.last_day, today)
        bounds = [moment.astimezone(UTC) for moment in calendar.bounds(first, days, zone)]
        after = listing.read_cursor(said.cursor, "created", descending=False).id if said.cursor else ""
        found = await self._archive.calendar(bounds, limit=said.limit + 1, after=after, text=said.q)
        shown = found[: said.limit]
        return json(
            Calendar(
                first_day=first,
                last_day=first + timedelta(days=days - 1),
                today=today,
                zone=said.zone,
                machines=tuple(calendar.view(name, first, tallies) for name, tallies in shown),
                next=listing.cursor(_NAMES, Mark(None, shown[-1][0])) if len(found) > len(shown) else None,
            )
        )

    async def _appliances(self, request: Request, values: Sequence[str]) -> Response:
        return json(
            ApplianceList(
                tuple(
                    ApplianceView(
                        name=one.name,
                        version=one.version,
                        last_heard_at=one.last_heard_at,
                        clock_skew_seconds=None
                        if one.clock_skew_seconds is None
                        else round(one.clock_skew_seconds, 1),
                        spool_depth=one.spool_depth,
                        spool_age_seconds=one.spool_age_seconds,
                        active=active,
                    )
                    for one, active in await self._archive.appliances()
                )
            )
        )

    async def _summary(self, request: Request, values: Sequence[str]) -> Response:
        return json(summary.view(await self._archive.summary(), self._hearing.clock.now()))


def _zone(name: str) -> tzinfo:
    """The zone. Raises Invalid for one that this hub's computer does not know."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # its name is looked for as a file's
        raise Invalid(
            f"zone: '{name}' is no zone that this hub knows; give one like Europe/Berlin", "zone"
        ) from None
