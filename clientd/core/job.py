"""Job: one job's state, what happens to it, and the body that tells the hub.

        starting -> transferring -> finalizing          phases, in this order, each at most once;
                                 -> verifying           this one where the job is to be verified
        running -> completed | failed | cancelled       statuses

A disk: pending -> running -> completed; a failed disk makes the job fail, and disks that have not ended when
the job does are cancelled.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from clientd.core import progress
from clientd.core.cadence import Picture
from clientd.core.order import Order
from clientd.core.plan import Kind
from clientd.core.progress import Count
from schemas.telemetry import DiskBody, TelemetryBody

Status = Literal["running", "completed", "failed", "cancelled"]
DiskStatus = Literal["pending", "running", "completed", "failed", "cancelled"]
Phase = Literal["starting", "transferring", "verifying", "finalizing"]


class DiskPlanned(msgspec.Struct, frozen=True):
    """It is known how many bytes of this disk count, and which ones these are; and how many a verification reads.

    Those are more where the disk has holes.
    """

    index: int
    total_bytes: int
    kind: Kind = "allocated"
    to_verify: int = 0


class DiskStarted(msgspec.Struct, frozen=True):
    """Workers have begun on this disk."""

    index: int


class DiskWritten(msgspec.Struct, frozen=True):
    """All its chunks are written; the flush is under way, and then perhaps its verification."""

    index: int


class DiskCopied(msgspec.Struct, frozen=True):
    """It is written and flushed, and verified where that was asked for."""

    index: int


class DiskFailed(msgspec.Struct, frozen=True):
    """It could not be copied; `message` is the sentence why."""

    index: int
    message: str


class JobEnded(msgspec.Struct, frozen=True):
    """Nothing more will happen. `stopped` says who stopped it, where somebody did."""

    stopped: str | None = None


Event = DiskPlanned | DiskStarted | DiskWritten | DiskCopied | DiskFailed | JobEnded

EVENTS_PER_DISK = 5
"""Most events of one disk: planned, started, written, copied, failed."""


class DiskState(msgspec.Struct, frozen=True):
    """One disk. `written` holds from the last chunk's write on; `total_bytes` is None until it is planned.

    `kind` is what `total_bytes` counts; `to_verify` are the bytes that a verification reads of the target again.
    """

    status: DiskStatus = "pending"
    written: bool = False
    total_bytes: int | None = None
    kind: Kind = "virtual"
    to_verify: int = 0
    error: str | None = None


class Job(msgspec.Struct, frozen=True):
    """The whole job, without its counters. `verified` says that it is to be verified."""

    disks: tuple[DiskState, ...]
    verified: bool = False
    status: Status = "running"
    phase: Phase = "starting"
    error: str | None = None

    @property
    def ended(self) -> bool:
        """It has its final status."""
        return self.status != "running"

    @property
    def total_bytes(self) -> int | None:
        """Bytes to be read in all; None until every disk is planned."""
        known = [disk.total_bytes for disk in self.disks if disk.total_bytes is not None]
        return sum(known) if len(known) == len(self.disks) else None

    @property
    def to_verify(self) -> int:
        """Bytes that are read of the targets again; 0 until every disk is planned, and where that is not wanted.

        Told from the beginning: whoever estimates the end of the copy has to know that it is not the job's.
        """
        return sum(disk.to_verify for disk in self.disks) if self.verified and self.total_bytes is not None else 0

    @property
    def total_kind(self) -> Kind:
        """What `total_bytes` counts: the disks' sizes, what of them holds data, or what has changed.

        Of disks of different kinds it is the least that is said of all of them.
        """
        kinds = {disk.kind for disk in self.disks}
        return kinds.pop() if len(kinds) == 1 else "allocated"


class Identity(msgspec.Struct, frozen=True):
    """What stays the same in every body of a job. `indexes` are the disks' numbers on the wire."""

    job_id: str
    job_type: str
    attempt: int
    vm_name: str
    sender: str
    indexes: tuple[int, ...]
    backup_type: str = "full"


def identity(order: Order, attempt: int, sender: str) -> Identity:
    """Of this attempt at the order."""
    return Identity(
        job_id=order.job_id,
        job_type=order.job_type,
        attempt=attempt,
        vm_name=order.vm_name,
        sender=sender,
        indexes=tuple(disk.index for disk in order.disks),
        backup_type=order.mode,
    )


class Misplaced(Exception):
    """An event that cannot happen in this state: a bug of ours."""


def begin(disks: int, *, verified: bool = False) -> Job:
    """A job that has just begun."""
    return Job((DiskState(),) * disks, verified)


def apply(job: Job, event: Event) -> Job:
    """The job after the event. Raises Misplaced for an event out of order."""
    if job.ended:
        raise Misplaced(f"{event} after the end of the job")
    if isinstance(event, JobEnded):
        return _end(job, event)
    disk = _disk_after(job.disks[event.index], event)
    disks = (*job.disks[: event.index], disk, *job.disks[event.index + 1 :])
    return msgspec.structs.replace(job, disks=disks, phase=_phase(job, disks))


