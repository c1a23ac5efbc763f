"""Job: what an update does to a job. The one merge, for both stores, and the state machine.

    pending ──▶ running ◀──▶ stalled            closed by the sender or an operator: final for the attempt
       │           │            │               closed by the reaper: an inference; newer telemetry revives
       └───────────┴─▶ completed | failed | cancelled

An update's place is `(attempt, sequence)`; timestamps order nothing, but for the original sender, which
gives no sequence: there arrival is the order, and its clock tells a next disk from a late word of the last.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace

from schemas import ids
from schemas.fault import Invalid
from schemas.job import ACTIVE, State
from schemas.telemetry import DISKS, INT64, Command, Telemetry
from sendensed.core import disks, history, metering, prediction
from sendensed.core.model import Disk, Event, Job, Meter

Past = Mapping[str, float]
"""By which share estimates of some machines' earlier runs were off (`prediction.past_error`)."""
NOTHING: Past = {}
_NO_REASON = "the sender reported a failure and gave no reason"


class Merged(msgspec.Struct, frozen=True, gc=False):
    """What an update did: the job after it, the history rows, and what the sender is answered.

    `job` is the very object given where the update changes nothing at all.
    """

    job: Job
    events: tuple[Event, ...] = ()
    applied: bool = True
    reason: str | None = None
    command: Command = "continue"


def merge(job: Job | None, update: Telemetry, now: datetime, hub: str = "", past: Past = NOTHING) -> Merged:
    """What `update`, arriving at `now` at this hub, does to `job` (None: one that nobody has heard of).

    Raises Invalid where the id belongs to a job of another type. The sender of a job that an operator wants to
    end is told so until it ends.
    """
    merged = _merge(job, update, now, hub, past)
    if merged.job.cancel_requested_at is None or merged.job.status not in ACTIVE or merged.command != "continue":
        return merged
    return replace(merged, command="cancel")


def _merge(job: Job | None, update: Telemetry, now: datetime, hub: str, past: Mapping[str, float]) -> Merged:
    if job is None:
        return _apply(None, _first(update, now), update, now, hub, past)
    if job.job_type != update.job_type:
        said = f"job_type: '{job.id}' is a {job.job_type} job; send it to its own address"
        raise Invalid(said, "job_type", "conflict")
    if update.attempt < job.attempt:
        return Merged(job, applied=False, reason="superseded", command="superseded")
    if update.attempt > job.attempt:
        merged = _apply(None, _restarted(job, update), update, now, hub, past)
        return replace(merged, events=(history.attempt(job, update.attempt, now), *merged.events))
    if reason := _out_of_order(job, update):
        return _heard(job, now, hub, reason)
    if _is_of_finished_disk(job, update):
        return _heard(job, now, hub, "late")
    if job.closed_by in ("sender", "operator"):
        if not _opens_next_disk(job, update):
            return Merged(job, applied=False, reason="final", command=_last_word(job))
        return _apply(job, _reopened(job), update, now, hub, past)
    return _apply(job, job, update, now, hub, past)


def _first(update: Telemetry, now: datetime) -> Job:
    return Job(id=update.job_id, job_type=update.job_type, created_at=now, attempt=update.attempt)


def _restarted(job: Job, update: Telemetry) -> Job:
    """The job at the start of a new attempt: the same machine and id, nothing of the old run."""
    return Job(
        id=job.id,
        job_type=job.job_type,
        created_at=job.created_at,
        vm_name=job.vm_name,
        backup_type=job.backup_type,
        appliance=job.appliance,
        attempt=update.attempt,
        revision=job.revision,
    )


def _out_of_order(job: Job, update: Telemetry) -> str | None:
    if job.sequence is None:
        return None
    if update.sequence is None or update.sequence < job.sequence:
        return "out_of_date"
    return "duplicate" if update.sequence == job.sequence else None


def _heard(job: Job, now: datetime, hub: str, reason: str) -> Merged:
    """A duplicate or out-of-date update: it changes no number, but it proves life."""
    if job.closed_by in ("sender", "operator"):
        return Merged(job, applied=False, reason=reason, command=_last_word(job))
    heard = replace(job, last_telemetry_at=now, heard_by=hub)
    if job.status != "stalled":
        return Merged(heard, applied=False, reason=reason)
    revived = _timed(replace(heard, status="running" if job.started_at else "pending"))
    return Merged(revived, history.changes(job, revived, now, "sender"), applied=False, reason=reason)


def _last_word(job: Job) -> Command:
    """What a sender is told that still speaks after the end: to stop, where an operator ended the job."""
    return "cancel" if job.closed_by == "operator" else "continue"


def _is_of_finished_disk(job: Job, update: Telemetry) -> bool:
    """Whether the original sender, now at its next disk, still speaks of one that has ended."""
    return (
        update.sequence is None
        and job.disk_ended_at is not None
        and update.timestamp is not None
        and update.timestamp <= job.disk_ended_at
    )


def _opens_next_disk(job: Job, update: Telemetry) -> bool:
    """Whether the original sender, which ends each disk with `completed`, has begun the next one.

    A failure counts as well: a disk that fails before its first progress must not hide behind a green job.
    """
    return (
        update.sequence is None
        and job.status == "completed"
        and update.status in ("running", "failed")
        and job.sent_at is not None
        and update.timestamp is not None
        and update.timestamp > job.sent_at
    )


