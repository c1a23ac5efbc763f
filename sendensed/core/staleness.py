"""Staleness: when silence becomes a verdict, and the words of it.

    last heard, or created, or since when the hub is healthy: the latest of the three
        │◀── stall_after ──▶│ stalled
        │◀──────── fail_after ─────────▶│ failed, closed by the reaper

The hub's own trouble never counts as a job's silence.
"""

from datetime import datetime, timedelta

import msgspec

from schemas.codec import rfc3339
from schemas.job import ACTIVE
from sendensed.core import history, job
from sendensed.core.model import Event, Job


class Limits(msgspec.Struct, frozen=True):
    """Seconds of silence until a job is called stalled, and until it is called failed."""

    stall_after: float = 60.0
    fail_after: float = 300.0


class Verdict(msgspec.Struct, frozen=True):
    """The job after the reaper's word, and the history rows of it."""

    job: Job
    events: tuple[Event, ...]


def heard_at(subject: Job) -> datetime:
    """When the job was last heard of; its creation where it never spoke."""
    return subject.last_telemetry_at or subject.created_at


def _counts_from(subject: Job, now: datetime, healthy_since: datetime) -> datetime:
    """The moment that silence counts from. A word from the future is of a clock that has stepped back since."""
    heard = heard_at(subject)
    return healthy_since if heard > now else max(heard, healthy_since)


def judge(subject: Job, now: datetime, healthy_since: datetime, limits: Limits) -> Verdict | None:
    """The verdict on a job's silence at `now`; None where there is none to give, or nothing would change."""
    if subject.status not in ACTIVE:
        return None
    silent = (now - _counts_from(subject, now, healthy_since)).total_seconds()
    if silent >= limits.fail_after:
        after = job.close(subject, "failed", _evidence(subject, now), now)
    elif silent >= limits.stall_after and subject.status != "stalled":
        after = job.close(subject, "stalled", None, now)
    else:
        return None
    return Verdict(after, history.changes(subject, after, now, "reaper", _evidence(subject, now)))


def due(subject: Job, now: datetime, healthy_since: datetime, limits: Limits) -> datetime:
    """When the next verdict on an active job falls due, if it stays silent."""
    wait = limits.fail_after if subject.status == "stalled" else limits.stall_after
    return _counts_from(subject, now, healthy_since) + timedelta(seconds=wait)


def _evidence(subject: Job, now: datetime) -> str:
    """`no telemetry for 5m12s (last heard 2026-11-23T02:14:07Z at 62.3 %, phase transferring)`."""
    silence = _duration(max(now - heard_at(subject), timedelta()))
    if subject.last_telemetry_at is None:
        return f"no telemetry for {silence} (never heard, created {rfc3339(subject.created_at)})"
    place = "" if subject.progress_percent is None else f" at {subject.progress_percent:.1f} %"
    heard = rfc3339(subject.last_telemetry_at)
    return f"no telemetry for {silence} (last heard {heard}{place}, phase {subject.current_phase})"


def _duration(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{seconds % 60:02}s" if minutes else f"{seconds}s"
