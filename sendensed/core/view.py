"""View: a job as readers and viewers see it, and which jobs a reader asked for."""

from collections.abc import Collection

import msgspec

from schemas.feed import AlarmView
from schemas.job import DiskView, EventView, JobView
from sendensed.core import estimate
from sendensed.core.alarm import Alarm
from sendensed.core.model import Event, Job


class Filter(msgspec.Struct, frozen=True):
    """What a viewer wants; an empty field wants all."""

    ids: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    job_types: frozenset[str] = frozenset()

    def wants(self, job: Job, statuses: Collection[str]) -> bool:
        """Whether a job in one of these states (its own, the one it had before) is asked for."""
        return (
            (not self.ids or job.id in self.ids)
            and (not self.job_types or job.job_type in self.job_types)
            and (not self.statuses or not self.statuses.isdisjoint(statuses))
        )


def job_view(job: Job) -> JobView:
    """The job as it goes out."""
    return JobView(
        id=job.id,
        job_type=job.job_type,
        vm_name=job.vm_name,
        backup_type=job.backup_type,
        status=job.status,
        current_phase=job.current_phase,
        bytes_transferred=job.bytes_transferred,
        total_bytes=job.total_bytes,
        total_kind=job.total_kind,
        progress_percent=job.progress_percent,
        transfer_speed_bps=job.transfer_speed_bps,
        eta_seconds=job.eta_seconds,
        eta_reason=job.eta_reason,
        error_message=job.error_message,
        attempt=job.attempt,
        sequence=job.sequence,
        sender=job.sender,
        closed_by=job.closed_by,
        created_at=job.created_at,
        started_at=job.started_at,
        completed_at=job.completed_at,
        last_telemetry_at=job.last_telemetry_at,
        last_moved_at=job.last_moved_at,
        revision=job.revision,
        cancel_requested_at=job.cancel_requested_at,
        eta_low_seconds=job.eta_low_seconds,
        eta_high_seconds=job.eta_high_seconds,
        eta_basis=job.eta_basis,
        appliance=job.appliance,
        disks=tuple(
            DiskView(
                disk.index,
                disk.bytes_transferred,
                disk.total_bytes,
                disk.progress_percent,
                disk.status,
                disk.error_message,
                disk.bottleneck,
            )
            for disk in job.disks
        ),
        heard_by=job.heard_by,
        not_moving=job.not_moving,
        bytes_verified=job.meter.verified,
        bytes_to_verify=job.meter.to_verify,
        eta_copy_seconds=_copy_left(job),
        event_count=job.event_count,
    )


def _copy_left(job: Job) -> int | None:
    """Seconds until all is copied, where that is not the end."""
    return estimate.time_left(job.meter, job.total_bytes)[0] if job.eta_reason == "verification" else None


def alarm_view(alarm: Alarm) -> AlarmView:
    """The alarm as it goes out."""
    return AlarmView(alarm.kind, alarm.since, alarm.raised_by, alarm.detail)


def event_view(event: Event) -> EventView:
    """The history row as it goes out."""
    return EventView(
        at=event.at,
        kind=event.kind,
        said_by=event.said_by,
        status=event.status,
        attempt=event.attempt,
        sequence=event.sequence,
        bytes_transferred=event.bytes_transferred,
        progress_percent=event.progress_percent,
        current_phase=event.current_phase,
        detail=event.detail,
    )
