"""Reading: jobs over REST, a page at a time, one whole, and its chart."""

from collections.abc import Sequence
from datetime import timedelta

from schemas import codec, ids
from schemas.job import JobDetail, JobList
from schemas.query import JobsQuery, SamplesQuery
from schemas.reading import Samples
from sendensed import config
from sendensed.actors.hearing import Hearing
from sendensed.core import listing, prediction, samples, view
from sendensed.core.listing import Query
from sendensed.net import query
from sendensed.net.http import Request, Response, fault
from sendensed.net.route import Route, json
from sendensed.store import Store
from sendensed.store.archive import Archive

RUNS_OF_ALL = 200
"""Runs that tell how good the estimates are where a machine has too few of its own."""


class Reading:
    """The readers' door to the jobs."""

    def __init__(self, store: Store, archive: Archive, hearing: Hearing, settings: config.History) -> None:
        self._store = store
        self._archive = archive
        self._hearing = hearing
        self._whole = timedelta(days=settings.whole)
        self.routes = (
            Route("GET", "/api/v1/jobs", self._jobs, "read", query=JobsQuery, says=JobList),
            Route("GET", "/api/v1/jobs/{id}", self._job, "read", says=JobDetail, refuses=("404",)),
            Route(
                "GET",
                "/api/v1/jobs/{id}/samples",
                self._samples,
                "read",
                query=SamplesQuery,
                says=Samples,
                refuses=("404",),
            ),
        )

    async def _jobs(self, request: Request, values: Sequence[str]) -> Response:
        asked = _asked(query.read(request.query, JobsQuery))
        page = await self._archive.page(asked)
        after = listing.cursor(asked, page.next) if page.next else None
        return json(JobList(tuple(view.job_view(job) for job in page.jobs), after))

    async def _job(self, request: Request, values: Sequence[str]) -> Response:
        found = None if ids.job_id_problem(values[0]) else await self._store.job(values[0])
        if found is None:
            return _unknown(values[0])
        job, events = found
        runs = await self._archive.machines(limit=1, names=[job.vm_name]) if job.vm_name else []
        accuracy = prediction.accuracy(runs[0][1] if runs else [], await self._archive.recent(limit=RUNS_OF_ALL))
        return json(
            JobDetail(
                view.job_view(job),
                tuple(view.event_view(event) for event in events),
                prediction.views(job),
                accuracy,
            )
        )

    async def _samples(self, request: Request, values: Sequence[str]) -> Response:
        asked = query.read(request.query, SamplesQuery)
        found = None if ids.job_id_problem(values[0]) else await self._store.job(values[0])
        if found is None:
            return _unknown(values[0])
        job, events = found
        now = self._hearing.clock.now()
        window = samples.window(job, now, asked.points, self._whole, disks=asked.disks)
        kept = await self._archive.samples(job.id, window)
        outages = await self._archive.outages(window.start, window.end)
        gaps = samples.gaps(job, kept, events, outages, now)
        return json(Samples(job.id, window.step, kept.samples, gaps))


def _asked(said: JobsQuery) -> Query:
    """The query as the archive takes it. Raises Invalid for a cursor of another order, or a time out of range."""
    descending = said.order == "desc"
    return Query(
        limit=said.limit,
        sort=said.sort,
        descending=descending,
        after=listing.read_cursor(said.cursor, said.sort, descending=descending) if said.cursor else None,
        statuses=frozenset(said.status),
        job_type=said.type or "",
        machine=said.machine,
        appliance=said.appliance,
        text=said.q,
        created_from=codec.to_utc(said.created_from) if said.created_from else None,
        created_to=codec.to_utc(said.created_to) if said.created_to else None,
    )


def _unknown(job_id: str) -> Response:
    return fault(404, "not_found", f"no job has the id '{job_id[:200]}'")
