"""Staleness: when silence becomes a verdict, and the words of it; and when a job that speaks does not move.

    last heard, or created, or since when the hub is healthy: the latest of the three
        │◀── stall_after ──▶│ stalled
        │◀──────── fail_after ─────────▶│ failed, closed by the reaper

A hub's own trouble never counts as a job's silence: neither that of the hub which judges, nor that of the hub
which heard the job last. Where the latter has gone itself, its jobs are given `gone_after` to be heard elsewhere.
"""

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from schemas.codec import rfc3339
from schemas.job import ACTIVE
from sendensed.core import health, history, job
from sendensed.core.health import HubBeat
from sendensed.core.model import Event, Job


class Limits(msgspec.Struct, frozen=True):
    """Seconds: of silence until a job is called stalled, and until it is called failed; of a hub's silence, in
    the judge's healthy time, until its jobs may be failed without it; of being heard without moving until a
    job is shown as such; and between beats of a hub that can hear."""

    stall_after: float = 60.0
    fail_after: float = 300.0
    gone_after: float = 900.0
    unmoved_after: float = 600.0
    gap: float = 15.0


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


def _fails_at(
    subject: Job, now: datetime, healthy_since: datetime, limits: Limits, ear: HubBeat | None
) -> datetime:
    start = _counts_from(subject, now, healthy_since)
    patience = timedelta(seconds=limits.fail_after)
    if ear is None:
        return start + patience
    if health.is_beating(ear, now, limits.gap):
        return max(start, ear.healthy_since) + patience
    return max(start + patience, max(ear.beat_at, healthy_since) + timedelta(seconds=limits.gone_after))


def is_silent(subject: Job, now: datetime, healthy_since: datetime, limits: Limits) -> bool:
    """Whether the job counts as silent: it is `stalled`, by whichever hub's word, or about to be."""
    return subject.status == "stalled" or now - _counts_from(subject, now, healthy_since) >= timedelta(
        seconds=limits.stall_after
    )


def judge(
    subject: Job,
    now: datetime,
    healthy_since: datetime,
    limits: Limits,
    *,
    ear: HubBeat | None = None,
    held: bool = False,
) -> Verdict | None:
    """The verdict on a job at `now`; None where there is none to give, or nothing would change.

    `healthy_since` is the judge's own; `ear` the row of the hub that heard the job last, where that is another
    one. While failures are `held` the job is stalled at most.
    """
    if subject.status not in ACTIVE:
        return None
    said = _evidence(subject, now)
    if not held and now >= _fails_at(subject, now, healthy_since, limits, ear):
        after = job.close(subject, "failed", said, now)
    elif not is_silent(subject, now, healthy_since, limits):
        return _unmoved(subject, now, healthy_since, limits)
    elif subject.status != "stalled":
        after = job.close(subject, "stalled", None, now)
    else:
        return None
    return Verdict(after, history.changes(subject, after, now, "reaper", said + _witness(subject, ear)))


def due(
    subject: Job, now: datetime, healthy_since: datetime, limits: Limits, *, ear: HubBeat | None = None
) -> datetime:
    """When the next verdict on an active job falls due, if it stays silent."""
    if subject.status == "stalled":
        return _fails_at(subject, now, healthy_since, limits, ear)
    return _counts_from(subject, now, healthy_since) + timedelta(seconds=limits.stall_after)


def unmoved_due(subject: Job, healthy_since: datetime, limits: Limits) -> datetime:
    """When a running job, if it stays where it is, has been heard without moving for too long."""
    moved = subject.last_moved_at or subject.created_at
    return max(moved, healthy_since) + timedelta(seconds=limits.unmoved_after)


def _unmoved(subject: Job, now: datetime, healthy_since: datetime, limits: Limits) -> Verdict | None:
    """A job that is heard and does not move is shown as such, never failed: it may be waiting for its disk."""
    if subject.status != "running" or subject.not_moving or now < unmoved_due(subject, healthy_since, limits):
        return None
    still = _duration(now - (subject.last_moved_at or subject.created_at))
    said = f"heard, but not moved for {still}{_place(subject)}, phase {subject.current_phase}"
    return Verdict(replace(subject, not_moving=True), (history.alarm(subject, now, "reaper", said),))


def _evidence(subject: Job, now: datetime) -> str:
    """`no telemetry for 5m12s (last heard 2026-11-23T02:14:07Z at 62.3 %, phase transferring)`."""
    silence = _duration(max(now - heard_at(subject), timedelta()))
    if subject.last_telemetry_at is None:
        return f"no telemetry for {silence} (never heard, created {rfc3339(subject.created_at)})"
    heard = rfc3339(subject.last_telemetry_at)
    return f"no telemetry for {silence} (last heard {heard}{_place(subject)}, phase {subject.current_phase})"


def _place(subject: Job) -> str:
    return "" if subject.progress_percent is None else f" at {subject.progress_percent:.1f} %"


def _witness(subject: Job, ear: HubBeat | None) -> str:
    """Which hub heard the job, where another one judges it."""
    if ear is None:
        return ""
    return (
        f"; heard by hub {ear.hub}, healthy since {rfc3339(ear.healthy_since)}, last beat {rfc3339(ear.beat_at)}"
    )


def _duration(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{seconds % 60:02}s" if minutes else f"{seconds}s"
