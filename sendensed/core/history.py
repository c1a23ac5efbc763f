"""History: the rows that a change of a job leaves in `job_events`."""

from datetime import datetime
from operator import attrgetter

from schemas.job import ACTIVE, Voice
from sendensed.core.model import Disk, Event, Job

_index_and_status = attrgetter("index", "status")


def attempt(job: Job, new: int, now: datetime) -> Event:
    """A new attempt begins; the row holds where the old one was."""
    return _event(job, now, "attempt", "sender", f"attempt {new} begins; attempt {job.attempt} was {job.status}")


def asked_to_cancel(job: Job, now: datetime, who: str) -> Event:
    """An operator wants the job to end; its sender is told with the next answer."""
    return _event(job, now, "cancel", "operator", f"{who} asked to cancel it")


def changes(before: Job | None, after: Job, now: datetime, voice: Voice, detail: str = "") -> tuple[Event, ...]:
    """One row for each change of state, phase and disk between two versions of a job.

    `before` is None where the job, or its attempt, begins. `detail` is the evidence of a change of state.
    """
    rows = []
    if before is None or before.status != after.status:
        said = detail or (after.error_message or "" if after.status == "failed" else "")
        rows.append(_event(after, now, "state", voice, said or _transition(before, after)))
    if before is not None and before.current_phase != after.current_phase and after.status in ACTIVE:
        rows.append(_event(after, now, "phase", voice, f"{before.current_phase} -> {after.current_phase}"))
    if before is not None and before.not_moving and not after.not_moving and after.status in ACTIVE:
        rows.append(alarm(after, now, voice, "moves again"))
    was = [] if before is None else list(map(_index_and_status, before.disks))
    if was != list(map(_index_and_status, after.disks)):
        known = dict(was)
        rows += [
            _event(after, now, "disk", voice, _disk_detail(disk))
            for disk in after.disks
            if disk.status and known.get(disk.index) != disk.status
        ]
    return tuple(rows)


def alarm(job: Job, now: datetime, voice: Voice, detail: str) -> Event:
    """A row that calls for attention, or says that it is over; the job's state stays."""
    return _event(job, now, "alarm", voice, detail)


def _transition(before: Job | None, after: Job) -> str:
    return after.status if before is None else f"{before.status} -> {after.status}"


def _disk_detail(disk: Disk) -> str:
    said = f"disk {disk.index} {disk.status}"
    return f"{said}: {disk.error_message}" if disk.error_message else said


def _event(job: Job, now: datetime, kind: str, voice: Voice, detail: str) -> Event:
    return Event(
        job_id=job.id,
        at=now,
        kind=kind,
        said_by=voice,
        status=job.status,
        attempt=job.attempt,
        sequence=job.sequence,
        bytes_transferred=job.bytes_transferred,
        progress_percent=job.progress_percent,
        current_phase=job.current_phase,
        detail=detail,
    )