def _reopened(job: Job) -> Job:
    next_disks = disks.open_next(job.disks) if job.serial_disks else job.disks
    return replace(
        job,
        status="running",
        closed_by=None,
        completed_at=None,
        progress_percent=None,
        disks=next_disks,
        disk_ended_at=job.sent_at,
        meter=Meter(),
    )


def _apply(before: Job | None, job: Job, update: Telemetry, now: datetime, hub: str, past: Past) -> Merged:
    """An update that is next in order, on a job made ready for it; `before` is None where the attempt begins.

    All that the update changes is put into one new job: to copy it for each step cost more than the steps.
    """
    status = _next_state(job, update)
    is_active = status in ACTIVE
    phase = update.current_phase or job.current_phase
    numbers = _numbers(job, update, status)
    grown = numbers.done > job.bytes_transferred or update.bytes_verified > job.meter.verified
    moved = before is None or grown or phase != job.current_phase
    meter, speed = metering.metered(job, numbers.done, update, now, is_active=is_active, phase=phase)
    said = update.error or job.sender_error
    machine = update.vm_name or job.vm_name or ids.vm_name_of(job.id)
    after = replace(
        job,
        status=status,
        current_phase=phase,
        error_message=_NO_REASON if status == "failed" and not said else said,
        sender_error=said,
        vm_name=machine,
        backup_type=update.backup_type or job.backup_type,
        total_kind=update.total_kind or job.total_kind,
        sender=update.sender or job.sender,
        disks=numbers.disks,
        serial_disks=numbers.serial,
        bytes_transferred=numbers.done,
        total_bytes=numbers.total,
        progress_percent=numbers.percent,
        meter=meter,
        transfer_speed_bps=speed,
        sequence=update.sequence if update.sequence is not None else job.sequence,
        sent_at=update.timestamp,
        last_telemetry_at=now,
        heard_by=hub,
        not_moving=job.not_moving and not moved and is_active,
        last_moved_at=now if moved else job.last_moved_at,
        started_at=job.started_at or (now if status != "pending" else None),
        completed_at=None if is_active else now,
        closed_by=None if is_active else "sender",
        **metering.time_left(status, phase, meter, numbers.total, past.get(machine)),
    )
    after = prediction.recorded(job, after, now)
    return Merged(after, history.changes(before, after, now, "sender"))


def _next_state(job: Job, update: Telemetry) -> State:
    said = update.status
    if said in ("completed", "failed", "cancelled"):
        return said
    silent_on_start = not (update.bytes_transferred or update.current_phase or update.disks)
    if job.started_at is None and (said == "pending" or (said == "" and silent_on_start)):
        return "pending"
    return "running"


class _Numbers(msgspec.Struct, frozen=True, gc=False):
    """Disks, bytes, total and percent after an update."""

    disks: tuple[Disk, ...]
    serial: bool
    done: int
    total: int
    percent: float | None


def _numbers(job: Job, update: Telemetry, status: State) -> _Numbers:
    """The numbers of a job that is now `status`.

    With disks the job's bytes are their sum; a sum that is behind what the job had already, or disks that
    tell no bytes at all, take nothing away from it.
    """
    serial = not update.disks and update.sequence is None and (job.serial_disks or not job.disks)
    known = () if job.serial_disks and not serial else job.disks  # the hub's own count yields to the sender's word
    merged = disks.merge_serial(known, update) if serial else disks.merge(known, update.disks)
    if status == "completed":
        merged = disks.complete(merged)
    done = max(job.bytes_transferred, update.bytes_transferred)
    total = update.total_bytes or job.total_bytes
    if merged:
        copied = disks.bytes_sum(merged)
        _refuse_unstorable(len(merged), copied)
        done = max(job.bytes_transferred, copied or update.bytes_transferred)
        if serial or not update.total_bytes:
            summed = disks.total_sum(merged) if disks.is_total_known(merged) else 0
            _refuse_unstorable(len(merged), summed)
            total = summed if serial else max(job.total_bytes, summed)
    percent = disks.percent(done, total, update.progress_percent, job.progress_percent)
    if status == "completed":
        total, percent = total or done, 100.0
    return _Numbers(merged, serial and bool(merged), done, total, percent)


def _refuse_unstorable(count: int, most: int) -> None:
    """Each update is within the limits, but what several add up to may not be."""
    if count > DISKS:
        raise Invalid(f"disks: the job would have {count} disks; at most {DISKS} are kept", "disks")
    if most > INT64:
        raise Invalid("disks: their bytes add up to more than an int64 holds", "disks")


def _timed(job: Job) -> Job:
    """The job with its time left."""
    return replace(job, **metering.time_left(job.status, job.current_phase, job.meter, job.total_bytes))


def close(job: Job, status: State, error: str | None, now: datetime) -> Job:
    """The job with the reaper's verdict, `stalled` or `failed`."""
    if status == "stalled":
        return _timed(replace(job, status="stalled"))
    return _timed(
        replace(job, status=status, error_message=error, closed_by="reaper", completed_at=now, not_moving=False)
    )
