"""Views: jobs as a hub shows them, for the tests of what the commands make of them."""

from datetime import UTC, datetime

from schemas.job import JobView
from sendensed.core.model import Job
from sendensed.core.view import job_view

NIGHT = datetime(2026, 11, 23, 2, 0, 0, tzinfo=UTC)


def job(job_id: str = "a", **fields: object) -> JobView:
    known = {"job_type": "backup", "created_at": NIGHT, "last_telemetry_at": NIGHT, "status": "running"}
    return job_view(Job(id=job_id, **{**known, **fields}))