def _disk_after(
    disk: DiskState, event: DiskPlanned | DiskStarted | DiskWritten | DiskCopied | DiskFailed
) -> DiskState:
    replace = msgspec.structs.replace
    match event:
        case DiskPlanned() if disk.status == "pending" and disk.total_bytes is None:
            return replace(disk, total_bytes=event.total_bytes, kind=event.kind, to_verify=event.to_verify)
        case DiskStarted() if disk.status == "pending" and disk.total_bytes is not None:
            return replace(disk, status="running")
        case DiskWritten() if disk.status == "running" and not disk.written:
            return replace(disk, written=True)
        case DiskCopied() if disk.status == "running" and disk.written:
            return replace(disk, status="completed")
        case DiskFailed() if disk.status in ("pending", "running"):
            return replace(disk, status="failed", error=event.message)
    raise Misplaced(f"{event} of a disk that is {disk.status}")


def _phase(job: Job, disks: Sequence[DiskState]) -> Phase:
    if all(disk.written for disk in disks):
        return "verifying" if job.verified else "finalizing"
    if job.phase == "starting" and any(disk.status == "running" for disk in disks):
        return "transferring"
    return job.phase


def _end(job: Job, event: JobEnded) -> Job:
    disks = tuple(
        msgspec.structs.replace(disk, status="cancelled") if disk.status in ("pending", "running") else disk
        for disk in job.disks
    )
    failures = [(index, disk.error) for index, disk in enumerate(disks) if disk.status == "failed"]
    if failures:
        more = f" (and {len(failures) - 1} more of {len(disks)} disks failed)" if failures[1:] else ""
        error = f"disk {failures[0][0]}: {failures[0][1]}{more}"
        return msgspec.structs.replace(job, disks=disks, status="failed", error=error)
    if all(disk.status == "completed" for disk in disks):
        return msgspec.structs.replace(job, disks=disks, status="completed")
    if event.stopped is None:
        raise Misplaced("the end of a job with unfinished disks that nobody stopped")
    return msgspec.structs.replace(job, disks=disks, status="cancelled", error=event.stopped)


def picture(job: Job, counts: Sequence[Count]) -> Picture:
    """The job as the cadence looks at it."""
    done = progress.percent(progress.copied(counts), job.total_bytes or 0, completed=job.status == "completed")
    return Picture(done, job.phase, job.status, job.error, tuple(disk.status for disk in job.disks))


def body(
    identity: Identity,
    job: Job,
    counts: Sequence[Count],
    *,
    speed: int,
    sequence: int,
    timestamp: str,
    bottlenecks: Sequence[str | None] = (),
) -> TelemetryBody:
    """What the hub is told: the whole state, so that any update makes up for lost ones. `speed` in bytes/s.

    `bottlenecks` are the disks', or none where nothing is known of them.
    """
    known = bottlenecks or (None,) * len(job.disks)
    return TelemetryBody(
        job_id=identity.job_id,
        job_type=identity.job_type,
        status=job.status,
        current_phase=job.phase,
        bytes_transferred=progress.copied(counts),
        total_bytes=job.total_bytes,
        transfer_speed_bps=max(speed, 0),
        progress_percent=picture(job, counts).percent,
        disks=tuple(
            _disk_body(index, disk, count, bottleneck)
            for index, disk, count, bottleneck in zip(identity.indexes, job.disks, counts, known, strict=True)
        ),
        error=job.error,
        timestamp=timestamp,
        attempt=identity.attempt,
        sequence=sequence,
        vm_name=identity.vm_name or None,
        backup_type=identity.backup_type,
        total_kind=job.total_kind,
        sender=identity.sender,
        bytes_verified=progress.verified(counts) or None,
        bytes_to_verify=job.to_verify or None,
    )


def ending(identity: Identity, status: Status, error: str, timestamp: str) -> TelemetryBody:
    """What the hub is told of an attempt that ends before it copied anything."""
    return TelemetryBody(
        job_id=identity.job_id,
        job_type=identity.job_type,
        status=status,
        current_phase="starting",
        error=error,
        timestamp=timestamp,
        attempt=identity.attempt,
        sequence=1,
        vm_name=identity.vm_name or None,
        backup_type=identity.backup_type,
        sender=identity.sender,
    )


def _disk_body(index: int, disk: DiskState, count: Count, bottleneck: str | None) -> DiskBody:
    completed = disk.status == "completed"
    return DiskBody(
        disk_index=index,
        bytes_transferred=count.copied,
        total_bytes=disk.total_bytes,
        progress_percent=progress.percent(count.copied, disk.total_bytes or 0, completed=completed),
        status=disk.status,
        error_message=disk.error,
        bottleneck=bottleneck,
    )
