"""Query: what may stand behind the '?' of an address, one type for each address that takes something there."""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.job import State

Sort = Literal["created", "started", "completed", "heard", "bytes", "duration"]

_JobType = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$", description="a kind of job, like `backup`")]
_Text = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00]*$")]
_Moment = Annotated[datetime, Meta(tz=True)]
_Cursor = Annotated[str, Meta(max_length=2_000, description="the `next` of the page before")]
_Limit = Annotated[int, Meta(ge=1, le=1_000, description="most on a page")]


class JobsQuery(msgspec.Struct, frozen=True):
    """Of `/api/v1/jobs`."""

    limit: _Limit = 100
    cursor: _Cursor = ""
    sort: Annotated[Sort, Meta(description="jobs that lack it come last")] = "created"
    order: Literal["desc", "asc"] = "desc"
    status: Annotated[tuple[State, ...], Meta(description="any of these states")] = ()
    type: _JobType | None = None
    machine: Annotated[_Text, Meta(description="of this machine")] | None = None
    appliance: Annotated[_Text, Meta(description="sent by this appliance")] | None = None
    q: Annotated[_Text, Meta(description="a part of id or machine, in capitals or not")] = ""
    created_from: Annotated[_Moment, Meta(description="created then or later")] | None = msgspec.field(
        default=None, name="from"
    )
    created_to: Annotated[_Moment, Meta(description="created before")] | None = msgspec.field(
        default=None, name="to"
    )


class SamplesQuery(msgspec.Struct, frozen=True):
    """Of `/api/v1/jobs/{id}/samples`."""

    points: Annotated[int, Meta(ge=2, le=2_000, description="about so many samples over the whole run")] = 300
    disks: Annotated[bool, Meta(description="with how far each disk was")] = False


class MachinesQuery(msgspec.Struct, frozen=True):
    """Of `/api/v1/machines`."""

    limit: Annotated[int, Meta(ge=1, le=200, description="most on a page")] = 50
    cursor: _Cursor = ""
    q: Annotated[_Text, Meta(description="a part of the name, A to Z in capitals or not")] = ""


class MachineQuery(msgspec.Struct, frozen=True):
    """Of `/api/v1/machines/{name}`."""

    limit: Annotated[int, Meta(ge=1, le=200, description="most runs on a page")] = 50
    cursor: _Cursor = ""


class CalendarQuery(msgspec.Struct, frozen=True):
    """Of `/api/v1/calendar`."""

    first_day: (
        Annotated[date, Meta(description="the first day; 13 days before the last where left out")] | None
    ) = msgspec.field(default=None, name="from")
    last_day: Annotated[date, Meta(description="the last day; today where left out")] | None = msgspec.field(
        default=None, name="to"
    )
    zone: Annotated[str, Meta(max_length=60, description="whose days, like `Europe/Berlin`")] = "UTC"
    limit: Annotated[int, Meta(ge=1, le=200, description="most machines on a page")] = 50
    cursor: _Cursor = ""
    q: Annotated[_Text, Meta(description="a part of the name, A to Z in capitals or not")] = ""


class BadgeQuery(msgspec.Struct, frozen=True):
    """Of `/api/v1/badge.svg` and `/api/v1/badge.json`."""

    label: Annotated[str, Meta(max_length=60, description="the words on the left")] = ""
    type: _JobType | None = None
    machine: Annotated[_Text, Meta(description="of this machine")] | None = None
    appliance: Annotated[_Text, Meta(description="sent by this appliance")] | None = None


class FeedQuery(msgspec.Struct, frozen=True):
    """Of the live feed, `/api/v1/feed`."""

    job: Annotated[tuple[str, ...], Meta(description="only these jobs")] = ()
    status: Annotated[
        tuple[State, ...], Meta(description="only jobs in these states, and those that leave them")
    ] = ()
    type: Annotated[tuple[_JobType, ...], Meta(description="only these kinds of job")] = ()
    since: Annotated[int, Meta(ge=0, le=2**63 - 1, description="what changed after this sequence")] | None = None
