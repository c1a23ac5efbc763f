"""Listing: which jobs a reader asks for, in which order, and the mark where a page ends.

A page is found by the key of the last job before it, never by counting: jobs that come or go meanwhile shift
nothing. Equal keys are ordered by id; jobs that have no key (one that has not ended has no duration) come
last in both directions.
"""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import get_args

import msgspec

from schemas.fault import Invalid
from schemas.job import ACTIVE
from schemas.query import Sort
from sendensed.core.model import Job

SORTS: tuple[str, ...] = get_args(Sort)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOST = 2**63 - 1


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """The last job of a page: its key (microseconds or bytes; None where it has none), and its id."""

    key: int | None
    id: str


class Query(msgspec.Struct, frozen=True):
    """What is asked for; an empty field asks for all. `created_from` is included, `created_to` is not.

    `text` is looked for in id and machine, in capitals or not.
    """

    limit: int = 100
    sort: Sort = "created"
    descending: bool = True
    after: Mark | None = None
    statuses: frozenset[str] = frozenset()
    job_type: str = ""
    machine: str | None = None
    appliance: str | None = None
    text: str = ""
    created_from: datetime | None = None
    created_to: datetime | None = None

    def wants(self, job: Job) -> bool:
        """Whether the job is one of those asked for, on whichever page."""
        text = lowered(self.text)
        return (
            (not self.statuses or job.status in self.statuses)
            and (not self.job_type or job.job_type == self.job_type)
            and (self.machine is None or job.vm_name == self.machine)
            and (self.appliance is None or job.appliance == self.appliance)
            and (not text or text in lowered(job.id) or text in lowered(job.vm_name))
            and (self.created_from is None or job.created_at >= self.created_from)
            and (self.created_to is None or job.created_at < self.created_to)
        )

    @property
    def is_of_active(self) -> bool:
        """Whether only jobs that may still be heard of are asked for."""
        return bool(self.statuses) and self.statuses <= ACTIVE


class Page(msgspec.Struct, frozen=True):
    """Jobs in order, and the mark that the next page starts after; None at the end.

    A page may have fewer jobs than the limit, or none, and others come after it.
    """

    jobs: list[Job]
    next: Mark | None


def lowered(text: str) -> str:
    """A to Z in small letters, nothing else changed: the same in every database."""
    return "".join(chr(ord(one) + 32) if "A" <= one <= "Z" else one for one in text)


def key(job: Job, sort: Sort) -> int | None:
    """What the job is ordered by."""
    if sort == "bytes":
        return job.bytes_transferred
    if sort == "duration":
        ended, began = job.completed_at, job.started_at
        return None if ended is None or began is None else (ended - began) // _MICROSECOND
    moment = {
        "created": job.created_at,
        "started": job.started_at,
        "completed": job.completed_at,
        "heard": job.last_telemetry_at,
    }[sort]
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def page(found: list[Job], query: Query, edge: Job | None = None) -> Page:
    """The page, of `limit` jobs or one more, where there are more.

    `edge` is the last job that was looked at, where others come after it: what stands behind it in the order waits
    for the next page.
    """
    if edge is not None:
        found = [job for job in found if not _is_after(job, mark(edge, query), query)]
    jobs = found[: query.limit]
    if len(found) > query.limit:
        return Page(jobs, mark(jobs[-1], query))
    return Page(jobs, None if edge is None else mark(edge, query))


def mark(job: Job, query: Query) -> Mark:
    """Where a page ends with this job."""
    return Mark(key(job, query.sort), job.id)


def ordered(jobs: list[Job], query: Query) -> list[Job]:
    """All that are asked for and come after the mark, in order."""
    wanted = [
        job for job in jobs if query.wants(job) and (query.after is None or _is_after(job, query.after, query))
    ]
    wanted.sort(key=lambda job: job.id.encode(), reverse=query.descending)
    wanted.sort(key=lambda job: _place(key(job, query.sort), query))
    return wanted


def _is_after(job: Job, mark: Mark, query: Query) -> bool:
    place, marked = _place(key(job, query.sort), query), _place(mark.key, query)
    if place != marked:
        return place > marked
    name, marked_name = job.id.encode(), mark.id.encode()
    return name < marked_name if query.descending else name > marked_name


def _place(value: int | None, query: Query) -> tuple[bool, int]:
    return value is None, -(value or 0) if query.descending else value or 0


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    sort: Sort
    descending: bool
    mark: Mark


_decode = msgspec.json.Decoder(_Cursor).decode


def cursor(query: Query, mark: Mark) -> str:
    """The mark as readers carry it: opaque to them, good for this order only."""
    content = msgspec.json.encode(_Cursor(query.sort, query.descending, mark))
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def read_cursor(text: str, sort: Sort, *, descending: bool) -> Mark:
    """The mark of a cursor. Raises Invalid for one that this hub did not make, or made for another order."""
    try:
        found = _decode(base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise Invalid("cursor: must be the `next` of the page before", "cursor") from None
    if (found.sort, found.descending) != (sort, descending):
        raise Invalid("cursor: is of another sort; ask for the first page again", "cursor")
    if "\x00" in found.mark.id or not -_MOST <= (found.mark.key or 0) <= _MOST:
        raise Invalid("cursor: must be the `next` of the page before", "cursor")
    return found.mark
