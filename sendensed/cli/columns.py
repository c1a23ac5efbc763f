"""Columns: what the tables of jobs, machines, appliances and events show."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from schemas.job import DiskView, EventView, JobView
from sendensed.cli import words
from sendensed.cli.output import Column, Kind

if TYPE_CHECKING:
    from schemas.reading import ApplianceView, MachineView


def _duration(job: JobView) -> float | None:
    if job.completed_at is None or job.started_at is None:
        return None
    return (job.completed_at - job.started_at).total_seconds()


def _finish(job: JobView) -> datetime | None:
    if job.last_telemetry_at is None or job.eta_high_seconds is None:
        return None
    return job.last_telemetry_at + timedelta(seconds=job.eta_high_seconds)


def _size(count: int | None) -> str:
    return "" if count is None else words.size(count)


def _seconds(count: float | None) -> str:
    return "" if count is None else words.duration(count)


JOBS: Kind[JobView] = Kind(
    (
        Column("MACHINE", lambda job, now: words.machine(job), lambda job: job.vm_name or job.id),
        Column("TYPE", lambda job, now: words.plain(job.job_type), lambda job: job.job_type),
        Column(
            "STATE", lambda job, now: words.state(job), lambda job: job.status, style=lambda job: str(job.status)
        ),
        Column("PHASE", lambda job, now: words.plain(job.current_phase), lambda job: job.current_phase, wide=True),
        Column(
            "DONE",
            lambda job, now: words.percent(job.progress_percent),
            lambda job: job.progress_percent,
            falling=True,
            right=True,
        ),
        Column(
            "BYTES",
            lambda job, now: words.copied(job),
            lambda job: job.bytes_transferred,
            falling=True,
            right=True,
        ),
        Column(
            "SPEED",
            lambda job, now: words.speed(job),
            lambda job: job.transfer_speed_bps,
            falling=True,
            right=True,
        ),
        Column("LEFT", lambda job, now: words.time_left(job), lambda job: job.eta_seconds, right=True),
        Column("FINISH", words.finish, _finish, wide=True),
        Column(
            "HEARD",
            lambda job, now: words.age(job.last_telemetry_at, now),
            lambda job: job.last_telemetry_at,
            falling=True,
            right=True,
        ),
        Column(
            "MOVED",
            lambda job, now: words.age(job.last_moved_at, now),
            lambda job: job.last_moved_at,
            wide=True,
            falling=True,
            right=True,
        ),
        Column("APPLIANCE", lambda job, now: words.plain(job.appliance), lambda job: job.appliance, wide=True),
        Column(
            "ATTEMPT",
            lambda job, now: str(job.attempt),
            lambda job: job.attempt,
            wide=True,
            falling=True,
            right=True,
        ),
        Column(
            "CREATED", lambda job, now: words.stamp(job.created_at), lambda job: job.created_at, True, falling=True
        ),
        Column(
            "STARTED", lambda job, now: words.stamp(job.started_at), lambda job: job.started_at, True, falling=True
        ),
        Column(
            "COMPLETED",
            lambda job, now: words.stamp(job.completed_at),
            lambda job: job.completed_at,
            True,
            falling=True,
        ),
        Column("DURATION", lambda job, now: words.took(job), _duration, True, falling=True, right=True),
        Column("ID", lambda job, now: words.plain(job.id), lambda job: job.id),
        Column("ERROR", lambda job, now: words.error(job), lambda job: job.error_message or None, wide=True),
    ),
    lambda job: words.plain(job.id),
    ("TYPE", "HEARD", "SPEED", "BYTES", "LEFT", "MACHINE"),
)

MACHINES: "Kind[MachineView]" = Kind(
    (
        Column("MACHINE", lambda one, now: words.plain(one.name), lambda one: one.name),
        Column("RUNS", lambda one, now: str(one.runs), lambda one: one.runs, falling=True, right=True),
        Column("ACTIVE", lambda one, now: str(one.active), lambda one: one.active, falling=True, right=True),
        Column("FAILED", lambda one, now: str(one.failed), lambda one: one.failed, falling=True, right=True),
        Column(
            "SUCCESS",
            lambda one, now: words.percent(one.success_percent),
            lambda one: one.success_percent,
            right=True,
        ),
        Column(
            "SIZE", lambda one, now: _size(one.mean_bytes), lambda one: one.mean_bytes, falling=True, right=True
        ),
        Column(
            "DURATION",
            lambda one, now: _seconds(one.mean_seconds),
            lambda one: one.mean_seconds,
            False,
            True,
            True,
        ),
        Column("LAST-SIZE", lambda one, now: _size(one.last_bytes), lambda one: one.last_bytes, True, True, True),
        Column(
            "LAST-RUN",
            lambda one, now: words.age(one.last_run_at, now),
            lambda one: one.last_run_at,
            False,
            True,
            True,
        ),
        Column(
            "LAST-SUCCESS",
            lambda one, now: words.age(one.last_success_at, now),
            lambda one: one.last_success_at,
            falling=True,
            right=True,
        ),
        Column(
            "ESTIMATES",
            lambda one, now: "" if one.within_percent is None else f"± {one.within_percent:g} %",
            lambda one: one.within_percent,
            wide=True,
            right=True,
        ),
    ),
    lambda one: words.plain(one.name),
    ("ACTIVE", "LAST-SIZE", "DURATION", "SIZE", "LAST-RUN", "ESTIMATES"),
)

APPLIANCES: "Kind[ApplianceView]" = Kind(
    (
        Column("APPLIANCE", lambda one, now: words.plain(one.name), lambda one: one.name),
        Column("VERSION", lambda one, now: words.plain(one.version), lambda one: one.version),
        Column("ACTIVE", lambda one, now: str(one.active), lambda one: one.active, falling=True, right=True),
        Column(
            "HEARD",
            lambda one, now: words.age(one.last_heard_at, now),
            lambda one: one.last_heard_at,
            falling=True,
            right=True,
        ),
        Column(
            "CLOCK",
            lambda one, now: words.skew(one.clock_skew_seconds),
            lambda one: None if one.clock_skew_seconds is None else abs(one.clock_skew_seconds),
            falling=True,
            right=True,
        ),
        Column("WAITING", lambda one, now: str(one.spool_depth), lambda one: one.spool_depth, False, True, True),
        Column(
            "WAITED",
            lambda one, now: words.duration(one.spool_age_seconds) if one.spool_depth else "",
            lambda one: one.spool_age_seconds,
            falling=True,
            right=True,
        ),
    ),
    lambda one: words.plain(one.name),
    ("WAITED", "VERSION"),
)


DISKS: Kind[DiskView] = Kind(
    (
        Column("DISK", lambda disk, now: f"disk {disk.disk_index}"),
        Column("STATE", lambda disk, now: words.plain(disk.status), style=lambda disk: disk.status),
        Column("PROGRESS", lambda disk, now: words.bar(disk.progress_percent)),
        Column("DONE", lambda disk, now: words.percent(disk.progress_percent), right=True),
        Column("BYTES", lambda disk, now: words.of_total(disk.bytes_transferred, disk.total_bytes), right=True),
        Column("WAITS-FOR", lambda disk, now: words.plain(disk.bottleneck)),
        Column("ERROR", lambda disk, now: words.plain(disk.error_message or ""), flows=True),
    ),
    lambda disk: str(disk.disk_index),
    ("PROGRESS", "WAITS-FOR"),
)


class Told(EventView, frozen=True, kw_only=True):
    """An event, and the job that it is of."""

    job_id: str


EVENTS: Kind[Told] = Kind(
    (
        Column("TIME", lambda one, now: words.stamp(one.at), lambda one: one.at),
        Column("KIND", lambda one, now: words.plain(one.kind), lambda one: one.kind),
        Column("SAID-BY", lambda one, now: one.said_by, lambda one: one.said_by),
        Column("STATE", lambda one, now: one.status, lambda one: one.status, style=lambda one: str(one.status)),
        Column("PHASE", lambda one, now: words.plain(one.current_phase), lambda one: one.current_phase, wide=True),
        Column(
            "DONE",
            lambda one, now: words.percent(one.progress_percent),
            lambda one: one.progress_percent,
            right=True,
        ),
        Column("ATTEMPT", lambda one, now: str(one.attempt), lambda one: one.attempt, wide=True, right=True),
        Column("JOB", lambda one, now: words.plain(one.job_id), lambda one: one.job_id),
        Column("DETAIL", lambda one, now: words.plain(one.detail), lambda one: one.detail, flows=True),
    ),
    lambda one: words.plain(one.job_id),
    ("DONE", "KIND", "SAID-BY", "STATE"),
)


def told(job_id: str, event: EventView) -> Told:
    """The event of this job."""
    return Told(**msgspec.structs.asdict(event), job_id=job_id)
