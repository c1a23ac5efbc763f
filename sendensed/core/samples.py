"""Samples: when a point of a job's chart is kept, how many are shown, and why there are none for a while."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from schemas.reading import DiskBytes, Gap, GapCause, Sample
from sendensed.core.model import Event, Job

EVERY = 5.0
"""Seconds: at most one sample of a job in each stretch of so many, unless its phase or state changes."""
THINNED_EVERY = 60.0
"""The same, of days that were thinned."""
BROKEN = 30.0
"""Seconds without a sample that are a gap: six missed beats."""
THINNED_BROKEN = 180.0


class Window(msgspec.Struct, frozen=True):
    """What of a job is asked for: from `start` until before `end`, a sample each `step` seconds.

    What is older than `thinned` may have been thinned. `disks` asks for the bytes of each disk as well.
    """

    start: datetime
    end: datetime
    step: float
    thinned: datetime
    disks: bool = False


class Hole(msgspec.Struct, frozen=True):
    """Two samples with nothing between them, or of two attempts."""

    start: datetime
    end: datetime
    attempts: bool


class Found(msgspec.Struct, frozen=True):
    """What a store found."""

    samples: tuple[Sample, ...]
    holes: tuple[Hole, ...]


class Outage(msgspec.Struct, frozen=True):
    """A time in which no hub was there to hear."""

    start: datetime
    end: datetime


def is_due(before: Job | None, job: Job) -> bool:
    """Whether the job, committed in the place of `before`, is worth a sample."""
    heard = job.last_telemetry_at
    if heard is None:
        return False
    if before is None or before.last_telemetry_at is None:
        return True
    if heard == before.last_telemetry_at:  # a verdict, not a word of the sender
        return False
    slot = heard.timestamp() // EVERY != before.last_telemetry_at.timestamp() // EVERY
    was = (before.attempt, before.status, before.current_phase)
    return slot or was != (job.attempt, job.status, job.current_phase)


def of(job: Job) -> Sample | None:
    """The job's sample; None for one that was never heard of."""
    if job.last_telemetry_at is None:
        return None
    return Sample(
        at=job.last_telemetry_at,
        attempt=job.attempt,
        bytes_transferred=job.bytes_transferred,
        transfer_speed_bps=job.transfer_speed_bps,
        current_phase=job.current_phase,
        disks=_bytes(job),
        bytes_verified=job.meter.verified if job.meter.to_verify else None,
    )


def _bytes(job: Job) -> tuple[DiskBytes, ...] | None:
    """How far each of several disks is; of one disk the job's own bytes tell it."""
    if len(job.disks) < 2:
        return None
    return tuple(DiskBytes(disk.index, disk.bytes_transferred) for disk in job.disks)


def window(job: Job, now: datetime, points: int, whole: timedelta, *, disks: bool = False) -> Window:
    """The job's whole time in about so many points."""
    start = job.created_at
    end = max(job.completed_at or now, job.last_telemetry_at or now, start) + timedelta(seconds=1)
    return Window(start, end, max((end - start).total_seconds() / points, EVERY), now - whole, disks)


def chosen(kept: Iterable[Sample], asked: Window) -> Found:
    """What a store without SQL finds; the one with SQL does the same there."""
    raw = [one for one in kept if asked.start <= one.at < asked.end]
    holes: list[Hole] = []
    buckets: dict[tuple[int, int], list[Sample]] = {}
    for number, sample in enumerate(raw):
        if number and (hole := _hole(raw[number - 1], sample, asked)):
            holes.append(hole)
        place = int((sample.at - asked.start) / timedelta(seconds=asked.step))
        buckets.setdefault((len(holes), place), []).append(sample)
    return Found(tuple(_folded(bucket, asked) for bucket in buckets.values()), tuple(holes))


def _hole(before: Sample, after: Sample, asked: Window) -> Hole | None:
    attempts = before.attempt != after.attempt
    longest = THINNED_BROKEN if after.at < asked.thinned else BROKEN
    if attempts or (after.at - before.at).total_seconds() > longest:
        return Hole(before.at, after.at, attempts)
    return None


def _folded(bucket: Sequence[Sample], asked: Window) -> Sample:
    """One sample in the place of several: where they end, at their mean speed."""
    return msgspec.structs.replace(
        bucket[-1],
        bytes_transferred=max(one.bytes_transferred for one in bucket),
        transfer_speed_bps=sum(one.transfer_speed_bps for one in bucket) // len(bucket),
        disks=bucket[-1].disks if asked.disks else None,
    )


def gaps(
    job: Job, found: Found, events: Sequence[Event], outages: Sequence[Outage], now: datetime
) -> tuple[Gap, ...]:
    """The holes with their causes; and the one after the last sample of a job that should still speak."""
    holes = list(found.holes)
    last = found.samples[-1].at if found.samples else job.created_at
    end = job.completed_at or now
    if (end - last).total_seconds() > BROKEN:
        holes.append(Hole(last, end, attempts=False))
    return tuple(Gap(hole.start, hole.end, _cause(hole, events, outages)) for hole in holes)


def _cause(hole: Hole, events: Sequence[Event], outages: Sequence[Outage]) -> GapCause:
    if hole.attempts:
        return "between_attempts"
    away = sum(
        max((min(outage.end, hole.end) - max(outage.start, hole.start)).total_seconds(), 0.0) for outage in outages
    )
    if 2 * away > (hole.end - hole.start).total_seconds():
        return "hub_away"
    stalled = any(event.status == "stalled" and hole.start <= event.at <= hole.end for event in events)
    return "stalled" if stalled else "silent"
