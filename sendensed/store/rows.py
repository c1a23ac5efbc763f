"""Rows: what both stores refuse before they write, and what of a job has to be written."""

from collections.abc import Sequence
from math import isfinite

import msgspec

from sendensed.core.model import Disk, Job
from sendensed.store import Change, RowRefused

EVENTS_SHOWN = 500
"""How many of a job's newest events are read."""

STEP = 5.0
"""Seconds by which a job's last word may be ahead of the store's clock before it counts as of the future."""


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


def check_floats(change: Change) -> None:
    """Raises RowRefused for NaN and infinities: JSON would turn them into null unnoticed."""
    job, meter = change.job, change.job.meter
    values = [disk.progress_percent for disk in job.disks]
    values += [point.at for point in meter.recent]
    values += [job.progress_percent, meter.rate, meter.spacing, meter.first.at if meter.first else None]
    if change.events:
        values += [event.progress_percent for event in change.events]
    if not all(map(isfinite, filter(None, values))):
        raise RowRefused(f"the job {job.id!r} holds a number that is not finite")


def check_disks(job: Job) -> None:
    """Raises RowRefused for a disk that stands twice."""
    if len({disk.index for disk in job.disks}) < len(job.disks):
        raise RowRefused(f"the job {job.id!r} has a disk twice")


class DiskChanges(msgspec.Struct, frozen=True, gc=False):
    """What becomes of a job's disks: those to write, and of these the new ones, and those to delete."""

    written: tuple[Disk, ...]
    added: tuple[int, ...]
    dropped: tuple[int, ...]


def disk_changes(job: Job, before: Job | None) -> DiskChanges:
    """The disks of `job` against those of `before`."""
    known = {disk.index: disk for disk in before.disks} if before else {}
    written = tuple([disk for disk in job.disks if known.get(disk.index) != disk])
    if len(known) == len(job.disks) and all(disk.index in known for disk in written):
        return DiskChanges(written, (), ())
    kept = {disk.index for disk in job.disks}
    return DiskChanges(
        written,
        tuple(disk.index for disk in written if disk.index not in known),
        tuple(index for index in known if index not in kept),
    )
