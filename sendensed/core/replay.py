"""Replay: a job's run again, step by step, from what was kept of it.

The points of its chart go through the hub's own merge as if they came from the sender, so speed, time left and
their reasons are those that stood on the page. What the points do not tell comes from the history: verdicts,
wishes to cancel, ends of attempts. How far each disk was, both tell together (`replay_disks`). The last step is
the job exactly as it was exported.
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
from sendensed.core import estimate, metering, replay_disks
from sendensed.core import job as merging
from sendensed.core.model import Disk, Event, Job, Meter, Prediction


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
    states: dict[int, str] = {}
    done: dict[int, int] = {}
    attempt = job.attempt
    is_whole = _has_beginning(bundle)
    for at, what in ordered:
        events: tuple[Event, ...] = ()
        if what.attempt != attempt:
            attempt, states, done = what.attempt, {}, {}
        if isinstance(what, Sample):
            job = _heard(job, what, final)
            done = {disk.disk_index: disk.bytes_transferred for disk in what.disks or ()}
        else:
            job, events = _told(job, what), (Event(job_id=job.id, **asdict(what)),)
            states = _states(states, what)
        known = replay_disks.known(job, states, done, final, is_whole=is_whole)
        shown = replace(job, disks=known) if at < end else final
        found.append(Step(min(at, end), shown, events, isinstance(what, Sample)))
    return (*found, Step(end, final))


def _has_beginning(bundle: Bundle) -> bool:
    """Whether the history goes back to the first word: of a very long one the newest part is kept in a bundle."""
    first = min((one.at for one in bundle.samples), default=bundle.job.created_at)
    return any(event.at <= first for event in bundle.events)


def _states(states: dict[int, str], event: EventView) -> dict[int, str]:
    """The disks' states after a row of the history."""
    told = replay_disks.told(event.detail) if event.kind == "disk" else None
    return states if told is None else {**states, told[0]: told[1]}


def _in_order(bundle: Bundle) -> Iterator[tuple[datetime, Sample | EventView]]:
    """Points before events of the same moment: a verdict is on what was heard."""
    moments: list[tuple[datetime, int, Sample | EventView]] = [(one.at, 0, one) for one in bundle.samples]
    moments += [(one.at, 1, one) for one in bundle.events]
    for at, _, what in sorted(moments, key=lambda one: one[:2]):
        yield at, what


def _heard(job: Job, sample: Sample, final: Job) -> Job:
    """The job after a point. Nothing is said of a verification where a hub of before kept none of its points."""
    is_unknown = sample.current_phase == estimate.VERIFYING and sample.bytes_verified is None
    ahead = 0 if is_unknown else final.meter.to_verify
    job = replace(job, meter=replace(job.meter, to_verify=ahead))
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
        bytes_verified=sample.bytes_verified or 0,
        bytes_to_verify=ahead,
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
    return replace(ended, **metering.time_left(ended.status, ended.current_phase, ended.meter, ended.total_bytes))


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
    meter = Meter(verified=bundle.job.bytes_verified, to_verify=bundle.job.bytes_to_verify)
    return Job(**{**known, "disks": disks, "predictions": predictions, "meter": meter, "revision": 0})


def _said_at(bundle: Bundle, said: wire.Prediction) -> datetime:
    """When it was said, by what came of it; for a run that is not over it makes no difference."""
    return end_of(bundle) - timedelta(seconds=said.actual_seconds or 0)
