"""Replay: a job's run again, step by step, from what was kept of it.

The points of its chart go through the hub's own merge as if they came from the sender, so speed, time left and
their reasons are those that stood on the page. What the points do not tell comes from the history: verdicts,
wishes to cancel, ends of attempts. The last step is the job exactly as it was exported; disks are shown from there
on, for how they moved was not kept.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import asdict, replace

from schemas import job as wire
from schemas.bundle import Bundle
from schemas.job import ACTIVE, EventView, JobView
from schemas.reading import Sample
from schemas.telemetry import Telemetry
from sendensed.core import job as merging
from sendensed.core.model import Disk, Event, Job, Prediction


class Step(msgspec.Struct, frozen=True):
    """What the hub knew from `at` on; `is_sampled` where a point of the chart lies there."""

    at: datetime
    job: Job
    events: tuple[Event, ...] = ()
    is_sampled: bool = False


def end_of(bundle: Bundle) -> datetime:
    """Until when the run is known: its end, or when it was exported."""
    return bundle.job.completed_at or bundle.header.exported_at


def steps(bundle: Bundle) -> tuple[Step, ...]:
    """The run in order of time; at the least its beginning and its end."""
    final, ordered = _final(bundle), list(_in_order(bundle))
    job = Job(
        id=final.id,
        job_type=final.job_type,
        created_at=final.created_at,
        vm_name=final.vm_name,
        backup_type=final.backup_type,
        attempt=min([what.attempt for _, what in ordered], default=final.attempt),
        appliance=final.appliance,
    )
    found = [Step(job.created_at, job)]
    end = end_of(bundle)
    for at, what in ordered:
        events: tuple[Event, ...] = ()
        if isinstance(what, Sample):
            job = _heard(job, what, final)
        else:
            job, events = _told(job, what), (Event(job_id=job.id, **asdict(what)),)
        found.append(Step(min(at, end), job if at < end else final, events, isinstance(what, Sample)))
    return (*found, Step(end, final))


def _in_order(bundle: Bundle) -> Iterator[tuple[datetime, Sample | EventView]]:
    """Points before events of the same moment: a verdict is on what was heard."""
    moments: list[tuple[datetime, int, Sample | EventView]] = [(one.at, 0, one) for one in bundle.samples]
    moments += [(one.at, 1, one) for one in bundle.events]
    for at, _, what in sorted(moments, key=lambda one: one[:2]):
        yield at, what


def _heard(job: Job, sample: Sample, final: Job) -> Job:
    update = Telemetry(
        job_type=job.job_type,
        job_id=job.id,
        status="running",
        current_phase=sample.current_phase,
        bytes_transferred=sample.bytes_transferred,
        total_bytes=final.total_bytes,
        attempt=sample.attempt,
        sequence=(job.sequence or 0) + 1,
        vm_name=final.vm_name,
        backup_type=final.backup_type,
        total_kind=final.total_kind,
        sender=final.sender,
    )
    opened = replace(job, status="running", closed_by=None, completed_at=None, error_message=None)
    merged = merging.merge(opened if job.closed_by else job, update, sample.at).job
    return replace(merged, transfer_speed_bps=sample.transfer_speed_bps)


def _told(job: Job, event: EventView) -> Job:
    if event.kind == "cancel":
        return replace(job, cancel_requested_at=event.at)
    if event.kind == "alarm":
        return replace(job, not_moving=event.detail != "moves again")
    if event.kind != "state" or event.status == job.status:
        return job
    if event.status == "stalled":
        return merging.close(job, "stalled", None, event.at)
    if event.status in ACTIVE:
        return replace(job, status=event.status, closed_by=None, completed_at=None)
    error = event.detail if event.status == "failed" else job.error_message
    ended = replace(job, status=event.status, closed_by=event.said_by, completed_at=event.at, error_message=error)
    return replace(ended, eta_seconds=0, eta_reason=None, eta_low_seconds=None, eta_high_seconds=None)


def _final(bundle: Bundle) -> Job:
    """The job as it was exported, as the hub keeps it."""
    shown = asdict(bundle.job)
    disks = tuple(
        Disk(**{"index" if name == "disk_index" else name: value for name, value in asdict(disk).items()})
        for disk in bundle.job.disks
    )
    known = {name: shown[name] for name in JobView.__struct_fields__ if name in Job.__struct_fields__}
    predictions = tuple(
        Prediction(one.percent, _said_at(bundle, one), one.predicted_seconds, one.low_seconds, one.high_seconds)
        for one in bundle.predictions
    )
    return Job(**{**known, "disks": disks, "predictions": predictions, "revision": 0})


def _said_at(bundle: Bundle, said: wire.Prediction) -> datetime:
    """When it was said, by what came of it; for a run that is not over it makes no difference."""
    return end_of(bundle) - timedelta(seconds=said.actual_seconds or 0)
