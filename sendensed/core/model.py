"""Model: a job as the hub keeps it, and the history rows a change leaves.

Both stores write these values as they are and read them back equal; what an update does to them is in
`core/job.py`. Times are UTC, sizes bytes, speeds bytes per second, durations seconds.
"""

from datetime import datetime

import msgspec

from schemas.job import EtaBasis, EtaReason, State, Voice


class Disk(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One disk. `total_bytes` 0 is unknown; `progress_percent` None where nothing tells it.

    `bottleneck` is what took most of the time when that was last told; '' where it never was.
    """

    index: int
    bytes_transferred: int = 0
    total_bytes: int = 0
    progress_percent: float | None = None
    status: str = ""
    error_message: str | None = None
    bottleneck: str = ""


class Point(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One measured point of a run: when (Unix seconds) and how many bytes were done by then."""

    at: float
    bytes: int


class Meter(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What speed and ETA are estimated from (`core/estimate.py`); opaque to the stores.

    `recent` holds the points of the speed window, `first` the first point of the present phase, `rate`
    the exponentially weighted mean, `samples` the number of points since `first`, `marks` the bytes at each
    `spacing` seconds since then. `verified` are the bytes of the targets that were read again by then, of
    `to_verify` in all (0: unknown).
    """

    recent: tuple[Point, ...] = ()
    first: Point | None = None
    rate: float = 0.0
    samples: int = 0
    spacing: float = 0.0
    marks: tuple[int, ...] = ()
    verified: int = 0
    to_verify: int = 0


class Prediction(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What was said when a run came to `percent`: seconds left, and their range."""

    percent: int
    at: datetime
    left: int
    low: int
    high: int


class Job(msgspec.Struct, frozen=True, gc=False):
    """One job, whole.

    `revision` is 0 for a job that no store has yet and grows by one with each commit. `sequence` is None
    until a sender gives one (the original never does). `sent_at` is the sender's own clock at the last
    update applied. `closed_by` says whose word a final state is. `last_telemetry_at` proves life;
    `last_moved_at` is when bytes, copied or verified, or phase last advanced. `total_bytes` 0 is unknown.
    `serial_disks` is True where the disks are the hub's own count of an original sender's disks, which come one
    after another; `disk_ended_at` is then the sender's clock at the end of the last finished one. `sender_error`
    is what the sender last said was wrong; a verdict of the reaper stands over it in `error_message`. `heard_by`
    is the hub that heard of the job last; `not_moving` is the reaper's word that it is heard but does not move.
    `event_count` grows by one with each row of its history.
    """

    id: str
    job_type: str
    created_at: datetime
    vm_name: str = ""
    backup_type: str = ""
    status: State = "pending"
    current_phase: str = "pending"
    bytes_transferred: int = 0
    total_bytes: int = 0
    total_kind: str = ""
    progress_percent: float | None = None
    transfer_speed_bps: int = 0
    eta_seconds: int | None = None
    eta_reason: EtaReason | None = None
    eta_low_seconds: int | None = None
    eta_high_seconds: int | None = None
    eta_basis: EtaBasis | None = None
    error_message: str | None = None
    attempt: int = 1
    sequence: int | None = None
    sender: str = ""
    closed_by: Voice | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    last_telemetry_at: datetime | None = None
    last_moved_at: datetime | None = None
    sent_at: datetime | None = None
    meter: Meter = Meter()
    predictions: tuple[Prediction, ...] = ()
    disks: tuple[Disk, ...] = ()
    serial_disks: bool = False
    disk_ended_at: datetime | None = None
    sender_error: str | None = None
    appliance: str = ""
    cancel_requested_at: datetime | None = None
    heard_by: str = ""
    not_moving: bool = False
    event_count: int = 0
    revision: int = 0


class Event(msgspec.Struct, frozen=True, gc=False):
    """One row of a job's history; the fields are those of `schemas.job.EventView`."""

    job_id: str
    at: datetime
    kind: str
    said_by: Voice
    status: State
    attempt: int
    sequence: int | None
    bytes_transferred: int
    progress_percent: float | None
    current_phase: str
    detail: str
