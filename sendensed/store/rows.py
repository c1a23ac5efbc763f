"""Rows: what both stores refuse before they write, and a job as it is written."""

from collections.abc import Sequence
from math import isfinite
from operator import attrgetter

from msgspec.structs import replace

from schemas.telemetry import INT64
from sendensed.core.model import Disk, Job
from sendensed.store import Change, RowRefused

EVENTS_SHOWN = 500
"""How many of a job's newest events are read."""

INT32 = 2**31 - 1
_at, _percent, _index = attrgetter("at"), attrgetter("progress_percent"), attrgetter("index")
_bytes, _total = attrgetter("bytes_transferred"), attrgetter("total_bytes")

STEP = 5.0
"""Seconds by which a job's last word may be ahead of the store's clock before it counts as of the future."""

MARK = 30.0
"""Seconds by which a row's marks may lie behind the times that they stand for: with a word every 5 s one update in
seven sets them anew. Less than the least silence that a reaper looks for, or it would read jobs that are well."""


def check_guards(changes: Sequence[Change]) -> None:
    """Raises ValueError for a save that contradicts itself: a bug of the caller, not a bad value.

    One change per job; `before` is what stands at `job.revision`, so None at revision 0 and only there; a
    change's events are its job's, and one with a sample was heard of.
    """
    seen = set()
    for change in changes:
        job, before = change.job, change.before
        if job.id in seen:
            raise ValueError(f"two changes for the job {job.id!r} in one save")
        seen.add(job.id)
        if (before.revision if before else 0) != job.revision or (before is None) != (job.revision == 0):
            raise ValueError(f"the job {job.id!r} at revision {job.revision} does not replace what it names")
        if change.events and any(event.job_id != job.id for event in change.events):
            raise ValueError(f"an event of another job is saved with the job {job.id!r}")
        if change.sample and job.last_telemetry_at is None:
            raise ValueError(f"a sample is saved with the job {job.id!r}, which was never heard of")


def whole(change: Change) -> Job:
    """The job as it is stored: its disks in the order of their index.

    Raises RowRefused for what JSON or the columns would not carry as it is: numbers that are not finite (JSON
    would turn them into null unnoticed), integers out of range, and a disk that stands twice.
    """
    job, meter = change.job, change.job.meter
    values = [*map(_at, meter.recent), *map(_percent, job.disks), job.progress_percent, meter.rate, meter.spacing]
    if meter.first is not None:
        values.append(meter.first.at)
    if change.events:
        values.extend(map(_percent, change.events))
    if not all(map(isfinite, filter(None, values))):
        raise RowRefused(f"the job {job.id!r} holds a number that is not finite")
    if not job.disks:
        return job
    indexes = list(map(_index, job.disks))
    if max(max(map(_bytes, job.disks)), max(map(_total, job.disks))) > INT64 or max(indexes) > INT32:
        raise RowRefused(f"the job {job.id!r} holds a number that is out of range")
    return job if indexes == sorted(set(indexes)) else replace(job, disks=_ordered(job))


def _ordered(job: Job) -> tuple[Disk, ...]:
    by_index = {disk.index: disk for disk in job.disks}
    if len(by_index) < len(job.disks):
        raise RowRefused(f"the job {job.id!r} has a disk twice")
    return tuple([by_index[index] for index in sorted(by_index)])


def check_texts(job: Job) -> None:
    """Raises RowRefused for a disk's text that a column of its own would not hold: one with NUL."""
    for disk in job.disks:
        if "\x00" in f"{disk.status}{disk.error_message}{disk.bottleneck}":
            raise RowRefused(f"the job {job.id!r} has a disk with a text that holds NUL")
