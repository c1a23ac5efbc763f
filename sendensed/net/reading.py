"""Reading: jobs over REST."""

from collections.abc import Sequence

from schemas import ids
from schemas.job import JobDetail, JobList
from sendensed.core import view
from sendensed.net import query
from sendensed.net.http import Request, Response, fault, split_query
from sendensed.net.route import Route, json
from sendensed.store import Store

_SHOWN, _MOST = 100, 1_000
"""Jobs on a page: as a rule, and at the most."""


class Reading:
    """The readers' door."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.routes = (
            Route("GET", "/api/v1/jobs", self._jobs, "read"),
            Route("GET", "/api/v1/jobs/{id}", self._job, "read"),
        )

    async def _jobs(self, request: Request, values: Sequence[str]) -> Response:
        limit, statuses, job_type = _SHOWN, set[str](), ""
        for name, value in split_query(request.query):
            if name == "limit":
                limit = query.whole(name, value, 1, _MOST)
            elif name == "status":
                statuses |= query.states(value)
            elif name == "type":
                job_type = query.job_type(value)
        jobs = await self._store.jobs(limit=limit, status=statuses, job_type=job_type)
        return json(JobList(tuple(view.job_view(job) for job in jobs)))

    async def _job(self, request: Request, values: Sequence[str]) -> Response:
        found = None if ids.job_id_problem(values[0]) else await self._store.job(values[0])
        if found is None:
            return fault(404, "not_found", f"no job has the id '{values[0][:200]}'")
        job, events = found
        return json(JobDetail(view.job_view(job), tuple(view.event_view(event) for event in events)))
