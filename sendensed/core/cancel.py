"""Cancel: what an operator's wish to end a job does to it.

pending, running   asked for: the sender's next answer says `cancel`, and the job is over when it says so
stalled            cancelled at once, by the operator: nobody is there to ask; whoever speaks again is told
cancelled          nothing, and that is fine
completed, failed  refused: there is nothing to end
"""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from schemas.job import ACTIVE, Stopping
from sendensed.core import history
from sendensed.core.answer import Answer, Refusal
from sendensed.core.model import Event, Job


class Cancelled(msgspec.Struct, frozen=True):
    """The job after the wish (the very object given where nothing changes), its history rows, the answer."""

    job: Job
    events: tuple[Event, ...]
    answer: Answer


def cancel(job: Job, now: datetime, who: str) -> Cancelled:
    """What becomes of `job` when `who` asks at `now` to cancel it."""
    if job.status == "cancelled":
        return Cancelled(job, (), Stopping("cancelled"))
    if job.status not in ACTIVE:
        said = f"the job is {job.status} already: there is nothing left to cancel"
        return Cancelled(job, (), Refusal(409, "not_active", said))
    if job.status == "stalled":
        ended = replace(
            job,
            status="cancelled",
            error_message=f"cancelled by {who} while nothing was heard of it",
            closed_by="operator",
            completed_at=now,
            eta_seconds=0,
            eta_reason=None,
            cancel_requested_at=job.cancel_requested_at or now,
        )
        events = history.changes(job, ended, now, "operator", ended.error_message or "")
        return Cancelled(ended, events, Stopping("cancelled"))
    if job.cancel_requested_at is not None:
        return Cancelled(job, (), Stopping("cancelling"))
    asked = replace(job, cancel_requested_at=now)
    return Cancelled(asked, (history.asked_to_cancel(asked, now, who),), Stopping("cancelling"))
